//! From one file of a log to the next, for those who follow it.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use wk_runtime::rotated_logs;

type Identity = (u64, u64);

/// The file that comes after `file` in the log at `path`; `None` while that is the last one.
///
/// If rotation has removed `file` meanwhile, it is the oldest that is still there. Blocking.
///
/// # Errors
/// If files cannot be looked at.
pub(super) fn successor(path: &Path, file: &File) -> io::Result<Option<File>> {
    loop {
        let own = file.metadata()?;
        let files = all(path)?;
        let found = files.iter().position(|(_, identity)| *identity == self::identity(&own));
        let next = match found {
            Some(index) => files.get(index + 1),
            None if own.nlink() == 0 => files.first(),
            // It was renamed between two looks.
            None => continue,
        };
        let Some((path, identity)) = next else { return Ok(None) };
        match File::open(path) {
            Ok(next) if self::identity(&next.metadata()?) == *identity => return Ok(Some(next)),
            // The same once more.
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
}

/// All files of the log, the oldest first, as they were at one moment.
fn all(path: &Path) -> io::Result<Vec<(PathBuf, Identity)>> {
    loop {
        let before = rotated_logs(path)?;
        let paths = before.iter().map(|(_, path)| path.clone()).chain([path.to_owned()]);
        let mut files = Vec::with_capacity(before.len() + 1);
        for path in paths {
            match fs::metadata(&path) {
                Ok(metadata) => files.push((path, identity(&metadata))),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        if rotated_logs(path)? == before {
            return Ok(files);
        }
    }
}

fn identity(metadata: &Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn every_file_is_read_in_its_turn() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0.log");
        for (name, text) in [("0.log.9", "a"), ("0.log.10", "b"), ("0.log", "c")] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let mut file = File::open(folder.path().join("0.log.9")).unwrap();
        let mut texts = String::new();
        while let Some(next) = successor(&path, &file).unwrap() {
            file = next;
            file.read_to_string(&mut texts).unwrap();
        }
        assert_eq!(texts, "bc");
    }

    #[test]
    fn a_reader_whose_file_is_gone_goes_on_with_the_oldest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0.log");
        fs::write(&path, "lost").unwrap();
        let file = File::open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(folder.path().join("0.log.3"), "kept").unwrap();
        fs::write(&path, "newest").unwrap();
        let mut text = String::new();
        successor(&path, &file).unwrap().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "kept");
    }

    #[test]
    fn the_newest_file_has_no_successor() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0.log");
        fs::write(&path, "newest").unwrap();
        let file = File::open(&path).unwrap();
        assert!(successor(&path, &file).unwrap().is_none());
        // Renamed, and the writer has not made the new one yet.
        fs::rename(&path, folder.path().join("0.log.1")).unwrap();
        assert!(successor(&path, &file).unwrap().is_none());
    }
}
