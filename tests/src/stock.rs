//! Stock kubectl, of the oldest and the newest version that is promised to work.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::{Answer, Cluster, matches, tool};

/// The versions that every command is tried with.
const VERSIONS: &[&str] = &["1.32", "1.37"];

/// A kubectl of one version, in a namespace of its own.
///
/// Commands are written as in a shell, without `kubectl`: words are parted by spaces, and single
/// quotes keep a word together. `{ns}` stands for the namespace, in commands and in what is expected
/// of them.
#[derive(Debug)]
pub struct Kubectl<'a> {
    cluster: &'a Cluster,
    program: PathBuf,
    version: &'static str,
    namespace: String,
}

impl Kubectl<'_> {
    /// Plays `scenario` once with each version, all in one cluster.
    pub fn each(cluster: &Cluster, scenario: impl Fn(&Kubectl<'_>)) {
        for version in VERSIONS {
            let program = tool(&format!("kubernetes-{version}/kubectl"));
            let namespace = format!("v{}", version.replace('.', "-"));
            let kubectl = Kubectl { cluster, program, version, namespace };
            kubectl.run("create namespace {ns}").ok();
            scenario(&kubectl);
        }
    }

    /// The namespace that commands are in.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The minor version.
    ///
    /// # Panics
    /// Never: all versions have one.
    pub fn minor(&self) -> u32 {
        let (_, minor) = self.version.split_once('.').expect("a version has two parts");
        minor.parse().expect("a minor version is a number")
    }

    /// Runs a command.
    #[track_caller]
    pub fn run(&self, line: &str) -> Answer {
        self.run_with(line, "", &[])
    }

    /// Runs a command with something on its standard input, and environment variables.
    #[track_caller]
    pub fn run_with(&self, line: &str, input: &str, environment: &[(&str, &str)]) -> Answer {
        let mut command = Command::new(&self.program);
        let folder = self.cluster.scratch();
        command.arg("--kubeconfig").arg(self.cluster.kubeconfig());
        command.arg("--cache-dir").arg(folder.join(format!("cache-{}", self.version)));
        command.args(["--namespace", &self.namespace]).args(words(&self.named(line)));
        command.env("HOME", folder).current_dir(folder).envs(environment.iter().copied());
        Answer::of(command, &self.manifest(input))
    }

    /// Each command must succeed and print what is expected, as [`matches`] understands it.
    ///
    /// # Panics
    /// If one does not.
    #[track_caller]
    pub fn prints(&self, table: &[(&str, &str)]) {
        for (line, expected) in table {
            let answer = self.run(line);
            self.compare(line, expected, &answer.clone().ok(), &answer);
        }
    }

    /// Each command must fail and say on standard error what is expected.
    ///
    /// # Panics
    /// If one does not.
    #[track_caller]
    pub fn refuses(&self, table: &[(&str, &str)]) {
        for (line, expected) in table {
            let answer = self.run(line);
            self.compare(line, expected, &answer.clone().refused(), &answer);
        }
    }

    /// Each command must succeed; what it prints has to contain the words of each expected line,
    /// one line after another.
    ///
    /// # Panics
    /// If one does not.
    #[track_caller]
    pub fn mentions(&self, table: &[(&str, &[&str])]) {
        for (line, expected) in table {
            let pattern = format!("...\n{}\n...", expected.join("\n...\n"));
            let answer = self.run(line);
            self.compare(line, &pattern, &answer.clone().ok(), &answer);
        }
    }

    #[track_caller]
    fn compare(&self, line: &str, expected: &str, printed: &str, answer: &Answer) {
        assert!(
            matches(&self.named(expected), printed),
            "kubectl {} {line}\nexpected: {expected}\nstdout: {}\nstderr: {}",
            self.version,
            answer.stdout,
            answer.stderr
        );
    }

    /// An object, as `get -o json` prints it.
    #[track_caller]
    pub fn object(&self, resource_and_name: &str) -> Value {
        self.run(&format!("get {resource_and_name} -o json")).json()
    }

    /// Writes a file into the folder that commands run in, and returns its name.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn file(&self, name: &str, text: &str) -> String {
        let name = format!("{}-{name}", self.namespace);
        let path = self.cluster.scratch().join(&name);
        fs::create_dir_all(path.parent().expect("it is in the folder")).expect("folders are made");
        fs::write(path, self.manifest(text)).expect("the file can be written");
        name
    }

    /// Makes an editor of a shell script that finds the file's name in `$1`; returns its path.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn editor(&self, script: &str) -> String {
        let name = self.file("editor", &format!("#!/bin/sh\n{script}\n"));
        let path = self.cluster.scratch().join(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it can be marked");
        path.display().to_string()
    }

    /// A text for kubectl, which takes what begins with a brace for JSON.
    fn manifest(&self, text: &str) -> String {
        let separator = if text.starts_with('{') { "---\n" } else { "" };
        format!("{separator}{}", self.named(text))
    }

    fn named(&self, text: &str) -> String {
        text.replace("{ns}", &self.namespace)
    }
}

/// The words of a command line: parted by spaces, and kept together by single quotes.
pub fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    for letter in line.chars() {
        match letter {
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' | '\n' if !quoted => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn words_are_parted_by_spaces_outside_of_quotes() {
        assert_eq!(words("get pods  -o name"), ["get", "pods", "-o", "name"]);
        assert_eq!(words("patch -p '{\"a\": 1}' x"), ["patch", "-p", "{\"a\": 1}", "x"]);
        assert_eq!(words("a='b c' ''"), ["a=b c", ""]);
    }
}
