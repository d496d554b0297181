//! What the server is made of.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use wk_auth::{Authorizer, BootstrapToken, Ca, TokenSigner};
use wk_store::Store;

use crate::dialer::NodeDialer;

/// Everything an [`ApiServer`](crate::ApiServer) needs.
pub struct Config {
    /// Where objects are kept.
    pub store: Arc<dyn Store>,
    /// Who may do what.
    pub authorizer: Arc<dyn Authorizer>,
    /// Signs the tokens of service accounts, and knows them again.
    pub tokens: Arc<TokenSigner>,
    /// The way to the kubelets.
    pub dialer: Arc<dyn NodeDialer>,
    /// What lets machines join; `None` refuses them.
    pub bootstrap: Option<BootstrapConfig>,
    /// The range that the addresses of services are taken from.
    pub service_cidr: ServiceCidr,
    /// Where clients in the cluster reach this server, for the endpoints of the service
    /// `kubernetes`; `None` gives it none.
    pub advertise: Option<SocketAddr>,
    /// What the server says it is.
    pub release: Release,
    /// How long an event lives after it was last written; [`EVENT_TTL`] elsewhere.
    pub event_ttl: Duration,
    /// How long pods that do not say stay on a node that is lost.
    pub tolerations: TolerationSeconds,
}

/// How long pods that do not say tolerate the loss of their node, in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TolerationSeconds {
    /// While the node says that it is not ready.
    pub not_ready: u32,
    /// While it says nothing.
    pub unreachable: u32,
}

impl Default for TolerationSeconds {
    /// Five minutes, as in Kubernetes.
    fn default() -> Self {
        Self { not_ready: 300, unreachable: 300 }
    }
}

/// How long events live in Kubernetes.
pub const EVENT_TTL: Duration = Duration::from_hours(1);

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("store", &self.store)
            .field("service_cidr", &self.service_cidr)
            .field("advertise", &self.advertise)
            .field("release", &self.release)
            .field("event_ttl", &self.event_ttl)
            .field("tolerations", &self.tolerations)
            .finish_non_exhaustive()
    }
}

/// What is needed to let machines and programs join.
#[derive(Clone)]
pub struct BootstrapConfig {
    /// Signs the certificates of those who join.
    pub ca: Arc<Ca>,
    /// What they have to show.
    pub token: BootstrapToken,
}

impl std::fmt::Debug for BootstrapConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BootstrapConfig").finish_non_exhaustive()
    }
}

/// A range of IPv4 addresses for services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceCidr {
    first: u32,
    bits: u8,
}

impl ServiceCidr {
    /// The range `address/bits`; bits of the address behind the prefix do not matter.
    ///
    /// `None` for prefixes under 4 or over 30 bits.
    pub fn new(address: Ipv4Addr, bits: u8) -> Option<Self> {
        if !(4..=30).contains(&bits) {
            return None;
        }
        Some(Self { first: u32::from(address) & (u32::MAX << (32 - bits)), bits })
    }

    /// The first address that a service can have: that of `default/kubernetes`.
    pub fn first(&self) -> Ipv4Addr {
        Ipv4Addr::from(self.first + 1)
    }

    /// How many addresses services can have: all but the first and the last of the range.
    pub fn size(&self) -> u32 {
        (1_u32 << (32 - self.bits)) - 2
    }

    /// The address at a place, from 0.
    pub fn nth(&self, place: u32) -> Ipv4Addr {
        Ipv4Addr::from(self.first + 1 + place % self.size())
    }

    /// Whether a service can have this address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let IpAddr::V4(address) = address else { return false };
        let address = u32::from(address);
        address > self.first && address <= self.first + self.size()
    }
}

impl std::fmt::Display for ServiceCidr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.first), self.bits)
    }
}

/// What `/version` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// The version of Kubernetes whose API is served, and our own: `v1.36.0+wk0.1.0`.
    pub git_version: String,
    /// The commit that was built; may be empty.
    pub git_commit: String,
    /// When it was built, RFC 3339.
    pub build_date: String,
    /// `linux/amd64`.
    pub platform: String,
}

impl Default for Release {
    fn default() -> Self {
        let arch = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        Self {
            git_version: format!("v1.36.0+wk{}", env!("CARGO_PKG_VERSION")),
            git_commit: String::new(),
            build_date: "1970-01-01T00:00:00Z".to_owned(),
            platform: format!("{}/{arch}", std::env::consts::OS),
        }
    }
}
