//! Objects from files, folders and standard input: YAML or JSON, several documents, lists.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::commands::select::Found;
use crate::error::hinted;
use crate::kinds::{Resource, text};
use crate::kustomize;
use crate::session::Session;
use crate::yaml;

/// What all objects have.
const OBJECTS: &str = "every object starts with `apiVersion` and `kind`, such as `v1` and `Pod`";

/// Where objects come from.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct FileArgs {
    /// File or folder with the objects, `-` for standard input
    #[arg(short, long = "filename", value_name = "FILE", value_delimiter = ',')]
    pub(crate) files: Vec<PathBuf>,
    /// Folder with a kustomization, whose objects are meant; not with -f or -R
    #[arg(short = 'k', long, value_name = "DIR")]
    kustomize: Option<PathBuf>,
    /// Also use the folders within a folder
    #[arg(short = 'R', long)]
    pub(crate) recursive: bool,
}

impl FileArgs {
    /// Whether no file is given.
    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty() && self.kustomize.is_none()
    }
}

/// An object as it was written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Manifest {
    /// The file's name as the user gave it; `STDIN` for standard input.
    pub(crate) source: String,
    pub(crate) object: Value,
}

/// A manifest whose kind and namespace are settled.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) source: String,
    pub(crate) object: Value,
    pub(crate) resource: Resource,
    /// Empty for resources of the cluster.
    pub(crate) namespace: String,
    /// Empty if the server is to make one up.
    pub(crate) name: String,
}

impl Placed {
    /// The object as one to look for.
    pub(crate) fn into_found(self) -> Found {
        let Self { resource, namespace, name, object, .. } = self;
        Found { resource, namespace, name, object }
    }
}

/// Reads all objects of the files.
pub(crate) fn read(args: &FileArgs) -> anyhow::Result<Vec<Manifest>> {
    let mut manifests = Vec::new();
    if let Some(folder) = &args.kustomize {
        if !args.files.is_empty() || args.recursive {
            bail!("only one of -f or -k can be specified");
        }
        let source = folder.display().to_string();
        for object in kustomize::build(folder)? {
            manifests.push(Manifest { source: source.clone(), object });
        }
    }
    for path in &args.files {
        if path.as_os_str() == "-" {
            let mut input = Vec::new();
            std::io::stdin().read_to_end(&mut input).context("cannot read standard input")?;
            manifests.extend(parse("STDIN", &yaml::decoded(&input))?);
            continue;
        }
        if path.to_str().is_some_and(|path| path.starts_with("http")) && !path.exists() {
            return Err(hinted(
                format!("`{}` is not a file, and URLs are not fetched", path.display()),
                "fetch it first: `curl -sSL URL | wkctl apply -f -`",
            ));
        }
        for file in files(path, args.recursive)? {
            let name = file.display().to_string();
            let content = std::fs::read(&file).map_err(|error| {
                hinted(
                    format!("cannot read `{name}`: {error}"),
                    "manifests are text files in YAML or JSON",
                )
            })?;
            manifests.extend(parse(&name, &yaml::decoded(&content))?);
        }
    }
    if manifests.is_empty() {
        bail!("no objects passed to the command");
    }
    Ok(manifests)
}

/// The files behind a path: itself, or those in it whose names say that they hold objects.
fn files(path: &Path, recursive: bool) -> anyhow::Result<Vec<PathBuf>> {
    let found = std::fs::metadata(path);
    let Ok(found) = found else {
        bail!("the path \"{}\" does not exist", path.display());
    };
    if !found.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    let entries = std::fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut entries = entries.with_context(|| format!("cannot read `{}`", path.display()))?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if path.is_dir() {
            if recursive {
                files.extend(self::files(&path, true)?);
            }
        } else if matches!(extension, Some("yaml" | "yml" | "json")) {
            files.push(path);
        }
    }
    Ok(files)
}

/// The objects of a text, lists taken apart.
pub(crate) fn parse(source: &str, input: &str) -> anyhow::Result<Vec<Manifest>> {
    let documents = yaml::documents(input).map_err(|error| {
        hinted(
            format!("error parsing {source}: {error}"),
            "check the indentation and the quotes around that place",
        )
    })?;
    objects(source, documents)
}

/// The objects of documents, lists taken apart.
pub(crate) fn objects(source: &str, documents: Vec<Value>) -> anyhow::Result<Vec<Manifest>> {
    let mut manifests = Vec::new();
    for document in documents {
        collect(source, document, &mut manifests)?;
    }
    Ok(manifests)
}

fn collect(source: &str, object: Value, into: &mut Vec<Manifest>) -> anyhow::Result<()> {
    yaml::check_object(&object)
        .map_err(|error| hinted(format!("unable to decode {source:?}: {error}"), OBJECTS))?;
    let kind = text(&object, "/kind");
    if kind.ends_with("List") && object.get("items").is_some_and(Value::is_array) {
        let Value::Object(mut list) = object else { unreachable!("it has items") };
        let Some(Value::Array(items)) = list.remove("items") else { unreachable!("it is one") };
        return items.into_iter().try_for_each(|item| collect(source, item, into));
    }
    for field in ["kind", "apiVersion"] {
        if text(&object, &format!("/{field}")).is_empty() {
            let title = if field == "kind" { "Kind" } else { "apiVersion" };
            return Err(hinted(
                format!("unable to decode {source:?}: Object '{title}' is missing in '{object}'"),
                OBJECTS,
            ));
        }
    }
    into.push(Manifest { source: source.to_owned(), object });
    Ok(())
}

/// Finds the manifest's resource and fills in its namespace.
pub(crate) async fn place(session: &Session, manifest: Manifest) -> anyhow::Result<Placed> {
    place_in(session, manifest, async || session.namespace().await).await
}

/// As [`place`], without a cluster: the namespace is filled in only if the command line names it.
pub(crate) async fn place_offline(session: &Session, manifest: Manifest) -> anyhow::Result<Placed> {
    let named = session.named_namespace().unwrap_or_default().to_owned();
    place_in(session, manifest, async || Ok(named.clone())).await
}

/// As [`place`], but without a kubeconfig it is the default namespace.
pub(crate) async fn place_pretending(
    session: &Session,
    manifest: Manifest,
) -> anyhow::Result<Placed> {
    let namespace = async || session.namespace().await.or_else(|_| Ok("default".to_owned()));
    place_in(session, manifest, namespace).await
}

async fn place_in(
    session: &Session,
    manifest: Manifest,
    default: impl AsyncFn() -> anyhow::Result<String>,
) -> anyhow::Result<Placed> {
    let Manifest { source, mut object } = manifest;
    let (api_version, kind) = (text(&object, "/apiVersion"), text(&object, "/kind"));
    let name = text(&object, "/metadata/name").to_owned();
    let written = text(&object, "/metadata/namespace").to_owned();
    let Some(resource) = session.resource_of_kind(api_version, kind).await? else {
        return Err(hinted(
            format!(
                "resource mapping not found for name: {name:?} namespace: {written:?} from \
                 {source:?}: no matches for kind {kind:?} in version {api_version:?}"
            ),
            "`wkctl api-resources` lists what there is; a kind of your own needs its \
             CustomResourceDefinition first",
        ));
    };
    let namespace = if resource.namespaced {
        let asked = session.named_namespace();
        if let Some(asked) = asked.filter(|asked| !written.is_empty() && **asked != *written) {
            bail!(
                "the namespace from the provided object \"{written}\" does not match the namespace \
                 \"{asked}\". You must pass '--namespace={written}' to perform this operation."
            );
        }
        let namespace = if written.is_empty() { default().await? } else { written };
        if !namespace.is_empty()
            && let Some(metadata) = object.pointer_mut("/metadata").and_then(Value::as_object_mut)
        {
            metadata.insert("namespace".to_owned(), namespace.clone().into());
        }
        namespace
    } else {
        String::new()
    };
    Ok(Placed { source, object, resource, namespace, name })
}

#[cfg(test)]
mod tests {
    use super::*;

    const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n";

    fn names(input: &str) -> Vec<String> {
        let manifests = parse("x.yaml", input).unwrap();
        manifests.iter().map(|each| text(&each.object, "/metadata/name").to_owned()).collect()
    }

    #[test]
    fn documents_and_lists_are_taken_apart() {
        let two = format!("# first\n---\n{POD}---\n---\n{}", POD.replace("name: a", "name: b"));
        assert_eq!(names(&two), ["a", "b"]);
        let list = r#"{"apiVersion":"v1","kind":"List","items":[
            {"apiVersion":"v1","kind":"Pod","metadata":{"name":"c"}},
            {"apiVersion":"v1","kind":"PodList","items":[
                {"apiVersion":"v1","kind":"Pod","metadata":{"name":"d"}}]}]}"#;
        assert_eq!(names(list), ["c", "d"]);
        assert_eq!(names(""), [""; 0]);
    }

    #[test]
    fn faults_name_the_file() {
        for (input, expected) in [
            ("kind: Pod\n", "Object 'apiVersion' is missing"),
            ("apiVersion: v1\n", "Object 'Kind' is missing"),
            ("just a text", "cannot unmarshal string into Go value"),
            ("a: [1\nb: 2", "error converting YAML to JSON"),
            ("a: 1\n--- b\n", "invalid Yaml document separator: b"),
        ] {
            let error = parse("x.yaml", input).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("x.yaml"), "{error}");
        }
    }

    #[test]
    fn folders_give_their_manifests_in_order() {
        let folder = tempfile::TempDir::new().unwrap();
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        for file in ["b.yaml", "a.json", "c.yml", "notes.txt", "sub/d.yaml"] {
            std::fs::write(folder.path().join(file), POD).unwrap();
        }
        let found = |recursive| {
            let files = files(folder.path(), recursive).unwrap();
            let names = files.iter().map(|file| file.file_name().unwrap().to_str().unwrap());
            names.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(found(false), "a.json b.yaml c.yml");
        assert_eq!(found(true), "a.json b.yaml c.yml d.yaml");
        assert!(files(Path::new("/no/such"), false).is_err());
    }
}
