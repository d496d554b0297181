//! How a request becomes a session: the headers of upgrades, and the choice of a protocol.

use http::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{Method, StatusCode};
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::websocket::Encoding;

/// The name of SPDY in `Upgrade` headers.
pub const SPDY: &str = "SPDY/3.1";
/// The protocol of forwarded ports over SPDY.
pub const PORT_FORWARD_PROTOCOL: &str = "portforward.k8s.io";
/// The WebSocket protocol that carries SPDY.
const TUNNEL: &str = "SPDY/3.1+portforward.k8s.io";
/// Where SPDY clients and servers name the protocol on top of it.
const STREAM_PROTOCOL: HeaderName = HeaderName::from_static("x-stream-protocol-version");
const ACCEPTED_PROTOCOLS: HeaderName =
    HeaderName::from_static("x-accepted-stream-protocol-versions");

/// WebSocket protocols for programs, in the order in which this server likes them.
const REMOTE: &[(&str, RemoteProtocol)] = &[
    ("v5.channel.k8s.io", RemoteProtocol::V5),
    ("v4.channel.k8s.io", RemoteProtocol::V4),
    ("v4.base64.channel.k8s.io", RemoteProtocol::V4Base64),
    ("channel.k8s.io", RemoteProtocol::Plain),
    ("base64.channel.k8s.io", RemoteProtocol::PlainBase64),
];
/// SPDY protocols for programs, likewise.
const REMOTE_SPDY: &[(&str, RemoteProtocol)] = &[
    ("v4.channel.k8s.io", RemoteProtocol::SpdyV4),
    ("v3.channel.k8s.io", RemoteProtocol::SpdyV3),
    ("v2.channel.k8s.io", RemoteProtocol::SpdyV2),
    ("channel.k8s.io", RemoteProtocol::SpdyV2),
];
/// WebSocket protocols for ports, likewise.
const FORWARD: &[(&str, ForwardProtocol)] = &[
    (TUNNEL, ForwardProtocol::Tunnel),
    ("v4.channel.k8s.io", ForwardProtocol::Channels),
    ("v4.base64.channel.k8s.io", ForwardProtocol::ChannelsBase64),
];

/// How the streams of a program are carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoteProtocol {
    /// WebSocket; the end of a stream can be told.
    V5,
    /// WebSocket; the error channel carries a `Status`.
    V4,
    /// As [`RemoteProtocol::V4`], in text messages.
    V4Base64,
    /// WebSocket; the error channel carries text.
    Plain,
    /// As [`RemoteProtocol::Plain`], in text messages.
    PlainBase64,
    /// SPDY; the error stream carries a `Status`.
    SpdyV4,
    /// SPDY; the error stream carries text.
    SpdyV3,
    /// SPDY; there is no stream for sizes of the terminal either.
    SpdyV2,
}

impl RemoteProtocol {
    pub(crate) fn is_spdy(self) -> bool {
        matches!(self, Self::SpdyV4 | Self::SpdyV3 | Self::SpdyV2)
    }

    /// Whether the error channel carries a `Status`.
    pub(crate) fn tells_status(self) -> bool {
        matches!(self, Self::V5 | Self::V4 | Self::V4Base64 | Self::SpdyV4)
    }

    pub(crate) fn encoding(self) -> Encoding {
        match self {
            Self::V4Base64 | Self::PlainBase64 => Encoding::Base64,
            _ => Encoding::Binary,
        }
    }
}

/// How the bytes of ports are carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardProtocol {
    /// SPDY on the connection itself.
    Spdy,
    /// SPDY in WebSocket messages.
    Tunnel,
    /// Two WebSocket channels for each port that the request names.
    Channels,
    /// As [`ForwardProtocol::Channels`], in text messages.
    ChannelsBase64,
}

/// A request that cannot become a session.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The status of the answer.
    pub code: StatusCode,
    /// Why.
    pub message: String,
    /// The protocols that would have been taken, for clients of SPDY.
    accepted: &'static [(&'static str, RemoteProtocol)],
}

impl Refusal {
    fn bad(message: impl Into<String>) -> Self {
        Self { code: StatusCode::BAD_REQUEST, message: message.into(), accepted: &[] }
    }

    /// The headers that belong to the answer.
    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, _) in self.accepted {
            headers.append(ACCEPTED_PROTOCOLS, HeaderValue::from_static(name));
        }
        headers
    }
}

/// A chosen protocol, and the headers of the `101 Switching Protocols` that says so.
#[derive(Clone, Debug)]
pub struct Upgrade<P> {
    /// The protocol.
    pub protocol: P,
    /// Headers of the answer.
    pub headers: HeaderMap,
}

impl Upgrade<RemoteProtocol> {
    /// Chooses how the streams of a program are carried.
    ///
    /// # Errors
    /// [`Refusal`] if the request asks for no upgrade or for none that is known.
    pub fn remote(method: &Method, headers: &HeaderMap) -> Result<Self, Refusal> {
        if asks_for(headers, "websocket") {
            return websocket(method, headers, REMOTE, RemoteProtocol::Plain);
        }
        let offered = spdy(headers)?;
        for wanted in &offered {
            if let Some((name, protocol)) = REMOTE_SPDY.iter().find(|(name, _)| name == wanted) {
                return Ok(Self { protocol: *protocol, headers: spdy_answer(name) });
            }
        }
        Err(Refusal { accepted: REMOTE_SPDY, ..no_common(&offered, &names(REMOTE_SPDY)) })
    }
}

impl Upgrade<ForwardProtocol> {
    /// Chooses how the bytes of ports are carried.
    ///
    /// # Errors
    /// [`Refusal`] if the request asks for no upgrade or for none that is known.
    pub fn forward(method: &Method, headers: &HeaderMap) -> Result<Self, Refusal> {
        if asks_for(headers, "websocket") {
            return websocket(method, headers, FORWARD, ForwardProtocol::Channels);
        }
        let offered = spdy(headers)?;
        if offered.iter().any(|wanted| wanted == PORT_FORWARD_PROTOCOL) {
            let headers = spdy_answer(PORT_FORWARD_PROTOCOL);
            return Ok(Self { protocol: ForwardProtocol::Spdy, headers });
        }
        Err(no_common(&offered, &[PORT_FORWARD_PROTOCOL]))
    }
}

fn names<P>(table: &[(&'static str, P)]) -> Vec<&'static str> {
    table.iter().map(|(name, _)| *name).collect()
}

fn no_common(offered: &[String], accepted: &[&str]) -> Refusal {
    let message = format!(
        "unable to upgrade: unable to negotiate protocol: client supports [{}], server accepts [{}]",
        offered.join(" "),
        accepted.join(" "),
    );
    Refusal { code: StatusCode::FORBIDDEN, ..Refusal::bad(message) }
}

/// The words of a list header, over all its lines.
fn words<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim).filter(|word| !word.is_empty())
}

/// Whether a request asks to speak a protocol instead of HTTP.
fn asks_for(headers: &HeaderMap, protocol: &str) -> bool {
    words(headers, &CONNECTION).any(|word| word.eq_ignore_ascii_case("upgrade"))
        && words(headers, &UPGRADE).any(|word| word.eq_ignore_ascii_case(protocol))
}

/// The protocols that a client of SPDY offers.
fn spdy(headers: &HeaderMap) -> Result<Vec<String>, Refusal> {
    if !asks_for(headers, SPDY) {
        return Err(Refusal::bad("unable to upgrade: missing upgrade headers in request"));
    }
    let offered: Vec<String> = words(headers, &STREAM_PROTOCOL).map(str::to_owned).collect();
    if offered.is_empty() {
        return Err(Refusal::bad("unable to upgrade: X-Stream-Protocol-Version is required"));
    }
    Ok(offered)
}

fn spdy_answer(protocol: &'static str) -> HeaderMap {
    HeaderMap::from_iter([
        (CONNECTION, HeaderValue::from_static("Upgrade")),
        (UPGRADE, HeaderValue::from_static(SPDY)),
        (STREAM_PROTOCOL, HeaderValue::from_static(protocol)),
    ])
}

/// Chooses among the protocols that a WebSocket client offers; `unnamed` if it offers none.
fn websocket<P: Copy>(
    method: &Method,
    headers: &HeaderMap,
    known: &'static [(&'static str, P)],
    unnamed: P,
) -> Result<Upgrade<P>, Refusal> {
    if *method != Method::GET {
        let message = format!("unable to upgrade: {method} requests cannot become WebSockets");
        return Err(Refusal { code: StatusCode::METHOD_NOT_ALLOWED, ..Refusal::bad(message) });
    }
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(Refusal::bad("unable to upgrade: Sec-WebSocket-Version must be 13"));
    }
    let Some(key) = headers.get(SEC_WEBSOCKET_KEY) else {
        return Err(Refusal::bad("unable to upgrade: Sec-WebSocket-Key is required"));
    };
    let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes()))
        .map_err(|_| Refusal::bad("unable to upgrade: malformed Sec-WebSocket-Key"))?;
    let mut answer = HeaderMap::from_iter([
        (CONNECTION, HeaderValue::from_static("Upgrade")),
        (UPGRADE, HeaderValue::from_static("websocket")),
        (SEC_WEBSOCKET_ACCEPT, accept),
    ]);
    let offered: Vec<&str> = words(headers, &SEC_WEBSOCKET_PROTOCOL).collect();
    if offered.is_empty() {
        return Ok(Upgrade { protocol: unnamed, headers: answer });
    }
    let Some((name, protocol)) = known.iter().find(|(name, _)| offered.contains(name)) else {
        let offered: Vec<String> = offered.iter().map(|name| (*name).to_owned()).collect();
        return Err(no_common(&offered, &names(known)));
    };
    answer.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(name));
    Ok(Upgrade { protocol: *protocol, headers: answer })
}

/// The client's side of an upgrade to WebSocket.
#[derive(Clone, Debug)]
pub struct ClientUpgrade {
    key: String,
    offered: &'static [&'static str],
}

impl ClientUpgrade {
    /// Asks for the streams of a program.
    pub fn remote() -> Self {
        Self { key: generate_key(), offered: &["v5.channel.k8s.io", "v4.channel.k8s.io"] }
    }

    /// Asks for ports.
    pub fn forward() -> Self {
        Self { key: generate_key(), offered: &[TUNNEL] }
    }

    /// The headers of the request, which is a GET.
    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::from_iter([
            (CONNECTION, HeaderValue::from_static("Upgrade")),
            (UPGRADE, HeaderValue::from_static("websocket")),
            (SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13")),
        ]);
        if let Ok(key) = HeaderValue::from_str(&self.key) {
            headers.insert(SEC_WEBSOCKET_KEY, key);
        }
        if let Ok(offered) = HeaderValue::from_str(&self.offered.join(", ")) {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, offered);
        }
        headers
    }

    /// Which of the protocols the server chose, from the headers of its `101`; `None` if the answer
    /// is none to this request.
    fn chosen(&self, answer: &HeaderMap) -> Option<&'static str> {
        let accept = answer.get(SEC_WEBSOCKET_ACCEPT)?;
        if accept.as_bytes() != derive_accept_key(self.key.as_bytes()).as_bytes() {
            return None;
        }
        let chosen = answer.get(SEC_WEBSOCKET_PROTOCOL)?;
        self.offered.iter().copied().find(|name| chosen == *name)
    }

    /// How the streams of a program are carried; `None` as for an answer to something else.
    pub fn remote_protocol(&self, answer: &HeaderMap) -> Option<RemoteProtocol> {
        let chosen = self.chosen(answer)?;
        REMOTE.iter().find(|(name, _)| *name == chosen).map(|(_, protocol)| *protocol)
    }

    /// How the bytes of ports are carried; `None` as for an answer to something else.
    pub fn forward_protocol(&self, answer: &HeaderMap) -> Option<ForwardProtocol> {
        let chosen = self.chosen(answer)?;
        FORWARD.iter().find(|(name, _)| *name == chosen).map(|(_, protocol)| *protocol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let line = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        lines.iter().map(line).fold(HeaderMap::new(), |mut all, (name, value)| {
            all.append(name, value);
            all
        })
    }

    #[test]
    fn the_best_common_protocol_is_chosen() {
        let client = ClientUpgrade::remote();
        let upgrade = Upgrade::remote(&Method::GET, &client.headers()).unwrap();
        assert_eq!(upgrade.protocol, RemoteProtocol::V5);
        assert_eq!(client.remote_protocol(&upgrade.headers), Some(RemoteProtocol::V5));
        let other = ClientUpgrade::remote();
        assert_eq!(other.remote_protocol(&upgrade.headers), None, "an answer to somebody else");

        let client = ClientUpgrade::forward();
        let upgrade = Upgrade::forward(&Method::GET, &client.headers()).unwrap();
        assert_eq!(client.forward_protocol(&upgrade.headers), Some(ForwardProtocol::Tunnel));
    }

    #[test]
    fn spdy_clients_choose_by_their_own_order() {
        let asked = headers(&[
            ("connection", "Upgrade"),
            ("upgrade", "SPDY/3.1"),
            ("x-stream-protocol-version", "v5.channel.k8s.io"),
            ("x-stream-protocol-version", "v4.channel.k8s.io"),
            ("x-stream-protocol-version", "v3.channel.k8s.io"),
        ]);
        let upgrade = Upgrade::remote(&Method::POST, &asked).unwrap();
        assert_eq!(upgrade.protocol, RemoteProtocol::SpdyV4);
        assert_eq!(upgrade.headers[STREAM_PROTOCOL], "v4.channel.k8s.io");
    }

    #[test]
    fn what_cannot_be_upgraded_is_refused_with_a_reason() {
        let plain = Upgrade::remote(&Method::GET, &HeaderMap::new()).unwrap_err();
        assert_eq!(plain.code, StatusCode::BAD_REQUEST);
        let unknown = headers(&[
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "spdy/3.1"),
            ("x-stream-protocol-version", "v9.channel.k8s.io"),
        ]);
        let refusal = Upgrade::remote(&Method::POST, &unknown).unwrap_err();
        assert_eq!(refusal.code, StatusCode::FORBIDDEN);
        assert!(refusal.message.contains("client supports [v9.channel.k8s.io]"), "{refusal}");
        assert_eq!(refusal.headers().get_all(ACCEPTED_PROTOCOLS).iter().count(), 4);
    }
}
