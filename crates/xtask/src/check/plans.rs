//! Plans are pure: a `plan.rs` decides from its arguments alone.

/// What a plan has no use for, and what that would be.
const FORBIDDEN: &[(&str, &str)] = &[
    ("async ", "waiting"),
    (".await", "waiting"),
    ("Instant::now", "a clock"),
    ("SystemTime::now", "a clock"),
    ("Timestamp::now", "a clock"),
    ("Utc::now", "a clock"),
    ("tokio::", "a runtime"),
    ("wk_client", "a client"),
    ("kube::", "a client"),
    ("reqwest", "a client"),
    ("tracing", "logging"),
    ("println!", "logging"),
    ("rand::", "randomness"),
    ("std::env", "the environment"),
    ("std::fs", "files"),
];

/// Whether `name` is the path of a plan, or of a part of one; its tests are free.
pub(crate) fn is_plan(name: &str) -> bool {
    name.ends_with("/plan.rs") || (name.contains("/plan/") && !name.ends_with("/tests.rs"))
}

/// The faults of the plan `name` with this `text`; its tests and comments are free.
pub(crate) fn faults(name: &str, text: &str) -> Vec<String> {
    text.lines()
        .enumerate()
        .take_while(|(_, line)| line.trim() != "#[cfg(test)]")
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .filter_map(|(number, line)| {
            let (word, what) = FORBIDDEN.iter().find(|(word, _)| line.contains(word))?;
            let word = word.trim();
            Some(format!("{name}:{}: `{word}` is {what}, and a plan is pure", number + 1))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_are_called_so() {
        assert!(is_plan("crates/kubelet/src/plan.rs"));
        assert!(is_plan("crates/kubelet/src/plan/backoff.rs"));
        assert!(!is_plan("crates/kubelet/src/planner.rs"));
        assert!(!is_plan("crates/kubelet/src/plan/tests.rs"));
    }

    #[test]
    fn a_plan_does_not_wait_look_or_tell() {
        let text =
            "//! Decides, and is never async itself.\nuse tracing::info;\n\nasync fn a() {}\n";
        assert_eq!(
            faults("plan.rs", text),
            [
                "plan.rs:2: `tracing` is logging, and a plan is pure",
                "plan.rs:4: `async` is waiting, and a plan is pure",
            ]
        );
        let pure = "pub fn plan() {}\n#[cfg(test)]\nmod tests { use tokio::time; }\n";
        assert_eq!(faults("plan.rs", pure), Vec::<String>::new());
    }
}
