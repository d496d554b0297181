//! An image of the node's content store as the archive that engines load.
//!
//! Engines of any age load this older format: a tar with the configuration, the layers as they are
//! stored, and a list of both. The engine unpacks gzip by itself and checks every layer against the
//! configuration, whose digest is the image's id. The archive is written while it is sent.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::Stream;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;

/// Bytes handed on at a time, and how many of those may wait.
const PIECE_BYTES: usize = 128 << 10;
const PIECES: usize = 8;
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// The most that a layer may unpack to: a few bytes can stand for any number.
const MAX_LAYER_BYTES: u64 = 32 << 30;
/// The most memory that unpacking may take, as a power of two: 128 MiB, which every writer keeps to.
const MAX_WINDOW_LOG: u32 = 27;

/// The parts of a manifest that matter here.
#[derive(Debug, Deserialize)]
struct Manifest {
    config: Descriptor,
    layers: Vec<Descriptor>,
}

#[derive(Debug, Deserialize)]
struct Descriptor {
    digest: String,
}

/// The files of one image.
#[derive(Debug)]
pub(crate) struct Source {
    layout: PathBuf,
    manifest: Manifest,
}

impl Source {
    /// Finds the image with this manifest in an OCI layout. Blocking.
    ///
    /// # Errors
    /// If the manifest is not there or is none.
    pub(crate) fn open(layout: &Path, digest: &str) -> io::Result<Self> {
        let manifest = std::fs::read(blob(layout, digest)?)?;
        let manifest = serde_json::from_slice(&manifest)?;
        Ok(Self { layout: layout.to_owned(), manifest })
    }

    /// The archive, in which the image is called `name`.
    ///
    /// The work is done on a thread of its own, which ends when nobody reads.
    pub(crate) fn stream(self, name: String) -> impl Stream<Item = io::Result<Bytes>> {
        let (sender, receiver) = mpsc::channel(PIECES);
        let writing = tokio::task::spawn_blocking(move || {
            let mut out = Sender { sender, piece: Vec::with_capacity(PIECE_BYTES) };
            if let Err(error) = self.write(&name, &mut out).and_then(|()| out.flush()) {
                // Nobody reading is fine.
                let _reader = out.sender.blocking_send(Err(error));
            }
        });
        futures::stream::unfold((receiver, writing), |(mut receiver, writing)| async {
            let piece = receiver.recv().await?;
            Some((piece, (receiver, writing)))
        })
    }

    fn write(&self, name: &str, out: &mut Sender) -> io::Result<()> {
        let mut archive = tar::Builder::new(out);
        let config = std::fs::read(blob(&self.layout, &self.manifest.config.digest)?)?;
        let config_name = format!("{}.json", hex(&self.manifest.config.digest));
        append(&mut archive, &config_name, config.len() as u64, &config[..])?;
        let mut written = HashSet::new();
        let mut layers = Vec::new();
        for layer in &self.manifest.layers {
            let layer_name = format!("{}.tar", hex(&layer.digest));
            if written.insert(&layer.digest) {
                let (file, bytes) = self.layer(&layer.digest)?;
                append(&mut archive, &layer_name, bytes, file)?;
            }
            layers.push(layer_name);
        }
        let list = json!([{"Config": config_name, "RepoTags": [name], "Layers": layers}]);
        let list = list.to_string();
        append(&mut archive, "manifest.json", list.len() as u64, list.as_bytes())?;
        archive.finish()
    }

    /// A layer in a form that every engine reads, and how many bytes that is: older engines do not
    /// know zstd, which is unpacked twice instead of being kept, the first time to be measured.
    fn layer(&self, digest: &str) -> io::Result<(Box<dyn io::Read>, u64)> {
        let mut file = File::open(blob(&self.layout, digest)?)?;
        let mut magic = Vec::new();
        (&mut file).take(4).read_to_end(&mut magic)?;
        io::Seek::rewind(&mut file)?;
        if magic != ZSTD_MAGIC {
            let bytes = file.metadata()?.len();
            return Ok((Box::new(file), bytes));
        }
        let mut measured = decoder(file.try_clone()?)?.take(MAX_LAYER_BYTES + 1);
        let bytes = io::copy(&mut measured, &mut io::sink())?;
        if bytes > MAX_LAYER_BYTES {
            let reason = format!("layer `{digest}` unpacks to more than {MAX_LAYER_BYTES} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        // Both read at the same place.
        io::Seek::rewind(&mut file)?;
        Ok((Box::new(decoder(file)?), bytes))
    }
}

fn decoder(file: File) -> io::Result<zstd::Decoder<'static, io::BufReader<File>>> {
    let mut decoder = zstd::Decoder::new(file)?;
    decoder.window_log_max(MAX_WINDOW_LOG)?;
    Ok(decoder)
}

fn append(
    archive: &mut tar::Builder<&mut Sender>,
    name: &str,
    bytes: u64,
    content: impl io::Read,
) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(bytes);
    archive.append_data(&mut header, name, content)
}

fn hex(digest: &str) -> &str {
    digest.split_once(':').map_or(digest, |(_, hex)| hex)
}

/// Where a blob of a layout is.
fn blob(layout: &Path, digest: &str) -> io::Result<PathBuf> {
    let parts = digest.split_once(':').filter(|(algorithm, hex)| {
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        plain(algorithm) && plain(hex)
    });
    let (algorithm, hex) =
        parts.ok_or_else(|| io::Error::other(format!("`{digest}` is not a digest")))?;
    Ok(layout.join("blobs").join(algorithm).join(hex))
}

/// Sends what is written to it, in pieces.
#[derive(Debug)]
struct Sender {
    sender: mpsc::Sender<io::Result<Bytes>>,
    piece: Vec<u8>,
}

impl Write for Sender {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = PIECE_BYTES - self.piece.len();
        let taken = room.min(bytes.len());
        self.piece.extend_from_slice(&bytes[..taken]);
        if self.piece.len() == PIECE_BYTES {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE_BYTES));
        if piece.is_empty() {
            return Ok(());
        }
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        self.sender.blocking_send(Ok(piece.into())).map_err(gone)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use futures::StreamExt as _;

    use super::*;

    fn put(layout: &Path, name: &str, bytes: &[u8]) {
        let folder = layout.join("blobs/sha256");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), bytes).unwrap();
    }

    #[tokio::test]
    async fn an_image_becomes_an_archive() {
        let folder = tempfile::tempdir().unwrap();
        let big = vec![7; 300 << 10];
        put(folder.path(), "aa", b"{}");
        put(folder.path(), "bb", &big);
        put(folder.path(), "cc", &zstd::encode_all(&b"layer"[..], 1).unwrap());
        let layers: Vec<_> =
            ["bb", "cc", "bb"].map(|name| json!({"digest": format!("sha256:{name}")})).into();
        let manifest = json!({"config": {"digest": "sha256:aa"}, "layers": layers});
        put(folder.path(), "dd", manifest.to_string().as_bytes());

        let source = Source::open(folder.path(), "sha256:dd").unwrap();
        let pieces: Vec<Bytes> =
            source.stream("x/y:z".to_owned()).map(Result::unwrap).collect().await;
        let whole = pieces.concat();
        let mut files = BTreeMap::new();
        for entry in tar::Archive::new(&whole[..]).entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            let name = entry.path().unwrap().display().to_string();
            assert!(files.insert(name, bytes).is_none(), "each file comes once");
        }
        let list: serde_json::Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
        let layers = ["bb.tar", "cc.tar", "bb.tar"];
        let expected = json!([{"Config": "aa.json", "RepoTags": ["x/y:z"], "Layers": layers}]);
        assert_eq!(list, expected);
        assert_eq!(files["bb.tar"], big);
        assert_eq!(files["cc.tar"], b"layer", "zstd is unpacked");
    }

    #[test]
    fn a_digest_is_no_path() {
        assert!(blob(Path::new("/l"), "sha256:../../etc").is_err());
        assert!(blob(Path::new("/l"), "nothing").is_err());
    }
}
