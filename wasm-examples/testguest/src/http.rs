//! A small HTTP server, for probes, hooks and measurements: a request for each connection.
//!
//! ```text
//! /status?code=N       answers with status N
//! /wait?seconds=N      answers after N seconds; other clients wait, too
//! /file?path=PATH      answers with a file, or 404
//! /env?name=NAME       answers with a variable, or 404
//! anything else        answers `ok`
//! ```

use std::io::{self, Read, Write};
use std::thread;
use std::time::Duration;
use std::{env, fs};

use crate::Failure;
use crate::net::each_client;

/// The most of a request that is read.
const REQUEST_BYTES: usize = 16 << 10;

pub(crate) fn serve(port: u16) -> Result<(), Failure> {
    each_client("http-serve", port, |mut client| {
        let Some((method, target)) = request(&mut client)? else { return Ok(()) };
        println!("{method} {target}");
        let (status, body) = answer(&target);
        write!(
            client,
            "HTTP/1.1 {status} {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{body}",
            body.len()
        )?;
        client.flush()
    })
}

/// Method and target of a request; `None` if there is none, as of a client that only connects.
fn request(client: &mut impl Read) -> io::Result<Option<(String, String)>> {
    let mut head = Vec::new();
    let mut block = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = client.read(&mut block)?;
        if read == 0 || head.len() > REQUEST_BYTES {
            return Ok(None);
        }
        head.extend_from_slice(&block[..read]);
    }
    let head = String::from_utf8_lossy(&head);
    let mut words = head.split(' ').map(str::to_owned);
    Ok(words.next().zip(words.next()))
}

fn answer(target: &str) -> (u16, String) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (_, value) = query.split_once('=').unwrap_or_default();
    match path {
        "/status" => (value.parse().unwrap_or(400), String::new()),
        "/wait" => {
            thread::sleep(Duration::from_secs(value.parse().unwrap_or(0)));
            (200, "late".to_owned())
        }
        "/file" => fs::read_to_string(value).map_or_else(|_| (404, String::new()), |it| (200, it)),
        "/env" => env::var(value).map_or_else(|_| (404, String::new()), |it| (200, it)),
        _ => (200, "ok".to_owned()),
    }
}
