//! The command line as it is typed.

use std::collections::BTreeSet;
use std::ffi::OsString;

use clap::{ArgAction, CommandFactory as _, FromArgMatches as _, Parser};

use crate::commands::Command;
use crate::kubeconfig::ClusterArgs;

/// Controls a cluster of `wk`, or any other Kubernetes. Flags and output are those of kubectl.
#[derive(Debug, Parser)]
#[command(name = "wkctl", max_term_width = 100)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Reads the command line.
pub(crate) fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Args, clap::Error> {
    let mut command = Args::command();
    command.build();
    let words = without_switch_values(&command, words.into_iter().collect());
    let mut matches = command.try_get_matches_from_mut(words)?;
    Args::from_arg_matches_mut(&mut matches)
}

/// kubectl takes `--watch=true` and `--watch=false` for `--watch` and nothing.
fn without_switch_values(command: &clap::Command, words: Vec<OsString>) -> Vec<OsString> {
    let switches = switches(command);
    let mut literal = false;
    let keep = words.into_iter().filter_map(|word| {
        literal |= word == "--";
        let Some(text) = word.to_str().filter(|_| !literal) else { return Some(word) };
        match text.split_once('=') {
            Some((name, "true")) if switches.contains(name) => Some(name.to_owned().into()),
            Some((name, "false")) if switches.contains(name) => None,
            _ => Some(word),
        }
    });
    keep.collect()
}

/// Every flag without a value, of this command and those below: `--watch`, `-w`.
fn switches(command: &clap::Command) -> BTreeSet<String> {
    let own = command
        .get_arguments()
        .filter(|argument| matches!(argument.get_action(), ArgAction::SetTrue))
        .flat_map(|argument| {
            let long = argument.get_long().map(|long| format!("--{long}"));
            let short = argument.get_short().map(|short| format!("-{short}"));
            long.into_iter().chain(short)
        });
    own.chain(command.get_subcommands().flat_map(switches)).collect()
}

/// What is wrong with the command line, as kubectl says it; `None` if help was asked for.
pub(crate) fn complaint(error: &clap::Error) -> Option<String> {
    use clap::error::{ContextKind, ErrorKind};
    match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => None,
        ErrorKind::UnknownArgument => {
            let flag = error.get(ContextKind::InvalidArg).map(ToString::to_string);
            let flag = flag.unwrap_or_default();
            if flag.starts_with('-') {
                let rest: Vec<String> =
                    error.to_string().lines().skip(1).map(str::to_owned).collect();
                let rest = rest.join("\n");
                Some(format!("error: unknown flag: {flag}\n{}", rest.trim()))
            } else {
                Some(error.to_string().trim_end().to_owned())
            }
        }
        ErrorKind::InvalidSubcommand => {
            let name = error.get(ContextKind::InvalidSubcommand).map(ToString::to_string);
            let rest: Vec<String> = error.to_string().lines().skip(1).map(str::to_owned).collect();
            let rest = rest.join("\n");
            let name = name.unwrap_or_default();
            Some(format!("error: unknown command \"{name}\" for \"wkctl\"\n{}", rest.trim()))
        }
        _ => Some(error.to_string().trim_end().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Args, clap::Error> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn what_fingers_know_is_accepted() {
        for line in [
            "wkctl apply -f pod.yaml",
            "wkctl apply -f a,b -f - --validate=false",
            "wkctl apply -Rf dir --server-side --force-conflicts",
            "wkctl get po -owide -A --show-labels",
            "wkctl get pods,svc -l a=b -o jsonpath={.items}",
            "wkctl get pod/a pod/b -w=true",
            "wkctl -n x get all --no-headers",
            "wkctl get pods --watch=false --all-namespaces=true",
            "wkctl logs -f web -c main --tail=10 --since 5m",
            "wkctl logs -lapp=web --all-containers --prefix",
            "wkctl delete pod web --now --wait=false",
            "wkctl delete -f x --ignore-not-found --grace-period=0 --force",
            "wkctl delete pods --all -n x",
            "wkctl create -f x",
            "wkctl create cm a --from-literal=x=y --dry-run=client -oyaml",
            "wkctl create secret generic s --from-literal=a=b",
            "wkctl create ns a",
            "wkctl create sa a",
            "wkctl push x.wasm localhost:5000/a:b",
            "wkctl run web --image=a --port=80 --env=A=B --restart=Never -- a -b",
            "wkctl wait --for=condition=Ready pod/web --timeout=60s",
            "wkctl wait pods --all --for=delete",
            "wkctl events --for pod/web -w",
            "wkctl exec web -- ls -l",
            "wkctl exec -it web -c main -- sh",
            "wkctl exec -i deploy/web -q -- cat",
            "wkctl attach -it web -c main",
            "wkctl port-forward web 8080:80 :81",
            "wkctl port-forward svc/web http --address 127.0.0.1,::1",
            "wkctl cp a n/web:/tmp/a -c main --no-preserve",
            "wkctl version -o json",
            "wkctl completion bash",
            "wkctl api-resources",
            "wkctl cluster-info",
            "wkctl label pod web a=b c- --overwrite",
            "wkctl annotate pod web a=b",
            "wkctl patch pod web -p {} --type=merge",
            "wkctl edit cm web",
            "wkctl describe pod web",
            "wkctl snapshot save a",
            "wkctl snapshot restore a",
        ] {
            if let Err(error) = parsed(line) {
                panic!("{line}: {error}");
            }
        }
    }

    #[test]
    fn switches_take_true_and_false() {
        let words = ["get", "--watch=true", "--no-headers=false", "-o=x", "--", "--watch=true"];
        let words = words.iter().map(OsString::from).collect();
        let mut command = Args::command();
        command.build();
        let kept = without_switch_values(&command, words);
        assert_eq!(kept, ["get", "--watch", "-o=x", "--", "--watch=true"]);
    }

    #[test]
    fn unknown_flags_are_named_first() {
        let complaint = complaint(&parsed("wkctl get pods --nope").unwrap_err()).unwrap();
        assert!(complaint.starts_with("error: unknown flag: --nope"), "{complaint}");
        let complaint = super::complaint(&parsed("wkctl fly").unwrap_err()).unwrap();
        assert!(
            complaint.starts_with("error: unknown command \"fly\" for \"wkctl\""),
            "{complaint}"
        );
    }
}
