//! Who asks, and may they.
//!
//! # Invariants
//! - Knows no HTTP: transports hand over a certificate or a secret and get a [`User`].
//! - A private key never leaves this process except into a file of mode 0600.

mod authorizer;
mod bootstrap;
mod ca;
mod files;
mod service_account;
mod signing;
mod unverified;
mod user;

pub use authorizer::{AllowAuthenticated, Attributes, Authorizer, Decision, Rule, Rules};
pub use bootstrap::{BootstrapRole, BootstrapToken, TokenError};
pub use ca::{Ca, CaError, CertificateRequest, Issued, ServerNames};
pub use files::write_private;
pub use service_account::{Binding, Claims, Reference, TokenFault, TokenKeyError, TokenSigner};
pub use signing::{RequestedNames, certificate_end};
pub use unverified::UnverifiedServer;
pub use user::{User, user_from_certificate};
