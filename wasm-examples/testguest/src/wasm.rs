//! The program as a component.

use std::env;
use std::io::{self, Read, Write};

use wasip2::cli::exit::exit_with_code;

/// Ends with a code that the usual way out of the standard library, by WASI 0.1, cannot tell.
pub(crate) fn exit(code: u8) -> ! {
    exit_with_code(code);
    unreachable!("the host has ended the program")
}

pub(crate) fn trap() -> ! {
    core::arch::wasm32::unreachable()
}

/// There are no signals: whoever is asked to end has ended.
pub(crate) fn end_when_asked() {}

pub(crate) fn ignore_requests() {}

pub(crate) fn farewell(_text: String, _code: u8) {}

/// WASI 0.1 has no working directory; the variable says what it would be.
pub(crate) fn working_directory() -> String {
    env::var("PWD").unwrap_or_else(|_| "/".to_owned())
}

pub(crate) struct Listener(echo_tcp::Listener);

impl Listener {
    pub(crate) fn bind(port: u16) -> io::Result<Self> {
        echo_tcp::Listener::bind(port).map(Self).map_err(other)
    }

    pub(crate) fn accept(&self) -> io::Result<Connection> {
        loop {
            self.0.ready().block();
            if let Some(client) = self.0.accept().map_err(other)? {
                return Ok(Connection(client));
            }
        }
    }
}

pub(crate) struct Connection(echo_tcp::Connection);

pub(crate) fn connect(host: &str, port: u16) -> io::Result<Connection> {
    echo_tcp::Connection::open(host, port).map(Connection).map_err(other)
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Read::read(&mut self.0.input, buffer)
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(&mut self.0.output, bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.output.blocking_flush().map_err(|error| io::Error::other(error.to_string()))
    }
}

fn other(error: echo_tcp::Error) -> io::Error {
    io::Error::other(error.to_string())
}
