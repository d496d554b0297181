//! What all commands that write have in common: dry runs, validation, what they print.

use anyhow::bail;
use serde_json::Value;

use crate::kinds::Resource;
use crate::output::{Format, hide_managed_fields};
use crate::session::Session;

/// Whether a command only pretends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum DryRun {
    #[default]
    No,
    /// Nothing is sent.
    Client,
    /// The server does everything but store it.
    Server,
}

/// `--dry-run`.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct DryRunArgs {
    /// Only pretend: `client` sends nothing, `server` stores nothing
    #[arg(long, value_name = "none|client|server", num_args = 0..=1, require_equals = true,
        default_value = "none", default_missing_value = "unchanged")]
    dry_run: String,
}

impl DryRunArgs {
    /// What is asked for.
    pub(crate) fn mode(&self) -> anyhow::Result<DryRun> {
        match self.dry_run.as_str() {
            "none" | "" | "false" => Ok(DryRun::No),
            "client" => Ok(DryRun::Client),
            "server" => Ok(DryRun::Server),
            "unchanged" => bail!("`--dry-run` needs a value: none, client or server"),
            other => bail!(
                "invalid dry-run value ({other}). Must be \"none\", \"server\", or \"client\"."
            ),
        }
    }
}

impl DryRun {
    /// What stands behind what was done.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::No => "",
            Self::Client => " (dry run)",
            Self::Server => " (server dry run)",
        }
    }

    /// The query parameter for the server.
    pub(crate) fn parameter(self) -> Option<&'static str> {
        (self == Self::Server).then_some("All")
    }
}

/// Flags of commands that write.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct WriteArgs {
    #[command(flatten)]
    dry_run: DryRunArgs,
    /// Print the object in this format instead of a line
    #[arg(short, long, value_name = "FORMAT")]
    pub(crate) output: Option<String>,
    /// Print the fields that say who manages what, too
    #[arg(long)]
    pub(crate) show_managed_fields: bool,
    /// Name of the manager of the fields that are written
    #[arg(long, value_name = "NAME")]
    pub(crate) field_manager: Option<String>,
}

impl WriteArgs {
    /// The same, for commands that say what they pretend as if it were so.
    pub(crate) fn unpretending(&self) -> Self {
        Self { dry_run: DryRunArgs::default(), ..self.clone() }
    }

    /// Those of a command that has only `--dry-run`.
    pub(crate) fn pretending(dry_run: DryRunArgs) -> Self {
        Self { dry_run, ..Self::default() }
    }

    pub(crate) fn dry_run(&self) -> anyhow::Result<DryRun> {
        self.dry_run.mode()
    }

    /// The query parameter for the server.
    pub(crate) fn dry_run_parameter(&self) -> anyhow::Result<Option<&'static str>> {
        Ok(self.dry_run()?.parameter())
    }
}

/// Reads `--validate`; gives the value of `fieldValidation`.
pub(crate) fn field_validation(validate: &str) -> anyhow::Result<&'static str> {
    match validate.to_lowercase().as_str() {
        "true" | "strict" => Ok("Strict"),
        "warn" => Ok("Warn"),
        "false" | "ignore" => Ok("Ignore"),
        _ => bail!("invalid - validate option \"{validate}\""),
    }
}

/// Says what was done to an object: `pod/web created`, or the object in the format asked for.
pub(crate) fn report(
    session: &Session,
    args: &WriteArgs,
    resource: &Resource,
    object: Value,
    done: &str,
) -> anyhow::Result<()> {
    let name = crate::kinds::text(&object, "/metadata/name");
    let suffix = args.dry_run()?.suffix();
    match args.output.as_deref() {
        None => session.console.line(format!("{} {done}{suffix}", resource.named(name)))?,
        Some(format) => show(session, format, args.show_managed_fields, resource, object)?,
    }
    Ok(())
}

/// Prints an object in the format asked for; several make one text.
pub(crate) fn show(
    session: &Session,
    format: &str,
    with_managed_fields: bool,
    resource: &Resource,
    mut object: Value,
) -> anyhow::Result<()> {
    let format = Format::parse(Some(format))?;
    if !with_managed_fields {
        hide_managed_fields(&mut object);
    }
    if matches!(format, Format::Yaml) && session.console.is_continued() {
        session.console.line("---")?;
    }
    Ok(session.console.print(format.object(&object, resource)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validation_takes_words_and_booleans() {
        for (value, expected) in [
            ("true", Some("Strict")),
            ("strict", Some("Strict")),
            ("warn", Some("Warn")),
            ("false", Some("Ignore")),
            ("ignore", Some("Ignore")),
            ("x", None),
        ] {
            assert_eq!(field_validation(value).ok(), expected, "{value}");
        }
    }
}
