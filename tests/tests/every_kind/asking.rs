//! Requests as a client makes them that knows nothing of kinds.

use http::{Method, Request};
use http_body_util::BodyExt as _;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

pub(crate) const JSON: &str = "application/json";

/// What the server said.
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) warnings: Vec<String>,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let text = String::from_utf8_lossy(&self.bytes);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    #[track_caller]
    pub(crate) fn ok(&self, what: &str) -> Value {
        let value = self.json();
        assert!(matches!(self.code, 200 | 201), "{what}: {} {value}", self.code);
        value
    }

    #[track_caller]
    pub(crate) fn refused(&self, what: &str, code: u16, reason: &str) {
        let status = self.json();
        assert_eq!((self.code, &status["reason"]), (code, &json!(reason)), "{what}: {status}");
    }
}

/// A request in the making.
pub(crate) struct Ask<'a> {
    method: Method,
    path: String,
    accept: &'a str,
    sends: &'a str,
    body: Vec<u8>,
}

pub(crate) fn ask<'a>(method: &str, path: &str) -> Ask<'a> {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    Ask { method, path: path.to_owned(), accept: JSON, sends: JSON, body: Vec::new() }
}

impl<'a> Ask<'a> {
    pub(crate) fn accept(self, accept: &'a str) -> Self {
        Self { accept, ..self }
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.bytes(JSON, body.to_string())
    }

    pub(crate) fn bytes(self, sends: &'a str, body: impl Into<Vec<u8>>) -> Self {
        Self { sends, body: body.into(), ..self }
    }

    pub(crate) fn request(self) -> Request<Body> {
        Request::builder()
            .method(self.method)
            .uri(self.path)
            .header("accept", self.accept)
            .header("content-type", self.sends)
            .body(Body::from(self.body))
            .unwrap()
    }

    pub(crate) async fn of(self, client: &Client) -> Answer {
        let response = client.send(self.request()).await.unwrap();
        let warnings = response.headers().get_all("warning").iter();
        let warnings = warnings.map(|text| text.to_str().unwrap().to_owned()).collect();
        let code = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes().to_vec();
        Answer { code, warnings, bytes }
    }
}
