//! A container's log: whole lines in the CRI text format.
//!
//! `2026-01-02T03:04:05.678901234Z stdout F text`, where `P` instead of `F` marks a part of a line
//! that was too long. The file is opened with the first line, so that silent containers hold none.
//! Spec: <https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md>

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use tracing::warn;
use wk_runtime::{LogFile, LogLimits};

/// The longest piece of a line that is written at once.
const LINE_BYTES: usize = 16 << 10;
/// Which of a program's outputs a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Stdout,
    Stderr,
}

/// The log of one container, shared by all its instances.
#[derive(Debug)]
pub(crate) struct ContainerLog {
    file: Mutex<Writer>,
}

#[derive(Debug)]
struct Writer {
    file: LogFile,
    failed: bool,
}

impl ContainerLog {
    pub(crate) fn new(path: PathBuf, limits: LogLimits) -> Self {
        Self { file: Mutex::new(Writer { file: LogFile::new(path, limits), failed: false }) }
    }

    /// Writes the lines of a message of the runtime's own, as if the program had said it.
    pub(crate) fn note(&self, text: &str) {
        let mut out = Vec::with_capacity(text.len() + 64);
        for line in text.lines() {
            append(&mut out, Source::Stderr, line.as_bytes(), true);
        }
        self.write(&out);
    }

    /// Appends whole lines with one call, so that lines of several instances never mix.
    ///
    /// A log that cannot be written is no reason to end a program: the lines are lost, and the
    /// first loss is reported.
    fn write(&self, lines: &[u8]) {
        if lines.is_empty() {
            return;
        }
        let mut log = self.file.lock();
        match log.file.append(lines) {
            Ok(()) => log.failed = false,
            Err(error) => {
                if !log.failed {
                    let path = log.file.path().display();
                    warn!(%path, %error, "container log cannot be written");
                }
                log.failed = true;
            }
        }
    }
}

fn append(out: &mut Vec<u8>, source: Source, text: &[u8], whole: bool) {
    let (seconds, nanos) = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or((0, 0), |since| (since.as_secs(), since.subsec_nanos()));
    let source = match source {
        Source::Stdout => "stdout",
        Source::Stderr => "stderr",
    };
    let tag = if whole { 'F' } else { 'P' };
    let time = rfc3339(seconds, nanos);
    // Writing to memory cannot fail.
    let _written = write!(out, "{time} {source} {tag} ");
    out.extend_from_slice(text);
    out.push(b'\n');
}

/// UTC with nine digits of the second's fraction, as the log format wants it.
fn rfc3339(seconds: u64, nanos: u32) -> String {
    const DAY: u64 = 86_400;
    let (days, rest) = (seconds / DAY, seconds % DAY);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanos:09}Z")
}

/// Year, month and day of the Gregorian calendar for a number of days since 1970.
///
/// Spec: <https://howardhinnant.github.io/date_algorithms.html#civil_from_days>
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

/// Gathers text into lines; what is left when the instance ends is written as a line.
#[derive(Debug)]
pub(crate) struct Lines {
    log: Arc<ContainerLog>,
    source: Source,
    rest: Mutex<Vec<u8>>,
}

impl Lines {
    pub(crate) fn new(log: &Arc<ContainerLog>, source: Source) -> Self {
        Self { log: Arc::clone(log), source, rest: Mutex::default() }
    }

    pub(crate) fn add(&self, text: &[u8]) {
        let mut rest = self.rest.lock();
        let mut out = Vec::new();
        let mut text = text;
        while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
            let (line, after) = text.split_at(end);
            rest.extend_from_slice(line);
            self.split_long(&mut rest, &mut out);
            append(&mut out, self.source, &rest, true);
            rest.clear();
            text = &after[1..];
        }
        rest.extend_from_slice(text);
        self.split_long(&mut rest, &mut out);
        self.log.write(&out);
    }

    fn split_long(&self, rest: &mut Vec<u8>, out: &mut Vec<u8>) {
        while rest.len() > LINE_BYTES {
            append(out, self.source, &rest[..LINE_BYTES], false);
            rest.drain(..LINE_BYTES);
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let rest = std::mem::take(self.rest.get_mut());
        if !rest.is_empty() {
            let mut out = Vec::new();
            append(&mut out, self.source, &rest, true);
            self.log.write(&out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes `pieces` one after the other; returns the log without times.
    fn logged(pieces: &[&[u8]]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0.log");
        let log = Arc::new(ContainerLog::new(path.clone(), LogLimits::default()));
        let lines = Lines::new(&log, Source::Stdout);
        for piece in pieces {
            lines.add(piece);
        }
        drop(lines);
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines().map(|line| line.split_once(' ').unwrap().1.to_owned() + "\n").collect()
    }

    #[test]
    fn lines_are_written_whole() {
        assert_eq!(logged(&[b"one\ntw", b"o\n\n"]), "stdout F one\nstdout F two\nstdout F \n");
        assert_eq!(logged(&[b"no end"]), "stdout F no end\n");
        assert_eq!(logged(&[]), "");
    }

    #[test]
    fn a_long_line_comes_in_parts() {
        let long = vec![b'x'; LINE_BYTES + 1];
        let log = logged(&[&long, b"\n"]);
        let first = format!("stdout P {}\n", "x".repeat(LINE_BYTES));
        assert_eq!(log, first + "stdout F x\n");
    }

    #[test]
    fn times_follow_the_calendar() {
        assert_eq!(rfc3339(0, 0), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(rfc3339(951_782_400, 7), "2000-02-29T00:00:00.000000007Z");
        assert_eq!(rfc3339(1_798_761_599, 999_999_999), "2026-12-31T23:59:59.999999999Z");
    }
}
