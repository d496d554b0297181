//! `set env`: environment variables of containers.

use std::collections::BTreeSet;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use serde_json::{Map, Value, json};

use super::{CommonArgs, containers, is_like, name_of, pod_spec};
use crate::commands::describe::items;
use crate::commands::select::{self, Found};
use crate::kinds::text;
use crate::session::Session;
use crate::target::targets;

/// Arguments of `set env`: TYPE/NAME... KEY=VALUE... KEY-...
#[derive(Debug, clap::Args)]
pub(crate) struct EnvArgs {
    #[command(flatten)]
    common: CommonArgs,
    /// Containers, by name or with `*`
    #[arg(short, long, value_name = "NAME", default_value = "*")]
    containers: String,
    /// A variable
    #[arg(short, long, value_name = "KEY=VALUE")]
    env: Vec<String>,
    /// Take variables from a config map or secret, as TYPE/NAME
    #[arg(long, value_name = "TYPE/NAME")]
    from: Option<String>,
    /// Only these keys of what `--from` names
    #[arg(long, value_name = "KEY", value_delimiter = ',')]
    keys: Vec<String>,
    /// What to put before the names of variables from `--from`
    #[arg(long, default_value = "", hide_default_value = true)]
    prefix: String,
    /// Show the variables
    #[arg(long)]
    list: bool,
    /// With `--list`: show what is in config maps and secrets, too
    #[arg(long)]
    resolve: bool,
    /// Whether to change variables that are there
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = true,
        default_missing_value = "true", action = clap::ArgAction::Set, value_name = "BOOL")]
    overwrite: bool,
}

/// What is to be different.
#[derive(Debug, Default)]
struct Updates {
    /// Variables as containers have them, with names and values or where values are from.
    set: Vec<Value>,
    removed: BTreeSet<String>,
}

pub(super) async fn run(session: &Session, mut args: EnvArgs) -> anyhow::Result<()> {
    let words = std::mem::take(&mut args.common.what.words);
    let is_update = |word: &String| word.contains('=') || word.ends_with('-');
    let (mut updates, words): (Vec<String>, Vec<String>) = words.into_iter().partition(is_update);
    args.common.what.words = words;
    updates.append(&mut args.env);
    let mut updates = read(&updates)?;
    if let Some(from) = &args.from {
        updates.set.extend(args.of(session, from).await?);
    }
    if args.list {
        return args.show(session).await;
    }
    let console = &session.console;
    args.common
        .change(session, ("env updated", false), |found, object| {
            let mut any = false;
            for container in containers(pod_spec(found, object)?) {
                if is_like(&args.containers, name_of(container)) {
                    any = true;
                    args.update(found, container, &updates)?;
                }
            }
            if !any {
                console.warn(&format!(
                    "{}/{} does not have any containers matching {:?}",
                    found.resource.kind, found.name, args.containers
                ));
            }
            Ok(())
        })
        .await
}

fn read(words: &[String]) -> anyhow::Result<Updates> {
    let mut updates = Updates::default();
    for word in words {
        match word.split_once('=') {
            Some((name, value)) => {
                if !is_variable_name(name) {
                    bail!(
                        "{name:?} is not a valid key name: a valid environment variable name must \
                         consist of alphabetic characters, digits, '_', '-', or '.', and must not \
                         start with a digit (e.g. 'my.env-name',  or 'MY_ENV.NAME',  or \
                         'MyEnvName1', regex used for validation is \
                         '[-._a-zA-Z][-._a-zA-Z0-9]*')"
                    );
                }
                updates.set.push(json!({"name": name, "value": value}));
            }
            None => match word.strip_suffix('-') {
                Some(name) => drop(updates.removed.insert(name.to_owned())),
                None => bail!("environment variables must be of the form key=value, not {word:?}"),
            },
        }
    }
    if updates.set.iter().any(|one| updates.removed.contains(text(one, "/name"))) {
        bail!("can not both modify and remove the same environment variable in the same command");
    }
    Ok(updates)
}

impl EnvArgs {
    /// The variables that a config map or secret gives.
    async fn of(&self, session: &Session, from: &str) -> anyhow::Result<Vec<Value>> {
        let all = targets(session, &[from.to_owned()]).await?;
        let (namespace, mut variables) = (session.namespace().await?, Vec::new());
        for target in all {
            for name in target.names {
                let found = select::one(session, &target.resource, &namespace, &name).await?;
                let reference = match found.resource.kind.as_str() {
                    "ConfigMap" => "configMapKeyRef",
                    "Secret" => "secretKeyRef",
                    _ => {
                        bail!("unsupported resource specified in --from: {}", found.resource.plural)
                    }
                };
                let data = found.object.get("data").and_then(Value::as_object);
                for key in data.into_iter().flatten().map(|(key, _)| key) {
                    if self.keys.is_empty() || self.keys.contains(key) {
                        let name = format!("{}{}", self.prefix, variable_name(key));
                        variables.push(json!({"name": name,
                            "valueFrom": {reference: {"name": found.name, "key": key}}}));
                    }
                }
            }
        }
        Ok(variables)
    }

    fn update(
        &self,
        found: &Found,
        container: &mut Value,
        updates: &Updates,
    ) -> anyhow::Result<()> {
        let mut all: Vec<Value> = items(container, "/env").cloned().collect();
        for wanted in &updates.set {
            let name = text(wanted, "/name");
            match all.iter_mut().find(|known| text(known, "/name") == name) {
                Some(known) if !self.overwrite => bail!(
                    "{}/{} '{name}' already has a value ({}), and --overwrite is false",
                    found.resource.plural,
                    found.name,
                    text(known, "/value")
                ),
                Some(known) => *known = wanted.clone(),
                None => all.push(wanted.clone()),
            }
        }
        all.retain(|one| !updates.removed.contains(text(one, "/name")));
        let container = container.as_object_mut().context("a container is not a map")?;
        if all.is_empty() {
            container.remove("env");
        } else {
            container.insert("env".to_owned(), all.into());
        }
        Ok(())
    }

    async fn show(&self, session: &Session) -> anyhow::Result<()> {
        let (objects, errors) = self.common.objects(session).await?;
        for found in objects {
            let mut object = found.object.clone();
            for container in containers(pod_spec(&found, &mut object)?) {
                let name = name_of(container);
                if !is_like(&self.containers, name) {
                    continue;
                }
                let kind = &found.resource.kind;
                session.console.line(format!("# {kind} {}, container {name}", found.name))?;
                for variable in items(container, "/env") {
                    let line = self.line(session, variable).await?;
                    session.console.line(line)?;
                }
            }
        }
        crate::error::all_good(errors)
    }

    async fn line(&self, session: &Session, variable: &Value) -> anyhow::Result<String> {
        let name = text(variable, "/name");
        let from = variable.get("valueFrom").and_then(Value::as_object);
        let Some((kind, from)) = from.and_then(|from| from.iter().next()) else {
            return Ok(format!("{name}={}", text(variable, "/value")));
        };
        if self.resolve
            && let Some(value) = resolved(session, kind, from).await?
        {
            return Ok(format!("{name}={value}"));
        }
        let (object, key) = (text(from, "/name"), text(from, "/key"));
        let source = match kind.as_str() {
            "configMapKeyRef" => format!("configmap {object}, key {key}"),
            "secretKeyRef" => format!("secret {object}, key {key}"),
            "fieldRef" => format!("field path {}", text(from, "/fieldPath")),
            "resourceFieldRef" => format!("resource field {}", text(from, "/resource")),
            _ => "invalid valueFrom".to_owned(),
        };
        Ok(format!("# {name} from {source}"))
    }
}

/// The value that a reference leads to, if it leads to a config map or secret.
async fn resolved(session: &Session, kind: &str, from: &Value) -> anyhow::Result<Option<String>> {
    let word = match kind {
        "configMapKeyRef" => "configmaps",
        "secretKeyRef" => "secrets",
        _ => return Ok(None),
    };
    let (resource, namespace) = (session.resource(word).await?, session.namespace().await?);
    let found = select::one(session, &resource, &namespace, text(from, "/name")).await?;
    let empty = Map::new();
    let data = found.object.get("data").and_then(Value::as_object).unwrap_or(&empty);
    let value = data.get(text(from, "/key")).and_then(Value::as_str);
    let value = value.with_context(|| {
        format!("key {} not found in {} {}", text(from, "/key"), resource.kind, found.name)
    })?;
    if word == "configmaps" {
        return Ok(Some(value.to_owned()));
    }
    let bytes = base64::engine::general_purpose::STANDARD.decode(value)?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

fn is_variable_name(name: &str) -> bool {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "-._".contains(letter);
    name.chars().all(fits) && name.starts_with(|first: char| !first.is_ascii_digit())
}

/// A key as the name of a variable.
fn variable_name(key: &str) -> String {
    key.chars()
        .map(
            |letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' },
        )
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_set_and_remove_variables() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let updates = read(&words("A=b C=d=e F-")).unwrap();
        let expected = [json!({"name": "A", "value": "b"}), json!({"name": "C", "value": "d=e"})];
        assert_eq!(updates.set, expected);
        assert!(updates.removed.contains("F"));
        for line in ["A=b A-", "1A=x", "A"] {
            assert!(read(&words(line)).is_err(), "{line}");
        }
    }

    #[test]
    fn keys_become_names_of_variables() {
        assert_eq!(variable_name("ca.crt-x_1"), "CA_CRT_X_1");
    }
}
