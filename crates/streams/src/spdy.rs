//! SPDY/3.1, as far as Kubernetes uses it.
//!
//! Nothing that speaks it is maintained any more except the clients and servers of Kubernetes, whose
//! habits are followed here. They know no flow control: windows are neither kept nor heeded by
//! either side, and a slow reader slows the whole connection down. Updates of windows are sent all
//! the same, for peers that wait for them.
//!
//! Spec: <https://datatracker.ietf.org/doc/html/draft-mbelshe-httpbis-spdy-00>

mod dictionary;
mod headers;
mod session;
#[cfg(test)]
mod tests;
mod wire;

pub use headers::Headers;
pub use session::{Event, Fault, Role, Session};
pub(crate) use wire::SpdyWire;
