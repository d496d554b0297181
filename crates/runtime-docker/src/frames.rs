//! The engine's framing of a program's two outputs in one stream. Pure.
//!
//! A frame is eight bytes, of which the first is the output and the last four the length, and then
//! that many bytes. A program with a terminal has one output, which is not framed. Frames are handed
//! on in pieces as they come, so that nothing announced has to be kept.

use bytes::{Buf as _, Bytes};

/// Which of a program's outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Stdout,
    Stderr,
}

/// Takes the frames apart.
#[derive(Debug)]
pub(crate) struct Frames {
    tty: bool,
    header: Vec<u8>,
    /// Of the frame in progress: its output and the bytes that are still to come.
    rest: Option<(Source, usize)>,
}

/// A piece of output; `ends` is set with the last piece of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) source: Source,
    pub(crate) bytes: Bytes,
    pub(crate) ends: bool,
}

impl Frames {
    /// For a program with a terminal, or without.
    pub(crate) fn new(tty: bool) -> Self {
        Self { tty, header: Vec::with_capacity(8), rest: None }
    }

    /// The next piece in `bytes`, which is advanced past it; `None` when more is needed.
    pub(crate) fn next(&mut self, bytes: &mut Bytes) -> Option<Piece> {
        if self.tty {
            let all = std::mem::take(bytes);
            let piece = Piece { source: Source::Stdout, bytes: all, ends: true };
            return Some(piece).filter(|piece| !piece.bytes.is_empty());
        }
        loop {
            if let Some((source, rest)) = self.rest {
                if bytes.is_empty() && rest > 0 {
                    return None;
                }
                let piece = bytes.split_to(rest.min(bytes.len()));
                let left = rest - piece.len();
                self.rest = (left > 0).then_some((source, left));
                return Some(Piece { source, bytes: piece, ends: left == 0 });
            }
            let wanted = 8 - self.header.len();
            let part = bytes.split_to(wanted.min(bytes.len()));
            self.header.extend_from_slice(&part);
            if self.header.len() < 8 {
                return None;
            }
            let mut header = &self.header[..];
            let source = if header.get_u8() == 2 { Source::Stderr } else { Source::Stdout };
            header.advance(3);
            let length = header.get_u32() as usize;
            self.header.clear();
            self.rest = Some((source, length));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_apart_wherever_they_are_cut() {
        let mut stream = Vec::new();
        for (source, text) in [(1u8, "one\n"), (2, ""), (2, "two\n")] {
            stream.extend_from_slice(&[source, 0, 0, 0]);
            stream.extend_from_slice(&u32::try_from(text.len()).unwrap().to_be_bytes());
            stream.extend_from_slice(text.as_bytes());
        }
        for cut in 0..stream.len() {
            let mut frames = Frames::new(false);
            let (mut out, mut err, mut ends) = (Vec::new(), Vec::new(), 0);
            for part in [&stream[..cut], &stream[cut..]] {
                let mut bytes = Bytes::copy_from_slice(part);
                while let Some(piece) = frames.next(&mut bytes) {
                    let to = if piece.source == Source::Stdout { &mut out } else { &mut err };
                    to.extend_from_slice(&piece.bytes);
                    ends += usize::from(piece.ends);
                }
            }
            assert_eq!((&out[..], &err[..], ends), (&b"one\n"[..], &b"two\n"[..], 3), "at {cut}");
        }
    }

    #[test]
    fn a_terminal_has_no_frames() {
        let mut bytes = Bytes::from_static(b"\x01\0\0\0\xff\xff\xff\xffx");
        let piece = Frames::new(true).next(&mut bytes).unwrap();
        assert_eq!(piece.bytes.len(), 9);
    }
}
