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
/// How much of the end of a file is read.
const TAIL_BYTES: u64 = 4 << 20;

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
    let mut text = Vec::new();
    // A log that was just rotated goes on in a new file.
    let rotated = match rotated_logs(path) {
        Ok(rotated) => rotated,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    if let Some((_, last)) = rotated.last() {
        text.extend(tail(&mut File::open(last)?)?);
    }
    match OpenOptions::new().read(true).write(true).open(path) {
        Ok(mut file) => {
            let last = tail(&mut file)?;
            let whole = last.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            let cut = (last.len() - whole) as u64;
            if cut > 0 {
                file.set_len(file.metadata()?.len().saturating_sub(cut))?;
            }
            text.extend_from_slice(&last[..whole]);
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(position(&text))
}

fn tail(file: &mut File) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn position(text: &[u8]) -> Position {
    let times = text.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut words = line.splitn(3, |byte| *byte == b' ');
        let time = std::str::from_utf8(words.next()?).ok()?;
        let is_stderr = words.next()? == b"stderr";
        // The first line may be a part of one.
        let parsed: Timestamp = time.parse().ok()?;
        Some((parsed, (time.to_owned(), is_stderr)))
    });
    let times: Vec<_> = times.collect();
    let Some(last) = times.iter().map(|(time, _)| *time).max() else { return Position::default() };
    let first = times.iter().map(|(time, _)| *time).min().unwrap_or(last);
    let since = last.saturating_sub(DISORDER).unwrap_or(last).max(first);
    let mut written = HashMap::new();
    for (time, key) in times {
        if time >= since {
            *written.entry(key).or_default() += 1;
        }
    }
    Position { since: Some(since), written }
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
}
