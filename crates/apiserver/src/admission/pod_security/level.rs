//! Which level of security a namespace asks for.

use std::fmt;

use serde_json::Value;
use wk_api::{Fault, FieldPath};

use crate::admission::text;

/// The newest version of the standards that is known: that of the API served.
pub(super) const NEWEST: u32 = 36;

/// How strict a policy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Privileged,
    Baseline,
    Restricted,
}

/// Of which version of Kubernetes a policy is; `None` is the latest.
pub(super) type Version = Option<u32>;

/// A level of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LevelVersion {
    pub(super) level: Level,
    pub(super) version: Version,
}

impl LevelVersion {
    const PRIVILEGED: Self = Self { level: Level::Privileged, version: None };

    /// The minor version whose checks apply; versions to come are as the newest.
    pub(super) fn minor(self) -> u32 {
        self.version.map_or(NEWEST, |minor| minor.min(NEWEST))
    }
}

impl fmt::Display for LevelVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Privileged => "privileged",
            Level::Baseline => "baseline",
            Level::Restricted => "restricted",
        };
        match self.version {
            None => write!(f, "{level}:latest"),
            Some(minor) => write!(f, "{level}:v1.{minor}"),
        }
    }
}

/// What a namespace asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Policy {
    pub(super) enforce: LevelVersion,
    pub(super) audit: LevelVersion,
    pub(super) warn: LevelVersion,
}

impl Policy {
    /// The policy in the labels of a namespace, and what is wrong with them. Nonsense for `enforce`
    /// is as the strictest level; for the others it is as none.
    pub(super) fn of(labels: &Value) -> (Self, Vec<Fault>) {
        let mut faults = Vec::new();
        let mut read = |mode: &str, otherwise: Level| {
            let key = format!("pod-security.kubernetes.io/{mode}");
            let version_key = format!("{key}-version");
            let mut found = LevelVersion::PRIVILEGED;
            if let Some(label) = labels[&key].as_str() {
                found.level = level(label).unwrap_or_else(|| {
                    faults.push(fault(
                        &key,
                        label,
                        "must be one of privileged, baseline, restricted",
                    ));
                    otherwise
                });
            }
            if let Some(label) = labels[&version_key].as_str() {
                found.version = version(label).unwrap_or_else(|| {
                    faults.push(fault(&version_key, label, "must be \"latest\" or \"v1.x\""));
                    None
                });
            }
            found
        };
        let enforce = read("enforce", Level::Restricted);
        let audit = read("audit", Level::Privileged);
        let mut warn = read("warn", Level::Privileged);
        // Who is going to have pods refused wants to hear of it when making workloads.
        if text(labels, "pod-security.kubernetes.io/warn").is_empty() && enforce.level > warn.level
        {
            warn.level = enforce.level;
            if text(labels, "pod-security.kubernetes.io/warn-version").is_empty() {
                warn.version = enforce.version;
            }
        }
        (Self { enforce, audit, warn }, faults)
    }

    /// Whether nothing is forbidden.
    pub(super) fn is_privileged(self) -> bool {
        let all = [self.enforce, self.audit, self.warn];
        all.iter().all(|one| one.level == Level::Privileged)
    }
}

fn fault(key: &str, value: &str, detail: &str) -> Fault {
    let root = FieldPath::Root;
    let labels = root.child("metadata.labels");
    Fault::invalid(&labels.key(key), value, detail)
}

fn level(text: &str) -> Option<Level> {
    match text {
        "privileged" => Some(Level::Privileged),
        "baseline" => Some(Level::Baseline),
        "restricted" => Some(Level::Restricted),
        _ => None,
    }
}

fn version(text: &str) -> Option<Version> {
    if text == "latest" {
        return Some(None);
    }
    let minor = text.strip_prefix("v1.")?;
    let plain =
        minor.bytes().all(|b| b.is_ascii_digit()) && (minor == "0" || !minor.starts_with('0'));
    if plain { minor.parse().ok().map(Some) } else { None }
}
