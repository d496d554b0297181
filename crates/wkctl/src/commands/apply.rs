//! `apply`: objects become what their files say, and what others set stays.
//!
//! As with kubectl, the configuration applied last is kept in an annotation of the object; what it
//! had and the new one has not is deleted. The difference is worked out here, so that an object that
//! is up to date costs one GET and a changed one a GET and a PATCH.

mod prune;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use wk_patch::{merge, strategic};

use super::writing::{DryRun, WriteArgs, field_validation, report};
use crate::client::Call;
use crate::error::{StatusError, all_good, found, hinted};
use crate::kinds::{Resource, query, text};
use crate::manifest::{self, FileArgs, Placed};
use crate::session::{Session, missing_resource};

/// Where the configuration applied last is kept.
pub(crate) const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// kubectl's, so that both can be used on one object.
pub(crate) const MANAGER: &str = "kubectl-client-side-apply";
pub(crate) const SERVER_SIDE_MANAGER: &str = "kubectl";
/// What to do about fields that others manage.
const CONFLICT_ADVICE: &str = "\
Please review the fields above--they currently have other managers. Here
are the ways you can resolve this warning:
* If you intend to manage all of these fields, please re-run the apply
  command with the `--force-conflicts` flag.
* If you do not intend to manage all of the fields, please edit your
  manifest to remove references to the fields that should keep their
  current managers.
* You may co-own fields by updating your manifest to match the existing
  value; in this case, you'll become the manager if the other manager(s)
  stop managing the field (remove it from their configuration).
See https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts";
/// How often a patch is worked out again when somebody else was faster.
const ATTEMPTS: usize = 5;

/// Arguments of `apply`.
#[derive(Debug, clap::Args)]
pub(crate) struct ApplyArgs {
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    write: WriteArgs,
    /// What happens to unknown fields: `strict` refuses, `warn` warns, `ignore` says nothing
    #[arg(long, value_name = "strict|warn|ignore", num_args = 0..=1, require_equals = true,
        default_value = "strict", default_missing_value = "strict")]
    validate: String,
    /// Only objects whose labels match
    #[arg(short = 'l', long, value_name = "LABELS")]
    selector: Option<String>,
    /// All objects, where that has to be said
    #[arg(long)]
    all: bool,
    /// Delete what was applied before and is in no file any more
    #[arg(long)]
    prune: bool,
    /// With `--prune`: only these kinds
    #[arg(long, value_name = "GROUP/VERSION/KIND", value_delimiter = ',')]
    prune_allowlist: Vec<String>,
    /// Have the server work out the difference
    #[arg(long)]
    server_side: bool,
    /// Take over fields that others manage (with `--server-side`)
    #[arg(long)]
    force_conflicts: bool,
}

pub(crate) async fn run(session: &Session, args: ApplyArgs) -> anyhow::Result<()> {
    if args.files.is_empty() {
        return Err(hinted(
            "must specify one of -f and -k",
            "`wkctl apply -f pod.yaml` applies a file, `-f -` standard input",
        ));
    }
    if args.force_conflicts && !args.server_side {
        bail!("--force-conflicts only works with --server-side");
    }
    if args.server_side && args.write.dry_run()? == DryRun::Client {
        bail!(
            "--dry-run=client doesn't work with --server-side (did you mean --dry-run=server \
             instead?)"
        );
    }
    prune::check(&args)?;
    let selector = args.selector.as_deref().map(wk_api::LabelSelector::parse).transpose()?;
    let (mut errors, mut matched) = (Vec::new(), false);
    let mut visited = prune::Visited::default();
    for manifest in manifest::read(&args.files)? {
        let labels = manifest.object.pointer("/metadata/labels").unwrap_or(&Value::Null);
        if selector.as_ref().is_some_and(|selector| !selector.matches(labels)) {
            continue;
        }
        matched = true;
        let applied = match manifest::place(session, manifest).await {
            Ok(placed) => {
                visited.namespaces.insert(placed.namespace.clone());
                if args.server_side {
                    server_side(session, &args, placed).await
                } else {
                    apply(session, &args, placed).await
                }
            }
            Err(error) => Err(error),
        };
        match applied {
            Ok(object) => drop(visited.uids.insert(text(&object, "/metadata/uid").to_owned())),
            Err(error) => errors.push(error),
        }
    }
    if !matched {
        errors.push(anyhow::anyhow!("no objects passed to apply"));
    }
    if args.prune && errors.is_empty() {
        visited.namespaces.remove("");
        errors.extend(prune::prune(session, &args, &visited).await.err());
    }
    all_good(errors)
}

/// Reports an object and gives it back.
fn reported(
    session: &Session,
    args: &ApplyArgs,
    resource: &Resource,
    object: Value,
    done: &str,
) -> anyhow::Result<Value> {
    report(session, &args.write, resource, object.clone(), done)?;
    Ok(object)
}

async fn apply(session: &Session, args: &ApplyArgs, mut placed: Placed) -> anyhow::Result<Value> {
    if placed.name.is_empty() {
        let generate = text(&placed.object, "/metadata/generateName");
        return Err(hinted(
            if generate.is_empty() {
                format!("error when applying \"{}\": resource name may not be empty", placed.source)
            } else {
                format!("from {generate}: cannot use generate name with apply")
            },
            "give the object a `metadata.name`, or use `wkctl create`",
        ));
    }
    note_configuration(&mut placed.object)?;
    let path = placed.resource.object_path(&placed.namespace, &placed.name);
    let current = session.ask(&placed.resource, Call::get(&path)).await;
    let current = found(current).with_context(|| retrieving(&placed))?;
    match current {
        None => create(session, args, placed).await,
        Some(current) => change(session, args, &placed, &path, current).await,
    }
}

fn retrieving(placed: &Placed) -> String {
    format!(
        "error when retrieving current configuration of \"{}\" from \"{}\"",
        placed.name, placed.source
    )
}

/// The query of a write.
fn parameters(args: &ApplyArgs) -> anyhow::Result<String> {
    Ok(query(&[
        ("dryRun", args.write.dry_run_parameter()?),
        ("fieldManager", Some(args.write.field_manager.as_deref().unwrap_or(MANAGER))),
        ("fieldValidation", Some(field_validation(&args.validate)?)),
    ]))
}

async fn create(session: &Session, args: &ApplyArgs, placed: Placed) -> anyhow::Result<Value> {
    let Placed { source, object, resource, namespace, .. } = placed;
    if args.write.dry_run()? == DryRun::Client {
        return reported(session, args, &resource, object, "created");
    }
    let path = format!("{}{}", resource.path(Some(&namespace)), parameters(args)?);
    let created = session.ask(&resource, Call::with(Method::POST, path, &object)).await;
    let created = created.with_context(|| format!("error when creating \"{source}\""))?;
    reported(session, args, &resource, created, "created")
}

async fn change(
    session: &Session,
    args: &ApplyArgs,
    placed: &Placed,
    path: &str,
    mut current: Value,
) -> anyhow::Result<Value> {
    let resource = &placed.resource;
    if current.pointer("/metadata/annotations").and_then(|all| all.get(LAST_APPLIED)).is_none() {
        session.console.warn(&format!(
            "resource {}/{} is missing the {LAST_APPLIED} annotation which is required by wkctl \
             apply. wkctl apply should only be used on resources created declaratively by either \
             wkctl create --save-config or wkctl apply. The missing annotation will be patched \
             automatically.",
            resource.plural, placed.name
        ));
    }
    for attempt in 1.. {
        let (patch, content_type) = patch(placed, &current)?;
        if patch.as_object().is_some_and(serde_json::Map::is_empty) {
            return reported(session, args, resource, current, "unchanged");
        }
        if args.write.dry_run()? == DryRun::Client {
            return reported(session, args, resource, current, "configured");
        }
        let call =
            Call::patch(format!("{path}{}", parameters(args)?), content_type, patch.to_string());
        match session.client().await?.object(call).await {
            Ok(changed) => {
                return reported(session, args, resource, changed, "configured");
            }
            Err(error) if attempt < ATTEMPTS && is_conflict(&error) => {
                current = session.ask(resource, Call::get(path)).await?;
            }
            Err(error) => {
                return Err(missing_resource(error, resource)).with_context(|| {
                    format!(
                        "error when applying patch:\n{patch}\nto:\nResource: \"{}\", GroupVersionKind: \
                         \"{}, Kind={}\"\nName: \"{}\", Namespace: \"{}\"\nfor: \"{}\": error when \
                         patching \"{}\"",
                        resource.plural,
                        resource.api_version(),
                        resource.kind,
                        placed.name,
                        placed.namespace,
                        placed.source,
                        placed.source
                    )
                });
            }
        }
    }
    unreachable!("the last attempt returns")
}

fn is_conflict(error: &anyhow::Error) -> bool {
    error.downcast_ref::<StatusError>().is_some_and(|status| status.code == 409)
}

/// The patch from `current` to the manifest, and its kind.
pub(crate) fn patch(placed: &Placed, current: &Value) -> anyhow::Result<(Value, &'static str)> {
    let last = current.pointer("/metadata/annotations").and_then(|all| all.get(LAST_APPLIED));
    let last: Option<Value> = last
        .and_then(Value::as_str)
        .map(serde_json::from_str)
        .transpose()
        .context("malformed last-applied configuration")?;
    let computed = match placed.resource.message {
        Some(message) => {
            let patch = strategic::three_way(last.as_ref(), &placed.object, current, message);
            patch.map(|patch| (patch, "application/strategic-merge-patch+json"))
        }
        None => merge::three_way(last.as_ref(), &placed.object, current)
            .map(|patch| (patch, "application/merge-patch+json")),
    };
    computed.with_context(|| format!("cannot compare \"{}\" with the cluster", placed.source))
}

/// Puts the configuration, as it is, into the annotation.
pub(crate) fn note_configuration(object: &mut Value) -> anyhow::Result<()> {
    let metadata = object.get_mut("metadata").context("the object has no metadata")?;
    let metadata = metadata.as_object_mut().context("the object's metadata is not a map")?;
    let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
    if annotations.is_null() {
        *annotations = json!({});
    }
    let annotations = annotations.as_object_mut().context("the annotations are not a map")?;
    annotations.remove(LAST_APPLIED);
    let configuration = format!("{object}\n");
    let annotations = object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut);
    if let Some(annotations) = annotations {
        annotations.insert(LAST_APPLIED.to_owned(), configuration.into());
    }
    Ok(())
}

async fn server_side(session: &Session, args: &ApplyArgs, placed: Placed) -> anyhow::Result<Value> {
    let Placed { source, object, resource, namespace, name } = placed;
    let manager = args.write.field_manager.as_deref().unwrap_or(SERVER_SIDE_MANAGER);
    let query = query(&[
        ("dryRun", args.write.dry_run_parameter()?),
        ("fieldManager", Some(manager)),
        ("fieldValidation", Some(field_validation(&args.validate)?)),
        ("force", args.force_conflicts.then_some("true")),
    ]);
    let path = format!("{}{query}", resource.object_path(&namespace, &name));
    let body = Bytes::from(object.to_string());
    let call = Call::patch(path, "application/apply-patch+yaml", body);
    let applied = session.ask(&resource, call).await;
    let applied = match applied {
        Err(error) if is_conflict(&error) => bail!("{error}\n{CONFLICT_ADVICE}"),
        applied => applied.with_context(|| format!("error when applying \"{source}\""))?,
    };
    reported(session, args, &resource, applied, "serverside-applied")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::built_in;

    fn placed(object: Value) -> Placed {
        let mut placed = Placed {
            source: "x.yaml".to_owned(),
            object,
            resource: built_in("cm").unwrap(),
            namespace: "default".to_owned(),
            name: "a".to_owned(),
        };
        note_configuration(&mut placed.object).unwrap();
        placed
    }

    #[test]
    fn the_annotation_holds_the_configuration_without_itself() {
        let mut object = json!({"kind": "ConfigMap", "metadata": {"name": "a"}});
        note_configuration(&mut object).unwrap();
        let expected =
            "{\"kind\":\"ConfigMap\",\"metadata\":{\"annotations\":{},\"name\":\"a\"}}\n";
        assert_eq!(object["metadata"]["annotations"][LAST_APPLIED], expected);
        let before = object.clone();
        note_configuration(&mut object).unwrap();
        assert_eq!(object, before, "doing it twice changes nothing");
    }

    #[test]
    fn what_is_applied_already_needs_no_patch() {
        let placed =
            placed(json!({"kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "v"}}));
        let mut current = placed.object.clone();
        current["metadata"]["uid"] = "1".into();
        current["data"]["others"] = "stays".into();
        assert_eq!(patch(&placed, &current).unwrap().0, json!({}));
    }

    #[test]
    fn what_was_applied_and_is_gone_is_deleted() {
        let before = placed(json!({"kind": "ConfigMap", "metadata": {"name": "a"},
            "data": {"k": "v", "old": "x"}}));
        let mut current = before.object.clone();
        current["data"]["others"] = "stays".into();
        let now =
            placed(json!({"kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "w"}}));
        let (patch, content_type) = patch(&now, &current).unwrap();
        assert_eq!(patch["data"], json!({"k": "w", "old": null}));
        assert_eq!(content_type, "application/strategic-merge-patch+json");
    }
}
