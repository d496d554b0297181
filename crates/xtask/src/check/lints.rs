//! Every package takes the lints of its workspace.

/// The fault of the manifest `name` with this `text`, if it has lints of its own or none.
pub(crate) fn fault(name: &str, text: &str) -> Option<String> {
    let mut lines = text.lines().map(str::trim).skip_while(|line| *line != "[lints]").skip(1);
    let ok = lines
        .by_ref()
        .take_while(|line| !line.starts_with('['))
        .any(|line| line.split_whitespace().collect::<String>() == "workspace=true");
    (!ok).then(|| format!("{name}: no `[lints] workspace = true`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lints_are_those_of_the_workspace() {
        assert_eq!(fault("a", "[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n"), None);
        assert_eq!(fault("a", "[lints]\n# Ours.\nworkspace=true\n[features]\n"), None);
        for text in
            ["", "[lints]\n[dependencies]\nworkspace = true\n", "[lints.rust]\nworkspace = true"]
        {
            assert!(fault("a", text).is_some(), "{text:?}");
        }
    }
}
