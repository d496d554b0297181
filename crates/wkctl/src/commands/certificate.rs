//! `certificate`: whether somebody gets the certificate that they ask for.

use anyhow::bail;
use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::describe::items;
use super::select::{self, SelectArgs};
use super::writing;
use crate::client::Call;
use crate::error::{StatusError, all_good};
use crate::kinds::text;
use crate::manifest::FileArgs;
use crate::session::Session;

/// How often a decision is tried when somebody else was faster.
const ATTEMPTS: usize = 10;

/// Arguments of `certificate`.
#[derive(Debug, clap::Args)]
pub(crate) struct CertificateArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Let somebody have a certificate
    Approve(DecideArgs),
    /// Let somebody not have a certificate
    Deny(DecideArgs),
}

#[derive(Debug, clap::Args)]
struct DecideArgs {
    /// Names of certificate signing requests
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    files: FileArgs,
    /// Write the decision anew even if it was the same before
    #[arg(long)]
    force: bool,
    /// Print the request in this format
    #[arg(short, long, value_name = "FORMAT")]
    output: Option<String>,
    /// Print the fields that say who manages what, too
    #[arg(long)]
    show_managed_fields: bool,
}

pub(crate) async fn run(session: &Session, args: CertificateArgs) -> anyhow::Result<()> {
    match args.what {
        What::Approve(args) => {
            let message = "This CSR was approved by kubectl certificate approve.";
            args.decide(session, ("Approved", "approved"), "KubectlApprove", message).await
        }
        What::Deny(args) => {
            let message = "This CSR was denied by kubectl certificate deny.";
            args.decide(session, ("Denied", "denied"), "KubectlDeny", message).await
        }
    }
}

impl DecideArgs {
    async fn decide(
        &self,
        session: &Session,
        (kind, done): (&str, &str),
        reason: &str,
        message: &str,
    ) -> anyhow::Result<()> {
        if self.names.is_empty() && self.files.is_empty() {
            bail!("one or more CSRs must be specified as <name> or -f <filename>");
        }
        let mut words = Vec::new();
        if !self.names.is_empty() {
            words.push("certificatesigningrequests".to_owned());
            words.extend(self.names.iter().cloned());
        }
        let none = SelectArgs::default();
        let (requests, mut errors) =
            select::objects(session, &words, &self.files, &none, false).await?;
        for found in requests {
            let mut request = found.object.clone();
            let path = format!("{}/approval", found.path());
            for attempt in 1.. {
                let is_same = |one: &Value| text(one, "/type") == kind;
                if !self.force && items(&request, "/status/conditions").any(is_same) {
                    break;
                }
                let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
                let mut all: Vec<Value> = items(&request, "/status/conditions")
                    .filter(|one| text(one, "/type") != kind)
                    .cloned()
                    .collect();
                all.push(json!({"type": kind, "status": "True", "reason": reason,
                    "message": message, "lastUpdateTime": now}));
                request["status"]["conditions"] = all.into();
                let call = Call::with(Method::PUT, path.clone(), &request);
                match session.ask(&found.resource, call).await {
                    Ok(decided) => {
                        request = decided;
                        break;
                    }
                    Err(error) if attempt < ATTEMPTS && is_conflict(&error) => {
                        request = session.ask(&found.resource, Call::get(found.path())).await?;
                    }
                    Err(error) => {
                        errors.push(error);
                        request = Value::Null;
                        break;
                    }
                }
            }
            if request.is_null() {
                continue;
            }
            match &self.output {
                None => session.console.line(format!("{} {done}", found.named()))?,
                Some(format) => {
                    let with = self.show_managed_fields;
                    writing::show(session, format, with, &found.resource, request)?;
                }
            }
        }
        all_good(errors)
    }
}

fn is_conflict(error: &anyhow::Error) -> bool {
    error.downcast_ref::<StatusError>().is_some_and(|status| status.code == 409)
}
