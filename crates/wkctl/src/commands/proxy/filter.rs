//! Which requests the proxy passes on: those of other hosts' pages are not.

use anyhow::anyhow;
use regex_lite::Regex;

/// Whom and what the proxy serves. All are lists of regular expressions, of which one has to match.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct FilterArgs {
    /// Hosts, as requests name them
    #[arg(long, value_name = "PATTERNS", default_value = r"^localhost$,^127\.0\.0\.1$,^\[::1\]$")]
    accept_hosts: String,
    /// Paths
    #[arg(long, value_name = "PATTERNS", default_value = "^.*")]
    accept_paths: String,
    /// Methods that are refused
    #[arg(long, value_name = "PATTERNS", default_value = "^$")]
    reject_methods: String,
    /// Paths that are refused, even if they are accepted
    #[arg(
        long,
        value_name = "PATTERNS",
        default_value = "^/api/.*/pods/.*/exec,^/api/.*/pods/.*/attach"
    )]
    reject_paths: String,
    /// Refuse nothing: whoever can reach the port, and every page that is open in a browser, can do
    /// what you can
    #[arg(long)]
    disable_filter: bool,
}

/// The patterns, ready for use.
#[derive(Debug)]
pub(super) struct Filter {
    accept_hosts: Vec<Regex>,
    accept_paths: Vec<Regex>,
    reject_methods: Vec<Regex>,
    reject_paths: Vec<Regex>,
}

impl FilterArgs {
    /// The filter; `None` if nothing is to be refused.
    pub(super) fn compile(&self) -> anyhow::Result<Option<Filter>> {
        if self.disable_filter {
            return Ok(None);
        }
        let compile = |patterns: &str| {
            let wrong = |error| anyhow!("error compiling `{patterns}`: {error}");
            patterns.split(',').map(Regex::new).collect::<Result<Vec<_>, _>>().map_err(wrong)
        };
        Ok(Some(Filter {
            accept_hosts: compile(&self.accept_hosts)?,
            accept_paths: compile(&self.accept_paths)?,
            reject_methods: compile(&self.reject_methods)?,
            reject_paths: compile(&self.reject_paths)?,
        }))
    }
}

impl Filter {
    /// Whether a request is passed on. `host` is the value of its header, with or without a port.
    pub(super) fn accepts(&self, method: &str, path: &str, host: &str) -> bool {
        let any = |patterns: &[Regex], text: &str| patterns.iter().any(|one| one.is_match(text));
        !any(&self.reject_paths, path)
            && !any(&self.reject_methods, method)
            && any(&self.accept_paths, path)
            && any(&self.accept_hosts, without_port(host))
    }
}

/// A host without its port, and then without the brackets of an address of IPv6.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, _)) if name.starts_with('[') && name.ends_with(']') => &name[1..name.len() - 1],
        Some((name, _)) if !name.contains([':', '[', ']']) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Args {
        #[command(flatten)]
        filter: FilterArgs,
    }

    #[track_caller]
    fn check(flags: &str, request: (&str, &str, &str), expected: bool) {
        let words = format!("proxy {flags}");
        let args = Args::try_parse_from(words.split_whitespace()).unwrap();
        let filter = args.filter.compile().unwrap();
        let (method, path, host) = request;
        let accepted = filter.is_none_or(|filter| filter.accepts(method, path, host));
        assert_eq!(accepted, expected, "{flags} {request:?}");
    }

    #[test]
    fn only_this_machine_is_served() {
        check("", ("GET", "/api", "localhost:8001"), true);
        check("", ("GET", "/api", "127.0.0.1"), true);
        check("", ("GET", "/api", "[::1]"), true);
        check("", ("GET", "/api", "evil.example:8001"), false);
        check("", ("GET", "/api", "127.0.0.10"), false);
        check("--accept-hosts=^.*$", ("GET", "/api", "evil.example:8001"), true);
        check("--disable-filter", ("GET", "/api/v1/pods/a/exec", "evil.example"), true);
    }

    #[test]
    fn paths_and_methods_can_be_refused() {
        let exec = "/api/v1/namespaces/a/pods/b/exec";
        check("", ("POST", exec, "localhost"), false);
        check("--reject-paths=^$", ("POST", exec, "localhost"), true);
        check("--reject-methods=POST,PUT", ("PUT", "/api", "localhost"), false);
        check("--accept-paths=^/api/v1/pods$", ("GET", "/api/v1/nodes", "localhost"), false);
        check("--accept-paths=^/api/v1/pods$", ("GET", "/api/v1/pods", "localhost"), true);
    }

    #[test]
    fn ports_are_no_part_of_hosts() {
        for (host, expected) in
            [("a:1", "a"), ("a", "a"), ("[::1]:80", "::1"), ("[::1]", "[::1]"), ("::1", "::1")]
        {
            assert_eq!(without_port(host), expected);
        }
    }
}
