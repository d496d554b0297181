//! How a role that has no API of its own tells how it is and what it measures.

use std::sync::Arc;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use tokio::net::TcpListener;
use wk_process::TaskGroup;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves `/metrics` with what `figures` tells, and that the process is alive and ready, in a task of
/// `tasks`.
pub(crate) fn serve(
    listener: TcpListener,
    figures: impl Fn() -> String + Send + Sync + 'static,
    tasks: &TaskGroup,
) {
    let figures = Arc::new(figures);
    let metrics = get(move || {
        let text = figures();
        async move { ([(CONTENT_TYPE, OPEN_METRICS)], text) }
    });
    let fine = || get(async || "ok");
    let routes = Router::new()
        .route("/metrics", metrics)
        .route("/healthz", fine())
        .route("/livez", fine())
        .route("/readyz", fine());
    let stopped = tasks.token().cancelled_owned();
    tasks.spawn("figures", async move {
        axum::serve(listener, routes).with_graceful_shutdown(stopped).await.map_err(Into::into)
    });
}
