//! Field selectors: `metadata.name=x,status.phase!=Running`.

use std::fmt;

/// How a requirement compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldOperator {
    /// `=` or `==`.
    Equals,
    /// `!=`.
    NotEquals,
}

/// One field and the value it must or must not have.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FieldRequirement {
    /// The field, for instance `spec.nodeName`.
    pub field: String,
    /// How it compares.
    pub operator: FieldOperator,
    /// The value; the empty string is a value, too.
    pub value: String,
}

/// Requirements on fields that must all hold; none selects everything.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct FieldSelector {
    requirements: Vec<FieldRequirement>,
}

/// Why a field selector cannot be read, in the words of Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldSelectorError {
    /// A term has no operator.
    #[error("invalid selector: '{selector}'; can't understand '{term}'")]
    Term {
        /// The whole text.
        selector: String,
        /// The part that is not understood.
        term: String,
    },
    /// A backslash before something that needs none.
    #[error("invalid field selector: invalid escape sequence: {0}")]
    Escape(String),
    /// A comma, an equals sign or a backslash that must be escaped.
    #[error("invalid field selector: unescaped character in value: {0}")]
    Unescaped(char),
}

impl FieldSelector {
    /// Reads a selector; the empty text selects everything.
    ///
    /// # Errors
    /// [`FieldSelectorError`] when a term has no operator or a value is badly escaped.
    pub fn parse(text: &str) -> Result<Self, FieldSelectorError> {
        let mut requirements = Vec::new();
        for term in split_terms(text).into_iter().filter(|term| !term.is_empty()) {
            let (field, operator, value) = split_term(term).ok_or_else(|| {
                FieldSelectorError::Term { selector: text.to_owned(), term: term.to_owned() }
            })?;
            requirements.push(FieldRequirement {
                field: field.to_owned(),
                operator,
                value: unescape(value)?,
            });
        }
        Ok(Self { requirements })
    }

    /// The requirements, in the order written.
    pub fn requirements(&self) -> &[FieldRequirement] {
        &self.requirements
    }

    /// Whether everything is selected.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// Whether an object whose fields `value_of` tells is selected; an unknown field counts as
    /// empty.
    pub fn matches<'a>(&self, value_of: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.requirements.iter().all(|requirement| {
            let equal = value_of(&requirement.field).unwrap_or("") == requirement.value;
            equal == (requirement.operator == FieldOperator::Equals)
        })
    }

    /// The value that `field` must have, if the selector says so.
    pub fn exact(&self, field: &str) -> Option<&str> {
        self.requirements
            .iter()
            .find(|r| r.field == field && r.operator == FieldOperator::Equals)
            .map(|r| r.value.as_str())
    }
}

impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, requirement) in self.requirements.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let operator = match requirement.operator {
                FieldOperator::Equals => "=",
                FieldOperator::NotEquals => "!=",
            };
            write!(f, "{comma}{}{operator}{}", requirement.field, escape(&requirement.value))?;
        }
        Ok(())
    }
}

/// A value with backslash, comma and equals sign escaped, ready to stand in a selector.
pub fn escape(value: &str) -> String {
    value.replace('\\', r"\\").replace(',', r"\,").replace('=', r"\=")
}

fn split_terms(text: &str) -> Vec<&str> {
    let mut terms = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (index, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' => {
                terms.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    terms.push(&text[start..]);
    terms
}

fn split_term(term: &str) -> Option<(&str, FieldOperator, &str)> {
    let operators = [
        ("!=", FieldOperator::NotEquals),
        ("==", FieldOperator::Equals),
        ("=", FieldOperator::Equals),
    ];
    term.char_indices().find_map(|(index, _)| {
        let rest = &term[index..];
        operators.iter().find_map(|(sign, op)| {
            rest.strip_prefix(sign).map(|value| (&term[..index], *op, value))
        })
    })
}

fn unescape(value: &str) -> Result<String, FieldSelectorError> {
    let mut plain = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(c @ ('\\' | ',' | '=')) => plain.push(c),
                Some(c) => return Err(FieldSelectorError::Escape(format!("\\{c}"))),
                None => return Err(FieldSelectorError::Escape("\\".to_owned())),
            },
            ',' | '=' => return Err(FieldSelectorError::Unescaped(c)),
            c => plain.push(c),
        }
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, phase: &str, selected: bool) {
        let selector = FieldSelector::parse(text).unwrap();
        let value_of = |field: &str| (field == "status.phase").then_some(phase);
        assert_eq!(selector.matches(value_of), selected, "{text} on {phase}");
    }

    #[test]
    fn selects_by_equality() {
        check("", "Running", true);
        check("status.phase=Running", "Running", true);
        check("status.phase==Running", "Running", true);
        check("status.phase!=Running", "Running", false);
        check("status.phase=Running,spec.nodeName=", "Running", true);
        check("status.phase=Running,spec.nodeName!=", "Running", false);
        check(r"status.phase=a\,b", "a,b", true);
    }

    #[test]
    fn refuses_what_it_cannot_read() {
        let fault = |text: &str| FieldSelector::parse(text).unwrap_err().to_string();
        assert_eq!(fault("a=b,c"), "invalid selector: 'a=b,c'; can't understand 'c'");
        assert_eq!(fault(r"a=\x"), r"invalid field selector: invalid escape sequence: \x");
        assert_eq!(fault("a=b=c"), "invalid field selector: unescaped character in value: =");
    }

    proptest! {
        #[test]
        fn values_survive_writing_and_reading(value in ".*") {
            let text = format!("metadata.name={}", escape(&value));
            let selector = FieldSelector::parse(&text).unwrap();
            prop_assert_eq!(selector.exact("metadata.name"), Some(value.as_str()));
            prop_assert_eq!(selector.to_string(), text);
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".*") {
            let _ = FieldSelector::parse(&text);
        }
    }
}
