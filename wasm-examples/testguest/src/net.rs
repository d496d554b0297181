//! The two ends of a short conversation over TCP.

use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::thread;
use std::time::Duration;

use crate::Failure;
use crate::platform::{Listener, connect};

/// Sends `text` and a line end to each client, one after the other, for ever.
pub(crate) fn serve(port: u16, text: &str) -> Result<(), Failure> {
    let line = format!("{text}\n");
    each_client("tcp-serve", port, |mut client| {
        client.write_all(line.as_bytes()).and_then(|()| client.flush())
    })
}

/// Has the system take connections, and nobody look at them.
pub(crate) fn be_silent(port: u16) -> Result<(), Failure> {
    let listener =
        Listener::bind(port).map_err(|error| Failure::operation("tcp-silence", &error))?;
    println!("listening on port {port}");
    loop {
        thread::sleep(Duration::from_hours(1));
        black_box(&listener);
    }
}

/// Takes clients one after the other, for ever. One that leaves early is no failure.
pub(crate) fn each_client(
    command: &str,
    port: u16,
    mut serve: impl FnMut(crate::platform::Connection) -> std::io::Result<()>,
) -> Result<(), Failure> {
    let listener = Listener::bind(port).map_err(|error| Failure::operation(command, &error))?;
    println!("listening on port {port}");
    loop {
        let client = listener.accept().map_err(|error| Failure::operation(command, &error))?;
        if let Err(error) = serve(client) {
            eprintln!("a client left early: {error}");
        }
    }
}

/// All that the server at `host` and `port` sends until it closes the connection.
pub(crate) fn fetch(host: &str, port: u16) -> Result<String, Failure> {
    let mut server = connect(host, port)
        .map_err(|error| Failure::operation(&format!("tcp-get {host} {port}"), &error))?;
    let mut text = String::new();
    server.read_to_string(&mut text).map_err(|error| Failure::operation("tcp-get", &error))?;
    Ok(text)
}
