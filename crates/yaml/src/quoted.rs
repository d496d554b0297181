//! Texts in quotes whose later lines are not indented, as YAML 1.1 allows.
//!
//! How such lines begin says nothing, so that they can be indented before they are read.

/// The most bytes that a text may grow by.
const ADDED: usize = 4 << 20;

/// The text with all lines of the text in quotes that begins behind byte `from` indented deeper than
/// any line is, if line `faulty` (counted from one) is one of these; otherwise `None`.
pub(crate) fn indented(text: &str, from: usize, faulty: usize) -> Option<String> {
    let start = from + opening(text.get(from..)?)?;
    let end = start + length(&text[start..]);
    let line_of = |at: usize| text[..at].matches('\n').count() + 1;
    let (first, last) = (line_of(start), line_of(end));
    let depth = |line: &str| line.len() - line.trim_start_matches([' ', '\t']).len();
    let margin = text.lines().map(depth).max().unwrap_or_default() + 1;
    if faulty <= first || faulty > last || margin.saturating_mul(last - first) > ADDED {
        return None;
    }
    let margin = " ".repeat(margin);
    let mut lines = text[start..end].split('\n');
    let mut better = text[..start].to_owned() + lines.next()?;
    for line in lines {
        better.push('\n');
        better.push_str(&margin);
        better.push_str(line.trim_start_matches([' ', '\t']));
    }
    Some(better + &text[end..])
}

/// Where the quotes of the next node open, if nothing but its properties, comments and what stands
/// between nodes is before them.
fn opening(text: &str) -> Option<usize> {
    let mut rest = text;
    loop {
        let at = text.len() - rest.len();
        let skipped = match rest.as_bytes().first()? {
            b'"' | b'\'' => return Some(at),
            b'#' if at == 0 || text[..at].ends_with([' ', '\t', '\n', '\r']) => rest.find('\n')?,
            b'!' | b'&' => rest.find([' ', '\t', '\n', '\r'])?,
            b' ' | b'\t' | b'\n' | b'\r' | b'-' | b'?' | b':' | b',' | b'[' | b'{' => 1,
            _ => return None,
        };
        rest = &rest[skipped..];
    }
}

/// How many bytes a text in quotes takes, with its quotes; to the end if it is not closed.
fn length(text: &str) -> usize {
    let mut letters = text.char_indices().peekable();
    let quote = letters.next().map_or('"', |(_, quote)| quote);
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' if quote == '"' => _ = letters.next(),
            '\'' if quote == '\'' && letters.peek().is_some_and(|(_, next)| *next == '\'') => {
                letters.next();
            }
            closing if closing == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_indented_up_to_the_closing_quote() {
        let text = "a: 'x''\ny'\nb: z\n";
        assert_eq!(indented(text, 2, 2).unwrap(), "a: 'x''\n y'\nb: z\n");
        assert_eq!(indented(text, 2, 3), None);
        let text = "a: \"x\\\"\n\ty\nb\"";
        assert_eq!(indented(text, 2, 2).unwrap(), "a: \"x\\\"\n  y\n  b\"");
        let text = "a: # it's\n !!str 'x\ny'";
        assert_eq!(indented(text, 2, 3).unwrap(), "a: # it's\n !!str 'x\n  y'");
        assert_eq!(indented("a: b 'x\ny'", 2, 2), None);
    }
}
