//! Which entry of an index fits this node: Wasm first, then the Linux of the node's own processor.

use crate::image::Flavor;
use crate::manifest::{Descriptor, Platform};

/// What an index without an annotation of its kind marks as no image (build attestations).
const ATTESTATION: &str = "vnd.docker.reference.type";

/// The platforms of a node, best first.
///
/// `wasi` and `wasm32` are what Docker's and older tools call the Wasm platforms.
pub fn node_platforms() -> Vec<Platform> {
    let wasm = [("wasip2", "wasm"), ("wasip1", "wasm"), ("wasi", "wasm"), ("wasi", "wasm32")];
    let linux = ("linux", go_architecture(std::env::consts::ARCH));
    wasm.into_iter().chain([linux]).map(|(os, architecture)| platform(os, architecture)).collect()
}

fn platform(os: &str, architecture: &str) -> Platform {
    Platform { os: os.to_owned(), architecture: architecture.to_owned() }
}

fn go_architecture(rust: &str) -> &str {
    match rust {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    }
}

/// Those of a node's platforms that are wanted, still best first.
pub(crate) fn of_flavor(all: &[Platform], flavor: Flavor) -> Vec<Platform> {
    let fits = |platform: &&Platform| match flavor {
        Flavor::Best => true,
        Flavor::Wasm => platform.os.starts_with("wasi"),
        Flavor::Linux => platform.os == "linux",
    };
    all.iter().filter(fits).cloned().collect()
}

/// The entry for the best platform of `wanted`; among equals the first listed.
pub(crate) fn choose<'a>(entries: &'a [Descriptor], wanted: &[Platform]) -> Option<&'a Descriptor> {
    wanted.iter().find_map(|wanted| {
        entries.iter().find(|entry| {
            entry.platform.as_ref() == Some(wanted) && !entry.annotations.contains_key(ATTESTATION)
        })
    })
}

/// The platforms an index offers, for messages.
pub(crate) fn names<'a>(platforms: impl Iterator<Item = &'a Platform>) -> String {
    let names: Vec<_> =
        platforms.map(|platform| format!("{}/{}", platform.os, platform.architecture)).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    #[track_caller]
    fn check(offered: &[&str], expected: Option<&str>) {
        let entries: Vec<_> = offered
            .iter()
            .map(|offer| {
                let (os, architecture) = offer.split_once('/').unwrap();
                Descriptor {
                    media_type: String::new(),
                    digest: Digest::of(offer.as_bytes()),
                    size: 1,
                    platform: Some(platform(os, architecture)),
                    annotations: std::collections::BTreeMap::new(),
                }
            })
            .collect();
        let wanted = [("wasip2", "wasm"), ("wasip1", "wasm"), ("wasi", "wasm"), ("linux", "amd64")]
            .map(|(os, architecture)| platform(os, architecture));
        let chosen = choose(&entries, &wanted).map(|entry| entry.digest.clone());
        assert_eq!(chosen, expected.map(|text| Digest::of(text.as_bytes())), "{offered:?}");
    }

    #[test]
    fn wasm_goes_before_linux() {
        check(&["linux/amd64", "wasi/wasm"], Some("wasi/wasm"));
        check(&["wasip1/wasm", "wasip2/wasm"], Some("wasip2/wasm"));
        check(&["linux/arm64", "linux/amd64"], Some("linux/amd64"));
        check(&["windows/amd64"], None);
        check(&[], None);
    }
}
