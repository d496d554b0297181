//! Which examples there are, and how each is built.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::shell::{cargo, read};

/// One folder of `wasm-examples/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Example {
    /// The folder's name, and the name of the program.
    pub(crate) name: String,
    /// Its sources.
    pub(crate) folder: PathBuf,
    /// How to build it.
    pub(crate) recipe: Recipe,
    /// Whether the same source is also built as a program for Linux (`linux = true` beside the form).
    pub(crate) linux: bool,
}

/// How a folder becomes a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recipe {
    /// A package of the Cargo workspace, with its form in `package.metadata.example`.
    Rust(Form),
    /// `main.c`, an HTTP component.
    C,
    /// `app.js` with `build.js` and `package.json`, an HTTP component.
    JavaScript,
    /// `app.py` with `requirements.txt`, an HTTP component.
    Python,
}

/// What kind of program a Rust package is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A component that exports its interfaces itself, such as `wasi:http/incoming-handler`.
    Library,
    /// A component with a main function (`wasi:cli/command`).
    Command,
    /// A core module with a main function (WASI 0.1).
    Module,
}

impl Form {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "library" => Some(Self::Library),
            "command" => Some(Self::Command),
            "module" => Some(Self::Module),
            _ => None,
        }
    }
}

/// The examples in `folder`, by name.
///
/// # Errors
/// A folder that is not an example in any language we know.
pub(crate) fn discover(folder: &Path) -> Result<Vec<Example>> {
    let metadata = cargo_metadata(folder)?;
    let forms = forms(&metadata);
    let mut examples = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("no `{}`", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !path.is_dir() || name.starts_with('.') || name == "target" {
            continue;
        }
        let (form, linux) = forms.get(&name).copied().unzip();
        let recipe = recipe(&path, form)
            .with_context(|| format!("`{}` is not an example", path.display()))?;
        examples.push(Example { name, folder: path, recipe, linux: linux.unwrap_or(false) });
    }
    examples.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(examples)
}

/// Those of `examples` that are called `names`; all, if there are no names.
///
/// # Errors
/// A name that no example has.
pub(crate) fn select(examples: Vec<Example>, names: &[String]) -> Result<Vec<Example>> {
    let known = |name: &&String| examples.iter().any(|example| example.name == **name);
    if let Some(name) = names.iter().find(|name| !known(name)) {
        let all: Vec<&str> = examples.iter().map(|example| example.name.as_str()).collect();
        bail!("no example `{name}`; there are: {}", all.join(", "));
    }
    let wanted = |example: &Example| names.is_empty() || names.contains(&example.name);
    Ok(examples.into_iter().filter(wanted).collect())
}

fn recipe(folder: &Path, form: Option<Form>) -> Result<Recipe> {
    let has = |file: &str| folder.join(file).is_file();
    match form {
        Some(form) => Ok(Recipe::Rust(form)),
        None if has("Cargo.toml") => {
            bail!("it is no member of the workspace with a `package.metadata.example.form`")
        }
        None if has("main.c") => Ok(Recipe::C),
        None if has("app.js") => Ok(Recipe::JavaScript),
        None if has("app.py") => Ok(Recipe::Python),
        None => bail!("none of Cargo.toml, main.c, app.js and app.py is there"),
    }
}

fn cargo_metadata(folder: &Path) -> Result<Value> {
    let text =
        read(cargo().current_dir(folder).args(["metadata", "--no-deps", "--format-version=1"]))?;
    serde_json::from_str(&text).context("`cargo metadata` answers in JSON")
}

/// The form of each Rust package, and whether it is a program for Linux, too; by name.
fn forms(metadata: &Value) -> BTreeMap<String, (Form, bool)> {
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    packages
        .iter()
        .filter_map(|package| {
            let example = &package["metadata"]["example"];
            let form = Form::parse(example["form"].as_str()?)?;
            let linux = example["linux"].as_bool().unwrap_or(false);
            Some((package["name"].as_str()?.to_owned(), (form, linux)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn example(name: &str) -> Example {
        Example {
            name: name.to_owned(),
            folder: PathBuf::from(name),
            recipe: Recipe::C,
            linux: false,
        }
    }

    #[test]
    fn the_form_of_a_package_is_in_its_metadata() {
        let metadata = json!({"packages": [
            {"name": "web", "metadata": {"example": {"form": "library"}}},
            {"name": "twice", "metadata": {"example": {"form": "command", "linux": true}}},
            {"name": "odd", "metadata": {"example": {"form": "cheese"}}},
            {"name": "none", "metadata": null},
        ]});
        let expected = [
            ("twice".to_owned(), (Form::Command, true)),
            ("web".to_owned(), (Form::Library, false)),
        ];
        assert_eq!(forms(&metadata), BTreeMap::from(expected));
    }

    #[test]
    fn a_folder_shows_its_language() {
        let folder = tempfile::tempdir().unwrap();
        assert!(recipe(folder.path(), None).is_err());
        fs::write(folder.path().join("app.py"), "").unwrap();
        assert_eq!(recipe(folder.path(), None).unwrap(), Recipe::Python);
        assert_eq!(recipe(folder.path(), Some(Form::Module)).unwrap(), Recipe::Rust(Form::Module));
        fs::write(folder.path().join("Cargo.toml"), "").unwrap();
        assert!(recipe(folder.path(), None).is_err(), "a Rust package outside the workspace");
    }

    #[test]
    fn no_names_are_all_and_a_wrong_one_is_an_error() {
        let all = || vec![example("a"), example("b")];
        assert_eq!(select(all(), &[]).unwrap(), all());
        assert_eq!(select(all(), &["b".to_owned()]).unwrap(), [example("b")]);
        let error = select(all(), &["c".to_owned()]).unwrap_err();
        assert_eq!(error.to_string(), "no example `c`; there are: a, b");
    }
}
