//! The streams of Kubernetes: into running programs (`exec`, `attach`) and to ports of pods.
//!
//! Many byte streams share one connection that began as an HTTP request: over WebSocket, over
//! SPDY/3.1, or over SPDY carried by WebSocket. Server and client are both here.
//!
//! - [`Upgrade`] reads what a request asks for and chooses the protocol.
//! - [`RemoteServer`] and [`RemoteClient`] connect the standard streams of a program.
//! - [`ForwardServer`] and [`ForwardClient`] connect ports.
//!
//! # Invariants
//! - Knows nothing of pods, of authorisation and of how connections are made.
//! - What a peer sends never makes memory grow without bound: frames, headers, streams and unread
//!   bytes all have limits. A peer that breaks the protocol loses its connection.
//! - Starts no task: whoever opens a session drives it.

mod forward;
mod hub;
mod remote;
mod spdy;
mod status;
mod upgrade;
mod websocket;

pub use forward::{ForwardClient, ForwardError, ForwardServer, Forwarded};
pub use hub::{Channel, Driver};
pub use remote::{RemoteClient, RemoteEnds, RemoteServer, Size, SizeSender, StreamSet};
pub use status::Outcome;
pub use upgrade::{
    ClientUpgrade, ForwardProtocol, PORT_FORWARD_PROTOCOL, Refusal, RemoteProtocol, SPDY, Upgrade,
};
pub use websocket::ByteTunnel;

/// The parts of the SPDY/3.1 implementation that fuzzing and property tests reach.
pub mod frames {
    pub use crate::spdy::{Event, Fault, Headers, Role, Session};
}
