//! What is on disk. Everything here blocks, and is called on threads for that.
//!
//! ```text
//! blobs/<algorithm>/<hex>                            content of blobs and manifests, shared
//! repositories/<name>/_blobs/<algorithm>/<hex>       empty: the repository has this blob
//! repositories/<name>/_manifests/<algorithm>/<hex>   its media type: … has this manifest
//! repositories/<name>/_tags/<tag>                    a manifest's digest
//! repositories/<name>/_referrers/<subject>/<digest>  a descriptor, JSON
//! uploads/<id>/{data,repository}                     uploads in progress
//! scratch/                                           files before they get their names
//! ```
//!
//! # Invariants
//! - A file gets its name by a rename, when it is complete and synced. Content comes before links,
//!   links before tags, so that a crash at any line leaves nothing that points to nothing.
//! - Names on disk passed the grammars of `name` and `digest`; repositories cannot hold a part that
//!   starts with `_`, so they never collide with the folders beside them.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use parking_lot::RwLock;
use tempfile::NamedTempFile;

use crate::digest::{Algorithm, Digest};
use crate::fault::{Code, Fault};
use crate::manifest::{self, Parsed};
use crate::name::{RepositoryName, Tag, Target, is_part};

/// A link's time is renewed when a client sees the blob, but not more often than this.
const RENEWAL: Duration = Duration::from_mins(1);

/// The registry's folder.
#[derive(Debug)]
pub(crate) struct Storage {
    pub(crate) root: PathBuf,
    /// Shared while links are made, exclusive while garbage collection decides what has none.
    pub(crate) links: RwLock<()>,
}

/// A manifest as it is served.
#[derive(Debug)]
pub(crate) struct StoredManifest {
    pub(crate) digest: Digest,
    pub(crate) media_type: String,
    pub(crate) bytes: Vec<u8>,
}

impl Storage {
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            fs::create_dir_all(root.join("blobs").join(algorithm.name()))?;
        }
        for name in ["repositories", "uploads"] {
            fs::create_dir_all(root.join(name))?;
        }
        let scratch = root.join("scratch");
        match fs::remove_dir_all(&scratch) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::create_dir(&scratch)?,
        }
        Ok(Self { root: root.to_owned(), links: RwLock::new(()) })
    }

    pub(crate) fn content(&self, digest: &Digest) -> PathBuf {
        self.root.join("blobs").join(digest.algorithm().name()).join(digest.hex())
    }

    fn repository(&self, name: &RepositoryName) -> PathBuf {
        self.root.join("repositories").join(name.as_str())
    }

    pub(crate) fn blob_link(&self, name: &RepositoryName, digest: &Digest) -> PathBuf {
        linked(&self.repository(name).join("_blobs"), digest)
    }

    fn manifest_link(&self, name: &RepositoryName, digest: &Digest) -> PathBuf {
        linked(&self.repository(name).join("_manifests"), digest)
    }

    fn tag_file(&self, name: &RepositoryName, tag: &Tag) -> PathBuf {
        self.repository(name).join("_tags").join(tag.as_str())
    }

    fn referrers(&self, name: &RepositoryName, subject: &Digest) -> PathBuf {
        self.repository(name).join("_referrers").join(file_name(subject))
    }

    /// The size of a blob, if the repository has it. Seeing it keeps it from garbage collection for
    /// a while, as the client may count on it in the manifest it sends next.
    pub(crate) fn blob_size(
        &self,
        name: &RepositoryName,
        digest: &Digest,
    ) -> io::Result<Option<u64>> {
        let link = self.blob_link(name, digest);
        let Some(link_metadata) = existing(fs::metadata(&link))? else { return Ok(None) };
        let Some(metadata) = existing(fs::metadata(self.content(digest)))? else { return Ok(None) };
        let is_old = link_metadata
            .modified()
            .is_ok_and(|time| time.elapsed().is_ok_and(|age| age > RENEWAL));
        if is_old && let Ok(file) = File::options().write(true).open(&link) {
            // If it fails the link is only collected earlier.
            let _ = file.set_modified(SystemTime::now());
        }
        Ok(Some(metadata.len()))
    }

    /// Makes a complete, verified file the content of a blob of a repository.
    pub(crate) fn commit_blob(
        &self,
        name: &RepositoryName,
        digest: &Digest,
        file: &File,
        path: &Path,
    ) -> io::Result<()> {
        file.sync_all()?;
        let _links = self.links.read();
        let content = self.content(digest);
        fs::rename(path, &content)?;
        sync_parent(&content)?;
        self.write(&self.blob_link(name, digest), b"")
    }

    /// Gives `name` a blob that `from` has; `false` if it has not.
    pub(crate) fn mount(
        &self,
        name: &RepositoryName,
        from: &RepositoryName,
        digest: &Digest,
    ) -> io::Result<bool> {
        let _links = self.links.read();
        if self.blob_size(from, digest)?.is_none() {
            return Ok(false);
        }
        self.write(&self.blob_link(name, digest), b"")?;
        Ok(true)
    }

    /// Takes a blob from a repository; `false` if it was not there. Its content goes with the next
    /// garbage collection, unless another repository has it.
    pub(crate) fn delete_blob(&self, name: &RepositoryName, digest: &Digest) -> io::Result<bool> {
        remove(&self.blob_link(name, digest))
    }

    /// The manifest that a tag or digest names.
    pub(crate) fn manifest(
        &self,
        name: &RepositoryName,
        target: &Target,
    ) -> io::Result<Option<StoredManifest>> {
        let digest = match target {
            Target::Digest(digest) => digest.clone(),
            Target::Tag(tag) => match self.tagged(name, tag)? {
                Some(digest) => digest,
                None => return Ok(None),
            },
        };
        let link = existing(fs::read_to_string(self.manifest_link(name, &digest)))?;
        let Some(media_type) = link else { return Ok(None) };
        let Some(bytes) = existing(fs::read(self.content(&digest)))? else { return Ok(None) };
        Ok(Some(StoredManifest { digest, media_type, bytes }))
    }

    fn tagged(&self, name: &RepositoryName, tag: &Tag) -> io::Result<Option<Digest>> {
        let text = existing(fs::read_to_string(self.tag_file(name, tag)))?;
        Ok(text.and_then(|text| text.parse().ok()))
    }

    /// Stores a manifest whose digest is verified, if all it refers to is there.
    pub(crate) fn put_manifest(
        &self,
        name: &RepositoryName,
        target: &Target,
        digest: &Digest,
        manifest: &Parsed,
        bytes: &[u8],
    ) -> Result<(), Fault> {
        let _links = self.links.read();
        for blob in &manifest.blobs {
            if self.blob_size(name, blob)?.is_none() {
                return Err(missing(format!("blob `{blob}` is not in repository `{name}`")));
            }
        }
        for child in &manifest.manifests {
            if !self.manifest_link(name, child).exists() {
                return Err(missing(format!("manifest `{child}` is not in repository `{name}`")));
            }
        }
        let content = self.content(digest);
        if !content.exists() {
            self.write(&content, bytes)?;
        }
        self.write(&self.manifest_link(name, digest), manifest.media_type.as_bytes())?;
        if let Some(subject) = &manifest.subject {
            let entry = manifest.referrer(digest, bytes.len()).to_string();
            let path = self.referrers(name, subject).join(file_name(digest));
            self.write(&path, entry.as_bytes())?;
        }
        if let Target::Tag(tag) = target {
            self.write(&self.tag_file(name, tag), digest.as_str().as_bytes())?;
        }
        Ok(())
    }

    /// Removes a tag, or a manifest with all its tags; `false` if it was not there.
    pub(crate) fn delete_manifest(
        &self,
        name: &RepositoryName,
        target: &Target,
    ) -> io::Result<bool> {
        let digest = match target {
            Target::Tag(tag) => return remove(&self.tag_file(name, tag)),
            Target::Digest(digest) => digest,
        };
        let Some(stored) = self.manifest(name, target)? else { return Ok(false) };
        for tag in self.tags(name)?.unwrap_or_default() {
            if self.tagged(name, &tag)?.as_ref() == Some(digest) {
                remove(&self.tag_file(name, &tag))?;
            }
        }
        let parsed = manifest::parse(&stored.bytes, Some(&stored.media_type));
        if let Some(subject) = parsed.ok().and_then(|parsed| parsed.subject) {
            remove(&self.referrers(name, &subject).join(file_name(digest)))?;
        }
        remove(&self.manifest_link(name, digest))
    }

    /// The tags of a repository, unsorted; `None` if nothing was ever pushed to it.
    pub(crate) fn tags(&self, name: &RepositoryName) -> io::Result<Option<Vec<Tag>>> {
        let repository = self.repository(name);
        if !repository.join("_manifests").exists() {
            return Ok(None);
        }
        let names = file_names(&repository.join("_tags"))?;
        Ok(Some(names.iter().filter_map(|name| Tag::parse(name)).collect()))
    }

    /// The descriptors of the manifests about `subject`, by digest.
    pub(crate) fn referrers_of(
        &self,
        name: &RepositoryName,
        subject: &Digest,
    ) -> io::Result<Vec<serde_json::Value>> {
        let folder = self.referrers(name, subject);
        let mut names = file_names(&folder)?;
        names.sort();
        let mut entries = Vec::new();
        for name in names {
            let text = existing(fs::read(folder.join(name)))?;
            entries.extend(text.and_then(|text| serde_json::from_slice(&text).ok()));
        }
        Ok(entries)
    }

    /// All repositories with at least one manifest, sorted.
    pub(crate) fn repositories(&self) -> io::Result<Vec<RepositoryName>> {
        let mut found = Vec::new();
        for name in self.all_repositories()? {
            if !self.manifests(&name)?.is_empty() {
                found.push(name);
            }
        }
        Ok(found)
    }

    /// All repositories that have a folder, sorted.
    pub(crate) fn all_repositories(&self) -> io::Result<Vec<RepositoryName>> {
        let mut found = Vec::new();
        let mut todo = vec![String::new()];
        while let Some(prefix) = todo.pop() {
            for part in file_names(&self.root.join("repositories").join(&prefix))? {
                if is_part(&part) {
                    let separator = if prefix.is_empty() { "" } else { "/" };
                    todo.push(format!("{prefix}{separator}{part}"));
                }
            }
            found.extend(RepositoryName::parse(&prefix));
        }
        found.sort();
        Ok(found)
    }

    pub(crate) fn manifests(&self, name: &RepositoryName) -> io::Result<Vec<Digest>> {
        digests_in(&self.repository(name).join("_manifests"))
    }

    pub(crate) fn blobs(&self, name: &RepositoryName) -> io::Result<Vec<Digest>> {
        digests_in(&self.repository(name).join("_blobs"))
    }

    pub(crate) fn contents(&self) -> io::Result<Vec<Digest>> {
        digests_in(&self.root.join("blobs"))
    }

    /// Writes a small file so that it is there as a whole or not at all.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = NamedTempFile::new_in(self.root.join("scratch"))?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        if let Some(parent) = path.parent() {
            create_folders(parent)?;
        }
        file.persist(path).map_err(|error| error.error)?;
        sync_parent(path)
    }
}

fn missing(message: String) -> Fault {
    Fault::bad(Code::ManifestBlobUnknown, message)
}

fn linked(folder: &Path, digest: &Digest) -> PathBuf {
    folder.join(digest.algorithm().name()).join(digest.hex())
}

fn file_name(digest: &Digest) -> String {
    format!("{}-{}", digest.algorithm().name(), digest.hex())
}

/// The digests of a folder with one folder for each algorithm.
fn digests_in(folder: &Path) -> io::Result<Vec<Digest>> {
    let mut found = Vec::new();
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        for name in file_names(&folder.join(algorithm.name()))? {
            found.extend(format!("{}:{name}", algorithm.name()).parse::<Digest>());
        }
    }
    Ok(found)
}

/// The names in a folder; none if there is no such folder.
pub(crate) fn file_names(folder: &Path) -> io::Result<Vec<String>> {
    let Some(entries) = existing(fs::read_dir(folder))? else { return Ok(Vec::new()) };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry?.file_name().into_string());
    }
    Ok(names)
}

/// Makes folders, each synced into its parent.
fn create_folders(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        create_folders(parent)?;
    }
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => sync_parent(folder),
    }
}

fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

/// Removes a file; `false` if it was not there.
pub(crate) fn remove(path: &Path) -> io::Result<bool> {
    if existing(fs::remove_file(path))?.is_none() {
        return Ok(false);
    }
    sync_parent(path)?;
    Ok(true)
}

/// Turns "not there" into `None`.
pub(crate) fn existing<T>(outcome: io::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
