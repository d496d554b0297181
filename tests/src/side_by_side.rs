//! Stock kubectl and our client, asked the same of the same cluster.

use std::fmt::Write as _;

use crate::{Answer, Cluster, words};

/// Both clients. Commands are written as in a shell, without the program's name.
#[derive(Debug)]
pub struct SideBySide<'a> {
    cluster: &'a Cluster,
}

impl<'a> SideBySide<'a> {
    /// Both clients of a cluster.
    pub fn of(cluster: &'a Cluster) -> Self {
        Self { cluster }
    }

    /// Runs each line with kubectl and then with our client. Both must print the same, say the same
    /// on standard error and end with the same code; names of programs, ages, times of day, temporary
    /// names and our hints apart.
    ///
    /// # Panics
    /// If they do not; the message has all lines that differ.
    #[track_caller]
    pub fn agree(&self, lines: &[&str]) {
        let mut differences = String::new();
        for line in lines {
            let all = words(line);
            let all: Vec<&str> = all.iter().map(String::as_str).collect();
            let (theirs, ours) = (self.cluster.kubectl(&all), self.cluster.wkctl(&all));
            let differs = theirs.code != ours.code
                || normal(&theirs.stdout) != normal(&ours.stdout)
                || normal(&theirs.stderr) != normal(&ours.stderr);
            if differs {
                // Writing to a string cannot fail.
                _ = writeln!(differences, "=== {line}\n{}{}", shown(&theirs), shown(&ours));
            }
        }
        assert!(differences.is_empty(), "\n{differences}");
    }

    /// Runs one line with our client, which must do it.
    ///
    /// # Panics
    /// If it fails.
    #[track_caller]
    pub fn ours(&self, line: &str) -> String {
        let all = words(line);
        self.cluster.wkctl(&all.iter().map(String::as_str).collect::<Vec<_>>()).ok()
    }
}

fn shown(answer: &Answer) -> String {
    let Answer { command, stdout, stderr, code } = answer;
    let program = command.split_whitespace().find(|word| word.contains("ctl")).unwrap_or_default();
    format!("--- {program} ({code})\n{stdout}{stderr}")
}

/// A text without what may differ.
fn normal(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with("hint: "));
    let lines = lines.map(|line| {
        let line = line.replace("wkctl", "kubectl");
        let mut any = false;
        let words: Vec<&str> = line
            .split(' ')
            .map(|word| {
                let volatile = is_volatile(word);
                any |= volatile;
                if volatile { "*" } else { word }
            })
            .collect();
        // A shorter age moves what is behind it.
        let words: Vec<&str> = words.into_iter().filter(|word| !any || !word.is_empty()).collect();
        words.join(" ") + "\n"
    });
    lines.collect()
}

/// Whether a word is an age, a time of day or a temporary name.
fn is_volatile(word: &str) -> bool {
    let digits = |text: &str| text.chars().all(|letter| letter.is_ascii_digit());
    let age = word.ends_with(['s', 'm', 'h', 'd'])
        && word.starts_with(|first: char| first.is_ascii_digit())
        && word.split(['s', 'm', 'h', 'd', 'y']).all(digits);
    let time = word.len() > 8 && word.matches(':').count() == 2 && digits(&word[..2]);
    age || time || word.contains("/LIVE-") || word.contains("/MERGED-")
}

#[cfg(test)]
mod tests {
    use super::normal;

    #[test]
    fn ages_and_hints_do_not_count() {
        let one = "NAME   AGE\na      5s\nerror: no\nhint: try\n";
        let other = "NAME   AGE\na      1m20s\nerror: no\n";
        assert_eq!(normal(one), normal(other));
        assert_ne!(normal("a  b"), normal("a b"));
        assert_eq!(normal("See 'wkctl -h'"), normal("See 'kubectl -h'"));
    }
}
