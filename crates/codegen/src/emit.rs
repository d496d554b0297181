//! Rust source from rows.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};

use crate::join::{Field, Joined, Kind, Merge, Message, Presence};
use crate::json_types::{JsonKind, JsonType};
use crate::{docs, rustfmt, special};

/// All files, by path under `crates/schema/src`.
pub(crate) fn files(joined: &Joined) -> anyhow::Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut packages: BTreeMap<&str, Vec<(&str, &Message)>> = BTreeMap::new();
    for (name, message) in &joined.messages {
        let (package, short) = name.rsplit_once('.').context("a message without package")?;
        packages.entry(package).or_default().push((short, message));
    }
    let mut files = BTreeMap::new();
    for (package, messages) in &packages {
        let module = module(package);
        let source = rustfmt(&package_source(package, messages)?)?;
        let path = PathBuf::from(format!("generated/{module}.rs"));
        ensure!(files.insert(path, source.into_bytes()).is_none(), "two packages are {module}");
        let blob = docs::blob(messages.iter().map(|(_, message)| *message))?;
        files.insert(PathBuf::from(format!("generated/{module}.docs")), blob);
    }
    let index = rustfmt(&index_source(joined, packages.keys().copied())?)?;
    files.insert(PathBuf::from("generated.rs"), index.into_bytes());
    Ok(files)
}

/// `io.k8s.api.core.v1` is `core_v1`.
fn module(package: &str) -> String {
    let mut parts = package.rsplit('.');
    let last = parts.next().unwrap_or_default();
    let before = parts.next().unwrap_or_default();
    format!("{before}_{last}")
}

/// `HTTPGetAction` is `HTTP_GET_ACTION`.
fn constant(name: &str) -> String {
    let characters: Vec<char> = name.chars().collect();
    let mut constant = String::new();
    for (index, &character) in characters.iter().enumerate() {
        let previous = index.checked_sub(1).map(|index| characters[index]);
        let next_is_lower = characters.get(index + 1).is_some_and(char::is_ascii_lowercase);
        let starts_word = character.is_ascii_uppercase()
            && previous.is_some_and(|previous| {
                !previous.is_ascii_uppercase() || (next_is_lower && previous.is_ascii_uppercase())
            });
        if starts_word {
            constant.push('_');
        }
        constant.push(character.to_ascii_uppercase());
    }
    constant
}

/// The path of a message's static, from within the file of `package`.
fn path(name: &str, package: &str) -> String {
    let (other, short) = name.rsplit_once('.').unwrap_or(("", name));
    if other == package {
        constant(short)
    } else {
        format!("super::{}::{}", module(other), constant(short))
    }
}

fn package_source(package: &str, messages: &[(&str, &Message)]) -> anyhow::Result<String> {
    let mut body = String::new();
    for (short, message) in messages {
        writeln!(body, "/// `{package}.{short}`.")?;
        writeln!(body, "pub(crate) static {}: Message = Message {{", constant(short))?;
        writeln!(body, "name: \"{package}.{short}\",")?;
        writeln!(body, "fields: &[")?;
        for (json, field) in &message.fields {
            writeln!(body, "{},", field_source(json, field, package))?;
        }
        writeln!(body, "],")?;
        writeln!(body, "atomic: {},", message.atomic)?;
        writeln!(body, "}};")?;
        writeln!(body)?;
    }
    let mut source = format!(
        "//! The messages of `{package}`. Written by `crates/codegen`; not to be edited.\n\n"
    );
    let names =
        ["Field", "ListType", "MergeRule", "Message", "PatchStrategy", "SchemaChoice", "Type"];
    let used: Vec<&str> = names.into_iter().filter(|name| is_used(&body, name)).collect();
    writeln!(source, "use crate::table::{{{}}};\n", used.join(", "))?;
    source.push_str(&body);
    Ok(source)
}

/// Whether `Name` followed by something of its own occurs.
fn is_used(body: &str, name: &str) -> bool {
    [format!("{name}::"), format!("{name} {{")].iter().any(|form| {
        body.match_indices(form.as_str()).any(|(at, _)| {
            !body[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_')
                && !body[..at].ends_with("Type::")
        })
    })
}

fn field_source(json: &str, field: &Field, package: &str) -> String {
    let ty = type_source(&field.ty, package);
    let new = format!("Field::new({json:?}, {}, {ty})", field.number);
    let via = (!field.via.is_empty()).then(|| format!(".via(&{:?})", field.via));
    let presence = match field.presence {
        Presence::Pointer => None,
        Presence::OmitEmpty => Some(".omit_empty()".to_owned()),
        Presence::Always => Some(".always()".to_owned()),
    };
    // To k8s-openapi every object has metadata; Kubernetes leaves it out where it is empty.
    let is_left_out = json == "metadata" && field.presence == Presence::OmitEmpty;
    let required = (field.required && !is_left_out).then(|| ".required()".to_owned());
    let rule = merge_source(&field.merge);
    let merge = (field.merge != Merge::default()).then(|| format!(".merge(&{rule})"));
    let default = field.default.as_ref().map(|default| format!(".default({default:?})"));
    [Some(new), via, presence, required, merge, default].into_iter().flatten().collect()
}

fn merge_source(merge: &Merge) -> String {
    let patch = merge.patch.as_ref().map(|patch| format!("patch: PatchStrategy::{patch},"));
    let retain_keys = merge.retain_keys.then(|| "retain_keys: true,".to_owned());
    let list = merge.list.as_ref().map(|list| format!("list: ListType::{list},"));
    let atomic = merge.atomic.then(|| "atomic: true,".to_owned());
    let fields: String = [patch, retain_keys, list, atomic].into_iter().flatten().collect();
    format!("MergeRule {{ {fields} ..MergeRule::PLAIN }}")
}

fn type_source(ty: &JsonType, package: &str) -> String {
    let name = match ty {
        JsonType::String => "String".to_owned(),
        JsonType::Bytes => "Bytes".to_owned(),
        JsonType::Bool => "Bool".to_owned(),
        JsonType::Int32 => "Int32".to_owned(),
        JsonType::Int64 => "Int64".to_owned(),
        JsonType::Double => "Double".to_owned(),
        JsonType::Any => "Any".to_owned(),
        JsonType::Reference(name) => match special::scalar(name) {
            Some(scalar) => scalar.to_owned(),
            None => format!("Message(&{})", path(name, package)),
        },
        JsonType::List(item) => format!("List(&{})", type_source(item, package)),
        JsonType::Map(value) => format!("Map(&{})", type_source(value, package)),
    };
    format!("Type::{name}")
}

fn index_source<'a>(
    joined: &Joined,
    packages: impl Iterator<Item = &'a str> + Clone,
) -> anyhow::Result<String> {
    let mut source =
        "//! The table of types. Written by `crates/codegen`; not to be edited.\n\n".to_owned();
    for package in packages.clone() {
        writeln!(source, "pub(crate) mod {};", module(package))?;
    }
    writeln!(source, "\nuse crate::table::{{Kind, Message, Scope}};\n")?;
    writeln!(source, "/// All messages, sorted by name.")?;
    writeln!(source, "pub(crate) static MESSAGES: &[&Message] = &[")?;
    for name in joined.messages.keys() {
        let (package, short) = name.rsplit_once('.').unwrap_or(("", name));
        writeln!(source, "&{}::{},", module(package), constant(short))?;
    }
    writeln!(source, "];\n")?;
    writeln!(source, "/// All kinds, sorted by group, version and kind.")?;
    writeln!(source, "pub(crate) static KINDS: &[Kind] = &[")?;
    for kind in &joined.kinds {
        writeln!(source, "{},", kind_source(kind)?)?;
    }
    writeln!(source, "];\n")?;
    writeln!(source, "/// Documentation by package: deflated lines, one per message and field.")?;
    writeln!(source, "pub(crate) static DOCS: &[(&str, &[u8])] = &[")?;
    for package in packages {
        let module = module(package);
        writeln!(source, "({package:?}, include_bytes!(\"generated/{module}.docs\")),")?;
    }
    writeln!(source, "];")?;
    Ok(source)
}

fn kind_source(row: &Kind) -> anyhow::Result<String> {
    let scope = match row.names.scope.as_str() {
        "NamespaceResourceScope" => "Namespaced",
        "ClusterResourceScope" => "Cluster",
        "SubResourceScope" => "Subresource",
        other => anyhow::bail!("unknown scope {other}"),
    };
    let path = |name: &str| {
        let (package, short) = name.rsplit_once('.').unwrap_or(("", name));
        format!("&{}::{}", module(package), constant(short))
    };
    let list = row.list.as_ref().map_or("None".to_owned(), |list| format!("Some({})", path(list)));
    let JsonKind { group, version, kind, plural, .. } = &row.names;
    Ok(format!(
        "Kind {{ group: {group:?}, version: {version:?}, kind: {kind:?}, plural: {plural:?}, \
         scope: Scope::{scope}, message: {}, list: {list} }}",
        path(&row.message)
    ))
}
