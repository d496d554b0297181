//! The arithmetic of rootless addresses. Pure.
//!
//! Inside 127.0.0.0/8 the cluster has three ranges: pods, each pod's private loopback (its address
//! plus a fixed offset), and services. Everything else in 127.0.0.0/8 belongs to the machine.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Addresses of pods; each node has a part of it (`spec.podCIDR`).
pub const POD_RANGE: Cidr = Cidr { first: Ipv4Addr::new(127, 64, 0, 0), prefix: 11 };
/// Addresses of services.
pub const SERVICE_RANGE: Cidr = Cidr { first: Ipv4Addr::new(127, 32, 0, 0), prefix: 12 };
/// What is added to a pod's address to get its private loopback.
pub const LOOPBACK_OFFSET: u32 = 32 << 16;

const LOOPBACK_RANGE: Cidr = Cidr { first: Ipv4Addr::new(127, 96, 0, 0), prefix: 11 };

/// A range of IPv4 addresses, written `127.64.0.0/20`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cidr {
    first: Ipv4Addr,
    prefix: u8,
}

/// Why a text is not a range of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an IPv4 range such as `127.64.0.0/20`")]
pub struct CidrError {
    /// The text.
    pub text: String,
}

impl Cidr {
    /// Whether the range holds `ip`.
    pub fn contains(self, ip: Ipv4Addr) -> bool {
        let mask = self.mask();
        ip.to_bits() & mask == self.first.to_bits()
    }

    /// Whether every address of `other` is in this range.
    pub fn covers(self, other: Self) -> bool {
        self.prefix <= other.prefix && self.contains(other.first)
    }

    /// How many addresses it has.
    pub fn len(self) -> u32 {
        u32::MAX.checked_shr(u32::from(self.prefix)).unwrap_or(0).saturating_add(1)
    }

    /// Never: a range has at least one address.
    pub fn is_empty(self) -> bool {
        false
    }

    /// The address at `index`; `None` behind the end.
    pub fn nth(self, index: u32) -> Option<Ipv4Addr> {
        (index < self.len()).then(|| Ipv4Addr::from_bits(self.first.to_bits() + index))
    }

    /// Where `ip` is in the range; `None` if it is not.
    pub fn index_of(self, ip: Ipv4Addr) -> Option<u32> {
        self.contains(ip).then(|| ip.to_bits() - self.first.to_bits())
    }

    fn mask(self) -> u32 {
        u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || CidrError { text: text.to_owned() };
        let (ip, prefix) = text.split_once('/').ok_or_else(error)?;
        let ip: Ipv4Addr = ip.parse().map_err(|_| error())?;
        let prefix: u8 = prefix.parse().map_err(|_| error())?;
        if prefix > 32 {
            return Err(error());
        }
        let first = Ipv4Addr::from_bits(ip.to_bits() & Self { first: ip, prefix }.mask());
        Ok(Self { first, prefix })
    }
}

impl TryFrom<String> for Cidr {
    type Error = CidrError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Cidr> for String {
    fn from(cidr: Cidr) -> Self {
        cidr.to_string()
    }
}

/// The private loopback of the pod with this address.
pub fn loopback_of(pod: Ipv4Addr) -> Ipv4Addr {
    Ipv4Addr::from_bits(pod.to_bits().wrapping_add(LOOPBACK_OFFSET))
}

/// The pod that a private loopback belongs to; `None` if the address is none.
pub fn pod_of_loopback(ip: Ipv4Addr) -> Option<Ipv4Addr> {
    LOOPBACK_RANGE.contains(ip).then(|| Ipv4Addr::from_bits(ip.to_bits() - LOOPBACK_OFFSET))
}

/// What an address is to a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// 0.0.0.0.
    Unspecified,
    /// The guest's `localhost`.
    Localhost,
    /// A pod's address.
    Pod,
    /// The private loopback of some pod.
    PrivateLoopback,
    /// A service's address.
    Service,
    /// Where clouds tell a machine its secrets.
    Metadata,
    /// Anything else.
    Outside,
}

/// What `ip` is to a pod.
pub(crate) fn place(ip: Ipv4Addr) -> Place {
    if ip.is_unspecified() {
        Place::Unspecified
    } else if POD_RANGE.contains(ip) {
        Place::Pod
    } else if LOOPBACK_RANGE.contains(ip) {
        Place::PrivateLoopback
    } else if SERVICE_RANGE.contains(ip) {
        Place::Service
    } else if ip.is_loopback() {
        Place::Localhost
    } else if ip == Ipv4Addr::new(169, 254, 169, 254) {
        Place::Metadata
    } else {
        Place::Outside
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_and_written() {
        for (text, shown, len) in [
            ("127.64.0.0/20", "127.64.0.0/20", 4096),
            ("127.64.3.7/20", "127.64.0.0/20", 4096),
            ("10.0.0.1/32", "10.0.0.1/32", 1),
        ] {
            let cidr: Cidr = text.parse().unwrap();
            assert_eq!(cidr.to_string(), shown, "{text}");
            assert_eq!(cidr.len(), len, "{text}");
        }
        for text in ["", "127.0.0.1", "127.0.0.1/33", "::/64", "x/8"] {
            assert!(text.parse::<Cidr>().is_err(), "{text}");
        }
    }

    #[test]
    fn addresses_of_a_range_have_an_index() {
        let cidr: Cidr = "127.64.16.0/20".parse().unwrap();
        assert_eq!(cidr.nth(0).unwrap().to_string(), "127.64.16.0");
        assert_eq!(cidr.nth(4095).unwrap().to_string(), "127.64.31.255");
        assert_eq!(cidr.nth(4096), None);
        assert_eq!(cidr.index_of("127.64.17.0".parse().unwrap()), Some(256));
        assert_eq!(cidr.index_of("127.64.32.0".parse().unwrap()), None);
        assert!(POD_RANGE.covers(cidr));
        assert!(!cidr.covers(POD_RANGE));
    }

    #[test]
    fn the_private_loopback_follows_from_the_pods_address() {
        let pod = "127.64.0.5".parse().unwrap();
        assert_eq!(loopback_of(pod).to_string(), "127.96.0.5");
        assert_eq!(pod_of_loopback(loopback_of(pod)), Some(pod));
        assert_eq!(pod_of_loopback(pod), None);
        let last = "127.95.255.255".parse().unwrap();
        assert_eq!(pod_of_loopback(loopback_of(last)), Some(last));
    }

    #[test]
    fn every_address_has_a_place() {
        for (ip, expected) in [
            ("0.0.0.0", Place::Unspecified),
            ("127.0.0.1", Place::Localhost),
            ("127.1.2.3", Place::Localhost),
            ("127.32.0.1", Place::Service),
            ("127.47.255.255", Place::Service),
            ("127.48.0.0", Place::Localhost),
            ("127.64.0.0", Place::Pod),
            ("127.95.255.255", Place::Pod),
            ("127.96.0.0", Place::PrivateLoopback),
            ("127.127.255.255", Place::PrivateLoopback),
            ("127.128.0.0", Place::Localhost),
            ("169.254.169.254", Place::Metadata),
            ("169.254.1.1", Place::Outside),
            ("8.8.8.8", Place::Outside),
        ] {
            assert_eq!(place(ip.parse().unwrap()), expected, "{ip}");
        }
    }
}
