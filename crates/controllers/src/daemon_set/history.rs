//! The revisions of a `DaemonSet`'s template, as they are stored.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::{ControllerRevision, DaemonSet};
use kube::api::{DeleteParams, PostParams, Preconditions};
use kube::{Api, Client};
use wk_api::names::NamespacedName;
use wk_api::well_known::CONTROLLER_REVISION_HASH_LABEL;
use wk_client::{Informer, Mark};

use super::plan::KIND;
use crate::claims::written;
use crate::meta::Meta;
use crate::revisions::{self, Newest};
use crate::{is_gone, unless_gone};

/// The revisions that there are, and the way to change them.
pub(super) struct History {
    pub(super) client: Client,
    pub(super) revisions: Informer<ControllerRevision>,
}

/// What came of writing the newest revision.
pub(super) enum Recorded {
    /// It is there already.
    Known,
    /// It was written; the cache shows it after this.
    Written(Mark),
    /// Its name belongs to another template: another name has to be tried.
    Collided,
    /// The cache is behind, or the namespace is going: there is nothing to do now.
    Later,
}

impl History {
    fn api(&self, key: &NamespacedName) -> Api<ControllerRevision> {
        Api::namespaced(self.client.clone(), key.namespace.as_deref().unwrap_or_default())
    }

    /// The revisions that the set with this uid manages.
    pub(super) fn of(&self, key: &NamespacedName, uid: &str) -> Vec<ControllerRevision> {
        let is_ours = |one: &Arc<ControllerRevision>| {
            Meta::of(&one.metadata).controller().is_some_and(|owner| owner.uid.as_str() == uid)
        };
        let all = self.revisions.in_namespace(key.namespace.as_deref().unwrap_or_default());
        all.iter().filter(|one| is_ours(one)).map(|one| (**one).clone()).collect()
    }

    /// The revision that a set's template is or becomes.
    pub(super) fn newest(set: &DaemonSet, existing: &[ControllerRevision]) -> Option<Newest> {
        let template = &set.spec.as_ref()?.template;
        let collisions = set.status.as_ref().and_then(|status| status.collision_count);
        let label = CONTROLLER_REVISION_HASH_LABEL;
        Some(revisions::newest(KIND, label, &set.metadata, template, collisions, existing))
    }

    /// The hash by which pods of a revision are known.
    pub(super) fn hash(revision: &ControllerRevision) -> &str {
        let labels = revision.metadata.labels.as_ref();
        labels.and_then(|all| all.get(CONTROLLER_REVISION_HASH_LABEL)).map_or("", String::as_str)
    }

    /// Writes the newest revision.
    pub(super) async fn record(
        &self,
        key: &NamespacedName,
        newest: &Newest,
    ) -> Result<Recorded, kube::Error> {
        let api = self.api(key);
        let version = match newest {
            Newest::Is(_) => return Ok(Recorded::Known),
            Newest::Renumber(one) => {
                written(api.replace(revisions::name(one), &PostParams::default(), one).await)?
            }
            Newest::Create(one) => match api.create(&PostParams::default(), one).await {
                Ok(made) => made.metadata.resource_version,
                Err(kube::Error::Api(status)) if status.is_already_exists() => {
                    let there = api.get_opt(revisions::name(one)).await?;
                    let is_ours = there.is_none_or(|there| {
                        let owners =
                            (&there.metadata.owner_references, &one.metadata.owner_references);
                        there.data == one.data && owners.0 == owners.1
                    });
                    return Ok(if is_ours { Recorded::Later } else { Recorded::Collided });
                }
                Err(error) if is_gone(&error) => return Ok(Recorded::Later),
                Err(error) => return Err(error),
            },
        };
        Ok(Recorded::Written(self.revisions.mark(version.as_deref())))
    }

    /// Removes the oldest revisions beyond the set's limit that are the template of no pod.
    pub(super) async fn cut(
        &self,
        key: &NamespacedName,
        set: &DaemonSet,
        existing: &[ControllerRevision],
        live: &[&str],
    ) -> Result<(), kube::Error> {
        let limit = set.spec.as_ref().and_then(|spec| spec.revision_history_limit).unwrap_or(10);
        let live: Vec<&str> = existing
            .iter()
            .filter(|one| live.contains(&Self::hash(one)))
            .map(revisions::name)
            .collect();
        for one in revisions::surplus(existing, &live, limit) {
            let uid = one.metadata.uid.clone();
            let preconditions = Some(Preconditions { uid, resource_version: None });
            let params = DeleteParams { preconditions, ..DeleteParams::default() };
            unless_gone(self.api(key).delete(revisions::name(&one), &params).await)?;
        }
        Ok(())
    }
}
