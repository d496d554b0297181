//! The API server over a store in memory, called in process, as its clients see it.

#![expect(clippy::unwrap_used, reason = "what helps tests panics as they do")]

mod admission;
mod certificates;
mod cluster;
mod connect;
mod deleting;
mod discovery;
mod events;
mod impersonation;
mod kinds;
mod lists;
mod malformed;
mod owners;
mod parts;
mod patches;
mod pods;
mod quotas;
mod representations;
mod scale;
mod services;
mod tokens;
mod usage;
mod verbs;
mod watches;
mod websockets;
mod writes;
