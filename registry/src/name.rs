//! The grammars of repositories, tags and what a manifest is asked for by.
//!
//! Names become paths on disk, so nothing that breaks the grammar gets past this file.
//! Spec: <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests>

use std::fmt;

use crate::digest::Digest;

const MAX_NAME: usize = 255;
const MAX_TAG: usize = 128;

/// A repository such as `team/web`: parts of lower-case words, none of which starts with `.` or `_`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RepositoryName(String);

/// A tag such as `v1.2`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Tag(String);

/// What a manifest is asked for by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Tag(Tag),
    Digest(Digest),
}

impl RepositoryName {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_valid = text.len() <= MAX_NAME && text.split('/').all(is_part);
        is_valid.then(|| Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
pub(crate) fn is_part(part: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = part.as_bytes();
    if !bytes.first().copied().is_some_and(is_word) || !bytes.last().copied().is_some_and(is_word) {
        return false;
    }
    part.split(|letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit())
        .filter(|separator| !separator.is_empty())
        .all(|separator| {
            matches!(separator, "." | "_" | "__") || separator.bytes().all(|byte| byte == b'-')
        })
}

impl Tag {
    /// `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_valid = !text.is_empty()
            && text.len() <= MAX_TAG
            && !text.starts_with(['.', '-'])
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
        is_valid.then(|| Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Target {
    /// A digest if there is a colon, which no tag has.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.contains(':') {
            text.parse().ok().map(Self::Digest)
        } else {
            Tag::parse(text).map(Self::Tag)
        }
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => f.write_str(tag.as_str()),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_grammar_passes() {
        for good in ["a", "web", "team/web", "a.b_c__d---e/1", "a/manifests/b/blobs"] {
            assert!(RepositoryName::parse(good).is_some(), "{good}");
        }
        for bad in
            ["", "/", "A", "..", "a/..", "a/../b", "_a", "a_", "a..b", "a___b", "a//b", "a/", "a\0"]
        {
            assert!(RepositoryName::parse(bad).is_none(), "{bad}");
        }
        assert!(RepositoryName::parse(&"a".repeat(256)).is_none());
        for good in ["latest", "_x", "V1.2-rc_3"] {
            assert!(Tag::parse(good).is_some(), "{good}");
        }
        for bad in ["", ".", "..", "-a", "a/b", "a:b", &"a".repeat(129)] {
            assert!(Tag::parse(bad).is_none(), "{bad}");
        }
    }
}
