//! `auth`: who somebody is to the server, and what they may do.

use anyhow::bail;
use http::Method;
use serde_json::{Map, Value, json};

use super::describe::{items, rules};
use super::writing;
use crate::client::Call;
use crate::error::Told;
use crate::kinds::{Resource, text};
use crate::output::jsonpath::plain;
use crate::output::table::Widths;
use crate::session::Session;

/// Verbs that rules are made of.
const VERBS: [&str; 16] = [
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
    "use",
    "bind",
    "escalate",
    "impersonate",
    "*",
    "approve",
    "sign",
    "attest",
];

/// Arguments of `auth`.
#[derive(Debug, clap::Args)]
pub(crate) struct AuthArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Whether something is allowed; if not, the exit code is 1
    #[command(name = "can-i")]
    CanI(CanIArgs),
    /// Who you are to the server
    Whoami(WhoAmIArgs),
}

#[derive(Debug, clap::Args)]
struct CanIArgs {
    /// VERB, then TYPE, TYPE/NAME or a path such as /healthz
    #[arg(value_name = "WHAT")]
    words: Vec<String>,
    /// List everything that is allowed
    #[arg(long)]
    list: bool,
    /// Say it by the exit code only
    #[arg(short, long)]
    quiet: bool,
    /// Part of the objects, such as `log`
    #[arg(long, value_name = "NAME")]
    subresource: Option<String>,
    /// In all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Leave out the headers of columns
    #[arg(long)]
    no_headers: bool,
}

#[derive(Debug, clap::Args)]
struct WhoAmIArgs {
    /// Print the whole answer in this format
    #[arg(short, long, value_name = "FORMAT")]
    output: Option<String>,
}

pub(crate) async fn run(session: &Session, args: AuthArgs) -> anyhow::Result<()> {
    match args.what {
        What::CanI(args) if args.list => args.show(session).await,
        What::CanI(args) => args.ask(session).await,
        What::Whoami(args) => args.run(session).await,
    }
}

/// Asks for a review.
async fn review(session: &Session, group: &str, kind: &str, spec: Value) -> anyhow::Result<Value> {
    let api_version = format!("{group}/v1");
    let mut body = json!({"apiVersion": api_version, "kind": kind});
    if !spec.is_null() {
        body["spec"] = spec;
    }
    let path = format!("/apis/{api_version}/{}s", kind.to_lowercase());
    session.client().await?.object(Call::with(Method::POST, path, &body)).await
}

const AUTHORIZATION: &str = "authorization.k8s.io";

impl CanIArgs {
    async fn ask(&self, session: &Session) -> anyhow::Result<()> {
        let [verb, what] = self.words.as_slice() else {
            bail!(
                "you must specify two arguments: verb resource or verb resource/resourceName.\n\
                 See 'wkctl auth can-i -h' for help and examples."
            );
        };
        let spec = if what.starts_with('/') {
            if self.subresource.is_some() {
                bail!("--subresource can not be used with NonResourceURL");
            }
            json!({"nonResourceAttributes": {"path": what, "verb": verb}})
        } else {
            json!({"resourceAttributes": self.resource(session, verb, what).await?})
        };
        let answer = review(session, AUTHORIZATION, "SelfSubjectAccessReview", spec).await?;
        let allowed = answer.pointer("/status/allowed").is_some_and(|allowed| *allowed == true);
        if !self.quiet {
            let mut line = if allowed { "yes".to_owned() } else { "no".to_owned() };
            for field in ["/status/reason", "/status/evaluationError"] {
                let why = text(&answer, field);
                if !allowed && !why.is_empty() {
                    line.extend([" - ", why]);
                }
            }
            session.console.line(line)?;
        }
        if allowed { Ok(()) } else { Err(Told { texts: Vec::new(), code: 1 }.into()) }
    }

    async fn resource(
        &self,
        session: &Session,
        verb: &str,
        what: &str,
    ) -> anyhow::Result<Map<String, Value>> {
        let (word, name) = what.split_once('/').unwrap_or((what, ""));
        let warn = |text: String| {
            if !self.quiet {
                session.console.warn(&format!("{text}\n"));
            }
        };
        let known: Option<Resource> =
            if word == "*" { None } else { session.resource(word).await.ok() };
        let namespace = session.namespace().await?;
        let (group, version, plural) = match &known {
            Some(known) => (known.group.as_str(), "*", known.plural.as_str()),
            None => ("", "*", word),
        };
        match &known {
            Some(known) if !known.namespaced && !self.all_namespaces => {
                let within = match known.group.as_str() {
                    "" => String::new(),
                    group => format!(" in group '{group}'"),
                };
                warn(format!("resource '{plural}' is not namespace scoped{within}"));
            }
            None if word != "*" => {
                warn(format!("the server doesn't have a resource type '{word}'"));
            }
            _ => {}
        }
        if !VERBS.contains(&verb) {
            warn(format!("verb '{verb}' is not a known verb"));
        }
        let mut attributes = Map::new();
        let mut set = |field: &str, value: &str| {
            if !value.is_empty() {
                attributes.insert(field.to_owned(), value.into());
            }
        };
        set("verb", verb);
        set("group", if word == "*" { "*" } else { group });
        set("version", version);
        set("resource", plural);
        set("name", name);
        set("subresource", self.subresource.as_deref().unwrap_or_default());
        if !self.all_namespaces {
            set("namespace", &namespace);
        }
        Ok(attributes)
    }

    async fn show(&self, session: &Session) -> anyhow::Result<()> {
        let spec = json!({"namespace": session.namespace().await?});
        let answer = review(session, AUTHORIZATION, "SelfSubjectRulesReview", spec).await?;
        if answer.pointer("/status/incomplete").is_some_and(|incomplete| *incomplete == true) {
            let why = text(&answer, "/status/evaluationError");
            let why = if why.is_empty() { String::new() } else { format!(": {why}") };
            session.console.warn(&format!(
                "the list may be incomplete, as the server cannot tell all that is allowed{why}"
            ));
        }
        let mut rows = Vec::new();
        if !self.no_headers {
            let names = ["Resources", "Non-Resource URLs", "Resource Names", "Verbs"];
            rows.push(names.map(str::to_owned).to_vec());
        }
        let all = items(&answer, "/status/resourceRules")
            .chain(items(&answer, "/status/nonResourceRules"));
        rows.extend(rules(all).into_iter().map(Vec::from));
        Ok(session.console.print(Widths::default().lines(&rows))?)
    }
}

impl WhoAmIArgs {
    async fn run(&self, session: &Session) -> anyhow::Result<()> {
        let answer =
            review(session, "authentication.k8s.io", "SelfSubjectReview", Value::Null).await?;
        if let Some(format) = &self.output {
            let reviews = session.resource("selfsubjectreviews.authentication.k8s.io").await?;
            return writing::show(session, format, true, &reviews, answer);
        }
        let info = answer.pointer("/status/userInfo").unwrap_or(&Value::Null);
        let mut rows = vec![vec!["ATTRIBUTE".to_owned(), "VALUE".to_owned()]];
        let list = |all: &Value| {
            let all: Vec<String> = items(all, "").map(plain).collect();
            format!("[{}]", all.join(" "))
        };
        for (title, field) in [("Username", "username"), ("UID", "uid")] {
            let value = text(info, &format!("/{field}"));
            if !value.is_empty() {
                rows.push(vec![title.to_owned(), value.to_owned()]);
            }
        }
        if let Some(groups) = info.get("groups") {
            rows.push(vec!["Groups".to_owned(), list(groups)]);
        }
        for (key, values) in info.get("extra").and_then(Value::as_object).into_iter().flatten() {
            rows.push(vec![format!("Extra: {key}"), list(values)]);
        }
        Ok(session.console.print(Widths::default().lines(&rows))?)
    }
}
