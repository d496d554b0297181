//! Images: what their names mean, how they are pulled and pushed, and where a node keeps them.
//!
//! [`ImageStore`] is a node's content store, [`push()`] the way to a registry, [`RegistryClient`] the
//! connections that both use.
//!
//! # Invariants
//! - A file that the store hands out has the bytes that its digest names, and is never changed.
//! - An image is found only when all of its content is durable; a crash leaves whole images or none.
//! - Nothing an image or a registry says makes a path: names on disk are digests.
//! - Knows no pods, nodes or runtimes, and no policy of when to pull.

mod blobs;
mod client;
mod credentials;
mod digest;
mod error;
mod files;
mod flights;
mod image;
mod manifest;
mod plan;
mod platform;
mod pull;
mod push;
mod reference;
mod store;
mod unpack;
mod wasm;

pub use client::{ClientConfig, ClientError, RegistryClient};
pub use credentials::{Credentials, CredentialsError, Login};
pub use digest::{Algorithm, Digest, DigestError, Digester};
pub use error::{OpenError, PullError, PushError, RegistryError};
pub use image::{ExposedPort, Flavor, Image, ImageConfig, ImageKind};
pub use manifest::{Descriptor, Platform};
pub use platform::node_platforms;
pub use pull::{Progress, ProgressFn, Resolved};
pub use push::{PushOptions, Pushed, push};
pub use reference::{DEFAULT_REGISTRY, ImageReference, ReferenceError};
pub use store::{GarbagePolicy, GarbageReport, ImageStore, Limits, StoreConfig};
pub use wasm::{InspectError, WasmForm, WasmInfo};
