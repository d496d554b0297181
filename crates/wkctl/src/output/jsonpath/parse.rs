//! From text to [`Template`].

use anyhow::{bail, ensure};
use serde_json::Value;

use super::{Comparison, Node, Operand, Path, Step, Template};

pub(super) fn template(text: &str) -> anyhow::Result<Template> {
    let mut parser = Parser { rest: text, text };
    let nodes = parser.nodes(false)?;
    Ok(Template { nodes })
}

struct Parser<'a> {
    rest: &'a str,
    text: &'a str,
}

impl<'a> Parser<'a> {
    fn eat(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, token: &str) -> anyhow::Result<()> {
        if self.eat(token) {
            return Ok(());
        }
        match self.rest.chars().next() {
            Some(found) => bail!("jsonpath `{}`: `{token}` expected before `{found}`", self.text),
            None => bail!("jsonpath `{}`: `{token}` is missing at the end", self.text),
        }
    }

    fn blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// Takes as long as the characters are fit.
    fn take_while(&mut self, fit: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|character| !fit(character)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn nodes(&mut self, in_range: bool) -> anyhow::Result<Vec<Node>> {
        let mut nodes = Vec::new();
        loop {
            let text = self.take_while(|character| character != '{');
            if !text.is_empty() {
                nodes.push(Node::Text(text.to_owned()));
            }
            if !self.eat("{") {
                ensure!(!in_range, "jsonpath `{}`: a range has no end", self.text);
                return Ok(nodes);
            }
            self.blanks();
            match self.word() {
                Some("end") => {
                    self.eat("end");
                    self.close()?;
                    ensure!(in_range, "jsonpath `{}`: not in range, nothing to end", self.text);
                    return Ok(nodes);
                }
                Some("range") => {
                    self.eat("range");
                    self.blanks();
                    let path = self.path()?;
                    self.close()?;
                    nodes.push(Node::Range(path, self.nodes(true)?));
                }
                _ => {
                    while !self.eat("}") {
                        let node = match self.rest.chars().next() {
                            Some('"' | '\'') => Node::Text(self.quoted()?),
                            _ => Node::Path(self.path()?),
                        };
                        nodes.push(node);
                        self.blanks();
                    }
                }
            }
        }
    }

    fn close(&mut self) -> anyhow::Result<()> {
        self.blanks();
        self.expect("}")
    }

    /// The word that comes next, without taking it.
    fn word(&self) -> Option<&'a str> {
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(self.rest.len());
        Some(&self.rest[..end]).filter(|word| !word.is_empty())
    }

    fn path(&mut self) -> anyhow::Result<Path> {
        let mut path = Path::default();
        if self.eat("$") {
            path.from_root = true;
        } else {
            self.eat("@");
        }
        let start = self.rest;
        loop {
            if self.eat("..") {
                path.steps.push(Step::Descend);
                if !self.rest.starts_with('[') {
                    let name = self.name();
                    ensure!(!name.is_empty(), "jsonpath `{}`: a name must follow `..`", self.text);
                    path.steps.push(field(name));
                }
            } else if self.eat(".") {
                let name = self.name();
                // A dot alone is the value itself; before a bracket it means nothing.
                if !name.is_empty() {
                    path.steps.push(field(name));
                }
            } else if self.eat("[") {
                let step = self.bracket()?;
                path.steps.push(step);
            } else {
                break;
            }
        }
        if start.len() == self.rest.len() && !path.from_root {
            // Names without a dot before them are allowed in braces.
            let name = self.name();
            match self.rest.chars().next() {
                _ if !name.is_empty() => path.steps.push(field(name)),
                Some(found) => bail!("jsonpath `{}`: unexpected `{found}`", self.text),
                None => bail!("jsonpath `{}`: unclosed action", self.text),
            }
            path.steps.extend(self.path_or_nothing()?);
        }
        Ok(path)
    }

    fn path_or_nothing(&mut self) -> anyhow::Result<Vec<Step>> {
        if self.rest.starts_with(['.', '[']) { Ok(self.path()?.steps) } else { Ok(Vec::new()) }
    }

    /// A name after a dot; a backslash takes the next character as it is.
    fn name(&mut self) -> String {
        let mut name = String::new();
        let mut characters = self.rest.char_indices();
        while let Some((at, character)) = characters.next() {
            match character {
                '\\' => name.extend(characters.next().map(|(_, escaped)| escaped)),
                _ if character.is_whitespace() || ".[]{}()=!<>,'\"|&@$?".contains(character) => {
                    self.rest = &self.rest[at..];
                    return name;
                }
                other => name.push(other),
            }
        }
        self.rest = "";
        name
    }

    fn bracket(&mut self) -> anyhow::Result<Step> {
        self.blanks();
        let step = if self.eat("*") {
            Step::All
        } else if self.eat("?") {
            self.blanks();
            self.expect("(")?;
            let step = self.filter()?;
            self.blanks();
            self.expect(")")?;
            step
        } else if self.rest.starts_with(['\'', '"']) {
            Step::Fields(self.list(Self::quoted)?)
        } else {
            self.numbers()?
        };
        self.blanks();
        self.expect("]")?;
        Ok(step)
    }

    fn list<T>(&mut self, item: impl Fn(&mut Self) -> anyhow::Result<T>) -> anyhow::Result<Vec<T>> {
        let mut items = vec![item(self)?];
        loop {
            self.blanks();
            if !self.eat(",") {
                return Ok(items);
            }
            self.blanks();
            items.push(item(self)?);
        }
    }

    fn number(&mut self) -> anyhow::Result<Option<i64>> {
        let digits = self.take_while(|character| character == '-' || character.is_ascii_digit());
        if digits.is_empty() {
            return Ok(None);
        }
        match digits.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => bail!("jsonpath `{}`: `{digits}` is not an index", self.text),
        }
    }

    fn numbers(&mut self) -> anyhow::Result<Step> {
        let text = self.text;
        let first = self.number()?;
        if self.eat(":") {
            let end = self.number()?;
            let step = if self.eat(":") { self.number()?.unwrap_or(1) } else { 1 };
            ensure!(step > 0, "jsonpath `{text}`: the step of a slice must be positive");
            return Ok(Step::Slice { start: first, end, step });
        }
        let missing =
            || anyhow::anyhow!("jsonpath `{text}`: an index or a name is missing in `[]`");
        let mut items = vec![first.ok_or_else(missing)?];
        while self.eat(",") {
            self.blanks();
            items.push(self.number()?.ok_or_else(missing)?);
        }
        Ok(Step::Items(items))
    }

    fn filter(&mut self) -> anyhow::Result<Step> {
        self.blanks();
        let left = self.operand()?;
        self.blanks();
        let comparisons = [
            ("==", Comparison::Equal),
            ("!=", Comparison::NotEqual),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ];
        for (token, comparison) in comparisons {
            if self.eat(token) {
                self.blanks();
                return Ok(Step::Filter(left, comparison, self.operand()?));
            }
        }
        match left {
            Operand::Path(path) => Ok(Step::Exists(path)),
            Operand::Literal(_) => bail!("jsonpath `{}`: a filter compares nothing", self.text),
        }
    }

    fn operand(&mut self) -> anyhow::Result<Operand> {
        match self.rest.chars().next() {
            Some('"' | '\'') => Ok(Operand::Literal(self.quoted()?.into())),
            Some('@' | '$' | '.') => Ok(Operand::Path(self.path()?)),
            _ => {
                let word = self.take_while(|c| c.is_ascii_alphanumeric() || "+-._".contains(c));
                match serde_json::from_str::<Value>(word) {
                    Ok(literal) => Ok(Operand::Literal(literal)),
                    Err(_) => bail!("jsonpath `{}`: `{word}` cannot be compared with", self.text),
                }
            }
        }
    }

    fn quoted(&mut self) -> anyhow::Result<String> {
        let mut characters = self.rest.char_indices();
        let quote = characters.next().map(|(_, quote)| quote);
        let mut out = String::new();
        while let Some((at, character)) = characters.next() {
            match character {
                '\\' => match characters.next() {
                    Some((_, 'n')) => out.push('\n'),
                    Some((_, 't')) => out.push('\t'),
                    Some((_, 'r')) => out.push('\r'),
                    Some((_, other)) => out.push(other),
                    None => break,
                },
                end if Some(end) == quote => {
                    self.rest = &self.rest[at + end.len_utf8()..];
                    return Ok(out);
                }
                other => out.push(other),
            }
        }
        bail!("jsonpath `{}`: a quote is not closed", self.text)
    }
}

fn field(name: String) -> Step {
    if name == "*" { Step::All } else { Step::Fields(vec![name]) }
}
