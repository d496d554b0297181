//! Errors of the API and the `Status` object that carries them.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::fault::{Fault, aggregate, quote};
use crate::gvk::{GroupKind, GroupResource};

/// Why a request failed, in the one word that programs match on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Reason {
    /// No reason is given; written as nothing.
    #[serde(rename = "")]
    Unknown,
    /// Nobody, or somebody unknown, asked.
    Unauthorized,
    /// The one who asked may not.
    Forbidden,
    /// There is no such object, or no such resource.
    NotFound,
    /// An object of that name exists.
    AlreadyExists,
    /// The object was changed in the meantime, or a precondition failed.
    Conflict,
    /// The thing is gone for good.
    Gone,
    /// The revision asked for is too old.
    Expired,
    /// The object has faults; they are in `details.causes`.
    Invalid,
    /// The server could not finish in time; trying again may help.
    ServerTimeout,
    /// The deadline passed.
    Timeout,
    /// Too many requests at once.
    TooManyRequests,
    /// The request itself is malformed.
    BadRequest,
    /// The verb does not exist for the resource.
    MethodNotAllowed,
    /// None of the representations asked for can be made.
    NotAcceptable,
    /// The body is too large.
    RequestEntityTooLarge,
    /// The body has a form that is not understood.
    UnsupportedMediaType,
    /// The server is at fault.
    InternalError,
    /// The service is not available now.
    ServiceUnavailable,
}

impl Reason {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "",
            Self::Unauthorized => "Unauthorized",
            Self::Forbidden => "Forbidden",
            Self::NotFound => "NotFound",
            Self::AlreadyExists => "AlreadyExists",
            Self::Conflict => "Conflict",
            Self::Gone => "Gone",
            Self::Expired => "Expired",
            Self::Invalid => "Invalid",
            Self::ServerTimeout => "ServerTimeout",
            Self::Timeout => "Timeout",
            Self::TooManyRequests => "TooManyRequests",
            Self::BadRequest => "BadRequest",
            Self::MethodNotAllowed => "MethodNotAllowed",
            Self::NotAcceptable => "NotAcceptable",
            Self::RequestEntityTooLarge => "RequestEntityTooLarge",
            Self::UnsupportedMediaType => "UnsupportedMediaType",
            Self::InternalError => "InternalError",
            Self::ServiceUnavailable => "ServiceUnavailable",
        }
    }
}

/// One of several causes of an error.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cause {
    /// A word for programs, for instance `FieldValueInvalid`; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// A sentence for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The field at fault; empty when it is not about one field.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub field: String,
}

/// What an error is about.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Details {
    /// The name of the object.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The API group.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// The kind, or for most errors the plural resource name, as Kubernetes has it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// The uid of the object.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// The causes, one per fault.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<Cause>,
    /// How long to wait before trying again, in seconds; 0 when nothing is said.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retry_after_seconds: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(seconds: &u32) -> bool {
    *seconds == 0
}

/// An answer of the API that is not what was asked for.
///
/// `Display` is the message; [`ApiError::to_status`] the object that goes over the wire.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// The HTTP status code.
    pub code: u16,
    /// The word for programs.
    pub reason: Reason,
    /// The sentence for people.
    pub message: String,
    /// What it is about, where that is known.
    pub details: Option<Box<Details>>,
}

impl ApiError {
    /// An error without details.
    pub fn new(code: u16, reason: Reason, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: None }
    }

    fn about(mut self, resource: &GroupResource, name: &str) -> Self {
        self.details = Some(Box::new(Details {
            name: name.to_owned(),
            group: resource.group.clone(),
            kind: resource.resource.clone(),
            ..Details::default()
        }));
        self
    }

    /// The same error with causes added to its details.
    #[must_use]
    pub fn with_causes(mut self, causes: Vec<Cause>) -> Self {
        self.details.get_or_insert_default().causes = causes;
        self
    }

    /// The same error with a time to wait before the next try.
    #[must_use]
    pub fn with_retry_after(mut self, seconds: u32) -> Self {
        self.details.get_or_insert_default().retry_after_seconds = seconds;
        self
    }

    /// 404: `pods "x" not found`.
    pub fn not_found(resource: &GroupResource, name: &str) -> Self {
        Self::new(404, Reason::NotFound, format!("{resource} {} not found", quote(name)))
            .about(resource, name)
    }

    /// 404 for a resource that nobody serves.
    pub fn no_such_resource() -> Self {
        let mut error =
            Self::new(404, Reason::NotFound, "the server could not find the requested resource");
        error.details = Some(Box::default());
        error
    }

    /// 409: `pods "x" already exists`.
    pub fn already_exists(resource: &GroupResource, name: &str) -> Self {
        Self::new(409, Reason::AlreadyExists, format!("{resource} {} already exists", quote(name)))
            .about(resource, name)
    }

    /// 409: every name tried for a `generateName` was taken.
    pub fn generate_name_conflict(resource: &GroupResource, name: &str) -> Self {
        let message = format!(
            "{resource} {} already exists, the server was not able to generate a unique name for \
             the object",
            quote(name)
        );
        Self::new(409, Reason::AlreadyExists, message).about(resource, name).with_retry_after(1)
    }

    /// 409: `Operation cannot be fulfilled on pods "x": …`.
    pub fn conflict(resource: &GroupResource, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {resource} {}: {why}", quote(name));
        Self::new(409, Reason::Conflict, message).about(resource, name)
    }

    /// 409 for a `resourceVersion` that is no longer the current one.
    pub fn modified(resource: &GroupResource, name: &str) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version \
                   and try again";
        Self::conflict(resource, name, why)
    }

    /// 409 of a server-side apply that meets fields of other managers.
    pub fn apply_conflict(message: impl Into<String>, causes: Vec<Cause>) -> Self {
        Self::new(409, Reason::Conflict, message).with_causes(causes)
    }

    /// 410: the revision asked for is too old; clients list again.
    pub fn expired(message: impl Into<String>) -> Self {
        Self::new(410, Reason::Expired, message)
    }

    /// 410: the thing is gone for good.
    pub fn gone(message: impl Into<String>) -> Self {
        Self::new(410, Reason::Gone, message)
    }

    /// 422: `Pod "x" is invalid: …`, with one cause per fault.
    pub fn invalid(kind: &GroupKind, name: &str, faults: &[Fault]) -> Self {
        let name_shown = quote(name);
        let message = if faults.is_empty() {
            format!("{kind} {name_shown} is invalid")
        } else {
            format!("{kind} {name_shown} is invalid: {}", aggregate(faults))
        };
        let causes = faults
            .iter()
            .map(|fault| Cause {
                reason: fault.kind.reason().to_owned(),
                message: fault.body(),
                field: fault.field.clone(),
            })
            .collect();
        let mut error = Self::new(422, Reason::Invalid, message);
        error.details = Some(Box::new(Details {
            name: name.to_owned(),
            group: kind.group.clone(),
            kind: kind.kind.clone(),
            causes,
            ..Details::default()
        }));
        error
    }

    /// 400: the request is malformed.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, Reason::BadRequest, message)
    }

    /// 401: `Unauthorized`.
    pub fn unauthorized() -> Self {
        Self::new(401, Reason::Unauthorized, "Unauthorized")
    }

    /// 403: `pods "x" is forbidden: …`; an empty name leaves the name out.
    pub fn forbidden(resource: &GroupResource, name: &str, why: &str) -> Self {
        let message = if resource.resource.is_empty() {
            format!("forbidden: {why}")
        } else if name.is_empty() {
            format!("{resource} is forbidden: {why}")
        } else {
            format!("{resource} {} is forbidden: {why}", quote(name))
        };
        Self::new(403, Reason::Forbidden, message).about(resource, name)
    }

    /// 405: the verb does not exist for this resource.
    pub fn method_not_allowed(resource: &GroupResource, action: &str) -> Self {
        let shown = quote(&resource.to_string());
        let message = format!("{action} is not supported on resources of kind {shown}");
        Self::new(405, Reason::MethodNotAllowed, message).about(resource, "")
    }

    /// 406: none of the accepted media types can be served.
    pub fn not_acceptable(available: &[&str]) -> Self {
        let message =
            format!("only the following media types are accepted: {}", available.join(", "));
        Self::new(406, Reason::NotAcceptable, message)
    }

    /// 413: the body is larger than the server takes.
    pub fn too_large(message: &str) -> Self {
        let message = format!("Request entity too large: {message}");
        Self::new(413, Reason::RequestEntityTooLarge, message)
    }

    /// 415: the body has a form that is not understood here.
    pub fn unsupported_media_type(accepted: &[&str]) -> Self {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {}",
            accepted.join(", ")
        );
        Self::new(415, Reason::UnsupportedMediaType, message)
    }

    /// 429: try again after `retry_after_seconds`.
    pub fn too_many_requests(message: impl Into<String>, retry_after_seconds: u32) -> Self {
        Self::new(429, Reason::TooManyRequests, message).with_retry_after(retry_after_seconds)
    }

    /// 500: the server is at fault.
    pub fn internal(message: impl Into<String>) -> Self {
        let message = message.into();
        Self::new(500, Reason::InternalError, format!("Internal error occurred: {message}"))
            .with_causes(vec![Cause { message, ..Cause::default() }])
    }

    /// 500 `ServerTimeout`: the operation was not finished, and trying again is right.
    pub fn server_timeout(
        resource: &GroupResource,
        operation: &str,
        retry_after_seconds: u32,
    ) -> Self {
        let message = format!(
            "The {operation} operation against {resource} could not be completed at this time, \
             please try again."
        );
        Self::new(500, Reason::ServerTimeout, message)
            .about(resource, operation)
            .with_retry_after(retry_after_seconds)
    }

    /// 503: the service is not available now.
    pub fn service_unavailable(message: impl Into<String>) -> Self {
        Self::new(503, Reason::ServiceUnavailable, message)
    }

    /// 504: the deadline of the request passed.
    pub fn timeout(message: &str) -> Self {
        let mut error = Self::new(504, Reason::Timeout, format!("Timeout: {message}"));
        error.details = Some(Box::default());
        error
    }

    /// The `Status` object of this error.
    pub fn to_status(&self) -> Value {
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "code": self.code,
        });
        if self.reason != Reason::Unknown {
            status["reason"] = self.reason.as_str().into();
        }
        if let Some(details) = &self.details {
            status["details"] = json!(**details);
        }
        status
    }

    /// The `Status` object of this error, encoded.
    pub fn to_status_json(&self) -> String {
        self.to_status().to_string()
    }
}

/// The `Status` that answers a request which succeeded and has no object to show.
pub fn success(details: Option<&Details>) -> Value {
    let mut status =
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"});
    if let Some(details) = details {
        status["details"] = json!(details);
    }
    status
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::FieldPath;

    fn pods() -> GroupResource {
        GroupResource::new("", "pods")
    }

    #[test]
    fn messages_and_codes_are_those_of_kubernetes() {
        let deployments = GroupResource::new("apps", "deployments");
        let rows = [
            (ApiError::not_found(&pods(), "x"), 404, "pods \"x\" not found"),
            (ApiError::not_found(&deployments, "x"), 404, "deployments.apps \"x\" not found"),
            (ApiError::already_exists(&pods(), "x"), 409, "pods \"x\" already exists"),
            (
                ApiError::modified(&pods(), "x"),
                409,
                "Operation cannot be fulfilled on pods \"x\": the object has been modified; \
                 please apply your changes to the latest version and try again",
            ),
            (ApiError::forbidden(&pods(), "", "no"), 403, "pods is forbidden: no"),
            (
                ApiError::method_not_allowed(&pods(), "create"),
                405,
                "create is not supported on resources of kind \"pods\"",
            ),
            (ApiError::internal("boom"), 500, "Internal error occurred: boom"),
        ];
        for (error, code, message) in rows {
            assert_eq!((error.code, error.to_string().as_str()), (code, message));
        }
    }

    #[test]
    fn an_invalid_object_names_every_fault() {
        let root = FieldPath::Root;
        let faults = [
            Fault::required(&root.child("spec.containers"), ""),
            Fault::invalid(&root.child("metadata.name"), "A", "must be b"),
        ];
        let error = ApiError::invalid(&GroupKind::new("", "Pod"), "A", &faults);
        assert_eq!(
            error.to_status(),
            json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": "Pod \"A\" is invalid: [spec.containers: Required value, \
                            metadata.name: Invalid value: \"A\": must be b]",
                "reason": "Invalid", "code": 422,
                "details": {"name": "A", "kind": "Pod", "causes": [
                    {"reason": "FieldValueRequired", "message": "Required value",
                     "field": "spec.containers"},
                    {"reason": "FieldValueInvalid", "message": "Invalid value: \"A\": must be b",
                     "field": "metadata.name"},
                ]},
            })
        );
    }

    #[test]
    fn an_unknown_resource_has_empty_details() {
        assert_eq!(ApiError::no_such_resource().to_status()["details"], json!({}));
    }
}
