//! Whether the kubelet works, and whether its node takes pods; the answers have Kubernetes' form.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use crate::shared::Shared;

/// How long the kubelet may take to look after its pods before something is wrong with it: it does so
/// every ten seconds.
const LOOK: Duration = Duration::from_mins(2);

/// One thing that is well or not.
type Check = (&'static str, bool);

fn of_health(shared: &Shared) -> Vec<Check> {
    let looked = shared.looked_at.lock().elapsed() < LOOK;
    vec![("ping", true), ("syncloop", looked)]
}

fn of_readiness(shared: &Shared) -> Vec<Check> {
    let mut checks = of_health(shared);
    checks.push(("network", shared.network.get().is_some()));
    checks.push(("pods", shared.knows_pods.load(Ordering::Acquire)));
    checks.push(("runtime", shared.runtimes.wasm.fault().is_none()));
    checks
}

/// `/healthz` and `/livez`: whether it works.
pub(super) async fn health(State(shared): State<Arc<Shared>>, query: RawQuery) -> Response {
    answer("healthz", &of_health(&shared), is_verbose(query))
}

/// `/readyz`: whether pods that come now are started.
pub(super) async fn readiness(State(shared): State<Arc<Shared>>, query: RawQuery) -> Response {
    answer("readyz", &of_readiness(&shared), is_verbose(query))
}

/// One check of `/healthz`.
pub(super) async fn one(State(shared): State<Arc<Shared>>, Path(name): Path<String>) -> Response {
    match of_health(&shared).into_iter().find(|(check, _)| *check == name) {
        Some(check) => answer(check.0, &[check], false),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn is_verbose(RawQuery(query): RawQuery) -> bool {
    let query = query.unwrap_or_default();
    query.split('&').any(|pair| pair.split('=').next() == Some("verbose"))
}

fn answer(name: &str, checks: &[Check], verbose: bool) -> Response {
    let line = |(check, is_well): &Check| {
        if *is_well {
            format!("[+]{check} ok\n")
        } else {
            format!("[-]{check} failed: reason withheld\n")
        }
    };
    let lines: String = checks.iter().map(line).collect();
    match checks.iter().all(|(_, is_well)| *is_well) {
        true if verbose => format!("{lines}{name} check passed\n").into_response(),
        true => "ok".into_response(),
        false => {
            let text = format!("{lines}{name} check failed\n");
            (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    async fn told(checks: &[Check], verbose: bool) -> (u16, String) {
        let answer = answer("readyz", checks, verbose);
        let code = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (code, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn what_is_wrong_is_named() {
        let well = [("ping", true), ("pods", true)];
        assert_eq!(told(&well, false).await, (200, "ok".to_owned()));
        let text = "[+]ping ok\n[+]pods ok\nreadyz check passed\n";
        assert_eq!(told(&well, true).await, (200, text.to_owned()));
        let text = "[+]ping ok\n[-]pods failed: reason withheld\nreadyz check failed\n";
        let ill = [("ping", true), ("pods", false)];
        assert_eq!(told(&ill, false).await, (500, text.to_owned()));
    }
}
