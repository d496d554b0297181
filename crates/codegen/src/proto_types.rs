//! Reads field numbers and comment markers out of the sources of `k8s-pb`.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, bail};

use crate::json_types::package_part;
use crate::sources;

/// A message as protobuf has it.
#[derive(Debug, Default, Clone)]
pub(crate) struct ProtoMessage {
    pub(crate) markers: Markers,
    pub(crate) fields: Vec<ProtoField>,
}

/// A field as protobuf has it.
#[derive(Debug, Clone)]
pub(crate) struct ProtoField {
    /// The name in the form of [`plain`].
    pub(crate) name: String,
    pub(crate) number: u32,
    /// The scalar type of the prost attribute, or `map` with the type of the values.
    pub(crate) ty: ProtoType,
    pub(crate) repeated: bool,
    pub(crate) markers: Markers,
}

/// The type of a field; messages by the name of [`plain_name`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ProtoType {
    Scalar(String),
    Message(String),
    Map(Box<ProtoType>),
}

/// The `+name=value` lines of a comment, in order.
#[derive(Debug, Default, Clone)]
pub(crate) struct Markers(Vec<(String, String)>);

impl Markers {
    /// Markers that stand in no comment.
    pub(crate) fn made(markers: &[(&str, &str)]) -> Self {
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        Self(markers.iter().map(owned).collect())
    }

    /// The value of the first marker of this name.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The values of all markers of this name.
    pub(crate) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

/// All messages by [`plain_name`], unstable versions among them.
pub(crate) type ProtoMessages = BTreeMap<String, ProtoMessage>;

/// A name without case and punctuation: `pod_cidr_s` and `podCIDRs` are both `podcidrs`.
pub(crate) fn plain(name: &str) -> String {
    let name = name.strip_prefix("r#").unwrap_or(name);
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// The full name of a message with its last part made [`plain`].
pub(crate) fn plain_name(full: &str) -> String {
    match full.rsplit_once('.') {
        Some((package, name)) => format!("{package}.{}", plain(name)),
        None => plain(full),
    }
}

/// Reads every message.
pub(crate) fn read(folder: &Path) -> anyhow::Result<ProtoMessages> {
    let mut messages = BTreeMap::new();
    for path in sources::rust_files(folder)? {
        let Some(module) = path.strip_prefix(folder)?.parent() else { continue };
        let module: Vec<String> =
            module.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        if module.is_empty() {
            continue;
        }
        let file = syn::parse_file(&std::fs::read_to_string(&path)?)
            .with_context(|| format!("parsing {}", path.display()))?;
        for item in &file.items {
            let syn::Item::Struct(item) = item else { continue };
            let message = read_message(item, &module)
                .with_context(|| format!("{} in {}", item.ident, path.display()))?;
            messages.insert(plain_name(&full_name(&module, &item.ident.to_string())), message);
        }
    }
    Ok(messages)
}

fn full_name(module: &[String], name: &str) -> String {
    let package = module.iter().map(|part| package_part(part));
    package.chain([name]).fold("io.k8s".to_owned(), |full, part| full + "." + part)
}

fn read_message(item: &syn::ItemStruct, module: &[String]) -> anyhow::Result<ProtoMessage> {
    let mut message = ProtoMessage { markers: markers(&item.attrs), fields: Vec::new() };
    for field in &item.fields {
        let name = field.ident.as_ref().context("a field without name")?.to_string();
        let attribute = field.attrs.iter().find(|attribute| attribute.path().is_ident("prost"));
        let syn::Meta::List(attribute) = &attribute.context("no prost attribute")?.meta else {
            bail!("a prost attribute of another form");
        };
        let attribute = attribute.tokens.to_string();
        let mut words = attribute.split(',').map(str::trim);
        let first = words.next().unwrap_or_default();
        let number = attribute
            .split_once("tag = \"")
            .and_then(|(_, rest)| rest.split_once('"'))
            .context("no tag")?
            .0
            .parse()?;
        let target = || message_name(&field.ty, module).context("no message type");
        let ty = if first == "message" {
            ProtoType::Message(target()?)
        } else if first.starts_with("btree_map") {
            let value = words.next().unwrap_or_default().trim_end_matches('"');
            ProtoType::Map(Box::new(match value {
                "message" => ProtoType::Message(target()?),
                scalar => ProtoType::Scalar(scalar.to_owned()),
            }))
        } else {
            ProtoType::Scalar(first.split(' ').next().unwrap_or_default().to_owned())
        };
        message.fields.push(ProtoField {
            name: plain(&name),
            number,
            ty,
            repeated: attribute.contains("repeated"),
            markers: markers(&field.attrs),
        });
    }
    Ok(message)
}

/// The message in a field's type: the last generic argument, all the way down.
fn message_name(ty: &syn::Type, module: &[String]) -> Option<String> {
    let syn::Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    if let syn::PathArguments::AngleBracketed(arguments) = &last.arguments {
        return arguments.args.iter().rev().find_map(|argument| match argument {
            syn::GenericArgument::Type(ty) => message_name(ty, module),
            _ => None,
        });
    }
    let mut module = module.to_vec();
    let mut parts: Vec<String> =
        path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
    let name = parts.pop()?;
    for part in parts {
        match part.as_str() {
            "super" => drop(module.pop()),
            "crate" => module.clear(),
            _ => module.push(part),
        }
    }
    Some(plain_name(&full_name(&module, &name)))
}

fn markers(attributes: &[syn::Attribute]) -> Markers {
    let mut markers = Vec::new();
    for attribute in attributes {
        let syn::Meta::NameValue(meta) = &attribute.meta else { continue };
        let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &meta.value else {
            continue;
        };
        for line in text.value().lines() {
            let Some(marker) = line.trim().strip_prefix('+') else { continue };
            let (name, value) = marker.split_once('=').unwrap_or((marker, ""));
            markers.push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }
    Markers(markers)
}
