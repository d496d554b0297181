//! The health service of gRPC, over as much of HTTP/2 as one short call needs.
//!
//! Every call gets the same answer, so that no header of a request has to be understood, and the headers
//! of answers are constants.
//!
//! Spec: <https://github.com/grpc/grpc/blob/master/doc/health-checking.md>,
//! <https://www.rfc-editor.org/rfc/rfc9113>

use std::io::{self, Read, Write};
use std::path::Path;

use crate::Failure;
use crate::net::each_client;

/// What a client says first.
const PREFACE: usize = 24;
/// The most that a frame may hold unless agreed otherwise.
const FRAME_BYTES: u32 = 16 << 10;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;

/// Of settings and pings: it is an answer.
const ACK: u8 = 1;
/// Of headers and data: nothing follows on this stream.
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// `:status: 200`, from the table of known headers, and `content-type` with its name from there.
const ANSWER: &[u8] = b"\x88\x0f\x10\x10application/grpc";
const TRAILERS: &[u8] = b"\x00\x0bgrpc-status\x010";

const SERVING: u8 = 1;
const NOT_SERVING: u8 = 2;

struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

pub(crate) fn serve(port: u16, path: Option<&str>) -> Result<(), Failure> {
    each_client("grpc-health", port, |mut client| {
        client.read_exact(&mut [0; PREFACE])?;
        send(&mut client, SETTINGS, 0, 0, &[])?;
        while let Some(frame) = receive(&mut client)? {
            match frame.kind {
                SETTINGS if frame.flags & ACK == 0 => send(&mut client, SETTINGS, ACK, 0, &[])?,
                PING if frame.flags & ACK == 0 => {
                    send(&mut client, PING, ACK, 0, &frame.payload)?;
                }
                HEADERS | DATA if frame.flags & END_STREAM != 0 => {
                    let serves = path.is_none_or(|path| Path::new(path).exists());
                    answer(&mut client, frame.stream, if serves { SERVING } else { NOT_SERVING })?;
                }
                GOAWAY => break,
                _ => {}
            }
        }
        Ok(())
    })
}

fn answer(client: &mut impl Write, stream: u32, status: u8) -> io::Result<()> {
    send(client, HEADERS, END_HEADERS, stream, ANSWER)?;
    // Not compressed, two bytes: field 1, a number.
    send(client, DATA, 0, stream, &[0, 0, 0, 0, 2, 0x08, status])?;
    send(client, HEADERS, END_HEADERS | END_STREAM, stream, TRAILERS)
}

fn send(
    client: &mut impl Write,
    kind: u8,
    flags: u8,
    stream: u32,
    payload: &[u8],
) -> io::Result<()> {
    let length = u32::try_from(payload.len()).map_err(io::Error::other)?.to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    client.write_all(&frame)?;
    client.flush()
}

/// The next frame; `None` when the client has closed the connection.
fn receive(client: &mut impl Read) -> io::Result<Option<Frame>> {
    let mut head = [0; 9];
    match client.read_exact(&mut head) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    if length > FRAME_BYTES {
        return Err(io::Error::other("a frame is too long"));
    }
    let mut payload = vec![0; length as usize];
    client.read_exact(&mut payload)?;
    let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    Ok(Some(Frame { kind: head[3], flags: head[4], stream, payload }))
}
