//! The types of arguments and results.

use crate::abi::Reply;
use crate::host::{Blob, BlobBuf};
use crate::table::{Guard, Ref};
use crate::tlv::Value;
use crate::{Code, Error, PluginBox};

/// A type that an argument of a method may have.
///
/// | type | on the wire | also taken |
/// |---|---|---|
/// | `bool` | bool | |
/// | `i32`, `i64` | i32, i64 | the other one, in range |
/// | `f32`, `f64` | f32, f64 | the other one; integers that it can represent |
/// | `&str`, `String` | string | |
/// | `&[u8]`, `Vec<u8>` | bytes | string |
/// | [`Blob`] | blob | |
/// | `&T`, [`Ref<T>`](Ref), where `T` is a box of the library | handle | |
/// | [`Lent<T>`](crate::Lent), where `T` is a box of another library | handle | |
/// | `Option` of these, behind all others | the same, or nothing | void |
pub trait Arg<'a>: Sized {
    #[doc(hidden)]
    const TO: &'static str;
    #[doc(hidden)]
    const FROM: &'static str;
    #[doc(hidden)]
    const OPTIONAL: bool = false;
    /// What lives as long as the call.
    #[doc(hidden)]
    type Held;
    #[doc(hidden)]
    fn read(slot: Slot<'a>) -> Result<Self::Held, Error>;
    #[doc(hidden)]
    fn lend(held: &'a Self::Held) -> Self;
}

/// The place of an argument, with what came in it.
pub struct Slot<'a> {
    pub(crate) value: Option<Value<'a>>,
    pub(crate) number: usize,
    pub(crate) name: &'static str,
}

impl<'a> Slot<'a> {
    fn wrong(&self, what: &str) -> Error {
        Error::args(format!(
            "argument {} ({}): {}",
            self.number, self.name, what
        ))
    }

    pub(crate) fn unlike(&self, wanted: &str) -> Error {
        let got = self.value.map_or("nothing", |value| value.type_name());
        self.wrong(&format!("wanted {}, got {}", wanted, got))
    }
}

macro_rules! numbers {
    ($($t:ty, $to:literal, $from:literal, |$slot:ident| { $($pattern:pat => $take:expr),+ $(,)? })+) => { $(
        impl<'a> Arg<'a> for $t {
            const TO: &'static str = $to;
            const FROM: &'static str = $from;
            type Held = $t;
            fn read($slot: Slot<'a>) -> Result<$t, Error> {
                let taken: Option<$t> = match $slot.value {
                    $( Some($pattern) => $take, )+
                    _ => return Err($slot.unlike($to)),
                };
                taken.ok_or_else(|| $slot.wrong(concat!("out of range for ", $to)))
            }
            fn lend(held: &'a $t) -> $t {
                *held
            }
        }
    )+ };
}

numbers! {
    bool, "bool", "bool", |slot| { Value::Bool(v) => Some(v) }
    i32, "i32", "integer", |slot| { Value::I32(v) => Some(v), Value::I64(v) => i32::try_from(v).ok() }
    i64, "i64", "integer", |slot| { Value::I64(v) => Some(v), Value::I32(v) => Some(i64::from(v)) }
    f32, "f32", "float", |slot| {
        Value::F32(v) => Some(v),
        Value::F64(v) => Some(v as f32).filter(|narrow| narrow.is_finite() || !v.is_finite()),
        Value::I32(v) => Some(v as f32).filter(|float| *float as f64 == f64::from(v)),
        Value::I64(v) => Some(v as f32).filter(|float| *float as i128 == i128::from(v)),
    }
    f64, "f64", "float", |slot| {
        Value::F64(v) => Some(v),
        Value::F32(v) => Some(f64::from(v)),
        Value::I32(v) => Some(f64::from(v)),
        Value::I64(v) => Some(v as f64).filter(|float| *float as i128 == i128::from(v)),
    }
}

impl<'a> Arg<'a> for &'a str {
    const TO: &'static str = "string";
    const FROM: &'static str = "string";
    type Held = &'a str;
    fn read(slot: Slot<'a>) -> Result<&'a str, Error> {
        match slot.value {
            Some(Value::String(text)) => Ok(text),
            _ => Err(slot.unlike("string")),
        }
    }
    fn lend(held: &'a &'a str) -> &'a str {
        held
    }
}

impl<'a> Arg<'a> for &'a [u8] {
    const TO: &'static str = "bytes";
    const FROM: &'static str = "bytes";
    type Held = &'a [u8];
    fn read(slot: Slot<'a>) -> Result<&'a [u8], Error> {
        match slot.value {
            Some(Value::Bytes(bytes)) => Ok(bytes),
            Some(Value::String(text)) => Ok(text.as_bytes()),
            _ => Err(slot.unlike("bytes")),
        }
    }
    fn lend(held: &'a &'a [u8]) -> &'a [u8] {
        held
    }
}

/// Types that are made from a borrowed one.
macro_rules! owned {
    ($($t:ty, $borrowed:ty;)+) => { $(
        impl<'a> Arg<'a> for $t {
            const TO: &'static str = <$borrowed as Arg<'a>>::TO;
            const FROM: &'static str = <$borrowed as Arg<'a>>::FROM;
            type Held = $borrowed;
            fn read(slot: Slot<'a>) -> Result<$borrowed, Error> {
                <$borrowed as Arg<'a>>::read(slot)
            }
            fn lend(held: &'a $borrowed) -> $t {
                (*held).into()
            }
        }
    )+ };
}

owned! {
    String, &'a str;
    Vec<u8>, &'a [u8];
}

impl<'a> Arg<'a> for Blob<'a> {
    const TO: &'static str = "blob";
    const FROM: &'static str = "bytes";
    type Held = Blob<'a>;
    fn read(slot: Slot<'a>) -> Result<Blob<'a>, Error> {
        let (address, length) = match slot.value {
            Some(Value::Blob { address, length }) => (address, length),
            _ => return Err(slot.unlike("blob")),
        };
        if length == 0 {
            return Ok(Blob::new(&[]));
        }
        let (start, size) = match (usize::try_from(address), usize::try_from(length)) {
            (Ok(start), Ok(size)) if start != 0 && size <= isize::MAX as usize => (start, size),
            _ => return Err(slot.wrong("there is no such memory")),
        };
        if start.checked_add(size).is_none() {
            return Err(slot.wrong("there is no such memory"));
        }
        // SAFETY: the host lends this memory for the call, and a blob that is
        // lent to a method does not outlive it.
        Ok(Blob::new(unsafe {
            std::slice::from_raw_parts(start as *const u8, size)
        }))
    }
    fn lend(held: &'a Blob<'a>) -> Blob<'a> {
        *held
    }
}

fn instance<T: PluginBox>(slot: &Slot<'_>) -> Result<(u32, Guard<T>), Error> {
    let (type_id, id) = match slot.value {
        Some(Value::Handle {
            type_id,
            instance_id,
        }) => (type_id, instance_id),
        _ => return Err(slot.unlike(&format!("handle of {}", T::NAME))),
    };
    if type_id != T::TYPE_ID {
        let text = format!("wanted handle of {}, got one of type {}", T::NAME, type_id);
        return Err(slot.wrong(&text));
    }
    match T::table().get(id) {
        Ok(found) => Ok((id, Guard::new(found))),
        Err(e) => {
            let text = format!("argument {} ({}): {}", slot.number, slot.name, e.message());
            Err(Error::new(Code::InvalidHandle, text))
        }
    }
}

impl<'a, T: PluginBox> Arg<'a> for &'a T {
    const TO: &'static str = "handle";
    const FROM: &'static str = "box";
    type Held = Guard<T>;
    fn read(slot: Slot<'a>) -> Result<Guard<T>, Error> {
        instance(&slot).map(|(_, guard)| guard)
    }
    fn lend(held: &'a Guard<T>) -> &'a T {
        held
    }
}

impl<'a, T: PluginBox> Arg<'a> for Ref<T> {
    const TO: &'static str = "handle";
    const FROM: &'static str = "box";
    type Held = (u32, Guard<T>);
    fn read(slot: Slot<'a>) -> Result<(u32, Guard<T>), Error> {
        instance(&slot)
    }
    fn lend(held: &'a (u32, Guard<T>)) -> Ref<T> {
        Ref::new(held.0, held.1.share())
    }
}

impl<'a, A: Arg<'a>> Arg<'a> for Option<A> {
    const TO: &'static str = A::TO;
    const FROM: &'static str = A::FROM;
    const OPTIONAL: bool = true;
    type Held = Option<A::Held>;
    fn read(slot: Slot<'a>) -> Result<Option<A::Held>, Error> {
        match slot.value {
            None | Some(Value::Void) => Ok(None),
            Some(_) => A::read(slot).map(Some),
        }
    }
    fn lend(held: &'a Option<A::Held>) -> Option<A> {
        held.as_ref().map(A::lend)
    }
}

/// A type that a method may return.
///
/// | type | on the wire |
/// |---|---|
/// | `()` | void |
/// | `bool`, `i32`, `i64`, `f32`, `f64` | the same |
/// | `String`, `&str` | string, of at most 65,535 bytes |
/// | `Vec<u8>`, `&[u8]` | bytes, of at most 65,535 bytes |
/// | [`BlobBuf`] | blob |
/// | `T`, where `T` is a box of the library | a handle of a new instance |
/// | [`Ref<T>`](Ref) | a handle of that instance |
/// | [`Held<T>`](crate::Held), [`Lent<T>`](crate::Lent) | a handle of that instance of another library |
/// | `Result<R, E>` of these, where `E` becomes an [`Error`] | `R`, or an error with its message |
pub trait Ret {
    #[doc(hidden)]
    const RETURNS: &'static str;
    #[doc(hidden)]
    const SIZE: Size;
    #[doc(hidden)]
    fn put(self, reply: &mut Reply, max: usize) -> Result<(), Error>;
}

/// What a result takes of the host's buffer.
pub enum Size {
    /// So many bytes of payload.
    Payload(usize),
    /// No bytes at all.
    Nothing,
    /// At most what the method declares.
    UpToMax,
}

impl Ret for () {
    const RETURNS: &'static str = "void";
    const SIZE: Size = Size::Nothing;
    fn put(self, reply: &mut Reply, _: usize) -> Result<(), Error> {
        reply.put_nothing();
        Ok(())
    }
}

macro_rules! plain {
    ($($t:ty, $returns:literal, $size:literal, $value:path;)+) => { $(
        impl Ret for $t {
            const RETURNS: &'static str = $returns;
            const SIZE: Size = Size::Payload($size);
            fn put(self, reply: &mut Reply, _: usize) -> Result<(), Error> {
                reply.put($value(self))
            }
        }
    )+ };
}

plain! {
    bool, "bool", 1, Value::Bool;
    i32, "i32", 4, Value::I32;
    i64, "i64", 8, Value::I64;
    f32, "f32", 4, Value::F32;
    f64, "f64", 8, Value::F64;
}

macro_rules! long {
    ($($t:ty, $returns:literal, $value:path;)+) => { $(
        impl Ret for $t {
            const RETURNS: &'static str = $returns;
            const SIZE: Size = Size::UpToMax;
            fn put(self, reply: &mut Reply, max: usize) -> Result<(), Error> {
                fits(self.len(), max)?;
                reply.put($value(&self))
            }
        }
    )+ };
}

long! {
    &str, "string", Value::String;
    String, "string", Value::String;
    &[u8], "bytes", Value::Bytes;
    Vec<u8>, "bytes", Value::Bytes;
}

fn fits(length: usize, max: usize) -> Result<(), Error> {
    if length <= max {
        return Ok(());
    }
    let text = format!("the result has {} bytes, and may have {}", length, max);
    Err(Error::new(Code::Plugin, text))
}

impl Ret for BlobBuf {
    const RETURNS: &'static str = "blob";
    const SIZE: Size = Size::Payload(16);
    fn put(self, reply: &mut Reply, _: usize) -> Result<(), Error> {
        let (address, length) = self.give()?;
        reply.put(Value::Blob { address, length })
    }
}

fn handle<T: PluginBox>(id: u32) -> Value<'static> {
    Value::Handle {
        type_id: T::TYPE_ID,
        instance_id: id,
    }
}

impl<T: PluginBox> Ret for T {
    const RETURNS: &'static str = T::NAME;
    const SIZE: Size = Size::Payload(8);
    fn put(self, reply: &mut Reply, _: usize) -> Result<(), Error> {
        reply.put(handle::<T>(T::table().insert(self)))
    }
}

impl<T: PluginBox> Ret for Ref<T> {
    const RETURNS: &'static str = T::NAME;
    const SIZE: Size = Size::Payload(8);
    fn put(self, reply: &mut Reply, _: usize) -> Result<(), Error> {
        reply.put(handle::<T>(self.alive()?))
    }
}

impl<R: Ret, E: Into<Error>> Ret for Result<R, E> {
    const RETURNS: &'static str = R::RETURNS;
    const SIZE: Size = R::SIZE;
    fn put(self, reply: &mut Reply, max: usize) -> Result<(), Error> {
        match self {
            Ok(result) => result.put(reply, max),
            Err(e) => Err(e.into()),
        }
    }
}

/// What a birth may return: the instance, or a `Result` of it.
pub trait Birth<T> {
    #[doc(hidden)]
    fn born(self) -> Result<T, Error>;
}

impl<T: PluginBox> Birth<T> for T {
    fn born(self) -> Result<T, Error> {
        Ok(self)
    }
}

impl<T: PluginBox, E: Into<Error>> Birth<T> for Result<T, E> {
    fn born(self) -> Result<T, Error> {
        self.map_err(Into::into)
    }
}
