//! Comparing what a program prints with what it should.

/// Whether `text` is what `pattern` describes: the same lines of the same words, however far
/// apart.
///
/// A word `*` stands for any word, a last word `...` for the rest of a line, and a line `...` for
/// any number of lines.
pub fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<&str> = pattern.trim().lines().collect();
    let text: Vec<&str> = text.trim().lines().collect();
    lines(&pattern, &text)
}

fn lines(pattern: &[&str], text: &[&str]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((&first, rest)), _) if first.trim() == "..." => {
            (0..=text.len()).any(|skipped| lines(rest, &text[skipped..]))
        }
        (Some((wanted, others)), Some((line, rest))) => words(wanted, line) && lines(others, rest),
        _ => false,
    }
}

fn words(pattern: &str, line: &str) -> bool {
    let mut words = line.split_whitespace();
    for wanted in pattern.split_whitespace() {
        if wanted == "..." {
            return true;
        }
        if words.next().is_none_or(|word| wanted != "*" && wanted != word) {
            return false;
        }
    }
    words.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_pattern_describes_lines_of_words() {
        for (pattern, text, expected) in [
            ("NAME AGE\na *", "NAME   AGE\na      12s\n", true),
            ("NAME AGE\na *", "NAME   AGE\nb      12s\n", false),
            ("NAME AGE\na *", "NAME   AGE\na      12s\nb    1s\n", false),
            ("NAME AGE\na *", "NAME   AGE\na\n", false),
            ("a ...", "a b c", true),
            ("a ...", "b c", false),
            ("...\nb\n...", "a\nb\nc\nd", true),
            ("...\nb\n...", "b", true),
            ("...\nb\n...", "a", false),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern:?} and {text:?}");
        }
    }
}
