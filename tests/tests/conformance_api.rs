//! What the conformance suite of Kubernetes asks of the API alone, each test in its own words.
//!
//! That every kind answers every verb is seen elsewhere; here is what the suite asks beyond that.

#![expect(clippy::unwrap_used, reason = "tests panic")]

#[path = "every_kind/asking.rs"]
mod asking;
#[path = "conformance_api/kinds.rs"]
mod kinds;
#[path = "conformance_api/machinery.rs"]
mod machinery;
#[path = "conformance_api/suite.rs"]
mod suite;
