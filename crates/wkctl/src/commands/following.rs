//! One object as it changes: what it is now, and then what it becomes.

use serde_json::Value;

use super::select::Found;
use crate::client::{Call, JSON};
use crate::error::StatusError;
use crate::kinds::{query, text};
use crate::session::Session;
use crate::watch::{Pauses, Watch};

/// An object that is watched. Watches that end are started again.
pub(crate) struct Following<'a> {
    session: &'a Session,
    object: &'a Found,
    /// The revision that was seen last.
    revision: String,
    watch: Option<Watch>,
    pauses: Pauses,
    /// Whether the present watch has delivered anything.
    delivered: bool,
}

impl<'a> Following<'a> {
    /// The object as it is, if it is, and what follows.
    pub(crate) async fn start(
        session: &'a Session,
        object: &'a Found,
    ) -> anyhow::Result<(Self, Option<Value>)> {
        let (revision, watch, pauses) = (String::new(), None, Pauses::default());
        let mut following = Self { session, object, revision, watch, pauses, delivered: false };
        let now = following.look().await?;
        Ok((following, now))
    }

    fn path(&self, watch: bool) -> String {
        let selection = format!("metadata.name={}", self.object.name);
        let query = query(&[
            ("watch", watch.then_some("true")),
            ("resourceVersion", watch.then_some(self.revision.as_str())),
            ("fieldSelector", Some(&selection)),
        ]);
        format!("{}{query}", self.object.resource.path(Some(&self.object.namespace)))
    }

    async fn look(&mut self) -> anyhow::Result<Option<Value>> {
        let call = Call::get(self.path(false));
        let mut list = self.session.ask(&self.object.resource, call).await?;
        text(&list, "/metadata/resourceVersion").clone_into(&mut self.revision);
        let mut item = list.pointer_mut("/items/0").map(Value::take);
        if let Some(fields) = item.as_mut().and_then(Value::as_object_mut) {
            let resource = &self.object.resource;
            fields.entry("apiVersion").or_insert_with(|| resource.api_version().into());
            fields.entry("kind").or_insert_with(|| resource.kind.clone().into());
        }
        Ok(item)
    }

    /// Waits for what the object becomes next; `None` when it is deleted.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Option<Value>> {
        loop {
            match self.change().await {
                Ok(Some((event, object))) => {
                    let latest = text(&object, "/metadata/resourceVersion");
                    if !latest.is_empty() {
                        latest.clone_into(&mut self.revision);
                    }
                    self.delivered = true;
                    match event.as_str() {
                        "BOOKMARK" => {}
                        "DELETED" => return Ok(None),
                        _ => return Ok(Some(object)),
                    }
                }
                // The server ends watches from time to time.
                Ok(None) => {
                    self.watch = None;
                    self.pauses.after(std::mem::take(&mut self.delivered)).await;
                }
                Err(error) if is_expired(&error) => {
                    self.watch = None;
                    return self.look().await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn change(&mut self) -> anyhow::Result<Option<(String, Value)>> {
        if self.watch.is_none() {
            let client = self.session.client().await?;
            self.watch = Some(Watch::start(client, self.path(true), JSON).await?);
        }
        let Some(watch) = &mut self.watch else { return Ok(None) };
        Ok(watch.next().await?.map(|change| (change.event, change.object)))
    }
}

fn is_expired(error: &anyhow::Error) -> bool {
    error.downcast_ref::<StatusError>().is_some_and(|status| status.code == 410)
}
