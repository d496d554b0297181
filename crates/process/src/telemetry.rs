//! Logging: one subscriber a process, to standard error.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for machines.
    Json,
}

/// Installs the process's log subscriber; a second call changes nothing.
///
/// `filter` has the syntax of `tracing_subscriber::EnvFilter`, for example
/// `info,wk_kubelet=debug`.
///
/// # Errors
/// If `filter` cannot be parsed; the message names the faulty part.
pub fn init_logging(filter: &str, format: LogFormat, colour: bool) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter).map_err(|error| error.to_string())?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_span_events(FmtSpan::NONE)
        .with_ansi(colour);
    // An error means that a subscriber is installed already, which is what was wanted.
    let _installed = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    Ok(())
}
