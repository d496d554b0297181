//! What a path means. Repositories have slashes of their own, so paths are read from their end.

use crate::name::RepositoryName;

/// A path below `/v2/`; parts that are checked later are kept as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// `/v2/`
    Version,
    /// `/v2/_catalog`
    Catalog,
    /// `/v2/<name>/tags/list`
    Tags(RepositoryName),
    /// `/v2/<name>/manifests/<reference>`
    Manifest(RepositoryName, String),
    /// `/v2/<name>/blobs/<digest>`
    Blob(RepositoryName, String),
    /// `/v2/<name>/blobs/uploads/`
    Uploads(RepositoryName),
    /// `/v2/<name>/blobs/uploads/<id>`
    Upload(RepositoryName, String),
    /// `/v2/<name>/referrers/<digest>`
    Referrers(RepositoryName, String),
}

/// Why a path leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RouteFault {
    /// No such kind of path.
    Unknown,
    /// The repository breaks the grammar.
    Name(String),
}

/// Reads a request's path, percent-encoded as it came.
pub(crate) fn route(path: &str) -> Result<Route, RouteFault> {
    let path = decode(path).ok_or(RouteFault::Unknown)?;
    let rest = match path.strip_prefix("/v2") {
        Some("" | "/") => return Ok(Route::Version),
        Some("/_catalog") => return Ok(Route::Catalog),
        Some(rest) => rest.strip_prefix('/').ok_or(RouteFault::Unknown)?,
        None => return Err(RouteFault::Unknown),
    };
    let parts: Vec<&str> = rest.split('/').collect();
    let name = |length: usize| {
        let text = parts[..length].join("/");
        RepositoryName::parse(&text).ok_or(RouteFault::Name(text))
    };
    match parts.as_slice() {
        [name_parts @ .., "blobs", "uploads", ""] | [name_parts @ .., "blobs", "uploads"] => {
            Ok(Route::Uploads(name(name_parts.len())?))
        }
        [name_parts @ .., "blobs", "uploads", id] => {
            Ok(Route::Upload(name(name_parts.len())?, (*id).to_owned()))
        }
        [name_parts @ .., "blobs", digest] => {
            Ok(Route::Blob(name(name_parts.len())?, (*digest).to_owned()))
        }
        [name_parts @ .., "manifests", reference] => {
            Ok(Route::Manifest(name(name_parts.len())?, (*reference).to_owned()))
        }
        [name_parts @ .., "referrers", digest] => {
            Ok(Route::Referrers(name(name_parts.len())?, (*digest).to_owned()))
        }
        [name_parts @ .., "tags", "list"] => Ok(Route::Tags(name(name_parts.len())?)),
        _ => Err(RouteFault::Unknown),
    }
}

fn decode(path: &str) -> Option<String> {
    if !path.contains('%') {
        return Some(path.to_owned());
    }
    let mut bytes = path.bytes();
    let mut decoded = Vec::with_capacity(path.len());
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let mut digit = || char::from(bytes.next()?).to_digit(16);
            let value = digit()? * 16 + digit()?;
            decoded.push(u8::try_from(value).ok()?);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: &str) {
        let found = match route(path) {
            Ok(Route::Version) => "version".to_owned(),
            Ok(Route::Catalog) => "catalog".to_owned(),
            Ok(Route::Tags(name)) => format!("tags of {name}"),
            Ok(Route::Manifest(name, reference)) => format!("manifest {reference} of {name}"),
            Ok(Route::Blob(name, digest)) => format!("blob {digest} of {name}"),
            Ok(Route::Uploads(name)) => format!("uploads of {name}"),
            Ok(Route::Upload(name, id)) => format!("upload {id} of {name}"),
            Ok(Route::Referrers(name, digest)) => format!("referrers {digest} of {name}"),
            Err(RouteFault::Unknown) => "unknown".to_owned(),
            Err(RouteFault::Name(name)) => format!("bad name {name}"),
        };
        assert_eq!(found, expected, "{path}");
    }

    #[test]
    fn paths_are_read_from_their_end() {
        check("/v2/", "version");
        check("/v2", "version");
        check("/v2/_catalog", "catalog");
        check("/v2/a/tags/list", "tags of a");
        check("/v2/a/b/manifests/latest", "manifest latest of a/b");
        check("/v2/a/manifests/b/manifests/c", "manifest c of a/manifests/b");
        check("/v2/a/blobs/sha256%3Aab", "blob sha256:ab of a");
        check("/v2/a/blobs/uploads/", "uploads of a");
        check("/v2/a/blobs/uploads", "uploads of a");
        check("/v2/blobs/uploads/blobs/uploads/id", "upload id of blobs/uploads");
        check("/v2/a/referrers/x", "referrers x of a");
    }

    #[test]
    fn what_is_no_path_of_ours_leads_nowhere() {
        check("/", "unknown");
        check("/v1/", "unknown");
        check("/v2x/a/tags/list", "unknown");
        check("/v2/a", "unknown");
        check("/v2/a/%zz/tags/list", "unknown");
        check("/v2/../../etc/tags/list", "bad name ../../etc");
        check("/v2/%2e%2e/manifests/x", "bad name ..");
        check("/v2/A/manifests/x", "bad name A");
        check("/v2/manifests/x", "bad name ");
    }
}
