//! The two ends of a short conversation over TCP.

use std::io::Read as _;

use echo_tcp::{Connection, Error, Listener};

use crate::Failure;

/// Sends `text` and a line end to each client, one after the other, for ever.
pub(crate) fn serve(port: u16, text: &str) -> Result<(), Failure> {
    let fault = |error: Error| Failure::operation("tcp-serve", &error);
    let listener = Listener::bind(port).map_err(fault)?;
    println!("listening on port {port}");
    let line = format!("{text}\n");
    loop {
        listener.ready().block();
        if let Some(client) = listener.accept().map_err(fault)?
            && let Err(error) = client.output.blocking_write_and_flush(line.as_bytes())
        {
            eprintln!("a client left early: {error}");
        }
    }
}

/// All that the server at `host` and `port` sends until it closes the connection.
pub(crate) fn fetch(host: &str, port: u16) -> Result<String, Failure> {
    let mut server = Connection::open(host, port)
        .map_err(|error| Failure::operation(&format!("tcp-get {host} {port}"), &error))?;
    let mut text = String::new();
    server
        .input
        .read_to_string(&mut text)
        .map_err(|error| Failure::operation("tcp-get", &error))?;
    Ok(text)
}
