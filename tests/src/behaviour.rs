//! One suite of what pods do, for every runtime: only the image differs.
//!
//! A [`Case`] says as data what a pod is made of, what is done to it, and what it comes to; see
//! `tests/tests/behaviour/README.md`. Cases that need code are functions of a [`Scene`]. A [`Stage`] is a
//! cluster of one runtime, on which any number of both are played at a time, each in a namespace of its
//! own; what failed is told at the end, by name.

mod case;
mod pattern;
mod scene;
mod stage;
mod steps;
mod view;
mod watched;

pub use case::{Case, cases};
pub use pattern::mismatch;
pub use scene::{Scene, eventually};
pub use stage::{Play, Stage, Subject};
pub use view::view;
