//! What a replica does about a lease.

use std::time::Duration;

/// What a replica sees of a lease that exists.
#[derive(Clone, Copy, Debug)]
pub(super) struct Observed<'a> {
    pub(super) holder: Option<&'a str>,
    /// How long this replica has seen the lease without a change, by its own clock.
    pub(super) unchanged_for: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Create,
    Renew,
    TakeOver,
    Wait,
}

/// Plans the step of replica `me` for a lease that lasts `duration` after each renewal.
pub(super) fn plan(observed: Option<Observed<'_>>, me: &str, duration: Duration) -> Step {
    let Some(observed) = observed else { return Step::Create };
    match observed.holder {
        Some(holder) if holder == me => Step::Renew,
        Some(holder) if !holder.is_empty() && observed.unchanged_for < duration => Step::Wait,
        _ => Step::TakeOver,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_lease_that_nobody_renews_is_taken() {
        let check = |case: &str, lease: Option<(Option<&str>, u64)>, expected: Step| {
            let observed = lease.map(|(holder, seconds)| Observed {
                holder,
                unchanged_for: Duration::from_secs(seconds),
            });
            assert_eq!(plan(observed, "me", Duration::from_secs(15)), expected, "{case}");
        };
        check("no lease", None, Step::Create);
        check("ours", Some((Some("me"), 100)), Step::Renew);
        check("another's, fresh", Some((Some("you"), 14)), Step::Wait);
        check("another's, forgotten", Some((Some("you"), 15)), Step::TakeOver);
        check("released", Some((Some(""), 0)), Step::TakeOver);
        check("never held", Some((None, 0)), Step::TakeOver);
    }
}
