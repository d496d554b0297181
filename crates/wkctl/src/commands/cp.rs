//! `cp`: files between this machine and a container, as a tar archive through `tar` in it.

use std::io;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::io::SyncIoBridge;
use wk_streams::Outcome;

use super::select::{self, Found};
use super::streams::{self, Asked, Local};
use crate::kinds::{built_in, text};
use crate::session::Session;

/// Bytes of the archive under way.
const BUFFER: usize = 256 << 10;
/// The most bytes of what `tar` complains about that are shown.
const MAX_COMPLAINT: u64 = 4096;

/// Arguments of `cp`.
#[derive(Debug, clap::Args)]
pub(crate) struct CpArgs {
    /// A file or folder, here or as POD:PATH or NAMESPACE/POD:PATH
    #[arg(value_name = "SOURCE")]
    source: String,
    /// Where it goes, likewise
    #[arg(value_name = "DESTINATION")]
    destination: String,
    /// Container; the first one if not said
    #[arg(short, long, value_name = "NAME")]
    container: Option<String>,
    /// Do not keep owners and permissions in the container
    #[arg(long)]
    no_preserve: bool,
}

/// Where files are.
#[derive(Debug, PartialEq, Eq)]
enum Place<'a> {
    Here(&'a str),
    There { namespace: Option<&'a str>, pod: &'a str, path: &'a str },
}

impl<'a> Place<'a> {
    fn parse(word: &'a str) -> anyhow::Result<Self> {
        // A path that begins like one is one, whatever follows.
        let looks_local = word.starts_with(['/', '.']);
        let Some((pod, path)) = word.split_once(':').filter(|_| !looks_local) else {
            return Ok(Self::Here(word));
        };
        if pod.is_empty() || path.is_empty() {
            bail!("filepath can not be empty");
        }
        Ok(match pod.split_once('/') {
            Some((namespace, pod)) => Self::There { namespace: Some(namespace), pod, path },
            None => Self::There { namespace: None, pod, path },
        })
    }
}

pub(crate) async fn run(session: &Session, args: CpArgs) -> anyhow::Result<()> {
    let places = (Place::parse(&args.source)?, Place::parse(&args.destination)?);
    match places {
        (Place::Here(from), Place::There { namespace, pod, path }) => {
            let from = Path::new(from);
            std::fs::metadata(from)
                .with_context(|| format!("{} cannot be read", from.display()))?;
            let container = Container::find(session, &args, namespace, pod).await?;
            container.upload(session, from, path, args.no_preserve).await
        }
        (Place::There { namespace, pod, path }, Place::Here(to)) => {
            let container = Container::find(session, &args, namespace, pod).await?;
            container.download(session, path, Path::new(to)).await
        }
        (Place::Here(_), Place::Here(_)) => {
            bail!("one of src or dest must be a remote file specification")
        }
        (Place::There { .. }, Place::There { .. }) => {
            bail!("one of src or dest must be a local file specification")
        }
    }
}

/// The container that files come from or go to.
struct Container {
    pod: Found,
    name: String,
}

impl Container {
    async fn find(
        session: &Session,
        args: &CpArgs,
        namespace: Option<&str>,
        pod: &str,
    ) -> anyhow::Result<Self> {
        let pods = built_in("pods").context("pods are built in")?;
        let namespace = match namespace {
            Some(namespace) => namespace.to_owned(),
            None => session.namespace().await?,
        };
        let pod = select::one(session, &pods, &namespace, pod).await?;
        streams::check_alive(&pod, "exec into")?;
        let container = streams::container(session, &pod, args.container.as_deref(), false)?;
        Ok(Self { name: text(&container, "/name").to_owned(), pod })
    }

    fn asked<'a>(&'a self, command: &'a [String]) -> Asked<'a> {
        Asked { pod: &self.pod, subresource: "exec", container: &self.name, command }
    }

    /// Whether a path is a folder in the container; where nobody can tell, it is not.
    async fn is_folder(&self, session: &Session, path: &str) -> anyhow::Result<bool> {
        let command = words(&["test", "-d", path]);
        let local = Local::<tokio::io::Empty, _, _> {
            stdin: None,
            stdout: Some(tokio::io::sink()),
            stderr: Some(tokio::io::sink()),
            sizes: None,
        };
        let outcome = self.asked(&command).talk(session, local).await?;
        Ok(outcome == Outcome::Exit(0))
    }

    async fn upload(
        &self,
        session: &Session,
        from: &Path,
        to: &str,
        no_preserve: bool,
    ) -> anyhow::Result<()> {
        let mut to = PathBuf::from(to.trim_end_matches('/'));
        if to.as_os_str().is_empty() {
            to = PathBuf::from("/");
        }
        if self.is_folder(session, &to.display().to_string()).await? {
            let own = from.canonicalize()?;
            to.push(own.file_name().context("the source has no name")?);
        }
        let name = to.file_name().context("the destination has no name")?.to_owned();
        let mut command = words(&["tar"]);
        if no_preserve {
            command.extend(words(&["--no-same-permissions", "--no-same-owner"]));
        }
        command.extend(words(&["-xmf", "-"]));
        if let Some(folder) = to.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            command.extend(["-C".to_owned(), folder.display().to_string()]);
        }
        let (write, read) = tokio::io::duplex(BUFFER);
        let (source, bridge) = (from.to_owned(), SyncIoBridge::new(write));
        let packing = tokio::task::spawn_blocking(move || pack(&source, Path::new(&name), bridge));
        let (mut complaint, said) = tokio::io::duplex(BUFFER);
        let local = Local {
            stdin: Some(read),
            stdout: Some(tokio::io::sink()),
            stderr: Some(said),
            sizes: None,
        };
        let (asked, mut text) = (self.asked(&command), String::new());
        let (outcome, read) =
            tokio::join!(asked.talk(session, local), heard(&mut complaint, &mut text),);
        read?;
        let outcome = outcome?;
        session_says(session, &text);
        // If `tar` did not take the archive, its own words say why.
        let packed = packing.await.context("the archive could not be made")?;
        streams::good(outcome)?;
        packed.with_context(|| format!("{} cannot be sent", from.display()))
    }

    async fn download(&self, session: &Session, from: &str, to: &Path) -> anyhow::Result<()> {
        let source = from.trim_end_matches('/');
        let base = Path::new(source).file_name().map(std::ffi::OsStr::to_owned);
        let target = match base.filter(|_| to.is_dir()) {
            Some(base) => to.join(base),
            None => to.to_owned(),
        };
        let command = words(&["tar", "cf", "-", from]);
        let (stdout, archive) = tokio::io::duplex(BUFFER);
        let (prefix, place) = (PathBuf::from(source.trim_start_matches('/')), target.clone());
        let bridge = SyncIoBridge::new(archive);
        let unpacking = tokio::task::spawn_blocking(move || unpack(bridge, &prefix, &place));
        let (mut complaint, said) = tokio::io::duplex(BUFFER);
        let local = Local::<tokio::io::Empty, _, _> {
            stdin: None,
            stdout: Some(stdout),
            stderr: Some(said),
            sizes: None,
        };
        let (asked, mut text) = (self.asked(&command), String::new());
        let (outcome, read) =
            tokio::join!(asked.talk(session, local), heard(&mut complaint, &mut text),);
        read?;
        let unpacked = unpacking.await.context("the archive could not be read")?;
        let text = text.replace("tar: Removing leading `/' from member names\n", "");
        session_says(session, &text);
        streams::good(outcome?)?;
        for skipped in
            unpacked.with_context(|| format!("{} cannot be written", target.display()))?
        {
            session.console.warn(&format!("skipping {}", skipped.display()));
        }
        Ok(())
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Reads what a program complains about; the beginning of it is kept.
async fn heard(from: &mut tokio::io::DuplexStream, text: &mut String) -> io::Result<()> {
    let mut bytes = Vec::new();
    from.take(MAX_COMPLAINT).read_to_end(&mut bytes).await?;
    text.push_str(&String::from_utf8_lossy(&bytes));
    tokio::io::copy(from, &mut tokio::io::sink()).await?;
    from.shutdown().await
}

fn session_says(session: &Session, text: &str) {
    let text = text.trim_end();
    if !text.is_empty() {
        session.console.note(text);
    }
}

/// Writes a file or folder as an archive in which it has another name. Blocking.
fn pack(from: &Path, name: &Path, to: SyncIoBridge<tokio::io::DuplexStream>) -> io::Result<()> {
    let mut archive = tar::Builder::new(to);
    archive.follow_symlinks(false);
    if from.metadata()?.is_dir() {
        archive.append_dir_all(name, from)?;
    } else {
        archive.append_path_with_name(from.canonicalize()?, name)?;
    }
    archive.into_inner()?.shutdown()
}

/// Writes the files and folders of an archive below `to`, without the `prefix` of their names.
/// Gives the names of what was left out: links, and what would land elsewhere. Blocking.
fn unpack(from: impl io::Read, prefix: &Path, to: &Path) -> io::Result<Vec<PathBuf>> {
    let mut skipped = Vec::new();
    let mut found = false;
    let mut archive = tar::Archive::new(from);
    for entry in archive.entries()? {
        let mut entry = entry?;
        found = true;
        let path = entry.path()?.into_owned();
        let plain: PathBuf = path
            .components()
            .filter(|part| !matches!(part, Component::RootDir | Component::CurDir))
            .collect();
        let rest = plain.strip_prefix(prefix).ok().map(Path::to_owned);
        let harmless =
            |rest: &PathBuf| rest.components().all(|part| matches!(part, Component::Normal(_)));
        let kind = entry.header().entry_type();
        let Some(rest) = rest.filter(harmless).filter(|_| kind.is_file() || kind.is_dir()) else {
            skipped.push(path);
            continue;
        };
        let target = if rest.as_os_str().is_empty() { to.to_owned() } else { to.join(&rest) };
        if kind.is_dir() {
            std::fs::create_dir_all(&target)?;
            continue;
        }
        if let Some(folder) = target.parent() {
            std::fs::create_dir_all(folder)?;
        }
        // Links are never made here, so that nothing leads out of the target.
        let mut file = std::fs::File::create(&target)?;
        io::copy(&mut entry, &mut file)?;
        #[cfg(unix)]
        if let Ok(mode) = entry.header().mode() {
            use std::os::unix::fs::PermissionsExt as _;
            file.set_permissions(std::fs::Permissions::from_mode(mode & 0o777))?;
        }
    }
    if !found {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the container sent nothing"));
    }
    Ok(skipped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_here_or_in_a_pod() {
        let there = |namespace, pod, path| Place::There { namespace, pod, path };
        assert_eq!(Place::parse("a:/b").unwrap(), there(None, "a", "/b"));
        assert_eq!(Place::parse("n/a:b").unwrap(), there(Some("n"), "a", "b"));
        assert_eq!(Place::parse("./a:b").unwrap(), Place::Here("./a:b"));
        assert_eq!(Place::parse("/a:b").unwrap(), Place::Here("/a:b"));
        assert_eq!(Place::parse("file").unwrap(), Place::Here("file"));
        assert!(Place::parse("a:").is_err());
    }

    #[test]
    fn an_archive_cannot_leave_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let mut archive = tar::Builder::new(Vec::new());
        for (name, kind) in [
            ("tmp/x/a", tar::EntryType::Regular),
            ("tmp/x/link", tar::EntryType::Symlink),
            ("etc/passwd", tar::EntryType::Regular),
        ] {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_mode(0o640);
            let content: &[u8] = if kind.is_file() { b"hello" } else { b"" };
            header.set_size(content.len() as u64);
            if kind.is_symlink() {
                header.set_link_name("/etc").unwrap();
            }
            archive.append_data(&mut header, name, content).unwrap();
        }
        let mut header = tar::Header::new_gnu();
        header.as_gnu_mut().unwrap().name[..13].copy_from_slice(b"tmp/x/../../y");
        header.set_entry_type(tar::EntryType::Regular);
        header.set_size(0);
        header.set_cksum();
        archive.append(&header, io::empty()).unwrap();
        let bytes = archive.into_inner().unwrap();
        let target = folder.path().join("here");
        let skipped = unpack(bytes.as_slice(), Path::new("tmp/x"), &target).unwrap();
        assert_eq!(std::fs::read(target.join("a")).unwrap(), b"hello");
        assert_eq!(skipped.len(), 3, "{skipped:?}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
