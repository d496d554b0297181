//! Changing objects that are there: what is to be different goes to the server as a patch.

use anyhow::Context as _;
use serde_json::{Map, Value};
use wk_patch::{merge, strategic};

use super::select::Found;
use super::writing::{DryRun, WriteArgs, report};
use crate::client::Call;
use crate::kinds::query;
use crate::session::{Session, missing_resource};

pub(crate) const JSON_PATCH: &str = "application/json-patch+json";
pub(crate) const MERGE_PATCH: &str = "application/merge-patch+json";
pub(crate) const STRATEGIC_PATCH: &str = "application/strategic-merge-patch+json";

/// Who changes objects, and how.
#[derive(Clone, Copy)]
pub(crate) struct Changes<'a> {
    pub(crate) session: &'a Session,
    pub(crate) write: &'a WriteArgs,
    /// Manager of the fields, unless the command line names one.
    pub(crate) manager: &'a str,
}

impl Changes<'_> {
    /// Makes an object what it is to be. `None` if it is that already.
    pub(crate) async fn make(
        &self,
        found: &Found,
        wanted: &Value,
    ) -> anyhow::Result<Option<Value>> {
        let (patch, content_type) = match found.resource.message {
            Some(message) => (strategic::create(&found.object, wanted, message)?, STRATEGIC_PATCH),
            None => (merge::create(&found.object, wanted)?, MERGE_PATCH),
        };
        if patch.as_object().is_some_and(Map::is_empty) {
            return Ok(None);
        }
        if self.write.dry_run()? == DryRun::Client {
            return Ok(Some(wanted.clone()));
        }
        self.patch(found, "", content_type, &patch).await.map(Some)
    }

    /// Sends a patch of an object, or of a part of it such as `/status`.
    pub(crate) async fn patch(
        &self,
        found: &Found,
        part: &str,
        content_type: &'static str,
        patch: &Value,
    ) -> anyhow::Result<Value> {
        let manager = self.write.field_manager.as_deref().unwrap_or(self.manager);
        let query =
            query(&[("dryRun", self.write.dry_run_parameter()?), ("fieldManager", Some(manager))]);
        let path = format!("{}{part}{query}", found.path());
        let call = Call::patch(path, content_type, patch.to_string());
        let answer = self.session.client().await?.object(call).await;
        answer.map_err(|error| match part {
            "" => missing_resource(error, &found.resource),
            _ => error,
        })
    }

    /// Makes an object what it is to be, and says what was done; nothing if nothing had to be.
    pub(crate) async fn make_and_report(
        &self,
        found: &Found,
        wanted: &Value,
        done: &str,
    ) -> anyhow::Result<()> {
        let failed = || format!("failed to patch {}", found.named());
        if let Some(changed) = self.make(found, wanted).await.with_context(failed)? {
            report(self.session, self.write, &found.resource, changed, done)?;
        }
        Ok(())
    }
}
