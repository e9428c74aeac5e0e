//! BID-1 TLV, the bytes in which arguments and results cross.
//!
//! A plugin that is written with [`plugin!`](crate::plugin) never meets them.
//! This module is for tests, and for those who write hosts or tools.
//!
//! ```
//! use nyash::tlv::{self, Value};
//!
//! let message = tlv::encode(&[Value::String("a.txt"), Value::I64(7)])?;
//! assert_eq!(tlv::decode(&message)?, [Value::String("a.txt"), Value::I64(7)]);
//!
//! let error = tlv::decode(&message[..9]).unwrap_err();
//! assert_eq!((error.kind, error.offset), (tlv::Kind::Truncated, 8));
//! # Ok::<(), tlv::Error>(())
//! ```

use std::fmt;

/// The version of the format.
pub const VERSION: u16 = 1;
/// The bytes in front of the entries.
pub const HEADER_SIZE: usize = 4;
/// The bytes in front of an entry's payload.
pub const ENTRY_SIZE: usize = 4;
/// The largest payload of an entry, and the largest number of entries.
pub const MAX_PAYLOAD: usize = 65_535;

/// One entry of a message. Text and bytes are borrowed from it.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum Value<'a> {
    Bool(bool),
    I32(i32),
    I64(i64),
    F32(f32),
    F64(f64),
    String(&'a str),
    Bytes(&'a [u8]),
    /// An instance of a box.
    Handle {
        type_id: u32,
        instance_id: u32,
    },
    Void,
    /// Memory elsewhere: the address is only a number here.
    Blob {
        address: u64,
        length: u64,
    },
}

impl<'a> Value<'a> {
    /// A [`Value::String`] of bytes that may not be UTF-8.
    pub fn string(bytes: &'a [u8]) -> Result<Self, Error> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Value::String(text)),
            Err(e) => Err(Error::new(Kind::Utf8, e.valid_up_to())),
        }
    }

    /// The tag that stands for the type.
    pub fn tag(&self) -> u8 {
        match self {
            Value::Bool(_) => 1,
            Value::I32(_) => 2,
            Value::I64(_) => 3,
            Value::F32(_) => 4,
            Value::F64(_) => 5,
            Value::String(_) => 6,
            Value::Bytes(_) => 7,
            Value::Handle { .. } => 8,
            Value::Void => 9,
            Value::Blob { .. } => 10,
        }
    }

    /// The name of the type: `bool`, `i64` and so on.
    pub fn type_name(&self) -> &'static str {
        tag_name(self.tag())
    }
}

/// What is wrong with a message. [`Kind::name`] gives the names of the
/// conformance vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Another version than 1.
    Version,
    /// The message ends before what it promises.
    Truncated,
    /// An unknown tag.
    Tag,
    /// A tag that is reserved for later.
    ReservedTag,
    /// The byte behind a tag is not 0.
    ReservedByte,
    /// Not the size that the tag has.
    Size,
    /// Bytes behind the last entry.
    Trailing,
    /// A string that is not UTF-8.
    Utf8,
    /// A payload of more than 65,535 bytes.
    TooLarge,
    /// More than 65,535 entries.
    TooMany,
}

impl Kind {
    /// A short name for tools.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Version => "version",
            Kind::Truncated => "truncated",
            Kind::Tag => "tag",
            Kind::ReservedTag => "reserved_tag",
            Kind::ReservedByte => "reserved_byte",
            Kind::Size => "size",
            Kind::Trailing => "trailing",
            Kind::Utf8 => "utf8",
            Kind::TooLarge => "too_large",
            Kind::TooMany => "too_many",
        }
    }
}

/// A message that is refused: why, and at which byte of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// What is wrong.
    pub kind: Kind,
    /// The first byte that is wrong, counted from the message's start.
    pub offset: usize,
}

impl Error {
    fn new(kind: Kind, offset: usize) -> Self {
        Error { kind, offset }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            Kind::Version => "another TLV version than 1",
            Kind::Truncated => "the message ends too early",
            Kind::Tag => "unknown tag",
            Kind::ReservedTag => "reserved tag",
            Kind::ReservedByte => "the reserved byte is not 0",
            Kind::Size => "wrong size for the type",
            Kind::Trailing => "bytes behind the last entry",
            Kind::Utf8 => "string is not UTF-8",
            Kind::TooLarge => "more than 65535 bytes in one entry",
            Kind::TooMany => "more than 65535 entries",
        };
        write!(f, "{} at byte {}", what, self.offset)
    }
}

impl std::error::Error for Error {}

fn tag_name(tag: u8) -> &'static str {
    const NAMES: [&str; 11] = [
        "?", "bool", "i32", "i64", "f32", "f64", "string", "bytes", "handle", "void", "blob",
    ];
    NAMES.get(usize::from(tag)).copied().unwrap_or("?")
}

/// Reads the entries of a message one after another, without allocating. After
/// an error there is nothing more.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    message: &'a [u8],
    at: usize,
    left: usize,
    done: bool,
}

impl<'a> Entries<'a> {
    /// Reads the header.
    pub fn new(message: &'a [u8]) -> Result<Self, Error> {
        if message.len() < HEADER_SIZE {
            return Err(Error::new(Kind::Truncated, message.len()));
        }
        if u16::from_le_bytes([message[0], message[1]]) != VERSION {
            return Err(Error::new(Kind::Version, 0));
        }
        let left = usize::from(u16::from_le_bytes([message[2], message[3]]));
        Ok(Entries {
            message,
            at: HEADER_SIZE,
            left,
            done: false,
        })
    }

    /// How many entries are promised by the header and have not been read.
    pub fn left(&self) -> usize {
        self.left
    }

    fn read(&mut self) -> Result<Value<'a>, Error> {
        let at = self.at;
        let rest = &self.message[at..];
        if rest.len() < ENTRY_SIZE {
            return Err(Error::new(Kind::Truncated, at));
        }
        let (tag, size) = (rest[0], usize::from(u16::from_le_bytes([rest[2], rest[3]])));
        let fixed = match tag {
            1 => Some(1),
            2 | 4 => Some(4),
            3 | 5 | 8 => Some(8),
            6 | 7 => None,
            9 => Some(0),
            10 => Some(16),
            20..=22 => return Err(Error::new(Kind::ReservedTag, at)),
            _ => return Err(Error::new(Kind::Tag, at)),
        };
        if rest[1] != 0 {
            return Err(Error::new(Kind::ReservedByte, at + 1));
        }
        if fixed.map_or(false, |fixed| size != fixed) {
            return Err(Error::new(Kind::Size, at + 2));
        }
        let start = at + ENTRY_SIZE;
        let p = match rest[ENTRY_SIZE..].get(..size) {
            Some(payload) => payload,
            None => return Err(Error::new(Kind::Truncated, start)),
        };
        let value = match tag {
            1 => Value::Bool(p[0] != 0),
            2 => Value::I32(u32_at(p, 0) as i32),
            3 => Value::I64(u64_at(p, 0) as i64),
            4 => Value::F32(f32::from_bits(u32_at(p, 0))),
            5 => Value::F64(f64::from_bits(u64_at(p, 0))),
            6 => match Value::string(p) {
                Ok(value) => value,
                Err(e) => return Err(Error::new(Kind::Utf8, start + e.offset)),
            },
            7 => Value::Bytes(p),
            8 => Value::Handle {
                type_id: u32_at(p, 0),
                instance_id: u32_at(p, 4),
            },
            9 => Value::Void,
            _ => Value::Blob {
                address: u64_at(p, 0),
                length: u64_at(p, 8),
            },
        };
        self.at = start + size;
        self.left -= 1;
        Ok(value)
    }
}

fn u32_at(p: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([p[at], p[at + 1], p[at + 2], p[at + 3]])
}

fn u64_at(p: &[u8], at: usize) -> u64 {
    u64::from(u32_at(p, at)) | u64::from(u32_at(p, at + 4)) << 32
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Value<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        if self.left > 0 {
            let read = self.read();
            self.done = read.is_err();
            return Some(read);
        }
        self.done = true;
        if self.at < self.message.len() {
            return Some(Err(Error::new(Kind::Trailing, self.at)));
        }
        None
    }
}

/// Reads a whole message.
pub fn decode(message: &[u8]) -> Result<Vec<Value<'_>>, Error> {
    Entries::new(message)?.collect()
}

/// Writes a whole message, or refuses what cannot be represented.
pub fn encode(values: &[Value<'_>]) -> Result<Vec<u8>, Error> {
    let count = match u16::try_from(values.len()) {
        Ok(count) => count,
        Err(_) => return Err(Error::new(Kind::TooMany, 2)),
    };
    let mut message = Vec::with_capacity(HEADER_SIZE + values.len() * (ENTRY_SIZE + 8));
    message.extend_from_slice(&VERSION.to_le_bytes());
    message.extend_from_slice(&count.to_le_bytes());
    for value in values {
        append(&mut message, value)?;
    }
    Ok(message)
}

fn append(message: &mut Vec<u8>, value: &Value<'_>) -> Result<(), Error> {
    let mut fixed = [0; 16];
    let payload: &[u8] = match *value {
        Value::Bool(v) => put(&mut fixed, &[u8::from(v)]),
        Value::I32(v) => put(&mut fixed, &v.to_le_bytes()),
        Value::I64(v) => put(&mut fixed, &v.to_le_bytes()),
        Value::F32(v) => put(&mut fixed, &v.to_bits().to_le_bytes()),
        Value::F64(v) => put(&mut fixed, &v.to_bits().to_le_bytes()),
        Value::String(text) => text.as_bytes(),
        Value::Bytes(bytes) => bytes,
        Value::Handle {
            type_id,
            instance_id,
        } => pair(
            &mut fixed,
            &type_id.to_le_bytes(),
            &instance_id.to_le_bytes(),
        ),
        Value::Void => &[],
        Value::Blob { address, length } => {
            pair(&mut fixed, &address.to_le_bytes(), &length.to_le_bytes())
        }
    };
    let size = match u16::try_from(payload.len()) {
        Ok(size) => size,
        Err(_) => return Err(Error::new(Kind::TooLarge, message.len() + 2)),
    };
    message.extend_from_slice(&[value.tag(), 0]);
    message.extend_from_slice(&size.to_le_bytes());
    message.extend_from_slice(payload);
    Ok(())
}

fn put<'b>(to: &'b mut [u8; 16], from: &[u8]) -> &'b [u8] {
    to[..from.len()].copy_from_slice(from);
    &to[..from.len()]
}

fn pair<'b>(to: &'b mut [u8; 16], first: &[u8], second: &[u8]) -> &'b [u8] {
    put(to, first);
    let end = first.len() + second.len();
    to[first.len()..end].copy_from_slice(second);
    &to[..end]
}
