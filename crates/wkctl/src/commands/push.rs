//! `push`: a Wasm file becomes an image in a registry.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use wk_oci::{
    ClientConfig, Credentials, ImageReference, Progress, ProgressFn, PushOptions, RegistryClient,
};

use crate::error::hinted;
use crate::session::Session;

/// Arguments of `push`.
#[derive(Debug, clap::Args)]
pub(crate) struct PushArgs {
    /// A `.wasm` file, a folder with one, or a folder with an OCI layout
    #[arg(value_name = "FILE|DIR")]
    source: PathBuf,
    /// Where to push it, such as `localhost:5000/hello:v1`
    reference: String,
    /// Author to write into the image
    #[arg(long)]
    author: Option<String>,
    /// Use plain HTTP; registries on this machine always do
    #[arg(long)]
    insecure: bool,
    /// Print the digest only
    #[arg(short, long)]
    quiet: bool,
}

pub(crate) async fn run(session: &Session, args: PushArgs) -> anyhow::Result<()> {
    let reference: ImageReference = args.reference.parse().map_err(|error| {
        hinted(
            format!("`{}` is not an image reference: {error}", args.reference),
            "it looks like `localhost:5000/hello:v1`",
        )
    })?;
    if !args.source.exists() {
        return Err(hinted(
            format!("`{}` does not exist", args.source.display()),
            "build the component first; it is the `.wasm` file that the build leaves",
        ));
    }
    let insecure = if args.insecure { vec![reference.registry().to_owned()] } else { Vec::new() };
    let client = RegistryClient::new(ClientConfig { insecure, ..ClientConfig::default() })?;
    let options = PushOptions { author: args.author, ..PushOptions::default() };
    let credentials = credentials(session)?;
    let bar = (session.console.progress && !args.quiet).then(|| bar(&args.reference));
    let shown = bar.clone().map(|bar| {
        let show = move |progress: Progress| {
            bar.set_length(progress.total_bytes);
            bar.set_position(progress.done_bytes);
        };
        Arc::new(show) as ProgressFn
    });
    let pushed =
        wk_oci::push(&client, &args.source, &reference, &credentials, &options, shown).await;
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let pushed = pushed.with_context(|| format!("cannot push to `{reference}`"))?;
    if args.quiet {
        session.console.line(pushed.digest.to_string())?;
    } else {
        let size = indicatif::HumanBytes(pushed.size_bytes);
        let sent = indicatif::HumanBytes(pushed.sent_bytes);
        session.console.line(format!("pushed {reference} ({size}, {sent} sent)"))?;
        session.console.line(format!("digest: {}", pushed.digest))?;
    }
    Ok(())
}

fn bar(reference: &str) -> ProgressBar {
    let template = "pushing {msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec}";
    let style = ProgressStyle::with_template(template);
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ");
    ProgressBar::new(0).with_style(style).with_message(reference.to_owned())
}

/// The logins of docker's configuration; none if there is no such file.
fn credentials(session: &Session) -> anyhow::Result<Credentials> {
    let environment = &session.environment;
    let home = environment.home.as_ref().map(|home| home.join(".docker"));
    let Some(folder) = environment.docker_config.clone().or(home) else {
        return Ok(Credentials::anonymous());
    };
    let path = folder.join("config.json");
    match std::fs::read(&path) {
        Ok(json) => Credentials::from_docker_config(&json)
            .with_context(|| format!("cannot use the logins in `{}`", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Credentials::anonymous()),
        Err(error) => Err(error).with_context(|| format!("cannot read `{}`", path.display())),
    }
}
