//! Which objects a command is about, and finding them.

use anyhow::bail;
use serde_json::Value;

use crate::client::Call;
use crate::kinds::{Resource, query, text};
use crate::manifest::{self, FileArgs};
use crate::session::Session;
use crate::target::{Target, targets};

/// Selectors.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct SelectArgs {
    /// Only objects whose labels match, such as `app=web,tier!=db`
    #[arg(short = 'l', long, value_name = "LABELS")]
    pub(crate) selector: Option<String>,
    /// Only objects whose fields match, such as `status.phase=Running`
    #[arg(long, value_name = "FIELDS")]
    pub(crate) field_selector: Option<String>,
    /// In all namespaces
    #[arg(short = 'A', long)]
    pub(crate) all_namespaces: bool,
}

impl SelectArgs {
    /// Whether anything is selected.
    pub(crate) fn is_empty(&self) -> bool {
        self.selector.is_none() && self.field_selector.is_none()
    }
}

/// What commands that change objects are about.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct WhatArgs {
    /// TYPE NAME..., or TYPE/NAME...
    #[arg(value_name = "WHAT")]
    pub(crate) words: Vec<String>,
    #[command(flatten)]
    pub(crate) files: FileArgs,
    /// Only objects whose labels match, such as `app=web,tier!=db`
    #[arg(short = 'l', long, value_name = "LABELS")]
    pub(crate) selector: Option<String>,
}

impl WhatArgs {
    /// The objects; those that cannot be had are in the errors. `all` allows a type alone.
    pub(crate) async fn objects(
        &self,
        session: &Session,
        all: bool,
    ) -> anyhow::Result<(Vec<Found>, Vec<anyhow::Error>)> {
        let select = SelectArgs { selector: self.selector.clone(), ..SelectArgs::default() };
        objects(session, &self.words, &self.files, &select, all).await
    }

    /// The objects of manifests, without asking a server for them.
    pub(crate) async fn local(&self, session: &Session) -> anyhow::Result<Vec<Found>> {
        let selector = self.selector.as_deref().map(wk_api::LabelSelector::parse).transpose()?;
        let mut found = Vec::new();
        for manifest in manifest::read(&self.files)? {
            let placed = manifest::place_offline(session, manifest).await?;
            let labels = placed.object.pointer("/metadata/labels").unwrap_or(&Value::Null);
            if selector.as_ref().is_none_or(|selector| selector.matches(labels)) {
                found.push(placed.into_found());
            }
        }
        Ok(found)
    }
}

/// Says that there is nothing to work on.
pub(crate) async fn nothing_found(session: &Session, namespaced: bool) -> anyhow::Result<()> {
    if namespaced {
        let namespace = session.namespace().await?;
        session.console.note(format!("No resources found in {namespace} namespace."));
    } else {
        session.console.note("No resources found");
    }
    Ok(())
}

/// An object and where it is.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) resource: Resource,
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// `null` if nobody has asked the server for it.
    pub(crate) object: Value,
}

impl Found {
    pub(crate) fn of(resource: &Resource, object: Value) -> Self {
        Self {
            resource: resource.clone(),
            namespace: text(&object, "/metadata/namespace").to_owned(),
            name: text(&object, "/metadata/name").to_owned(),
            object,
        }
    }

    pub(crate) fn path(&self) -> String {
        self.resource.object_path(&self.namespace, &self.name)
    }

    /// `pod/web`.
    pub(crate) fn named(&self) -> String {
        self.resource.named(&self.name)
    }

    /// `deployments.apps "web"`.
    pub(crate) fn quoted(&self) -> String {
        format!("{} {:?}", self.resource.plural_with_group(), self.name)
    }

    /// Whether it is of this kind of Kubernetes' own.
    pub(crate) fn is(&self, group: &str, kind: &str) -> bool {
        self.resource.group == group && self.resource.kind == kind
    }

    /// The kind with its group: `ReplicaSet.apps`.
    pub(crate) fn kind(&self) -> String {
        match self.resource.group.as_str() {
            "" => self.resource.kind.clone(),
            group => format!("{}.{group}", self.resource.kind),
        }
    }
}

/// The namespace that lists of a resource are taken from; `None` for the cluster or all namespaces.
pub(crate) async fn list_namespace(
    session: &Session,
    resource: &Resource,
    select: &SelectArgs,
) -> anyhow::Result<Option<String>> {
    if select.all_namespaces || !resource.namespaced {
        return Ok(None);
    }
    Ok(Some(session.namespace().await?))
}

/// All objects of a resource that are selected.
pub(crate) async fn list(
    session: &Session,
    resource: &Resource,
    select: &SelectArgs,
) -> anyhow::Result<Vec<Found>> {
    let namespace = list_namespace(session, resource, select).await?;
    list_in(session, resource, namespace.as_deref(), select).await
}

/// All objects of a resource in a namespace, or in all of them, that are selected.
pub(crate) async fn list_in(
    session: &Session,
    resource: &Resource,
    namespace: Option<&str>,
    select: &SelectArgs,
) -> anyhow::Result<Vec<Found>> {
    let path = resource.path(namespace);
    let mut objects = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let query = query(&[
            ("limit", Some("500")),
            ("labelSelector", select.selector.as_deref()),
            ("fieldSelector", select.field_selector.as_deref()),
            ("continue", token.as_deref()),
        ]);
        let mut page = session.ask(resource, Call::get(format!("{path}{query}"))).await?;
        token =
            Some(text(&page, "/metadata/continue").to_owned()).filter(|token| !token.is_empty());
        for mut item in page
            .get_mut("items")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
            .map(Value::take)
        {
            // Items of a list do not say what they are.
            if let Some(fields) = item.as_object_mut() {
                fields.entry("apiVersion").or_insert_with(|| resource.api_version().into());
                fields.entry("kind").or_insert_with(|| resource.kind.clone().into());
            }
            objects.push(Found::of(resource, item));
        }
        if token.is_none() {
            return Ok(objects);
        }
    }
}

/// One object.
pub(crate) async fn one(
    session: &Session,
    resource: &Resource,
    namespace: &str,
    name: &str,
) -> anyhow::Result<Found> {
    let call = Call::get(resource.object_path(namespace, name));
    Ok(Found::of(resource, session.ask(resource, call).await?))
}

/// The objects that words, files and selectors name. Those that cannot be had are in the errors.
pub(crate) async fn objects(
    session: &Session,
    words: &[String],
    files: &FileArgs,
    select: &SelectArgs,
    all: bool,
) -> anyhow::Result<(Vec<Found>, Vec<anyhow::Error>)> {
    let (mut objects, mut errors) = (Vec::new(), Vec::new());
    for (resource, namespace, name) in named(session, words, files, select, all).await? {
        match name {
            Some(name) => match one(session, &resource, &namespace, &name).await {
                Ok(object) => objects.push(object),
                Err(error) => errors.push(error),
            },
            None => objects.extend(list(session, &resource, select).await?),
        }
    }
    Ok((objects, errors))
}

/// What words and files name: resource, namespace and name; no name for all or the selected ones.
pub(crate) async fn named(
    session: &Session,
    words: &[String],
    files: &FileArgs,
    select: &SelectArgs,
    all: bool,
) -> anyhow::Result<Vec<(Resource, String, Option<String>)>> {
    let mut named = Vec::new();
    if !files.is_empty() {
        if !words.is_empty() {
            bail!("when files are given, no resource may be given by argument too");
        }
        for manifest in manifest::read(files)? {
            let placed = manifest::place(session, manifest).await?;
            named.push((placed.resource, placed.namespace, Some(placed.name)));
        }
        return Ok(named);
    }
    for Target { resource, names } in targets(session, words).await? {
        if names.is_empty() {
            if !all && select.is_empty() {
                bail!("resource(s) were provided, but no name was specified");
            }
            named.push((resource, String::new(), None));
            continue;
        }
        if !select.is_empty() {
            bail!("name cannot be provided when a selector is specified");
        }
        if select.all_namespaces {
            bail!("a resource cannot be retrieved by name across all namespaces");
        }
        let namespace = session.namespace().await?;
        let each = names.into_iter().map(|name| (resource.clone(), namespace.clone(), Some(name)));
        named.extend(each);
    }
    Ok(named)
}
