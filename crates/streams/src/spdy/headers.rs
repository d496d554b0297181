//! Header blocks: names and values, compressed over the life of a connection.

use std::fmt;

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

use super::dictionary::{DICTIONARY, DICTIONARY_ID};
use super::session::Fault;

/// The most bytes of a header block once it is unpacked.
pub(super) const MAX_BLOCK: usize = 16 << 10;
/// The most headers in one block.
const MAX_HEADERS: u32 = 64;
/// How far back compressed data may refer.
const WINDOW: usize = 32 << 10;
/// The first bytes of a zlib stream that begins with a dictionary.
const ZLIB_HEADER: [u8; 2] = [0x78, 0xbb];
/// In the second byte of a zlib stream: a dictionary is named.
const HAS_DICTIONARY: u8 = 0x20;
/// The most bytes of a stored block of deflate.
const MAX_STORED: usize = 0xffff;

/// Names, in lower case, and values of a stream's headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// No headers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.0.push((name.to_ascii_lowercase(), value.into()));
        self
    }

    /// The value of the first header of a name; empty if there is none.
    pub fn text(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    /// The block as it is before compression.
    fn packed(&self) -> Vec<u8> {
        let mut block = Vec::new();
        put_length(&mut block, self.0.len());
        for (name, value) in &self.0 {
            for text in [name, value] {
                put_length(&mut block, text.len());
                block.extend_from_slice(text.as_bytes());
            }
        }
        block
    }

    fn unpacked(mut block: &[u8]) -> Result<Self, Fault> {
        let count = take_length(&mut block)?;
        if count > MAX_HEADERS {
            return Err(Fault::Headers("there are too many"));
        }
        let mut headers = Self::new();
        for _ in 0..count {
            let name = take_text(&mut block)?;
            let value = take_text(&mut block)?;
            if name.is_empty() {
                return Err(Fault::Headers("a name is empty"));
            }
            headers = headers.with(&name, value);
        }
        if !block.is_empty() {
            return Err(Fault::Headers("something follows the last one"));
        }
        Ok(headers)
    }
}

fn put_length(block: &mut Vec<u8>, length: usize) {
    // Headers of our own are short.
    block.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
}

fn take_length(block: &mut &[u8]) -> Result<u32, Fault> {
    let (length, rest) = block.split_first_chunk().ok_or(Fault::Headers("they end too early"))?;
    *block = rest;
    Ok(u32::from_be_bytes(*length))
}

fn take_text(block: &mut &[u8]) -> Result<String, Fault> {
    let length = take_length(block)? as usize;
    let text = block.split_at_checked(length).ok_or(Fault::Headers("they end too early"))?;
    *block = text.1;
    Ok(String::from_utf8_lossy(text.0).into_owned())
}

/// Unpacks the header blocks of one direction of a connection, in order.
pub(super) struct Unpacker {
    inflate: Box<DecompressorOxide>,
    /// What was unpacked last, in a circle.
    window: Box<[u8]>,
    at: usize,
    begun: bool,
}

impl fmt::Debug for Unpacker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unpacker").field("begun", &self.begun).finish_non_exhaustive()
    }
}

impl Unpacker {
    pub(super) fn new() -> Self {
        Self {
            inflate: Box::new(DecompressorOxide::new()),
            window: vec![0; WINDOW].into_boxed_slice(),
            at: 0,
            begun: false,
        }
    }

    /// Unpacks the next block. After a fault nothing more can be unpacked.
    pub(super) fn unpack(&mut self, mut packed: &[u8]) -> Result<Headers, Fault> {
        if !self.begun {
            packed = self.begin(packed)?;
        }
        let mut block = Vec::new();
        loop {
            let flags = miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
            let (status, read, wrote) =
                decompress(&mut self.inflate, packed, &mut self.window, self.at, flags);
            block.extend_from_slice(&self.window[self.at..self.at + wrote]);
            if block.len() > MAX_BLOCK {
                return Err(Fault::Headers("they are too long"));
            }
            packed = &packed[read..];
            self.at = (self.at + wrote) % WINDOW;
            match status {
                TINFLStatus::HasMoreOutput => {}
                TINFLStatus::NeedsMoreInput if packed.is_empty() => break,
                _ => return Err(Fault::Headers("they are not compressed as they should be")),
            }
        }
        Headers::unpacked(&block)
    }

    /// Reads the head of the zlib stream, which names the dictionary.
    fn begin<'a>(&mut self, packed: &'a [u8]) -> Result<&'a [u8], Fault> {
        let wrong = Fault::Headers("they do not begin a zlib stream");
        let Some((&[method, flags], mut rest)) = packed.split_first_chunk() else {
            return Err(wrong);
        };
        if method & 0x0f != 8 || u16::from_be_bytes([method, flags]) % 31 != 0 {
            return Err(wrong);
        }
        if flags & HAS_DICTIONARY != 0 {
            let Some((id, after)) = rest.split_first_chunk() else { return Err(wrong) };
            if u32::from_be_bytes(*id) != DICTIONARY_ID {
                return Err(Fault::Headers("they name an unknown dictionary"));
            }
            self.window[..DICTIONARY.len()].copy_from_slice(DICTIONARY);
            self.at = DICTIONARY.len();
            rest = after;
        }
        self.begun = true;
        Ok(rest)
    }
}

/// Packs the header blocks of one direction of a connection.
///
/// Without compression, which the format allows: the blocks that are sent here are a few words.
#[derive(Debug, Default)]
pub(super) struct Packer {
    begun: bool,
}

impl Packer {
    pub(super) fn pack(&mut self, headers: &Headers) -> Vec<u8> {
        let mut packed = Vec::new();
        if !self.begun {
            self.begun = true;
            packed.extend_from_slice(&ZLIB_HEADER);
            packed.extend_from_slice(&DICTIONARY_ID.to_be_bytes());
        }
        for chunk in headers.packed().chunks(MAX_STORED) {
            let length = u16::try_from(chunk.len()).unwrap_or(u16::MAX);
            packed.push(0);
            packed.extend_from_slice(&length.to_le_bytes());
            packed.extend_from_slice(&(!length).to_le_bytes());
            packed.extend_from_slice(chunk);
        }
        // An empty block, without which Go's readers keep what came before to themselves.
        packed.extend_from_slice(&[0, 0, 0, 0xff, 0xff]);
        packed
    }
}
