//! Varints, tags and lengths.

use super::ProtobufError;

/// The wire types in use.
pub(crate) const VARINT: u8 = 0;
pub(super) const FIXED64: u8 = 1;
pub(crate) const BYTES: u8 = 2;
pub(super) const FIXED32: u8 = 5;

/// One value as the wire has it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32,
}

impl Wire<'_> {
    pub(super) fn kind(self) -> u8 {
        match self {
            Self::Varint(_) => VARINT,
            Self::Fixed64(_) => FIXED64,
            Self::Bytes(_) => BYTES,
            Self::Fixed32 => FIXED32,
        }
    }
}

/// Reads the fields of a message one by one.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn read(&mut self) -> Result<(u32, Wire<'a>), ProtobufError> {
        let tag = varint(&mut self.rest)?;
        let illegal = || ProtobufError::IllegalTag(tag);
        let number = u32::try_from(tag >> 3).map_err(|_| illegal())?;
        if number == 0 {
            return Err(illegal());
        }
        let value = match u8::try_from(tag & 7).map_err(|_| illegal())? {
            VARINT => Wire::Varint(varint(&mut self.rest)?),
            FIXED64 => {
                let (bytes, rest) =
                    self.rest.split_first_chunk().ok_or(ProtobufError::Truncated)?;
                self.rest = rest;
                Wire::Fixed64(u64::from_le_bytes(*bytes))
            }
            BYTES => {
                let length = varint(&mut self.rest)?;
                let length = usize::try_from(length).map_err(|_| ProtobufError::Truncated)?;
                let (bytes, rest) =
                    self.rest.split_at_checked(length).ok_or(ProtobufError::Truncated)?;
                self.rest = rest;
                Wire::Bytes(bytes)
            }
            FIXED32 => {
                self.rest = self.rest.get(4..).ok_or(ProtobufError::Truncated)?;
                Wire::Fixed32
            }
            _ => return Err(illegal()),
        };
        Ok((number, value))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Wire<'a>), ProtobufError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let item = self.read();
        if item.is_err() {
            self.rest = &[];
        }
        Some(item)
    }
}

/// Reads one varint off the front.
pub(super) fn varint(bytes: &mut &[u8]) -> Result<u64, ProtobufError> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or(ProtobufError::Truncated)?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(ProtobufError::Overflow)
}

pub(crate) fn put_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
}

pub(crate) fn put_tag(bytes: &mut Vec<u8>, number: u32, kind: u8) {
    put_varint(bytes, (u64::from(number) << 3) | u64::from(kind));
}

/// A whole number; negative ones take ten bytes, as `int32` and `int64` do.
pub(super) fn put_int(bytes: &mut Vec<u8>, number: u32, value: i64) {
    put_tag(bytes, number, VARINT);
    put_varint(bytes, value.cast_unsigned());
}

pub(super) fn put_bytes(bytes: &mut Vec<u8>, number: u32, value: &[u8]) {
    put_tag(bytes, number, BYTES);
    put_varint(bytes, value.len() as u64);
    bytes.extend_from_slice(value);
}
