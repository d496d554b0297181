//! The state of a SPDY connection: bytes in, events out, and the other way round. Does no I/O.

use std::collections::HashMap;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use super::headers::{Headers, Packer, Unpacker};

/// In the first word of a frame: not data.
const CONTROL: u32 = 1 << 31;
const VERSION: u32 = 3;
const SYN_STREAM: u32 = 1;
const SYN_REPLY: u32 = 2;
const RST_STREAM: u32 = 3;
const SETTINGS: u32 = 4;
const PING: u32 = 6;
const GOAWAY: u32 = 7;
const HEADERS: u32 = 8;
const WINDOW_UPDATE: u32 = 9;

const FIN: u8 = 1;
const UNIDIRECTIONAL: u8 = 2;

const PROTOCOL_ERROR: u32 = 1;
const REFUSED_STREAM: u32 = 3;
const CANCEL: u32 = 5;

/// The most bytes of a frame that is not data.
const MAX_CONTROL: usize = 64 << 10;
/// The most streams that a peer may have open.
const MAX_STREAMS: usize = 1000;
const HEAD: usize = 8;

/// How a peer broke the protocol. The connection is of no use any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A frame of another version.
    #[error("frame of version {0} instead of 3")]
    Version(u32),
    /// A frame that is longer than any sensible one.
    #[error("frame of {0} bytes is too long")]
    TooLong(usize),
    /// A frame whose length does not fit its type.
    #[error("frame of type {0} has the wrong length")]
    Length(u32),
    /// Headers that cannot be read.
    #[error("headers cannot be read: {0}")]
    Headers(&'static str),
    /// A stream whose number does not follow the last one's.
    #[error("stream {0} is out of order")]
    StreamId(u32),
}

/// Which side of the connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It began the connection; its streams have odd numbers.
    Client,
    /// It was connected to; its streams have even numbers.
    Server,
}

/// What the peer did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It opened a stream, which is taken already.
    Opened {
        /// The stream's number.
        id: u32,
        /// What the stream is for.
        headers: Headers,
        /// Whether the peer sends nothing on it.
        last: bool,
    },
    /// It took a stream that this side opened.
    Accepted {
        /// The stream's number.
        id: u32,
        /// Whether the peer sends nothing on it.
        last: bool,
    },
    /// It sent a piece of a stream.
    Data {
        /// The stream's number.
        id: u32,
        /// The piece; may be empty.
        bytes: Bytes,
        /// Whether it is the last one.
        last: bool,
    },
    /// It gave a stream up, in both directions.
    Reset {
        /// The stream's number.
        id: u32,
    },
    /// It will open no more streams.
    GoAway,
}

/// Which halves of a stream are over.
#[derive(Debug, Default)]
struct Halves {
    ours: bool,
    theirs: bool,
}

/// Data of a frame that has not come in completely.
#[derive(Debug)]
struct Partial {
    id: u32,
    left: usize,
    last: bool,
}

/// One connection. Its methods append to `out` what is to be sent.
#[derive(Debug)]
pub struct Session {
    role: Role,
    unpacker: Unpacker,
    packer: Packer,
    streams: HashMap<u32, Halves>,
    last_peer: u32,
    data: Option<Partial>,
}

impl Session {
    /// A connection without streams.
    pub fn new(role: Role) -> Self {
        Self {
            role,
            unpacker: Unpacker::new(),
            packer: Packer::default(),
            streams: HashMap::new(),
            last_peer: 0,
            data: None,
        }
    }

    /// Takes bytes off the front of `input` until something happened; `None` if it needs more.
    ///
    /// # Errors
    /// [`Fault`]: the peer is to be told good-bye and the connection closed.
    pub fn receive(
        &mut self,
        input: &mut BytesMut,
        out: &mut BytesMut,
    ) -> Result<Option<Event>, Fault> {
        loop {
            if let Some(data) = &mut self.data {
                if input.is_empty() && data.left > 0 {
                    return Ok(None);
                }
                let bytes = input.split_to(data.left.min(input.len())).freeze();
                data.left -= bytes.len();
                let over = data.left == 0;
                let (id, last) = (data.id, data.last && over);
                if over {
                    self.data = None;
                }
                // A stream that is over is not worth a word: the peer may not know yet.
                let known = self.streams.get(&id).is_some_and(|halves| !halves.theirs);
                if known && (last || !bytes.is_empty()) {
                    if last {
                        self.end_theirs(id);
                    }
                    return Ok(Some(Event::Data { id, bytes, last }));
                }
                continue;
            }
            let Some((&head, _)) = input.split_first_chunk::<HEAD>() else { return Ok(None) };
            let [a, b, c, d, flags, length @ ..] = head;
            let word = u32::from_be_bytes([a, b, c, d]);
            let length = u32::from_be_bytes([0, length[0], length[1], length[2]]) as usize;
            if word & CONTROL == 0 {
                input.advance(HEAD);
                self.data = Some(Partial { id: word, left: length, last: flags & FIN != 0 });
                continue;
            }
            let (version, kind) = ((word & !CONTROL) >> 16, word & 0xffff);
            if version != VERSION {
                return Err(Fault::Version(version));
            }
            if length > MAX_CONTROL {
                return Err(Fault::TooLong(length));
            }
            if input.len() < HEAD + length {
                return Ok(None);
            }
            input.advance(HEAD);
            let body = input.split_to(length).freeze();
            if let Some(event) = self.control(kind, flags, body, out)? {
                return Ok(Some(event));
            }
        }
    }

    fn control(
        &mut self,
        kind: u32,
        flags: u8,
        mut body: Bytes,
        out: &mut BytesMut,
    ) -> Result<Option<Event>, Fault> {
        let least = match kind {
            SYN_STREAM => 10,
            RST_STREAM | GOAWAY | WINDOW_UPDATE => 8,
            SYN_REPLY | HEADERS | PING | SETTINGS => 4,
            // Unknown frames are to be passed over.
            _ => return Ok(None),
        };
        if body.len() < least {
            return Err(Fault::Length(kind));
        }
        let id = body.get_u32() & !CONTROL;
        let last = flags & FIN != 0;
        match kind {
            SYN_STREAM => {
                // An associated stream, a priority and a slot.
                body.advance(6);
                let headers = self.unpacker.unpack(&body)?;
                return self.opened(id, headers, flags, out);
            }
            SYN_REPLY => {
                self.unpacker.unpack(&body)?;
                if self.streams.contains_key(&id) {
                    if last {
                        self.end_theirs(id);
                    }
                    return Ok(Some(Event::Accepted { id, last }));
                }
            }
            HEADERS => {
                // Unpacked because all blocks are one compressed stream; nothing uses them.
                self.unpacker.unpack(&body)?;
                if last && self.streams.get(&id).is_some_and(|halves| !halves.theirs) {
                    self.end_theirs(id);
                    return Ok(Some(Event::Data { id, bytes: Bytes::new(), last }));
                }
            }
            RST_STREAM if self.streams.remove(&id).is_some() => {
                return Ok(Some(Event::Reset { id }));
            }
            PING if (id % 2 == 1) == (self.role == Role::Server) => {
                control_head(out, PING, 0, 4);
                out.put_u32(id);
            }
            GOAWAY => return Ok(Some(Event::GoAway)),
            _ => {}
        }
        Ok(None)
    }

    fn opened(
        &mut self,
        id: u32,
        headers: Headers,
        flags: u8,
        out: &mut BytesMut,
    ) -> Result<Option<Event>, Fault> {
        let peers = (id % 2 == 1) == (self.role == Role::Server);
        if id == 0 || !peers || id <= self.last_peer {
            return Err(Fault::StreamId(id));
        }
        self.last_peer = id;
        if self.streams.len() >= MAX_STREAMS {
            reset_frame(out, id, REFUSED_STREAM);
            return Ok(None);
        }
        let last = flags & FIN != 0;
        let ours = flags & UNIDIRECTIONAL != 0;
        if !(ours && last) {
            self.streams.insert(id, Halves { ours, theirs: last });
        }
        let block = self.packer.pack(&Headers::new());
        control_head(out, SYN_REPLY, if ours { FIN } else { 0 }, 4 + block.len());
        out.put_u32(id);
        out.put_slice(&block);
        Ok(Some(Event::Opened { id, headers, last }))
    }

    /// Opens a stream. `id` has to be one of this side's, and higher than the last.
    pub fn open(&mut self, id: u32, headers: &Headers, out: &mut BytesMut) {
        self.streams.insert(id, Halves::default());
        let block = self.packer.pack(headers);
        control_head(out, SYN_STREAM, 0, 10 + block.len());
        out.put_u32(id);
        out.put_u32(0);
        out.put_u16(0);
        out.put_slice(&block);
    }

    /// Sends a piece of a stream; nothing if this side's half is over.
    pub fn send(&mut self, id: u32, bytes: &[u8], last: bool, out: &mut BytesMut) {
        let Some(halves) = self.streams.get_mut(&id).filter(|halves| !halves.ours) else { return };
        halves.ours = last;
        if halves.ours && halves.theirs {
            self.streams.remove(&id);
        }
        out.put_u32(id);
        out.put_u32(u32::from(if last { FIN } else { 0 }) << 24 | word(bytes.len()));
        out.put_slice(bytes);
    }

    /// Gives a stream up in both directions.
    pub fn reset(&mut self, id: u32, out: &mut BytesMut) {
        if self.streams.remove(&id).is_some() {
            reset_frame(out, id, CANCEL);
        }
    }

    /// Says that so many bytes of a stream were read.
    pub fn consumed(&mut self, id: u32, count: usize, out: &mut BytesMut) {
        let open = self.streams.get(&id).is_some_and(|halves| !halves.theirs);
        for id in [open.then_some(id), Some(0)].into_iter().flatten() {
            control_head(out, WINDOW_UPDATE, 0, 8);
            out.put_u32(id);
            out.put_u32(word(count));
        }
    }

    /// Says good-bye, because of a fault or because everything is said.
    pub fn go_away(&mut self, fault: Option<&Fault>, out: &mut BytesMut) {
        control_head(out, GOAWAY, 0, 8);
        out.put_u32(self.last_peer);
        out.put_u32(if fault.is_some() { PROTOCOL_ERROR } else { 0 });
    }

    fn end_theirs(&mut self, id: u32) {
        if let Some(halves) = self.streams.get_mut(&id) {
            halves.theirs = true;
            if halves.ours {
                self.streams.remove(&id);
            }
        }
    }
}

/// A length of this side's own making, which is short.
fn word(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX) & 0x00ff_ffff
}

fn control_head(out: &mut BytesMut, kind: u32, flags: u8, length: usize) {
    out.put_u32(CONTROL | VERSION << 16 | kind);
    out.put_u32(u32::from(flags) << 24 | word(length));
}

fn reset_frame(out: &mut BytesMut, id: u32, status: u32) {
    control_head(out, RST_STREAM, 0, 8);
    out.put_u32(id);
    out.put_u32(status);
}
