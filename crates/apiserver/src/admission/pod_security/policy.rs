//! Which checks make a level of a version, and what they find.

use std::fmt;

use serde_json::Value;

use super::checks::{self, Violation};
use super::level::{Level, LevelVersion};

/// A check, from the first version on in which it is as it is here.
type Check = fn(&Value, &Value) -> Option<Violation>;

/// The checks of a control, newest last, each with the minor version it came with.
struct Control {
    level: Level,
    versions: &'static [(u32, Check)],
    /// From which version on the restricted level has a control that says the same and more.
    outdone_from: Option<u32>,
}

const fn baseline(versions: &'static [(u32, Check)]) -> Control {
    Control { level: Level::Baseline, versions, outdone_from: None }
}

const fn restricted(versions: &'static [(u32, Check)]) -> Control {
    Control { level: Level::Restricted, versions, outdone_from: None }
}

/// A control of the baseline that the restricted level has in a stricter form.
const fn outdone(versions: &'static [(u32, Check)], from: u32) -> Control {
    Control { level: Level::Baseline, versions, outdone_from: Some(from) }
}

/// All controls in the order in which what they find is told.
const CONTROLS: [Control; 19] = [
    baseline(&[(0, checks::app_armor)]),
    outdone(&[(0, checks::capabilities_baseline)], 22),
    baseline(&[(0, checks::host_namespaces)]),
    outdone(&[(0, checks::host_path_volumes)], 0),
    baseline(&[(0, checks::host_ports)]),
    baseline(&[(34, checks::host_probes)]),
    baseline(&[(0, checks::privileged)]),
    outdone(&[(0, checks::proc_mount), (35, checks::proc_mount_of_hosts_users)], 35),
    baseline(&[(0, checks::selinux), (31, checks::selinux_1_31)]),
    outdone(&[(0, checks::seccomp_annotations), (19, checks::seccomp_baseline)], 19),
    baseline(&[
        (0, checks::sysctls),
        (27, checks::sysctls_1_27),
        (29, checks::sysctls_1_29),
        (32, checks::sysctls_1_32),
    ]),
    baseline(&[(0, checks::host_process)]),
    restricted(&[(8, checks::privilege_escalation), (25, checks::privilege_escalation_linux)]),
    restricted(&[(22, checks::capabilities_restricted), (25, checks::capabilities_linux)]),
    restricted(&[(35, checks::proc_mount)]),
    restricted(&[(0, checks::restricted_volumes)]),
    restricted(&[(0, checks::run_as_non_root), (35, checks::run_as_non_root_of_hosts_users)]),
    restricted(&[(23, checks::run_as_user), (35, checks::run_as_user_of_hosts_users)]),
    restricted(&[(19, checks::seccomp_restricted), (25, checks::seccomp_linux)]),
];

/// What a pod violates, in the words of Kubernetes.
#[derive(Debug, Default)]
pub(super) struct Violations(Vec<Violation>);

impl Violations {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is violated, without where.
    pub(super) fn reasons(&self) -> String {
        let each: Vec<&str> = self.0.iter().map(|one| one.reason.as_str()).collect();
        each.join(", ")
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, violation) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{} ({})", violation.reason, violation.detail)?;
        }
        Ok(())
    }
}

/// What a pod, or a template of pods, violates of a level.
pub(super) fn evaluate(level: LevelVersion, metadata: &Value, spec: &Value) -> Violations {
    let minor = level.minor();
    let applies = |control: &&Control| {
        let outdone = level.level == Level::Restricted
            && control.outdone_from.is_some_and(|from| minor >= from);
        control.level <= level.level && !outdone
    };
    let check = |control: &Control| {
        control.versions.iter().rev().find(|(from, _)| *from <= minor).map(|(_, check)| *check)
    };
    if level.level == Level::Privileged {
        return Violations::default();
    }
    let found = CONTROLS.iter().filter(applies).filter_map(check);
    Violations(found.filter_map(|check| check(metadata, spec)).collect())
}
