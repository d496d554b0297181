//! Options of the scheduler, wherever it runs.

use std::path::PathBuf;

use anyhow::Context as _;
use wk_scheduler::SchedulerConfig;

/// How pods are placed.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct PlacementArgs {
    /// A `KubeSchedulerConfiguration`: profiles, their plugins and how much these count.
    #[arg(long, value_name = "FILE")]
    pub(crate) scheduler_config: Option<PathBuf>,
}

impl PlacementArgs {
    /// What the file says, or the settings of Kubernetes without one.
    ///
    /// # Errors
    /// If the file cannot be read, or says what cannot be.
    pub(crate) fn read(&self) -> anyhow::Result<SchedulerConfig> {
        let Some(file) = &self.scheduler_config else { return Ok(SchedulerConfig::alone()) };
        let attempt = || format!("cannot use the scheduler's configuration `{}`", file.display());
        let text = std::fs::read_to_string(file).with_context(attempt)?;
        let value = wk_yaml::first(text.as_bytes()).with_context(attempt)?.value;
        SchedulerConfig::from_kube(value).with_context(attempt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_gives_the_scheduler_profiles() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("scheduler.yaml");
        let args = PlacementArgs { scheduler_config: Some(file.clone()) };
        assert!(args.read().is_err(), "it is not there");
        let head = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n";
        let profiles = "profiles:\n- schedulerName: default-scheduler\n- schedulerName: second\n";
        std::fs::write(&file, format!("{head}{profiles}")).unwrap();
        let names: Vec<String> =
            args.read().unwrap().profiles.into_iter().map(|one| one.scheduler_name).collect();
        assert_eq!(names, ["default-scheduler", "second"]);
        std::fs::write(&file, format!("{head}extenders: []\n")).unwrap();
        let error = format!("{:#}", args.read().unwrap_err());
        assert!(error.contains("unknown field `extenders`"), "{error}");
    }
}
