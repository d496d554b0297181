//! `kustomize`: what a folder with a kustomization comes to.

use std::path::PathBuf;

use crate::kustomize;
use crate::session::Session;
use crate::yaml;

/// Arguments of `kustomize`.
#[derive(Debug, clap::Args)]
pub(crate) struct KustomizeArgs {
    /// Folder with the kustomization
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// Write the objects to this file and not to standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(crate) fn run(session: &Session, args: &KustomizeArgs) -> anyhow::Result<()> {
    let objects = kustomize::build(&args.folder)?;
    let documents: Vec<String> = objects.iter().map(yaml::text).collect();
    let text = documents.join("---\n");
    match &args.output {
        Some(file) => Ok(std::fs::write(file, text)?),
        None => Ok(session.console.print(text)?),
    }
}
