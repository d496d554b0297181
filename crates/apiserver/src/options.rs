//! The query of a request, and the options it stands for.

use std::time::Duration;

use serde_json::Value;
use wk_api::{ApiError, Fault, FieldPath, FieldSelector, GroupKind, LabelSelector, names};

use crate::catalog::Resource;
use crate::object::Selection;
use crate::route::decoded;

/// The names and values of a query, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads what stands behind the question mark.
    pub(crate) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(&name.replace('+', " ")), decoded(&value.replace('+', " ")))
        });
        Self(pairs.collect())
    }

    /// The first value of a name; empty without one.
    pub(crate) fn text(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(own, _)| own == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    /// All values of a name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Whether a name is there at all.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(own, _)| own == name)
    }

    /// A truth; `None` without one. As Kubernetes has it, everything is true but `false` and `0`.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.has(name).then(|| !matches!(self.text(name), "false" | "0" | "False" | "FALSE"))
    }

    /// A whole number; `None` without one.
    pub(crate) fn number(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let text = self.text(name);
        if text.is_empty() {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|_| {
            ApiError::bad_request(format!("strconv.ParseInt: parsing {text:?}: invalid syntax"))
        })
    }
}

/// What is done with fields that a kind does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldValidation {
    Ignore,
    Warn,
    Strict,
}

/// The options of a write.
#[derive(Debug, Clone)]
pub(crate) struct WriteOptions {
    /// Whether everything is done but the writing.
    pub(crate) dry_run: bool,
    pub(crate) validation: FieldValidation,
    /// Who manages the fields; empty if nobody says.
    pub(crate) manager: String,
    /// Whether an apply takes fields from others.
    pub(crate) force: bool,
}

impl WriteOptions {
    /// Reads the options; `kind` (`CreateOptions`) is what errors call them.
    pub(crate) fn read(query: &Query, kind: &str) -> Result<Self, ApiError> {
        let root = FieldPath::Root;
        let mut faults = Vec::new();
        let dry_run = dry_run(query.all("dryRun"), &mut faults);
        let validation = match query.text("fieldValidation") {
            "" | "Warn" => FieldValidation::Warn,
            "Ignore" => FieldValidation::Ignore,
            "Strict" => FieldValidation::Strict,
            other => {
                let supported = ["Ignore", "Strict", "Warn"];
                let path = root.child("fieldValidation");
                faults.push(Fault::not_supported(&path, other, &supported));
                FieldValidation::Warn
            }
        };
        let manager = query.text("fieldManager").to_owned();
        if manager.len() > 128 {
            faults.push(Fault::too_long(&root.child("fieldManager"), 128));
        }
        for detail in names::printable(&manager) {
            faults.push(Fault::invalid(&root.child("fieldManager"), manager.as_str(), detail));
        }
        if !faults.is_empty() {
            return Err(ApiError::invalid(&GroupKind::new("meta.k8s.io", kind), "", &faults));
        }
        Ok(Self { dry_run, validation, manager, force: query.flag("force") == Some(true) })
    }

    /// Writes of the server itself.
    pub(crate) fn internal() -> Self {
        Self {
            dry_run: false,
            validation: FieldValidation::Ignore,
            manager: String::new(),
            force: false,
        }
    }
}

fn dry_run<'a>(values: impl Iterator<Item = &'a str>, faults: &mut Vec<Fault>) -> bool {
    let mut dry = false;
    for value in values.filter(|value| !value.is_empty()) {
        if value == "All" {
            dry = true;
        } else {
            let path = FieldPath::Root;
            faults.push(Fault::not_supported(&path.child("dryRun"), value, &["All"]));
        }
    }
    dry
}

/// What becomes of the dependents of a deleted object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Propagation {
    Orphan,
    Background,
    Foreground,
}

/// The options of a deletion.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeleteOptions {
    pub(crate) dry_run: bool,
    pub(crate) grace_seconds: Option<i64>,
    pub(crate) uid: Option<String>,
    pub(crate) resource_version: Option<String>,
    pub(crate) propagation: Option<Propagation>,
}

impl DeleteOptions {
    /// Reads the options from the body, or without one from the query.
    pub(crate) fn read(query: &Query, body: Option<&Value>) -> Result<Self, ApiError> {
        let mut options = Self::default();
        let mut faults = Vec::new();
        let root = FieldPath::Root;
        let (policy, orphan) = if let Some(body) = body {
            options.grace_seconds = body["gracePeriodSeconds"].as_i64();
            let text = |value: &Value| value.as_str().map(str::to_owned);
            options.uid = text(&body["preconditions"]["uid"]);
            options.resource_version = text(&body["preconditions"]["resourceVersion"]);
            let dry = body["dryRun"].as_array().into_iter().flatten().filter_map(Value::as_str);
            options.dry_run = dry_run(dry, &mut faults);
            (text(&body["propagationPolicy"]), body["orphanDependents"].as_bool())
        } else {
            options.grace_seconds = query.number("gracePeriodSeconds")?;
            let policy = query.text("propagationPolicy");
            let policy = (!policy.is_empty()).then(|| policy.to_owned());
            (policy, query.flag("orphanDependents"))
        };
        options.dry_run |= dry_run(query.all("dryRun"), &mut faults);
        let path = root.child("propagationPolicy");
        options.propagation = match (policy.as_deref(), orphan) {
            (Some(_), Some(_)) => {
                let detail = "orphanDependents and deletionPropagation cannot be both set";
                faults.push(Fault::invalid(&path, policy.as_deref().unwrap_or(""), detail));
                None
            }
            (Some("Orphan"), None) | (None, Some(true)) => Some(Propagation::Orphan),
            (Some("Background"), None) | (None, Some(false)) => Some(Propagation::Background),
            (Some("Foreground"), None) => Some(Propagation::Foreground),
            (None, None) => None,
            (Some(other), None) => {
                let supported = ["Background", "Foreground", "Orphan"];
                faults.push(Fault::not_supported(&path, other, &supported));
                None
            }
        };
        if !faults.is_empty() {
            let kind = GroupKind::new("meta.k8s.io", "DeleteOptions");
            return Err(ApiError::invalid(&kind, "", &faults));
        }
        Ok(options)
    }
}

/// How the revision of a list is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RevisionMatch {
    /// The present.
    Latest,
    /// Whatever is at hand.
    Any,
    /// That revision or a later one.
    NotOlderThan(u64),
    /// That revision.
    Exact(u64),
}

/// The options of a list or a watch.
#[derive(Debug, Clone)]
pub(crate) struct ListOptions {
    pub(crate) selection: Selection,
    pub(crate) limit: usize,
    pub(crate) continuation: String,
    pub(crate) revision: RevisionMatch,
    /// Whether the revision was given, and is not 0.
    pub(crate) asked_revision: Option<u64>,
    pub(crate) bookmarks: bool,
    pub(crate) initial_events: Option<bool>,
    pub(crate) timeout: Option<Duration>,
}

impl ListOptions {
    /// Reads the options of a list or a watch of a kind; a name in the path narrows it.
    pub(crate) fn read(
        query: &Query,
        resource: &Resource,
        name: &str,
        watch: bool,
    ) -> Result<Self, ApiError> {
        let labels = LabelSelector::parse(query.text("labelSelector"))
            .map_err(|error| ApiError::bad_request(error.to_string()))?;
        let mut text = query.text("fieldSelector").to_owned();
        if !name.is_empty() {
            let own = format!("metadata.name={}", wk_api::fields::escape(name));
            text = if text.is_empty() { own } else { format!("{text},{own}") };
        }
        let fields = FieldSelector::parse(&text)
            .map_err(|error| ApiError::bad_request(error.to_string()))?;
        for requirement in fields.requirements() {
            resource.definition.check_field(&requirement.field).map_err(ApiError::bad_request)?;
        }
        let limit = query.number("limit")?.unwrap_or(0);
        let limit =
            usize::try_from(limit).map_or(usize::MAX, |n| if n == 0 { usize::MAX } else { n });
        let asked = revision(query.text("resourceVersion"))?;
        let continuation = query.text("continue").to_owned();
        let initial_events = query.flag("sendInitialEvents");
        let matching = query.text("resourceVersionMatch");
        let revision =
            revision_match(asked, matching, initial_events, watch, limit, !continuation.is_empty())
                .map_err(|fault| {
                    let kind = GroupKind::new("meta.k8s.io", "ListOptions");
                    ApiError::invalid(&kind, "", &[fault])
                })?;
        let timeout = query.number("timeoutSeconds")?.and_then(|n| u64::try_from(n).ok());
        Ok(Self {
            selection: Selection { labels, fields },
            limit,
            continuation,
            revision,
            asked_revision: asked.filter(|revision| *revision > 0),
            bookmarks: query.flag("allowWatchBookmarks") == Some(true),
            initial_events,
            timeout: timeout.filter(|n| *n > 0).map(Duration::from_secs),
        })
    }
}

/// Reads a revision; `None` for the empty text.
pub(crate) fn revision(text: &str) -> Result<Option<u64>, ApiError> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        ApiError::bad_request(format!(
            "resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: \
             invalid syntax"
        ))
    })
}

fn revision_match(
    asked: Option<u64>,
    matching: &str,
    initial_events: Option<bool>,
    watch: bool,
    limit: usize,
    continued: bool,
) -> Result<RevisionMatch, Fault> {
    let root = FieldPath::Root;
    let forbidden = |detail: &str| Fault::forbidden(&root.child("resourceVersionMatch"), detail);
    if watch {
        if initial_events.is_some() && matching != "NotOlderThan" {
            return Err(forbidden(
                "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
            ));
        }
        if initial_events.is_none() && !matching.is_empty() {
            return Err(forbidden(
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            ));
        }
    } else {
        if initial_events.is_some() {
            return Err(Fault::forbidden(
                &root.child("sendInitialEvents"),
                "sendInitialEvents is forbidden for list",
            ));
        }
        if !matching.is_empty() && asked.is_none() {
            return Err(forbidden(
                "resourceVersionMatch is forbidden unless resourceVersion is provided",
            ));
        }
        if !matching.is_empty() && continued {
            return Err(forbidden("resourceVersionMatch is forbidden when continue is provided"));
        }
    }
    Ok(match (matching, asked) {
        ("" | "NotOlderThan" | "Exact", None) => RevisionMatch::Latest,
        ("Exact", Some(0)) => {
            return Err(forbidden(
                "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
            ));
        }
        ("Exact", Some(revision)) => RevisionMatch::Exact(revision),
        ("" | "NotOlderThan", Some(0)) => RevisionMatch::Any,
        // An old rule: a limit without a match asks for exactly that revision.
        ("", Some(revision)) if !watch && limit != usize::MAX => RevisionMatch::Exact(revision),
        ("" | "NotOlderThan", Some(revision)) => RevisionMatch::NotOlderThan(revision),
        (other, _) => {
            let supported = ["Exact", "NotOlderThan"];
            let path = root.child("resourceVersionMatch");
            return Err(Fault::not_supported(&path, other, &supported));
        }
    })
}
