//! `wk store`: looking after the store of a control plane that does not run.

use anyhow::{Context as _, bail};
use wk_apiserver::Records;
use wk_store::StoreError;

use crate::args::StoreCheckArgs;
use crate::data_dir::DataDir;
use crate::report;

/// Looks through the whole store and prints what it found; fails if anything is wrong.
pub(crate) fn check(args: StoreCheckArgs) -> anyhow::Result<()> {
    let data = DataDir::open(args.data_dir)?;
    let path = data.file("store.redb");
    let records = Records::new();
    let found = match wk_store_redb::check(&path, |key, value| records.check(key, value)) {
        Err(StoreError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            bail!("there is no store `{}`", path.display());
        }
        found => found.with_context(|| format!("cannot check the store `{}`", path.display()))?,
    };
    report::line(&format!(
        "store {}: revision {}, {} objects of {} bytes, {} versions{}",
        path.display(),
        found.revision,
        found.keys,
        found.bytes,
        found.versions,
        if found.unclean { ", not closed cleanly" } else { "" },
    ));
    if found.fault_count == 0 {
        report::line("nothing is wrong");
        return Ok(());
    }
    for fault in &found.faults {
        report::line(&format!("fault: {fault}"));
    }
    bail!(
        "{} faults in `{}`\nhint: restore a snapshot with `wkctl snapshot restore`",
        found.fault_count,
        path.display()
    );
}
