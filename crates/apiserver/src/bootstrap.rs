//! What lets a machine join: the authority's certificate, and one of its own for a token.

use std::net::IpAddr;

use axum::body::Body;
use axum::response::Response;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde::Deserialize;
use serde_json::json;
use tracing::info;
use wk_api::ApiError;
use wk_auth::{BootstrapRole, ServerNames};

use crate::body;
use crate::encode::{self, Look};
use crate::error::Answer;
use crate::handle::not_allowed;
use crate::server::ApiServer;

/// What somebody who joins sends.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Application {
    csr: String,
    role: String,
    #[serde(default)]
    node_name: Option<String>,
    #[serde(default)]
    addresses: Vec<IpAddr>,
}

/// Answers a path under `/bootstrap/v1/`.
pub(crate) async fn answer(
    server: &ApiServer,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
    body: Body,
) -> Answer {
    let bootstrap = server.bootstrap.as_ref().ok_or_else(ApiError::no_such_resource)?;
    match path {
        "/bootstrap/v1/ca" if *method == Method::GET => {
            let mut response = Response::new(Body::from(bootstrap.ca.certificate_pem().to_owned()));
            let media_type = HeaderValue::from_static("application/x-pem-file");
            response.headers_mut().insert(CONTENT_TYPE, media_type);
            Ok(response)
        }
        "/bootstrap/v1/certificate" if *method == Method::POST => {
            let shown = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
            let secret = shown.and_then(|text| text.strip_prefix("Bearer ")).unwrap_or_default();
            if !bootstrap.token.accepts(secret.trim()) {
                return Err(ApiError::unauthorized());
            }
            let bytes = body::read(body).await?;
            let application: Application = serde_json::from_slice(&bytes)
                .map_err(|error| ApiError::bad_request(format!("not an application: {error}")))?;
            let certificate = certificate(bootstrap, &application)?;
            let value = json!({"certificate": certificate, "ca": bootstrap.ca.certificate_pem()});
            encode::plain(&value, None, Look::JSON, StatusCode::OK)
        }
        "/bootstrap/v1/ca" | "/bootstrap/v1/certificate" => Err(not_allowed()),
        _ => Err(ApiError::no_such_resource()),
    }
}

fn certificate(
    bootstrap: &crate::config::BootstrapConfig,
    application: &Application,
) -> Result<String, ApiError> {
    let role = BootstrapRole::parse(&application.role, application.node_name.as_deref())
        .ok_or_else(|| {
            ApiError::bad_request(format!(
                "role {:?} cannot be had with a token, or lacks its nodeName",
                application.role
            ))
        })?;
    let reached_as = match &role {
        BootstrapRole::Node(name) => {
            let faults = wk_api::names::dns1123_subdomain(name);
            if !faults.is_empty() {
                return Err(ApiError::bad_request(format!(
                    "nodeName {name:?}: {}",
                    faults.join("; ")
                )));
            }
            ServerNames { names: vec![name.clone()], addresses: application.addresses.clone() }
        }
        _ => ServerNames::default(),
    };
    let user = role.user();
    let signed = bootstrap.ca.sign(&application.csr, &user, &reached_as).map_err(|error| {
        ApiError::bad_request(format!(
            "the certificate was not issued: {}",
            crate::error::chain(&error)
        ))
    })?;
    info!(user = %user.name, role = role.as_str(), "issued a certificate for a join token");
    Ok(signed)
}
