//! `describe`: objects in detail, for people, with what happened to them.

mod node;
mod others;
mod pod;
mod text;

use serde_json::Value;

use super::events;
use super::select::{self, Found, SelectArgs};
use crate::error::all_good;
use crate::kinds;
use crate::manifest::FileArgs;
use crate::session::Session;
use text::Text;

/// Arguments of `describe`.
#[derive(Debug, clap::Args)]
pub(crate) struct DescribeArgs {
    /// TYPE [NAME...], or TYPE/NAME...
    #[arg(value_name = "WHAT")]
    words: Vec<String>,
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    select: SelectArgs,
    /// Whether to show events
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = true,
        default_missing_value = "true", action = clap::ArgAction::Set, value_name = "BOOL")]
    show_events: bool,
}

pub(crate) async fn run(session: &Session, args: DescribeArgs) -> anyhow::Result<()> {
    let (objects, errors) =
        select::objects(session, &args.words, &args.files, &args.select, true).await?;
    if objects.is_empty() && errors.is_empty() {
        if args.select.all_namespaces {
            session.console.note("No resources found");
        } else {
            let namespace = session.namespace().await?;
            session.console.note(format!("No resources found in {namespace} namespace."));
        }
    }
    for (index, object) in objects.iter().enumerate() {
        if index > 0 {
            session.console.print("\n\n")?;
        }
        let described = describe(session, &args, object).await?;
        session.console.print(described)?;
    }
    all_good(errors)
}

async fn describe(session: &Session, args: &DescribeArgs, found: &Found) -> anyhow::Result<String> {
    let object = &found.object;
    let happened =
        if args.show_events { Some(events::about(session, object).await?) } else { None };
    let mut out = Text::default();
    let core = found.resource.group.is_empty();
    match found.resource.kind.as_str() {
        "Pod" if core => pod::describe(&mut out, object),
        "Node" if core => {
            let pods = node::pods(session, &found.name).await?;
            node::describe(&mut out, object, &pods);
        }
        "Namespace" if core => others::namespace(&mut out, object),
        "ConfigMap" if core => others::config_map(&mut out, object),
        "Secret" if core => others::secret(&mut out, object),
        "Service" if core => others::service(&mut out, object),
        "ServiceAccount" if core => others::service_account(&mut out, object),
        _ => others::anything(&mut out, object),
    }
    if let Some(happened) = happened {
        show_events(&mut out, &happened);
    }
    Ok(out.finish())
}

/// Name, namespace, labels and annotations, which all descriptions begin with.
fn head(out: &mut Text, object: &Value) {
    out.pair(0, "Name:", kinds::text(object, "/metadata/name"));
    let namespace = kinds::text(object, "/metadata/namespace");
    if !namespace.is_empty() {
        out.pair(0, "Namespace:", namespace);
    }
}

fn metadata(out: &mut Text, object: &Value) {
    out.map(0, "Labels:", object.pointer("/metadata/labels"), "=");
    let mut annotations = object.pointer("/metadata/annotations").cloned().unwrap_or_default();
    if let Some(annotations) = annotations.as_object_mut() {
        annotations.remove(super::apply::LAST_APPLIED);
    }
    out.map(0, "Annotations:", Some(&annotations), ": ");
}

fn show_events(out: &mut Text, events: &[Value]) {
    if events.is_empty() {
        out.pair(0, "Events:", "<none>");
        return;
    }
    out.line(0, "Events:");
    out.row(1, ["Type", "Reason", "Age", "From", "Message"]);
    out.row(1, ["----", "------", "----", "----", "-------"]);
    for event in events {
        let from = match kinds::text(event, "/source/component") {
            "" => kinds::text(event, "/reportingComponent"),
            component => component,
        };
        out.row(
            1,
            [
                kinds::text(event, "/type"),
                kinds::text(event, "/reason"),
                &events::seen(event),
                from,
                kinds::text(event, "/message").trim(),
            ],
        );
    }
}
