//! The API server over a store in memory, called in process, as its clients see it.

#![expect(clippy::unwrap_used, reason = "what helps tests panics as they do")]

mod admission;
mod cluster;
mod connect;
mod deleting;
mod discovery;
mod lists;
mod malformed;
mod owners;
mod patches;
mod pods;
mod representations;
mod scale;
mod tokens;
mod watches;
mod websockets;
mod writes;
