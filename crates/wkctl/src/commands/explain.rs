//! `explain`: what the fields of a resource mean, from the server's OpenAPI documents.

mod schema;

use std::fmt::Write as _;

use anyhow::bail;

use self::schema::{Document, Explained};
use crate::client::Call;
use crate::error::{StatusError, hinted};
use crate::kinds::Resource;
use crate::session::Session;

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
pub(crate) struct ExplainArgs {
    /// TYPE, or TYPE.FIELD.FIELD
    #[arg(value_name = "WHAT")]
    words: Vec<String>,
    /// Also the fields of fields
    #[arg(short = 'R', long)]
    recursive: bool,
    /// With `--recursive`: how deep to go; 0 is all the way
    #[arg(long, value_name = "LEVELS", default_value_t = 0)]
    max_depth: usize,
    /// Version of the API, such as `autoscaling/v1`
    #[arg(long, value_name = "GROUP/VERSION")]
    api_version: Option<String>,
    /// `plaintext`
    #[arg(short, long, value_name = "FORMAT", default_value = "plaintext",
        value_parser = ["plaintext"])]
    output: String,
}

pub(crate) async fn run(session: &Session, args: ExplainArgs) -> anyhow::Result<()> {
    let what = match args.words.as_slice() {
        [what] => what,
        [] => {
            return Err(hinted(
                "You must specify the type of resource to explain. Use \"wkctl api-resources\" \
                 for a complete list of supported resources.",
                "`wkctl explain pod.spec` explains the fields of a pod's spec",
            ));
        }
        _ => bail!("We accept only this format: explain RESOURCE"),
    };
    debug_assert_eq!(args.output, "plaintext");
    let (mut resource, fields) = meant(session, what).await?;
    if let Some(api_version) = &args.api_version {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        (resource.group, resource.version) = (group.to_owned(), version.to_owned());
    }
    let path = match resource.group.as_str() {
        "" => format!("/openapi/v3/api/{}", resource.version),
        group => format!("/openapi/v3/apis/{group}/{}", resource.version),
    };
    let document = session.client().await?.object(Call::get(path)).await;
    let document = document.map_err(|error| match error.downcast_ref::<StatusError>() {
        Some(status) if status.is_not_found() && args.api_version.is_none() => {
            anyhow::anyhow!("the server doesn't have a resource type {what:?}")
        }
        Some(status) if status.is_not_found() => {
            anyhow::anyhow!("couldn't find resource for {what:?} in {}", resource.api_version())
        }
        _ => error,
    })?;
    let document = Document::new(&document);
    let Some(root) = document.root(&resource) else {
        if args.api_version.is_none() {
            bail!("the server doesn't have a resource type {what:?}");
        }
        bail!("couldn't find resource for {what:?} in {}", resource.api_version());
    };
    let mut head = String::new();
    if !resource.group.is_empty() {
        _ = writeln!(head, "GROUP:      {}", resource.group);
    }
    _ = writeln!(head, "KIND:       {}\nVERSION:    {}\n", resource.kind, resource.version);
    session.console.print(head)?;
    let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
    let explained =
        Explained { document: &document, recursive: args.recursive, depth: args.max_depth };
    Ok(session.console.print(explained.text(root, &fields)?)?)
}

/// The resource and the fields that a dotted word means: groups have dots, too.
async fn meant(session: &Session, what: &str) -> anyhow::Result<(Resource, Vec<String>)> {
    let parts: Vec<&str> = what.split('.').filter(|part| !part.is_empty()).collect();
    let fields = |from: usize| parts[from..].iter().map(|part| (*part).to_owned()).collect();
    if let Some(first) = parts.first()
        && let Some(resource) = crate::kinds::built_in(first)
    {
        // `deployments.apps.spec` names the group as well.
        let group: Vec<&str> = resource.group.split('.').filter(|part| !part.is_empty()).collect();
        let named = !group.is_empty() && parts[1..].starts_with(&group);
        let from = if named { 1 + group.len() } else { 1 };
        return Ok((resource, fields(from)));
    }
    let whole = session.resource(parts.first().copied().unwrap_or_default()).await?;
    Ok((whole, fields(1)))
}
