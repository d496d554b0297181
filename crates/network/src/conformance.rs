//! What every [`PodNetwork`](crate::PodNetwork) owes, as a test that each implementation runs.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use wk_runtime::PodRef;

use crate::{Cidr, NetworkError, PodNetwork, PodNetworkFactory, SandboxRequest};

fn request(uid: &str) -> SandboxRequest {
    SandboxRequest {
        pod: PodRef { namespace: "default".into(), name: uid.to_owned(), uid: uid.to_owned() },
        hostname: uid.to_owned(),
        host_network: false,
        host_aliases: BTreeMap::new(),
        preferred: None,
    }
}

/// Runs the whole suite on a network made for `range`, which should be small: it is filled up.
///
/// # Panics
/// When the implementation breaks a rule.
pub async fn run(factory: &dyn PodNetworkFactory, range: Cidr) {
    let network = factory
        .open(range, IpAddr::V4(Ipv4Addr::LOCALHOST))
        .await
        .expect("the network opens for a sound range");
    let taken = fills_up(&*network, range).await;
    gives_back(&*network, &taken).await;
}

/// Takes every address, and finds them distinct, stable and within the range.
async fn fills_up(network: &dyn PodNetwork, range: Cidr) -> Vec<String> {
    let mut addresses = BTreeSet::new();
    let mut uids = Vec::new();
    for number in 0..=range.len() {
        let uid = format!("pod-{number}");
        match network.setup(&request(&uid)).await {
            Ok(sandbox) => {
                assert_eq!(sandbox.pod_uid, uid);
                assert!(!sandbox.host_network);
                assert!(addresses.insert(sandbox.ip), "`{}` was given twice", sandbox.ip);
                let IpAddr::V4(ip) = sandbox.ip else { panic!("pods have IPv4 addresses") };
                assert!(range.contains(ip), "`{ip}` is outside of `{range}`");
                let again = network.setup(&request(&uid)).await;
                assert_eq!(again, Ok(sandbox), "a second set-up gives the same sandbox");
                uids.push(uid);
            }
            Err(error) => {
                assert!(matches!(error, NetworkError::Exhausted { .. }), "{error}");
                assert!(number > 0, "there was room for no pod at all");
                return uids;
            }
        }
    }
    panic!("more pods than addresses were set up");
}

async fn gives_back(network: &dyn PodNetwork, taken: &[String]) {
    let first = &taken[0];
    let before = network.setup(&request(first)).await.expect("it is set up");
    network.teardown(first).await.expect("tearing down works");
    network.teardown(first).await.expect("tearing down twice is success");
    network.teardown("never seen").await.expect("an unknown pod is success");
    let preferred = SandboxRequest { preferred: Some(before.ip), ..request("returned") };
    let after = network.setup(&preferred).await.expect("one address is free again");
    assert_eq!(after.ip, before.ip, "a free preferred address is given");
    let host = SandboxRequest { host_network: true, ..request("host") };
    let host = network.setup(&host).await.expect("the node's own network needs no pod address");
    assert!(host.host_network);
}
