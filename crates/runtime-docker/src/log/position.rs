//! How far a container's log goes.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use wk_runtime::rotated_logs;

use super::entries::Entry;
use crate::frames::Source;

/// The two outputs are written by two threads of the engine: their times may be out of order by
/// much less than this.
const DISORDER: SignedDuration = SignedDuration::from_secs(1);
/// How much of the end of a log is read at a time, and at most.
const PIECE_BYTES: u64 = 64 << 10;
const TAIL_BYTES: u64 = 4 << 20;
/// What of a line tells when it was written, and more.
const LINE_HEAD_BYTES: usize = 64;

/// The lines at the end of a log, by their times.
#[derive(Debug, Default)]
pub(crate) struct Position {
    /// Everything before this moment is there; `None` for an empty log.
    since: Option<Timestamp>,
    /// How many lines of each moment after that are there.
    written: HashMap<(String, bool), u32>,
}

impl Position {
    /// The moment from which the engine is to tell, in its form: seconds and their fraction.
    pub(crate) fn since(&self) -> String {
        let Some(since) = self.since else { return "0".to_owned() };
        format!("{}.{:09}", since.as_second(), since.subsec_nanosecond())
    }

    /// Whether a line is not in the log yet; to be asked once of each, in order.
    pub(crate) fn is_new(&mut self, entry: &Entry) -> bool {
        if self.written.is_empty() {
            return true;
        }
        let key = (entry.time.clone(), entry.source == Source::Stderr);
        let Some(count) = self.written.get_mut(&key) else { return true };
        *count -= 1;
        if *count == 0 {
            self.written.remove(&key);
        }
        false
    }
}

/// Reads the end of a log, and removes the part of a line that a crash of the machine may have
/// left there. Blocking.
pub(crate) fn read(path: &Path) -> io::Result<Position> {
    let mut end = End::default();
    match OpenOptions::new().read(true).write(true).open(path) {
        Ok(mut file) => {
            let length = file.metadata()?.len();
            let whole = whole_lines(&mut file, length)?;
            if whole < length {
                file.set_len(whole)?;
            }
            end.read_back(&mut file, whole)?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    // A log that was just rotated goes on in a new file.
    let rotated = match rotated_logs(path) {
        Ok(rotated) => rotated,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    if let Some((_, last)) = rotated.last()
        && !end.is_known()
    {
        let mut file = File::open(last)?;
        let length = file.metadata()?.len();
        end.read_back(&mut file, length)?;
    }
    Ok(end.position())
}

/// Where the last whole line of a file ends.
fn whole_lines(file: &mut File, length: u64) -> io::Result<u64> {
    let mut piece = Vec::new();
    let mut end = length;
    while end > length.saturating_sub(TAIL_BYTES) {
        let begin = end.saturating_sub(PIECE_BYTES);
        read_piece(file, begin, end, &mut piece)?;
        if let Some(last) = piece.iter().rposition(|byte| *byte == b'\n') {
            return Ok(begin + last as u64 + 1);
        }
        end = begin;
    }
    // A line that long is none of ours.
    Ok(if end == 0 { 0 } else { length })
}

fn read_piece(file: &mut File, begin: u64, end: u64, piece: &mut Vec<u8>) -> io::Result<()> {
    file.seek(SeekFrom::Start(begin))?;
    piece.clear();
    file.take(end - begin).read_to_end(piece).map(|_bytes| ())
}

/// The end of a log, as far back as it was read.
#[derive(Debug, Default)]
struct End {
    /// How many lines there are of each moment.
    lines: HashMap<(String, bool), (Timestamp, u32)>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

impl End {
    /// The moment before which everything is there.
    fn since(&self) -> Option<Timestamp> {
        let last = self.last?;
        Some(last.saturating_sub(DISORDER).unwrap_or(last))
    }

    /// Whether what was read goes far enough back.
    fn is_known(&self) -> bool {
        let far = self.since().and_then(|since| since.checked_sub(DISORDER).ok());
        self.first.zip(far).is_some_and(|(first, far)| first < far)
    }

    /// Reads a file backwards from `end` on, until enough is known.
    fn read_back(&mut self, file: &mut File, end: u64) -> io::Result<()> {
        let stop = end.saturating_sub(TAIL_BYTES);
        let (mut end, mut piece, mut rest) = (end, Vec::new(), Vec::new());
        while end > stop && !self.is_known() {
            let begin = end.saturating_sub(PIECE_BYTES).max(stop);
            read_piece(file, begin, end, &mut piece)?;
            // The first line may have begun in the piece before, which has the rest of it.
            piece.append(&mut rest);
            let whole = match piece.iter().position(|byte| *byte == b'\n') {
                _ if begin == 0 => 0,
                Some(first) => first + 1,
                None => piece.len(),
            };
            piece[whole..].split(|byte| *byte == b'\n').for_each(|line| self.take(line));
            // Of a line longer than that only its beginning counts, which is yet to come.
            piece.truncate(whole.min(LINE_HEAD_BYTES));
            rest = std::mem::take(&mut piece);
            end = begin;
        }
        Ok(())
    }

    fn take(&mut self, line: &[u8]) {
        let mut words = line.splitn(3, |byte| *byte == b' ');
        let mut head = || {
            let time = std::str::from_utf8(words.next()?).ok()?;
            let is_stderr = words.next()? == b"stderr";
            // The first line may be a part of one.
            let parsed: Timestamp = time.parse().ok()?;
            Some((parsed, (time.to_owned(), is_stderr)))
        };
        let Some((time, key)) = head() else { return };
        self.first = Some(self.first.map_or(time, |first| first.min(time)));
        self.last = Some(self.last.map_or(time, |last| last.max(time)));
        if self.since().is_none_or(|since| time >= since) {
            self.lines.entry(key).or_insert((time, 0)).1 += 1;
        }
    }

    fn position(self) -> Position {
        let Some(since) = self.since().zip(self.first).map(|(since, first)| since.max(first))
        else {
            return Position::default();
        };
        let lines = self.lines.into_iter().filter(|(_, (time, _))| *time >= since);
        let written = lines.map(|(key, (_, count))| (key, count)).collect();
        Position { since: Some(since), written }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn entry(time: &str, source: Source) -> Entry {
        Entry { source, time: time.to_owned(), text: Vec::new(), whole: true }
    }

    #[test]
    fn what_is_in_the_log_is_not_new() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0.log");
        assert_eq!(read(&path).unwrap().since(), "0", "there is no log");
        let (old, a, b) = (
            "2026-01-02T03:04:05.000000001Z",
            "2026-01-02T03:04:09.000000001Z",
            "2026-01-02T03:04:09.000000002Z",
        );
        fs::write(folder.path().join("0.log.1"), format!("{old} stdout F x\n")).unwrap();
        let lines = format!("{b} stdout F x\n{a} stderr F y\n{b} stdout F z\n2026-01-02T03:0");
        fs::write(&path, &lines).unwrap();
        let mut position = read(&path).unwrap();
        assert_eq!(position.since(), "1767323048.000000002", "a second before the last");
        for (time, source, expected) in [
            (a, Source::Stdout, true),
            (a, Source::Stderr, false),
            (b, Source::Stdout, false),
            (b, Source::Stdout, false),
            (b, Source::Stdout, true),
            (a, Source::Stderr, true),
        ] {
            assert_eq!(position.is_new(&entry(time, source)), expected, "{time} {source:?}");
        }
        let left = fs::read_to_string(&path).unwrap();
        assert!(left.ends_with("F z\n"), "the part of a line is gone: {left}");
    }

    #[test]
    fn of_a_long_log_only_the_end_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0.log");
        let line =
            |second: u32, text: &str| format!("2026-01-02T03:04:{second:02}Z stdout F {text}\n");
        let long = "x".repeat(3 * usize::try_from(PIECE_BYTES).unwrap());
        let mut text = line(1, &"y".repeat(usize::try_from(2 * TAIL_BYTES).unwrap()));
        text += &line(50, &long);
        text += &line(58, &long);
        text += &line(59, &long);
        text += &line(59, "short");
        text += "2026-01-02T03:04:59Z std";
        fs::write(&path, &text).unwrap();
        let mut position = read(&path).unwrap();
        assert_eq!(position.since(), "1767323098.000000000", "a second before the last");
        let counts = ["58", "59"].map(|second| {
            let time = format!("2026-01-02T03:04:{second}Z");
            (0..4).filter(|_| !position.is_new(&entry(&time, Source::Stdout))).count()
        });
        assert_eq!(counts, [1, 2]);
        assert!(fs::read_to_string(&path).unwrap().ends_with("short\n"));
    }

    #[test]
    fn a_log_that_was_just_rotated_is_read_on_in_the_file_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0.log");
        let line = |second: u32| format!("2026-01-02T03:04:{second:02}Z stdout F x\n");
        fs::write(folder.path().join("0.log.1"), [line(3), line(9)].concat()).unwrap();
        fs::write(&path, line(9)).unwrap();
        let mut position = read(&path).unwrap();
        let nine = entry("2026-01-02T03:04:09Z", Source::Stdout);
        assert_eq!((0..4).filter(|_| !position.is_new(&nine)).count(), 2);
    }
}
