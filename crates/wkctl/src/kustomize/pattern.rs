//! Patterns of patch targets: they are regular expressions and match whole texts.
//!
//! Names have few characters, so `.`, `*`, `+` and `|` are what patterns of them need; whatever else
//! regular expressions have is refused.

use anyhow::bail;

/// One letter of a pattern.
#[derive(Clone, Copy, Debug)]
struct Atom {
    /// `None` for any.
    letter: Option<char>,
    least: usize,
    repeats: bool,
}

/// Whether a pattern matches a text; an empty one matches all.
pub(super) fn matches(pattern: &str, text: &str) -> anyhow::Result<bool> {
    let letters: Vec<char> = text.chars().collect();
    let pattern = pattern.strip_prefix('^').unwrap_or(pattern);
    let pattern = pattern.strip_suffix('$').unwrap_or(pattern);
    if pattern.is_empty() {
        return Ok(true);
    }
    let choices: Vec<Vec<Atom>> = pattern.split('|').map(atoms).collect::<Result<_, _>>()?;
    Ok(choices.iter().any(|choice| fits(choice, &letters)))
}

fn atoms(pattern: &str) -> anyhow::Result<Vec<Atom>> {
    let mut atoms: Vec<Atom> = Vec::new();
    for letter in pattern.chars() {
        match (letter, atoms.last_mut()) {
            ('*', Some(last)) if !last.repeats => (last.least, last.repeats) = (0, true),
            ('+', Some(last)) if !last.repeats => last.repeats = true,
            ('*' | '+' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '^' | '$' | '\\', _) => {
                bail!(
                    "the pattern `{pattern}` of a patch's target is not supported, for its `{letter}`"
                )
            }
            ('.', _) => atoms.push(Atom { letter: None, least: 1, repeats: false }),
            (other, _) => atoms.push(Atom { letter: Some(other), least: 1, repeats: false }),
        }
    }
    Ok(atoms)
}

fn fits(atoms: &[Atom], text: &[char]) -> bool {
    let Some((atom, rest)) = atoms.split_first() else { return text.is_empty() };
    let same = |letter: &&char| atom.letter.is_none_or(|own| own == **letter);
    let most = if atom.repeats { text.len() } else { 1 };
    let run = text.iter().take(most).take_while(same).count();
    (atom.least..=run).any(|taken| fits(rest, &text[taken..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_texts() {
        for (pattern, text, expected) in [
            ("", "web", true),
            ("web", "web", true),
            ("web", "web-1", false),
            ("web.*", "web-1", true),
            (".*", "", true),
            ("a|b.+", "b", false),
            ("a|b.+", "bc", true),
            ("^a$", "a", true),
            ("a*b", "aaab", true),
        ] {
            assert_eq!(matches(pattern, text).unwrap(), expected, "{pattern} {text}");
        }
        assert!(matches("a[b]", "ab").is_err());
    }
}
