//! `config`: what the kubeconfig says.

use std::path::PathBuf;

use anyhow::{Context as _, anyhow, bail};
use base64::Engine as _;
use serde_json::{Map, Value, json};

use super::describe::items;
use crate::kinds::{built_in, text};
use crate::output::Format;
use crate::output::table::Widths;
use crate::session::Session;
use crate::yaml;

/// Arguments of `config`.
#[derive(Debug, clap::Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Show which context is used
    CurrentContext,
    /// List the clusters
    GetClusters,
    /// List the contexts, or show one
    GetContexts(GetContextsArgs),
    /// List the users
    GetUsers,
    /// Use another context
    #[command(visible_alias = "use")]
    UseContext {
        /// The context
        name: String,
    },
    /// Show the whole configuration, without what is secret
    View(ViewArgs),
}

#[derive(Debug, clap::Args)]
struct GetContextsArgs {
    /// Names of contexts
    names: Vec<String>,
    /// `name`
    #[arg(short, long, value_name = "FORMAT", value_parser = ["name"])]
    output: Option<String>,
    /// Leave out the headers of columns
    #[arg(long)]
    no_headers: bool,
}

#[derive(Debug, clap::Args)]
struct ViewArgs {
    /// Only what belongs to the current context
    #[arg(long)]
    minify: bool,
    /// Also keys and tokens
    #[arg(long)]
    raw: bool,
    /// With what is in the files that are named
    #[arg(long)]
    flatten: bool,
    /// Print in this format
    #[arg(short, long, value_name = "FORMAT", default_value = "yaml")]
    output: String,
}

/// All files together; of several of one name the first one wins.
struct Config {
    files: Vec<(PathBuf, Value)>,
}

impl Config {
    fn read(session: &Session) -> anyhow::Result<Self> {
        let mut files = Vec::new();
        for path in session.kubeconfigs() {
            let text = match std::fs::read_to_string(&path) {
                Ok(text) => text,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => {
                    return Err(error).with_context(|| format!("kubeconfig `{}`", path.display()));
                }
            };
            let document = yaml::one(&text).map_err(|error| {
                anyhow!("error loading config file \"{}\": {error}", path.display())
            })?;
            let document = if document.is_null() { json!({}) } else { document };
            files.push((path, document));
        }
        Ok(Self { files })
    }

    fn current(&self) -> &str {
        let names = self.files.iter().map(|(_, file)| text(file, "/current-context"));
        names.into_iter().find(|name| !name.is_empty()).unwrap_or_default()
    }

    /// The entries of a list by name, with the file that each is from.
    fn list(&self, list: &str) -> Vec<(&PathBuf, &Value)> {
        let mut all: Vec<(&PathBuf, &Value)> = Vec::new();
        for (path, file) in &self.files {
            for entry in items(file, &format!("/{list}")) {
                if !all.iter().any(|(_, known)| known.get("name") == entry.get("name")) {
                    all.push((path, entry));
                }
            }
        }
        all.sort_by_key(|(_, entry)| text(entry, "/name"));
        all
    }
}

pub(crate) fn run(session: &Session, args: ConfigArgs) -> anyhow::Result<()> {
    let config = Config::read(session)?;
    let console = &session.console;
    let names = |title: &str, list: &str| -> anyhow::Result<()> {
        console.line(title)?;
        for (_, entry) in config.list(list) {
            console.line(text(entry, "/name"))?;
        }
        Ok(())
    };
    match args.what {
        What::CurrentContext => match config.current() {
            "" => bail!("current-context is not set"),
            name => Ok(console.line(name)?),
        },
        What::GetClusters => names("NAME", "clusters"),
        What::GetUsers => names("NAME", "users"),
        What::GetContexts(args) => args.run(session, &config),
        What::UseContext { name } => use_context(session, &config, &name),
        What::View(args) => args.run(session, &config),
    }
}

impl GetContextsArgs {
    fn run(&self, session: &Session, config: &Config) -> anyhow::Result<()> {
        let contexts = config.list("contexts");
        let is_wanted = |entry: &Value| {
            self.names.is_empty() || self.names.iter().any(|name| name == text(entry, "/name"))
        };
        let mut rows = Vec::new();
        if !self.no_headers && self.output.is_none() {
            let header = ["CURRENT", "NAME", "CLUSTER", "AUTHINFO", "NAMESPACE"];
            rows.push(header.map(str::to_owned).to_vec());
        }
        for (_, entry) in &contexts {
            if !is_wanted(entry) {
                continue;
            }
            let name = text(entry, "/name");
            if self.output.is_some() {
                rows.push(vec![name.to_owned()]);
                continue;
            }
            let mark = if name == config.current() { "*" } else { "" };
            let cells = [
                mark,
                name,
                text(entry, "/context/cluster"),
                text(entry, "/context/user"),
                text(entry, "/context/namespace"),
            ];
            rows.push(cells.map(str::to_owned).to_vec());
        }
        session.console.print(Widths::default().lines(&rows))?;
        let known = |name: &&String| contexts.iter().any(|(_, one)| text(one, "/name") == **name);
        match self.names.iter().find(|name| !known(name)) {
            Some(name) => bail!("context {name} not found"),
            None => Ok(()),
        }
    }
}

fn use_context(session: &Session, config: &Config, name: &str) -> anyhow::Result<()> {
    if !config.list("contexts").iter().any(|(_, entry)| text(entry, "/name") == name) {
        bail!("no context exists with the name: {name:?}");
    }
    // It is changed where it is set, else in the first file.
    let set = config.files.iter().find(|(_, file)| !text(file, "/current-context").is_empty());
    let (path, file) = set.or(config.files.first()).context("there is no kubeconfig")?;
    let mut file = file.clone();
    file["current-context"] = json!(name);
    let failed = || format!("cannot write kubeconfig `{}`", path.display());
    // Whoever reads it meanwhile sees the old one or the new one, and nobody else sees either.
    let folder = path.parent().context("a file is in a folder")?;
    let new = tempfile::Builder::new().prefix(".kubeconfig-").tempfile_in(folder);
    let mut new = new.with_context(failed)?;
    std::io::Write::write_all(&mut new, yaml::text(&file).as_bytes()).with_context(failed)?;
    new.persist(path).with_context(failed)?;
    Ok(session.console.line(format!("Switched to context {name:?}."))?)
}

impl ViewArgs {
    fn run(&self, session: &Session, config: &Config) -> anyhow::Result<()> {
        let current = config.current();
        let mut view = json!({"apiVersion": "v1", "kind": "Config", "current-context": current});
        let contexts = config.list("contexts");
        let context = contexts.iter().find(|(_, entry)| text(entry, "/name") == current);
        if self.minify && context.is_none() {
            bail!("cannot locate context {current:?}");
        }
        for (list, kind) in [("clusters", "cluster"), ("contexts", "context"), ("users", "user")] {
            let wanted = match kind {
                "context" => current,
                kind => context.map_or("", |(_, entry)| text(entry, &format!("/context/{kind}"))),
            };
            let mut entries = Vec::new();
            for (path, entry) in config.list(list) {
                if self.minify && text(entry, "/name") != wanted {
                    continue;
                }
                let mut entry = entry.clone();
                if let Some(fields) = entry.get_mut(kind).and_then(Value::as_object_mut) {
                    if self.flatten {
                        flatten(path, fields)?;
                    }
                    if !self.raw {
                        redact(fields);
                    }
                }
                entries.push(entry);
            }
            view[list] = if entries.is_empty() { Value::Null } else { entries.into() };
        }
        let format = Format::parse(Some(&self.output))?;
        let any = built_in("configmaps").context("config maps are built in")?;
        Ok(session.console.print(format.object(&view, &any)?)?)
    }
}

/// Takes in what files hold.
fn flatten(path: &std::path::Path, fields: &mut Map<String, Value>) -> anyhow::Result<()> {
    for field in ["certificate-authority", "client-certificate", "client-key"] {
        let Some(Value::String(named)) = fields.remove(field) else { continue };
        let file = path.parent().unwrap_or(std::path::Path::new("")).join(named);
        let bytes = std::fs::read(&file);
        let bytes = bytes.with_context(|| format!("cannot read `{}`", file.display()))?;
        let encoded = base64::engine::general_purpose::STANDARD.encode(bytes);
        fields.insert(format!("{field}-data"), encoded.into());
    }
    Ok(())
}

/// Takes out what is secret, or long.
fn redact(fields: &mut Map<String, Value>) {
    for (field, word) in [
        ("certificate-authority-data", "DATA+OMITTED"),
        ("client-certificate-data", "DATA+OMITTED"),
        ("client-key-data", "DATA+OMITTED"),
        ("token", "REDACTED"),
        ("password", "REDACTED"),
    ] {
        if let Some(value) = fields.get_mut(field).filter(|value| **value != "") {
            *value = json!(word);
        }
    }
}
