//! Writes whose answers are read as far as they say something new.
//!
//! A server answers a write with the whole object. Who has just sent it knows most of that, and reading
//! it would take longer than all the rest that a client does for a write.

use kube::api::{Patch, PatchParams, PostParams};
use kube::core::Request;
use kube::{Api, Error, Resource};
use serde::{Deserialize, Serialize};

/// What the server says of an object that was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Written {
    /// Its name, which the server may have completed.
    pub name: String,
    /// Tells objects of one name apart.
    pub uid: String,
    /// The version that the write made.
    pub resource_version: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    metadata: Written,
}

/// Creates an object.
///
/// # Errors
/// As [`Api::create`].
pub async fn create<K: Resource + Serialize>(api: Api<K>, object: &K) -> Result<Written, Error> {
    let body = serde_json::to_vec(object).map_err(Error::SerdeError)?;
    let request = Request::new(api.resource_url()).create(&PostParams::default(), body);
    ask(api, request).await
}

/// Patches an object.
///
/// # Errors
/// As [`Api::patch`].
pub async fn patch<K, P>(api: Api<K>, name: &str, patch: &Patch<P>) -> Result<Written, Error>
where
    K: Resource,
    P: Serialize + std::fmt::Debug,
{
    let request = Request::new(api.resource_url()).patch(name, &PatchParams::default(), patch);
    ask(api, request).await
}

/// Patches the status of an object.
///
/// # Errors
/// As [`Api::patch_status`].
pub async fn patch_status<K, P>(api: Api<K>, name: &str, patch: &Patch<P>) -> Result<Written, Error>
where
    K: Resource,
    P: Serialize + std::fmt::Debug,
{
    let (url, params) = (api.resource_url().to_owned(), PatchParams::default());
    ask(api, Request::new(url).patch_subresource("status", name, &params, patch)).await
}

async fn ask<K: Resource>(
    api: Api<K>,
    request: Result<http::Request<Vec<u8>>, kube::core::request::Error>,
) -> Result<Written, Error> {
    let request = request.map_err(Error::BuildRequest)?;
    Ok(api.into_client().request::<Answer>(request).await?.metadata)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use k8s_openapi::api::core::v1::Pod;
    use kube::client::Body;
    use serde_json::{Value, json};
    use wk_auth::User;

    use super::*;
    use crate::connect::in_process;

    #[tokio::test]
    async fn an_answer_is_read_as_far_as_it_says_something_new() {
        let service = tower::service_fn(|request: http::Request<Body>| async move {
            // Nobody but the server knows what the rest of this means.
            let body = json!({"metadata": {"name": request.uri().path(), "uid": "u",
                "resourceVersion": "7", "managedFields": 5}, "spec": request.method().as_str()});
            Ok::<_, Infallible>(http::Response::new(Body::from(body.to_string().into_bytes())))
        });
        let client = in_process(service, User::node("a"));
        let api = || Api::<Pod>::namespaced(client.clone(), "shop");
        let pods = "/api/v1/namespaces/shop/pods";
        let written = |path: &str| Written {
            name: path.to_owned(),
            uid: "u".to_owned(),
            resource_version: Some("7".to_owned()),
        };
        assert_eq!(create(api(), &Pod::default()).await.unwrap(), written(pods));
        let change = Patch::<Value>::Merge(json!({}));
        let of_web = format!("{pods}/web");
        assert_eq!(patch(api(), "web", &change).await.unwrap(), written(&of_web));
        let status = format!("{of_web}/status");
        assert_eq!(patch_status(api(), "web", &change).await.unwrap(), written(&status));
    }
}
