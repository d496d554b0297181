//! Who owns whom, and what follows from an owner's end.

mod graph;

use wk_api::names::Uid;

pub(super) use graph::{Graph, Id, Verdict};

/// What became of one owner of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OwnerState {
    /// It is there.
    Solid,
    /// It is not there, or another object has its name.
    Absent,
    /// It is there until its dependents are gone.
    Waiting,
    /// Nobody can tell: its kind is not known, or it cannot own such an object.
    Unknown,
}

/// What becomes of an object's own dependents when it is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Propagation {
    Background,
    Foreground,
    Orphan,
}

/// What to do with an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// It stays as it is.
    Keep,
    /// It stays, without these owners.
    Forget(Vec<Uid>),
    /// It goes. With `unblock`, none of its owners waits for it any longer: they wait for each
    /// other in a circle.
    Delete { propagation: Propagation, unblock: bool },
}

/// What decides about an object that lost an owner, or is about to.
#[derive(Clone, Debug)]
pub(super) struct Dependent<'a> {
    pub(super) owners: &'a [(Uid, OwnerState)],
    pub(super) has_orphan: bool,
    pub(super) has_foreground: bool,
    /// Whether it owns something itself.
    pub(super) has_dependents: bool,
    /// Whether something that it owns waits for its own dependents already.
    pub(super) has_waiting_dependents: bool,
}

/// Decides about an object by what became of its owners.
///
/// One owner that is there keeps it. It goes with the last one, and in the foreground if an owner
/// waits for it.
/// Spec: <https://kubernetes.io/docs/concepts/architecture/garbage-collection/>
pub(super) fn decide(dependent: &Dependent<'_>) -> Decision {
    let any = |wanted| dependent.owners.iter().any(|(_, state)| *state == wanted);
    if any(OwnerState::Unknown) || dependent.owners.is_empty() {
        return Decision::Keep;
    }
    if any(OwnerState::Solid) {
        let gone = dependent.owners.iter().filter(|(_, state)| *state != OwnerState::Solid);
        let gone: Vec<Uid> = gone.map(|(uid, _)| uid.clone()).collect();
        return if gone.is_empty() { Decision::Keep } else { Decision::Forget(gone) };
    }
    if any(OwnerState::Waiting) && dependent.has_dependents {
        let unblock = dependent.has_waiting_dependents;
        return Decision::Delete { propagation: Propagation::Foreground, unblock };
    }
    let propagation = if dependent.has_orphan {
        Propagation::Orphan
    } else if dependent.has_foreground {
        Propagation::Foreground
    } else {
        Propagation::Background
    };
    Decision::Delete { propagation, unblock: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(owners: &[(Uid, OwnerState)]) -> Dependent<'_> {
        Dependent {
            owners,
            has_orphan: false,
            has_foreground: false,
            has_dependents: false,
            has_waiting_dependents: false,
        }
    }

    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "cases are written where they are used")]
    fn check(case: &str, states: &[OwnerState], expected: Decision) {
        let owners: Vec<_> =
            states.iter().enumerate().map(|(n, state)| (Uid::new(n.to_string()), *state)).collect();
        assert_eq!(decide(&plain(&owners)), expected, "{case}");
    }

    const GO: Decision = Decision::Delete { propagation: Propagation::Background, unblock: false };

    #[test]
    fn an_object_goes_with_its_last_owner() {
        use OwnerState::{Absent, Solid, Unknown, Waiting};
        check("no owners", &[], Decision::Keep);
        check("its owner is there", &[Solid], Decision::Keep);
        check("its owner is gone", &[Absent], GO);
        check("both are gone", &[Absent, Waiting], GO);
        check("one is left", &[Absent, Solid], Decision::Forget(vec![Uid::new("0")]));
        check("one does not wait", &[Solid, Waiting], Decision::Forget(vec![Uid::new("1")]));
        check("who knows", &[Absent, Unknown], Decision::Keep);
    }

    #[test]
    fn what_an_owner_waits_for_goes_in_the_foreground() {
        let owners = [(Uid::new("o"), OwnerState::Waiting)];
        let delete = |unblock| Decision::Delete { propagation: Propagation::Foreground, unblock };
        let with = Dependent { has_dependents: true, ..plain(&owners) };
        assert_eq!(decide(&with), delete(false));
        let circle = Dependent { has_waiting_dependents: true, ..with };
        assert_eq!(decide(&circle), delete(true));
        assert_eq!(decide(&plain(&owners)), GO);
    }

    #[test]
    fn an_objects_own_finalizers_say_what_becomes_of_its_dependents() {
        let owners = [(Uid::new("o"), OwnerState::Absent)];
        let orphan = Dependent { has_orphan: true, ..plain(&owners) };
        let policy = |propagation| Decision::Delete { propagation, unblock: false };
        assert_eq!(decide(&orphan), policy(Propagation::Orphan));
        let foreground = Dependent { has_foreground: true, ..plain(&owners) };
        assert_eq!(decide(&foreground), policy(Propagation::Foreground));
    }
}
