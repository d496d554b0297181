//! Resource quotas: what a namespace may have in all.
//!
//! A new object is charged to the quotas of its namespace before it is stored, by compare-and-swap
//! on their `status.used`. Requests of one namespace take turns; whoever has the turn charges for
//! all that wait, so that many creates cost few writes. What is charged and not stored yet is *under
//! way*: it is remembered here, so that a count of what is there never forgets it and nobody can
//! write a `used` that is too low. A quota is therefore never overdrawn, whatever happens at once.
//!
//! What deleted objects leave behind is lowered by a controller, and here when a request would be
//! refused otherwise: nobody is turned away for want of what is free. That is so as long as no other
//! server charges over the same store ([`Others`]): what it has under way is not known here, so that
//! what is written counts, and only a controller that tries again later lowers it.
//!
//! Spec: <https://kubernetes.io/docs/concepts/policy/resource-quotas/>

mod books;
mod others;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::Instant;
use wk_api::{ApiError, GroupResource};
use wk_resources::Update;
use wk_resources::quota::{self, Amounts};

use self::books::{Book, Counting, Refusal};
use self::others::Others;
use super::{Attributes, Place, Plugin};
use crate::catalog::Resource;
use crate::object::{Object, to_stored};
use crate::server::ApiServer;
use crate::storage::Unwritten;

const QUOTAS: Place = ("", "v1", "resourcequotas");
/// How often a charge is tried when others write the same quota, as in Kubernetes and once more.
const ATTEMPTS: usize = 8;

/// What is charged, and by whose turn.
#[derive(Debug, Default)]
pub(crate) struct Quotas {
    lanes: Mutex<HashMap<String, Arc<Lane>>>,
    next: AtomicU64,
    others: Others,
}

/// The requests of one namespace.
#[derive(Debug, Default)]
struct Lane {
    turn: tokio::sync::Mutex<()>,
    waiting: Mutex<Vec<Waiting>>,
    /// What is charged, or just being charged, and not known to be stored.
    under_way: Mutex<BTreeMap<u64, Arc<Request>>>,
}

/// An object to be charged for.
#[derive(Debug)]
struct Request {
    id: u64,
    kind: GroupResource,
    key: String,
    new: Value,
    old: Option<Value>,
    dry_run: bool,
}

#[derive(Debug)]
struct Waiting {
    request: Arc<Request>,
    outcome: oneshot::Sender<Result<(), Denied>>,
}

/// Why a request was not charged.
#[derive(Debug, Clone)]
enum Denied {
    /// A quota forbids it, for this reason.
    Forbidden(String),
    /// It could not be done.
    Failed(ApiError),
}

/// What a request was charged. Until it is dropped the object counts as under way.
#[derive(Debug, Default)]
pub(crate) struct Charge(Option<Charged>);

#[derive(Debug)]
struct Charged {
    lane: Arc<Lane>,
    namespace: String,
    id: u64,
    since: Instant,
}

impl Drop for Charged {
    fn drop(&mut self) {
        self.lane.under_way.lock().remove(&self.id);
    }
}

impl Charge {
    /// Whether the object may still be stored for it. An old charge other servers no longer know of.
    pub(crate) fn is_good(&self) -> bool {
        self.0.as_ref().is_none_or(|charged| others::is_good(charged.since))
    }

    /// Ends the charge: the object is stored, or it is not and the quotas get back what was taken.
    pub(crate) async fn settle(self, server: &ApiServer, is_stored: bool) {
        let Some(charged) = self.0 else { return };
        let (lane, namespace) = (Arc::clone(&charged.lane), charged.namespace.clone());
        drop(charged);
        if is_stored {
            return;
        }
        let Some(quotas) = server.catalog.get(QUOTAS.0, QUOTAS.1, QUOTAS.2) else { return };
        let _turn = lane.turn.lock().await;
        for object in in_namespace(&quotas, &namespace) {
            if server.admission.quotas.may_be_charged(server, &object) {
                continue;
            }
            let value = object.value();
            let used = count(server, &value, &namespace, &lane, &[]);
            // Whoever was faster has counted, too, or the controller will.
            let _lost = write(server, &quotas, &object, value, &used).await;
        }
    }
}

fn in_namespace(resource: &Resource, namespace: &str) -> Vec<Arc<Object>> {
    resource.shelf.snapshot(&resource.range(namespace), usize::MAX, 0, |_| true).objects
}

/// Whether a write can use more of a quota than before.
fn can_charge(attributes: &Attributes<'_>) -> bool {
    if attributes.namespace.is_empty() || !attributes.resource.definition.namespaced {
        return false;
    }
    attributes.creates()
        || attributes.is("", "services")
        || attributes.is("", "persistentvolumeclaims")
        || attributes.is_kind("", "pods") && attributes.part == Update::Subresource("resize")
}

/// The kind that an object is counted as.
fn counted_as(resource: &Resource) -> GroupResource {
    // A view of another kind's objects is counted with them.
    match resource.definition.stored_as {
        Some((group, _, kind)) => {
            let stored =
                wk_resources::builtin().iter().find(|d| d.group == group && d.kind == kind);
            stored.map_or_else(|| resource.gr.clone(), |stored| stored.group_resource())
        }
        None => resource.gr.clone(),
    }
}

impl Quotas {
    /// Notes that this server wrote a quota, over what it saw.
    pub(super) fn wrote(&self, seen: Option<&Object>, quota: &Object) {
        let seen = seen.map(|seen| seen.revision);
        self.others.wrote(quota.key(), seen, quota.revision);
    }

    /// Whether another server may have something under way for a quota.
    fn may_be_charged(&self, server: &ApiServer, quota: &Object) -> bool {
        server.storage.store.is_shared() && self.others.may_be_charging(quota)
    }

    fn lane(&self, namespace: &str) -> Arc<Lane> {
        Arc::clone(self.lanes.lock().entry(namespace.to_owned()).or_default())
    }

    /// Charges the quotas of the namespace for an object that is about to be written.
    ///
    /// # Errors
    /// 403 if a quota has not enough left.
    pub(super) async fn charge(
        &self,
        attributes: &Attributes<'_>,
        object: &Value,
    ) -> Result<Charge, ApiError> {
        if !can_charge(attributes) {
            return Ok(Charge::default());
        }
        let server = attributes.server;
        let Some(quotas) = server.catalog.get(QUOTAS.0, QUOTAS.1, QUOTAS.2) else {
            return Ok(Charge::default());
        };
        let kind = counted_as(attributes.resource);
        let concerned = in_namespace(&quotas, attributes.namespace)
            .iter()
            .any(|quota| quota::matches(&quota.value(), &kind, object));
        if !concerned {
            return Ok(Charge::default());
        }
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let request = Arc::new(Request {
            id: self.next.fetch_add(1, Ordering::Relaxed),
            kind,
            key: attributes.resource.key(attributes.namespace, name),
            new: object.clone(),
            old: attributes.old.cloned(),
            dry_run: attributes.dry_run,
        });
        let lane = self.lane(attributes.namespace);
        // From here on the request is forgotten again if its client goes away.
        let charged = Charged {
            lane: Arc::clone(&lane),
            namespace: attributes.namespace.to_owned(),
            id: request.id,
            since: Instant::now(),
        };
        match decided(server, &quotas, attributes.namespace, &lane, &request).await {
            Ok(()) => Ok(Charge(Some(charged))),
            Err(Denied::Forbidden(why)) => Err(attributes.forbidden(object, &why)),
            Err(Denied::Failed(error)) => Err(error),
        }
    }
}

/// Waits for the turn, and charges for all that wait unless somebody has.
async fn decided(
    server: &ApiServer,
    quotas: &Resource,
    namespace: &str,
    lane: &Arc<Lane>,
    request: &Arc<Request>,
) -> Result<(), Denied> {
    loop {
        let (outcome, mut answer) = oneshot::channel();
        lane.waiting.lock().push(Waiting { request: Arc::clone(request), outcome });
        let _turn = lane.turn.lock().await;
        match answer.try_recv() {
            Ok(decided) => return decided,
            // Whoever had the turn was cut off.
            Err(oneshot::error::TryRecvError::Closed) => continue,
            Err(oneshot::error::TryRecvError::Empty) => {}
        }
        let batch = std::mem::take(&mut *lane.waiting.lock());
        charge_all(server, quotas, namespace, lane, batch).await;
        if let Ok(decided) = answer.try_recv() {
            return decided;
        }
    }
}

/// Charges for a batch of requests and tells each what came of it.
async fn charge_all(
    server: &ApiServer,
    quotas: &Resource,
    namespace: &str,
    lane: &Lane,
    batch: Vec<Waiting>,
) {
    let ids: Vec<u64> = batch.iter().map(|waiting| waiting.request.id).collect();
    // What of this batch a quota holds already, from attempts that other quotas lost.
    let mut held: HashMap<String, Amounts> = HashMap::new();
    for _ in 0..ATTEMPTS {
        let objects = in_namespace(quotas, namespace);
        let mut books: Vec<Book> = objects
            .iter()
            .map(|object| {
                let value = object.value();
                let before = held.get(&**object.key());
                let charged = server.admission.quotas.may_be_charged(server, object);
                let counting = if charged { Counting::Unsafe } else { Counting::Safe };
                Book::open(value, before, counting, |quota| {
                    count(server, quota, namespace, lane, &ids)
                })
            })
            .collect();
        let mut outcomes = Vec::with_capacity(batch.len());
        for Waiting { request, .. } in &batch {
            let outcome = books::enter(&mut books, request, Timestamp::now(), |quota| {
                count(server, quota, namespace, lane, &ids)
            });
            let mut under_way = lane.under_way.lock();
            match &outcome {
                Ok(()) if !request.dry_run => {
                    under_way.insert(request.id, Arc::clone(request));
                }
                Ok(()) | Err(Refusal(_)) => {
                    under_way.remove(&request.id);
                }
            }
            outcomes.push(outcome.map_err(|Refusal(why)| Denied::Forbidden(why)));
        }
        match write_all(server, quotas, &objects, books, &mut held).await {
            Ok(true) => {
                for (waiting, outcome) in batch.into_iter().zip(outcomes) {
                    let _gone = waiting.outcome.send(outcome);
                }
                return;
            }
            Ok(false) => {}
            Err(error) => return fail_all(lane, batch, &error),
        }
    }
    let error = ApiError::conflict(
        &quotas.gr,
        namespace,
        "the object has been modified; please apply your changes to the latest version and try \
         again",
    );
    fail_all(lane, batch, &error);
}

fn fail_all(lane: &Lane, batch: Vec<Waiting>, error: &ApiError) {
    for waiting in batch {
        lane.under_way.lock().remove(&waiting.request.id);
        let _gone = waiting.outcome.send(Err(Denied::Failed(error.clone())));
    }
}

/// Writes the books that changed; whether all of them were.
async fn write_all(
    server: &ApiServer,
    quotas: &Resource,
    objects: &[Arc<Object>],
    books: Vec<Book>,
    held: &mut HashMap<String, Amounts>,
) -> Result<bool, ApiError> {
    let mut all = true;
    for (object, book) in objects.iter().zip(books) {
        if !book.is_changed() {
            continue;
        }
        let (key, used) = (object.key().to_string(), book.used());
        let (value, entered) = book.close();
        match write(server, quotas, object, value, &used).await {
            Ok(()) => {
                held.insert(key, entered);
            }
            Err(Unwritten::Conflict) => all = false,
            Err(Unwritten::Failed(error)) => return Err(error),
        }
    }
    Ok(all)
}

/// Writes what is used of a quota, if the quota is still as it was seen.
async fn write(
    server: &ApiServer,
    quotas: &Resource,
    seen: &Arc<Object>,
    mut value: Value,
    used: &Amounts,
) -> Result<(), Unwritten> {
    value["status"]["hard"] = value["spec"]["hard"].clone();
    value["status"]["used"] = quota::to_json(used);
    let json = to_stored(&mut value);
    // Others have to see that something was charged, also where the sum is the same as before.
    if json == *seen.stored() && !server.storage.store.is_shared() {
        return Ok(());
    }
    let written = server.storage.update(&quotas.shelf, seen.key(), json, seen.revision).await?;
    server.admission.quotas.wrote(Some(seen), &written);
    Ok(())
}

/// What is used of a quota: by what is stored, and by what is under way but for some requests.
fn count(server: &ApiServer, quota: &Value, namespace: &str, lane: &Lane, but: &[u64]) -> Amounts {
    let under_way: Vec<Arc<Request>> = {
        let under_way = lane.under_way.lock();
        under_way.values().filter(|request| !but.contains(&request.id)).map(Arc::clone).collect()
    };
    let mut objects: Vec<(GroupResource, Value)> = Vec::new();
    let kinds = server.catalog.kinds();
    for kind in quota::counted_kinds(quota) {
        let served = kinds.all.iter().find(|own| own.gr == kind && !own.view);
        let Some(served) = served.filter(|served| served.definition.namespaced) else { continue };
        for object in in_namespace(served, namespace) {
            // An object that is being changed counts as what it is going to be.
            let changing = under_way.iter().find(|request| {
                request.old.is_some() && request.kind == kind && request.key == **object.key()
            });
            let value = changing.map_or_else(|| object.value(), |request| request.new.clone());
            objects.push((kind.clone(), value));
        }
        for request in under_way.iter().filter(|one| one.old.is_none() && one.kind == kind) {
            if served.shelf.get(&request.key).is_none() {
                objects.push((kind.clone(), request.new.clone()));
            }
        }
    }
    let objects = objects.iter().map(|(kind, object)| (kind, object));
    quota::total(quota, objects, Timestamp::now())
}

/// Nobody lowers `status.used` below what there is and what is under way.
#[derive(Debug)]
pub(super) struct TrueStatus(pub(super) Arc<Quotas>);

#[async_trait]
impl Plugin for TrueStatus {
    fn handles(&self, attributes: &Attributes<'_>) -> bool {
        attributes.part == Update::Status && attributes.is_kind(QUOTAS.0, QUOTAS.2)
    }

    async fn mutate(&self, attributes: &Attributes<'_>, new: &mut Value) -> Result<(), ApiError> {
        let asked = quota::amounts(&new["status"]["used"]);
        let before = quota::amounts(&attributes.old.unwrap_or(&Value::Null)["status"]["used"]);
        let lowers =
            asked.iter().any(|(name, amount)| before.get(name).is_some_and(|b| amount < b));
        if !lowers {
            return Ok(());
        }
        let name = new["metadata"]["name"].as_str().unwrap_or_default();
        let quotas = attributes.resource;
        let now = quotas.get(attributes.namespace, name)?;
        if self.0.may_be_charged(attributes.server, &now) {
            // To be tried again: what another server has under way is not known here.
            return Err(ApiError::modified(&quotas.gr, name));
        }
        let lane = self.0.lane(attributes.namespace);
        let counted = count(attributes.server, new, attributes.namespace, &lane, &[]);
        for (name, amount) in asked {
            if let Some(true_amount) = counted.get(&name).filter(|counted| **counted > amount) {
                new["status"]["used"][name] = true_amount.to_string().into();
            }
        }
        Ok(())
    }
}
