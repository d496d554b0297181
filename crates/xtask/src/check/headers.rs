//! Every file says first what it is for.

/// The fault of the Rust file `name` with this `text`, if it has no header.
pub(crate) fn fault(name: &str, text: &str) -> Option<String> {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let said = first.strip_prefix("//!").unwrap_or_default().trim();
    let ok = said.chars().any(char::is_alphabetic) && !said.starts_with("Placeholder");
    (!ok).then(|| format!("{name}: no `//!` header says what the file is for"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_opens_with_what_it_is_for() {
        assert_eq!(fault("a.rs", "//! Counts sheep.\nfn main() {}"), None);
        assert_eq!(fault("a.rs", "\n//! Counts sheep.\n"), None);
        for text in ["", "fn main() {}", "//!\n", "//! Placeholder.\n", "// Counts sheep."] {
            assert!(fault("a.rs", text).is_some(), "{text:?}");
        }
    }
}
