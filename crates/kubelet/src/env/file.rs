//! Files that hold environment variables (`fileKeyRef`): `NAME='value'`, one after the other.
//!
//! Spec: <https://kubernetes.io/docs/tasks/inject-data-application/define-environment-variable-via-file/#env-file-syntax>

use std::collections::HashMap;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use k8s_openapi::api::core::v1::{Container, PodSpec};
use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};

/// The most that is read of a file, as in Kubernetes.
const FILE_BYTES: u64 = 64 << 10;

/// The variables of files by volume and path; one that is not there is `None`.
pub(crate) type EnvFiles =
    HashMap<(String, String), Result<Option<HashMap<String, String>>, String>>;

/// Reads the files that a container's environment names, in a pod's folder of volumes. Blocking.
pub(crate) fn read_all(container: &Container, spec: &PodSpec, volumes: &Path) -> EnvFiles {
    let sources = container.env.iter().flatten().filter_map(|var| var.value_from.as_ref());
    let wanted = sources.filter_map(|source| source.file_key_ref.as_ref());
    let mut files = EnvFiles::new();
    for wanted in wanted {
        let place = (wanted.volume_name.clone(), wanted.path.clone());
        let is_there = |name: &str| {
            let mut volumes = spec.volumes.iter().flatten();
            volumes.any(|volume| volume.name == name && volume.empty_dir.is_some())
        };
        files.entry(place).or_insert_with(|| {
            if !is_there(&wanted.volume_name) {
                return Err(format!(
                    "cannot find the volume \"{}\" in the pod",
                    wanted.volume_name
                ));
            }
            let folder = volumes.join(&wanted.volume_name);
            let folder = std::fs::read_link(&folder).unwrap_or(folder);
            read(&folder, &wanted.path)?.map(|text| parsed(&text)).transpose()
        });
    }
    files
}

/// A file of a volume, in which anybody may have put links; `None` if there is none.
fn read(folder: &Path, path: &str) -> Result<Option<String>, String> {
    let failed = |why: &dyn std::fmt::Display| format!("env file \"{path}\" cannot be read: {why}");
    let sane = Path::new(path).components().filter(|part| *part != Component::CurDir);
    let sane: PathBuf = sane.collect();
    let root = match std::fs::File::open(folder) {
        Ok(root) => root,
        Err(error) => return Err(failed(&error)),
    };
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let within = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let opened = match openat2(root, &sane, flags, Mode::empty(), within) {
        Ok(opened) => opened,
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(error) => return Err(failed(&error)),
    };
    let mut text = String::new();
    let mut file = std::fs::File::from(opened).take(FILE_BYTES + 1);
    file.read_to_string(&mut text).map_err(|error| failed(&error))?;
    if text.len() as u64 > FILE_BYTES {
        return Err(failed(&format!("it has more than {FILE_BYTES} bytes")));
    }
    Ok(Some(text))
}

/// The variables of a file; a later one wins. Pure.
fn parsed(text: &str) -> Result<HashMap<String, String>, String> {
    let mut all = HashMap::new();
    let mut rest = text;
    let line_of = |rest: &str| text[..text.len() - rest.len()].matches('\n').count() + 1;
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Ok(all);
        }
        if rest.starts_with('#') {
            rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
            continue;
        }
        let wrong = |why: &str| format!("couldn't parse env file: line {}: {why}", line_of(rest));
        let (name, after) = rest.split_once('=').ok_or_else(|| wrong("no `=`"))?;
        let is_name = |name: &str| {
            let word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
            name.chars().all(word) && name.chars().next().is_some_and(|one| !one.is_ascii_digit())
        };
        if !is_name(name) {
            return Err(wrong(&format!("\"{name}\" is no name of a variable")));
        }
        let quoted = after.strip_prefix('\'');
        let quoted = quoted.ok_or_else(|| wrong("the value is not in single quotes"))?;
        let end = quoted.find('\'').ok_or_else(|| wrong("the value has no closing quote"))?;
        let after = &quoted[end + 1..];
        let tail = after.split_once('\n').map_or(after, |(tail, _)| tail).trim();
        if !tail.is_empty() && !tail.starts_with('#') {
            return Err(wrong("something follows the value"));
        }
        all.insert(name.to_owned(), quoted[..end].to_owned());
        rest = after.split_once('\n').map_or("", |(_, rest)| rest);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn files_hold_quoted_values() {
        let text = "# first\n\nA='one'\n  B='two\nlines' # and a word\nC=''\nA='three'";
        let all = parsed(text).unwrap();
        let expected = [("A", "three"), ("B", "two\nlines"), ("C", "")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(all, HashMap::from(expected));
        for (wrong, why) in [
            ("A=one", "line 1: the value is not in single quotes"),
            ("\nA='one", "line 2: the value has no closing quote"),
            ("A='one' two", "something follows"),
            ("A", "no `=`"),
            ("A B='x'", "no name"),
        ] {
            let error = parsed(wrong).unwrap_err();
            assert!(error.contains(why), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_file_does_not_lead_out_of_its_volume() {
        let folder = tempfile::tempdir().unwrap();
        let volume = folder.path().join("v");
        std::fs::create_dir(&volume).unwrap();
        std::fs::write(volume.join("env"), "A='1'").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", volume.join("out")).unwrap();
        let reference = |path: &str| {
            json!({"name": path, "valueFrom": {"fileKeyRef": {
                "volumeName": "v", "path": path, "key": "A",
            }}})
        };
        let container = serde_json::from_value(json!({
            "name": "c", "env": [reference("env"), reference("out"), reference("none")],
        }));
        let spec = json!({"containers": [], "volumes": [{"name": "v", "emptyDir": {}}]});
        let spec = serde_json::from_value(spec).unwrap();
        let files = read_all(&container.unwrap(), &spec, folder.path());
        let of = |path: &str| files[&("v".to_owned(), path.to_owned())].clone();
        assert_eq!(of("env").unwrap().unwrap()["A"], "1");
        assert_eq!(of("none"), Ok(None));
        assert!(of("out").is_err());
    }
}
