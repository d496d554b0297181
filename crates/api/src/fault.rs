//! Faults of an object: which field, what is wrong, worded as Kubernetes words it.
//!
//! Validation collects every fault with its path. A [`FieldPath`] lives on the stack while an
//! object is walked and becomes text only when there is something to report, so that checking a
//! good object allocates nothing.

use std::fmt::{self, Write as _};

use serde_json::Value;

/// Where in an object a fault is: `spec.containers[0].name`.
///
/// Paths are linked on the stack: each step borrows the one before it.
#[derive(Debug, Clone, Copy)]
pub enum FieldPath<'a> {
    /// The object itself; written as nothing.
    Root,
    /// A named field, or several joined by dots.
    Child(&'a FieldPath<'a>, &'a str),
    /// An item of a list.
    Index(&'a FieldPath<'a>, usize),
    /// An entry of a map.
    Key(&'a FieldPath<'a>, &'a str),
}

impl<'a> FieldPath<'a> {
    /// The path of a field of the object; dots in `name` are steps, too.
    #[must_use]
    pub const fn child(&'a self, name: &'a str) -> FieldPath<'a> {
        FieldPath::Child(self, name)
    }

    /// The path of an item of a list.
    #[must_use]
    pub const fn index(&'a self, index: usize) -> FieldPath<'a> {
        FieldPath::Index(self, index)
    }

    /// The path of an entry of a map.
    #[must_use]
    pub const fn key(&'a self, key: &'a str) -> FieldPath<'a> {
        FieldPath::Key(self, key)
    }
}

impl fmt::Display for FieldPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FieldPath::Root => Ok(()),
            FieldPath::Child(FieldPath::Root, name) => f.write_str(name),
            FieldPath::Child(parent, name) => write!(f, "{parent}.{name}"),
            FieldPath::Index(parent, index) => write!(f, "{parent}[{index}]"),
            FieldPath::Key(parent, key) => write!(f, "{parent}[{key}]"),
        }
    }
}

/// What is wrong with a field; its cause reason on the wire is [`FaultKind::reason`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// Something the field refers to does not exist.
    NotFound,
    /// The field must be set.
    Required,
    /// The value must be unique and is not.
    Duplicate,
    /// The value is malformed.
    Invalid,
    /// The value is not one of a fixed set.
    NotSupported,
    /// The value may not be set here or by now.
    Forbidden,
    /// The value has too many bytes.
    TooLong,
    /// The list has too many items.
    TooMany,
    /// The value has the wrong type.
    TypeInvalid,
    /// The check itself failed.
    Internal,
}

impl FaultKind {
    /// The `reason` of a cause in `Status.details.causes`.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NotFound => "FieldValueNotFound",
            Self::Required => "FieldValueRequired",
            Self::Duplicate => "FieldValueDuplicate",
            Self::Invalid => "FieldValueInvalid",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Forbidden => "FieldValueForbidden",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
            Self::TypeInvalid => "FieldValueTypeInvalid",
            Self::Internal => "InternalError",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::NotFound => "Not found",
            Self::Required => "Required value",
            Self::Duplicate => "Duplicate value",
            Self::Invalid | Self::TypeInvalid => "Invalid value",
            Self::NotSupported => "Unsupported value",
            Self::Forbidden => "Forbidden",
            Self::TooLong => "Too long",
            Self::TooMany => "Too many",
            Self::Internal => "Internal error",
        }
    }
}

/// One fault of one field.
///
/// `Display` gives the whole sentence with the path, [`Fault::body`] the part after it.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// What is wrong.
    pub kind: FaultKind,
    /// The path of the field, for instance `spec.containers[0].name`.
    pub field: String,
    /// What Kubernetes says beyond the kind of the fault; may be empty.
    pub detail: String,
    /// The value at fault, where it is to be shown.
    pub bad_value: Option<Value>,
}

impl Fault {
    fn new(
        kind: FaultKind,
        path: &FieldPath<'_>,
        bad_value: Option<Value>,
        detail: impl Into<String>,
    ) -> Self {
        // The root of a path is written `<nil>`, as Kubernetes does for a fault without a field.
        let field = match path {
            FieldPath::Root => "<nil>".to_owned(),
            FieldPath::Child(..) | FieldPath::Index(..) | FieldPath::Key(..) => path.to_string(),
        };
        Self { kind, field, detail: detail.into(), bad_value }
    }

    /// The field must be set and is not.
    pub fn required(path: &FieldPath<'_>, detail: impl Into<String>) -> Self {
        Self::new(FaultKind::Required, path, None, detail)
    }

    /// The value is malformed, out of range, or may not change.
    pub fn invalid(
        path: &FieldPath<'_>,
        value: impl Into<Value>,
        detail: impl Into<String>,
    ) -> Self {
        Self::new(FaultKind::Invalid, path, Some(value.into()), detail)
    }

    /// The value has the wrong type.
    pub fn type_invalid(
        path: &FieldPath<'_>,
        value: impl Into<Value>,
        detail: impl Into<String>,
    ) -> Self {
        Self::new(FaultKind::TypeInvalid, path, Some(value.into()), detail)
    }

    /// The value is not one of `supported`, which are shown in the order given.
    pub fn not_supported<S: AsRef<str>>(
        path: &FieldPath<'_>,
        value: impl Into<Value>,
        supported: &[S],
    ) -> Self {
        let quoted: Vec<String> = supported.iter().map(|value| quote(value.as_ref())).collect();
        let detail = if quoted.is_empty() {
            String::new()
        } else {
            format!("supported values: {}", quoted.join(", "))
        };
        Self::new(FaultKind::NotSupported, path, Some(value.into()), detail)
    }

    /// The value was there before.
    pub fn duplicate(path: &FieldPath<'_>, value: impl Into<Value>) -> Self {
        Self::new(FaultKind::Duplicate, path, Some(value.into()), "")
    }

    /// What the value names does not exist.
    pub fn not_found(path: &FieldPath<'_>, value: impl Into<Value>) -> Self {
        Self::new(FaultKind::NotFound, path, Some(value.into()), "")
    }

    /// The field may not be set, or not changed.
    pub fn forbidden(path: &FieldPath<'_>, detail: impl Into<String>) -> Self {
        Self::new(FaultKind::Forbidden, path, None, detail)
    }

    /// The value has more than `max` bytes.
    pub fn too_long(path: &FieldPath<'_>, max: usize) -> Self {
        let unit = if max == 1 { "byte" } else { "bytes" };
        Self::new(FaultKind::TooLong, path, None, format!("may not be more than {max} {unit}"))
    }

    /// The list has `actual` items where at most `max` may be.
    pub fn too_many(path: &FieldPath<'_>, actual: usize, max: usize) -> Self {
        let unit = if max == 1 { "item" } else { "items" };
        let detail = format!("must have at most {max} {unit}");
        Self::new(FaultKind::TooMany, path, Some(actual.into()), detail)
    }

    /// The check itself failed.
    pub fn internal(path: &FieldPath<'_>, detail: impl Into<String>) -> Self {
        Self::new(FaultKind::Internal, path, None, detail)
    }

    /// The sentence without the path: what `details.causes[].message` holds.
    pub fn body(&self) -> String {
        let mut text = self.kind.words().to_owned();
        if let Some(value) = &self.bad_value {
            text.push_str(": ");
            text.push_str(&shown(value));
        }
        if !self.detail.is_empty() {
            text.push_str(": ");
            text.push_str(&self.detail);
        }
        text
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.body())
    }
}

/// All faults as one text: nothing, the one sentence, or `[a, b]`; repeated sentences once.
pub fn aggregate(faults: &[Fault]) -> String {
    let mut texts: Vec<String> = Vec::with_capacity(faults.len());
    for fault in faults {
        let text = fault.to_string();
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    match texts.len() {
        1 => texts.remove(0),
        0 => String::new(),
        _ => format!("[{}]", texts.join(", ")),
    }
}

/// A string in double quotes, escaped as Go's `%q` does.
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{07}' => quoted.push_str("\\a"),
            '\u{08}' => quoted.push_str("\\b"),
            '\u{0b}' => quoted.push_str("\\v"),
            '\u{0c}' => quoted.push_str("\\f"),
            c if c.is_ascii_control() => {
                let _ = write!(quoted, "\\x{:02x}", u32::from(c));
            }
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => quote(text),
        // `null` is shown as the string is, as Kubernetes does.
        Value::Null => "\"null\"".to_owned(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_written_with_dots_and_brackets() {
        let root = FieldPath::Root;
        let spec = root.child("spec");
        let containers = spec.child("containers");
        assert_eq!(containers.index(2).child("name").to_string(), "spec.containers[2].name");
        assert_eq!(
            root.child("metadata").child("labels").key("a/b").to_string(),
            "metadata.labels[a/b]"
        );
    }

    #[test]
    fn faults_read_as_kubernetes_words_them() {
        let path = FieldPath::Root.child("spec.x").to_string();
        let root = FieldPath::Root;
        let x = root.child("spec.x");
        let rows = [
            (Fault::required(&x, ""), "Required value"),
            (Fault::required(&x, "say more"), "Required value: say more"),
            (Fault::invalid(&x, "a\"b", "must be c"), "Invalid value: \"a\\\"b\": must be c"),
            (Fault::invalid(&x, 3, "must be 4"), "Invalid value: 3: must be 4"),
            (
                Fault::not_supported(&x, "z", &["A", "B"]),
                "Unsupported value: \"z\": supported values: \"A\", \"B\"",
            ),
            (Fault::duplicate(&x, "a"), "Duplicate value: \"a\""),
            (Fault::not_found(&x, "a"), "Not found: \"a\""),
            (Fault::forbidden(&x, "no"), "Forbidden: no"),
            (Fault::too_long(&x, 63), "Too long: may not be more than 63 bytes"),
            (Fault::too_many(&x, 9, 8), "Too many: 9: must have at most 8 items"),
        ];
        for (fault, body) in rows {
            assert_eq!(fault.body(), body);
            assert_eq!(fault.to_string(), format!("{path}: {body}"));
        }
    }

    #[test]
    fn several_faults_are_one_list_without_repetition() {
        let root = FieldPath::Root;
        let (a, b) = (root.child("a"), root.child("b"));
        let faults = [Fault::required(&a, ""), Fault::required(&b, ""), Fault::required(&a, "")];
        assert_eq!(aggregate(&faults), "[a: Required value, b: Required value]");
        assert_eq!(aggregate(&faults[..1]), "a: Required value");
        assert_eq!(aggregate(&[]), "");
    }
}
