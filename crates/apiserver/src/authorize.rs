//! Asks the authorizer, and words its refusal.

use http::Method;
use wk_api::{ApiError, GroupResource, Reason};
use wk_auth::{Attributes, Decision, User};

use crate::route::{ResourcePath, Verb};
use crate::server::ApiServer;

/// May the user do this to these objects?
pub(crate) async fn resource(
    server: &ApiServer,
    user: &User,
    verb: Verb,
    path: &ResourcePath,
) -> Result<(), ApiError> {
    action(server, user, verb.as_str(), path).await
}

/// May the user do this to what a path names, by any verb?
pub(crate) async fn action(
    server: &ApiServer,
    user: &User,
    verb: &str,
    path: &ResourcePath,
) -> Result<(), ApiError> {
    // A namespace is asked for within itself, as in Kubernetes.
    let own = path.resource == "namespaces" && path.group.is_empty();
    let namespace = if own { &path.name } else { &path.namespace };
    let attributes = Attributes {
        user,
        verb,
        group: &path.group,
        version: &path.version,
        resource: &path.resource,
        subresource: &path.subresource,
        namespace,
        name: &path.name,
        path: "",
    };
    let Decision::Deny(reason) = server.authorizer.authorize(&attributes).await else {
        return Ok(());
    };
    let mut shown = path.resource.clone();
    if !path.subresource.is_empty() {
        shown = format!("{shown}/{}", path.subresource);
    }
    let place = if path.namespace.is_empty() {
        "at the cluster scope".to_owned()
    } else {
        format!("in the namespace {:?}", path.namespace)
    };
    let mut why = format!(
        "User {:?} cannot {verb} resource {shown:?} in API group {:?} {place}",
        user.name, path.group
    );
    if !reason.is_empty() {
        why = format!("{why}: {reason}");
    }
    let resource = GroupResource::new(path.group.as_str(), path.resource.as_str());
    Err(ApiError::forbidden(&resource, &path.name, &why))
}

/// May the user ask for this path?
pub(crate) async fn path(
    server: &ApiServer,
    user: &User,
    method: &Method,
    path: &str,
) -> Result<(), ApiError> {
    path_by(server, user, &method.as_str().to_lowercase(), path).await
}

/// May the user ask for this path, by any verb?
async fn path_by(server: &ApiServer, user: &User, verb: &str, path: &str) -> Result<(), ApiError> {
    let attributes = Attributes {
        user,
        verb,
        group: "",
        version: "",
        resource: "",
        subresource: "",
        namespace: "",
        name: "",
        path,
    };
    let Decision::Deny(reason) = server.authorizer.authorize(&attributes).await else {
        return Ok(());
    };
    let mut message = format!("forbidden: User {:?} cannot {verb} path {path:?}", user.name);
    if !reason.is_empty() {
        message = format!("{message}: {reason}");
    }
    let mut error = ApiError::new(403, Reason::Forbidden, message);
    error.details = Some(Box::default());
    Err(error)
}

/// What a request asks leave for.
#[derive(Debug)]
pub(crate) enum Asked<'a> {
    /// To do something to what a path names.
    Resource {
        /// The verb.
        verb: String,
        /// The path, read.
        path: &'a ResourcePath,
    },
    /// To ask for a path that is about no objects.
    Path {
        /// The method, in lower case.
        verb: String,
        /// The path.
        path: &'a str,
    },
}

impl Asked<'_> {
    /// What is to be done.
    pub(crate) fn verb(&self) -> &str {
        match self {
            Self::Resource { verb, .. } | Self::Path { verb, .. } => verb,
        }
    }

    /// May the user do another thing to the same?
    pub(crate) async fn allowed(
        &self,
        server: &ApiServer,
        user: &User,
        verb: &str,
    ) -> Result<(), ApiError> {
        match self {
            Self::Resource { path, .. } => action(server, user, verb, path).await,
            Self::Path { path, .. } => path_by(server, user, verb, path).await,
        }
    }
}
