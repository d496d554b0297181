//! The rootless network from a pod's point of view.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use wk_runtime::{ConnectRoute, GuestNetwork as _, NetworkNamespace, PodRef, ResolveError};

use super::*;
use crate::{NameTable, conformance};

fn network(range: &str) -> RootlessPodNetwork {
    RootlessPodNetwork::new(range.parse().unwrap(), "127.0.0.1".parse().unwrap()).unwrap()
}

fn request(uid: &str, preferred: Option<&str>) -> SandboxRequest {
    SandboxRequest {
        pod: PodRef { namespace: "default".into(), name: uid.into(), uid: uid.into() },
        hostname: "web".into(),
        host_network: false,
        host_aliases: BTreeMap::from([("db.local".into(), vec!["10.0.0.7".parse().unwrap()])]),
        preferred: preferred.map(|ip| ip.parse().unwrap()),
    }
}

async fn sandbox() -> Sandbox {
    network("127.64.0.0/20").setup(&request("a", Some("127.64.0.5"))).await.unwrap()
}

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[tokio::test]
async fn it_conforms() {
    conformance::run(&RootlessFactory, "127.64.16.0/28".parse().unwrap()).await;
}

#[tokio::test]
async fn a_range_outside_the_pods_is_refused() {
    for range in ["10.0.0.0/20", "127.0.0.0/8", "127.96.0.0/20", "127.64.0.0/31"] {
        let refused = RootlessPodNetwork::new(range.parse().unwrap(), "127.0.0.1".parse().unwrap());
        assert!(matches!(refused, Err(NetworkError::Range { .. })), "{range}");
    }
}

#[tokio::test]
async fn a_pod_binds_only_its_own_addresses() {
    let (guest, sandbox) = (RootlessGuestNetwork::default(), sandbox().await);
    for (wanted, real) in [
        ("0.0.0.0:80", Some("127.64.0.5:80")),
        ("127.0.0.1:80", Some("127.96.0.5:80")),
        ("127.64.0.5:80", Some("127.64.0.5:80")),
        ("[::ffff:0.0.0.0]:80", Some("[::ffff:127.64.0.5]:80")),
        ("127.64.0.6:80", None),
        ("127.96.0.6:80", None),
        ("192.168.0.1:80", None),
        ("[::]:80", None),
    ] {
        assert_eq!(guest.bind(&sandbox, at(wanted)).ok(), real.map(at), "{wanted}");
    }
}

#[tokio::test]
async fn a_pod_connects_from_the_right_address() {
    let (guest, sandbox) = (RootlessGuestNetwork::default(), sandbox().await);
    for (wanted, route) in [
        ("127.0.0.1:80", Some((Some("127.96.0.5:0"), "127.96.0.5:80"))),
        ("0.0.0.0:80", Some((Some("127.96.0.5:0"), "127.96.0.5:80"))),
        ("127.96.0.5:80", Some((Some("127.96.0.5:0"), "127.96.0.5:80"))),
        ("127.96.0.6:80", None),
        ("127.64.0.6:80", Some((Some("127.64.0.5:0"), "127.64.0.6:80"))),
        ("127.32.0.1:443", Some((Some("127.64.0.5:0"), "127.32.0.1:443"))),
        ("93.184.216.34:80", Some((None, "93.184.216.34:80"))),
        ("[2001:db8::1]:80", Some((None, "[2001:db8::1]:80"))),
        ("169.254.169.254:80", None),
        ("[::ffff:169.254.169.254]:80", None),
        ("[fd00:ec2::254]:80", None),
        ("[::1]:80", None),
    ] {
        let route = route.map(|(from, to)| (from.map(at), at(to)));
        let expected = route.map(|(from, to)| ConnectRoute { from, to, inside: false });
        assert_eq!(guest.connect(&sandbox, at(wanted)).ok(), expected, "{wanted}");
    }
}

#[tokio::test]
async fn localhost_is_also_who_listens_at_every_address() {
    let (guest, sandbox) = (RootlessGuestNetwork::default(), sandbox().await);
    let everywhere = std::net::TcpListener::bind("127.64.0.5:0").unwrap();
    let port = everywhere.local_addr().unwrap().port();
    let local = || guest.connect(&sandbox, SocketAddr::from(([127, 0, 0, 1], port))).unwrap();
    let route = local();
    assert_eq!(
        (route.from, route.to),
        (Some(at("127.96.0.5:0")), everywhere.local_addr().unwrap())
    );
    // One that listens at the loopback alone goes first.
    let private = std::net::TcpListener::bind(("127.96.0.5", port)).unwrap();
    assert_eq!(local().to, private.local_addr().unwrap());
    drop((everywhere, private));
    assert_eq!(local().to, SocketAddr::from(([127, 96, 0, 5], port)));
}

#[tokio::test]
async fn a_pod_with_a_namespace_has_its_own_addresses_in_there() {
    let netns = NetworkNamespace { path: "/proc/1/ns/net".into(), inode: 1 };
    let sandbox = Sandbox { netns: Some(netns), ..sandbox().await };
    let guest = RootlessGuestNetwork::default();
    for (wanted, real) in [
        ("0.0.0.0:80", Some("0.0.0.0:80")),
        ("127.0.0.1:80", Some("127.0.0.1:80")),
        ("127.64.0.5:80", Some("0.0.0.0:80")),
        ("127.64.0.6:80", None),
        ("127.96.0.5:80", None),
    ] {
        assert_eq!(guest.bind(&sandbox, at(wanted)).ok(), real.map(at), "bind {wanted}");
    }
    for (wanted, from, inside) in [
        ("127.0.0.1:80", None, true),
        ("0.0.0.0:80", None, true),
        ("127.64.0.5:80", None, true),
        ("127.64.0.6:80", Some("127.64.0.5:0"), false),
        ("127.32.0.1:443", Some("127.64.0.5:0"), false),
        ("93.184.216.34:80", None, false),
    ] {
        let expected = ConnectRoute { from: from.map(at), to: at(wanted), inside };
        assert_eq!(guest.connect(&sandbox, at(wanted)), Ok(expected), "connect {wanted}");
    }
    assert!(guest.connect(&sandbox, at("127.96.0.5:80")).is_err());
    assert_eq!(guest.shown(&sandbox, at("127.0.0.1:9")), at("127.0.0.1:9"));
}

#[tokio::test]
async fn the_private_loopback_is_shown_as_localhost() {
    let (guest, sandbox) = (RootlessGuestNetwork::default(), sandbox().await);
    assert_eq!(guest.shown(&sandbox, at("127.96.0.5:9")), at("127.0.0.1:9"));
    assert_eq!(guest.shown(&sandbox, at("127.64.0.5:9")), at("127.64.0.5:9"));
    assert_eq!(guest.shown(&sandbox, at("8.8.8.8:9")), at("8.8.8.8:9"));
}

#[tokio::test]
async fn names_are_resolved_in_the_pods_order() {
    let names = NameTable::new();
    names.set("api.default.svc.cluster.local", vec!["127.32.0.3".parse().unwrap()]);
    let (guest, sandbox) = (RootlessGuestNetwork::new(names), sandbox().await);
    for (name, ip) in [
        ("localhost", "127.0.0.1"),
        ("web", "127.64.0.5"),
        ("db.local", "10.0.0.7"),
        ("api", "127.32.0.3"),
        ("api.default.svc", "127.32.0.3"),
        ("1.2.3.4", "1.2.3.4"),
    ] {
        let found = guest.resolve(&sandbox, name).await.unwrap();
        assert_eq!(found, [ip.parse::<IpAddr>().unwrap()], "{name}");
    }
    let missing = guest.resolve(&sandbox, "no.default.svc.cluster.local").await;
    assert!(matches!(missing, Err(ResolveError::NotFound(_))));
}

#[tokio::test]
async fn the_hosts_network_is_not_rewritten() {
    let network = network("127.64.0.0/20");
    let host = SandboxRequest { host_network: true, ..request("h", None) };
    let sandbox = network.setup(&host).await.unwrap();
    assert_eq!(sandbox.ip.to_string(), "127.0.0.1");
    let guest = RootlessGuestNetwork::default();
    assert_eq!(guest.bind(&sandbox, at("0.0.0.0:80")).unwrap(), at("0.0.0.0:80"));
    assert!(guest.connect(&sandbox, at("169.254.169.254:80")).is_err());
    assert!(guest.connect(&sandbox, at("127.96.0.5:80")).is_err());
}
