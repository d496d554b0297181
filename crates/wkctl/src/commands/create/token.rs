//! `create token`: a token of a service account.

use anyhow::{Context as _, bail};
use http::Method;
use serde_json::{Map, Value, json};

use super::failure;
use crate::client::Call;
use crate::commands::writing;
use crate::duration;
use crate::error::StatusError;
use crate::kinds::{built_in, text};
use crate::session::Session;

/// Arguments of `create token`.
#[derive(Debug, clap::Args)]
pub(crate) struct TokenArgs {
    name: String,
    /// Whom the token is for; the API server if not said
    #[arg(long = "audience", value_name = "NAME")]
    audiences: Vec<String>,
    /// How long the token is to be good, such as `10m`
    #[arg(long)]
    duration: Option<String>,
    /// Kind of an object without which the token is worth nothing: Node, Pod or Secret
    #[arg(long, value_name = "KIND")]
    bound_object_kind: Option<String>,
    /// Name of that object
    #[arg(long, value_name = "NAME")]
    bound_object_name: Option<String>,
    /// Uid of that object
    #[arg(long, value_name = "UID")]
    bound_object_uid: Option<String>,
    /// Print the whole answer in this format
    #[arg(short, long, value_name = "FORMAT")]
    output: Option<String>,
}

pub(super) async fn run(session: &Session, args: TokenArgs) -> anyhow::Result<()> {
    let request = json!({
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": args.spec()?,
    });
    let accounts = built_in("serviceaccounts").context("service accounts are built in")?;
    let namespace = session.namespace().await?;
    let path = format!("{}/token", accounts.object_path(&namespace, &args.name));
    let answer = session.client().await?.object(Call::with(Method::POST, path, &request)).await;
    let answer = match answer {
        Err(error) if error.is::<StatusError>() => {
            return Err(failure("failed to create token: ", &error));
        }
        answer => answer?,
    };
    if let Some(format) = &args.output {
        return writing::show(session, format, true, &accounts, answer);
    }
    let token = text(&answer, "/status/token");
    if token.is_empty() {
        bail!("failed to create token: no token in server response");
    }
    Ok(session.console.line(token)?)
}

impl TokenArgs {
    fn spec(&self) -> anyhow::Result<Value> {
        let mut spec = Map::new();
        if !self.audiences.is_empty() {
            spec.insert("audiences".to_owned(), json!(self.audiences));
        }
        let seconds = self.duration.as_deref().map(duration::parse).transpose()?;
        let seconds = seconds.map(|duration| duration.as_secs()).filter(|seconds| *seconds > 0);
        spec.extend(seconds.map(|seconds| ("expirationSeconds".to_owned(), json!(seconds))));
        match (&self.bound_object_kind, &self.bound_object_name) {
            (None, None) if self.bound_object_uid.is_some() => {
                bail!("--bound-object-uid can only be set if --bound-object-kind is provided")
            }
            (None, None) => {}
            (None, Some(_)) => {
                bail!("--bound-object-name can only be set if --bound-object-kind is provided")
            }
            (Some(_), None) => {
                bail!("--bound-object-name is required if --bound-object-kind is provided")
            }
            (Some(kind), Some(name)) => {
                if !["Node", "Pod", "Secret"].contains(&kind.as_str()) {
                    bail!("supported --bound-object-kind values are Node, Pod, Secret");
                }
                let mut reference = json!({"apiVersion": "v1", "kind": kind, "name": name});
                if let Some(uid) = &self.bound_object_uid {
                    reference["uid"] = json!(uid);
                }
                spec.insert("boundObjectRef".to_owned(), reference);
            }
        }
        Ok(spec.into())
    }
}
