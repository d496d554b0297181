//! What counts as too little left on a node.
//!
//! Spec: <https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/>

pub(crate) mod limits;
pub(crate) mod rank;
pub(crate) mod run;
mod settings;
pub(crate) mod tracker;

use std::fmt;
use std::str::FromStr;

use wk_api::Quantity;

pub use self::settings::{EvictionSettings, GracePeriods, Reclaims};

/// The reason of what is told of an eviction.
pub(crate) const EVICTED: &str = "Evicted";

/// A figure of the node that can run low.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// `memory.available`: bytes of memory.
    MemoryAvailable,
    /// `nodefs.available`: bytes of the disk that holds volumes and logs.
    NodefsAvailable,
    /// `nodefs.inodesFree`: files that may still be made there.
    NodefsInodesFree,
    /// `imagefs.available`: bytes of the disk that holds images, which is the same disk.
    ImagefsAvailable,
    /// `imagefs.inodesFree`: files that may still be made there.
    ImagefsInodesFree,
    /// `pid.available`: processes and threads.
    PidAvailable,
}

impl Signal {
    const ALL: [Self; 6] = [
        Self::MemoryAvailable,
        Self::NodefsAvailable,
        Self::NodefsInodesFree,
        Self::ImagefsAvailable,
        Self::ImagefsInodesFree,
        Self::PidAvailable,
    ];

    /// As Kubernetes writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MemoryAvailable => "memory.available",
            Self::NodefsAvailable => "nodefs.available",
            Self::NodefsInodesFree => "nodefs.inodesFree",
            Self::ImagefsAvailable => "imagefs.available",
            Self::ImagefsInodesFree => "imagefs.inodesFree",
            Self::PidAvailable => "pid.available",
        }
    }
}

/// How much of something has to be left.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Least {
    Amount(u64),
    /// In hundredths of what there is.
    Percent(f64),
}

impl Least {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a percentage is an estimate; capacities are far below 2^52"
    )]
    fn of(self, capacity: u64) -> u64 {
        match self {
            Self::Amount(amount) => amount,
            Self::Percent(percent) => (capacity as f64 * percent / 100.0) as u64,
        }
    }
}

impl fmt::Display for Least {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Amount(amount) => write!(f, "{amount}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

/// A signal and the amount below which the node is under pressure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    signal: Signal,
    least: Least,
}

impl Threshold {
    /// What is watched.
    #[must_use]
    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// The least that has to be left of `capacity`.
    #[must_use]
    pub fn least(&self, capacity: u64) -> u64 {
        self.least.of(capacity)
    }

    /// Whether less than that is left. What cannot be measured has no capacity and is never low.
    #[must_use]
    pub fn is_met(&self, available: u64, capacity: u64) -> bool {
        capacity > 0 && available < self.least(capacity)
    }
}

/// Thresholds as they are typed: `memory.available<100Mi,nodefs.available<10%`; nothing is none.
#[derive(Clone, Debug, PartialEq)]
pub struct Thresholds(Vec<Threshold>);

impl Thresholds {
    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Threshold> {
        self.0.iter()
    }
}

impl Default for Thresholds {
    /// As in Kubernetes: 100 MiB of memory, a tenth of the node's disk, 15 hundredths of the images'
    /// and a twentieth of their files.
    fn default() -> Self {
        let percent = |signal, percent| Threshold { signal, least: Least::Percent(percent) };
        let memory = Threshold { signal: Signal::MemoryAvailable, least: Least::Amount(100 << 20) };
        Self(vec![
            memory,
            percent(Signal::NodefsAvailable, 10.0),
            percent(Signal::NodefsInodesFree, 5.0),
            percent(Signal::ImagefsAvailable, 15.0),
            percent(Signal::ImagefsInodesFree, 5.0),
        ])
    }
}

impl fmt::Display for Thresholds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, threshold) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{}<{}", threshold.signal.name(), threshold.least)?;
        }
        Ok(())
    }
}

/// Why thresholds cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ThresholdError {
    /// There is no signal of this name.
    #[error("`{0}` is no eviction signal; there are {known}", known = known())]
    Signal(String),
    /// It has not the form `SIGNAL<AMOUNT`.
    #[error("`{0}` is no threshold; write SIGNAL<AMOUNT, such as memory.available<100Mi")]
    Form(String),
    /// What stands behind `<` is neither a quantity nor a part in hundredths.
    #[error("`{0}` is no amount that can be left; write a quantity such as 1Gi or 10%")]
    Amount(String),
    /// A signal stands there twice.
    #[error("`{0}` has two thresholds")]
    Twice(&'static str),
    /// It has not the form `SIGNAL=VALUE`.
    #[error("`{0}` is no setting of a signal; write SIGNAL=VALUE, such as memory.available=1m30s")]
    Pair(String),
    /// What stands behind `=` is no time.
    #[error("`{0}` is no time; write one such as 90s or 1m30s")]
    Time(String),
    /// A soft threshold does not say how long it may be missed.
    #[error("the soft threshold of `{0}` needs a grace period")]
    NoGrace(&'static str),
}

fn known() -> String {
    Signal::ALL.map(Signal::name).join(", ")
}

impl FromStr for Thresholds {
    type Err = ThresholdError;

    fn from_str(text: &str) -> Result<Self, ThresholdError> {
        let mut all: Vec<Threshold> = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let threshold = threshold(part)?;
            if all.iter().any(|other| other.signal == threshold.signal) {
                return Err(ThresholdError::Twice(threshold.signal.name()));
            }
            all.push(threshold);
        }
        Ok(Self(all))
    }
}

fn threshold(text: &str) -> Result<Threshold, ThresholdError> {
    let (name, amount) =
        text.split_once('<').ok_or_else(|| ThresholdError::Form(text.to_owned()))?;
    let signal = signal(name.trim())?;
    Ok(Threshold { signal, least: amount_left(amount.trim())? })
}

fn signal(name: &str) -> Result<Signal, ThresholdError> {
    let signal = Signal::ALL.into_iter().find(|signal| signal.name() == name);
    signal.ok_or_else(|| ThresholdError::Signal(name.to_owned()))
}

/// `100Mi` or `10%`.
fn amount_left(amount: &str) -> Result<Least, ThresholdError> {
    let wrong = || ThresholdError::Amount(amount.to_owned());
    if let Some(percent) = amount.strip_suffix('%') {
        let percent: f64 = percent.parse().map_err(|_no_number| wrong())?;
        if !(0.0..=100.0).contains(&percent) {
            return Err(wrong());
        }
        return Ok(Least::Percent(percent));
    }
    let amount = Quantity::parse(amount).map_err(|_no_quantity| wrong())?.value();
    Ok(Least::Amount(u64::try_from(amount).map_err(|_negative| wrong())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_written_as_in_kubernetes() {
        let text = "memory.available<100Mi, nodefs.available<7.5%,pid.available<1k";
        let thresholds: Thresholds = text.parse().unwrap();
        let [memory, disk, pids] = thresholds.0.as_slice() else { panic!("{thresholds:?}") };
        assert!(memory.is_met((100 << 20) - 1, 1 << 30) && !memory.is_met(100 << 20, 1 << 30));
        assert!(disk.is_met(74, 1000) && !disk.is_met(75, 1000));
        assert!(!disk.is_met(0, 0), "what cannot be measured is never low");
        assert_eq!(pids.least(7), 1000);
        assert_eq!("".parse(), Ok(Thresholds(Vec::new())));
    }

    #[test]
    fn the_defaults_can_be_read_back() {
        let text = Thresholds::default().to_string();
        assert_eq!(
            text,
            "memory.available<104857600,nodefs.available<10%,nodefs.inodesFree<5%,\
             imagefs.available<15%,imagefs.inodesFree<5%"
        );
        assert_eq!(text.parse(), Ok(Thresholds::default()));
    }

    #[test]
    fn what_is_no_threshold_is_named() {
        for (text, named) in [
            ("memory.available", "SIGNAL<AMOUNT"),
            ("memory.available>1Gi", "SIGNAL<AMOUNT"),
            ("memory.left<1Gi", "nodefs.available"),
            ("memory.available<101%", "101%"),
            ("memory.available<-1", "-1"),
            ("memory.available<lots", "lots"),
            ("pid.available<1,pid.available<2", "two thresholds"),
        ] {
            let error = text.parse::<Thresholds>().unwrap_err().to_string();
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}
