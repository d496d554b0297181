//! The revisions of a workload's template, as they are stored.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, PostParams, Preconditions};
use kube::{Api, Client};
use wk_api::names::NamespacedName;
use wk_client::{Informer, Mark, WorkQueue};

use crate::claims::written;
use crate::meta::{Meta, OwnerKind};
use crate::revisions::{self, Newest};
use crate::{is_gone, unless_gone};

/// How many revisions are kept of a workload that does not say.
const USUAL_LIMIT: i32 = 10;

/// The revisions that there are, and the way to change them.
pub(crate) struct History {
    pub(crate) client: Client,
    pub(crate) revisions: Informer<ControllerRevision>,
    /// Whose revisions they are.
    pub(crate) kind: OwnerKind,
    /// The label by which they carry their hash.
    pub(crate) hash_label: &'static str,
}

/// What came of writing the newest revision.
pub(crate) enum Recorded {
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

    /// Asks for a look at each workload whose revisions change.
    pub(crate) fn wake(&self, queue: &WorkQueue<NamespacedName>) {
        let (kind, queue, seen) = (self.kind, queue.clone(), self.revisions.clone());
        self.revisions.on_change(move |key| {
            let Some(revision) = seen.get(key) else { return };
            let meta = Meta::of(&revision.metadata);
            if let Some(owner) = meta.controller().filter(|owner| owner.is_a(&kind)) {
                let namespace = key.namespace.clone();
                queue.add(NamespacedName { namespace, name: owner.name.to_string() });
            }
        });
    }

    /// The revisions that the workload with this uid manages.
    pub(crate) fn of(&self, key: &NamespacedName, uid: &str) -> Vec<ControllerRevision> {
        let is_ours = |one: &Arc<ControllerRevision>| {
            Meta::of(&one.metadata).controller().is_some_and(|owner| owner.uid.as_str() == uid)
        };
        let all = self.revisions.in_namespace(key.namespace.as_deref().unwrap_or_default());
        all.iter().filter(|one| is_ours(one)).map(|one| (**one).clone()).collect()
    }

    /// The revision that the template of `owner` is or becomes.
    pub(crate) fn newest(
        &self,
        owner: &ObjectMeta,
        template: &PodTemplateSpec,
        collisions: Option<i32>,
        existing: &[ControllerRevision],
    ) -> Newest {
        revisions::newest(self.kind, self.hash_label, owner, template, collisions, existing)
    }

    /// The hash by which a revision is known.
    pub(crate) fn hash<'a>(&self, revision: &'a ControllerRevision) -> &'a str {
        let labels = revision.metadata.labels.as_ref();
        labels.and_then(|all| all.get(self.hash_label)).map_or("", String::as_str)
    }

    /// Writes the newest revision.
    pub(crate) async fn record(
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
                    // One that was made before, of which the cache does not know yet, is no other.
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

    /// Removes the oldest revisions beyond the limit whose name `live` does not have.
    pub(crate) async fn cut(
        &self,
        key: &NamespacedName,
        limit: Option<i32>,
        existing: &[ControllerRevision],
        live: &[&str],
    ) -> Result<(), kube::Error> {
        for one in revisions::surplus(existing, live, limit.unwrap_or(USUAL_LIMIT)) {
            let uid = one.metadata.uid.clone();
            let preconditions = Some(Preconditions { uid, resource_version: None });
            let params = DeleteParams { preconditions, ..DeleteParams::default() };
            unless_gone(self.api(key).delete(revisions::name(&one), &params).await)?;
        }
        Ok(())
    }
}
