//! The paths of kinds, with what clients look for in them: the action, the kind, the parameters.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Dialect, KindInfo};
use crate::table::Message;

const JSON: &str = "application/json";
const ALL: &[&str] = &[JSON, "application/yaml", "application/vnd.kubernetes.protobuf"];
const PATCHES: &[&str] = &[
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
];

/// The paths of a group version.
pub(super) fn paths(
    group: &str,
    version: &str,
    kinds: &[KindInfo<'_>],
    dialect: Dialect,
) -> BTreeMap<String, Value> {
    let base = format!("/{}", super::v3_path(group, version));
    let mut paths = BTreeMap::new();
    for info in kinds {
        let site = Site { group, version, info, dialect };
        let collection = if info.namespaced {
            format!("{base}/namespaces/{{namespace}}/{}", info.plural)
        } else {
            format!("{base}/{}", info.plural)
        };
        let item = format!("{collection}/{{name}}");
        site.add(&mut paths, &collection, &["list", "create", "deletecollection"]);
        site.add(&mut paths, &item, &["get", "update", "patch", "delete"]);
        if info.namespaced {
            site.add(&mut paths, &format!("{base}/{}", info.plural), &["list"]);
        }
        site.add_watches(&mut paths, &base);
        for subresource in &info.subresources {
            let operations: Map<String, Value> = subresource
                .verbs
                .iter()
                .filter_map(|verb| {
                    let call = Call {
                        verb,
                        kind: subresource.kind,
                        takes: subresource.message,
                        gives: subresource.message,
                        subresource: Some(subresource.name),
                        all_namespaces: false,
                    };
                    Some((method(verb)?.to_owned(), site.operation(&call)))
                })
                .collect();
            if !operations.is_empty() {
                let path = format!("{item}/{}", subresource.name);
                paths.insert(path.clone(), site.path_item(&path, operations));
            }
        }
    }
    paths
}

/// The HTTP method of a verb; `None` for verbs without a method of their own.
fn method(verb: &str) -> Option<&'static str> {
    Some(match verb {
        "get" | "list" => "get",
        "create" => "post",
        "update" => "put",
        "patch" => "patch",
        "delete" | "deletecollection" => "delete",
        _ => return None,
    })
}

/// What `x-kubernetes-action` calls a verb.
fn action(verb: &str) -> &str {
    match verb {
        "create" => "post",
        "update" => "put",
        other => other,
    }
}

/// One operation that is to be described.
struct Call<'a> {
    verb: &'a str,
    kind: (&'a str, &'a str, &'a str),
    takes: Option<&'static Message>,
    gives: Option<&'static Message>,
    subresource: Option<&'a str>,
    all_namespaces: bool,
}

/// A kind of a group version.
struct Site<'a> {
    group: &'a str,
    version: &'a str,
    info: &'a KindInfo<'a>,
    dialect: Dialect,
}

impl Site<'_> {
    /// Adds a path with those of the verbs that the kind has.
    fn add(&self, paths: &mut BTreeMap<String, Value>, path: &str, verbs: &[&str]) {
        let info = self.info;
        let meta =
            |name: &str| crate::message(&format!("io.k8s.apimachinery.pkg.apis.meta.v1.{name}"));
        let operations: Map<String, Value> = verbs
            .iter()
            .filter(|verb| info.verbs.contains(verb))
            .filter_map(|verb| {
                let call = Call {
                    verb,
                    kind: (self.group, self.version, info.kind),
                    takes: match *verb {
                        "delete" | "deletecollection" => meta("DeleteOptions"),
                        _ => Some(info.message),
                    },
                    gives: match *verb {
                        "list" => info.list,
                        "delete" | "deletecollection" => meta("Status"),
                        _ => Some(info.message),
                    },
                    subresource: None,
                    all_namespaces: info.namespaced && !path.contains("{namespace}"),
                };
                Some((method(verb)?.to_owned(), self.operation(&call)))
            })
            .collect();
        if !operations.is_empty() {
            paths.insert(path.to_owned(), self.path_item(path, operations));
        }
    }

    /// Adds the old paths of watches, which the parameter `watch` has replaced.
    fn add_watches(&self, paths: &mut BTreeMap<String, Value>, base: &str) {
        let info = self.info;
        if !info.verbs.contains(&"watch") {
            return;
        }
        let all = format!("{base}/watch/{}", info.plural);
        let collection = if info.namespaced {
            format!("{base}/watch/namespaces/{{namespace}}/{}", info.plural)
        } else {
            all.clone()
        };
        let item = format!("{collection}/{{name}}");
        let mut each = vec![("watch", item, false), ("watchlist", collection, false)];
        if info.namespaced {
            each.push(("watchlist", all, true));
        }
        for (verb, path, all_namespaces) in each {
            let call = Call {
                verb,
                kind: (self.group, self.version, info.kind),
                takes: None,
                gives: crate::message("io.k8s.apimachinery.pkg.apis.meta.v1.WatchEvent"),
                subresource: None,
                all_namespaces,
            };
            let operations = Map::from_iter([("get".to_owned(), self.operation(&call))]);
            paths.insert(path.clone(), self.path_item(&path, operations));
        }
    }

    /// The item of a path: its operations, and the parameters in the path.
    fn path_item(&self, path: &str, operations: Map<String, Value>) -> Value {
        let mut item = operations;
        let mut parameters = Vec::new();
        if path.contains("{name}") {
            let text = format!("name of the {}", self.info.kind);
            parameters.push(self.parameter("path", "name", "string", &text));
        }
        if path.contains("{namespace}") {
            let text = "object name and auth scope, such as for teams and projects";
            parameters.push(self.parameter("path", "namespace", "string", text));
        }
        let text = "If 'true', then the output is pretty printed. Defaults to 'false' unless the \
                    user-agent indicates a browser or command-line HTTP tool (curl and wget).";
        parameters.push(self.parameter("query", "pretty", "string", text));
        item.insert("parameters".to_owned(), Value::Array(parameters));
        Value::Object(item)
    }

    fn parameter(&self, place: &str, name: &str, ty: &str, text: &str) -> Value {
        let mut parameter = match self.dialect {
            Dialect::V2 => json!({"type": ty, "uniqueItems": true}),
            Dialect::V3 => json!({"schema": {"type": ty, "uniqueItems": true}}),
        };
        parameter["in"] = place.into();
        parameter["name"] = name.into();
        parameter["description"] = text.into();
        if place == "path" {
            parameter["required"] = true.into();
        }
        parameter
    }

    fn operation(&self, call: &Call<'_>) -> Value {
        let (group, version, kind) = call.kind;
        let mut operation = json!({
            "description": description(call),
            "operationId": self.operation_id(call),
            "tags": [format!("{}_{}", snake_group(self.group), self.version)],
            "x-kubernetes-action": action(call.verb),
            "x-kubernetes-group-version-kind": {
                "group": group, "version": version, "kind": kind,
            },
        });
        let mut parameters: Vec<Value> = query(call.verb)
            .iter()
            .map(|(name, ty, text)| self.parameter("query", name, ty, text))
            .collect();
        let schema = |message: Option<&'static Message>| match message {
            Some(message) => self.dialect.reference(message.name),
            None => json!({"type": "string"}),
        };
        let takes_body =
            matches!(call.verb, "create" | "update" | "patch" | "delete" | "deletecollection");
        let body = match call.verb {
            "patch" => self.dialect.reference("io.k8s.apimachinery.pkg.apis.meta.v1.Patch"),
            _ => schema(call.takes),
        };
        let media = if call.verb == "patch" { PATCHES } else { ALL };
        let content = |media: &[&str], schema: &Value| -> Value {
            let entries =
                media.iter().map(|&media| (media.to_owned(), json!({ "schema": schema })));
            Value::Object(entries.collect())
        };
        let is_required = !call.verb.starts_with("delete");
        let gives = schema(call.gives);
        match self.dialect {
            Dialect::V3 => {
                if takes_body {
                    operation["requestBody"] = json!({"content": content(media, &body)});
                    if is_required {
                        operation["requestBody"]["required"] = true.into();
                    }
                }
                let answer = json!({"description": "OK", "content": content(ALL, &gives)});
                operation["responses"] = self.responses(call.verb, &answer);
            }
            Dialect::V2 => {
                if takes_body {
                    let mut body = json!({"in": "body", "name": "body", "schema": body});
                    if is_required {
                        body["required"] = true.into();
                    }
                    parameters.push(body);
                }
                operation["consumes"] =
                    if call.verb == "patch" { PATCHES.into() } else { json!(["*/*"]) };
                operation["produces"] = ALL.into();
                operation["schemes"] = json!(["https"]);
                let answer = json!({"description": "OK", "schema": gives});
                operation["responses"] = self.responses(call.verb, &answer);
            }
        }
        operation["parameters"] = Value::Array(parameters);
        operation
    }

    fn responses(&self, verb: &str, answer: &Value) -> Value {
        let named = |description: &str| {
            let mut answer = answer.clone();
            answer["description"] = description.into();
            answer
        };
        let _ = self;
        let mut responses = json!({
            "200": named("OK"), "401": {"description": "Unauthorized"},
        });
        match verb {
            "create" => {
                responses["201"] = named("Created");
                responses["202"] = named("Accepted");
            }
            "update" | "patch" => responses["201"] = named("Created"),
            "delete" => responses["202"] = named("Accepted"),
            _ => {}
        }
        responses
    }

    /// `listAppsV1NamespacedDeployment`, `patchCoreV1NamespacedPodStatus`.
    fn operation_id(&self, call: &Call<'_>) -> String {
        let verb = match call.verb {
            "get" => "read",
            "update" => "replace",
            "deletecollection" => "deleteCollection",
            "watchlist" => "watch",
            other => other,
        };
        let list = if call.verb == "watchlist" { "List" } else { "" };
        let scope = if self.info.namespaced && !call.all_namespaces { "Namespaced" } else { "" };
        let suffix = if call.all_namespaces { "ForAllNamespaces" } else { "" };
        let subresource = call.subresource.map(capitalised).unwrap_or_default();
        let group: String = snake_group(self.group).split('_').map(capitalised).collect();
        let (version, kind) = (capitalised(self.version), self.info.kind);
        format!("{verb}{group}{version}{scope}{kind}{list}{subresource}{suffix}")
    }
}

fn description(call: &Call<'_>) -> String {
    let (_, _, kind) = call.kind;
    let of = match call.subresource {
        Some(subresource) => format!("{subresource} of the specified {kind}"),
        None => format!("the specified {kind}"),
    };
    match call.verb {
        "list" => format!("list or watch objects of kind {kind}"),
        "watch" => format!(
            "watch changes to an object of kind {kind}. deprecated: use the 'watch' parameter with \
             a list operation instead, filtered to a single item with the 'fieldSelector' \
             parameter."
        ),
        "watchlist" => format!(
            "watch individual changes to a list of {kind}. deprecated: use the 'watch' parameter \
             with a list operation instead."
        ),
        "create" => format!("create a {kind}"),
        "deletecollection" => format!("delete collection of {kind}"),
        "get" => format!("read {of}"),
        "update" => format!("replace {of}"),
        "patch" => format!("partially update {of}"),
        "delete" => format!("delete a {kind}"),
        other => format!("{other} {of}"),
    }
}

/// `rbac.authorization.k8s.io` is `rbac_authorization`, the core group `core`.
fn snake_group(group: &str) -> String {
    if group.is_empty() {
        return "core".to_owned();
    }
    group.trim_end_matches(".k8s.io").replace(['.', '-'], "_")
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).collect()
}

type Query = &'static [(&'static str, &'static str, &'static str)];

const DRY_RUN: (&str, &str, &str) = (
    "dryRun",
    "string",
    "When present, indicates that modifications should not be persisted. An invalid or unrecognized \
     dryRun directive will result in an error response and no further processing of the request. \
     Valid values are: - All: all dry run stages will be processed",
);
const FIELD_MANAGER: (&str, &str, &str) = (
    "fieldManager",
    "string",
    "fieldManager is a name associated with the actor or entity that is making these changes.",
);
const FIELD_VALIDATION: (&str, &str, &str) = (
    "fieldValidation",
    "string",
    "fieldValidation instructs the server on how to handle objects in the request containing \
     unknown or duplicate fields. Valid values are: Ignore, Warn, Strict.",
);

/// The query parameters of a verb.
fn query(verb: &str) -> Query {
    match verb {
        "list" | "watch" | "watchlist" => &[
            (
                "allowWatchBookmarks",
                "boolean",
                "allowWatchBookmarks requests watch events with type \"BOOKMARK\".",
            ),
            (
                "continue",
                "string",
                "The continue option should be set when retrieving more results from the server.",
            ),
            (
                "fieldSelector",
                "string",
                "A selector to restrict the list of returned objects by their fields.",
            ),
            (
                "labelSelector",
                "string",
                "A selector to restrict the list of returned objects by their labels.",
            ),
            (
                "limit",
                "integer",
                "limit is a maximum number of responses to return for a list call.",
            ),
            (
                "resourceVersion",
                "string",
                "resourceVersion sets a constraint on what resource versions a request may be served from.",
            ),
            (
                "resourceVersionMatch",
                "string",
                "resourceVersionMatch determines how resourceVersion is applied to list calls.",
            ),
            (
                "sendInitialEvents",
                "boolean",
                "sendInitialEvents=true may be set together with watch=true.",
            ),
            ("timeoutSeconds", "integer", "Timeout for the list/watch call."),
            (
                "watch",
                "boolean",
                "Watch for changes to the described resources and return them as a stream of add, update, and remove notifications.",
            ),
        ],
        "create" | "update" => &[DRY_RUN, FIELD_MANAGER, FIELD_VALIDATION],
        "patch" => &[
            DRY_RUN,
            FIELD_MANAGER,
            FIELD_VALIDATION,
            (
                "force",
                "boolean",
                "Force is going to \"force\" Apply requests. It means user will re-acquire conflicting fields owned by other people.",
            ),
        ],
        "delete" | "deletecollection" => &[
            DRY_RUN,
            (
                "gracePeriodSeconds",
                "integer",
                "The duration in seconds before the object should be deleted.",
            ),
            ("orphanDependents", "boolean", "Deprecated: please use the PropagationPolicy."),
            (
                "propagationPolicy",
                "string",
                "Whether and how garbage collection will be performed.",
            ),
        ],
        _ => &[],
    }
}
