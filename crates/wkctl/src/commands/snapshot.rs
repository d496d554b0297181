//! `snapshot`: everything that a server stores as a file, and back.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use futures::stream;
use http_body_util::BodyExt as _;
use hyper::body::Frame;
use serde_json::Value;
use tokio::io::AsyncReadExt as _;
use wk_store::snapshot::{Head, Reader};

use crate::client::{self, Call, Client};
use crate::session::Session;

/// Where the server gives and takes snapshots.
const PATH: &str = "/maintenance/v1/snapshot";
/// How much of a file is sent at a time.
const PIECE: usize = 256 << 10;

/// Arguments of `snapshot`.
#[derive(Debug, clap::Args)]
pub(crate) struct SnapshotArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Save everything that the server stores, as of one moment; it holds all secrets
    Save {
        /// The file to write
        file: PathBuf,
    },
    /// Replace everything that the server stores by a snapshot, while it goes on
    Restore {
        /// The file to read
        file: PathBuf,
    },
    /// Look whether a file is a whole and undamaged snapshot; asks no server
    Check {
        /// The file to read
        file: PathBuf,
    },
}

pub(crate) async fn run(session: &Session, args: SnapshotArgs) -> anyhow::Result<()> {
    match args.what {
        What::Save { file } => save(session, &file).await,
        What::Restore { file } => restore(session, &file).await,
        What::Check { file } => {
            let found = check(&file)?;
            session.console.line(format!("{} is {found}", file.display()))?;
            Ok(())
        }
    }
}

/// What a snapshot that was read to its end holds.
struct Found {
    head: Head,
    objects: u64,
    bytes: u64,
}

impl std::fmt::Display for Found {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let taken = i64::try_from(self.head.taken).ok();
        let taken = taken.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
        let taken = taken.map_or_else(|| "an unknown time".to_owned(), |time| time.to_string());
        write!(
            out,
            "a snapshot of revision {}, taken at {taken}: {} objects of {} bytes",
            self.head.revision, self.objects, self.bytes
        )
    }
}

fn check(file: &Path) -> anyhow::Result<Found> {
    let name = || format!("`{}`", file.display());
    let source = File::open(file).with_context(|| format!("cannot open {}", name()))?;
    let mut reader = Reader::open(BufReader::with_capacity(PIECE, source)).with_context(name)?;
    let mut found = Found { head: reader.head(), objects: 0, bytes: 0 };
    while let Some((key, value)) = reader.entry().with_context(name)? {
        let object: Value = serde_json::from_slice(&value)
            .with_context(|| format!("{}: `{key}` is not an object", name()))?;
        let own = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        if key.rsplit('/').next() != Some(own) {
            bail!("{}: `{key}` holds an object of the name `{own}`", name());
        }
        found.objects += 1;
        found.bytes += value.len() as u64;
    }
    Ok(found)
}

async fn save(session: &Session, file: &Path) -> anyhow::Result<()> {
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let saved = fetch(session.client().await?, &part).await.and_then(|()| check(&part));
    let found = match saved {
        Ok(found) => found,
        Err(error) => {
            // What came is of no use; that it broke off is what matters.
            _ = fs::remove_file(&part);
            return Err(error);
        }
    };
    let written = || format!("cannot write `{}`", file.display());
    fs::rename(&part, file).with_context(written)?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))
        .and_then(|it| it.sync_all())
        .with_context(written)?;
    session.console.line(format!("saved {}: {found}", file.display()))?;
    Ok(())
}

/// Writes the server's snapshot into a file that only its owner can read, durably.
async fn fetch(client: &Client, part: &Path) -> anyhow::Result<()> {
    let mut body = client.stream(Call::get(PATH).accept("*/*")).await?;
    let written = || format!("cannot write `{}`", part.display());
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(part).with_context(written)?;
    while let Some(frame) = body.frame().await {
        let frame = frame.context("the snapshot broke off")?;
        if let Some(data) = frame.data_ref() {
            file.write_all(data).with_context(written)?;
        }
    }
    file.sync_all().with_context(written)
}

async fn restore(session: &Session, file: &Path) -> anyhow::Result<()> {
    // The server looks, too; but a large file is sent for nothing only once.
    check(file)?;
    let client = session.client().await?;
    let name = || format!("cannot read `{}`", file.display());
    let source = tokio::fs::File::open(file).await.with_context(name)?;
    let length = source.metadata().await.with_context(name)?.len();
    let pieces = stream::try_unfold(source, |mut source| async {
        let mut piece = bytes::BytesMut::with_capacity(PIECE);
        let read = source.read_buf(&mut piece).await?;
        Ok::<_, io::Error>((read > 0).then(|| (Frame::data(piece.freeze()), source)))
    });
    let answer = client.upload(PATH, length, client::streamed(pieces)).await?;
    let answer: Value = serde_json::from_slice(&answer)
        .map_err(|error| anyhow!(error).context("the server's answer is not JSON"))?;
    session.console.line(format!(
        "restored {}: {} objects, now at revision {}",
        file.display(),
        answer["entries"],
        answer["revision"].as_str().unwrap_or_default()
    ))?;
    Ok(())
}
