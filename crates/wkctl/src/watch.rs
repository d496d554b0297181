//! Answers that come line by line: watches and logs.

use std::time::Duration;

use anyhow::Context as _;
use bytes::{Buf as _, Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::Value;

use crate::client::{Call, Client};
use crate::error::StatusError;
use crate::kinds::text;

/// The lines of a body.
pub(crate) struct Lines {
    body: Incoming,
    buffer: BytesMut,
    /// Where in the buffer no line break is.
    searched: usize,
}

impl Lines {
    pub(crate) fn new(body: Incoming) -> Self {
        Self { body, buffer: BytesMut::new(), searched: 0 }
    }

    /// The next line, with its line break; the last one may have none.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Option<Bytes>> {
        loop {
            if let Some(at) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(self.searched + at + 1).freeze();
                self.searched = 0;
                return Ok(Some(line));
            }
            self.searched = self.buffer.len();
            match self.body.frame().await {
                Some(frame) => {
                    let frame = frame.context("the connection broke off")?;
                    if let Ok(data) = frame.into_data() {
                        self.buffer.extend_from_slice(data.chunk());
                    }
                }
                None if self.buffer.is_empty() => return Ok(None),
                None => {
                    self.searched = 0;
                    return Ok(Some(self.buffer.split().freeze()));
                }
            }
        }
    }
}

/// Changes of objects, one after the other.
pub(crate) struct Watch {
    lines: Lines,
}

/// The pauses between watches of one list: none after one that delivered something.
#[derive(Debug, Default)]
pub(crate) struct Pauses {
    in_vain: u32,
}

impl Pauses {
    /// Waits as long as is fit after a watch that delivered something, or did not.
    pub(crate) async fn after(&mut self, delivered: bool) {
        if delivered {
            self.in_vain = 0;
            return;
        }
        // A tenth of a second at first, some seconds in the end.
        let pause = Duration::from_millis(100 << self.in_vain.min(6));
        self.in_vain += 1;
        tokio::time::sleep(pause).await;
    }
}

/// One change.
#[derive(Debug)]
pub(crate) struct Change {
    /// `ADDED`, `MODIFIED`, `DELETED` or `BOOKMARK`.
    pub(crate) event: String,
    pub(crate) object: Value,
}

impl Watch {
    /// Starts a watch; the path has the query in it.
    pub(crate) async fn start(
        client: &Client,
        path: String,
        accept: &'static str,
    ) -> anyhow::Result<Self> {
        let body = client.stream(Call::get(path).accept(accept)).await?;
        Ok(Self { lines: Lines::new(body) })
    }

    /// The next change; `None` when the server ends the watch.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Option<Change>> {
        let Some(line) = self.lines.next().await? else { return Ok(None) };
        let mut event: Value = serde_json::from_slice(&line).context("malformed watch event")?;
        let object = event.get_mut("object").map(Value::take).unwrap_or_default();
        let event = text(&event, "/type").to_owned();
        if event == "ERROR" {
            let code = object.get("code").and_then(Value::as_u64);
            let code = code.and_then(|code| u16::try_from(code).ok()).unwrap_or(500);
            return Err(StatusError::new(code, object.to_string().as_bytes()).into());
        }
        Ok(Some(Change { event, object }))
    }
}
