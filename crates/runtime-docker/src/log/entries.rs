//! The engine's log, taken apart into lines with their times. Pure.

use bytes::Bytes;

use crate::frames::{Frames, Piece, Source};

/// The longest piece of a line: engines split longer ones here.
const LINE_BYTES: usize = 16 << 10;
/// `2026-01-02T03:04:05.678901234Z`
const TIME_BYTES: usize = 30;
/// No form of a time is longer.
const LONGEST_TIME: usize = 40;

/// One line, or a part of a longer one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) source: Source,
    /// In UTC with nine digits of the second's fraction, so that it sorts as text.
    pub(crate) time: String,
    pub(crate) text: Vec<u8>,
    /// Whether the line ends here.
    pub(crate) whole: bool,
}

/// Takes the log apart as it comes.
#[derive(Debug)]
pub(crate) struct Entries {
    tty: bool,
    frames: Frames,
    stdout: Begun,
    stderr: Begun,
}

/// What has come of a line.
#[derive(Debug, Default)]
struct Begun {
    time: Option<String>,
    bytes: Vec<u8>,
}

impl Entries {
    pub(crate) fn new(tty: bool) -> Self {
        Self { tty, frames: Frames::new(tty), stdout: Begun::default(), stderr: Begun::default() }
    }

    pub(crate) fn push(&mut self, mut bytes: Bytes, out: &mut Vec<Entry>) {
        while let Some(Piece { source, bytes: piece, ends }) = self.frames.next(&mut bytes) {
            let begun = match source {
                Source::Stdout => &mut self.stdout,
                Source::Stderr => &mut self.stderr,
            };
            begun.bytes.extend_from_slice(&piece);
            begun.take(source, out);
            if ends && !self.tty {
                begun.cut(source, out, true);
            }
        }
    }

    /// What is left when the log ends.
    pub(crate) fn finish(&mut self, out: &mut Vec<Entry>) {
        self.stdout.cut(Source::Stdout, out, false);
        self.stderr.cut(Source::Stderr, out, false);
    }
}

impl Begun {
    /// Hands on all lines, and parts of lines, that are complete.
    fn take(&mut self, source: Source, out: &mut Vec<Entry>) {
        loop {
            if self.time.is_none() && !self.read_time() {
                return;
            }
            let end = self.bytes.iter().take(LINE_BYTES + 1).position(|byte| *byte == b'\n');
            let (length, whole) = match end {
                Some(end) => (end, true),
                // What comes next tells whether the engine has split the line here.
                None if self.bytes.len() > LINE_BYTES + TIME_BYTES => (LINE_BYTES, false),
                None => return,
            };
            let time = self.time.take();
            let text: Vec<u8> = self.bytes.drain(..length + usize::from(whole)).collect();
            let text = text[..length].to_vec();
            out.push(Entry { source, time: time.clone().unwrap_or_default(), text, whole });
            if !whole && canonical(&self.bytes[..TIME_BYTES]).is_none() {
                // It was not: the line goes on.
                self.time = time;
            }
        }
    }

    /// Ends what has begun: the frame of a part of a line, or the log, is over.
    ///
    /// Engines split lines at one length only: a shorter part in a frame is a line that the program has
    /// not ended before its own end, which ends it.
    fn cut(&mut self, source: Source, out: &mut Vec<Entry>, is_framed: bool) {
        self.take(source, out);
        let text = std::mem::take(&mut self.bytes);
        if let Some(time) = self.time.take()
            && !text.is_empty()
        {
            let whole = is_framed && text.len() < LINE_BYTES;
            out.push(Entry { source, time, text, whole });
        }
    }

    /// Reads the time in front of a line; false if it is not all there.
    fn read_time(&mut self) -> bool {
        let space = self.bytes.iter().take(LONGEST_TIME).position(|byte| *byte == b' ');
        let Some(space) = space else {
            if self.bytes.len() < LONGEST_TIME {
                return false;
            }
            self.time = Some(now());
            return true;
        };
        match canonical(&self.bytes[..space]) {
            Some(time) => {
                self.bytes.drain(..=space);
                self.time = Some(time);
            }
            // Not the engine's form: nothing is thrown away.
            None => self.time = Some(now()),
        }
        true
    }
}

/// A time in the form that logs have; `None` if it is none.
fn canonical(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?;
    let time: jiff::Timestamp = text.parse().ok()?;
    Some(format!("{time:.9}"))
}

fn now() -> String {
    format!("{:.9}", jiff::Timestamp::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    const T1: &str = "2026-01-02T03:04:05.000000001Z";
    const T2: &str = "2026-01-02T03:04:05.000000002Z";

    fn frame(source: u8, text: &str) -> Vec<u8> {
        let mut frame = vec![source, 0, 0, 0];
        frame.extend_from_slice(&u32::try_from(text.len()).unwrap().to_be_bytes());
        frame.extend_from_slice(text.as_bytes());
        frame
    }

    /// `stream` in pieces of `size`, as `time|F|text`.
    fn entries(tty: bool, stream: &[u8], size: usize) -> Vec<String> {
        let mut entries = Entries::new(tty);
        let mut out = Vec::new();
        for piece in stream.chunks(size) {
            entries.push(Bytes::copy_from_slice(piece), &mut out);
        }
        entries.finish(&mut out);
        let shown = |entry: Entry| {
            let tag = if entry.whole { 'F' } else { 'P' };
            format!("{:?} {} {tag} {}", entry.source, entry.time, {
                let text = String::from_utf8(entry.text).unwrap();
                if text.len() > 100 { format!("{} bytes", text.len()) } else { text }
            })
        };
        out.into_iter().map(shown).collect()
    }

    #[test]
    fn lines_keep_their_time_and_output() {
        let mut stream = frame(1, &format!("{T1} one\n"));
        stream.extend(frame(2, &format!("{T2} \n")));
        stream.extend(frame(1, &format!("{T2} no end")));
        let expected = [
            format!("Stdout {T1} F one"),
            format!("Stderr {T2} F "),
            format!("Stdout {T2} F no end"),
        ];
        for size in [1, 7, 4096] {
            assert_eq!(entries(false, &stream, size), expected, "in pieces of {size}");
        }
    }

    #[test]
    fn a_long_line_comes_in_parts() {
        let part = "x".repeat(LINE_BYTES);
        let expected = [format!("Stdout {T1} P 16384 bytes"), format!("Stdout {T2} F rest")];
        let mut stream = frame(1, &format!("{T1} {part}"));
        stream.extend(frame(1, &format!("{T2} rest\n")));
        assert_eq!(entries(false, &stream, 1000), expected);
        let terminal = format!("{T1} {part}{T2} rest\n");
        assert_eq!(entries(true, terminal.as_bytes(), 1000), expected, "of a terminal");
    }

    #[test]
    fn other_forms_of_times_are_understood() {
        let stream = frame(1, "2026-01-02T04:04:05.5+01:00 x\n");
        assert_eq!(entries(false, &stream, 3), ["Stdout 2026-01-02T03:04:05.500000000Z F x"]);
    }
}
