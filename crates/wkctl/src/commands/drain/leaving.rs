//! The pods of a node, and which of them are gone: one list and one watch for all of them.

use std::collections::BTreeSet;

use anyhow::Context as _;
use serde_json::Value;

use crate::client::{Call, JSON};
use crate::commands::select::Found;
use crate::error::StatusError;
use crate::kinds::{Resource, built_in, query, text};
use crate::session::Session;
use crate::watch::{Pauses, Watch};

/// A watch over the pods of one node.
pub(super) struct Leaving<'a> {
    session: &'a Session,
    pods: Resource,
    selection: String,
    chunk: Option<String>,
    revision: String,
    /// The pods of the list, until somebody takes them.
    listed: Vec<Found>,
    /// Uids of those that are still there.
    there: BTreeSet<String>,
    watch: Option<Watch>,
    pauses: Pauses,
    delivered: bool,
}

impl<'a> Leaving<'a> {
    pub(super) async fn start(
        session: &'a Session,
        node: &str,
        chunk: u64,
    ) -> anyhow::Result<Self> {
        let mut leaving = Self {
            session,
            pods: built_in("pods").context("pods are built in")?,
            selection: format!("spec.nodeName={node}"),
            chunk: (chunk > 0).then(|| chunk.to_string()),
            revision: String::new(),
            listed: Vec::new(),
            there: BTreeSet::new(),
            watch: None,
            pauses: Pauses::default(),
            delivered: false,
        };
        leaving.list().await?;
        Ok(leaving)
    }

    /// The pods that were there at first.
    pub(super) fn take(&mut self) -> Vec<Found> {
        std::mem::take(&mut self.listed)
    }

    pub(super) fn is_gone(&self, pod: &Found) -> bool {
        !self.there.contains(text(&pod.object, "/metadata/uid"))
    }

    async fn list(&mut self) -> anyhow::Result<()> {
        self.listed.clear();
        let mut token = String::new();
        loop {
            let query = query(&[
                ("fieldSelector", Some(&self.selection)),
                ("limit", self.chunk.as_deref()),
                ("continue", Some(token.as_str()).filter(|token| !token.is_empty())),
            ]);
            let call = Call::get(format!("{}{query}", self.pods.path(None)));
            let mut page = self.session.ask(&self.pods, call).await?;
            text(&page, "/metadata/resourceVersion").clone_into(&mut self.revision);
            text(&page, "/metadata/continue").clone_into(&mut token);
            let items = page.get_mut("items").and_then(Value::as_array_mut);
            for item in items.into_iter().flatten() {
                self.listed.push(Found::of(&self.pods, item.take()));
            }
            if token.is_empty() {
                break;
            }
        }
        let uid = |pod: &Found| text(&pod.object, "/metadata/uid").to_owned();
        self.there = self.listed.iter().map(uid).collect();
        Ok(())
    }

    /// Waits until pods go; the result is their uids. May be dropped and called again.
    pub(super) async fn next(&mut self) -> anyhow::Result<Vec<String>> {
        loop {
            if self.watch.is_none() {
                let query = query(&[
                    ("watch", Some("true")),
                    ("fieldSelector", Some(&self.selection)),
                    ("resourceVersion", Some(&self.revision)),
                ]);
                let path = format!("{}{query}", self.pods.path(None));
                let client = self.session.client().await?;
                self.watch = Some(Watch::start(client, path, JSON).await?);
            }
            let Some(watch) = &mut self.watch else { continue };
            match watch.next().await {
                Ok(Some(change)) => {
                    self.delivered = true;
                    let latest = text(&change.object, "/metadata/resourceVersion");
                    if !latest.is_empty() {
                        latest.clone_into(&mut self.revision);
                    }
                    let uid = text(&change.object, "/metadata/uid").to_owned();
                    match change.event.as_str() {
                        "DELETED" => {
                            self.there.remove(&uid);
                            return Ok(vec![uid]);
                        }
                        "BOOKMARK" => {}
                        _ => drop(self.there.insert(uid)),
                    }
                }
                Ok(None) => {
                    self.watch = None;
                    self.pauses.after(std::mem::take(&mut self.delivered)).await;
                }
                Err(error) if is_expired(&error) => {
                    self.watch = None;
                    let before = std::mem::take(&mut self.there);
                    self.list().await?;
                    let gone: Vec<String> = before.difference(&self.there).cloned().collect();
                    if !gone.is_empty() {
                        return Ok(gone);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }
}

fn is_expired(error: &anyhow::Error) -> bool {
    error.downcast_ref::<StatusError>().is_some_and(|status| status.code == 410)
}
