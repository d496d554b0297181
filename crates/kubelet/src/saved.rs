//! What brings a node's pods back when it starts while its control plane is away.
//!
//! Of each pod that has not ended there is its object as it was last reported, and the environment
//! that its containers were last given; of the node, its range of pod addresses. Volumes are on disk
//! anyway. All of it is read only where the API server cannot be reached, which always knows better;
//! but of pods that files of the node describe nobody else knows how they are.
//!
//! Writing waits for nobody: what is to be saved is noted, and one task writes all that was noted,
//! so that the disk is synced for many pods at once. What was written survives a loss of power.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::warn;

const POD: &str = "pod.json";
const STATIC_POD: &str = "static.json";
/// From this many files on the whole file system is synced, which is one wait instead of many.
const MANY: usize = 8;

/// What is kept of the Node object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SavedNode {
    pub(crate) uid: String,
    /// `spec.podCIDR`.
    pub(crate) pod_range: String,
}

/// The folder of all that. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Saved(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    /// What is not on disk yet, by its path in the folder.
    noted: Mutex<BTreeMap<PathBuf, Note>>,
    work: Notify,
}

#[derive(Clone, Debug)]
enum Note {
    /// The file is to hold this.
    Write(Vec<u8>),
    /// The folder is to go. It comes before all files in it that are noted later.
    Forget,
}

impl Saved {
    /// The one of a node with this folder, made if it is not there. Blocking.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn open(data_dir: &Path) -> io::Result<Self> {
        let folder = Self::folder(data_dir);
        fs::create_dir_all(&folder)?;
        // Environments may hold secrets.
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
        Ok(Self(Arc::new(Inner { folder, noted: Mutex::default(), work: Notify::new() })))
    }

    /// Where it is.
    pub(crate) fn folder(data_dir: &Path) -> PathBuf {
        data_dir.join("saved")
    }

    pub(crate) fn put_node(&self, node: &SavedNode) {
        self.put("node.json".into(), node);
    }

    /// Blocking.
    pub(crate) fn node(&self) -> Option<SavedNode> {
        self.get(Path::new("node.json"))
    }

    /// Keeps what a runtime class means, which never changes.
    pub(crate) fn put_handler(&self, class: &str, handler: &str) {
        self.put(format!("class-{class}.json").into(), &handler);
    }

    /// The handler of a runtime class that some pod had. Blocking.
    pub(crate) fn handler(&self, class: &str) -> Option<String> {
        self.get(Path::new(&format!("class-{class}.json")))
    }

    pub(crate) fn put_pod(&self, uid: &str, pod: &Pod) {
        self.put(Path::new(uid).join(POD), pod);
    }

    /// All pods of the API that have not ended. Blocking.
    pub(crate) fn pods(&self) -> Vec<Pod> {
        self.uids().iter().filter_map(|uid| self.get(&Path::new(uid).join(POD))).collect()
    }

    pub(crate) fn put_static_pod(&self, uid: &str, pod: &Pod) {
        self.put(Path::new(uid).join(STATIC_POD), pod);
    }

    /// How the pod of a file was, also if it has ended. Blocking.
    pub(crate) fn static_pod(&self, uid: &str) -> Option<Pod> {
        self.get(&Path::new(uid).join(STATIC_POD))
    }

    /// Whether this is, or was, the pod of a file. Blocking.
    pub(crate) fn is_static(&self, uid: &str) -> bool {
        let path = Path::new(uid).join(STATIC_POD);
        self.0.noted.lock().contains_key(&path) || self.0.folder.join(path).exists()
    }

    /// Of which pods there is something. Blocking.
    pub(crate) fn uids(&self) -> BTreeSet<String> {
        let mut uids = BTreeSet::new();
        for entry in fs::read_dir(&self.0.folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                uids.extend(entry.file_name().into_string());
            }
        }
        for (path, note) in self.0.noted.lock().iter() {
            let folder = match note {
                Note::Write(_) => path.parent().filter(|folder| !folder.as_os_str().is_empty()),
                Note::Forget => Some(path.as_path()),
            };
            let Some(uid) = folder.and_then(Path::to_str) else { continue };
            // What is to be forgotten comes before what was noted again.
            match note {
                Note::Write(_) => uids.insert(uid.to_owned()),
                Note::Forget => uids.remove(uid),
            };
        }
        uids
    }

    pub(crate) fn put_env(&self, uid: &str, container: &str, env: &[(String, String)]) {
        self.put(Path::new(uid).join(format!("{container}.env.json")), &env);
    }

    /// What a container was last given. Blocking.
    pub(crate) fn env(&self, uid: &str, container: &str) -> Option<Vec<(String, String)>> {
        self.get(&Path::new(uid).join(format!("{container}.env.json")))
    }

    /// Forgets a pod.
    pub(crate) fn forget(&self, uid: &str) {
        let mut noted = self.0.noted.lock();
        noted.retain(|path, _| !path.starts_with(uid));
        noted.insert(uid.into(), Note::Forget);
        drop(noted);
        self.0.work.notify_one();
    }

    fn put<T: Serialize>(&self, path: PathBuf, value: &T) {
        match serde_json::to_vec(value) {
            Ok(json) => {
                self.0.noted.lock().insert(path, Note::Write(json));
                self.0.work.notify_one();
            }
            Err(error) => warn!(path = %path.display(), %error, "state could not be saved"),
        }
    }

    fn get<T: DeserializeOwned>(&self, path: &Path) -> Option<T> {
        let json = match self.noted(path) {
            Some(noted) => noted?,
            None => match fs::read(self.0.folder.join(path)) {
                Ok(json) => json,
                Err(error) => {
                    if error.kind() != io::ErrorKind::NotFound {
                        warn!(path = %path.display(), %error, "saved state could not be read");
                    }
                    return None;
                }
            },
        };
        serde_json::from_slice(&json)
            .inspect_err(|error| warn!(path = %path.display(), %error, "saved state is broken"))
            .ok()
    }

    /// What is noted of a file: its content, or that it is to go.
    #[expect(clippy::option_option, reason = "nothing noted, nothing there, and something there")]
    fn noted(&self, path: &Path) -> Option<Option<Vec<u8>>> {
        let noted = self.0.noted.lock();
        if let Some(Note::Write(json)) = noted.get(path) {
            return Some(Some(json.clone()));
        }
        let folder = path.parent()?;
        matches!(noted.get(folder), Some(Note::Forget)).then_some(None)
    }

    /// Writes what is noted, until cancelled, and the last of it then.
    pub(crate) async fn run(self, token: CancellationToken) {
        loop {
            let goes_on = token.run_until_cancelled(self.0.work.notified()).await.is_some();
            let writer = self.clone();
            if tokio::task::spawn_blocking(move || writer.write_noted()).await.is_err() || !goes_on
            {
                return;
            }
        }
    }

    /// Brings everything that is noted to the disk. Blocking. A disk that is full must not stop a
    /// pod.
    fn write_noted(&self) {
        let notes: Vec<_> =
            self.0.noted.lock().iter().map(|(path, note)| (path.clone(), note.clone())).collect();
        if notes.is_empty() {
            return;
        }
        if let Err(error) = self.write_all(&notes) {
            warn!(folder = %self.0.folder.display(), %error, "state could not be saved");
        }
        // Known as noted until now, so that whoever reads meanwhile finds it.
        let mut noted = self.0.noted.lock();
        for (path, note) in notes {
            let same = match (noted.get(&path), &note) {
                (Some(Note::Write(now)), Note::Write(done)) => now == done,
                (Some(Note::Forget), Note::Forget) => true,
                _ => false,
            };
            if same {
                noted.remove(&path);
            }
        }
    }

    fn write_all(&self, notes: &[(PathBuf, Note)]) -> io::Result<()> {
        let root = &self.0.folder;
        let (mut fresh, mut folders) = (Vec::new(), BTreeSet::from([root.clone()]));
        for (path, note) in notes {
            let path = root.join(path);
            match note {
                Note::Forget => match fs::remove_dir_all(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        warn!(path = %path.display(), %error, "saved state could not be removed");
                    }
                    Ok(()) | Err(_) => {}
                },
                Note::Write(json) => {
                    if let Some(folder) = path.parent() {
                        fs::create_dir_all(folder)?;
                        folders.insert(folder.to_owned());
                    }
                    let beside = path.with_extension("new");
                    let mut options = fs::OpenOptions::new();
                    options.write(true).create(true).truncate(true).mode(0o600);
                    let mut file = options.open(&beside)?;
                    file.write_all(json)?;
                    if notes.len() < MANY {
                        file.sync_all()?;
                    }
                    fresh.push((beside, path));
                }
            }
        }
        let whole = || rustix::fs::syncfs(File::open(root)?).map_err(io::Error::from);
        if notes.len() >= MANY {
            whole()?;
        }
        // Only now: a name never leads to half a file.
        for (beside, path) in fresh {
            fs::rename(beside, path)?;
        }
        if notes.len() >= MANY {
            return whole();
        }
        for folder in folders.iter().rev() {
            match File::open(folder) {
                Ok(folder) => folder.sync_all()?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Pod {
        let mut pod = Pod::default();
        pod.metadata.name = Some(name.to_owned());
        pod
    }

    #[test]
    fn what_was_saved_is_there_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let saved = Saved::open(folder.path()).unwrap();
        assert_eq!((saved.node(), saved.pods().len()), (None, 0));
        let node = SavedNode { uid: "n".to_owned(), pod_range: "10.0.0.0/24".to_owned() };
        saved.put_node(&node);
        saved.put_pod("u-1", &named("web"));
        saved.put_static_pod("s-1", &named("edge"));
        let env = vec![("A".to_owned(), "1".to_owned())];
        saved.put_env("u-1", "c", &env);
        saved.put_handler("fast", "wasm");
        let check = |saved: &Saved| {
            assert_eq!(saved.handler("fast").as_deref(), Some("wasm"));
            assert_eq!(saved.handler("slow"), None);
            assert_eq!(saved.node(), Some(node.clone()));
            assert_eq!(saved.pods(), [named("web")]);
            assert_eq!(saved.env("u-1", "c"), Some(env.clone()));
            assert_eq!(saved.static_pod("s-1"), Some(named("edge")));
            assert!(saved.is_static("s-1") && !saved.is_static("u-1"));
            assert_eq!(saved.uids().into_iter().collect::<Vec<_>>(), ["s-1", "u-1"]);
        };
        check(&saved);
        saved.write_noted();
        check(&Saved::open(folder.path()).unwrap());
        fs::write(folder.path().join("saved/u-1/pod.json"), "{").unwrap();
        assert!(saved.pods().is_empty(), "half a file is none");
        saved.forget("u-1");
        saved.forget("u-1");
        assert_eq!(saved.env("u-1", "c"), None);
        saved.put_env("u-1", "d", &env);
        assert_eq!((saved.env("u-1", "c"), saved.env("u-1", "d")), (None, Some(env.clone())));
        saved.write_noted();
        let saved = Saved::open(folder.path()).unwrap();
        assert_eq!((saved.env("u-1", "c"), saved.env("u-1", "d")), (None, Some(env)));
    }

    #[test]
    fn many_pods_are_saved_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let saved = Saved::open(folder.path()).unwrap();
        for number in 0..3 * MANY {
            saved.put_pod(&format!("u-{number}"), &named("x"));
        }
        saved.write_noted();
        assert!(saved.0.noted.lock().is_empty());
        assert_eq!(Saved::open(folder.path()).unwrap().pods().len(), 3 * MANY);
    }

    #[tokio::test]
    async fn the_last_notes_are_written_when_the_program_ends() {
        let folder = tempfile::tempdir().unwrap();
        let saved = Saved::open(folder.path()).unwrap();
        let token = CancellationToken::new();
        saved.put_pod("u-1", &named("web"));
        token.cancel();
        saved.run(token).await;
        assert_eq!(Saved::open(folder.path()).unwrap().pods().len(), 1);
    }
}
