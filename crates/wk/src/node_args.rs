//! What can be typed about a node; the words are those of the kubelet.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use wk_kubelet::{
    DEFAULT_MAX_PODS, EvictionSettings, GracePeriods, ImageGarbage, PodManifests, Reclaims,
    Thresholds,
};
use wk_runtime::LogLimits;

use crate::engine_args::EngineArgs;

/// Options of every command that runs a node.
#[derive(Debug, clap::Args)]
pub(crate) struct NodeArgs {
    /// The most pods that this node takes.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_MAX_PODS)]
    pub(crate) max_pods: u32,
    /// Size at which a container's log file is rotated.
    #[arg(long, value_name = "BYTES", default_value = "10Mi", value_parser = bytes)]
    container_log_max_size: u64,
    /// Log files that are kept for each container, at least 2.
    #[arg(long, value_name = "N", default_value_t = 5,
          value_parser = clap::value_parser!(u32).range(2..))]
    container_log_max_files: u32,
    /// Disk usage, in percent, above which images without a container are removed; 100 is never.
    #[arg(long, value_name = "PERCENT", default_value_t = 85,
          value_parser = clap::value_parser!(u8).range(..=100))]
    image_gc_high_threshold: u8,
    /// Disk usage, in percent, down to which they are removed.
    #[arg(long, value_name = "PERCENT", default_value_t = 80,
          value_parser = clap::value_parser!(u8).range(..=100))]
    image_gc_low_threshold: u8,
    /// How long an image without a container stays in any case.
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = time)]
    minimum_image_ttl_duration: Duration,
    /// How often the disk is looked at for that.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = time)]
    image_gc_period: Duration,
    /// Most bytes of compiled code that stay for images without a container.
    #[arg(long, value_name = "BYTES", default_value = "1Gi", value_parser = bytes)]
    code_cache_size: u64,
    /// What has to be left of memory, disk and processes for the node to take new pods and to keep
    /// those that it has, such as `memory.available<100Mi,nodefs.available<10%`; nothing is no limit.
    #[arg(long, value_name = "SIGNAL<AMOUNT,…", default_value_t)]
    pub(crate) eviction_hard: Thresholds,
    /// The same for what may be missed for a while before pods are evicted.
    #[arg(long, value_name = "SIGNAL<AMOUNT,…", default_value = "")]
    eviction_soft: Thresholds,
    /// For how long each of those may be missed, such as `memory.available=1m30s`.
    #[arg(long, value_name = "SIGNAL=TIME,…", default_value_t)]
    eviction_soft_grace_period: GracePeriods,
    /// The most seconds that pods get to end which are evicted for a soft threshold.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    eviction_max_pod_grace_period: u32,
    /// How much more than its threshold has to be left until a signal is well again, such as
    /// `nodefs.available=1Gi`.
    #[arg(long, value_name = "SIGNAL=AMOUNT,…", default_value_t)]
    eviction_minimum_reclaim: Reclaims,
    /// How long the node stays under a pressure that has gone.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = time)]
    eviction_pressure_transition_period: Duration,
    /// Folder with pods of this node's own, one in each JSON or YAML file, or one such file. They
    /// run whether or not the control plane can be reached.
    #[arg(long, value_name = "DIR")]
    pod_manifest_path: Option<PathBuf>,
    /// How often it is looked at for changes that the system has not told of.
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = time)]
    file_check_frequency: Duration,
    /// How long pods may take to end when this program ends; a pod's own time may be shorter.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time)]
    pub(crate) shutdown_grace_period: Duration,
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
}

impl NodeArgs {
    /// What they mean for logs.
    pub(crate) fn log_limits(&self) -> LogLimits {
        LogLimits {
            max_bytes: self.container_log_max_size,
            max_files: self.container_log_max_files,
        }
    }

    /// Refuses settings that contradict each other.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let (high, low) = (self.image_gc_high_threshold, self.image_gc_low_threshold);
        if low > high {
            bail!("`--image-gc-low-threshold {low}` is above `--image-gc-high-threshold {high}`");
        }
        if self.image_gc_period.is_zero() {
            bail!("`--image-gc-period` must be longer than nothing");
        }
        if self.file_check_frequency.is_zero() {
            bail!("`--file-check-frequency` must be longer than nothing");
        }
        self.eviction().check().context("`--eviction-soft` and `--eviction-soft-grace-period`")?;
        Ok(())
    }

    /// What they mean for static pods.
    pub(crate) fn pod_manifests(&self) -> Option<PodManifests> {
        let path = std::path::absolute(self.pod_manifest_path.as_ref()?).ok()?;
        Some(PodManifests { path, period: self.file_check_frequency })
    }

    /// What they mean for evictions.
    pub(crate) fn eviction(&self) -> EvictionSettings {
        EvictionSettings {
            soft: self.eviction_soft.clone(),
            soft_grace_period: self.eviction_soft_grace_period.clone(),
            max_pod_grace_period: Duration::from_secs(self.eviction_max_pod_grace_period.into()),
            minimum_reclaim: self.eviction_minimum_reclaim.clone(),
            pressure_transition_period: self.eviction_pressure_transition_period,
        }
    }

    /// What they mean for images.
    pub(crate) fn image_garbage(&self) -> ImageGarbage {
        ImageGarbage {
            high_percent: self.image_gc_high_threshold,
            low_percent: self.image_gc_low_threshold,
            minimum_age: self.minimum_image_ttl_duration,
            period: self.image_gc_period,
            code_cache_bytes: self.code_cache_size,
        }
    }
}

/// A quantity such as `10Mi`.
fn bytes(text: &str) -> Result<u64, String> {
    let bytes = wk_api::Quantity::parse(text).map_err(|error| error.to_string())?.value();
    u64::try_from(bytes).ok().filter(|bytes| *bytes > 0).ok_or_else(|| "must be positive".into())
}

/// A time such as `90s` or `2m30s`.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    let time: jiff::SignedDuration =
        text.parse().map_err(|error: jiff::Error| error.to_string())?;
    time.try_into().map_err(|_negative| "must not be negative".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_written_as_in_kubernetes() {
        assert_eq!(bytes("10Mi"), Ok(10 << 20));
        assert_eq!(time("2m0s"), Ok(Duration::from_mins(2)));
        assert_eq!(time("1h30m"), Ok(Duration::from_mins(90)));
        assert_eq!(time("0s"), Ok(Duration::ZERO));
        for wrong in ["0", "-1Mi", "ten"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
        for wrong in ["-1s", "5", "soon"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }
}
