//! The API server: the Kubernetes API over HTTP, in front of a [`Store`](wk_store::Store).
//!
//! One generic path serves every kind: a request is parsed into what it asks for ([`route`]), its
//! user is authorised, its body decoded and admitted, the kind's
//! [`Definition`](wk_resources::Definition) applied, and the outcome written to the store. Reads and
//! watches come out of one cache that the store's own watch fills; objects stay encoded in it, and
//! a JSON answer is those bytes with the revision spliced in.
//!
//! # Invariants
//! - The only user of the store. Everything else in the cluster is a client of this crate.
//! - Knows no kind by its rules: what a kind means is in `wk-resources`. The few kinds that the
//!   server itself is about (namespaces, services' addresses, bindings) have a module each.
//! - A write is answered when the cache has seen it: who wrote, reads what was written.
//! - No input, however malformed, makes the server panic; a panic that happens anyway is a 500 and
//!   ends nothing but its request.
//! - A watch delivers every change once, in order; a reader that is too slow is cut off.

mod admission;
mod apply;
mod audit;
mod authorize;
mod body;
mod bootstrap;
mod cache;
mod catalog;
mod changes;
mod components;
mod config;
mod connect;
mod dialer;
mod discovery;
mod encode;
mod error;
mod events;
mod eviction;
mod handle;
mod housekeeping;
mod impersonate;
mod list;
mod logs;
mod maintenance;
mod metrics;
mod negotiate;
mod object;
mod openapi;
mod options;
mod patch;
mod records;
mod remove;
mod reviews;
mod route;
mod scale;
mod seed;
mod serve;
mod server;
mod services;
mod snapshot;
mod storage;
mod subresources;
mod system;
mod table;
mod tokens;
mod usage;
mod warnings;
mod watch;
mod websocket;
mod write;

pub use config::{BootstrapConfig, Config, EVENT_TTL, Release, ServiceCidr, TolerationSeconds};
pub use dialer::{Duplex, NoNodes, NodeDialer};
pub use records::Records;
pub use server::{ApiServer, KindError, StartError};
