//! Unpacks image layers into a file tree, trusting nothing in them.
//!
//! # Invariants
//! - Nothing is made, read or removed outside the root: every parent folder is resolved inside it,
//!   symbolic links included, as if the root were `/`.
//! - Devices, pipes and sockets are passed over, owners and set-user-id bits are dropped.
//! - Bytes, entries and header sizes are bounded, so that a small archive cannot fill the disk.
//!
//! Spec: <https://github.com/opencontainers/image-spec/blob/main/layer.md>

use std::collections::{HashSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use tar::EntryType;

use crate::digest::{Digest, Digester};

const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
/// Long names and extended headers; real ones have a few hundred bytes.
const MAX_EXTENDED_HEADER: u64 = 64 << 10;
const MAX_LINK_HOPS: usize = 40;
const COPY_BUFFER: usize = 128 << 10;

/// What unpacking one image may cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UnpackLimits {
    /// Bytes of the uncompressed archives together.
    pub(crate) bytes: u64,
    /// Entries of the archives together.
    pub(crate) entries: u64,
}

/// One layer's blob, and the digest of its uncompressed form where the image tells.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub(crate) blob: PathBuf,
    pub(crate) uncompressed: Option<Digest>,
}

/// Why a layer was not unpacked.
#[derive(Debug)]
pub(crate) enum UnpackError {
    /// An entry points outside the root.
    Unsafe(String),
    /// A limit was reached.
    TooLarge { what: String, limit: u64 },
    /// The archive or its compression is damaged.
    Damaged(String),
    /// The uncompressed layer is not what the image's configuration names.
    Mismatch { expected: Digest, actual: Digest },
    /// The tree could not be written.
    Write { path: PathBuf, error: io::Error },
}

/// Unpacks `layers`, lowest first, into the existing empty folder `root`. Blocking.
pub(crate) fn unpack(
    layers: &[Layer],
    root: &Path,
    limits: UnpackLimits,
) -> Result<(), UnpackError> {
    let mut budget = limits;
    for layer in layers {
        let blob = File::open(&layer.blob)
            .map_err(|error| UnpackError::Write { path: layer.blob.clone(), error })?;
        let mut source = Metered {
            inner: decompressed(BufReader::new(blob)).map_err(damaged)?,
            digester: layer.uncompressed.as_ref().map(|digest| Digester::new(digest.algorithm())),
            left: budget.bytes,
            exhausted: false,
        };
        let mut tree = Tree { root, written: HashSet::new(), entries_left: budget.entries, limits };
        let outcome = tree.extract(&mut source);
        if source.exhausted {
            let what = "its layers unpack to more bytes than allowed".to_owned();
            return Err(UnpackError::TooLarge { what, limit: limits.bytes });
        }
        outcome?;
        budget.entries = tree.entries_left;
        // What follows the archive's end still counts for its digest.
        io::copy(&mut source, &mut io::sink()).map_err(damaged)?;
        budget.bytes = source.left;
        if let (Some(expected), Some(digester)) = (&layer.uncompressed, source.digester) {
            let actual = digester.finish();
            if actual != *expected {
                return Err(UnpackError::Mismatch { expected: expected.clone(), actual });
            }
        }
    }
    Ok(())
}

/// The path of `path` inside `root`, with symbolic links followed as if `root` were `/`. Parts that
/// do not exist are kept as they are.
pub(crate) fn resolve(root: &Path, path: &Path) -> io::Result<PathBuf> {
    let mut done: Vec<OsString> = Vec::new();
    let mut todo: VecDeque<OsString> = parts(path);
    let mut hops = 0;
    while let Some(part) = todo.pop_front() {
        if part == ".." {
            done.pop();
            continue;
        }
        let candidate = root.join(done.iter().collect::<PathBuf>()).join(&part);
        let is_link = fs::symlink_metadata(&candidate).is_ok_and(|file| file.is_symlink());
        if !is_link {
            done.push(part);
            continue;
        }
        hops += 1;
        if hops > MAX_LINK_HOPS {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many symbolic links"));
        }
        let target = fs::read_link(&candidate)?;
        if target.is_absolute() {
            done.clear();
        }
        for part in parts(&target).into_iter().rev() {
            todo.push_front(part);
        }
    }
    Ok(root.join(done.iter().collect::<PathBuf>()))
}

/// The names and `..` of a path, without roots and `.`.
fn parts(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        })
        .collect()
}

fn damaged(error: impl std::fmt::Display) -> UnpackError {
    UnpackError::Damaged(error.to_string())
}

/// Tells the compression by its first bytes: media types are not always right about it.
fn decompressed(mut blob: BufReader<File>) -> io::Result<Box<dyn Read>> {
    let head = blob.fill_buf()?;
    Ok(if head.starts_with(&[0x1f, 0x8b]) {
        Box::new(flate2::bufread::MultiGzDecoder::new(blob))
    } else if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        Box::new(zstd::stream::read::Decoder::with_buffer(blob)?)
    } else {
        Box::new(blob)
    })
}

/// Counts and digests what is read, and ends it with an error at the limit.
struct Metered {
    inner: Box<dyn Read>,
    digester: Option<Digester>,
    left: u64,
    exhausted: bool,
}

impl Read for Metered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        if count as u64 > self.left {
            self.exhausted = true;
            return Err(io::Error::other("the layer unpacks to more bytes than allowed"));
        }
        self.left -= count as u64;
        if let Some(digester) = &mut self.digester {
            digester.update(&buffer[..count]);
        }
        Ok(count)
    }
}

/// The file tree while one layer is put on top of it.
struct Tree<'a> {
    root: &'a Path,
    /// What this layer has made, which its own opaque whiteouts do not hide.
    written: HashSet<PathBuf>,
    entries_left: u64,
    limits: UnpackLimits,
}

/// Names from extended headers, for the entry that follows them.
#[derive(Default)]
struct Overrides {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
}

type RawEntry<'a> = tar::Entry<'a, &'a mut Metered>;

impl Tree<'_> {
    fn extract(&mut self, source: &mut Metered) -> Result<(), UnpackError> {
        let mut archive = tar::Archive::new(source);
        let mut overrides = Overrides::default();
        // Raw, because the library reads extended headers of any size into memory.
        for entry in archive.entries().map_err(damaged)?.raw(true) {
            let mut entry = entry.map_err(damaged)?;
            if self.entries_left == 0 {
                let what = "its layers have more entries than allowed".to_owned();
                return Err(UnpackError::TooLarge { what, limit: self.limits.entries });
            }
            self.entries_left -= 1;
            match entry.header().entry_type() {
                EntryType::GNULongName => overrides.path = Some(name_record(&mut entry)?),
                EntryType::GNULongLink => overrides.link = Some(name_record(&mut entry)?),
                EntryType::XHeader => extended_header(&mut entry, &mut overrides)?,
                EntryType::XGlobalHeader => {}
                _ => {
                    let names = std::mem::take(&mut overrides);
                    self.entry(&mut entry, names)?;
                }
            }
        }
        Ok(())
    }

    fn entry(&mut self, entry: &mut RawEntry<'_>, names: Overrides) -> Result<(), UnpackError> {
        let name = names.path.unwrap_or_else(|| entry.header().path_bytes().into_owned());
        let path = inner_path(&name)?;
        let (Some(parent), Some(file_name)) = (path.parent(), path.file_name()) else {
            return Ok(()); // The root itself.
        };
        let parent = self.resolve(parent)?;
        if file_name.as_bytes() == OPAQUE {
            return self.clear_lower(&parent);
        }
        if let Some(hidden) = file_name.as_bytes().strip_prefix(WHITEOUT) {
            let hidden = inner_path(hidden)?;
            return match hidden.components().count() {
                1 => remove(&parent.join(hidden)),
                _ => Err(UnpackError::Unsafe(format!("whiteout `{}`", shown(&name)))),
            };
        }
        let target = parent.join(file_name);
        let kind = entry.header().entry_type();
        match kind {
            EntryType::Directory => {
                self.make_folder(&parent)?;
                if !fs::symlink_metadata(&target).is_ok_and(|existing| existing.is_dir()) {
                    remove(&target)?;
                    fs::create_dir(&target).map_err(writing(&target))?;
                }
                // Its owner must be able to fill and remove it.
                set_mode(&target, entry.header().mode().unwrap_or(0o755) | 0o700)?;
            }
            EntryType::Regular | EntryType::Continuous => {
                self.make_folder(&parent)?;
                remove(&target)?;
                write_file(entry, &target)?;
            }
            EntryType::Symlink => {
                self.make_folder(&parent)?;
                let link = link_name(entry, names.link)?;
                remove(&target)?;
                // Kept as written: only `resolve` follows it, and never out of the root.
                std::os::unix::fs::symlink(OsStr::from_bytes(&link), &target)
                    .map_err(writing(&target))?;
            }
            EntryType::Link => {
                self.make_folder(&parent)?;
                let link = link_name(entry, names.link)?;
                let source = inner_path(&link)?;
                let folder = self.resolve(source.parent().unwrap_or(Path::new("")))?;
                let source = folder.join(source.file_name().unwrap_or_default());
                if source == target {
                    return Ok(());
                }
                let linkable = fs::symlink_metadata(&source)
                    .is_ok_and(|existing| existing.is_file() || existing.is_symlink());
                if !linkable {
                    let (name, link) = (shown(&name), shown(&link));
                    return Err(damaged(format!("`{name}` links to `{link}`, which is no file")));
                }
                remove(&target)?;
                fs::hard_link(&source, &target).map_err(writing(&target))?;
            }
            EntryType::Char | EntryType::Block | EntryType::Fifo => return Ok(()),
            other => {
                let kind = char::from(other.as_byte()).escape_default().to_string();
                return Err(damaged(format!("`{}` has the unknown type `{kind}`", shown(&name))));
            }
        }
        self.written.insert(target);
        Ok(())
    }

    fn resolve(&self, path: &Path) -> Result<PathBuf, UnpackError> {
        resolve(self.root, path)
            .map_err(|error| UnpackError::Unsafe(format!("`{}`: {error}", path.display())))
    }

    fn make_folder(&mut self, folder: &Path) -> Result<(), UnpackError> {
        if folder.is_dir() {
            return Ok(());
        }
        // A file where this layer wants a folder was of a lower layer.
        let mut ancestor = self.root.to_owned();
        for part in folder.strip_prefix(self.root).unwrap_or(Path::new("")).components() {
            ancestor.push(part);
            match fs::symlink_metadata(&ancestor) {
                Ok(existing) if existing.is_dir() => continue,
                Ok(_) => remove(&ancestor)?,
                Err(_) => {}
            }
            fs::create_dir(&ancestor).map_err(writing(&ancestor))?;
            self.written.insert(ancestor.clone());
        }
        Ok(())
    }

    /// Removes from a folder what lower layers put there.
    fn clear_lower(&self, folder: &Path) -> Result<(), UnpackError> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(writing(folder)(error)),
        };
        for entry in entries {
            let entry = entry.map_err(writing(folder))?;
            let path = entry.path();
            if !self.written.contains(&path) {
                remove(&path)?;
            } else if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                self.clear_lower(&path)?;
            }
        }
        Ok(())
    }
}

/// A path of the archive, relative and without `..`.
fn inner_path(name: &[u8]) -> Result<PathBuf, UnpackError> {
    let path = Path::new(OsStr::from_bytes(name));
    if name.contains(&0) || path.components().any(|part| part == Component::ParentDir) {
        return Err(UnpackError::Unsafe(format!("path `{}` leaves the image", shown(name))));
    }
    Ok(parts(path).into_iter().collect())
}

fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).chars().take(200).flat_map(char::escape_default).collect()
}

fn name_record(entry: &mut RawEntry<'_>) -> Result<Vec<u8>, UnpackError> {
    let mut name = small_record(entry)?;
    while name.last() == Some(&0) {
        name.pop();
    }
    Ok(name)
}

fn small_record(entry: &mut RawEntry<'_>) -> Result<Vec<u8>, UnpackError> {
    if entry.header().entry_size().map_err(damaged)? > MAX_EXTENDED_HEADER {
        return Err(damaged("an extended header is too long"));
    }
    let mut record = Vec::new();
    entry.read_to_end(&mut record).map_err(damaged)?;
    Ok(record)
}

fn extended_header(entry: &mut RawEntry<'_>, overrides: &mut Overrides) -> Result<(), UnpackError> {
    let record = small_record(entry)?;
    for extension in tar::PaxExtensions::new(&record) {
        let extension = extension.map_err(damaged)?;
        match extension.key_bytes() {
            b"path" => overrides.path = Some(extension.value_bytes().to_owned()),
            b"linkpath" => overrides.link = Some(extension.value_bytes().to_owned()),
            // Only files over 8 GiB need it, and without it their archive reads as damaged.
            b"size" | b"GNU.sparse.major" => {
                return Err(damaged("sparse files and files over 8 GiB are not supported"));
            }
            _ => {}
        }
    }
    Ok(())
}

fn link_name(entry: &RawEntry<'_>, named: Option<Vec<u8>>) -> Result<Vec<u8>, UnpackError> {
    named
        .or_else(|| entry.header().link_name_bytes().map(std::borrow::Cow::into_owned))
        .filter(|name| !name.is_empty())
        .ok_or_else(|| damaged("a link without a target"))
}

fn write_file(entry: &mut RawEntry<'_>, target: &Path) -> Result<(), UnpackError> {
    let mode = (entry.header().mode().unwrap_or(0o644) & 0o777) | 0o600;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(target)
        .map_err(writing(target))?;
    let mut buffer = vec![0; COPY_BUFFER];
    let mut left = entry.header().entry_size().map_err(damaged)?;
    loop {
        let count = entry.read(&mut buffer).map_err(damaged)?;
        if count == 0 {
            break;
        }
        left = left.saturating_sub(count as u64);
        file.write_all(&buffer[..count]).map_err(writing(target))?;
    }
    if left > 0 {
        return Err(damaged("the archive ends in the middle of a file"));
    }
    if let Some(time) = entry
        .header()
        .mtime()
        .ok()
        .and_then(|seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)))
    {
        // A file system that cannot represent the time keeps its own.
        let _ = file.set_modified(time);
    }
    Ok(())
}

fn set_mode(path: &Path, mode: u32) -> Result<(), UnpackError> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o777)).map_err(writing(path))
}

/// Removes whatever is there, without following it.
fn remove(path: &Path) -> Result<(), UnpackError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(existing) if existing.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        // Nothing there, or nothing that can be reached: making the new one will tell.
        Err(_) => Ok(()),
    };
    removed.map_err(writing(path))
}

fn writing(path: &Path) -> impl FnOnce(io::Error) -> UnpackError {
    let path = path.to_owned();
    move |error| UnpackError::Write { path, error }
}

#[cfg(test)]
mod tests;
