//! Trees of files that programs have made: what they take, and their removal. Blocking.
//!
//! Programs make folders as deep as they like, deeper than a path may be long and than any recursion
//! could follow, and move them about meanwhile. So a tree is walked folder by folder, each opened from
//! the one above it: however deep it is, two of them are open at a time.

use std::collections::HashSet;
use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, fstat, openat, statat, unlinkat,
};
use rustix::io::Errno;

/// How folders are opened: as nothing else, and through no link.
const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// What there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Below {
    /// Bytes on disk.
    pub(crate) bytes: u64,
    /// Files, folders and whatever else has a place of its own on disk.
    pub(crate) inodes: u64,
}

/// A folder on the way down.
struct Level {
    /// Device and number, by which it is known again.
    identity: (u64, u64),
    name: CString,
    /// The folders in it that are still to be looked at.
    rest: Vec<CString>,
}

/// Measures a file, or a folder with all below it on the same file system; links are not followed.
/// What goes or is moved meanwhile may or may not count.
pub(crate) fn below(path: &Path) -> Below {
    let mut found = Below::default();
    let mut linked = HashSet::new();
    let Ok(top) = statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW) else { return found };
    count(&top, &mut found, &mut linked);
    let Some(mut folder) = open(&CWD, path) else { return found };
    let Ok(root) = folder.try_clone() else { return found };
    let mut levels = vec![Level {
        identity: identity(&top),
        name: CString::default(),
        rest: folders(&folder, &top, &mut found, &mut linked),
    }];
    while let Some(level) = levels.last_mut() {
        if let Some(name) = level.rest.pop() {
            let Some(next) = open(&folder, name.as_c_str()) else { continue };
            // It may be another one than was counted, and of another file system.
            let Ok(stat) = fstat(&next) else { continue };
            if stat.st_dev != top.st_dev {
                continue;
            }
            let rest = folders(&next, &top, &mut found, &mut linked);
            levels.push(Level { identity: identity(&stat), name, rest });
            folder = next;
            continue;
        }
        levels.pop();
        let Some(above) = levels.last() else { break };
        let parent = open(&folder, c"..");
        let parent = parent
            .filter(|parent| fstat(parent).is_ok_and(|stat| identity(&stat) == above.identity));
        folder = match parent {
            Some(parent) => parent,
            // It was moved: from the top again, as far as everything is in its place.
            None => match again(&root, &mut levels) {
                Some(folder) => folder,
                None => break,
            },
        };
    }
    found
}

/// Opens the lowest of the levels that is still where it was, and drops those that are not.
fn again(root: &OwnedFd, levels: &mut Vec<Level>) -> Option<OwnedFd> {
    let mut folder = root.try_clone().ok()?;
    for depth in 1..levels.len() {
        let level = &levels[depth];
        let next = open(&folder, level.name.as_c_str());
        let same = |next: &OwnedFd| fstat(next).is_ok_and(|stat| identity(&stat) == level.identity);
        if let Some(next) = next.filter(same) {
            folder = next;
        } else {
            levels.truncate(depth);
            break;
        }
    }
    Some(folder)
}

fn open<P: rustix::path::Arg>(above: &impl std::os::fd::AsFd, name: P) -> Option<OwnedFd> {
    openat(above, name, FOLDER, Mode::empty()).ok()
}

fn identity(stat: &Stat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}

/// Counts what is in a folder, and returns the folders in it.
fn folders(
    folder: &OwnedFd,
    top: &Stat,
    found: &mut Below,
    linked: &mut HashSet<u64>,
) -> Vec<CString> {
    let mut folders = Vec::new();
    let Ok(entries) = Dir::read_from(folder) else { return folders };
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let Ok(stat) = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
        if stat.st_dev != top.st_dev {
            continue;
        }
        count(&stat, found, linked);
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            folders.push(name.to_owned());
        }
    }
    folders
}

/// A file with several names counts once.
fn count(stat: &Stat, found: &mut Below, linked: &mut HashSet<u64>) {
    let is_folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
    if stat.st_nlink > 1 && !is_folder && !linked.insert(stat.st_ino) {
        return;
    }
    found.bytes = found.bytes.saturating_add(u64::try_from(stat.st_blocks).unwrap_or(0) * 512);
    found.inodes += 1;
}

/// Removes a file, or a folder with all in it. One that is not there is fine, links are not followed,
/// and what is mounted somewhere in it is left alone, which is an error.
///
/// # Errors
/// What the system said of the first thing that could not be removed; calling again is safe.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    let top = match statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(top) => top,
        Err(Errno::NOENT) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if FileType::from_raw_mode(top.st_mode) != FileType::Directory {
        return Ok(unlinkat(CWD, path, AtFlags::empty())?);
    }
    let mut folder = openat(CWD, path, FOLDER, Mode::empty())?;
    let rest = clear(&folder)?;
    let mut levels = vec![Level { identity: identity(&top), name: CString::default(), rest }];
    while let Some(level) = levels.last_mut() {
        if let Some(name) = level.rest.pop() {
            let next = openat(&folder, name.as_c_str(), FOLDER, Mode::empty())?;
            let stat = fstat(&next)?;
            if stat.st_dev != top.st_dev {
                return Err(Errno::BUSY.into());
            }
            let rest = clear(&next)?;
            levels.push(Level { identity: identity(&stat), name, rest });
            folder = next;
            continue;
        }
        let Some(done) = levels.pop() else { break };
        let Some(above) = levels.last() else { break };
        let parent = openat(&folder, c"..", FOLDER, Mode::empty())?;
        if identity(&fstat(&parent)?) != above.identity {
            return Err(io::Error::other("a folder was moved while it was removed"));
        }
        unlinkat(&parent, done.name.as_c_str(), AtFlags::REMOVEDIR)?;
        folder = parent;
    }
    Ok(unlinkat(CWD, path, AtFlags::REMOVEDIR)?)
}

/// Removes what is in a folder, but for the folders in it that have something in them.
fn clear(folder: &OwnedFd) -> io::Result<Vec<CString>> {
    let mut rest = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        match unlinkat(folder, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => continue,
            // Which of the two is said depends on the file system.
            Err(Errno::ISDIR | Errno::PERM) => {}
            Err(error) => return Err(error.into()),
        }
        match unlinkat(folder, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(Errno::NOTEMPTY | Errno::EXIST) => rest.push(name.to_owned()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_folders_count_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        assert_eq!(below(&path.join("none")), Below::default());
        std::fs::create_dir_all(path.join("a/b")).unwrap();
        std::fs::write(path.join("a/b/file"), vec![1; 100_000]).unwrap();
        std::fs::hard_link(path.join("a/b/file"), path.join("again")).unwrap();
        std::os::unix::fs::symlink("/", path.join("a/link")).unwrap();
        let found = below(path);
        assert_eq!(found.inodes, 5);
        assert!((100_000..200_000).contains(&found.bytes), "{found:?}");
        let file = below(&path.join("again"));
        assert_eq!(file.inodes, 1);
    }

    #[test]
    fn trees_are_removed_and_nothing_beside_them() {
        let folder = tempfile::tempdir().unwrap();
        let (tree, kept) = (folder.path().join("tree"), folder.path().join("kept"));
        std::fs::create_dir_all(tree.join("a/b")).unwrap();
        std::fs::create_dir_all(tree.join("c/d/e")).unwrap();
        std::fs::create_dir(&kept).unwrap();
        std::fs::write(kept.join("file"), "x").unwrap();
        std::fs::write(tree.join("a/b/file"), "x").unwrap();
        std::os::unix::fs::symlink(&kept, tree.join("a/link")).unwrap();
        std::os::unix::fs::symlink(&kept, folder.path().join("link")).unwrap();
        remove(&tree).unwrap();
        remove(&tree).unwrap();
        remove(&folder.path().join("link")).unwrap();
        assert!(!tree.exists() && kept.join("file").exists());
    }

    #[test]
    fn a_tree_may_be_deeper_than_paths_and_open_files_allow() {
        let folder = tempfile::tempdir().unwrap();
        let depth = 5_000;
        let mut at = open(&CWD, folder.path()).unwrap();
        for _ in 0..depth {
            rustix::fs::mkdirat(&at, "d", Mode::RWXU).unwrap();
            at = open(&at, "d").unwrap();
        }
        let flags = OFlags::CREATE | OFlags::WRONLY;
        let file = openat(&at, "file", flags, Mode::RUSR).unwrap();
        rustix::io::write(&file, b"x").unwrap();
        assert_eq!(below(folder.path()).inodes, depth + 2);
        remove(folder.path()).unwrap();
        assert!(!folder.path().exists());
    }
}
