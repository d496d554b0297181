//! Admission: what the server itself demands of objects, beyond what their kind does.
//!
//! A write passes an ordered chain of plugins twice, as in Kubernetes: each may change the object,
//! then the rules of the kind are applied, then each may refuse what came of it. Quotas come last:
//! what they charge is for an object that nothing else refuses any more.
//!
//! Spec: <https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/>

mod certificates;
mod default_ingress_class;
mod default_storage_class;
mod default_tolerations;
mod limit_ranger;
mod namespace_lifecycle;
mod pod_security;
mod priority;
mod resource_quota;
mod runtime_class;
mod service_account;
mod services;
mod storage_in_use;
mod taint_nodes;
mod volume_resize;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use wk_api::ApiError;
use wk_auth::User;
use wk_resources::Update;

use crate::catalog::Resource;
use crate::config::TolerationSeconds;
use crate::object::Object;
use crate::server::ApiServer;
use crate::services::Reserved;

pub(crate) use namespace_lifecycle::{NAMESPACES, admit_delete, namespaces};
pub(crate) use priority::{SYSTEM_CLASSES, system_class};
pub(crate) use resource_quota::Charge;
pub(crate) use runtime_class::BUILT_IN as RUNTIME_CLASSES;

/// Where a kind is in the catalogue: group, version, plural.
type Place = (&'static str, &'static str, &'static str);

/// What is written, before and after.
#[derive(Clone, Copy)]
pub(crate) struct Attributes<'a> {
    pub(crate) server: &'a ApiServer,
    pub(crate) resource: &'a Resource,
    /// Empty for objects of the cluster.
    pub(crate) namespace: &'a str,
    /// Which part is written; a new object is written as a whole.
    pub(crate) part: Update,
    /// What is replaced; `None` for a new object.
    pub(crate) old: Option<&'a Value>,
    /// Who asks for it; `None` for writes of the server itself.
    pub(crate) user: Option<&'a User>,
    pub(crate) dry_run: bool,
}

impl<'a> Attributes<'a> {
    /// A new object.
    pub(crate) fn create(
        server: &'a ApiServer,
        resource: &'a Resource,
        namespace: &'a str,
        user: &'a User,
        dry_run: bool,
    ) -> Self {
        let user = Some(user);
        Self { server, resource, namespace, part: Update::Whole, old: None, user, dry_run }
    }

    /// Whether the object is new.
    fn creates(&self) -> bool {
        self.old.is_none()
    }

    /// Whether the write is of whole objects of a kind, by group and plural.
    fn is(&self, group: &str, plural: &str) -> bool {
        self.part == Update::Whole && self.is_kind(group, plural)
    }

    /// Whether the write is of any part of objects of a kind, by group and plural.
    fn is_kind(&self, group: &str, plural: &str) -> bool {
        self.resource.definition.group == group && self.resource.definition.plural == plural
    }

    /// Whether the object is a new pod.
    fn is_new_pod(&self) -> bool {
        self.creates() && self.is("", "pods")
    }

    /// 403 about the object, by the name it has or is going to be made from.
    fn forbidden(&self, object: &Value, why: &str) -> ApiError {
        let metadata = &object["metadata"];
        let text = |field: &str| metadata[field].as_str().filter(|text| !text.is_empty());
        let name = text("name").or_else(|| text("generateName")).unwrap_or("Unknown");
        ApiError::forbidden(&self.resource.gr, name, why)
    }

    /// An object of another kind.
    fn find(&self, place: Place, namespace: &str, name: &str) -> Option<Value> {
        let resource = self.server.catalog.get(place.0, place.1, place.2)?;
        Some(resource.shelf.get(&resource.key(namespace, name))?.value())
    }

    /// All objects of another kind in a namespace; everywhere for an empty one.
    fn list(&self, place: Place, namespace: &str) -> Vec<Value> {
        let Some(resource) = self.server.catalog.get(place.0, place.1, place.2) else {
            return Vec::new();
        };
        let found = resource.shelf.snapshot(&resource.range(namespace), usize::MAX, 0, |_| true);
        found.objects.iter().map(|object| object.value()).collect()
    }

    /// The namespace of the object.
    fn namespace_object(&self) -> Option<Value> {
        let namespaces = &self.server.namespaces;
        Some(namespaces.shelf.get(&namespaces.key("", self.namespace))?.value())
    }
}

/// One concern of admission.
#[async_trait]
trait Plugin: fmt::Debug + Send + Sync {
    /// Whether the plugin has a say; what it does not handle costs nothing more.
    fn handles(&self, attributes: &Attributes<'_>) -> bool;

    /// Completes a defaulted object, or refuses it.
    async fn mutate(
        &self,
        _attributes: &Attributes<'_>,
        _object: &mut Value,
    ) -> Result<(), ApiError> {
        Ok(())
    }

    /// Refuses an object that its kind finds valid.
    async fn validate(
        &self,
        _attributes: &Attributes<'_>,
        _object: &Value,
    ) -> Result<(), ApiError> {
        Ok(())
    }
}

/// The chain.
#[derive(Debug)]
pub(crate) struct Admission {
    plugins: Vec<Box<dyn Plugin>>,
    quotas: Arc<resource_quota::Quotas>,
}

impl Admission {
    /// The plugins that Kubernetes turns on by itself, in its order.
    pub(crate) fn new(tolerations: TolerationSeconds) -> Self {
        let quotas = Arc::new(resource_quota::Quotas::default());
        Self {
            plugins: vec![
                Box::new(namespace_lifecycle::NamespaceLifecycle),
                Box::new(limit_ranger::LimitRanger),
                Box::new(service_account::ServiceAccount),
                Box::new(taint_nodes::TaintNodesByCondition),
                Box::new(pod_security::PodSecurity),
                Box::new(priority::Priority),
                Box::new(default_tolerations::DefaultTolerationSeconds(tolerations)),
                Box::new(default_storage_class::DefaultStorageClass),
                Box::new(storage_in_use::StorageObjectInUseProtection),
                Box::new(volume_resize::PersistentVolumeClaimResize),
                Box::new(runtime_class::RuntimeClass),
                Box::new(certificates::CertificateApproval),
                Box::new(certificates::CertificateSigning),
                Box::new(certificates::CertificateSubjectRestriction),
                Box::new(default_ingress_class::DefaultIngressClass),
                Box::new(services::KeepAllocated),
                Box::new(resource_quota::TrueStatus(Arc::clone(&quotas))),
            ],
            quotas,
        }
    }

    /// Notes that this server wrote an object, over what it saw.
    pub(crate) fn wrote(&self, resource: &Resource, seen: Option<&Object>, object: &Object) {
        if resource.definition.plural == "resourcequotas" && resource.definition.group.is_empty() {
            self.quotas.wrote(seen, object);
        }
    }

    /// Completes a defaulted object, or refuses it.
    pub(crate) async fn mutate(
        &self,
        attributes: &Attributes<'_>,
        object: &mut Value,
    ) -> Result<(), ApiError> {
        for plugin in self.plugins.iter().filter(|plugin| plugin.handles(attributes)) {
            plugin.mutate(attributes, object).await?;
        }
        Ok(())
    }

    /// Refuses an object that its kind finds valid, or charges the namespace's quotas for it. The
    /// charge is held until it is said what came of the write.
    pub(crate) async fn validate(
        &self,
        attributes: &Attributes<'_>,
        object: &Value,
    ) -> Result<Charge, ApiError> {
        for plugin in self.plugins.iter().filter(|plugin| plugin.handles(attributes)) {
            plugin.validate(attributes, object).await?;
        }
        self.quotas.charge(attributes, object).await
    }
}

/// Gives back what an object had and has no more, now that it is stored so or gone.
pub(crate) fn release(server: &ApiServer, resource: &Resource, old: &Object, new: Option<&Object>) {
    let definition = &resource.definition;
    if definition.group.is_empty() && definition.plural == "services" {
        let new = new.map(Object::value);
        server.services.exchange(old.key(), Some(&old.value()), new.as_ref());
    }
}

/// Takes what an object needs out of the cluster's supplies and writes it into the object. What
/// was taken goes back unless the object is stored.
pub(crate) fn reserve<'a>(
    server: &'a ApiServer,
    resource: &Resource,
    key: &str,
    object: &mut Value,
    dry_run: bool,
) -> Result<Reserved<'a>, ApiError> {
    let definition = &resource.definition;
    if !definition.group.is_empty() || definition.plural != "services" {
        return Ok(Reserved::nothing());
    }
    let reserved = server.services.reserve(key, object)?;
    // A trial is shown what it would get, and gives it back.
    Ok(if dry_run { Reserved::nothing() } else { reserved })
}

/// The text of a field, or nothing.
fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

/// The items of a list field, or none.
fn items<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map_or(&[], Vec::as_slice)
}

/// The list in a field, made if it is not there.
fn list_mut<'a>(value: &'a mut Value, field: &str) -> &'a mut Vec<Value> {
    let list = &mut value[field];
    if !list.is_array() {
        *list = Value::Array(Vec::new());
    }
    match list {
        Value::Array(list) => list,
        // Made an array two lines above.
        _ => unreachable!("the field was made a list"),
    }
}
