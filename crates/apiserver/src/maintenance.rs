//! What administrators ask of the server as a whole; no part of the Kubernetes API.
//!
//! - `POST /maintenance/v1/compaction` forgets the history at once and answers when that is done.
//! - `GET /maintenance/v1/snapshot` is a snapshot of everything that is stored.
//! - `PUT /maintenance/v1/snapshot` replaces everything that is stored by the snapshot in its body.
//!
//! All of it is for members of `system:masters` alone, whatever rules allow besides: a snapshot holds
//! every secret, and restoring one changes every rule.

use std::sync::Arc;

use axum::body::Body;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use wk_api::{ApiError, Reason};
use wk_auth::User;

use crate::encode::{self, Look};
use crate::error::{self, Answer};
use crate::handle::not_allowed;
use crate::server::ApiServer;
use crate::snapshot;

/// What the paths of this module begin with.
pub(crate) const PREFIX: &str = "/maintenance/v1/";

/// Answers a path of this module.
pub(crate) async fn answer(
    server: &Arc<ApiServer>,
    user: &User,
    method: &Method,
    path: &str,
    body: Body,
) -> Answer {
    let masters = user.is_in(User::MASTERS);
    if !masters {
        let verb = method.as_str().to_lowercase();
        let message = format!("forbidden: User {:?} cannot {verb} path {path:?}", user.name);
        let mut error = ApiError::new(403, Reason::Forbidden, message);
        error.details = Some(Box::default());
        return Err(error);
    }
    match (path.strip_prefix(PREFIX).unwrap_or_default(), method) {
        ("compaction", &Method::POST) => {
            let revision = server.compact().await.map_err(|failure| error::store(&failure))?;
            done(&json!({"revision": revision.to_string()}))
        }
        ("snapshot", &Method::GET) => snapshot::save(server).await,
        ("snapshot", &Method::PUT) => {
            let restored = snapshot::restore(server, body).await?;
            let revision = restored.revision.to_string();
            done(&json!({"revision": revision, "entries": restored.entries}))
        }
        ("compaction" | "snapshot", _) => Err(not_allowed()),
        _ => Err(ApiError::no_such_resource()),
    }
}

fn done(value: &Value) -> Answer {
    encode::plain(value, None, Look::JSON, StatusCode::OK)
}
