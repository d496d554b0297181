//! The files that a container's log is written to: bounded in size and number.
//!
//! `0.log` grows to a limit, becomes `0.log.1` (then `0.log.2`, ...), and a new `0.log` begins; the
//! oldest goes when there are too many. Whoever writes also rotates: a program that writes at full
//! speed would be far beyond any limit by the time that somebody else looked.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// How much of a container's log is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLimits {
    /// The size at which a file is rotated, in bytes; no file outgrows it by more than one write.
    pub max_bytes: u64,
    /// Files of one run of a container, the current one included; at least two.
    pub max_files: u32,
}

impl Default for LogLimits {
    /// Ten MiB in each of five files, as Kubernetes has it.
    fn default() -> Self {
        Self { max_bytes: 10 << 20, max_files: 5 }
    }
}

/// The log of one run of a container, for the one who writes it.
///
/// The file is made with the first line, so that silent containers have none.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    limits: LogLimits,
    current: Option<Current>,
}

#[derive(Debug)]
struct Current {
    file: File,
    bytes: u64,
}

impl LogFile {
    /// The log at `path`, whose folder exists. Nothing is opened yet.
    pub fn new(path: PathBuf, limits: LogLimits) -> Self {
        Self { path, limits, current: None }
    }

    /// Where the current file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends whole lines; all of them are in one file. Blocking.
    ///
    /// # Errors
    /// If they cannot be written. None of them is in the log then, and the next call tries anew.
    pub fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let mut current = match self.current.take() {
            Some(current) => current,
            None => self.open()?,
        };
        let added = lines.len() as u64;
        if current.bytes > 0 && current.bytes.saturating_add(added) > self.limits.max_bytes {
            drop(current);
            self.rotate()?;
            current = self.open()?;
        }
        let written = current.file.write_all(lines);
        match written {
            Ok(()) => current.bytes += added,
            // A part of a line would be taken for the beginning of the next.
            Err(_) => current.file.set_len(current.bytes)?,
        }
        self.current = Some(current);
        written
    }

    fn open(&self) -> io::Result<Current> {
        let file = OpenOptions::new().append(true).create(true).mode(0o640).open(&self.path)?;
        let bytes = file.metadata()?.len();
        Ok(Current { file, bytes })
    }

    fn rotate(&self) -> io::Result<()> {
        let mut rotated = rotated_logs(&self.path)?;
        let next = rotated.last().map_or(1, |(number, _)| number.saturating_add(1));
        let to = numbered(&self.path, next);
        fs::rename(&self.path, &to)?;
        rotated.push((next, to));
        let kept = self.limits.max_files.max(2) as usize - 1;
        let surplus = rotated.len().saturating_sub(kept);
        for (_, path) in rotated.drain(..surplus) {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

/// The files that the log at `path` was rotated to, with their numbers, the oldest first. Blocking.
///
/// # Errors
/// If the folder cannot be read; one that is not there is an error too.
pub fn rotated_logs(path: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|n| n.to_str()))
    else {
        return Ok(Vec::new());
    };
    let mut rotated = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let number = entry.file_name().to_str().and_then(|entry| {
            let number = entry.strip_prefix(name)?.strip_prefix('.')?;
            number.parse::<u64>().ok()
        });
        if let Some(number) = number {
            rotated.push((number, entry.path()));
        }
    }
    rotated.sort_unstable();
    Ok(rotated)
}

fn numbered(path: &Path, number: u64) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All files of a log whose files hold ten bytes, oldest first, after `lines` were appended.
    fn files(max_files: u32, lines: &[&str]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0.log");
        let mut log = LogFile::new(path.clone(), LogLimits { max_bytes: 10, max_files });
        for line in lines {
            log.append(line.as_bytes()).unwrap();
        }
        let rotated = rotated_logs(&path).unwrap().into_iter().map(|(_, path)| path);
        rotated.chain([path]).map(|path| fs::read_to_string(path).unwrap()).collect()
    }

    #[test]
    fn a_full_file_is_followed_by_another() {
        assert_eq!(files(5, &["12345\n", "789\n"]), ["12345\n789\n"]);
        assert_eq!(files(5, &["12345\n", "789\n", "x\n"]), ["12345\n789\n", "x\n"]);
        assert_eq!(files(5, &["longer than ten\n", "x\n"]), ["longer than ten\n", "x\n"]);
    }

    #[test]
    fn the_oldest_files_go() {
        let lines: Vec<String> = (0..20).map(|line| format!("line {line:02}\n")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert_eq!(files(3, &lines), ["line 17\n", "line 18\n", "line 19\n"]);
        assert_eq!(files(0, &lines), ["line 18\n", "line 19\n"], "two files at least");
    }

    #[test]
    fn what_an_earlier_writer_left_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0.log");
        fs::write(&path, "123456789\n").unwrap();
        fs::write(folder.path().join("0.log.7"), "old\n").unwrap();
        fs::write(folder.path().join("10.log.9"), "of another run\n").unwrap();
        LogFile::new(path.clone(), LogLimits { max_bytes: 10, max_files: 3 })
            .append(b"new\n")
            .unwrap();
        let numbers: Vec<u64> = rotated_logs(&path).unwrap().into_iter().map(|(n, _)| n).collect();
        assert_eq!(numbers, [7, 8]);
        assert_eq!(fs::read_to_string(path).unwrap(), "new\n");
    }
}
