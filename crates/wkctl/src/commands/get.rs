//! `get`: objects as rows or documents, once or as they change.

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::select::{self, Found, SelectArgs};
use crate::client::{Call, JSON, TABLE};
use crate::error::{Told, all_good, found};
use crate::kinds::{Resource, query, text};
use crate::manifest::FileArgs;
use crate::output::jsonpath::Template;
use crate::output::table::{TableOptions, TablePrinter};
use crate::output::{Format, hide_managed_fields, sort};
use crate::session::Session;
use crate::target::{Target, targets};
use crate::watch::{Pauses, Watch};

/// Arguments of `get`.
#[derive(Debug, clap::Args)]
pub(crate) struct GetArgs {
    /// TYPE [NAME...], TYPE/NAME..., or TYPE,TYPE
    #[arg(value_name = "WHAT")]
    words: Vec<String>,
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    select: SelectArgs,
    /// wide, yaml, json, name, jsonpath=..., jsonpath-file=..., custom-columns=..., or
    /// custom-columns-file=...
    #[arg(short, long, value_name = "FORMAT")]
    output: Option<String>,
    /// Leave out the headers of columns
    #[arg(long)]
    no_headers: bool,
    /// Add a column with all labels
    #[arg(long)]
    show_labels: bool,
    /// Add columns for these labels
    #[arg(short = 'L', long, value_name = "LABEL", value_delimiter = ',')]
    label_columns: Vec<String>,
    /// Write the type before names
    #[arg(long)]
    show_kind: bool,
    /// Sort by the value at a JSON path
    #[arg(long, value_name = "JSONPATH")]
    sort_by: Option<String>,
    /// Go on with changes after the list
    #[arg(short, long)]
    watch: bool,
    /// Show changes only
    #[arg(long)]
    watch_only: bool,
    /// Add a column with what happened
    #[arg(long)]
    output_watch_events: bool,
    /// Say nothing about objects that do not exist
    #[arg(long)]
    ignore_not_found: bool,
    /// Print the fields that say who manages what, too
    #[arg(long)]
    show_managed_fields: bool,
    /// How many objects to ask for at a time; 0 is all
    #[arg(long, value_name = "COUNT", default_value = "500")]
    chunk_size: u64,
    /// Show this part of the objects, such as `status` or `scale`
    #[arg(long, value_name = "NAME")]
    subresource: Option<String>,
    /// Print what the server answers for this path
    #[arg(long, value_name = "PATH")]
    raw: Option<String>,
}

pub(crate) async fn run(session: &Session, args: GetArgs) -> anyhow::Result<()> {
    if let Some(path) = &args.raw {
        let answer = session.client().await?.bytes(Call::get(path)).await?;
        return Ok(session.console.print(answer)?);
    }
    let get = Get {
        session,
        format: Format::parse(args.output.as_deref())?,
        sort: args.sort_by.as_deref().map(Template::parse_relaxed).transpose()?,
        targets: Vec::new(),
        args,
    };
    get.run().await
}

struct Get<'a> {
    session: &'a Session,
    args: GetArgs,
    format: Format,
    sort: Option<Template>,
    targets: Vec<Wanted>,
}

/// A resource and the names wanted of it, by namespace.
struct Wanted {
    resource: Resource,
    /// Empty for all or the selected ones.
    names: Vec<(String, String)>,
}

impl Get<'_> {
    async fn run(mut self) -> anyhow::Result<()> {
        if self.args.output_watch_events && !self.args.watch && !self.args.watch_only {
            bail!("--output-watch-events option can only be used with --watch or --watch-only");
        }
        self.targets = self.wanted().await?;
        if self.args.watch || self.args.watch_only {
            self.watch().await
        } else if self.format.is_table() {
            self.tables().await
        } else {
            self.documents().await
        }
    }

    async fn wanted(&self) -> anyhow::Result<Vec<Wanted>> {
        let (session, args) = (self.session, &self.args);
        let mut wanted: Vec<Wanted> = Vec::new();
        if !args.files.is_empty() {
            let none = SelectArgs::default();
            let named = select::named(session, &args.words, &args.files, &none, false).await?;
            for (resource, namespace, name) in named {
                let name = (namespace, name.unwrap_or_default());
                match wanted.last_mut().filter(|last| last.resource == resource) {
                    Some(last) => last.names.push(name),
                    None => wanted.push(Wanted { resource, names: vec![name] }),
                }
            }
            return Ok(wanted);
        }
        if args.words.is_empty() {
            let texts = [
                "You must specify the type of resource to get. Use \"wkctl api-resources\" for a \
                 complete list of supported resources.\n",
                "error: Required resource not specified.",
                "Use \"wkctl explain <resource>\" for a detailed description of that resource \
                 (e.g. wkctl explain pods).",
                "See 'wkctl get -h' for help and examples",
            ];
            return Err(Told { texts: texts.map(str::to_owned).to_vec(), code: 1 }.into());
        }
        for Target { resource, names } in targets(session, &args.words).await? {
            if names.is_empty() && args.subresource.is_some() {
                bail!("subresource cannot be used when bulk resources are specified");
            }
            if !names.is_empty() && !args.select.is_empty() {
                bail!("name cannot be provided when a selector is specified");
            }
            if !names.is_empty() && args.select.all_namespaces {
                bail!("a resource cannot be retrieved by name across all namespaces");
            }
            let namespace =
                if names.is_empty() { String::new() } else { session.namespace().await? };
            let names = names.into_iter().map(|name| (namespace.clone(), name)).collect();
            wanted.push(Wanted { resource, names });
        }
        Ok(wanted)
    }

    fn printer(&self, resource: &Resource) -> TablePrinter {
        let args = &self.args;
        let options = TableOptions {
            wide: matches!(self.format, Format::Table { wide: true }),
            no_headers: args.no_headers,
            with_namespace: args.select.all_namespaces && resource.namespaced,
            with_kind: args.show_kind || self.targets.len() > 1,
            show_labels: args.show_labels,
            label_columns: args.label_columns.clone(),
            with_event: args.output_watch_events,
        };
        TablePrinter::new(options, resource.singular_with_group())
    }

    /// Whole objects are only needed to sort by something in them.
    fn include_object(&self) -> Option<&'static str> {
        self.sort.as_ref().map(|_| "Object")
    }

    async fn tables(&self) -> anyhow::Result<()> {
        let (console, mut errors, mut printed) = (&self.session.console, Vec::new(), false);
        for wanted in &self.targets {
            let mut table = if wanted.names.is_empty() {
                self.table(&wanted.resource).await?
            } else {
                self.table_of(wanted, &mut errors).await
            };
            let rows = table.get_mut("rows").and_then(Value::as_array_mut);
            let Some(rows) = rows.filter(|rows| !rows.is_empty()) else { continue };
            if let Some(path) = &self.sort {
                sort::sort(rows, path, |row| row.get("object").unwrap_or(&Value::Null));
            }
            if printed && !self.args.no_headers {
                console.line("")?;
            }
            printed = true;
            console.print(self.printer(&wanted.resource).lines(&table, ""))?;
        }
        if !printed && errors.is_empty() && !self.args.ignore_not_found {
            self.nothing_found().await?;
        }
        all_good(errors)
    }

    async fn nothing_found(&self) -> anyhow::Result<()> {
        let namespaced = self.targets.iter().any(|wanted| wanted.resource.namespaced);
        if namespaced && !self.args.select.all_namespaces {
            let namespace = self.session.namespace().await?;
            self.session.console.note(format!("No resources found in {namespace} namespace."));
        } else {
            self.session.console.note("No resources found");
        }
        Ok(())
    }

    /// All pages of a list as one table.
    async fn table(&self, resource: &Resource) -> anyhow::Result<Value> {
        let select = &self.args.select;
        let namespace = select::list_namespace(self.session, resource, select).await?;
        let path = resource.path(namespace.as_deref());
        let limit = (self.args.chunk_size > 0).then(|| self.args.chunk_size.to_string());
        let mut whole: Option<Value> = None;
        let mut token = String::new();
        loop {
            let query = query(&[
                ("limit", limit.as_deref()),
                ("labelSelector", select.selector.as_deref()),
                ("fieldSelector", select.field_selector.as_deref()),
                ("includeObject", self.include_object()),
                ("continue", Some(token.as_str()).filter(|token| !token.is_empty())),
            ]);
            let call = Call::get(format!("{path}{query}")).accept(TABLE);
            let mut page = self.session.ask(resource, call).await?;
            token = text(&page, "/metadata/continue").to_owned();
            match &mut whole {
                None => whole = Some(page),
                Some(whole) => {
                    append(whole, &mut page);
                    whole["metadata"] = page["metadata"].take();
                }
            }
            if token.is_empty() {
                return Ok(whole.unwrap_or_default());
            }
        }
    }

    /// The path of an object, or of the part of it that is wanted.
    fn path(&self, resource: &Resource, namespace: &str, name: &str) -> String {
        let part = self.args.subresource.as_ref().map_or(String::new(), |part| format!("/{part}"));
        format!("{}{part}", resource.object_path(namespace, name))
    }

    /// The named objects as one table; those that cannot be had are in the errors.
    async fn table_of(&self, wanted: &Wanted, errors: &mut Vec<anyhow::Error>) -> Value {
        let query = query(&[("includeObject", self.include_object())]);
        let mut whole: Option<Value> = None;
        for (namespace, name) in &wanted.names {
            let path = self.path(&wanted.resource, namespace, name);
            let call = Call::get(format!("{path}{query}")).accept(TABLE);
            match (self.optional(self.session.ask(&wanted.resource, call).await), &mut whole) {
                (Ok(Some(mut table)), Some(whole)) => append(whole, &mut table),
                (Ok(Some(table)), None) => whole = Some(table),
                (Ok(None), _) => {}
                (Err(error), _) => errors.push(error),
            }
        }
        whole.unwrap_or_default()
    }

    /// What is missing is no error if `--ignore-not-found` says so.
    fn optional(&self, answer: anyhow::Result<Value>) -> anyhow::Result<Option<Value>> {
        if self.args.ignore_not_found { found(answer) } else { answer.map(Some) }
    }

    async fn documents(&self) -> anyhow::Result<()> {
        let (mut objects, mut errors) = (Vec::new(), Vec::new());
        for wanted in &self.targets {
            if wanted.names.is_empty() {
                let select = &self.args.select;
                objects.extend(select::list(self.session, &wanted.resource, select).await?);
            }
            for (namespace, name) in &wanted.names {
                let call = Call::get(self.path(&wanted.resource, namespace, name));
                match self.optional(self.session.ask(&wanted.resource, call).await) {
                    Ok(Some(object)) => objects.push(Found::of(&wanted.resource, object)),
                    Ok(None) => {}
                    Err(error) => errors.push(error),
                }
            }
        }
        if let Some(path) = &self.sort {
            sort::sort(&mut objects, path, |found| &found.object);
        }
        let single = matches!(self.targets.as_slice(), [wanted] if wanted.names.len() == 1);
        self.print_documents(objects, single)?;
        all_good(errors)
    }

    fn print_documents(&self, objects: Vec<Found>, single: bool) -> anyhow::Result<()> {
        let console = &self.session.console;
        if matches!(self.format, Format::Name) {
            for object in objects {
                console.line(object.named())?;
            }
            return Ok(());
        }
        let Some(resource) = objects.first().map(|found| found.resource.clone()) else {
            if single {
                return Ok(());
            }
            let resource = &self.targets.first().context("nothing was asked for")?.resource;
            return Ok(console.print(self.format.object(&list(&[]), resource)?)?);
        };
        let mut objects: Vec<Value> = objects.into_iter().map(|found| found.object).collect();
        let mut document = if single { objects.remove(0) } else { list(&objects) };
        if !self.args.show_managed_fields {
            hide_managed_fields(&mut document);
        }
        if let Format::Columns(columns) = &self.format {
            return Ok(console.print(columns.rows(&document, !self.args.no_headers))?);
        }
        Ok(console.print(self.format.object(&document, &resource)?)?)
    }

    async fn watch(&self) -> anyhow::Result<()> {
        let [wanted] = self.targets.as_slice() else {
            bail!("you may only specify a single resource type");
        };
        let (name, namespace) = match wanted.names.as_slice() {
            [] => {
                let select = &self.args.select;
                (None, select::list_namespace(self.session, &wanted.resource, select).await?)
            }
            [(namespace, name)] => (Some(name), Some(namespace.clone())),
            _ => bail!("watch is only supported on individual resources and resource collections"),
        };
        let by_name = name.map(|name| format!("metadata.name={name}"));
        let fields = by_name.as_deref().or(self.args.select.field_selector.as_deref());
        let path = wanted.resource.path(namespace.as_deref());
        let mut shown = Shown {
            get: self,
            resource: &wanted.resource,
            printer: self.printer(&wanted.resource),
            headers: !self.args.no_headers,
        };
        let accept = if self.format.is_table() { TABLE } else { JSON };
        let selection =
            [("labelSelector", self.args.select.selector.as_deref()), ("fieldSelector", fields)];
        let call = Call::get(format!("{path}{}", query(&selection))).accept(accept);
        let mut first = self.session.ask(&wanted.resource, call).await?;
        let mut revision = text(&first, "/metadata/resourceVersion").to_owned();
        if !self.args.watch_only {
            if let Some(name) = name {
                let has = |list: &str| first[list].as_array().is_some_and(|list| !list.is_empty());
                if !has("rows") && !has("items") {
                    // Only a GET says in which words the object is missing.
                    select::one(self.session, &wanted.resource, &shown.namespace(namespace), name)
                        .await?;
                }
            }
            shown.list(&mut first)?;
        }
        let mut pauses = Pauses::default();
        loop {
            let parameters = [
                ("watch", Some("true")),
                ("resourceVersion", Some(revision.as_str())),
                ("allowWatchBookmarks", Some("true")),
                selection[0],
                selection[1],
            ];
            let path = format!("{path}{}", query(&parameters));
            let mut watch = Watch::start(self.session.client().await?, path, accept).await?;
            let mut delivered = false;
            // A server ends watches from time to time.
            while let Some(change) = watch.next().await? {
                delivered = true;
                let latest = match text(&change.object, "/metadata/resourceVersion") {
                    "" => text(&change.object, "/rows/0/object/metadata/resourceVersion"),
                    latest => latest,
                };
                if !latest.is_empty() {
                    latest.clone_into(&mut revision);
                }
                if change.event != "BOOKMARK" {
                    shown.change(change.object, &change.event)?;
                }
            }
            pauses.after(delivered).await;
        }
    }
}

/// A list of anything, as kubectl makes it.
fn list(items: &[Value]) -> Value {
    json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": items})
}

fn append(whole: &mut Value, page: &mut Value) {
    let rows = page.get_mut("rows").and_then(Value::as_array_mut).map(std::mem::take);
    if let Some(all) = whole.get_mut("rows").and_then(Value::as_array_mut) {
        all.extend(rows.unwrap_or_default());
    }
}

/// What a watch has printed so far.
struct Shown<'a> {
    get: &'a Get<'a>,
    resource: &'a Resource,
    printer: TablePrinter,
    headers: bool,
}

impl Shown<'_> {
    fn namespace(&self, namespace: Option<String>) -> String {
        namespace.filter(|_| self.resource.namespaced).unwrap_or_default()
    }

    fn list(&mut self, list: &mut Value) -> anyhow::Result<()> {
        if self.get.format.is_table() {
            return self.change(list.take(), "ADDED");
        }
        let items = list.get_mut("items").and_then(Value::as_array_mut).map(std::mem::take);
        for mut item in items.unwrap_or_default() {
            if let Some(fields) = item.as_object_mut() {
                fields.entry("apiVersion").or_insert_with(|| self.resource.api_version().into());
                fields.entry("kind").or_insert_with(|| self.resource.kind.clone().into());
            }
            self.change(item, "ADDED")?;
        }
        Ok(())
    }

    fn change(&mut self, mut object: Value, event: &str) -> anyhow::Result<()> {
        let console = &self.get.session.console;
        if self.get.format.is_table() {
            let rows = object.get("rows").and_then(Value::as_array);
            if rows.is_some_and(|rows| !rows.is_empty()) {
                console.print(self.printer.lines(&object, event))?;
            }
            return Ok(console.flush()?);
        }
        if !self.get.args.show_managed_fields {
            hide_managed_fields(&mut object);
        }
        match &self.get.format {
            Format::Columns(columns) => {
                console.print(columns.rows(&object, std::mem::take(&mut self.headers)))?;
            }
            format => {
                if matches!(format, Format::Yaml) && !std::mem::take(&mut self.headers) {
                    console.line("---")?;
                }
                console.print(format.object(&object, self.resource)?)?;
            }
        }
        Ok(console.flush()?)
    }
}
