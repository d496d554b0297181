//! `create configmap NAME --from-literal=... --from-file=... --from-env-file=...`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use base64::Engine as _;
use serde_json::{Value, json};

use super::{CreateOptions, named};

/// Arguments of `create configmap`.
#[derive(Debug, clap::Args)]
pub(crate) struct ConfigmapArgs {
    name: String,
    #[command(flatten)]
    sources: Sources,
    #[command(flatten)]
    pub(super) options: CreateOptions,
}

/// Where keys and values come from.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Sources {
    /// A key and its text
    #[arg(long = "from-literal", value_name = "KEY=TEXT")]
    pub(super) literals: Vec<String>,
    /// A file, or a folder with files; the key is the file's name unless given
    #[arg(long = "from-file", value_name = "[KEY=]PATH")]
    pub(super) files: Vec<String>,
    /// A file with a line KEY=TEXT for each key
    #[arg(long = "from-env-file", value_name = "FILE")]
    pub(super) env_files: Vec<PathBuf>,
}

impl Sources {
    /// All keys with their values.
    pub(super) fn read(&self) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
        let mut all = BTreeMap::new();
        for literal in &self.literals {
            let (key, text) = literal
                .split_once('=')
                .with_context(|| format!("invalid literal source {literal}, expected key=value"))?;
            insert(&mut all, key, unquoted(text).into())?;
        }
        for file in &self.files {
            match file.split_once('=') {
                Some((key, path)) => insert(&mut all, key, read(Path::new(path))?)?,
                None => from_path(&mut all, Path::new(file))?,
            }
        }
        for path in &self.env_files {
            let text = std::fs::read_to_string(path);
            let text = text.with_context(|| format!("error reading {}", path.display()))?;
            for line in text.lines().map(str::trim_start) {
                if line.is_empty() || line.starts_with('#') {
                    continue;
                }
                let (key, value) = line.split_once('=').with_context(|| {
                    format!("{}: a line is not KEY=TEXT: {line}", path.display())
                })?;
                insert(&mut all, key.trim(), value.into())?;
            }
        }
        Ok(all)
    }
}

fn from_path(all: &mut BTreeMap<String, Vec<u8>>, path: &Path) -> anyhow::Result<()> {
    if !path.is_dir() {
        return insert(all, &file_name(path), read(path)?);
    }
    let entries = std::fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let entries = entries.with_context(|| format!("error reading {}", path.display()))?;
    for path in entries.into_iter().map(|entry| entry.path()).filter(|path| path.is_file()) {
        insert(all, &file_name(&path), read(&path)?)?;
    }
    Ok(())
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("error reading {}", path.display()))
}

fn insert(all: &mut BTreeMap<String, Vec<u8>>, key: &str, value: Vec<u8>) -> anyhow::Result<()> {
    let faults = wk_api::names::config_map_key(key);
    if !faults.is_empty() {
        bail!("\"{key}\" is not valid key name: {}", faults.join("; "));
    }
    if all.insert(key.to_owned(), value).is_some() {
        bail!("cannot add key \"{key}\", another key by that name already exists");
    }
    Ok(())
}

/// Shells leave quotes inside words alone.
fn unquoted(text: &str) -> &str {
    ['"', '\'']
        .iter()
        .find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote))
        .unwrap_or(text)
}

impl ConfigmapArgs {
    pub(super) fn object(&self) -> anyhow::Result<Value> {
        let mut object = named("ConfigMap", &self.name);
        for (key, value) in self.sources.read()? {
            match String::from_utf8(value) {
                Ok(text) => object["data"][key] = text.into(),
                Err(error) => {
                    let data = base64::engine::general_purpose::STANDARD.encode(error.as_bytes());
                    object["binaryData"][key] = json!(data);
                }
            }
        }
        Ok(object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_from_texts_files_and_lines() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("text"), "hello\n").unwrap();
        std::fs::write(path("bytes"), [0xff, 0]).unwrap();
        std::fs::write(path("env"), "# no\nA=1\n\n B=x=y\n").unwrap();
        let args = Sources {
            literals: vec!["k=\"v w\"".to_owned()],
            files: vec![path("text"), format!("other={}", path("bytes"))],
            env_files: vec![path("env").into()],
        };
        let all = args.read().unwrap();
        let text = |key: &str| String::from_utf8_lossy(&all[key]).into_owned();
        assert_eq!(all.keys().collect::<Vec<_>>(), ["A", "B", "k", "other", "text"]);
        assert_eq!((text("A"), text("B"), text("k")), ("1".into(), "x=y".into(), "v w".into()));
        assert_eq!(all["other"], [0xff, 0]);
    }

    #[test]
    fn bad_keys_are_refused() {
        for literal in ["a", "a b=c", "=x"] {
            let sources = Sources { literals: vec![literal.to_owned()], ..Sources::default() };
            assert!(sources.read().is_err(), "{literal}");
        }
        let twice = Sources { literals: vec!["a=1".into(), "a=2".into()], ..Sources::default() };
        assert!(twice.read().unwrap_err().to_string().contains("already exists"));
    }
}
