//! `rollout`: how far a change of pods has come, and going back, again, or no further.

mod change;
mod history;
mod status;
mod undo;

use anyhow::bail;

use super::select::{self, Found, WhatArgs};
use crate::session::Session;

/// Arguments of `rollout`.
#[derive(Debug, clap::Args)]
pub(crate) struct RolloutArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Show which revisions there were
    History(history::HistoryArgs),
    /// Let changes wait
    Pause(change::ChangeArgs),
    /// Start all pods anew
    Restart(change::ChangeArgs),
    /// Let changes go on
    Resume(change::ChangeArgs),
    /// Show how far a change has come, until it is done
    Status(status::StatusArgs),
    /// Go back to an earlier revision
    Undo(undo::UndoArgs),
}

pub(crate) async fn run(session: &Session, args: RolloutArgs) -> anyhow::Result<()> {
    match args.what {
        What::History(args) => history::run(session, args).await,
        What::Pause(args) => change::pause(session, args).await,
        What::Restart(args) => change::restart(session, args).await,
        What::Resume(args) => change::resume(session, args).await,
        What::Status(args) => status::run(session, args).await,
        What::Undo(args) => undo::run(session, args).await,
    }
}

/// The workloads that are meant; all of a type if only that is said.
async fn workloads(
    session: &Session,
    what: &WhatArgs,
) -> anyhow::Result<(Vec<Found>, Vec<anyhow::Error>)> {
    if what.words.is_empty() && what.files.is_empty() {
        bail!("required resource not specified");
    }
    let (objects, errors) = what.objects(session, true).await?;
    if objects.is_empty() && errors.is_empty() {
        select::nothing_found(session, true).await?;
    }
    Ok((objects, errors))
}
