//! The files that pods are read from. Blocking.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::manifest::{self, Manifest, Origin};

/// The most that a file may hold, as in Kubernetes.
const MAX_BYTES: u64 = 10 << 20;

/// What was found in one file.
#[derive(Debug)]
pub(super) struct FoundFile {
    pub(super) path: PathBuf,
    /// Its pod, or why it has none.
    pub(super) outcome: Result<Manifest, String>,
}

/// Reads a file, or all files of a folder by their names; those whose names begin with a dot, and
/// folders in it, are passed over. A path where nothing is has no files.
///
/// # Errors
/// If the path itself cannot be read: what it holds is not known then.
pub(super) fn read(path: &Path, node_name: &str, now: Timestamp) -> io::Result<Vec<FoundFile>> {
    let mut paths = Vec::new();
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => {
            for entry in fs::read_dir(path)? {
                let entry = entry?;
                let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
                if !hidden {
                    paths.push(entry.path());
                }
            }
        }
        Ok(_) => paths.push(path.to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    paths.sort_unstable();
    let found = paths.into_iter().filter_map(|path| {
        let text = match text(&path) {
            Ok(None) => return None,
            Ok(Some(text)) => text,
            // It went meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => return Some(FoundFile { path, outcome: Err(error.to_string()) }),
        };
        let file = path.to_string_lossy();
        let origin = Origin { node_name, file: &file, now };
        let outcome = manifest::read(&text, origin).map_err(|error| error.to_string());
        Some(FoundFile { path, outcome })
    });
    Ok(found.collect())
}

/// What a file holds; `None` for a folder.
fn text(path: &Path) -> io::Result<Option<Vec<u8>>> {
    // Before it is opened, which may wait for ever for what is no file.
    let kind = fs::metadata(path)?.file_type();
    if kind.is_dir() {
        return Ok(None);
    }
    if !kind.is_file() {
        return Err(io::Error::other("it is neither a file nor a folder"));
    }
    let mut text = Vec::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(io::Error::other(format!("it has more than {MAX_BYTES} bytes")));
    }
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_by_their_names_and_bad_ones_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let pod = |name: &str| {
            format!(
                "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\n\
                 spec: {{containers: [{{name: c, image: x}}]}}\n"
            )
        };
        fs::write(path.join("b.yaml"), pod("b")).unwrap();
        fs::write(path.join("a.json"), pod("a")).unwrap();
        fs::write(path.join(".hidden.yaml"), pod("hidden")).unwrap();
        fs::write(path.join("c.yaml"), "nothing").unwrap();
        fs::create_dir(path.join("d")).unwrap();
        std::os::unix::fs::symlink("/no/such/file", path.join("e.yaml")).unwrap();
        let long = usize::try_from(MAX_BYTES + 1).unwrap();
        fs::write(path.join("f"), vec![b'#'; long]).unwrap();
        let all = read(path, "n", Timestamp::UNIX_EPOCH).unwrap();
        let told: Vec<String> = all
            .iter()
            .map(|found| match &found.outcome {
                Ok(manifest) => manifest.pod.metadata.name.clone().unwrap(),
                Err(_) => format!("!{}", found.path.file_name().unwrap().display()),
            })
            .collect();
        assert_eq!(told, ["a-n", "b-n", "!c.yaml", "!f"]);
        let one = read(&path.join("b.yaml"), "n", Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(one.len(), 1);
        assert!(read(&path.join("none"), "n", Timestamp::UNIX_EPOCH).unwrap().is_empty());
    }
}
