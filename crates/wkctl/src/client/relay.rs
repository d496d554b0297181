//! Requests that somebody else made, sent on in our name.

use anyhow::Context as _;
use http::header::{
    AUTHORIZATION, CONNECTION, HOST, HeaderMap, HeaderName, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Response, Uri};
use hyper::body::Incoming;

use super::{Body, Client, Connection};

/// What is between two neighbours only.
const OF_ONE_HOP: [HeaderName; 7] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
];

/// Whether a message asks for another protocol, or says that it is spoken from now on.
pub(crate) fn is_upgrade(headers: &HeaderMap) -> bool {
    let asks = |value: &HeaderValue| {
        value.to_str().is_ok_and(|value| {
            value.split(',').any(|word| word.trim().eq_ignore_ascii_case("upgrade"))
        })
    };
    headers.contains_key(UPGRADE) && headers.get_all(CONNECTION).iter().any(asks)
}

/// Removes what does not concern the next neighbour. Upgrades do.
pub(crate) fn clean(headers: &mut HeaderMap) {
    let upgrade = is_upgrade(headers).then(|| headers.remove(UPGRADE)).flatten();
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in OF_ONE_HOP.into_iter().chain(named) {
        headers.remove(name);
    }
    if let Some(protocol) = upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, protocol);
    }
}

impl Client {
    /// The path in the server's URL, such as `/proxy/cluster`; empty without one.
    pub(crate) fn server_path(&self) -> &str {
        &self.prefix
    }

    /// Sends a request for this path and query, as the one that the kubeconfig names. It goes over
    /// `idle`, if that is alive; what carries the answer is left there, and is free again when the
    /// answer is read.
    pub(crate) async fn relay(
        &self,
        request: Request<Body>,
        path: &PathAndQuery,
        idle: &mut Option<Connection>,
    ) -> anyhow::Result<Response<Incoming>> {
        let (mut head, body) = request.into_parts();
        head.uri = Uri::from(path.clone());
        clean(&mut head.headers);
        head.headers.insert(HOST, self.authority.clone());
        if let Some(authorization) = &self.authorization {
            head.headers.entry(AUTHORIZATION).or_insert_with(|| authorization.clone());
        }
        if let Some(user) = &self.access.as_user {
            head.headers.insert("impersonate-user", HeaderValue::from_str(user)?);
        }
        for group in &self.access.as_groups {
            head.headers.append("impersonate-group", HeaderValue::from_str(group)?);
        }
        if let Some(connection) = idle
            && connection.ready().await.is_err()
        {
            *idle = None;
        }
        let connection = match idle {
            Some(connection) => connection,
            None => idle.insert(self.connect().await?),
        };
        let request = Request::from_parts(head, body);
        connection.send_request(request).await.with_context(|| self.broke_off())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers
                .append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn what_is_of_one_hop_ends_there() {
        let mut plain = headers(&[
            ("connection", "keep-alive, X-Own"),
            ("keep-alive", "timeout=5"),
            ("x-own", "a"),
            ("te", "trailers"),
            ("accept", "text/plain"),
        ]);
        clean(&mut plain);
        assert_eq!(plain, headers(&[("accept", "text/plain")]));
        let mut upgrade =
            headers(&[("connection", "keep-alive, Upgrade"), ("upgrade", "SPDY/3.1")]);
        clean(&mut upgrade);
        assert_eq!(upgrade, headers(&[("connection", "Upgrade"), ("upgrade", "SPDY/3.1")]));
    }
}
