//! The nodes of a document, as they are written.

use std::borrow::Cow;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, Span, StructureStyle, Tag};

use crate::fault::{self, Error, Within};
use crate::{MAX_DEPTH, convert, quoted};

/// The namespace of YAML's own types, written `!!`.
const CORE: &str = "tag:yaml.org,2002:";

/// A node's place in its tree.
pub(crate) type Id = usize;

/// One document.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
}

#[derive(Debug)]
pub(crate) struct Node {
    /// What the text says that the node is: `!!int`, `!own`; `None` where it says nothing.
    pub(crate) tag: Option<String>,
    /// Counted from one.
    pub(crate) line: usize,
    pub(crate) kind: Kind,
}

#[derive(Debug)]
pub(crate) enum Kind {
    /// `plain` without quotes.
    Scalar {
        text: String,
        plain: bool,
    },
    Sequence(Vec<Id>),
    Mapping(Vec<(Id, Id)>),
    Alias {
        name: String,
        target: Id,
    },
}

/// A list or map that is not complete yet.
struct Open {
    id: Id,
    /// The key that waits for its value.
    key: Option<Id>,
    within: Within,
}

/// Texts are read again as long as that comes to no more than so many bytes.
const READ_AGAIN: usize = 32 << 20;

impl Tree {
    /// The nodes of the first document; `None` if there is none.
    pub(crate) fn parse(text: &str) -> Result<Option<Self>, Error> {
        if text.chars().any(is_control) {
            return Err(fault::syntax("control characters are not allowed"));
        }
        let mut text = Cow::Borrowed(text);
        let (mut budget, mut reached) = (READ_AGAIN, 0);
        loop {
            let refusal = match Self::try_parse(&text)? {
                Ok(tree) => return Ok(tree),
                Err(refusal) => refusal,
            };
            budget = budget.saturating_sub(text.len());
            let may_help = refusal.is_of_quoted && refusal.line > reached && budget > 0;
            reached = refusal.line;
            let better = may_help.then(|| quoted::indented(&text, refusal.read, refusal.line));
            match better.flatten() {
                Some(better) => text = Cow::Owned(better),
                None => return Err(refusal.error),
            }
        }
    }

    /// One reading of a text; the inner error may be one that YAML 1.1 does not have.
    fn try_parse(text: &str) -> Result<Result<Option<Self>, Refusal>, Error> {
        let mut options = granit_parser::options! {
            emit_unresolved_aliases: true,
            flow_nesting_limit: MAX_DEPTH,
            block_nesting_limit: MAX_DEPTH,
        };
        options.set_emit_comments(false);
        let mut builder =
            Builder { text, tree: Self::default(), open: Vec::new(), anchors: Vec::new() };
        let mut read = 0;
        for event in Parser::new_from_str_with_options(text, options) {
            let (event, span) = match event {
                Ok(event) => event,
                Err(error) if *error.kind() == ErrorKind::RecursionLimitExceeded => {
                    return Err(convert::too_deep());
                }
                Err(error) => {
                    let is_of_quoted = matches!(
                        error.kind(),
                        ErrorKind::InvalidQuotedScalarIndent | ErrorKind::TabInIndentation
                    );
                    let within = builder.open.last().map_or(Within::Block, |open| open.within);
                    let line = error.marker().line();
                    let error = fault::of_grammar(&error, text, within);
                    return Ok(Err(Refusal { error, line, read, is_of_quoted }));
                }
            };
            if event == Event::DocumentEnd {
                return Ok(Ok(Some(builder.tree)));
            }
            read = span.end.byte_offset().unwrap_or(read);
            builder.take(event, &span)?;
        }
        Ok(Ok(None))
    }

    /// The node of the whole document.
    pub(crate) const ROOT: Id = 0;

    pub(crate) fn node(&self, id: Id) -> &Node {
        &self.nodes[id]
    }
}

/// Why a text was not read.
struct Refusal {
    error: Error,
    line: usize,
    /// How many bytes are before the node that could not be read.
    read: usize,
    /// Whether it is about how the lines of a text in quotes are indented.
    is_of_quoted: bool,
}

struct Builder<'a> {
    text: &'a str,
    tree: Tree,
    open: Vec<Open>,
    /// The nodes behind the numbers that the parser gives to anchors.
    anchors: Vec<(usize, Id)>,
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, span: &Span) -> Result<(), Error> {
        let mut flow = false;
        let (kind, anchor, tag) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                (Kind::Scalar { text: text.into_owned(), plain }, anchor, tag)
            }
            Event::SequenceStart(style, anchor, tag) => {
                flow = style == StructureStyle::Flow;
                (Kind::Sequence(Vec::new()), anchor, tag)
            }
            Event::MappingStart(style, anchor, tag) => {
                flow = style == StructureStyle::Flow;
                (Kind::Mapping(Vec::new()), anchor, tag)
            }
            Event::Alias(number) => {
                let known = self.anchors.binary_search_by_key(&number, |(number, _)| *number);
                let target = known.map_or(Tree::ROOT, |at| self.anchors[at].1);
                let name = span.slice(self.text).unwrap_or_default().trim_start_matches('*');
                (Kind::Alias { name: name.to_owned(), target }, 0, None)
            }
            Event::UnresolvedAlias(name) => {
                return Err(fault::of_alias(&name, span.start.line()));
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.open.pop();
                return Ok(());
            }
            _ => return Ok(()),
        };
        let open = match kind {
            Kind::Sequence(_) if flow => Some(Within::FlowSequence),
            Kind::Mapping(_) if flow => Some(Within::FlowMapping),
            Kind::Sequence(_) | Kind::Mapping(_) => Some(Within::Block),
            Kind::Scalar { .. } | Kind::Alias { .. } => None,
        };
        let tag = tag.map(|tag| short(&tag));
        let id = self.tree.nodes.len();
        self.tree.nodes.push(Node { tag, line: span.start.line(), kind });
        if anchor != 0 {
            self.anchors.push((anchor, id));
        }
        self.place(id);
        if let Some(within) = open {
            self.open.push(Open { id, key: None, within });
            if self.open.len() > MAX_DEPTH {
                return Err(convert::too_deep());
            }
        }
        Ok(())
    }

    /// Puts a node into the list or map that is being read.
    fn place(&mut self, id: Id) {
        let Some(parent) = self.open.last_mut() else { return };
        match &mut self.tree.nodes[parent.id].kind {
            Kind::Sequence(items) => items.push(id),
            Kind::Mapping(fields) => match parent.key.take() {
                Some(key) => fields.push((key, id)),
                None => parent.key = Some(id),
            },
            Kind::Scalar { .. } | Kind::Alias { .. } => {}
        }
    }
}

fn short(tag: &Tag) -> String {
    let whole = format!("{}{}", tag.handle(), tag.suffix());
    whole.strip_prefix(CORE).map_or(whole.clone(), |name| format!("!!{name}"))
}

/// Whether a letter must not stand in a text as it is.
fn is_control(letter: char) -> bool {
    !matches!(letter, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}'
        | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}
