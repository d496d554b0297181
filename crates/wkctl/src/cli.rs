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
    let words = with_subjects(words);
    let mut matches = command.try_get_matches_from_mut(words)?;
    Args::from_arg_matches_mut(&mut matches)
}

/// kubectl takes `--watch=true` and `--watch=false` for `--watch` and nothing.
fn without_switch_values(command: &clap::Command, words: Vec<OsString>) -> Vec<OsString> {
    let switches = switches(meant(command, &words));
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

/// Where roles are bound, `--user` says to whom, and not who is at the keyboard.
fn with_subjects(words: Vec<OsString>) -> Vec<OsString> {
    let follow = |pair: &[OsString]| match (pair[0].to_str(), pair[1].to_str()) {
        (Some("create"), Some(what)) => matches!(what, "rolebinding" | "clusterrolebinding"),
        (Some("set"), Some(what)) => what == "subject",
        _ => false,
    };
    let Some(at) = words.windows(2).position(follow) else { return words };
    let renamed = words.into_iter().enumerate().map(|(index, word)| match word.to_str() {
        Some(text) if index > at && (text == "--user" || text.starts_with("--user=")) => {
            text.replacen("--user", "--subject-user", 1).into()
        }
        _ => word,
    });
    renamed.collect()
}

/// The command that the words name.
fn meant<'a>(command: &'a clap::Command, words: &[OsString]) -> &'a clap::Command {
    words.iter().skip(1).fold(command, |command, word| {
        let word = word.to_str().filter(|word| !word.starts_with('-'));
        word.and_then(|word| command.find_subcommand(word)).unwrap_or(command)
    })
}

/// Every flag without a value of a command: `--watch`, `-w`.
fn switches(command: &clap::Command) -> BTreeSet<String> {
    command
        .get_arguments()
        .filter(|argument| matches!(argument.get_action(), ArgAction::SetTrue))
        .flat_map(|argument| {
            let long = argument.get_long().map(|long| format!("--{long}"));
            let short = argument.get_short().map(|short| format!("-{short}"));
            long.into_iter().chain(short)
        })
        .collect()
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
            let command = usage_of(error);
            if command != "wkctl" {
                let see = format!("See '{command} -h' for help and examples");
                return Some(format!("error: unknown command \"{name}\"\n{see}"));
            }
            Some(format!("error: unknown command \"{name}\" for \"wkctl\"\n{}", rest.trim()))
        }
        ErrorKind::MissingRequiredArgument => Some(missing(error)),
        _ => Some(error.to_string().trim_end().to_owned()),
    }
}

/// Which arguments are missing.
fn missing(error: &clap::Error) -> String {
    use clap::error::{ContextKind, ContextValue};
    let Some(ContextValue::Strings(all)) = error.get(ContextKind::InvalidArg) else {
        return error.to_string().trim_end().to_owned();
    };
    let flags: Vec<String> = all
        .iter()
        .filter_map(|one| one.strip_prefix("--")?.split_whitespace().next())
        .map(|flag| format!("{flag:?}"))
        .collect();
    if !flags.is_empty() {
        return format!("error: required flag(s) {} not set", flags.join(", "));
    }
    match all.as_slice() {
        [name] if name == "<NAME>" => {
            let command = usage_of(error);
            format!(
                "error: exactly one NAME is required, got 0\nSee '{command} -h' for help and examples"
            )
        }
        _ => error.to_string().trim_end().to_owned(),
    }
}

/// The command that an error is about: `wkctl create configmap`.
fn usage_of(error: &clap::Error) -> String {
    let text = error.to_string();
    let usage = text.lines().find_map(|line| line.trim().strip_prefix("Usage: "));
    let words = usage.unwrap_or("wkctl").split(' ');
    words.take_while(|word| !word.starts_with(['[', '<', '-'])).collect::<Vec<_>>().join(" ")
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
            "wkctl rollout status deploy/web -w=false --timeout=1m --revision=2",
            "wkctl rollout undo deploy web --to-revision=3 --dry-run=server",
            "wkctl rollout history ds -l a=b --revision 1 -o yaml",
            "wkctl rollout pause deploy/web",
            "wkctl rollout resume deploy/web deploy/b",
            "wkctl rollout restart -f a.yaml",
            "wkctl scale deploy/a rs/b --replicas=3 --current-replicas=2 --resource-version=1 --timeout=1m",
            "wkctl autoscale deploy web --min=1 --max=5 --cpu=50% --memory=1Gi",
            "wkctl expose deploy/web --port=80 --target-port=http --type=NodePort -l a=b",
            "wkctl cordon n1 n2",
            "wkctl uncordon -l a=b",
            "wkctl drain n --ignore-daemonsets --delete-emptydir-data --force --grace-period=-1 --timeout=5m --pod-selector=a=b --disable-eviction --dry-run=client",
            "wkctl taint nodes n a=b:NoSchedule c- --overwrite",
            "wkctl set image deploy/web a=b:1 --local",
            "wkctl set env deploy/web A=b C- -e D=e --from=cm/x --prefix=X_ --keys=a,b",
            "wkctl set env deploy --all --list --resolve",
            "wkctl set resources deploy web -c a --limits=cpu=1 --requests=memory=1Gi",
            "wkctl set selector svc web a=b",
            "wkctl set sa deploy web robot",
            "wkctl set subject rolebinding r --user=a --group=b --serviceaccount=c:d",
            "wkctl create deploy web --image=a --image=b --port=80 -r 3",
            "wkctl create deployment web --image=a -- sh -c x",
            "wkctl create job j --from=cronjob/c",
            "wkctl create cj c --image=a --schedule=@daily -- a",
            "wkctl create service clusterip a --tcp=80:8080 --clusterip=None",
            "wkctl create svc externalname a --external-name=b",
            "wkctl create role r --verb=get,list --resource=pods --resource-name=a",
            "wkctl create clusterrole r --verb=get --non-resource-url=/a",
            "wkctl create rolebinding r --role=a --user=b --user c",
            "wkctl create clusterrolebinding r --clusterrole=a --group=b",
            "wkctl create quota q --hard=cpu=1 --scopes=BestEffort",
            "wkctl create pdb p --selector=a=b --min-available=50%",
            "wkctl create pc p --value=-5 --global-default --description x",
            "wkctl create ing i --rule=a/b=c:80 --class=x",
            "wkctl create token default --duration=10m --audience=a",
            "wkctl top node n --sort-by=cpu --no-headers",
            "wkctl top po -A --containers --sum -l a=b",
            "wkctl explain pod.spec --recursive --api-version=v1 --max-depth=2",
            "wkctl diff -f a.yaml --server-side --force-conflicts",
            "wkctl replace --force -f a.yaml --grace-period=0",
            "wkctl auth can-i get pods --subresource=log -A -q",
            "wkctl auth can-i --list",
            "wkctl auth whoami -o yaml",
            "wkctl certificate approve a b --force",
            "wkctl certificate deny -f a.yaml",
            "wkctl config view --minify --raw",
            "wkctl config get-contexts -o name",
            "wkctl config use-context a",
            "wkctl config current-context",
            "wkctl api-versions",
            "wkctl apply -f a --prune -l a=b --prune-allowlist=core/v1/ConfigMap",
            "wkctl logs deploy/web --pod-running-timeout=5s",
            "wkctl --as jane --as-group devs get pods",
        ] {
            if let Err(error) = parsed(line) {
                panic!("{line}: {error}");
            }
        }
    }

    #[test]
    fn folders_with_kustomizations_are_accepted() {
        for line in [
            "wkctl apply -k dir --prune -l a=b",
            "wkctl diff -k dir",
            "wkctl kustomize",
            "wkctl kustomize dir -o x.yaml",
        ] {
            assert!(parsed(line).is_ok(), "{line}");
        }
    }

    #[test]
    fn switches_take_true_and_false() {
        let words =
            ["wkctl", "get", "--watch=true", "--no-headers=false", "-o=x", "--", "--watch=true"];
        let words = words.iter().map(OsString::from).collect();
        let mut command = Args::command();
        command.build();
        let kept = without_switch_values(&command, words);
        assert_eq!(kept, ["wkctl", "get", "--watch", "-o=x", "--", "--watch=true"]);
        // What is a switch of one command may take a value with another one.
        let words = ["wkctl", "set", "env", "--overwrite=false"].map(OsString::from);
        assert_eq!(without_switch_values(&command, words.to_vec()), words);
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
