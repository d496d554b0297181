//! What can be said about evictions beside their thresholds.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;

use super::{Least, Signal, ThresholdError, Thresholds, amount_left, signal};

/// When pods are evicted because their node runs low, apart from what is always due.
#[derive(Clone, Debug, PartialEq)]
pub struct EvictionSettings {
    /// What may be missed for a while.
    pub soft: Thresholds,
    /// For how long; each of `soft` has one.
    pub soft_grace_period: GracePeriods,
    /// The most time that pods get to end which are evicted for a soft threshold.
    pub max_pod_grace_period: Duration,
    /// How much more than its threshold has to be left until a signal is well again.
    pub minimum_reclaim: Reclaims,
    /// How long the node stays under a pressure that has gone, so that it does not flap.
    pub pressure_transition_period: Duration,
}

impl Default for EvictionSettings {
    /// As in Kubernetes: nothing soft, and five minutes of pressure at least.
    fn default() -> Self {
        Self {
            soft: Thresholds(Vec::new()),
            soft_grace_period: GracePeriods::default(),
            max_pod_grace_period: Duration::ZERO,
            minimum_reclaim: Reclaims::default(),
            pressure_transition_period: Duration::from_mins(5),
        }
    }
}

impl EvictionSettings {
    /// Whether the settings fit each other.
    ///
    /// # Errors
    /// The first soft threshold that has no time.
    pub fn check(&self) -> Result<(), ThresholdError> {
        let lonely = |signal: &Signal| self.soft_grace_period.of(*signal).is_none();
        let mut signals = self.soft.iter().map(super::Threshold::signal);
        let lonely = signals.find(lonely);
        lonely.map_or(Ok(()), |signal| Err(ThresholdError::NoGrace(signal.name())))
    }
}

/// How long signals may be low: `memory.available=1m30s,nodefs.available=2m`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GracePeriods(Vec<(Signal, Duration)>);

impl GracePeriods {
    /// The time of a signal.
    #[must_use]
    pub fn of(&self, signal: Signal) -> Option<Duration> {
        self.0.iter().find(|(of, _)| *of == signal).map(|(_, time)| *time)
    }
}

impl FromStr for GracePeriods {
    type Err = ThresholdError;

    fn from_str(text: &str) -> Result<Self, ThresholdError> {
        let time = |text: &str| {
            let wrong = || ThresholdError::Time(text.to_owned());
            let time: SignedDuration = text.parse().map_err(|_no_time| wrong())?;
            Duration::try_from(time).map_err(|_negative| wrong())
        };
        pairs(text, time).map(Self)
    }
}

impl fmt::Display for GracePeriods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |(signal, time): &(Signal, Duration)| {
            format!("{}={}", signal.name(), crate::worker::go_duration(*time))
        };
        f.write_str(&self.0.iter().map(shown).collect::<Vec<_>>().join(","))
    }
}

/// How much more than a threshold has to be left: `nodefs.available=1Gi,imagefs.available=5%`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reclaims(Vec<(Signal, Least)>);

impl Reclaims {
    /// What is wanted beyond the threshold of a signal of which there is `capacity` in all.
    #[must_use]
    pub fn of(&self, signal: Signal, capacity: u64) -> u64 {
        let least = self.0.iter().find(|(of, _)| *of == signal);
        least.map_or(0, |(_, least)| least.of(capacity))
    }
}

impl FromStr for Reclaims {
    type Err = ThresholdError;

    fn from_str(text: &str) -> Result<Self, ThresholdError> {
        pairs(text, amount_left).map(Self)
    }
}

impl fmt::Display for Reclaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |(signal, least): &(Signal, Least)| format!("{}={least}", signal.name());
        f.write_str(&self.0.iter().map(shown).collect::<Vec<_>>().join(","))
    }
}

/// `SIGNAL=VALUE,…`, each signal once.
fn pairs<T>(
    text: &str,
    read: impl Fn(&str) -> Result<T, ThresholdError>,
) -> Result<Vec<(Signal, T)>, ThresholdError> {
    let mut all: Vec<(Signal, T)> = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (name, value) =
            part.split_once('=').ok_or_else(|| ThresholdError::Pair(part.to_owned()))?;
        let signal = signal(name.trim())?;
        if all.iter().any(|(other, _)| *other == signal) {
            return Err(ThresholdError::Twice(signal.name()));
        }
        all.push((signal, read(value.trim())?));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_written_as_in_kubernetes() {
        let times: GracePeriods = "memory.available=1m30s, pid.available=10s".parse().unwrap();
        assert_eq!(times.of(Signal::MemoryAvailable), Some(Duration::from_secs(90)));
        assert_eq!(times.of(Signal::NodefsAvailable), None);
        assert_eq!(times.to_string(), "memory.available=1m30s,pid.available=10s");
        let more: Reclaims = "nodefs.available=1Ki,imagefs.available=5%".parse().unwrap();
        assert_eq!(more.of(Signal::NodefsAvailable, 9), 1024);
        assert_eq!(more.of(Signal::ImagefsAvailable, 1000), 50);
        assert_eq!(more.of(Signal::PidAvailable, 1000), 0);
        for wrong in ["memory.available", "memory=1s", "pid.available=x", "pid.available=-1s"] {
            assert!(wrong.parse::<GracePeriods>().is_err(), "{wrong}");
        }
        assert!("pid.available=1,pid.available=2".parse::<Reclaims>().is_err());
    }

    #[test]
    fn what_is_soft_has_a_time() {
        let soft = "memory.available<1Gi".parse().unwrap();
        let mut settings = EvictionSettings { soft, ..EvictionSettings::default() };
        let text = settings.check().unwrap_err().to_string();
        assert!(text.contains("`memory.available`"), "{text}");
        settings.soft_grace_period = "memory.available=1m".parse().unwrap();
        assert_eq!(settings.check(), Ok(()));
    }
}
