//! Charging requests to quotas, on paper. Pure.

use jiff::Timestamp;
use serde_json::Value;
use wk_resources::quota::{self, Amounts, amounts, shown};

use super::Request;
use crate::admission::text;

/// A quota, and what a batch of requests takes of it.
#[derive(Debug)]
pub(super) struct Book {
    quota: Value,
    hard: Amounts,
    /// What is used without the batch.
    base: Amounts,
    /// What the batch takes.
    entered: Amounts,
    /// What of the batch is written already.
    held: Amounts,
    /// Whether the base was counted rather than read.
    counted: bool,
    counting: Counting,
    /// Limits whose use is not known.
    unknown: Vec<String>,
}

/// Whether what is used can be counted here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counting {
    Safe,
    /// Something may be under way that is not known here.
    Unsafe,
}

/// Why a request is refused, in the words of Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal(pub(super) String);

impl Book {
    /// Opens the book of a quota whose `used` holds `held` of the batch. A quota whose status is
    /// not about what it limits now is counted, where that can be done.
    pub(super) fn open(
        quota: Value,
        held: Option<&Amounts>,
        counting: Counting,
        count: impl Fn(&Value) -> Amounts,
    ) -> Self {
        let hard = quota::hard(&quota);
        let held = held.cloned().unwrap_or_default();
        let mut base = amounts(&quota["status"]["used"]);
        let tracked = hard.keys().filter(|name| quota::counted_kind(name).is_some());
        let unknown: Vec<String> =
            tracked.filter(|name| !base.contains_key(*name)).cloned().collect();
        let complete = unknown.is_empty() && amounts(&quota["status"]["hard"]) == hard;
        let counted = !complete && counting == Counting::Safe;
        if counted {
            base = count(&quota);
        } else {
            for (name, amount) in &held {
                if let Some(used) = base.get_mut(name) {
                    *used -= *amount;
                }
            }
        }
        let unknown = if counted { Vec::new() } else { unknown };
        Self { quota, hard, base, entered: Amounts::new(), held, counted, counting, unknown }
    }

    /// Whether the quota is to be written.
    pub(super) fn is_changed(&self) -> bool {
        let is_nothing = |amounts: &Amounts| amounts.values().all(|amount| amount.is_zero());
        self.counted
            || self.entered != self.held && !(is_nothing(&self.entered) && is_nothing(&self.held))
    }

    /// What is used with the batch.
    pub(super) fn used(&self) -> Amounts {
        let mut used = self.base.clone();
        for (name, amount) in &self.entered {
            *used.entry(name.clone()).or_default() += *amount;
        }
        used
    }

    /// The quota, and what the batch took of it.
    pub(super) fn close(self) -> (Value, Amounts) {
        (self.quota, self.entered)
    }

    fn name(&self) -> &str {
        text(&self.quota["metadata"], "name")
    }

    /// What a request takes of this quota more than before.
    fn asked(&self, request: &Request, now: Timestamp) -> Amounts {
        let mut asked = quota::usage(&request.kind, &request.new, now);
        if let Some(old) = &request.old {
            for (name, amount) in quota::usage(&request.kind, old, now) {
                if let Some(own) = asked.get_mut(&name) {
                    *own -= amount;
                }
            }
        }
        asked.retain(|name, amount| {
            !amount.is_zero() && !amount.is_negative() && self.hard.contains_key(name)
        });
        asked
    }

    /// Why there is not enough left.
    fn refusal(&self, asked: &Amounts) -> Option<Refusal> {
        let used = self.used();
        let only = |of: &Amounts, exceeded: &[&String]| -> Amounts {
            let named = exceeded.iter();
            named.filter_map(|name| Some(((*name).clone(), *of.get(*name)?))).collect()
        };
        let exceeded: Vec<&String> = asked
            .iter()
            .filter(|(name, amount)| {
                let after = used.get(*name).copied().unwrap_or_default() + **amount;
                self.hard.get(*name).is_some_and(|limit| after > *limit)
            })
            .map(|(name, _)| name)
            .collect();
        if exceeded.is_empty() {
            return None;
        }
        Some(Refusal(format!(
            "exceeded quota: {}, requested: {}, used: {}, limited: {}",
            self.name(),
            shown(&only(asked, &exceeded)),
            shown(&only(&used, &exceeded)),
            shown(&only(&self.hard, &exceeded)),
        )))
    }
}

/// Enters a request into all books it is about, or into none. Before it is refused, what is used is
/// counted: it may be less than what is written.
pub(super) fn enter(
    books: &mut [Book],
    request: &Request,
    now: Timestamp,
    count: impl Fn(&Value) -> Amounts,
) -> Result<(), Refusal> {
    let concerned: Vec<usize> = (0..books.len())
        .filter(|at| quota::matches(&books[*at].quota, &request.kind, &request.new))
        .collect();
    for book in concerned.iter().map(|at| &books[*at]) {
        if let Some(missing) = quota::missing_requests(&request.kind, &request.new, &book.hard) {
            return Err(Refusal(format!("failed quota: {}: {missing}", book.name())));
        }
    }
    for book in concerned.iter().copied() {
        let book = &mut books[book];
        let asked = book.asked(request, now);
        let unknown: Vec<&str> =
            book.unknown.iter().filter(|name| asked.contains_key(*name)).map(|n| &**n).collect();
        if !unknown.is_empty() {
            let (name, unknown) = (book.name(), unknown.join(","));
            return Err(Refusal(format!("status unknown for quota: {name}, resources: {unknown}")));
        }
        if book.refusal(&asked).is_some() && !book.counted && book.counting == Counting::Safe {
            book.base = count(&book.quota);
            book.counted = true;
        }
        if let Some(refusal) = book.refusal(&asked) {
            return Err(refusal);
        }
    }
    if request.dry_run {
        return Ok(());
    }
    for book in concerned {
        let book = &mut books[book];
        for (name, amount) in book.asked(request, now) {
            *book.entered.entry(name).or_default() += amount;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wk_api::GroupResource;

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    #[expect(clippy::needless_pass_by_value, reason = "rows read better")]
    fn quota(hard: Value, used: Value) -> Value {
        json!({
            "metadata": {"name": "team"},
            "spec": {"hard": hard},
            "status": {"hard": hard, "used": used},
        })
    }

    fn request(plural: &str, new: Value, old: Option<Value>) -> Request {
        let kind = GroupResource::new("", plural);
        Request { id: 0, kind, key: String::new(), new, old, dry_run: false }
    }

    fn pod(cpu: &str) -> Value {
        json!({"spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": cpu}}}]}})
    }

    fn nothing(quota: &Value) -> Amounts {
        quota::total(quota, [], NOW)
    }

    #[test]
    fn a_batch_is_entered_until_nothing_is_left() {
        let quota = quota(json!({"pods": "3", "cpu": "1"}), json!({"pods": "1", "cpu": "200m"}));
        let full = |_: &Value| amounts(&json!({"pods": "1", "cpu": "200m"}));
        let mut books = vec![Book::open(quota, None, Counting::Safe, full)];
        let first = request("pods", pod("300m"), None);
        assert_eq!(enter(&mut books, &first, NOW, full), Ok(()));
        let second = request("pods", pod("600m"), None);
        let refused = enter(&mut books, &second, NOW, full).unwrap_err().0;
        assert_eq!(
            refused,
            "exceeded quota: team, requested: cpu=600m, used: cpu=500m, limited: cpu=1"
        );
        assert_eq!(enter(&mut books, &first, NOW, full), Ok(()));
        let refused = enter(&mut books, &first, NOW, full).unwrap_err().0;
        assert_eq!(
            refused,
            "exceeded quota: team, requested: cpu=300m,pods=1, used: cpu=800m,pods=3, limited: \
             cpu=1,pods=3"
        );
        assert_eq!(shown(&books[0].used()), "cpu=800m,pods=3");
    }

    #[test]
    fn before_a_refusal_what_is_used_is_counted() {
        let quota = quota(json!({"pods": "1"}), json!({"pods": "1"}));
        let mut books = vec![Book::open(quota, None, Counting::Safe, nothing)];
        assert_eq!(enter(&mut books, &request("pods", pod("1"), None), NOW, nothing), Ok(()));
        assert_eq!(shown(&books[0].used()), "pods=1");
        assert!(enter(&mut books, &request("pods", pod("1"), None), NOW, nothing).is_err());
    }

    #[test]
    fn a_quota_without_status_is_counted_at_once() {
        let mut fresh = quota(json!({"pods": "1"}), json!({}));
        fresh["status"] = json!({});
        let book = Book::open(fresh, None, Counting::Safe, |_| amounts(&json!({"pods": "7"})));
        assert_eq!((shown(&book.used()).as_str(), book.is_changed()), ("pods=7", true));
    }

    #[test]
    fn what_is_held_from_an_attempt_before_is_not_charged_twice() {
        let quota = quota(json!({"pods": "2"}), json!({"pods": "2"}));
        let held = amounts(&json!({"pods": "1"}));
        let mut books = vec![Book::open(quota, Some(&held), Counting::Safe, nothing)];
        assert!(books[0].is_changed(), "what nobody enters again is given back");
        assert_eq!(enter(&mut books, &request("pods", pod("1"), None), NOW, nothing), Ok(()));
        assert_eq!((shown(&books[0].used()).as_str(), books[0].is_changed()), ("pods=2", false));
    }

    #[test]
    fn a_change_is_charged_with_what_it_adds() {
        let claim = |size: &str| json!({"spec": {"resources": {"requests": {"storage": size}}}});
        let quota = quota(json!({"requests.storage": "3Gi"}), json!({"requests.storage": "1Gi"}));
        let count = |_: &Value| amounts(&json!({"requests.storage": "1Gi"}));
        let mut books = vec![Book::open(quota, None, Counting::Safe, count)];
        let grow = |size: &str| request("persistentvolumeclaims", claim(size), Some(claim("1Gi")));
        assert!(enter(&mut books, &grow("4Gi"), NOW, count).is_err());
        assert_eq!(enter(&mut books, &grow("3Gi"), NOW, count), Ok(()));
        assert_eq!(shown(&books[0].used()), "requests.storage=3Gi");
    }

    #[test]
    fn a_pod_that_asks_for_nothing_fails_a_quota_of_what_it_does_not_say() {
        let quota = quota(json!({"cpu": "1"}), json!({"cpu": "0"}));
        let mut books = vec![Book::open(quota, None, Counting::Safe, nothing)];
        let silent = json!({"spec": {"containers": [{"name": "c"}]}});
        let refused = enter(&mut books, &request("pods", silent, None), NOW, nothing);
        assert_eq!(refused, Err(Refusal("failed quota: team: must specify cpu for: c".to_owned())));
    }

    #[test]
    fn a_dry_run_is_checked_and_not_entered() {
        let quota = quota(json!({"pods": "1"}), json!({"pods": "0"}));
        let mut books = vec![Book::open(quota, None, Counting::Safe, nothing)];
        let dry = Request { dry_run: true, ..request("pods", pod("1"), None) };
        assert_eq!(enter(&mut books, &dry, NOW, nothing), Ok(()));
        assert!(!books[0].is_changed());
    }

    #[test]
    fn where_counting_is_not_safe_what_is_written_counts() {
        let full = quota(json!({"pods": "1"}), json!({"pods": "1"}));
        let mut books = vec![Book::open(full, None, Counting::Unsafe, nothing)];
        assert!(enter(&mut books, &request("pods", pod("1"), None), NOW, nothing).is_err());
        let mut fresh = quota(json!({"pods": "1", "services": "1"}), json!({"services": "0"}));
        fresh["status"]["hard"] = json!({"services": "1"});
        let mut books = vec![Book::open(fresh, None, Counting::Unsafe, nothing)];
        assert!(!books[0].is_changed());
        let refused = enter(&mut books, &request("pods", pod("1"), None), NOW, nothing);
        let why = "status unknown for quota: team, resources: pods";
        assert_eq!(refused, Err(Refusal(why.to_owned())));
        let service = request("services", json!({"spec": {}}), None);
        assert_eq!(enter(&mut books, &service, NOW, nothing), Ok(()), "its use is known");
    }
}
