//! Names and their rules, each returning the sentences with which Kubernetes refuses a value.

use std::fmt;
use std::str::FromStr;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize};

/// The identity of one object for ever: a name may be used again, a uid never.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Uid(String);

impl Uid {
    /// A uid as it is written in `metadata.uid`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text of the uid.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of an object and its namespace, which cluster-scoped objects do not have.
///
/// Written `namespace/name`, or just `name` without a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct NamespacedName {
    /// The namespace; `None` for objects of the cluster.
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

impl NamespacedName {
    /// The name of an object in a namespace.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: Some(namespace.into()), name: name.into() }
    }

    /// The name of an object of the cluster.
    pub fn cluster(name: impl Into<String>) -> Self {
        Self { namespace: None, name: name.into() }
    }

    /// The name that an object's metadata give.
    pub fn of(metadata: &ObjectMeta) -> Self {
        Self {
            namespace: metadata.namespace.clone(),
            name: metadata.name.clone().unwrap_or_default(),
        }
    }
}

impl fmt::Display for NamespacedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{namespace}/{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

impl FromStr for NamespacedName {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.split_once('/') {
            Some((namespace, name)) => Self::new(namespace, name),
            None => Self::cluster(text),
        })
    }
}

const LABEL_FORMAT: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN_FORMAT: &str = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const SUBDOMAIN_WORDS: &str = "a lowercase RFC 1123 subdomain must consist of lower case \
     alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";
const QUALIFIED_FORMAT: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const QUALIFIED_WORDS: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must \
     start and end with an alphanumeric character";

/// The most bytes of a DNS label: 63.
pub const LABEL_MAX: usize = 63;
/// The most bytes of a DNS subdomain: 253.
pub const SUBDOMAIN_MAX: usize = 253;

/// `must be no more than N bytes`.
pub fn max_len(max: usize) -> String {
    format!("must be no more than {max} bytes")
}

/// `must be between A and B, inclusive`.
pub fn between(min: i64, max: i64) -> String {
    format!("must be between {min} and {max}, inclusive")
}

/// The words of a refused pattern with its examples and its regular expression.
pub fn regex(words: &str, pattern: &str, examples: &[&str]) -> String {
    if examples.is_empty() {
        return format!("{words} (regex used for validation is '{pattern}')");
    }
    let shown: Vec<String> = examples.iter().map(|example| format!("'{example}', ")).collect();
    format!("{words} (e.g. {}regex used for validation is '{pattern}')", shown.join(" or "))
}

/// A lower-case letter or a digit.
fn lower(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

/// Whether `text` is not empty, all its bytes pass `inner`, and the first and last pass `edge`.
fn shaped(text: &str, edge: impl Fn(u8) -> bool, inner: impl Fn(u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    match (bytes.first(), bytes.last()) {
        (Some(&first), Some(&last)) => edge(first) && edge(last) && bytes.iter().all(|&b| inner(b)),
        (None, _) | (_, None) => false,
    }
}

fn is_label(text: &str) -> bool {
    shaped(text, lower, |b| lower(b) || b == b'-')
}

fn is_subdomain(text: &str) -> bool {
    text.split('.').all(is_label)
}

/// An RFC 1123 label, such as the name of a namespace.
pub fn dns1123_label(value: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if value.len() > LABEL_MAX {
        faults.push(max_len(LABEL_MAX));
    }
    if !is_label(value) {
        if is_subdomain(value) {
            faults.push("must not contain dots".to_owned());
        } else {
            let words = "a lowercase RFC 1123 label must consist of lower case alphanumeric \
                 characters or '-', and must start and end with an alphanumeric character";
            faults.push(regex(words, LABEL_FORMAT, &["my-name", "123-abc"]));
        }
    }
    faults
}

/// An RFC 1123 subdomain, such as the name of a pod.
pub fn dns1123_subdomain(value: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if value.len() > SUBDOMAIN_MAX {
        faults.push(max_len(SUBDOMAIN_MAX));
    }
    if !is_subdomain(value) {
        faults.push(regex(SUBDOMAIN_WORDS, SUBDOMAIN_FORMAT, &["example.com"]));
    }
    faults
}

/// An RFC 1123 subdomain whose parts may hold underscores, as DNS search domains may.
pub fn dns1123_subdomain_with_underscore(value: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if value.len() > SUBDOMAIN_MAX {
        faults.push(max_len(SUBDOMAIN_MAX));
    }
    let part = |text: &str| {
        let text = text.strip_prefix('_').unwrap_or(text);
        shaped(text, lower, |b| lower(b) || b == b'-' || b == b'_')
    };
    if !value.split('.').all(part) {
        let words = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric \
             characters, '_', '-' or '.', and must start and end with an alphanumeric character";
        let label = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?";
        faults.push(regex(words, &format!(r"{label}(\.{label})*"), &["example.com"]));
    }
    faults
}

/// An RFC 1035 label: like a 1123 label, but it starts with a letter.
pub fn dns1035_label(value: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if value.len() > LABEL_MAX {
        faults.push(max_len(LABEL_MAX));
    }
    if !is_label(value) || !value.starts_with(|c: char| c.is_ascii_lowercase()) {
        let words = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', \
             start with an alphabetic character, and end with an alphanumeric character";
        faults.push(regex(words, "[a-z]([-a-z0-9]*[a-z0-9])?", &["my-name", "abc-123"]));
    }
    faults
}

/// A subdomain that starts with `*.`, as hosts of an Ingress may.
pub fn wildcard_dns1123_subdomain(value: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if value.len() > SUBDOMAIN_MAX {
        faults.push(max_len(SUBDOMAIN_MAX));
    }
    if !value.strip_prefix("*.").is_some_and(is_subdomain) {
        let words = "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS \
             subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and \
             end with an alphanumeric character";
        faults.push(regex(words, &format!(r"\*\.{SUBDOMAIN_FORMAT}"), &["*.example.com"]));
    }
    faults
}

/// A label key, annotation key or other qualified name: `name` or `example.com/name`.
pub fn qualified_name(value: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let examples = ["MyName", "my.name", "123-abc"];
    let parts: Vec<&str> = value.split('/').collect();
    let name = match parts[..] {
        [name] => name,
        [prefix, name] => {
            if prefix.is_empty() {
                faults.push("prefix part must be non-empty".to_owned());
            } else {
                let prefixed = |fault: String| format!("prefix part {fault}");
                faults.extend(dns1123_subdomain(prefix).into_iter().map(prefixed));
            }
            name
        }
        _ => {
            faults.push(format!(
                "a valid label key {} with an optional DNS subdomain prefix and '/' (e.g. \
                 'example.com/MyName')",
                regex(QUALIFIED_WORDS, QUALIFIED_FORMAT, &examples)
            ));
            return faults;
        }
    };
    if name.is_empty() {
        faults.push("name part must be non-empty".to_owned());
    } else if name.len() > LABEL_MAX {
        faults.push(format!("name part {}", max_len(LABEL_MAX)));
    }
    if !is_qualified(name) {
        let words = regex(QUALIFIED_WORDS, QUALIFIED_FORMAT, &examples);
        faults.push(format!("name part {words}"));
    }
    faults
}

fn is_qualified(text: &str) -> bool {
    shaped(
        text,
        |b| b.is_ascii_alphanumeric(),
        |b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'),
    )
}

/// The value of a label; may be empty.
pub fn label_value(value: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if value.len() > LABEL_MAX {
        faults.push(max_len(LABEL_MAX));
    }
    if !value.is_empty() && !is_qualified(value) {
        let words = "a valid label must be an empty string or consist of alphanumeric \
             characters, '-', '_' or '.', and must start and end with an alphanumeric character";
        let pattern = format!("({QUALIFIED_FORMAT})?");
        faults.push(regex(words, &pattern, &["MyValue", "my_value", "12345"]));
    }
    faults
}

/// The name of an environment variable: any printable ASCII but `=`.
pub fn env_var_name(value: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if value.is_empty() {
        faults.push("environment variable name must be non-empty".to_owned());
    }
    if !value.bytes().all(|b| (b == b' ' || b.is_ascii_graphic()) && b != b'=') {
        faults.push(
            "a valid environment variable name must consist only of printable ASCII characters \
             other than '='"
                .to_owned(),
        );
    }
    faults
}

/// A key of a ConfigMap or Secret.
pub fn config_map_key(value: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if value.len() > SUBDOMAIN_MAX {
        faults.push(max_len(SUBDOMAIN_MAX));
    }
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if value.is_empty() || !value.bytes().all(allowed) {
        let words = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
        faults.push(regex(words, "[-._a-zA-Z0-9]+", &["key.name", "KEY_NAME", "key-name"]));
    }
    match value {
        "." => faults.push("must not be '.'".to_owned()),
        ".." => faults.push("must not be '..'".to_owned()),
        _ if value.starts_with("..") => faults.push("must not start with '..'".to_owned()),
        _ => {}
    }
    faults
}

/// The name of a port: an IANA service name in lower case.
pub fn port_name(value: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if value.len() > 15 {
        faults.push(max_len(15));
    }
    if value.is_empty() || !value.bytes().all(|b| lower(b) || b == b'-') {
        faults.push(
            "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_owned(),
        );
    }
    if !value.bytes().any(|b| b.is_ascii_lowercase()) {
        faults.push("must contain at least one letter (a-z)".to_owned());
    }
    if value.contains("--") {
        faults.push("must not contain consecutive hyphens".to_owned());
    }
    if value.starts_with('-') || value.ends_with('-') {
        faults.push("must not begin or end with a hyphen".to_owned());
    }
    faults
}

/// The number of a port: 1 to 65535.
pub fn port_number(value: i64) -> Vec<String> {
    if (1..=65_535).contains(&value) { Vec::new() } else { vec![between(1, 65_535)] }
}

/// A percentage such as `25%`.
pub fn percent(value: &str) -> Vec<String> {
    let digits = value.strip_suffix('%').unwrap_or("");
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        return Vec::new();
    }
    let words = "a valid percent string must be a numeric string followed by an ending '%'";
    vec![regex(words, "[0-9]+%", &["1%", "93%"])]
}

/// The name of an HTTP header.
pub fn http_header_name(value: &str) -> Vec<String> {
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return Vec::new();
    }
    let words = "a valid HTTP header must consist of alphanumeric characters or '-'";
    vec![regex(words, "[-A-Za-z0-9]+", &["X-Header-Name"])]
}

/// An IPv4 or IPv6 address.
pub fn ip(value: &str) -> Vec<String> {
    if value.parse::<std::net::IpAddr>().is_ok() {
        Vec::new()
    } else {
        vec!["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)".to_owned()]
    }
}

/// An address range such as `10.0.0.0/8`.
pub fn cidr(value: &str) -> Vec<String> {
    let valid = value.split_once('/').is_some_and(|(address, bits)| {
        let Ok(address) = address.parse::<std::net::IpAddr>() else { return false };
        let most = if address.is_ipv4() { 32 } else { 128 };
        !bits.is_empty()
            && bits.bytes().all(|b| b.is_ascii_digit())
            && bits.parse::<u8>().is_ok_and(|bits| bits <= most)
    });
    if valid {
        Vec::new()
    } else {
        vec!["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)".to_owned()]
    }
}

/// A text of which every character can be shown, such as the name of a program that manages fields.
pub fn printable(value: &str) -> Vec<String> {
    let hidden = |c: char| c.is_control() || c.is_whitespace() && c != ' ';
    let odd = value.char_indices().filter(|(_, c)| hidden(*c));
    odd.map(|(at, c)| format!("invalid character U+{:04X} (at position {at})", u32::from(c)))
        .collect()
}

/// The name of an object as one segment of a path, for kinds without a stricter rule.
pub fn path_segment(value: &str) -> Vec<String> {
    match value {
        "." => return vec!["may not be '.'".to_owned()],
        ".." => return vec!["may not be '..'".to_owned()],
        _ => {}
    }
    ["/", "%"]
        .into_iter()
        .filter(|part| value.contains(part))
        .map(|part| format!("may not contain '{part}'"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rule: fn(&str) -> Vec<String>, good: &[&str], bad: &[&str]) {
        for value in good {
            assert_eq!(rule(value), Vec::<String>::new(), "{value:?} is good");
        }
        for value in bad {
            assert!(!rule(value).is_empty(), "{value:?} is bad");
        }
    }

    #[test]
    fn names_follow_their_grammar() {
        let long = "a".repeat(64);
        check(dns1123_label, &["a", "1", "a-b", "0a"], &["", "-a", "a-", "A", "a.b", "a_b", &long]);
        check(dns1123_subdomain, &["a.b", "1.2-3", &long], &["", ".a", "a.", "a..b", "A", "ä"]);
        check(dns1035_label, &["a", "a1"], &["1a", "", "a-"]);
        check(qualified_name, &["a", "A_b.c-d", "x.io/A"], &["", "/a", "x/", "a/b/c", "-a", "X/a"]);
        check(label_value, &["", "a", "A_1.b"], &["-", "a b", &long]);
        check(env_var_name, &["A", "a.b-c", "1"], &["", "a=b", "ä", "\n"]);
        check(
            config_map_key,
            &["a", "..a".trim_start_matches('.'), "A_b.c"],
            &["", ".", "..", "..a", "a/b"],
        );
        check(port_name, &["http", "a-1"], &["", "1", "-a", "a--b", "A", "aaaaaaaaaaaaaaaa"]);
        check(percent, &["0%", "25%"], &["", "%", "25", "-1%"]);
        check(wildcard_dns1123_subdomain, &["*.a.b"], &["*", "a.b", "*.*.a"]);
        check(cidr, &["10.0.0.0/8", "::/0"], &["10.0.0.0", "10.0.0.0/33", "a/8", "10.0.0.0/+8"]);
        check(printable, &["", "a b", "ä"], &["\n", "a\u{7}", "\u{2028}"]);
        check(path_segment, &["system:a", "A"], &[".", "..", "a/b", "a%b"]);
        check(dns1123_subdomain_with_underscore, &["_a.b_c"], &["", "A"]);
    }

    #[test]
    fn refusals_are_worded_as_kubernetes_words_them() {
        assert_eq!(dns1123_label("a.b"), ["must not contain dots"]);
        assert_eq!(
            dns1123_subdomain("A"),
            ["a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, \
              '-' or '.', and must start and end with an alphanumeric character (e.g. \
              'example.com', regex used for validation is \
              '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"]
        );
        assert_eq!(
            dns1035_label("1"),
            ["a DNS-1035 label must consist of lower case alphanumeric characters or '-', start \
              with an alphabetic character, and end with an alphanumeric character (e.g. \
              'my-name',  or 'abc-123', regex used for validation is \
              '[a-z]([-a-z0-9]*[a-z0-9])?')"]
        );
        assert_eq!(path_segment("a/b%"), ["may not contain '/'", "may not contain '%'"]);
        assert_eq!(port_number(0), ["must be between 1 and 65535, inclusive"]);
    }

    #[test]
    fn namespaced_names_are_read_as_they_are_written() {
        for text in ["a/b", "b"] {
            let Ok(name) = text.parse::<NamespacedName>();
            assert_eq!(name.to_string(), text);
        }
    }
}
