//! What can be typed about several replicas of one component; the words are those of Kubernetes.

use std::time::Duration;

use anyhow::bail;
use wk_client::{LeaderElector, Leadership, LeaseSettings};
use wk_process::TaskGroup;

use crate::identity::host_name;
use crate::node_args::time;

/// Options of every component of which one replica acts, while the others watch.
#[derive(Debug, clap::Args)]
pub(crate) struct LeaderArgs {
    /// Act only while holding the component's lease; `false` where there is one replica alone.
    #[arg(long = "leader-elect", value_name = "BOOL", default_value_t = true, num_args = 0..=1,
          default_missing_value = "true", action = clap::ArgAction::Set)]
    competes: bool,
    /// How long a lease that is not renewed keeps other replicas out.
    #[arg(long = "leader-elect-lease-duration", value_name = "TIME", default_value = "15s",
          value_parser = time)]
    lease_duration: Duration,
    /// How long the leader may fail to renew before it stops acting.
    #[arg(long = "leader-elect-renew-deadline", value_name = "TIME", default_value = "10s",
          value_parser = time)]
    renew_deadline: Duration,
    /// The pause between attempts to hold the lease.
    #[arg(long = "leader-elect-retry-period", value_name = "TIME", default_value = "2s",
          value_parser = time)]
    retry_period: Duration,
}

impl LeaderArgs {
    /// Refuses times that contradict each other.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let [lease, renew, retry] = [self.lease_duration, self.renew_deadline, self.retry_period];
        if retry.is_zero() {
            bail!("`--leader-elect-retry-period` must be longer than nothing");
        }
        if renew <= retry {
            bail!(
                "`--leader-elect-renew-deadline {renew:?}` must be longer than \
                 `--leader-elect-retry-period {retry:?}`"
            );
        }
        if lease <= renew {
            bail!(
                "`--leader-elect-lease-duration {lease:?}` must be longer than \
                 `--leader-elect-renew-deadline {renew:?}`"
            );
        }
        if lease.subsec_nanos() != 0 {
            bail!("`--leader-elect-lease-duration {lease:?}` must be whole seconds");
        }
        Ok(())
    }

    /// Starts to compete for the lease of `component`, in a task of `tasks`.
    pub(crate) fn compete(
        &self,
        component: &str,
        client: &kube::Client,
        tasks: &TaskGroup,
    ) -> Leadership {
        if !self.competes {
            return Leadership::alone();
        }
        let identity = format!("{}_{}", host_name(), uuid::Uuid::new_v4());
        let settings = LeaseSettings {
            duration: self.lease_duration,
            renew_deadline: self.renew_deadline,
            retry_period: self.retry_period,
            ..LeaseSettings::new(component, identity)
        };
        LeaderElector::start(client.clone(), settings, tasks)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Typed {
        #[command(flatten)]
        leader: LeaderArgs,
    }

    #[test]
    fn times_have_to_fit_together() {
        let check = |arguments: &[&str]| {
            let typed = Typed::parse_from([&["wk"], arguments].concat());
            typed.leader.check().map_err(|error| error.to_string())
        };
        assert_eq!(check(&[]), Ok(()));
        assert_eq!(check(&["--leader-elect=false"]), Ok(()));
        for (arguments, expected) in [
            (["--leader-elect-lease-duration", "10s"], "must be longer than `--leader-elect-renew"),
            (["--leader-elect-renew-deadline", "2s"], "must be longer than `--leader-elect-retry"),
            (["--leader-elect-retry-period", "0s"], "must be longer than nothing"),
            (["--leader-elect-lease-duration", "15.5s"], "must be whole seconds"),
        ] {
            let told = check(&arguments).unwrap_err();
            assert!(told.contains(expected), "{told}");
        }
    }
}
