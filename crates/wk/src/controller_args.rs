//! What can be typed about the controllers; the words are those of Kubernetes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use wk_auth::Ca;
use wk_controllers::{ControllersConfig, NodeEviction, Signer};

use crate::node_args::time;

/// Options of the controllers, wherever they run.
#[derive(Debug, clap::Args)]
pub(crate) struct ControllerArgs {
    /// How long a node may be silent before it counts as unreachable; nodes speak every 10 s.
    #[arg(long, value_name = "TIME", default_value = "50s", value_parser = time)]
    node_monitor_grace_period: Duration,
    /// How long a new node may take until it says something.
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = time)]
    node_startup_grace_period: Duration,
    /// Nodes a second from which pods are sent away when they do not answer, in each zone.
    #[arg(long, value_name = "RATE", default_value_t = 0.1)]
    node_eviction_rate: f64,
    /// The same in a large zone that is unhealthy; small ones wait.
    #[arg(long, value_name = "RATE", default_value_t = 0.01)]
    secondary_node_eviction_rate: f64,
    /// The share of nodes without answer that makes a zone unhealthy.
    #[arg(long, value_name = "SHARE", default_value_t = 0.55)]
    unhealthy_zone_threshold: f64,
    /// A zone with more nodes than this is large.
    #[arg(long, value_name = "NODES", default_value_t = 50)]
    large_cluster_size_threshold: usize,
    /// How many finished pods are kept.
    #[arg(long, value_name = "PODS", default_value_t = 12_500)]
    terminated_pod_gc_threshold: usize,
    /// How long signed certificates live at most, and those that do not say.
    #[arg(long, value_name = "TIME", default_value = "8760h", value_parser = time)]
    cluster_signing_duration: Duration,
}

impl ControllerArgs {
    /// Refuses figures that mean nothing.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        for (option, time) in [
            ("node-monitor-grace-period", self.node_monitor_grace_period),
            ("node-startup-grace-period", self.node_startup_grace_period),
            ("cluster-signing-duration", self.cluster_signing_duration),
        ] {
            if time.is_zero() {
                bail!("`--{option}` must be longer than nothing");
            }
        }
        for (option, rate) in [
            ("node-eviction-rate", self.node_eviction_rate),
            ("secondary-node-eviction-rate", self.secondary_node_eviction_rate),
        ] {
            if !rate.is_finite() || rate < 0.0 {
                bail!("`--{option} {rate}` must be zero or more");
            }
        }
        let share = self.unhealthy_zone_threshold;
        if !(0.0..=1.0).contains(&share) {
            bail!("`--unhealthy-zone-threshold {share}` must be from 0 to 1");
        }
        Ok(())
    }

    /// Says all this in the controllers' settings; `ca` is what they sign with.
    pub(crate) fn apply(
        &self,
        config: ControllersConfig,
        ca: Option<Arc<Ca>>,
    ) -> ControllersConfig {
        ControllersConfig {
            node_grace_period: self.node_monitor_grace_period,
            node_startup_grace_period: self.node_startup_grace_period,
            node_eviction: NodeEviction {
                rate: self.node_eviction_rate,
                secondary_rate: self.secondary_node_eviction_rate,
                unhealthy_zone_threshold: self.unhealthy_zone_threshold,
                large_zone: self.large_cluster_size_threshold,
            },
            finished_pods: self.terminated_pod_gc_threshold,
            signer: ca.map(|ca| Signer { ca, longest: self.cluster_signing_duration }),
            ..config
        }
    }
}

/// What controllers sign with that run without the API server.
#[derive(Debug, clap::Args)]
pub(crate) struct SigningArgs {
    /// Certificate of the authority that signs certificate requests; without it none are signed.
    #[arg(long, value_name = "FILE", requires = "cluster_signing_key_file")]
    cluster_signing_cert_file: Option<PathBuf>,
    /// Key of that authority.
    #[arg(long, value_name = "FILE", requires = "cluster_signing_cert_file")]
    cluster_signing_key_file: Option<PathBuf>,
}

impl SigningArgs {
    /// The authority, if there is one.
    pub(crate) fn authority(&self) -> anyhow::Result<Option<Arc<Ca>>> {
        let files =
            self.cluster_signing_cert_file.as_ref().zip(self.cluster_signing_key_file.as_ref());
        let Some((certificate, key)) = files else { return Ok(None) };
        let ca = Ca::load(certificate, key).context("cannot sign certificates")?;
        Ok(Some(Arc::new(ca)))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Typed {
        #[command(flatten)]
        controllers: ControllerArgs,
        #[command(flatten)]
        signing: SigningArgs,
    }

    #[test]
    fn figures_have_to_mean_something() {
        let check = |arguments: &[&str]| {
            let typed = Typed::parse_from([&["wk"], arguments].concat());
            typed.controllers.check().map_err(|error| error.to_string())
        };
        assert_eq!(check(&[]), Ok(()));
        assert_eq!(check(&["--node-eviction-rate=0"]), Ok(()));
        for (argument, expected) in [
            ("--node-monitor-grace-period=0s", "must be longer than nothing"),
            ("--node-eviction-rate=-1", "must be zero or more"),
            ("--secondary-node-eviction-rate=inf", "must be zero or more"),
            ("--unhealthy-zone-threshold=1.5", "must be from 0 to 1"),
        ] {
            let told = check(&[argument]).unwrap_err();
            assert!(told.contains(expected), "{told}");
        }
    }

    #[test]
    fn the_defaults_are_those_of_the_controllers() {
        let typed = Typed::parse_from(["wk"]);
        let own = ControllersConfig::rootless(String::new());
        let config = typed.controllers.apply(own.clone(), typed.signing.authority().unwrap());
        assert_eq!(format!("{config:?}"), format!("{own:?}"));
    }

    #[test]
    fn a_signing_certificate_needs_its_key() {
        assert!(Typed::try_parse_from(["wk", "--cluster-signing-cert-file=a"]).is_err());
        assert!(Typed::try_parse_from(["wk", "--cluster-signing-key-file=a"]).is_err());
    }
}
