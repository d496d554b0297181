//! Tokens of service accounts in projected volumes: asked for in the pod's name, and renewed long
//! before they end.
//!
//! They are kept nowhere but in their files: what is remembered of a pod's tokens is when the first
//! of them is due.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use futures::future::try_join_all;
use jiff::Timestamp;
use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{PodSpec, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::api::PostParams;
use wk_runtime::PodRef;

use super::VolumeFault;

/// Tokens by volume and path in it.
pub(crate) type Tokens = HashMap<(String, String), Vec<u8>>;

/// How long a token lives that does not say, as in Kubernetes.
const DEFAULT_SECONDS: i64 = 3600;
/// A token is renewed when it is this old at the latest.
const OLDEST: Duration = Duration::from_hours(24);
/// Tokens that were made together are renewed within this time.
const SPREAD: Duration = Duration::from_secs(10);

/// One token that a pod wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    volume: String,
    path: String,
    audience: Option<String>,
    seconds: i64,
}

impl Source {
    fn place(&self) -> (String, String) {
        (self.volume.clone(), self.path.clone())
    }
}

/// The tokens that the volumes of a pod hold.
pub(crate) fn sources(spec: &PodSpec) -> Vec<Source> {
    let mut wanted = Vec::new();
    for volume in spec.volumes.iter().flatten() {
        let sources = volume.projected.iter().flat_map(|source| source.sources.iter().flatten());
        for token in sources.filter_map(|source| source.service_account_token.as_ref()) {
            wanted.push(Source {
                volume: volume.name.clone(),
                path: token.path.clone(),
                audience: token.audience.clone().filter(|audience| !audience.is_empty()),
                seconds: token.expiration_seconds.unwrap_or(DEFAULT_SECONDS),
            });
        }
    }
    wanted
}

/// When a token of this life is renewed that was made now: at four fifths of its life or after a
/// day, and a little earlier, differently for each pod.
fn due(now: Timestamp, seconds: i64, pod_uid: &str) -> Timestamp {
    let life = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    let age = (life * 4 / 5).min(OLDEST);
    let spread = SPREAD.min(life / 10);
    // FNV-1a: the same pod has the same place among the others every time.
    let hash = pod_uid
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    now + age.saturating_sub(spread.mul_f64(f64::from(hash) / f64::from(u32::MAX)))
}

/// The tokens that are in the files of a pod; `None` if one is missing. Blocking.
pub(crate) fn kept(folder: &Path, sources: &[Source]) -> Option<Tokens> {
    let read = |source: &Source| {
        let token = std::fs::read(folder.join(&source.volume).join(&source.path)).ok()?;
        Some((source.place(), token))
    };
    sources.iter().map(read).collect()
}

/// Asks for new tokens, all at once, and says when the first of them is to be renewed.
///
/// # Errors
/// Which volume's token could not be had, in Kubernetes' words.
pub(crate) async fn request(
    accounts: &Api<ServiceAccount>,
    account: &str,
    pod: &PodRef,
    sources: &[Source],
    now: Timestamp,
) -> Result<(Tokens, Timestamp), VolumeFault> {
    let requests = sources.iter().map(|source| async {
        let request = TokenRequest {
            metadata: ObjectMeta::default(),
            spec: Some(TokenRequestSpec {
                audiences: Some(source.audience.clone().into_iter().collect()),
                bound_object_ref: Some(BoundObjectReference {
                    api_version: Some("v1".to_owned()),
                    kind: Some("Pod".to_owned()),
                    name: Some(pod.name.clone()),
                    uid: Some(pod.uid.clone()),
                }),
                expiration_seconds: Some(source.seconds),
            }),
            status: None,
        };
        let params = PostParams::default();
        let answer = accounts.create_token_request(account, &params, &request);
        let fault = |why: String| {
            VolumeFault::set_up(&source.volume, format!("failed to fetch token: {why}"))
        };
        let answer = answer.await.map_err(|error| match &error {
            kube::Error::Api(status) => fault(status.message.clone()),
            other => VolumeFault::away(format!(
                "failed to fetch token: {}",
                wk_client::error_chain(other)
            )),
        })?;
        let token = answer.status.and_then(|status| status.token);
        let token = token.filter(|token| !token.is_empty());
        let token = token.ok_or_else(|| fault("the answer holds no token".to_owned()))?;
        // The server may grant less than was asked for.
        let granted = answer.spec.and_then(|spec| spec.expiration_seconds);
        let seconds = granted.unwrap_or(source.seconds);
        Ok((source.place(), token.into_bytes(), due(now, seconds, &pod.uid)))
    });
    let answers = try_join_all(requests).await?;
    let first = answers.iter().map(|(_, _, due)| *due).min().unwrap_or(Timestamp::MAX);
    Ok((answers.into_iter().map(|(place, token, _)| (place, token)).collect(), first))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tokens_are_renewed_at_four_fifths_of_their_life_or_after_a_day() {
        let now = Timestamp::UNIX_EPOCH;
        for (seconds, latest, spread) in [
            (600, 480, 10),
            (3607, 2885, 10),
            (86_400, 69_120, 10),
            (1_000_000, 86_400, 10),
            (1, 0, 0),
        ] {
            for pod in ["a", "b", "c", "d"] {
                let due = due(now, seconds, pod).as_second();
                assert!((latest - spread..=latest).contains(&due), "{seconds} {pod}: {due}");
            }
        }
        let all: std::collections::BTreeSet<_> =
            (0..100).map(|pod| due(now, 3600, &format!("pod-{pod}"))).collect();
        assert!(all.len() > 90, "spread over time");
    }

    #[test]
    fn sources_say_for_whom_and_how_long() {
        let spec: PodSpec = serde_json::from_value(json!({"containers": [], "volumes": [
            {"name": "a", "projected": {"sources": [
                {"serviceAccountToken": {"path": "token"}},
                {"serviceAccountToken": {"path": "t/x", "audience": "y", "expirationSeconds": 600}},
            ]}},
            {"name": "b", "emptyDir": {}},
        ]}))
        .unwrap();
        let source = |path: &str, audience: Option<&str>, seconds| Source {
            volume: "a".to_owned(),
            path: path.to_owned(),
            audience: audience.map(str::to_owned),
            seconds,
        };
        assert_eq!(sources(&spec), [source("token", None, 3600), source("t/x", Some("y"), 600)]);
    }
}
