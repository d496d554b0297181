//! The file that says how a folder's objects are built, and the other files of the folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde_json::Value;

use crate::error::hinted;
use crate::yaml;

/// Names of the file.
const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Fields that kustomize knows and we do not carry out.
const UNSUPPORTED: [&str; 19] = [
    "bases",
    "buildMetadata",
    "components",
    "configurations",
    "crds",
    "generators",
    "helmChartInflationGenerator",
    "helmCharts",
    "helmGlobals",
    "imageTags",
    "inventory",
    "openapi",
    "patchesJson6902",
    "patchesStrategicMerge",
    "replacements",
    "sortOptions",
    "transformers",
    "validators",
    "vars",
];

/// What the file says.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct Kustomization {
    api_version: String,
    kind: String,
    #[serde(rename = "metadata")]
    _metadata: Value,
    pub(super) resources: Vec<String>,
    pub(super) namespace: String,
    pub(super) name_prefix: String,
    pub(super) name_suffix: String,
    pub(super) labels: Vec<Labels>,
    pub(super) common_labels: BTreeMap<String, String>,
    pub(super) common_annotations: BTreeMap<String, String>,
    pub(super) images: Vec<Image>,
    pub(super) replicas: Vec<Replica>,
    pub(super) config_map_generator: Vec<Generator>,
    pub(super) secret_generator: Vec<Generator>,
    pub(super) generator_options: GeneratorOptions,
    pub(super) patches: Vec<Patch>,
}

/// Labels, and where they go besides the object itself.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct Labels {
    pub(super) pairs: BTreeMap<String, String>,
    pub(super) include_selectors: bool,
    pub(super) include_templates: bool,
}

/// What images called `name` become.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct Image {
    pub(super) name: String,
    pub(super) new_name: String,
    pub(super) new_tag: String,
    pub(super) tag_suffix: String,
    pub(super) digest: String,
}

/// How many pods a workload has.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct Replica {
    pub(super) name: String,
    pub(super) count: i64,
}

/// A config map or secret to make.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct Generator {
    pub(super) name: String,
    pub(super) namespace: String,
    /// `create`, `replace` or `merge`; `create` if not said.
    pub(super) behavior: String,
    pub(super) literals: Vec<String>,
    pub(super) files: Vec<String>,
    pub(super) envs: Vec<String>,
    pub(super) env: String,
    /// Of secrets only.
    #[serde(rename = "type")]
    pub(super) secret_type: String,
    pub(super) options: GeneratorOptions,
}

/// What generated objects have besides their data.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct GeneratorOptions {
    pub(super) labels: BTreeMap<String, String>,
    pub(super) annotations: BTreeMap<String, String>,
    pub(super) disable_name_suffix_hash: bool,
    pub(super) immutable: bool,
}

/// A change of some objects.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct Patch {
    pub(super) path: String,
    #[serde(rename = "patch")]
    pub(super) inline: String,
    pub(super) target: Option<Target>,
    pub(super) options: PatchOptions,
}

/// Which objects a patch changes; an empty field says nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct Target {
    pub(super) group: String,
    pub(super) version: String,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) label_selector: String,
    pub(super) annotation_selector: String,
}

/// What a patch may do.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct PatchOptions {
    pub(super) allow_name_change: bool,
    pub(super) allow_kind_change: bool,
}

/// A folder with a kustomization; files are read only from within.
#[derive(Debug)]
pub(super) struct Folder {
    /// Absolute, without links.
    pub(super) root: PathBuf,
}

impl Folder {
    /// Finds and reads the folder's kustomization.
    pub(super) fn open(path: &Path) -> anyhow::Result<(Self, Kustomization)> {
        let shown = path.display();
        let root = path.canonicalize().with_context(|| format!("`{shown}` cannot be used"))?;
        let found: Vec<PathBuf> =
            NAMES.iter().map(|name| root.join(name)).filter(|file| file.is_file()).collect();
        let file = match found.as_slice() {
            [file] => file,
            [] => bail!(
                "unable to find one of 'kustomization.yaml', 'kustomization.yml' or \
                 'Kustomization' in directory '{}'",
                root.display()
            ),
            _ => bail!("Found multiple kustomization files: {}", root.display()),
        };
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("cannot read `{}`", file.display()))?;
        let kustomization =
            Kustomization::parse(&text).with_context(|| format!("in `{}`", file.display()))?;
        Ok((Self { root }, kustomization))
    }

    /// The content of a file in the folder or below.
    pub(super) fn bytes(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        if path.contains("://") {
            return Err(hinted(
                format!("`{path}` is not a file, and URLs are not fetched"),
                "fetch it first, and name the file in its place",
            ));
        }
        let full = self.root.join(path);
        let file = full.canonicalize().with_context(|| format!("cannot read `{path}`"))?;
        if !file.starts_with(&self.root) {
            bail!(
                "security; file '{}' is not in or below '{}'",
                file.display(),
                self.root.display()
            );
        }
        std::fs::read(&file).with_context(|| format!("cannot read `{path}`"))
    }

    /// As [`Self::bytes`], of a file that is text.
    pub(super) fn text(&self, path: &str) -> anyhow::Result<String> {
        String::from_utf8(self.bytes(path)?).with_context(|| format!("`{path}` is not text"))
    }
}

impl Kustomization {
    fn parse(text: &str) -> anyhow::Result<Self> {
        let document = yaml::one(text)?;
        if document.is_null() {
            bail!("kustomization.yaml is empty");
        }
        if let Some(field) = UNSUPPORTED.iter().find(|field| document.get(field).is_some()) {
            return Err(hinted(
                format!("the field `{field}` of kustomization.yaml is not supported"),
                "let kustomize build it: `kubectl kustomize DIR | wkctl apply -f -`",
            ));
        }
        let read: Self = serde_json::from_value(document).context("invalid Kustomization")?;
        if !["", "kustomize.config.k8s.io/v1beta1", "kustomize.config.k8s.io/v1"]
            .contains(&read.api_version.as_str())
        {
            bail!("apiVersion should be kustomize.config.k8s.io/v1beta1, not {}", read.api_version);
        }
        if !["", "Kustomization"].contains(&read.kind.as_str()) {
            bail!("kind should be Kustomization, not {}", read.kind);
        }
        Ok(read)
    }
}
