//! Which pods make room for one that the node cannot do without. Pure.
//!
//! Spec: <https://kubernetes.io/docs/tasks/administer-cluster/guaranteed-scheduling-critical-addon-pods/>

use super::asks::{Asks, Class};

/// A pod that could go.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) uid: String,
    pub(super) asks: Asks,
}

/// Something of which there is too little, and how much has to be given back.
pub(super) type Missing = (Box<str>, i64);

/// The pods that have to go for all of `missing`; `None` if all of them together are too few.
///
/// As few as possible of those are taken that were promised something: of them only what is missing
/// after everybody who was promised less has gone.
pub(super) fn victims(candidates: &[Candidate], missing: &[Missing]) -> Option<Vec<String>> {
    let of = |class: Class| -> Vec<&Candidate> {
        candidates.iter().filter(|pod| pod.asks.class == class).collect()
    };
    let (best_effort, burstable) = (of(Class::BestEffort), of(Class::Burstable));
    let guaranteed = of(Class::Guaranteed);
    let everybody: Vec<&Candidate> = candidates.iter().collect();
    if !rest(missing, &everybody).is_empty() {
        return None;
    }
    let lesser = [&best_effort[..], &burstable].concat();
    let of_guaranteed = nearest(guaranteed, rest(missing, &lesser));
    let without_burstable = [&best_effort[..], &of_guaranteed].concat();
    let of_burstable = nearest(burstable, rest(missing, &without_burstable));
    let promised = [&of_burstable[..], &of_guaranteed].concat();
    let of_best_effort = nearest(best_effort, rest(missing, &promised));
    let all = of_best_effort.iter().chain(&of_burstable).chain(&of_guaranteed);
    Some(all.map(|pod| pod.uid.clone()).collect())
}

/// What is still missing when these have gone.
fn rest(missing: &[Missing], gone: &[&Candidate]) -> Vec<Missing> {
    let rest = missing.iter().filter_map(|(resource, amount)| {
        let given = gone.iter().map(|pod| pod.asks.amount(resource));
        let left = given.fold(*amount, i64::saturating_sub);
        (left > 0).then(|| (resource.clone(), left))
    });
    rest.collect()
}

/// Pods that together give back what is missing: again and again the one that leaves the least
/// missing, and of such the one that asks for less.
fn nearest(mut pods: Vec<&Candidate>, mut missing: Vec<Missing>) -> Vec<&Candidate> {
    let mut chosen = Vec::new();
    while !missing.is_empty() {
        let best = pods.iter().enumerate().min_by(|(_, a), (_, b)| {
            let (a, b) = (&a.asks, &b.asks);
            distance(a, &missing)
                .total_cmp(&distance(b, &missing))
                .then_with(|| (a.memory_bytes, a.cpu_milli).cmp(&(b.memory_bytes, b.cpu_milli)))
        });
        let Some((place, _)) = best else { break };
        let pod = pods.swap_remove(place);
        missing = rest(&missing, &[pod]);
        chosen.push(pod);
    }
    chosen
}

/// How much of what is missing would be left, as parts of it; zero is nothing.
#[expect(clippy::cast_precision_loss, reason = "only compared")]
fn distance(asks: &Asks, missing: &[Missing]) -> f64 {
    let parts = missing.iter().map(|(resource, amount)| {
        let left = amount.saturating_sub(asks.amount(resource)).max(0);
        (left as f64 / *amount as f64).powi(2)
    });
    parts.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `uid:class:memory`, class by its first letter.
    fn pods(text: &str) -> Vec<Candidate> {
        let pods = text.split_whitespace().map(|pod| {
            let words: Vec<&str> = pod.split(':').collect();
            let class = match words[1] {
                "g" => Class::Guaranteed,
                "b" => Class::Burstable,
                _ => Class::BestEffort,
            };
            let memory_bytes = words[2].parse().unwrap();
            let asks = Asks { memory_bytes, class, ..Asks::default() };
            Candidate { uid: words[0].to_owned(), asks }
        });
        pods.collect()
    }

    #[track_caller]
    fn check(case: &str, candidates: &str, missing: &[(&str, i64)], expected: Option<&str>) {
        let missing: Vec<Missing> =
            missing.iter().map(|(resource, amount)| ((*resource).into(), *amount)).collect();
        let found = victims(&pods(candidates), &missing).map(|mut found| {
            found.sort();
            found.join(" ")
        });
        assert_eq!(found.as_deref(), expected, "{case}");
    }

    #[test]
    fn those_who_were_promised_least_go_first() {
        check("enough", "a:b:10 c:b:5", &[("memory", 5)], Some("c"));
        check("too little", "a:b:10", &[("memory", 11)], None);
        check("one is better than two", "a:b:3 c:b:4 d:b:8", &[("memory", 7)], Some("d"));
        check("lesser promises first", "a:g:8 c:b:8", &[("memory", 8)], Some("c"));
        check("what is left of greater ones", "a:g:8 c:b:8 d:g:2", &[("memory", 10)], Some("c d"));
        check("places", "a:g:1 c:b:1 d:x:0", &[("pods", 1)], Some("d"));
    }
}
