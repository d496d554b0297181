//! Reads JSON names, types, documentation and kinds out of the sources of `k8s-openapi`.
//!
//! Every type there implements `JsonSchema` by a `json_schema!({...})` literal, which is read token
//! by token, and `Resource` by constants.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, bail};
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use serde_json::{Map, Value};

use crate::sources;

/// A type as JSON has it.
#[derive(Debug, Default)]
pub(crate) struct JsonMessage {
    pub(crate) description: String,
    pub(crate) fields: BTreeMap<String, JsonField>,
    pub(crate) kind: Option<JsonKind>,
    /// Whether the schema has a `properties` object; specials such as `Time` have none.
    pub(crate) structured: bool,
}

/// A field as JSON has it.
#[derive(Debug)]
pub(crate) struct JsonField {
    pub(crate) description: String,
    pub(crate) ty: JsonType,
    pub(crate) required: bool,
}

/// The type of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum JsonType {
    String,
    Bytes,
    Bool,
    Int32,
    Int64,
    Double,
    Any,
    Reference(String),
    List(Box<JsonType>),
    Map(Box<JsonType>),
}

/// The constants of `impl Resource`.
#[derive(Debug, Clone)]
pub(crate) struct JsonKind {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) kind: String,
    pub(crate) plural: String,
    pub(crate) scope: String,
    /// The kind of the list; `None` for kinds that are not listed.
    pub(crate) list: Option<String>,
}

/// Reads every stable type, by full name (`io.k8s.api.core.v1.Pod`).
pub(crate) fn read(folder: &Path) -> anyhow::Result<BTreeMap<String, JsonMessage>> {
    let mut messages = BTreeMap::new();
    for path in sources::rust_files(folder)? {
        let relative = path.strip_prefix(folder)?;
        if relative.iter().any(|part| sources::is_unstable(&part.to_string_lossy())) {
            continue;
        }
        let file = syn::parse_file(&std::fs::read_to_string(&path)?)
            .with_context(|| format!("parsing {}", path.display()))?;
        if let Some((name, message)) =
            read_file(&file).with_context(|| format!("reading {}", path.display()))?
        {
            messages.insert(name, message);
        }
    }
    Ok(messages)
}

fn read_file(file: &syn::File) -> anyhow::Result<Option<(String, JsonMessage)>> {
    let mut named = None;
    let mut kind = None;
    let mut list = None;
    for item in &file.items {
        let syn::Item::Impl(item) = item else { continue };
        let Some((_, path, _)) = &item.trait_ else { continue };
        let Some(trait_name) = path.segments.last().map(|segment| segment.ident.to_string()) else {
            continue;
        };
        // `List<T>` and `WatchEvent<T>` are made up from other sources.
        if !item.generics.params.is_empty() {
            continue;
        }
        match trait_name.as_str() {
            "JsonSchema" => named = Some(read_schema(item)?),
            "Resource" => kind = Some(read_kind(item)?),
            "ListableResource" => list = constant(item, "LIST_KIND"),
            _ => {}
        }
    }
    let Some((name, mut message)) = named else { return Ok(None) };
    message.kind = kind.map(|kind| JsonKind { list, ..kind });
    Ok(Some((name, message)))
}

fn constant(item: &syn::ItemImpl, name: &str) -> Option<String> {
    item.items.iter().find_map(|item| match item {
        syn::ImplItem::Const(constant) if constant.ident == name => match &constant.expr {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
            syn::Expr::Macro(expr) => Some(concatenated(expr.mac.tokens.clone())),
            _ => None,
        },
        _ => None,
    })
}

/// The text of `concat!("a", "b")`.
fn concatenated(tokens: TokenStream) -> String {
    tokens.into_iter().filter_map(|token| string_literal(&token)).collect()
}

fn read_kind(item: &syn::ItemImpl) -> anyhow::Result<JsonKind> {
    let text = |name: &str| constant(item, name).with_context(|| format!("no constant {name}"));
    let scope = item.items.iter().find_map(|item| match item {
        syn::ImplItem::Type(ty) if ty.ident == "Scope" => match &ty.ty {
            syn::Type::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()),
            _ => None,
        },
        _ => None,
    });
    Ok(JsonKind {
        group: text("GROUP")?,
        version: text("VERSION")?,
        kind: text("KIND")?,
        plural: text("URL_PATH_SEGMENT")?,
        scope: scope.context("no scope")?,
        list: None,
    })
}

fn read_schema(item: &syn::ItemImpl) -> anyhow::Result<(String, JsonMessage)> {
    let mut name = None;
    let mut schema = None;
    for item in &item.items {
        let syn::ImplItem::Fn(function) = item else { continue };
        for statement in &function.block.stmts {
            match statement {
                syn::Stmt::Expr(syn::Expr::MethodCall(call), None)
                    if function.sig.ident == "schema_name" =>
                {
                    if let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) =
                        call.receiver.as_ref()
                    {
                        name = Some(text.value());
                    }
                }
                syn::Stmt::Macro(syn::StmtMacro { mac, .. })
                | syn::Stmt::Expr(syn::Expr::Macro(syn::ExprMacro { mac, .. }), _)
                    if function.sig.ident == "json_schema" =>
                {
                    schema = Some(literal(mac.tokens.clone())?);
                }
                _ => {}
            }
        }
    }
    let name = name.context("no schema name")?;
    let schema = schema.with_context(|| format!("no schema for {name}"))?;
    Ok((name, message(&schema)?))
}

fn message(schema: &Value) -> anyhow::Result<JsonMessage> {
    let required: BTreeSet<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut message = JsonMessage {
        description: description(schema),
        structured: schema["properties"].is_object(),
        ..JsonMessage::default()
    };
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        let ty = field_type(schema).with_context(|| format!("field {name}"))?;
        let field = JsonField {
            description: description(schema),
            ty,
            required: required.contains(name.as_str()),
        };
        message.fields.insert(name.clone(), field);
    }
    Ok(message)
}

fn description(schema: &Value) -> String {
    schema["description"].as_str().unwrap_or_default().to_owned()
}

fn field_type(schema: &Value) -> anyhow::Result<JsonType> {
    if let Some(reference) = schema["$ref"].as_str() {
        return Ok(JsonType::Reference(reference.to_owned()));
    }
    let format = schema["format"].as_str().unwrap_or_default();
    Ok(match (schema["type"].as_str().unwrap_or_default(), format) {
        ("string", "byte") => JsonType::Bytes,
        ("string", "") => JsonType::String,
        ("boolean", _) => JsonType::Bool,
        ("integer", "int32") => JsonType::Int32,
        ("integer", "int64") => JsonType::Int64,
        ("number", _) => JsonType::Double,
        ("array", _) => JsonType::List(Box::new(field_type(&schema["items"])?)),
        ("object", _) => match &schema["additionalProperties"] {
            Value::Null => JsonType::Any,
            values => JsonType::Map(Box::new(field_type(values)?)),
        },
        ("", "") => JsonType::Any,
        other => bail!("unknown type {other:?}"),
    })
}

/// The argument of `json_schema!`, with every call of the generator turned into a `$ref`.
fn literal(tokens: TokenStream) -> anyhow::Result<Value> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    match tokens.as_slice() {
        [TokenTree::Group(group)] if group.delimiter() == Delimiter::Brace => {
            let mut object = Map::new();
            for entry in split(group.stream()) {
                let [key, TokenTree::Punct(colon), value @ ..] = entry.as_slice() else {
                    bail!("an entry that is not `key: value`");
                };
                let key = string_literal(key).context("a key that is not a string")?;
                anyhow::ensure!(colon.as_char() == ':', "no colon after {key}");
                object.insert(key, literal(value.iter().cloned().collect())?);
            }
            Ok(Value::Object(object))
        }
        [TokenTree::Group(group)] if group.delimiter() == Delimiter::Bracket => {
            let items = split(group.stream()).into_iter();
            items.map(|item| literal(item.into_iter().collect())).collect()
        }
        [TokenTree::Literal(_)] => {
            Ok(Value::String(string_literal(&tokens[0]).context("not a string")?))
        }
        [TokenTree::Ident(word)] => Ok(Value::Bool(word == "true")),
        _ => reference(&tokens),
    }
}

/// Splits at the commas of this level.
fn split(tokens: TokenStream) -> Vec<Vec<TokenTree>> {
    let mut parts = vec![Vec::new()];
    for token in tokens {
        match &token {
            TokenTree::Punct(punct) if punct.as_char() == ',' => parts.push(Vec::new()),
            _ => parts.last_mut().into_iter().for_each(|part| part.push(token.clone())),
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// An expression with `subschema_for::<crate::api::core::v1::Pod>()` in it, and perhaps
/// `insert("description".into(), "...".into())`.
fn reference(tokens: &[TokenTree]) -> anyhow::Result<Value> {
    let mut flat = Vec::new();
    flatten(tokens, &mut flat);
    let start = flat
        .iter()
        .position(|token| matches!(token, TokenTree::Ident(word) if word == "subschema_for"))
        .context("an expression without subschema_for")?;
    let path: String = flat[start + 1..]
        .iter()
        .take_while(|token| !matches!(token, TokenTree::Punct(punct) if punct.as_char() == '>'))
        .map(ToString::to_string)
        .collect();
    let mut schema = Map::new();
    schema.insert("$ref".to_owned(), Value::String(full_name(&path)));
    let mut texts = flat.iter().filter_map(string_literal);
    if texts.next().is_some_and(|text| text == "description")
        && let Some(text) = texts.next()
    {
        schema.insert("description".to_owned(), Value::String(text));
    }
    Ok(Value::Object(schema))
}

fn flatten(tokens: &[TokenTree], flat: &mut Vec<TokenTree>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                flatten(&group.stream().into_iter().collect::<Vec<_>>(), flat);
            }
            other => flat.push(other.clone()),
        }
    }
}

/// `::<crate::api::core::v1::Pod` to `io.k8s.api.core.v1.Pod`.
fn full_name(path: &str) -> String {
    let path = path.trim_start_matches([':', '<']).trim_start_matches("crate::");
    path.split("::").map(package_part).fold("io.k8s".to_owned(), |name, part| name + "." + part)
}

/// The part of an OpenAPI name that a Rust module stands for.
pub(crate) fn package_part(module: &str) -> &str {
    match module {
        "apiextensions_apiserver" => "apiextensions-apiserver",
        "kube_aggregator" => "kube-aggregator",
        other => other,
    }
}

fn string_literal(token: &TokenTree) -> Option<String> {
    let TokenTree::Literal(literal) = token else { return None };
    match syn::parse_str(&literal.to_string()) {
        Ok(syn::Lit::Str(text)) => Some(text.value()),
        _ => None,
    }
}
