//! Files of machine code: sealed with their digest when they are written, checked when they are
//! read, and removed in the order of their last use.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, utimensat};
use sha2::{Digest as _, Sha256};
use tracing::warn;

/// Length of a file's digest in hexadecimal digits.
const DIGEST_DIGITS: usize = 64;
/// How compiled files end.
pub(super) const CODE: &str = "cwasm";
/// How the digests beside them end.
const SUM: &str = "cwasm.sha256";

/// Writes a file's digest down beside it and gives both their names; the digest goes first, so
/// that a file without one is never complete.
pub(super) fn seal(from: &Path, to: &Path) -> io::Result<()> {
    let digest = file_digest(from)?;
    let temporary = from.with_extension("sum");
    let mut file =
        File::options().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(digest.as_bytes())?;
    file.sync_data()?;
    fs::rename(&temporary, sum_of(to))?;
    fs::rename(from, to)
}

/// Whether a compiled file is there and is what was written.
pub(super) fn verified(code: &Path) -> io::Result<bool> {
    let expected = match fs::read_to_string(sum_of(code)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let actual = match file_digest(code) {
        Ok(digest) => digest,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    if expected == actual {
        return Ok(true);
    }
    warn!(file = %code.display(), "compiled file is damaged and is made again");
    Ok(false)
}

fn sum_of(code: &Path) -> PathBuf {
    code.with_extension(SUM)
}

/// The SHA-256 of a file, in hexadecimal digits.
pub(super) fn file_digest(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
    }
    let mut text = String::with_capacity(DIGEST_DIGITS);
    for byte in hasher.finalize() {
        text.push(char::from(b"0123456789abcdef"[usize::from(byte >> 4)]));
        text.push(char::from(b"0123456789abcdef"[usize::from(byte & 15)]));
    }
    Ok(text)
}

/// Notes that a compiled file was used now: its modification time says so, also to later processes.
pub(super) fn touch(code: &Path) {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let times = Timestamps { last_access: now, last_modification: now };
    // It only decides what is removed first.
    let _touched = utimensat(CWD, code, &times, AtFlags::empty());
}

/// A compiled file, for the decision what to remove.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
    /// Whether the engines of this process can load it.
    fits: bool,
}

/// The files to remove so that at most `keep` bytes are left: those that no engine loads any more,
/// then the others, least recently used first. Files in `in_use` stay, and count.
fn surplus(mut entries: Vec<Entry>, in_use: &HashSet<PathBuf>, keep: u64) -> Vec<Entry> {
    let mut left: u64 = entries.iter().map(|entry| entry.bytes).sum();
    entries.retain(|entry| !in_use.contains(&entry.path));
    entries.sort_by(|a, b| (a.fits, a.used, &a.path).cmp(&(b.fits, b.used, &b.path)));
    let mut chosen = Vec::new();
    for entry in entries {
        if entry.fits && left <= keep {
            break;
        }
        left = left.saturating_sub(entry.bytes);
        chosen.push(entry);
    }
    chosen
}

/// Removes compiled files from `folder` until at most `keep` bytes are left, as far as they are not
/// `in_use`; returns the bytes removed. `fingerprint` names the engines of this process.
///
/// # Errors
/// If the folder cannot be read or a file cannot be removed.
pub(super) fn trim(
    folder: &Path,
    fingerprint: &str,
    in_use: &HashSet<PathBuf>,
    keep: u64,
) -> io::Result<u64> {
    let mut entries = Vec::new();
    let mine = format!(".{fingerprint}.{CODE}");
    for file in fs::read_dir(folder)? {
        let file = file?;
        let path = file.path();
        if path.extension().is_some_and(|extension| extension == CODE) {
            let metadata = file.metadata()?;
            let fits = file.file_name().to_string_lossy().ends_with(&mine);
            let used = metadata.modified()?;
            entries.push(Entry { path, bytes: metadata.len(), used, fits });
        }
    }
    let mut removed = 0;
    for entry in surplus(entries, in_use, keep) {
        // The digest goes last: code without one is never loaded, and neither is a digest alone.
        remove(&entry.path)?;
        remove(&sum_of(&entry.path))?;
        removed += entry.bytes;
    }
    Ok(removed)
}

/// Removes what an earlier process left unfinished.
///
/// # Errors
/// If the folder cannot be read or a file cannot be removed.
pub(super) fn remove_unfinished(folder: &Path) -> io::Result<()> {
    for file in fs::read_dir(folder)? {
        let path = file?.path();
        let unfinished =
            path.extension().is_some_and(|extension| extension == "tmp" || extension == "sum");
        if unfinished {
            remove(&path)?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn entry(name: &str, bytes: u64, used: u64, fits: bool) -> Entry {
        let used = SystemTime::UNIX_EPOCH + Duration::from_secs(used);
        Entry { path: name.into(), bytes, used, fits }
    }

    #[track_caller]
    fn check(case: &str, in_use: &[&str], keep: u64, expected: &[&str]) {
        let entries = vec![
            entry("old", 10, 1, true),
            entry("new", 10, 3, true),
            entry("middle", 10, 2, true),
            entry("foreign", 10, 9, false),
        ];
        let in_use = in_use.iter().map(PathBuf::from).collect();
        let chosen = surplus(entries, &in_use, keep);
        let names: Vec<_> = chosen.iter().map(|entry| entry.path.to_str().unwrap()).collect();
        assert_eq!(names, expected, "{case}");
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        check("what no engine loads goes in any case", &[], 100, &["foreign"]);
        check("as much as is needed", &[], 20, &["foreign", "old"]);
        check("everything", &[], 0, &["foreign", "old", "middle", "new"]);
        check("what is in use stays, and counts", &["old"], 15, &["foreign", "middle", "new"]);
    }
}
