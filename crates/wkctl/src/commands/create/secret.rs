//! `create secret generic|tls|docker-registry NAME ...`

use std::path::PathBuf;

use anyhow::Context as _;
use base64::Engine as _;
use serde_json::{Value, json};

use super::configmap::Sources;
use super::{CreateOptions, named};

/// Arguments of `create secret`.
#[derive(Debug, clap::Args)]
pub(crate) struct SecretArgs {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Debug, clap::Subcommand)]
enum Kind {
    /// From texts, files or folders
    Generic {
        name: String,
        #[command(flatten)]
        sources: Sources,
        /// The secret's type
        #[arg(long = "type", value_name = "TYPE")]
        kind: Option<String>,
        #[command(flatten)]
        options: CreateOptions,
    },
    /// A certificate and its key
    Tls {
        name: String,
        /// File with the certificate, PEM
        #[arg(long, value_name = "FILE")]
        cert: PathBuf,
        /// File with the key, PEM
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        #[command(flatten)]
        options: CreateOptions,
    },
    /// A login for an image registry
    DockerRegistry {
        name: String,
        /// The registry
        #[arg(long, value_name = "HOST", default_value = "https://index.docker.io/v1/")]
        docker_server: String,
        /// User name
        #[arg(long, value_name = "NAME")]
        docker_username: String,
        /// Password
        #[arg(long, value_name = "PASSWORD")]
        docker_password: String,
        /// Mail address
        #[arg(long, value_name = "ADDRESS")]
        docker_email: Option<String>,
        #[command(flatten)]
        options: CreateOptions,
    },
}

fn encode(value: impl AsRef<[u8]>) -> String {
    base64::engine::general_purpose::STANDARD.encode(value)
}

impl SecretArgs {
    pub(super) fn object(self) -> anyhow::Result<(Value, CreateOptions)> {
        match self.kind {
            Kind::Generic { name, sources, kind, options } => {
                let mut object = named("Secret", &name);
                for (key, value) in sources.read()? {
                    object["data"][key] = encode(value).into();
                }
                if let Some(kind) = kind {
                    object["type"] = kind.into();
                }
                Ok((object, options))
            }
            Kind::Tls { name, cert, key, options } => {
                let read = |path: PathBuf| {
                    let content = std::fs::read(&path);
                    content.with_context(|| format!("error reading {}", path.display()))
                };
                let mut object = named("Secret", &name);
                object["type"] = "kubernetes.io/tls".into();
                object["data"] = json!({
                    "tls.crt": encode(read(cert)?),
                    "tls.key": encode(read(key)?),
                });
                Ok((object, options))
            }
            Kind::DockerRegistry {
                name,
                docker_server,
                docker_username,
                docker_password,
                docker_email,
                options,
            } => {
                let auth = encode(format!("{docker_username}:{docker_password}"));
                let mut login = json!({
                    "username": docker_username,
                    "password": docker_password,
                    "auth": auth,
                });
                if let Some(email) = docker_email {
                    login["email"] = email.into();
                }
                let config = json!({"auths": {docker_server: login}});
                let mut object = named("Secret", &name);
                object["type"] = "kubernetes.io/dockerconfigjson".into();
                object["data"] = json!({".dockerconfigjson": encode(config.to_string())});
                Ok((object, options))
            }
        }
    }
}
