//! `events`: what happened, oldest first.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use serde_json::Value;

use super::select::{self, SelectArgs};
use crate::client::JSON;
use crate::kinds::{built_in, query, text};
use crate::output::Format;
use crate::output::table::Widths;
use crate::session::Session;
use crate::watch::Watch;

/// Arguments of `events`.
#[derive(Debug, clap::Args)]
pub(crate) struct EventsArgs {
    /// Only those about this object, as TYPE/NAME
    #[arg(long = "for", value_name = "TYPE/NAME")]
    about: Option<String>,
    /// In all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Only those of these types: `Normal`, `Warning`
    #[arg(long, value_name = "TYPE", value_delimiter = ',')]
    types: Vec<String>,
    /// Go on as more happens
    #[arg(short, long)]
    watch: bool,
    /// Leave out the headers of columns
    #[arg(long)]
    no_headers: bool,
    /// json or yaml
    #[arg(short, long, value_name = "FORMAT")]
    output: Option<String>,
}

pub(crate) async fn run(session: &Session, args: EventsArgs) -> anyhow::Result<()> {
    let is_known =
        |kind: &String| ["Normal", "Warning"].iter().any(|known| known.eq_ignore_ascii_case(kind));
    if !args.types.iter().all(is_known) {
        bail!("valid --types are Normal or Warning");
    }
    let events = built_in("events").context("events are built in")?;
    let fields = match &args.about {
        None => None,
        Some(about) => {
            let (kind, name) = about
                .split_once('/')
                .context("--for must be in resource/name form, such as pod/web")?;
            let kind = session.resource(kind).await?.kind;
            Some(format!("involvedObject.kind={kind},involvedObject.name={name}"))
        }
    };
    let select = SelectArgs {
        field_selector: fields,
        all_namespaces: args.all_namespaces,
        ..SelectArgs::default()
    };
    let mut found: Vec<Value> = select::list(session, &events, &select)
        .await?
        .into_iter()
        .map(|event| event.object)
        .collect();
    let revision = newest(&found);
    found.retain(|event| args.is_wanted(event));
    found.sort_by_cached_key(last_seen);
    let format = Format::parse(args.output.as_deref())?;
    let (console, mut widths) = (&session.console, Widths::default());
    if format.is_table() {
        if found.is_empty() && !args.watch {
            let namespace = session.namespace().await?;
            if args.all_namespaces {
                console.note("No events found.");
            } else {
                console.note(format!("No events found in {namespace} namespace."));
            }
            return Ok(());
        }
        let mut rows = Vec::new();
        if !args.no_headers {
            rows.push(args.header());
        }
        rows.extend(found.iter().map(|event| args.row(event)));
        console.print(widths.lines(&rows))?;
    } else {
        let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": found,
            "metadata": {"resourceVersion": ""}});
        console.print(format.object(&list, &events)?)?;
    }
    if !args.watch {
        return Ok(());
    }
    console.flush()?;
    let namespace = select::list_namespace(session, &events, &select).await?;
    let query = query(&[
        ("watch", Some("true")),
        ("resourceVersion", revision.as_deref()),
        ("fieldSelector", select.field_selector.as_deref()),
    ]);
    let path = format!("{}{query}", events.path(namespace.as_deref()));
    let mut watch = Watch::start(session.client().await?, path, JSON).await?;
    while let Some(change) = watch.next().await? {
        if change.event == "DELETED" || !args.is_wanted(&change.object) {
            continue;
        }
        if format.is_table() {
            console.print(widths.lines(&[args.row(&change.object)]))?;
        } else {
            console.print(format.object(&change.object, &events)?)?;
        }
        console.flush()?;
    }
    Ok(())
}

/// The revision after which a watch shows what the list does not have.
fn newest(events: &[Value]) -> Option<String> {
    let revision = |event: &Value| text(event, "/metadata/resourceVersion").parse::<u64>().ok();
    events.iter().filter_map(revision).max().map(|revision| revision.to_string())
}

/// When an event was seen last.
pub(crate) fn last_seen(event: &Value) -> Option<Timestamp> {
    let pointers = [
        "/series/lastObservedTime",
        "/lastTimestamp",
        "/eventTime",
        "/firstTimestamp",
        "/metadata/creationTimestamp",
    ];
    pointers.iter().find_map(|pointer| wk_api::parse_time(text(event, pointer)))
}

/// How long ago a time was, as people read it.
pub(crate) fn age(time: Option<Timestamp>) -> String {
    match time {
        None => "<unknown>".to_owned(),
        Some(time) => wk_api::time::human_duration(Timestamp::now().duration_since(time).as_secs()),
    }
}

/// When an event was seen last, and how often since when.
pub(crate) fn seen(event: &Value) -> String {
    let count = event.pointer("/series/count").or_else(|| event.get("count"));
    let count = count.and_then(Value::as_i64).unwrap_or(1);
    let last = age(last_seen(event));
    if count < 2 {
        return last;
    }
    let first = wk_api::parse_time(text(event, "/firstTimestamp"))
        .or_else(|| wk_api::parse_time(text(event, "/eventTime")));
    format!("{last} (x{count} over {})", age(first))
}

impl EventsArgs {
    fn is_wanted(&self, event: &Value) -> bool {
        let kind = text(event, "/type");
        self.types.is_empty() || self.types.iter().any(|wanted| wanted.eq_ignore_ascii_case(kind))
    }

    fn header(&self) -> Vec<String> {
        let namespace = self.all_namespaces.then_some("NAMESPACE");
        let columns = ["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"];
        namespace.into_iter().chain(columns).map(str::to_owned).collect()
    }

    fn row(&self, event: &Value) -> Vec<String> {
        let kind = text(event, "/involvedObject/kind");
        let mut row = Vec::new();
        row.extend(self.all_namespaces.then(|| text(event, "/metadata/namespace").to_owned()));
        row.extend([
            seen(event),
            text(event, "/type").to_owned(),
            text(event, "/reason").to_owned(),
            format!("{kind}/{}", text(event, "/involvedObject/name")),
            text(event, "/message").trim().to_owned(),
        ]);
        row
    }
}

/// The events about an object, oldest first.
pub(crate) async fn about(session: &Session, object: &Value) -> anyhow::Result<Vec<Value>> {
    let events = built_in("events").context("events are built in")?;
    let mut fields = BTreeMap::from([
        ("involvedObject.name", text(object, "/metadata/name")),
        ("involvedObject.kind", text(object, "/kind")),
    ]);
    let uid = text(object, "/metadata/uid");
    // Events about nodes carry the node's name as uid.
    if !uid.is_empty() && text(object, "/kind") != "Node" {
        fields.insert("involvedObject.uid", uid);
    }
    let fields: Vec<String> =
        fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let fields = fields.join(",");
    let namespace = match text(object, "/metadata/namespace") {
        "" => "default",
        namespace => namespace,
    };
    let query = query(&[("fieldSelector", Some(fields.as_str()))]);
    let path = format!("{}{query}", events.path(Some(namespace)));
    let mut list = session.ask(&events, crate::client::Call::get(path)).await?;
    let mut items = match list.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    };
    items.sort_by_cached_key(last_seen);
    Ok(items)
}
