//! `set`: parts of objects that change often.

mod env;
mod image;
mod resources;
mod selector;
mod serviceaccount;
mod subject;

use anyhow::bail;
use serde_json::Value;

use super::changing::Changes;
use super::select::{Found, WhatArgs};
use super::writing::{DryRun, WriteArgs, report};
use crate::error::all_good;
use crate::kinds::text;
use crate::session::Session;

/// Arguments of `set`.
#[derive(Debug, clap::Args)]
pub(crate) struct SetArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Change environment variables of containers
    Env(env::EnvArgs),
    /// Change images of containers
    #[command(visible_alias = "im")]
    Image(image::ImageArgs),
    /// Change what containers request and are limited to
    Resources(resources::ResourcesArgs),
    /// Change which pods a service leads to
    Selector(selector::SelectorArgs),
    /// Change whose rights pods have
    #[command(visible_alias = "sa")]
    Serviceaccount(serviceaccount::ServiceAccountArgs),
    /// Change whom a role is bound to
    Subject(subject::BindArgs),
}

pub(crate) async fn run(session: &Session, args: SetArgs) -> anyhow::Result<()> {
    match args.what {
        What::Env(args) => env::run(session, args).await,
        What::Image(args) => image::run(session, args).await,
        What::Resources(args) => resources::run(session, args).await,
        What::Selector(args) => selector::run(session, args).await,
        What::Serviceaccount(args) => serviceaccount::run(session, args).await,
        What::Subject(args) => subject::run(session, args).await,
    }
}

/// What all of them take.
#[derive(Debug, clap::Args)]
pub(crate) struct CommonArgs {
    #[command(flatten)]
    what: WhatArgs,
    /// All objects of the types
    #[arg(long)]
    all: bool,
    /// Ask no server; change what the files have, and print it
    #[arg(long)]
    local: bool,
    #[command(flatten)]
    write: WriteArgs,
}

impl CommonArgs {
    /// The objects that are meant.
    async fn objects(&self, session: &Session) -> anyhow::Result<(Vec<Found>, Vec<anyhow::Error>)> {
        if self.local {
            Ok((self.what.local(session).await?, Vec::new()))
        } else {
            self.what.objects(session, self.all).await
        }
    }

    /// Changes the objects, each for itself, and says so. `always` says it even if nothing changes.
    async fn change(
        &self,
        session: &Session,
        (done, always): (&str, bool),
        change: impl Fn(&Found, &mut Value) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let (objects, mut errors) = self.objects(session).await?;
        let changes = Changes { session, write: &self.write, manager: "kubectl-set" };
        for found in objects {
            let mut wanted = found.object.clone();
            if let Err(error) = change(&found, &mut wanted) {
                errors.push(error);
                continue;
            }
            if self.local {
                report(session, &self.write, &found.resource, wanted, done)?;
                continue;
            }
            let same =
                always || self.write.dry_run()? == DryRun::Client && self.write.output.is_some();
            match changes.make(&found, &wanted).await {
                Ok(Some(changed)) => {
                    report(session, &self.write, &found.resource, changed, done)?;
                }
                Ok(None) if same => {
                    report(session, &self.write, &found.resource, wanted, done)?;
                }
                Ok(None) => {}
                Err(error) => errors.push(error),
            }
        }
        all_good(errors)
    }
}

/// The pod's specification in an object.
fn pod_spec<'a>(found: &Found, object: &'a mut Value) -> anyhow::Result<&'a mut Value> {
    let pointer = match (found.resource.group.as_str(), found.resource.kind.as_str()) {
        ("", "Pod") => "/spec",
        ("", "PodTemplate") => "/template/spec",
        ("batch", "CronJob") => "/spec/jobTemplate/spec/template/spec",
        ("", "ReplicationController")
        | ("apps", "Deployment" | "ReplicaSet" | "DaemonSet" | "StatefulSet")
        | ("batch", "Job") => "/spec/template/spec",
        _ => "",
    };
    match object.pointer_mut(pointer) {
        Some(spec) if !pointer.is_empty() => Ok(spec),
        _ => bail!(
            "{}/{} the object is not a pod or does not have a pod template: *{}.{}",
            found.resource.plural,
            found.name,
            found.resource.version,
            found.resource.kind
        ),
    }
}

/// The containers of a pod's specification, those that initialise it last.
fn containers(spec: &mut Value) -> Vec<&mut Value> {
    let fields = spec.as_object_mut().into_iter().flatten();
    let lists = fields.filter(|(name, _)| matches!(name.as_str(), "containers" | "initContainers"));
    // Maps are in the order of their keys.
    lists.filter_map(|(_, list)| list.as_array_mut()).flatten().collect()
}

/// Whether a name is meant by a pattern with `*` for anything.
fn is_like(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => {
            let Some(tail) = name.strip_prefix(start) else { return false };
            (0..=tail.len())
                .filter(|at| tail.is_char_boundary(*at))
                .any(|at| is_like(rest, &tail[at..]))
        }
    }
}

fn name_of(container: &Value) -> &str {
    text(container, "/name")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn patterns_stand_for_names() {
        for (pattern, name, expected) in [
            ("*", "web", true),
            ("web", "web", true),
            ("w*", "web", true),
            ("*b", "web", true),
            ("w*x", "web", false),
            ("web", "webs", false),
        ] {
            assert_eq!(is_like(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn initialising_containers_come_last() {
        let mut spec = json!({"containers": [{"name": "a"}], "initContainers": [{"name": "b"}]});
        let names: Vec<_> =
            containers(&mut spec).iter().map(|one| name_of(one).to_owned()).collect();
        assert_eq!(names, ["a", "b"]);
    }
}
