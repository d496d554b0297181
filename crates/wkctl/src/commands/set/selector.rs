//! `set selector`: which pods a service leads to.

use anyhow::bail;
use serde_json::Value;

use super::CommonArgs;
use crate::commands::create::pairs;
use crate::session::Session;

/// Arguments of `set selector`: svc NAME KEY=VALUE,...
#[derive(Debug, clap::Args)]
pub(crate) struct SelectorArgs {
    #[command(flatten)]
    common: CommonArgs,
    /// Only if the object is at this version
    #[arg(long, value_name = "VERSION")]
    resource_version: Option<String>,
}

pub(super) async fn run(session: &Session, mut args: SelectorArgs) -> anyhow::Result<()> {
    let words = &mut args.common.what.words;
    let Some(selector) = words.pop() else {
        bail!("one or more resources must be specified as <resource> <name> or <resource>/<name>");
    };
    if let [kind] = words.as_slice()
        && !kind.contains('/')
    {
        bail!("resource(s) were provided, but no name was specified");
    }
    // Conditions other than equality are for selectors of other kinds.
    if let Some((key, set)) = selector.split_once(" in ") {
        let values = set.trim_matches(['(', ')']).replace(',', " ");
        bail!("match expression [{{{key} In [{values}]}}] not supported on this object");
    }
    let wanted = pairs(&selector, "selector")?;
    args.common
        .change(session, ("selector updated", true), |found, object| {
            if !found.is("", "Service") {
                bail!("setting a selector is only supported for Services");
            }
            object["spec"]["selector"] = Value::Object(wanted.clone());
            if let Some(version) = &args.resource_version {
                object["metadata"]["resourceVersion"] = version.clone().into();
            }
            Ok(())
        })
        .await
}
