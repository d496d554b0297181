//! The program as a Linux process, the first one of its container.

use std::env;
use std::io;
use std::net::TcpListener;
pub(crate) use std::net::TcpStream as Connection;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;

use signal_hook::consts::SIGTERM;
use signal_hook::flag;
use signal_hook::iterator::Signals;

/// What shells report for the end by SIGTERM.
const CODE_STOPPED: i32 = 143;

/// Whether a request to end is one.
static LISTENS: OnceLock<Arc<AtomicBool>> = OnceLock::new();

pub(crate) fn exit(code: u8) -> ! {
    process::exit(code.into())
}

pub(crate) fn trap() -> ! {
    process::abort()
}

/// The kernel has the first process of a container ignore what it does not ask for.
pub(crate) fn end_when_asked() {
    let listens = LISTENS.get_or_init(|| Arc::new(AtomicBool::new(true)));
    if let Err(error) = flag::register_conditional_shutdown(SIGTERM, CODE_STOPPED, listens.clone())
    {
        eprintln!("SIGTERM cannot be taken: {error}");
    }
}

pub(crate) fn ignore_requests() {
    if let Some(listens) = LISTENS.get() {
        listens.store(false, Ordering::SeqCst);
    }
}

pub(crate) fn farewell(text: String, code: u8) {
    ignore_requests();
    match Signals::new([SIGTERM]) {
        Ok(mut signals) => {
            thread::spawn(move || {
                if signals.forever().next().is_some() {
                    println!("{text}");
                    exit(code);
                }
            });
        }
        Err(error) => eprintln!("SIGTERM cannot be taken: {error}"),
    }
}

pub(crate) fn working_directory() -> String {
    env::current_dir().unwrap_or_default().display().to_string()
}

pub(crate) struct Listener(TcpListener);

impl Listener {
    pub(crate) fn bind(port: u16) -> io::Result<Self> {
        TcpListener::bind(("0.0.0.0", port)).map(Self)
    }

    pub(crate) fn accept(&self) -> io::Result<Connection> {
        self.0.accept().map(|(client, _)| client)
    }
}

pub(crate) fn connect(host: &str, port: u16) -> io::Result<Connection> {
    Connection::connect((host, port))
}
