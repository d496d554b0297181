//! The plainest of HTTP clients: what a page of a pod needs.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// An answer to a GET.
#[derive(Clone, Debug)]
pub struct HttpAnswer {
    /// The status code.
    pub status: u16,
    /// The body, up to the end of the connection.
    pub body: String,
}

/// GETs `path` from `address` over a connection of its own.
///
/// # Errors
/// If there is no connection or no sensible answer.
pub fn http_get(address: SocketAddr, path: &str) -> io::Result<HttpAnswer> {
    let deadline = Duration::from_secs(30);
    let mut stream = TcpStream::connect_timeout(&address, deadline)?;
    stream.set_read_timeout(Some(deadline))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let text = String::from_utf8_lossy(&answer);
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, format!("not HTTP: {text:.200}"));
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(malformed)?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(malformed)?;
    Ok(HttpAnswer { status, body: body.to_owned() })
}
