//! The API server over a store in memory, called in process, as its clients see it.

#![expect(clippy::unwrap_used, reason = "what helps tests panics as they do")]

mod cluster;
mod deleting;
mod discovery;
mod lists;
mod malformed;
mod patches;
mod pods;
mod representations;
mod watches;
mod writes;
