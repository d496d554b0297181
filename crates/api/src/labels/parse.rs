//! The grammar of label selectors in query strings.
//!
//! Spec: <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#api>

use std::collections::BTreeSet;

use super::{LabelOperator, LabelRequirement, LabelSelectorError};
use crate::fault::{Fault, FieldPath};
use crate::names;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    End,
    Word(&'a str),
    Sign(&'a str),
}

impl<'a> Token<'a> {
    fn text(self) -> &'a str {
        match self {
            Self::End => "",
            Self::Word(text) | Self::Sign(text) => text,
        }
    }
}

const SIGNS: [&str; 9] = ["==", "!=", "=", "!", "(", ")", ",", ">", "<"];

fn is_special(c: char) -> bool {
    matches!(c, '=' | '!' | '(' | ')' | ',' | '>' | '<')
}

fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        if rest.is_empty() {
            return tokens;
        }
        let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
        let length = sign.map_or_else(
            || rest.find(|c| is_special(c) || matches!(c, ' ' | '\t' | '\r' | '\n')),
            |sign| Some(sign.len()),
        );
        let (token, tail) = rest.split_at(length.unwrap_or(rest.len()));
        tokens.push(if sign.is_some() { Token::Sign(token) } else { Token::Word(token) });
        rest = tail;
    }
}

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    position: usize,
}

type Result<T> = std::result::Result<T, LabelSelectorError>;

fn unexpected<T>(found: Token<'_>, expected: &str) -> Result<T> {
    Err(LabelSelectorError(format!("found '{}', expected: {expected}", found.text())))
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Token<'a> {
        self.tokens.get(self.position).copied().unwrap_or(Token::End)
    }

    fn next(&mut self) -> Token<'a> {
        let token = self.peek();
        self.position += 1;
        token
    }

    fn requirement(&mut self) -> Result<LabelRequirement> {
        let absent = self.peek() == Token::Sign("!");
        if absent {
            self.next();
        }
        let key = match self.next() {
            Token::Word(key) => key,
            other => return unexpected(other, "identifier"),
        };
        let faults = names::qualified_name(key);
        if !faults.is_empty() {
            let fault = Fault::invalid(&FieldPath::Root, key, faults.join("; "));
            return Err(LabelSelectorError(fault.to_string()));
        }
        if absent {
            return LabelRequirement::new(key, LabelOperator::DoesNotExist, BTreeSet::new());
        }
        if matches!(self.peek(), Token::End | Token::Sign(",")) {
            return LabelRequirement::new(key, LabelOperator::Exists, BTreeSet::new());
        }
        let operator = match self.next() {
            Token::Word("in") => LabelOperator::In,
            Token::Word("notin") => LabelOperator::NotIn,
            Token::Sign("=" | "==") => LabelOperator::Equals,
            Token::Sign("!=") => LabelOperator::NotEquals,
            Token::Sign(">") => LabelOperator::GreaterThan,
            Token::Sign("<") => LabelOperator::LessThan,
            other => return unexpected(other, "in, notin, =, ==, !=, gt, lt"),
        };
        let values = match operator {
            LabelOperator::In | LabelOperator::NotIn => self.list()?,
            LabelOperator::Equals
            | LabelOperator::NotEquals
            | LabelOperator::GreaterThan
            | LabelOperator::LessThan
            | LabelOperator::Exists
            | LabelOperator::DoesNotExist => self.exact()?,
        };
        LabelRequirement::new(key, operator, values)
    }

    fn exact(&mut self) -> Result<BTreeSet<String>> {
        match self.peek() {
            Token::End | Token::Sign(",") => Ok(BTreeSet::from([String::new()])),
            Token::Word(value) => {
                self.next();
                Ok(BTreeSet::from([value.to_owned()]))
            }
            other @ Token::Sign(_) => unexpected(other, "identifier"),
        }
    }

    fn list(&mut self) -> Result<BTreeSet<String>> {
        match self.next() {
            Token::Sign("(") => {}
            other => {
                let text = format!("found '{}' expected: '('", other.text());
                return Err(LabelSelectorError(text));
            }
        }
        let mut values = BTreeSet::new();
        match self.peek() {
            Token::Word(_) | Token::Sign("," | ")") => {}
            other => return unexpected(other, "',', ')' or identifier"),
        }
        // An empty place is the empty value: `()`, `(,)`, `(a,)`.
        loop {
            match self.peek() {
                Token::Word(value) => {
                    self.next();
                    values.insert(value.to_owned());
                }
                Token::Sign("," | ")") => {
                    values.insert(String::new());
                }
                other => return unexpected(other, "',', or identifier"),
            }
            match self.next() {
                Token::Sign(",") => {}
                Token::Sign(")") => return Ok(values),
                other => return unexpected(other, "',' or ')'"),
            }
        }
    }
}

/// The requirements of a selector, in the order written.
pub(super) fn requirements(text: &str) -> Result<Vec<LabelRequirement>> {
    let in_words = |LabelSelectorError(text)| {
        LabelSelectorError(format!("unable to parse requirement: {text}"))
    };
    let mut parser = Parser { tokens: tokens(text), position: 0 };
    let mut requirements = Vec::new();
    loop {
        match parser.peek() {
            Token::End => return Ok(requirements),
            Token::Word(_) | Token::Sign("!") => {
                requirements.push(parser.requirement().map_err(in_words)?);
            }
            other @ Token::Sign(_) => {
                return unexpected(other, "!, identifier, or 'end of string'");
            }
        }
        match parser.next() {
            Token::End => return Ok(requirements),
            Token::Sign(",") => match parser.peek() {
                Token::Word(_) | Token::Sign("!") => {}
                other => return unexpected(other, "identifier after ','"),
            },
            other => return unexpected(other, "',' or 'end of string'"),
        }
    }
}
