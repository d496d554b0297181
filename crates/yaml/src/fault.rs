//! What is wrong with a text, in the words of Go's parser.

use std::str::Utf8Error;

use granit_parser::{ErrorKind, ScanError};

/// Why a text cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is no YAML.
    #[error("yaml: {0}")]
    Syntax(String),
    /// It says what JSON cannot, such as a number that is infinite.
    #[error("{0}")]
    NotJson(String),
}

/// Why one of several documents cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentsError {
    /// Something stands behind the dashes between two documents.
    #[error("invalid Yaml document separator: {0}")]
    Separator(String),
    /// A document cannot be read.
    #[error("error converting YAML to JSON: {0}")]
    Document(Error),
}

impl From<Error> for DocumentsError {
    fn from(error: Error) -> Self {
        Self::Document(error)
    }
}

pub(crate) fn syntax(problem: impl Into<String>) -> Error {
    Error::Syntax(problem.into())
}

/// What of a text is no UTF-8.
pub(crate) fn of_encoding(text: &[u8], error: &Utf8Error) -> Error {
    let first = text.get(error.valid_up_to()).copied().unwrap_or_default();
    // These begin no letter: they continue one, or begin what would be longer than any.
    let cannot_lead = (0x80..0xc0).contains(&first) || first >= 0xf8;
    syntax(match error.error_len() {
        _ if cannot_lead => "invalid leading UTF-8 octet",
        None => "incomplete UTF-8 octet sequence",
        Some(_) => "invalid trailing UTF-8 octet",
    })
}

/// In what a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Within {
    Block,
    FlowSequence,
    FlowMapping,
}

/// Which line a fault is told to be on.
#[derive(Clone, Copy)]
enum Line {
    /// Where it is found, counted from one, but never told of the first line: by Go's scanner.
    Found,
    /// The same counted from nought: by Go's parser.
    Before,
    /// Where the scanner has gone to meanwhile: the next line that says something.
    Next,
    /// The last one, or the one that would come then.
    End,
    Behind,
}

/// A fault of the grammar of a text.
pub(crate) fn of_grammar(error: &ScanError, text: &str, within: Within) -> Error {
    let (line, problem) = words(error.kind(), text, within);
    let found = error.marker().line();
    let line = match line {
        Line::Found if found <= 1 => 0,
        Line::Found => found,
        Line::Before => found.saturating_sub(1),
        Line::Next => {
            let mut lines = text.split('\n').enumerate().skip(found);
            let next = lines.find(|(_, line)| !line.trim().is_empty()).map(|(at, _)| at + 1);
            next.unwrap_or_else(|| text.split('\n').count())
        }
        Line::End => text.matches('\n').count(),
        Line::Behind => text.split('\n').count(),
    };
    let problem = problem.map_or_else(|| error.kind().to_string(), str::to_owned);
    syntax(if line == 0 { problem } else { format!("line {line}: {problem}") })
}

/// What is said of an anchor without a name.
const NO_NAME: &str = "did not find expected alphabetic or numeric character";

/// What is said of an alias on this line that nothing is named for.
pub(crate) fn of_alias(name: &str, line: usize) -> Error {
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    match line {
        _ if name.chars().all(is_name) => syntax(format!("unknown anchor '{name}' referenced")),
        0 | 1 => syntax(NO_NAME),
        line => syntax(format!("line {line}: {NO_NAME}")),
    }
}

/// What a fault is called; `None` if only YAML 1.2 knows it.
fn words(kind: &ErrorKind, text: &str, within: Within) -> (Line, Option<&'static str>) {
    use ErrorKind as Kind;
    use Line::{Before, Behind, End, Found, Next};
    const NO_COMMA_IN_LIST: &str = "did not find expected ',' or ']'";
    const NO_COMMA_IN_MAP: &str = "did not find expected ',' or '}'";
    let (line, problem) = match kind {
        Kind::ExpectedDocumentStart | Kind::MissingDocumentEndBeforeDirective => {
            (Before, "did not find expected <document start>")
        }
        Kind::DuplicateVersionDirective => (Before, "found duplicate %YAML directive"),
        Kind::DuplicateTagDirective => (Before, "found duplicate %TAG directive"),
        Kind::ExpectedNodeContent
        | Kind::UnexpectedEofImplicitFlowMapping
        | Kind::UnexpectedEofBlockMapping
        | Kind::MisplacedFlowCollectionEnd => (Before, "did not find expected node content"),
        Kind::ExpectedBlockMappingKey => (Before, "did not find expected key"),
        Kind::InvalidTrailingSingleQuotedScalar | Kind::InvalidTrailingDoubleQuotedScalar => {
            let expected = match within {
                Within::Block => "did not find expected key",
                Within::FlowSequence => NO_COMMA_IN_LIST,
                Within::FlowMapping => NO_COMMA_IN_MAP,
            };
            (Before, expected)
        }
        Kind::ExpectedFlowMappingSeparator
        | Kind::UnexpectedEofFlowMapping
        | Kind::MismatchedFlowCollectionEnd { open: '{', .. } => (Before, NO_COMMA_IN_MAP),
        Kind::ExpectedFlowSequenceSeparator
        | Kind::UnexpectedEofFlowSequence
        | Kind::MismatchedFlowCollectionEnd { .. } => (Before, NO_COMMA_IN_LIST),
        Kind::InvalidColonPlacement => {
            (Before, if within == Within::FlowMapping { NO_COMMA_IN_MAP } else { NO_COMMA_IN_LIST })
        }
        Kind::UnclosedFlowCollection { .. } if text.trim_end().ends_with(['[', '{', ',', ':']) => {
            (End, "did not find expected node content")
        }
        Kind::UnclosedFlowCollection { open: '{' } => (End, NO_COMMA_IN_MAP),
        Kind::UnclosedFlowCollection { .. } => (End, NO_COMMA_IN_LIST),
        Kind::ExpectedBlockSequenceEntry => (Before, "did not find expected '-' indicator"),
        Kind::UndeclaredTagHandle => (Before, "found undefined tag handle"),
        Kind::SimpleKeyExpected | Kind::InvalidSimpleKey => (Next, "could not find expected ':'"),
        Kind::UnexpectedCharacter { .. } | Kind::TabNotAllowed | Kind::TabInBlockIndentation => {
            (Found, "found character that cannot start any token")
        }
        Kind::MissingAnchorOrAliasName => (Found, NO_NAME),
        Kind::UnclosedVerbatimTag => (Found, "did not find the expected '>'"),
        Kind::BlockSequenceEntryNotAllowed => {
            (Found, "block sequence entries are not allowed in this context")
        }
        Kind::MappingKeyNotAllowed => (Found, "mapping keys are not allowed in this context"),
        Kind::MappingValueNotAllowed => (Found, "mapping values are not allowed in this context"),
        Kind::ZeroBlockScalarIndent => (Found, "found an indentation indicator equal to 0"),
        Kind::InvalidBlockScalarHeader => (Found, "did not find expected comment or line break"),
        Kind::TabAtBlockScalarStart => {
            (Next, "found a tab character where an indentation space is expected")
        }
        Kind::DocumentIndicatorInQuotedScalar => (Found, "found unexpected document indicator"),
        Kind::UnclosedQuotedScalar | Kind::InvalidQuotedScalarIndent => {
            (Behind, "found unexpected end of stream")
        }
        Kind::UnknownQuotedScalarEscape => (Found, "found unknown escape character"),
        Kind::InvalidQuotedScalarHexEscape => (Found, "did not find expected hexdecimal number"),
        Kind::InvalidUnicodeEscape
        | Kind::InvalidLowSurrogate
        | Kind::MissingLowSurrogate
        | Kind::UnpairedLowSurrogate
        | Kind::InvalidLowSurrogateHexEscape => {
            (Found, "found invalid Unicode character escape code")
        }
        Kind::TabInPlainScalar => (Next, "found a tab character that violates indentation"),
        Kind::TabInIndentation => (Found, "found a tab character that violates indentation"),
        _ => return (Found, None),
    };
    (line, Some(problem))
}
