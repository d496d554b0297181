//! Which form an answer takes: what `Accept` asks for, as far as there is such a form.

use http::HeaderMap;
use http::header::ACCEPT;
use wk_api::ApiError;

/// How values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Json,
    Yaml,
    Protobuf,
}

impl Encoding {
    /// The media type of an answer.
    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Yaml => "application/yaml",
            Self::Protobuf => "application/vnd.kubernetes.protobuf",
        }
    }
}

/// What of the objects is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// The objects.
    Plain,
    /// A table of them, in this version of `meta.k8s.io`.
    Table(&'static str),
    /// Their metadata, in this version of `meta.k8s.io`.
    Metadata(&'static str),
}

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Format {
    pub(crate) encoding: Encoding,
    pub(crate) shape: Shape,
}

impl Format {
    /// Plain JSON.
    pub(crate) const JSON: Self = Self { encoding: Encoding::Json, shape: Shape::Plain };
}

/// One entry of an `Accept` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Media<'a> {
    /// `application/json`.
    pub(crate) name: &'a str,
    params: Vec<(&'a str, &'a str)>,
    /// Weight in thousandths.
    weight: u32,
}

impl<'a> Media<'a> {
    fn parse(text: &'a str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let mut weight = 1000;
        let mut params = Vec::new();
        for part in parts {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            let (key, value) = (key.trim(), value.trim().trim_matches('"'));
            if key == "q" {
                weight = thousandths(value);
            } else {
                params.push((key, value));
            }
        }
        Self { name, params, weight }
    }

    /// The value of a parameter; empty without one.
    pub(crate) fn param(&self, name: &str) -> &'a str {
        self.params.iter().find(|(own, _)| *own == name).map_or("", |(_, value)| value)
    }
}

/// A weight such as `0.8` in thousandths.
fn thousandths(text: &str) -> u32 {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    if whole.trim() != "0" {
        return 1000;
    }
    let digits: String = rest.chars().chain("000".chars()).take(3).collect();
    digits.parse().unwrap_or(1000)
}

/// The entries of an `Accept` header, the most wanted first.
pub(crate) fn accepted(text: &str) -> Vec<Media<'_>> {
    let mut media: Vec<_> = text.split(',').map(Media::parse).filter(|m| m.weight > 0).collect();
    media.sort_by_key(|media| std::cmp::Reverse(media.weight));
    media
}

/// The text of the `Accept` headers.
pub(crate) fn accept_text(headers: &HeaderMap) -> String {
    let values: Vec<&str> =
        headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    values.join(",")
}

/// The form of an answer about objects.
///
/// # Errors
/// 406 if none of the forms asked for can be made.
pub(crate) fn format(headers: &HeaderMap, protobuf: bool) -> Result<Format, ApiError> {
    first(headers, protobuf, |_| true)
}

/// The form of an answer that has no rows, such as a review.
///
/// # Errors
/// 406 if none of the forms asked for can be made.
pub(crate) fn format_without_rows(headers: &HeaderMap, protobuf: bool) -> Result<Format, ApiError> {
    first(headers, protobuf, |format| !matches!(format.shape, Shape::Table(_)))
}

fn first(
    headers: &HeaderMap,
    protobuf: bool,
    can_be: impl Fn(&Format) -> bool,
) -> Result<Format, ApiError> {
    let text = accept_text(headers);
    if text.trim().is_empty() {
        return Ok(Format::JSON);
    }
    let made = |media: &Media<'_>| of_media(media, protobuf).filter(&can_be);
    accepted(&text).iter().find_map(made).ok_or_else(|| {
        let mut available = vec!["application/json", "application/yaml"];
        if protobuf {
            available.push("application/vnd.kubernetes.protobuf");
        }
        ApiError::not_acceptable(&available)
    })
}

fn of_media(media: &Media<'_>, protobuf: bool) -> Option<Format> {
    let encoding = match media.name {
        "application/json" | "application/*" | "*/*" => Encoding::Json,
        "application/yaml" => Encoding::Yaml,
        "application/vnd.kubernetes.protobuf" if protobuf => Encoding::Protobuf,
        _ => return None,
    };
    let version = match media.param("v") {
        "" | "v1" => "v1",
        "v1beta1" => "v1beta1",
        _ => return None,
    };
    let shape = match media.param("as") {
        "" => Shape::Plain,
        // Tables have cells of any type, which protobuf has no form for.
        "Table" if encoding != Encoding::Protobuf => Shape::Table(version),
        "PartialObjectMetadata" | "PartialObjectMetadataList" => Shape::Metadata(version),
        _ => return None,
    };
    if shape != Shape::Plain && !matches!(media.param("g"), "" | "meta.k8s.io") {
        return None;
    }
    Some(Format { encoding, shape })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[track_caller]
    fn check(accept: &str, expected: Option<(Encoding, Shape)>) {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_str(accept).unwrap());
        let found = format(&headers, true).ok().map(|format| (format.encoding, format.shape));
        assert_eq!(found, expected, "{accept}");
    }

    #[test]
    fn the_first_form_that_can_be_made_is_taken() {
        check("", Some((Encoding::Json, Shape::Plain)));
        check("*/*", Some((Encoding::Json, Shape::Plain)));
        check(
            "application/json;as=Table;v=v2;g=meta.k8s.io, application/json;as=Table;v=v1beta1;\
               g=meta.k8s.io, application/json",
            Some((Encoding::Json, Shape::Table("v1beta1"))),
        );
        check(
            "application/vnd.kubernetes.protobuf,application/json",
            Some((Encoding::Protobuf, Shape::Plain)),
        );
        check(
            "application/json;q=0.5,application/yaml;q=0.9",
            Some((Encoding::Yaml, Shape::Plain)),
        );
        check("text/html", None);
        check(
            "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
            Some((Encoding::Json, Shape::Metadata("v1"))),
        );
    }
}
