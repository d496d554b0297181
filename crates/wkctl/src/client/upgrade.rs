//! Requests that turn their connection into something else than HTTP.

use anyhow::{Context as _, bail};
use http::header::HeaderMap;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;

use super::{Call, Client, whole};
use crate::error::StatusError;

/// A connection that has left HTTP behind.
pub(crate) type Switched = TokioIo<Upgraded>;

impl Client {
    /// Sends a GET with the headers of an upgrade, on a connection of its own. Gives the headers of
    /// the answer and the connection.
    pub(crate) async fn upgrade(
        &self,
        path: &str,
        headers: HeaderMap,
    ) -> anyhow::Result<(HeaderMap, Switched)> {
        let (mut head, _) = self.request(&Call::get(path).accept("*/*"))?.into_parts();
        head.headers.extend(headers);
        let mut connection = self.connect().await?;
        let request = Request::from_parts(head, whole(bytes::Bytes::new()));
        let response = connection.send_request(request).await.with_context(|| self.broke_off())?;
        self.pass_on_warnings(response.headers());
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            let (head, body) = response.into_parts();
            let body = body.collect().await.with_context(|| self.broke_off())?.to_bytes();
            if head.status.is_success() {
                bail!("{} does not speak WebSocket here", self.server());
            }
            return Err(StatusError::new(head.status.as_u16(), &body).into());
        }
        let headers = response.headers().clone();
        let upgraded = hyper::upgrade::on(response).await.with_context(|| self.broke_off())?;
        Ok((headers, TokioIo::new(upgraded)))
    }
}
