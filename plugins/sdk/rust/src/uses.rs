//! The other direction: calls to the boxes of the host.

use crate::abi::Reply;
use crate::host::{Blob, BlobBuf};
use crate::table::Ref;
use crate::tlv::{self, Value};
use crate::value::{Arg, Ret, Size, Slot};
use crate::{Code, Error, PluginBox};
use std::ffi::CString;
use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::os::raw::c_char;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

type Resolve = unsafe extern "C" fn(*const c_char, *const c_char, *mut u32, *mut u32) -> i32;
type Invoke = unsafe extern "C" fn(u32, u32, u32, *const u8, usize, *mut u8, *mut usize) -> i32;

/// `NyashHostCalls`.
#[repr(C)]
pub struct HostCalls {
    struct_size: u32,
    version: u32,
    resolve: Option<Resolve>,
    invoke: Option<Invoke>,
}

#[cfg(target_family = "wasm")]
impl HostCalls {
    pub(crate) const fn of_module(resolve: Resolve, invoke: Invoke) -> HostCalls {
        HostCalls {
            struct_size: mem::size_of::<HostCalls>() as u32,
            version: VERSION,
            resolve: Some(resolve),
            invoke: Some(invoke),
        }
    }
}

const VERSION: u32 = 1;
const E_SHORT_BUFFER: i32 = -1;
const E_VERSION: i32 = -9;
const BIRTH: u32 = 0;
const FINI: u32 = u32::MAX;

/// Between connect and shutdown.
static CALLS: AtomicPtr<HostCalls> = AtomicPtr::new(ptr::null_mut());
/// How often the host has connected: ids are good for one life of the library.
static LIFE: AtomicU32 = AtomicU32::new(0);

/// Held while [`LIFE`] or what depends on it changes, and never while anything is called.
fn lock() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// # Safety
///
/// As nyash_plugin_connect.
pub unsafe fn connect(host: *const HostCalls) -> i32 {
    if host.is_null() {
        return E_VERSION;
    }
    // SAFETY: the first two fields are always there.
    let (size, version) = unsafe { ((*host).struct_size, (*host).version) };
    if version != VERSION || (size as usize) < mem::size_of::<HostCalls>() {
        return E_VERSION;
    }
    let _locked = lock();
    LIFE.fetch_add(1, Ordering::Release);
    CALLS.store(host as *mut HostCalls, Ordering::Release);
    0
}

/// From then on nothing is called.
pub(crate) fn disconnect() {
    CALLS.store(ptr::null_mut(), Ordering::Release);
}

fn calls() -> Option<&'static HostCalls> {
    // SAFETY: the host's functions live as long as the process.
    unsafe { CALLS.load(Ordering::Acquire).as_ref() }
}

/// A box of the host or of another plugin that this one calls: what `use` in
/// [`plugin!`](crate::plugin) makes a type of.
pub trait UsedBox: Sized + 'static {
    /// The box's name, as nyash.toml has it.
    const NAME: &'static str;
    #[doc(hidden)]
    const ONLY: &'static [&'static str];
    #[doc(hidden)]
    fn methods() -> &'static Methods;
}

/// The methods of a box that were called. Where a name is says where to look for
/// it, as what is `'static` stays there.
pub struct Methods([Method; Methods::COUNT]);

struct Method {
    name: AtomicPtr<u8>,
    length: AtomicUsize,
    /// The type's in the upper half; good in that life.
    ids: AtomicU64,
    life: AtomicU32,
}

impl Methods {
    const COUNT: usize = 32;
    #[allow(clippy::declare_interior_mutable_const)]
    const EMPTY: Method = Method {
        name: AtomicPtr::new(ptr::null_mut()),
        length: AtomicUsize::new(0),
        ids: AtomicU64::new(0),
        life: AtomicU32::new(0),
    };

    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        Methods([Self::EMPTY; Self::COUNT])
    }

    /// None where all places are taken: then the host is asked each time.
    fn find(&self, name: &'static str) -> Option<&Method> {
        let key = name.as_ptr() as *mut u8;
        let start = key as usize / 4;
        for n in 0..Self::COUNT {
            let method = &self.0[(start + n) % Self::COUNT];
            let mut found = method.name.load(Ordering::Acquire);
            if found.is_null() {
                let _locked = lock();
                found = method.name.load(Ordering::Acquire);
                if found.is_null() {
                    method.length.store(name.len(), Ordering::Relaxed);
                    method.name.store(key, Ordering::Release);
                    found = key;
                }
            }
            let length = method.length.load(Ordering::Relaxed);
            // SAFETY: they are the parts of a &'static str.
            let known = unsafe { std::slice::from_raw_parts(found, length) };
            if known == name.as_bytes() {
                return Some(method);
            }
        }
        None
    }
}

/// A method of a box, and what is known of it.
struct Target {
    name: &'static str,
    method: &'static str,
    only: &'static [&'static str],
    known: Option<&'static Method>,
}

impl Target {
    fn new<T: UsedBox>(method: &'static str) -> Self {
        Target {
            name: T::NAME,
            method,
            only: T::ONLY,
            known: T::methods().find(method),
        }
    }

    fn error(&self, code: Code, text: impl fmt::Display) -> Error {
        Error::new(code, format!("{}.{}: {}", self.name, self.method, text))
    }

    fn mistake(&self, text: &str) -> Error {
        self.error(Code::Plugin, text)
    }

    /// With one method of a singleton comes its birth.
    fn listed(&self) -> bool {
        self.only.is_empty()
            || self.method == "birth"
            || self.only.iter().any(|only| {
                let name = only.split(':').next();
                name == Some(self.method)
            })
    }

    fn ids(&self, calls: &HostCalls, life: u32) -> Result<(u32, u32), Error> {
        if let Some(known) = self.known {
            if known.life.load(Ordering::Acquire) == life {
                let ids = known.ids.load(Ordering::Acquire);
                return Ok(((ids >> 32) as u32, ids as u32));
            }
        }
        if !self.listed() {
            return Err(
                self.mistake("a mistake in the plugin: its `use` does not have this method")
            );
        }
        let names = (CString::new(self.name), CString::new(self.method));
        let (name, method) = match names {
            (Ok(name), Ok(method)) => (name, method),
            _ => return Err(self.mistake("a mistake in the plugin: a name with a NUL")),
        };
        let (mut type_id, mut method_id) = (0, 0);
        let code = match calls.resolve {
            // SAFETY: the names end in NUL, and the host only writes the ids.
            Some(resolve) => unsafe {
                resolve(name.as_ptr(), method.as_ptr(), &mut type_id, &mut method_id)
            },
            None => E_VERSION,
        };
        if code != 0 {
            return Err(self.error(Code::of(code), meaning(code)));
        }
        if let Some(known) = self.known {
            let _locked = lock();
            if LIFE.load(Ordering::Acquire) == life {
                let ids = u64::from(type_id) << 32 | u64::from(method_id);
                known.ids.store(ids, Ordering::Release);
                known.life.store(life, Ordering::Release);
            }
        }
        Ok((type_id, method_id))
    }

    /// Makes the call. The answer is read by `take`.
    fn call<R>(
        &self,
        on: Option<Handle>,
        message: &[u8],
        take: impl FnOnce(&mut Answer<'_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let life = LIFE.load(Ordering::Acquire);
        let calls = match calls() {
            Some(calls) => calls,
            None if life == 0 => {
                return Err(self.mistake("the host cannot be called: it has not connected"))
            }
            None => {
                return Err(self.mistake("the host cannot be called: it has shut the plugin down"))
            }
        };
        let (type_id, method_id) = self.ids(calls, life)?;
        if (method_id == BIRTH) != on.is_none() {
            return Err(self.error(
                Code::Other(-3),
                match on {
                    Some(_) => "a mistake in the plugin: a birth has no instance",
                    None => "a mistake in the plugin: it makes no instance",
                },
            ));
        }
        let instance_id = match on {
            Some(handle) => {
                handle
                    .check(life)
                    .map_err(|e| self.error(e.code(), e.message()))?;
                if handle.type_id != type_id {
                    return Err(self.error(Code::InvalidArgs, "the handle is that of another box"));
                }
                handle.instance_id
            }
            None => 0,
        };
        let invoke = match calls.invoke {
            Some(invoke) => invoke,
            None => return Err(self.error(Code::of(E_VERSION), meaning(E_VERSION))),
        };

        let mut small = [0; 1024];
        let mut large = Vec::new();
        let mut buffer: &mut [u8] = &mut small;
        // The host keeps an answer that does not fit for this thread, so that the second call gets
        // it.
        for _ in 0..8 {
            buffer[..tlv::HEADER_SIZE].fill(0);
            let mut length = buffer.len();
            // SAFETY: the message is lent for the call, and the buffer has this length.
            let code = unsafe {
                invoke(
                    type_id,
                    method_id,
                    instance_id,
                    message.as_ptr(),
                    message.len(),
                    buffer.as_mut_ptr(),
                    &mut length,
                )
            };
            if code == E_SHORT_BUFFER && length > buffer.len() {
                large.clear();
                if large.try_reserve_exact(length).is_err() {
                    let text = format!("out of memory for a result of {} bytes", length);
                    return Err(self.error(Code::OutOfMemory, text));
                }
                large.resize(length, 0);
                buffer = &mut large;
                continue;
            }
            if code == E_SHORT_BUFFER {
                break;
            }
            if code != 0 {
                let written = buffer.get(..length).unwrap_or(&[]);
                return Err(self.refused(code, written));
            }
            let written = match buffer.get(..length) {
                Some(written) => written,
                None => {
                    return Err(self
                        .mistake("a mistake in the host: a result that is longer than its room"))
                }
            };
            if on.is_none() && length == 4 {
                let id = u32::from_le_bytes([written[0], written[1], written[2], written[3]]);
                return take(&mut Answer::born(type_id, id, life));
            }
            if length == buffer.len() && written[..4] == [0; 4] {
                return take(&mut Answer::void(life)); // nothing was written
            }
            return match Answer::read(written, life) {
                Some(mut answer) => take(&mut answer),
                None => Err(self.mistake("a mistake in the host: the result is malformed")),
            };
        }
        Err(self.mistake("a mistake in the host: it asks for ever more room"))
    }

    /// The error of a code, with the message that the host has written.
    fn refused(&self, code: i32, written: &[u8]) -> Error {
        match tlv::decode(written).as_deref() {
            Ok([Value::String(text)]) if !text.is_empty() => self.error(Code::of(code), text),
            _ => self.error(Code::of(code), meaning(code)),
        }
    }
}

/// What a code means, for one that comes without a message.
fn meaning(code: i32) -> &'static str {
    match code {
        -2 => "there is no such box",
        -3 => "it has no such method",
        -4 => "invalid arguments",
        -6 => "out of memory",
        -7 => "invalid UTF-8",
        -8 => "invalid handle",
        -9 => "version mismatch",
        -10 => "not permitted: nyash.toml has to list it in uses",
        _ => "it failed",
    }
}

/// The ids of an instance.
#[derive(Clone, Copy, Debug)]
pub struct Handle {
    type_id: u32,
    instance_id: u32,
    life: u32,
}

impl Handle {
    fn check(self, life: u32) -> Result<(), Error> {
        if self.life == life && self.instance_id != 0 {
            return Ok(());
        }
        let text = "the handle is of the time before the plugin was shut down";
        Err(Error::new(Code::InvalidHandle, text))
    }

    fn value(self) -> Result<Value<'static>, Error> {
        self.check(LIFE.load(Ordering::Acquire))?;
        Ok(Value::Handle {
            type_id: self.type_id,
            instance_id: self.instance_id,
        })
    }

    fn give_up(self) {
        let invoke = calls().and_then(|calls| calls.invoke);
        if let (Some(invoke), true) = (invoke, self.life == LIFE.load(Ordering::Acquire)) {
            let (message, mut ignored) = ([1, 0, 0, 0], [0; 64]);
            let mut length = ignored.len();
            // SAFETY: as in Target::call.
            unsafe {
                invoke(
                    self.type_id,
                    FINI,
                    self.instance_id,
                    message.as_ptr(),
                    message.len(),
                    ignored.as_mut_ptr(),
                    &mut length,
                );
            }
        }
    }
}

/// What a call was answered. A hold or a blob that nobody takes is given back.
pub struct Answer<'b> {
    value: Value<'b>,
    life: u32,
}

impl<'b> Answer<'b> {
    fn void(life: u32) -> Self {
        Answer {
            value: Value::Void,
            life,
        }
    }

    fn born(type_id: u32, instance_id: u32, life: u32) -> Self {
        let value = Value::Handle {
            type_id,
            instance_id,
        };
        Answer { value, life }
    }

    /// Reads a message of at most one value.
    fn read(message: &'b [u8], life: u32) -> Option<Self> {
        if message.is_empty() {
            return Some(Answer::void(life));
        }
        let mut entries = tlv::Entries::new(message).ok()?;
        let value = match entries.left() {
            0 => Value::Void,
            1 => entries.next()?.ok()?,
            _ => return None,
        };
        match entries.next() {
            None => Some(Answer { value, life }),
            Some(_) => None,
        }
    }

    fn take(&mut self) -> Value<'b> {
        mem::replace(&mut self.value, Value::Void)
    }
}

impl Drop for Answer<'_> {
    fn drop(&mut self) {
        match self.value {
            Value::Handle {
                type_id,
                instance_id,
            } => {
                let life = self.life;
                let handle = Handle {
                    type_id,
                    instance_id,
                    life,
                };
                handle.give_up();
            }
            // SAFETY: a blob that is a result is the caller's.
            Value::Blob { address, length } => drop(unsafe { BlobBuf::adopt(address, length) }),
            _ => {}
        }
    }
}

/// A hold on an instance of a box of the host or of another plugin, made by `make` of
/// its type or the result of a call. Dropping it gives up the hold, and as the result
/// of a method it passes the hold on. Of a singleton each is a hold on the shared
/// instance.
pub struct Held<T: UsedBox> {
    handle: Handle,
    of: PhantomData<fn() -> T>,
}

impl<T: UsedBox> Held<T> {
    fn new(handle: Handle) -> Self {
        Held {
            handle,
            of: PhantomData,
        }
    }

    #[doc(hidden)]
    pub fn make(args: impl Args) -> Result<Self, Error> {
        let target = Target::new::<T>("birth");
        target.call(None, &message(&target, args)?, |answer| {
            take(&target, answer)
        })
    }

    /// Calls a method. `R` is the type of the result ([`Take`]); the arguments are a
    /// tuple ([`Args`]).
    pub fn call<R: Take>(&self, method: &'static str, args: impl Args) -> Result<R, Error> {
        call::<T, R>(self.handle, method, args)
    }

    /// Lends the box, for as long as the hold is there.
    pub fn lend(&self) -> Lent<'_, T> {
        Lent::new(self.handle)
    }
}

impl<T: UsedBox> Drop for Held<T> {
    fn drop(&mut self) {
        self.handle.give_up();
    }
}

impl<T: UsedBox> fmt::Debug for Held<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", T::NAME, self.handle.instance_id)
    }
}

/// An instance of a box of the host or of another plugin that is lent to a method, as
/// an argument: until it returns.
pub struct Lent<'a, T: UsedBox> {
    handle: Handle,
    of: PhantomData<fn() -> T>,
    during: PhantomData<&'a ()>,
}

impl<T: UsedBox> Lent<'_, T> {
    fn new(handle: Handle) -> Self {
        Lent {
            handle,
            of: PhantomData,
            during: PhantomData,
        }
    }

    /// As [`Held::call`].
    pub fn call<R: Take>(&self, method: &'static str, args: impl Args) -> Result<R, Error> {
        call::<T, R>(self.handle, method, args)
    }
}

impl<T: UsedBox> Clone for Lent<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: UsedBox> Copy for Lent<'_, T> {}

impl<T: UsedBox> fmt::Debug for Lent<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", T::NAME, self.handle.instance_id)
    }
}

fn call<T: UsedBox, R: Take>(
    on: Handle,
    method: &'static str,
    args: impl Args,
) -> Result<R, Error> {
    let target = Target::new::<T>(method);
    target.call(Some(on), &message(&target, args)?, |answer| {
        take(&target, answer)
    })
}

fn message(target: &Target, args: impl Args) -> Result<Vec<u8>, Error> {
    args.encode()
        .map_err(|e| target.error(e.code(), e.message()))
}

fn take<R: Take>(target: &Target, answer: &mut Answer<'_>) -> Result<R, Error> {
    let got = answer.value.type_name();
    let wrong = || target.mistake(&format!("the result is {}, wanted {}", got, R::WANTED));
    R::take(answer).ok_or_else(wrong)
}

impl<'a, T: UsedBox> Arg<'a> for Lent<'a, T> {
    const TO: &'static str = "handle";
    const FROM: &'static str = "box";
    type Held = Handle;
    fn read(slot: Slot<'a>) -> Result<Handle, Error> {
        match slot.value {
            Some(Value::Handle {
                type_id,
                instance_id,
            }) => Ok(Handle {
                type_id,
                instance_id,
                life: LIFE.load(Ordering::Acquire),
            }),
            _ => Err(slot.unlike(&format!("handle of {}", T::NAME))),
        }
    }
    fn lend(held: &'a Handle) -> Self {
        Lent::new(*held)
    }
}

impl<T: UsedBox> Ret for Held<T> {
    const RETURNS: &'static str = "handle";
    const SIZE: Size = Size::Payload(8);
    fn put(self, reply: &mut Reply, _: usize) -> Result<(), Error> {
        reply.put(self.handle.value()?)?;
        mem::forget(self);
        Ok(())
    }
}

impl<T: UsedBox> Ret for Lent<'_, T> {
    const RETURNS: &'static str = "handle";
    const SIZE: Size = Size::Payload(8);
    fn put(self, reply: &mut Reply, _: usize) -> Result<(), Error> {
        reply.put(self.handle.value()?)
    }
}

/// A type that an argument of a call may have. The host compares it with what
/// nyash.toml declares and converts nothing: where that is i64, `7i64` is wanted.
///
/// | type | on the wire |
/// |---|---|
/// | `bool`, `i32`, `i64`, `f32`, `f64` | the same |
/// | `&str`, `String` | string, of at most 65,535 bytes |
/// | `&[u8]`, `Vec<u8>` | bytes, of at most 65,535 bytes |
/// | [`Blob`], [`BlobBuf`] | blob |
/// | [`Held`], [`Lent`] | handle |
/// | [`Ref<T>`](Ref), where `T` is a box of this library | handle |
/// | references to these | the same |
pub trait Pass {
    #[doc(hidden)]
    fn pass(&self) -> Result<Value<'_>, Error>;
}

macro_rules! pass {
    ($($t:ty, |$v:ident| $value:expr;)+) => { $(
        impl Pass for $t {
            fn pass(&self) -> Result<Value<'_>, Error> {
                let $v = self;
                Ok($value)
            }
        }
    )+ };
}

pass! {
    bool, |v| Value::Bool(*v);
    i32, |v| Value::I32(*v);
    i64, |v| Value::I64(*v);
    f32, |v| Value::F32(*v);
    f64, |v| Value::F64(*v);
    str, |v| Value::String(v);
    String, |v| Value::String(v);
    [u8], |v| Value::Bytes(v);
    Vec<u8>, |v| Value::Bytes(v);
    Blob<'_>, |v| blob(v);
    BlobBuf, |v| blob(v);
}

fn blob(bytes: &[u8]) -> Value<'_> {
    Value::Blob {
        address: match bytes.len() {
            0 => 0,
            _ => bytes.as_ptr() as usize as u64,
        },
        length: bytes.len() as u64,
    }
}

impl<const N: usize> Pass for [u8; N] {
    fn pass(&self) -> Result<Value<'_>, Error> {
        Ok(Value::Bytes(self))
    }
}

impl<P: Pass + ?Sized> Pass for &P {
    fn pass(&self) -> Result<Value<'_>, Error> {
        (**self).pass()
    }
}

impl<T: UsedBox> Pass for Held<T> {
    fn pass(&self) -> Result<Value<'_>, Error> {
        self.handle.value()
    }
}

impl<T: UsedBox> Pass for Lent<'_, T> {
    fn pass(&self) -> Result<Value<'_>, Error> {
        self.handle.value()
    }
}

impl<T: PluginBox> Pass for Ref<T> {
    fn pass(&self) -> Result<Value<'_>, Error> {
        Ok(Value::Handle {
            type_id: T::TYPE_ID,
            instance_id: self.alive()?,
        })
    }
}

/// The arguments of a call: a tuple of up to eight values ([`Pass`]), `(7i64,)` and
/// `()` among them.
pub trait Args {
    #[doc(hidden)]
    fn encode(&self) -> Result<Vec<u8>, Error>;
}

/// The value of the argument i, if it can travel.
fn nth<P: Pass>(i: usize, argument: &P) -> Result<Value<'_>, Error> {
    let wrong = |code, text: &str| Error::new(code, format!("argument {}: {}", i, text));
    let value = argument.pass().map_err(|e| wrong(e.code(), e.message()))?;
    let length = match value {
        Value::String(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        _ => 0,
    };
    if length > tlv::MAX_PAYLOAD {
        let text = format!(
            "it has {} bytes, at most {} can be passed but in a blob",
            length,
            tlv::MAX_PAYLOAD
        );
        return Err(wrong(Code::InvalidArgs, &text));
    }
    Ok(value)
}

macro_rules! args {
    ($(($($name:ident $number:literal),*))+) => { $(
        impl<$($name: Pass),*> Args for ($($name,)*) {
            fn encode(&self) -> Result<Vec<u8>, Error> {
                #[allow(non_snake_case)]
                let ($($name,)*) = self;
                Ok(tlv::encode(&[$(nth($number, $name)?),*])?)
            }
        }
    )+ };
}

args! {
    ()
    (A 1)
    (A 1, B 2)
    (A 1, B 2, C 3)
    (A 1, B 2, C 3, D 4)
    (A 1, B 2, C 3, D 4, E 5)
    (A 1, B 2, C 3, D 4, E 5, F 6)
    (A 1, B 2, C 3, D 4, E 5, F 6, G 7)
    (A 1, B 2, C 3, D 4, E 5, F 6, G 7, H 8)
}

/// A type that the result of a call may have; another result is an error.
///
/// | type | taken |
/// |---|---|
/// | `()` | anything, which is dropped |
/// | `bool`, `i32`, `f32` | the same |
/// | `i64` | i64, i32 |
/// | `f64` | f64, f32 |
/// | `String` | string |
/// | `Vec<u8>` | bytes, string |
/// | [`BlobBuf`] | blob |
/// | [`Held`] | handle |
/// | `Option` of these but `()` | the same, or void |
pub trait Take: Sized {
    #[doc(hidden)]
    const WANTED: &'static str;
    #[doc(hidden)]
    fn take(answer: &mut Answer<'_>) -> Option<Self>;
}

impl Take for () {
    const WANTED: &'static str = "anything";
    fn take(_: &mut Answer<'_>) -> Option<()> {
        Some(())
    }
}

macro_rules! take {
    ($($t:ty, $wanted:literal, { $($pattern:pat => $value:expr),+ };)+) => { $(
        impl Take for $t {
            const WANTED: &'static str = $wanted;
            fn take(answer: &mut Answer<'_>) -> Option<$t> {
                match answer.value {
                    $($pattern => Some($value),)+
                    _ => None,
                }
            }
        }
    )+ };
}

take! {
    bool, "bool", { Value::Bool(v) => v };
    i32, "i32", { Value::I32(v) => v };
    i64, "i64 or i32", { Value::I64(v) => v, Value::I32(v) => i64::from(v) };
    f32, "f32", { Value::F32(v) => v };
    f64, "f64 or f32", { Value::F64(v) => v, Value::F32(v) => f64::from(v) };
    String, "string", { Value::String(v) => v.to_string() };
    Vec<u8>, "bytes or string", { Value::Bytes(v) => v.to_vec(), Value::String(v) => v.as_bytes().to_vec() };
}

impl Take for BlobBuf {
    const WANTED: &'static str = "blob";
    fn take(answer: &mut Answer<'_>) -> Option<BlobBuf> {
        match answer.value {
            Value::Blob { address, length } => {
                answer.take();
                // SAFETY: a blob that is a result is the caller's, here once.
                Some(unsafe { BlobBuf::adopt(address, length) })
            }
            _ => None,
        }
    }
}

impl<T: UsedBox> Take for Held<T> {
    const WANTED: &'static str = "handle";
    fn take(answer: &mut Answer<'_>) -> Option<Held<T>> {
        match answer.value {
            Value::Handle {
                type_id,
                instance_id,
            } if instance_id != 0 => {
                answer.take();
                Some(Held::new(Handle {
                    type_id,
                    instance_id,
                    life: answer.life,
                }))
            }
            _ => None,
        }
    }
}

impl<R: Take> Take for Option<R> {
    const WANTED: &'static str = R::WANTED;
    fn take(answer: &mut Answer<'_>) -> Option<Option<R>> {
        match answer.value {
            Value::Void => Some(None),
            _ => R::take(answer).map(Some),
        }
    }
}
