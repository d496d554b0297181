//! Reads out of a Go program which fields of Kubernetes' structures are pointers.
//!
//! Neither source of the table says whether Go holds a field as a pointer, yet the wire depends on
//! it: a `false` that is no pointer vanishes from JSON (`omitempty`), one behind a pointer stays. Go
//! programs carry the descriptions of their types, with field names, tags and kinds, for reflection;
//! `kubectl` has those of all built-in kinds. What is read is kept in `data/go-fields.txt`, so that
//! the generator itself needs no such program.
//!
//! The layout read here is that of `abi.Type`, `abi.StructType` and `abi.Name` in Go's
//! `internal/abi`, for programs that are linked at fixed addresses on 64-bit little-endian machines.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Context as _, bail};

use crate::join::{Joined, Presence};

/// A structure that Go has: its name (`v1.PodSpec`) and its fields with protobuf numbers.
#[derive(Debug)]
struct Structure {
    name: String,
    fields: BTreeMap<(String, u32), Presence>,
}

/// The lines of `data/go-fields.txt`, one per field: message, JSON name, presence.
pub(crate) fn extract(program: &[u8], table: &Joined) -> anyhow::Result<String> {
    let structures = structures(&Image::new(program)?)?;
    let mut lines = String::new();
    for (name, message) in &table.messages {
        // Fields that are embedded come from a structure of their own.
        let mut buckets: BTreeMap<&[u32], BTreeSet<(String, u32)>> = BTreeMap::new();
        for (json, field) in message.fields.iter().filter(|(_, field)| field.number != 0) {
            let bucket = buckets.entry(&field.via).or_default();
            bucket.insert((json.clone(), field.number));
        }
        let mut found = BTreeMap::new();
        for (via, bucket) in buckets {
            let is_candidate = |structure: &&Structure| {
                (!via.is_empty() || structure.name == go_name(name))
                    && bucket.iter().all(|field| structure.fields.contains_key(field))
            };
            let best = structures
                .iter()
                .filter(is_candidate)
                .min_by_key(|structure| structure.fields.len());
            let Some(best) = best else { continue };
            for field in bucket {
                found.insert(field.0.clone(), best.fields[&field]);
            }
        }
        for (json, presence) in found {
            lines += &[name, " ", &json, " ", presence.name(), "\n"].concat();
        }
    }
    Ok(lines)
}

/// Reads `data/go-fields.txt`: presence by message and field.
pub(crate) fn read(text: &str) -> anyhow::Result<HashMap<(&str, &str), Presence>> {
    let mut fields = HashMap::new();
    for line in text.lines() {
        let mut words = line.split(' ');
        let (Some(message), Some(json), Some(presence)) =
            (words.next(), words.next(), words.next())
        else {
            bail!("a line of another form: {line}");
        };
        let presence = Presence::parse(presence).with_context(|| format!("in {line}"))?;
        fields.insert((message, json), presence);
    }
    Ok(fields)
}

/// `io.k8s.api.core.v1.PodSpec` is `v1.PodSpec`.
fn go_name(message: &str) -> &str {
    message.rmatch_indices('.').nth(1).map_or(message, |(dot, _)| &message[dot + 1..])
}

/// A program with its addresses.
struct Image<'a> {
    bytes: &'a [u8],
    /// Address, offset and length of what is loaded.
    segments: Vec<(u64, usize, usize)>,
}

impl<'a> Image<'a> {
    fn new(bytes: &'a [u8]) -> anyhow::Result<Self> {
        anyhow::ensure!(
            bytes.starts_with(b"\x7fELF\x02\x01"),
            "not a 64-bit little-endian ELF file"
        );
        let mut image = Self { bytes, segments: Vec::new() };
        let table = usize::try_from(image.word(32).context("no program headers")?)?;
        let count = usize::from(u16::from_le_bytes(
            bytes.get(56..58).context("no program headers")?.try_into()?,
        ));
        for header in (0..count).map(|index| table + index * 56) {
            let is_loaded = bytes.get(header..header + 4) == Some(&1_u32.to_le_bytes());
            let field = |at: usize| image.word(header + at).context("a cut program header");
            if is_loaded {
                let (offset, length) = (usize::try_from(field(8)?)?, usize::try_from(field(32)?)?);
                let address = field(16)?;
                image.segments.push((address, offset, length));
            }
        }
        Ok(image)
    }

    fn word(&self, offset: usize) -> Option<u64> {
        let bytes = self.bytes.get(offset..offset.checked_add(8)?)?;
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    }

    fn offset(&self, address: u64) -> Option<usize> {
        self.segments.iter().find_map(|&(start, offset, length)| {
            let within = usize::try_from(address.checked_sub(start)?).ok()?;
            (within < length).then_some(offset + within)
        })
    }

    fn address(&self, offset: usize) -> Option<u64> {
        self.segments.iter().find_map(|&(start, first, length)| {
            let within = offset.checked_sub(first)?;
            (within < length).then_some(start + within as u64)
        })
    }

    /// The text at an offset that begins with its length.
    fn text(&self, offset: usize) -> Option<(&'a str, usize)> {
        let (mut length, mut at, mut shift) = (0_usize, offset, 0);
        loop {
            let byte = *self.bytes.get(at)?;
            length |= usize::from(byte & 0x7f) << shift;
            at += 1;
            shift += 7;
            if byte < 0x80 {
                break;
            }
            if shift > 14 {
                return None;
            }
        }
        let text = self.bytes.get(at..at.checked_add(length)?)?;
        Some((std::str::from_utf8(text).ok()?, at + length))
    }

    /// A name with its tag, if it has one.
    fn name(&self, address: u64) -> Option<(&'a str, &'a str)> {
        let offset = self.offset(address)?;
        let flags = *self.bytes.get(offset)?;
        let (name, after) = self.text(offset + 1)?;
        let tag = if flags & 2 == 0 { "" } else { self.text(after)?.0 };
        Some((name, tag))
    }

    /// Every aligned word with the address where it stands.
    fn words(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.segments.iter().flat_map(move |&(start, offset, length)| {
            (0..length / 8).filter_map(move |index| {
                Some((start + index as u64 * 8, self.word(offset + index * 8)?))
            })
        })
    }
}

/// All structures with protobuf tags.
fn structures(image: &Image<'_>) -> anyhow::Result<Vec<Structure>> {
    let names = tagged_names(image);
    // Arrays of fields are entries of a name, a type and an offset each.
    let mut starts = BTreeSet::new();
    for (at, word) in image.words() {
        if names.contains(&word) {
            starts.insert(at);
        }
    }
    let of_array: BTreeMap<u64, u64> = image
        .words()
        .filter(|(_, word)| starts.contains(word))
        // The array's address stands behind the type's description and package.
        .filter_map(|(at, word)| Some((at.checked_sub(56)?, word)))
        .collect();
    let base = names_base(image, of_array.keys().copied())?;
    let mut structures = Vec::new();
    for (ty, array) in of_array {
        let read = || -> Option<Structure> {
            let offset = image.offset(ty)?;
            if image.bytes.get(offset + 23)? & 0x1f != 25 {
                return None;
            }
            let name = image.name(base + type_name_offset(image, ty)?)?.0;
            let count = image.word(offset + 64)?;
            let fields = (0..count).filter_map(|index| field(image, array + index * 24));
            let name = name.trim_start_matches('*').to_owned();
            Some(Structure { name, fields: fields.collect() })
        };
        structures.extend(read().filter(|structure| !structure.fields.is_empty()));
    }
    Ok(structures)
}

/// Addresses of names that have a JSON tag.
fn tagged_names(image: &Image<'_>) -> BTreeSet<u64> {
    let mut names = BTreeSet::new();
    let needle = b"json:\"";
    for tag in memchr_all(image.bytes, needle) {
        // Before the tag stand its length, the name, the name's length and the flags.
        for back in 4..80_usize {
            let Some(start) = tag.checked_sub(back) else { break };
            let Some((_, after)) = image.text(start + 1) else { continue };
            let fits = after < tag
                && image.text(after).is_some_and(|(text, _)| {
                    text.starts_with("json:") && text.as_ptr() == image.bytes[tag..].as_ptr()
                });
            if fits && image.bytes[start] & 2 != 0 && image.bytes[start] < 16 {
                names.extend(image.address(start));
                break;
            }
        }
    }
    names
}

fn memchr_all<'a>(bytes: &'a [u8], needle: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    let windows = bytes.windows(needle.len()).enumerate();
    windows.filter(move |(_, window)| *window == needle).map(|(at, _)| at)
}

fn type_name_offset(image: &Image<'_>, ty: u64) -> Option<u64> {
    let offset = image.offset(ty)? + 40;
    let bytes = image.bytes.get(offset..offset + 4)?;
    Some(u64::from(u32::from_le_bytes(bytes.try_into().ok()?)))
}

/// The address that offsets of type names count from: the one that makes `v1.PodSpec` a type.
fn names_base(image: &Image<'_>, types: impl Iterator<Item = u64>) -> anyhow::Result<u64> {
    let known = b"*v1.PodSpec";
    let candidates: BTreeSet<u64> = memchr_all(image.bytes, known)
        .filter_map(|at| {
            let length = *image.bytes.get(at.checked_sub(1)?)?;
            (usize::from(length) == known.len()).then(|| image.address(at - 2)).flatten()
        })
        .collect();
    let mut votes: BTreeMap<u64, usize> = BTreeMap::new();
    let offsets: Vec<u64> = types.filter_map(|ty| type_name_offset(image, ty)).collect();
    for name in candidates {
        for base in offsets.iter().filter_map(|offset| name.checked_sub(*offset)) {
            votes.entry(base).or_insert(0);
        }
    }
    for (base, count) in &mut votes {
        let is_type = |offset: &&u64| {
            image.name(base + **offset).is_some_and(|(name, _)| name.starts_with("*v1."))
        };
        *count = offsets.iter().filter(is_type).count();
    }
    votes
        .into_iter()
        .max_by_key(|(_, count)| *count)
        .map(|(base, _)| base)
        .context("no types found")
}

/// One field: its JSON name and protobuf number, and how it is present.
fn field(image: &Image<'_>, address: u64) -> Option<((String, u32), Presence)> {
    let offset = image.offset(address)?;
    let (_, tag) = image.name(image.word(offset)?)?;
    let quoted = |key: &str| tag.split_once(&format!("{key}:\""))?.1.split_once('"').map(|x| x.0);
    let mut json = quoted("json")?.split(',');
    let name = json.next().filter(|name| !name.is_empty())?;
    let omits = json.any(|option| option == "omitempty" || option == "omitzero");
    let number = quoted("protobuf")?.split(',').nth(1)?.parse().ok()?;
    let kind = *image.bytes.get(image.offset(image.word(offset + 8)?)? + 23)? & 0x1f;
    let presence = match (kind, omits) {
        (22, _) => Presence::Pointer,
        (_, true) => Presence::OmitEmpty,
        (_, false) => Presence::Always,
    };
    Some(((name.to_owned(), number), presence))
}
