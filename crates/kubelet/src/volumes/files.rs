//! Writes all files of a volume in one step, so that a reader sees the old ones or the new ones.
//!
//! As in Kubernetes, the files are in a folder of their own to which the link `..data` leads; each
//! visible name is a link through `..data`. An update makes a new folder and moves the one link.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Component, Path, PathBuf};

use super::payload::{File, Payload};

const DATA: &str = "..data";
const NEW_DATA: &str = "..data_tmp";

/// Makes `folder` hold exactly `payload`; nothing is written if it does already.
pub(crate) fn write_all_at_once(folder: &Path, payload: &Payload) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let current = fs::read_link(folder.join(DATA)).ok();
    if let Some(current) = &current
        && holds(&folder.join(current), payload)
    {
        return Ok(());
    }
    let next = fresh_name(folder)?;
    let target = folder.join(&next);
    for (path, file) in payload {
        write_one(&target, path, file)?;
    }
    let link = folder.join(NEW_DATA);
    match fs::remove_file(&link) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    symlink(&next, &link)?;
    fs::rename(&link, folder.join(DATA))?;
    tidy(folder, payload, &next)
}

fn holds(folder: &Path, payload: &Payload) -> bool {
    let same = |(path, file): (&String, &File)| {
        let path = folder.join(path);
        fs::read(&path).is_ok_and(|bytes| bytes == file.bytes)
            && fs::metadata(&path)
                .is_ok_and(|metadata| metadata.permissions().mode() & 0o777 == file.mode)
    };
    payload.iter().all(same) && count(folder).is_ok_and(|count| count == payload.len())
}

fn count(folder: &Path) -> io::Result<usize> {
    let mut files = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        files += if entry.file_type()?.is_dir() { count(&entry.path())? } else { 1 };
    }
    Ok(files)
}

/// Makes a folder `..N` with the first free number.
fn fresh_name(folder: &Path) -> io::Result<PathBuf> {
    for number in 0_u64.. {
        let name = format!("..{number}");
        match fs::create_dir(folder.join(&name)) {
            Ok(()) => return Ok(PathBuf::from(name)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("no free name for a folder"))
}

fn write_one(folder: &Path, path: &str, file: &File) -> io::Result<()> {
    let sane = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    if !sane {
        let message = format!("path `{path}` must be relative and must not contain '..'");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let path = folder.join(path);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut out = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    out.write_all(&file.bytes)?;
    // Set afterwards, as the process's mask would take bits away.
    fs::set_permissions(&path, fs::Permissions::from_mode(file.mode))
}

/// Links the first part of every path through `..data`, and removes links of names that are gone
/// and folders of files before `current`, also those that a crash has left.
fn tidy(folder: &Path, payload: &Payload, current: &Path) -> io::Result<()> {
    let names: BTreeSet<&str> =
        payload.keys().filter_map(|path| path.split('/').find(|part| !part.is_empty())).collect();
    for name in &names {
        let link = folder.join(name);
        if fs::symlink_metadata(&link).is_err() {
            symlink(Path::new(DATA).join(name), link)?;
        }
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let is_link = entry.file_type()?.is_symlink();
        if is_link && name != DATA && !names.contains(name) {
            fs::remove_file(entry.path())?;
        } else if !is_link && name.starts_with("..") && Path::new(name) != current {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}
