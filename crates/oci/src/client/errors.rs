//! What libraries and registries say went wrong, in our words.

use std::error::Error as _;
use std::io;

use oci_client::errors::{OciDistributionError, OciErrorCode};
use reqwest::StatusCode;

use super::Repository;
use crate::error::RegistryError;

impl Repository {
    /// Translates an error of `oci-client`.
    pub(crate) fn upload_error(&self, what: String, error: OciDistributionError) -> RegistryError {
        let registry = self.registry();
        match error {
            OciDistributionError::RequestError(error) => match error.status() {
                None => self.transport(&error, what),
                Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                    RegistryError::Unauthorized {
                        what,
                        registry,
                        reason: "not authorised".to_owned(),
                    }
                }
                Some(status) => {
                    RegistryError::Refused { what, registry, answer: status.to_string() }
                }
            },
            OciDistributionError::UnauthorizedError { .. } => {
                RegistryError::Unauthorized { what, registry, reason: "not authorised".to_owned() }
            }
            OciDistributionError::AuthenticationFailure(reason) => {
                RegistryError::Unauthorized { what, registry, reason: shortened(&reason) }
            }
            OciDistributionError::RegistryError { envelope, url: _ } => {
                let message = envelope
                    .errors
                    .iter()
                    .map(|error| error.message.as_str())
                    .collect::<Vec<_>>()
                    .join("; ");
                match envelope.errors.first().map(|error| &error.code) {
                    Some(OciErrorCode::Unauthorized | OciErrorCode::Denied) => {
                        RegistryError::Unauthorized { what, registry, reason: message }
                    }
                    _ => RegistryError::Refused { what, registry, answer: message },
                }
            }
            OciDistributionError::ServerError { code, message, url: _ } => {
                let answer = format!("{code}: {}", message_of(message.as_bytes()));
                match code {
                    401 | 403 => RegistryError::Unauthorized { what, registry, reason: answer },
                    _ => RegistryError::Refused { what, registry, answer },
                }
            }
            other => RegistryError::Refused { what, registry, answer: other.to_string() },
        }
    }

    pub(super) fn transport(&self, error: &reqwest::Error, what: String) -> RegistryError {
        let (registry, mut cause) = (self.registry(), root_cause(error));
        if error.is_connect() && cause.contains("InvalidContentType") {
            cause = String::from(
                "it does not speak TLS (to use it without, name it as an insecure registry)",
            );
        }
        if error.is_connect() || error.is_timeout() || error.is_builder() {
            RegistryError::Unreachable { what, registry, cause }
        } else {
            RegistryError::Interrupted { what, registry, cause }
        }
    }
}

/// The innermost error, in its shortest words.
pub(super) fn root_cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut inner: &(dyn std::error::Error + 'static) = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    match inner.downcast_ref::<io::Error>() {
        Some(error) if error.raw_os_error().is_some() => error.kind().to_string(),
        _ => {
            let top = error.source().map_or_else(|| error.to_string(), ToString::to_string);
            let inner = inner.to_string();
            if inner.is_empty() { top } else { inner }
        }
    }
}

/// The messages of an OCI error body, or the start of any other.
pub(super) fn message_of(body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Envelope {
        errors: Vec<Message>,
    }
    #[derive(serde::Deserialize)]
    struct Message {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    match serde_json::from_slice::<Envelope>(body) {
        Ok(Envelope { errors }) => {
            let words = |error: &Message| match error.message.as_str() {
                "" => error.code.clone(),
                message => message.to_owned(),
            };
            errors.iter().map(words).collect::<Vec<_>>().join("; ")
        }
        Err(_) => shortened(&String::from_utf8_lossy(body)),
    }
}

fn shortened(text: &str) -> String {
    let line: String = text.trim().chars().take(200).collect();
    line.replace(['\n', '\r'], " ")
}
