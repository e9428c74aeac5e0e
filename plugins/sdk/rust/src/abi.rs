//! The C side: structures, and what the exported functions do.

use crate::describe::MethodOptions;
use crate::host::{self, HostTable};
use crate::table::{forget, release, Guard};
use crate::tlv::{self, Value};
use crate::uses;
use crate::value::{Birth, Ret, Size, Slot};
use crate::{Error, PluginBox};
use std::any::Any;
use std::cell::Cell;
use std::ffi::CStr;
use std::os::raw::c_char;
use std::panic::{self, catch_unwind, AssertUnwindSafe};
use std::ptr;

const SHORT_BUFFER: i32 = -1;
const INVALID_TYPE: i32 = -2;
const INVALID_METHOD: i32 = -3;

/// The method that makes an instance.
pub const BIRTH: u32 = 0;
const FINI: u32 = u32::MAX;

/// Room below which an error goes without a message.
const MIN_MESSAGE: usize = 24;

/// `NyashMethodInfo`.
#[repr(C)]
pub struct MethodInfo {
    pub method_id: u32,
    /// Ends in NUL.
    pub name: *const c_char,
    pub signature: u32,
}

// SAFETY: the name is a constant.
unsafe impl Sync for MethodInfo {}

/// `NyashPluginInfo`.
#[repr(C)]
pub struct PluginInfo {
    type_id: u32,
    type_name: *const c_char,
    method_count: usize,
    methods: *const MethodInfo,
}

/// `NyashCall`, one call of a batch.
#[repr(C)]
pub struct BatchCall {
    type_id: u32,
    method_id: u32,
    instance_id: u32,
    code: i32,
    args: *const u8,
    args_len: usize,
    result: *mut u8,
    result_len: usize,
}

/// `NyashTypeBox`.
#[repr(C)]
pub struct TypeBox {
    abi_tag: u32,
    version: u16,
    struct_size: u16,
    name: *const c_char,
    resolve: unsafe extern "C" fn(*const c_char) -> u32,
    invoke_id: InvokeId,
    capabilities: u64,
}

type InvokeId = unsafe extern "C" fn(u32, u32, *const u8, usize, *mut u8, *mut usize) -> i32;

// SAFETY: the name is a constant.
unsafe impl Sync for TypeBox {}

impl TypeBox {
    pub const fn new(
        class: &Class,
        resolve: unsafe extern "C" fn(*const c_char) -> u32,
        invoke_id: InvokeId,
    ) -> Self {
        TypeBox {
            abi_tag: 0x5459_4258,
            version: 1,
            struct_size: std::mem::size_of::<TypeBox>() as u16,
            name: class.c_name.as_ptr() as *const c_char,
            resolve,
            invoke_id,
            capabilities: 0,
        }
    }
}

/// The id of a method; 0 for a name that the box does not have, and for birth.
///
/// # Safety
///
/// `name` ends in NUL.
pub unsafe fn resolve(class: &Class, name: *const c_char) -> u32 {
    // SAFETY: the caller's promise, and constants.
    let same = |m: &&MethodInfo| unsafe { CStr::from_ptr(m.name) == CStr::from_ptr(name) };
    class.methods.iter().find(same).map_or(0, |m| m.method_id)
}

/// All that the library knows of a box.
pub struct Class {
    pub type_id: u32,
    /// Ends in NUL.
    pub c_name: &'static str,
    pub methods: &'static [MethodInfo],
    pub dispatch: fn(&Call<'_>, &mut Reply) -> Result<(), Failure>,
    pub fini: fn(u32) -> Result<(), Failure>,
    pub clear: fn(),
}

/// A call's way to end without a result.
pub enum Failure {
    /// The buffer has to have so many bytes. Nothing has happened.
    Short(usize),
    Error(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Error(error)
    }
}

/// What a method is called with.
pub struct Call<'m> {
    pub method_id: u32,
    instance_id: u32,
    message: &'m [u8],
}

impl<'m> Call<'m> {
    pub fn instance<T: PluginBox>(&self) -> Result<Guard<T>, Error> {
        T::table().get(self.instance_id).map(Guard::new)
    }

    /// Reads the whole message, so that nothing malformed gets any further.
    pub fn args<const N: usize>(&self, optional: [bool; N]) -> Result<Args<'m, N>, Error> {
        let malformed = |e: tlv::Error| {
            let text = format!("malformed arguments: {}", e);
            match e.kind {
                tlv::Kind::Utf8 => Error::new(crate::Code::InvalidUtf8, text),
                _ => Error::args(text),
            }
        };
        let mut values = [None; N];
        let mut count = 0;
        for entry in tlv::Entries::new(self.message).map_err(malformed)? {
            let value = entry.map_err(malformed)?;
            if count < N {
                values[count] = Some(value);
            }
            count += 1;
        }
        let least = optional.iter().filter(|may| !**may).count();
        if count < least || count > N {
            let wanted = match (least, N) {
                (_, 0) => "no arguments".to_string(),
                (1, 1) => "1 argument".to_string(),
                _ if least == N => format!("{} arguments", N),
                _ => format!("{} to {} arguments", least, N),
            };
            return Err(Error::args(format!("wanted {}, got {}", wanted, count)));
        }
        Ok(Args {
            values,
            next: Cell::new(0),
        })
    }

    pub fn unknown_method<T: PluginBox>(&self) -> Failure {
        let text = format!("{} has no method with id {}", T::NAME, self.method_id);
        Failure::Error(Error::numbered(INVALID_METHOD, text))
    }
}

/// The arguments that are still to be read.
pub struct Args<'m, const N: usize> {
    values: [Option<Value<'m>>; N],
    next: Cell<usize>,
}

impl<'m, const N: usize> Args<'m, N> {
    pub fn next(&self, name: &'static str) -> Slot<'m> {
        let at = self.next.get();
        self.next.set(at + 1);
        Slot {
            value: self.values[at],
            number: at + 1,
            name,
        }
    }
}

/// The host's room for the result.
pub struct Reply {
    buffer: *mut u8,
    room: usize,
    /// What goes into `*result_len`, if it changes.
    written: Option<usize>,
}

impl Reply {
    /// Looks whether the result of a method will fit, before it runs.
    pub fn room<R: Ret>(&self, options: &MethodOptions) -> Result<(), Failure> {
        let head = tlv::HEADER_SIZE + tlv::ENTRY_SIZE;
        self.bytes(match R::SIZE {
            Size::Nothing => 0,
            Size::Payload(size) => head + size,
            Size::UpToMax => head + options.max,
        })
    }

    fn bytes(&self, need: usize) -> Result<(), Failure> {
        if self.room < need {
            return Err(Failure::Short(need));
        }
        Ok(())
    }

    pub(crate) fn put_nothing(&mut self) {
        self.written = Some(0);
    }

    /// Writes one value. Its room has been looked at before.
    pub(crate) fn put(&mut self, value: Value<'_>) -> Result<(), Error> {
        let message;
        let mut small = [0; 24];
        let bytes: &[u8] = match value {
            // The usual ones go without memory from the heap.
            Value::I64(v) => {
                small[..8].copy_from_slice(&[1, 0, 1, 0, 3, 0, 8, 0]);
                small[8..16].copy_from_slice(&v.to_le_bytes());
                &small[..16]
            }
            Value::String(text) if text.len() <= 16 => {
                small[..8].copy_from_slice(&[1, 0, 1, 0, 6, 0, text.len() as u8, 0]);
                small[8..8 + text.len()].copy_from_slice(text.as_bytes());
                &small[..8 + text.len()]
            }
            _ => {
                message = tlv::encode(&[value])?;
                &message
            }
        };
        self.raw(bytes)
    }

    fn raw(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if bytes.len() > self.room {
            return Err("the result does not fit".into()); // never, after room
        }
        // SAFETY: there is so much room, and it is the host's, not ours.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.buffer, bytes.len()) };
        self.written = Some(bytes.len());
        Ok(())
    }

    /// Writes the message of an error, cut to the room that there is.
    fn put_message(&mut self, text: &str) {
        self.written = None;
        if self.room < MIN_MESSAGE {
            return;
        }
        let mut end = text.len().min(self.room - 8).min(tlv::MAX_PAYLOAD);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let _ = self.put(Value::String(&text[..end]));
    }
}

/// Runs a method and takes its result. A panic becomes an error.
pub fn run<R: Ret>(
    reply: &mut Reply,
    options: &MethodOptions,
    method: impl FnOnce() -> R,
) -> Result<(), Failure> {
    Ok(caught(|| method().put(reply, options.max))?)
}

/// Looks whether there is room for an instance's id, and makes the instance.
pub fn bear<T: PluginBox, B: Birth<T>>(
    reply: &mut Reply,
    birth: impl FnOnce() -> B,
) -> Result<(), Failure> {
    reply.bytes(4)?;
    let instance = caught(|| birth().born())?;
    let id = T::table().insert(instance);
    Ok(reply.raw(&id.to_le_bytes())?)
}

/// Ends an instance. Calls that are under way go on, and the last drops it.
pub fn fini<T: PluginBox>(id: u32) -> Result<(), Failure> {
    if release(T::table().remove(id)?) {
        return Ok(());
    }
    Err(Error::from(format!("{} panicked at its end", T::NAME)).into())
}

fn caught<R>(f: impl FnOnce() -> Result<R, Error>) -> Result<R, Error> {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|payload| {
        let error = Error::from(format!("panicked: {}", payload_text(&*payload)));
        forget(payload);
        Err(error)
    })
}

fn payload_text(payload: &(dyn Any + Send)) -> &str {
    if let Some(text) = payload.downcast_ref::<&str>() {
        return text;
    }
    payload
        .downcast_ref::<String>()
        .map_or("(no message)", |text| text)
}

/// Panics go to the host's log, not to standard error, which is the host's.
fn log_panics() {
    panic::set_hook(Box::new(|info| {
        let text = payload_text(info.payload());
        let line = match info.location() {
            Some(place) => format!("panicked at {}: {}", place, text),
            None => format!("panicked: {}", text),
        };
        host::log(host::Level::Error, &line);
    }));
}

/// # Safety
///
/// As nyash_plugin_init.
pub unsafe fn init(classes: &[&Class], host: *const HostTable, info: *mut PluginInfo) -> i32 {
    // SAFETY: the host's table lives as long as the process.
    unsafe { host::connect(host) };
    log_panics();
    if let (Some(class), false) = (classes.first(), info.is_null()) {
        // SAFETY: there is one to be filled in.
        unsafe {
            (*info).type_id = class.type_id;
            (*info).type_name = class.c_name.as_ptr() as *const c_char;
            (*info).method_count = class.methods.len();
            (*info).methods = class.methods.as_ptr();
        }
    }
    0
}

/// # Safety
///
/// As nyash_plugin_invoke.
pub unsafe fn invoke(
    classes: &[&Class],
    (type_id, method_id, instance_id): (u32, u32, u32),
    (args, args_len): (*const u8, usize),
    (result, result_len): (*mut u8, *mut usize),
) -> i32 {
    let message: &[u8] = match args.is_null() || args_len == 0 {
        true => &[],
        // SAFETY: the host lends its message for the call.
        false => unsafe { std::slice::from_raw_parts(args, args_len) },
    };
    let room = match result.is_null() || result_len.is_null() {
        true => 0,
        // SAFETY: it points at the buffer's capacity.
        false => unsafe { *result_len },
    };
    let call = Call {
        method_id,
        instance_id,
        message,
    };
    let mut reply = Reply {
        buffer: result,
        room,
        written: None,
    };
    let code = match answer(classes, type_id, &call, &mut reply) {
        Ok(()) => 0,
        Err(Failure::Short(need)) => {
            reply.written = Some(need);
            SHORT_BUFFER
        }
        Err(Failure::Error(e)) => {
            reply.put_message(e.message());
            e.number()
        }
    };
    if let (Some(length), false) = (reply.written, result_len.is_null()) {
        // SAFETY: as above.
        unsafe { *result_len = length };
    }
    code
}

fn answer(
    classes: &[&Class],
    type_id: u32,
    call: &Call<'_>,
    reply: &mut Reply,
) -> Result<(), Failure> {
    let class = match classes.iter().find(|class| class.type_id == type_id) {
        Some(class) => class,
        None => {
            let text = format!("there is no box with type id {} here", type_id);
            return Err(Error::numbered(INVALID_TYPE, text).into());
        }
    };
    // Methods catch their own panics; this is for what is left.
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        if call.method_id == FINI {
            (class.fini)(call.instance_id)?;
            reply.put_nothing();
            return Ok(());
        }
        (class.dispatch)(call, reply)
    }));
    outcome.unwrap_or_else(|payload| {
        let text = format!("panicked: {}", payload_text(&*payload));
        forget(payload);
        Err(Error::from(text).into())
    })
}

/// # Safety
///
/// As nyash_plugin_invoke_batch.
pub unsafe fn invoke_batch(classes: &[&Class], calls: *mut BatchCall, count: usize) -> usize {
    for i in 0..count {
        // SAFETY: there are so many calls, each as invoke wants it; they are the
        // host's to give and nobody else's while this runs.
        let code = unsafe {
            let call = &mut *calls.add(i);
            call.code = invoke(
                classes,
                (call.type_id, call.method_id, call.instance_id),
                (call.args, call.args_len),
                (call.result, &mut call.result_len),
            );
            call.code
        };
        if code == SHORT_BUFFER {
            return i + 1;
        }
    }
    count
}

/// Drops all instances; calls that are under way keep theirs.
pub fn shutdown(classes: &[&Class]) {
    for class in classes {
        (class.clear)();
    }
    release(panic::take_hook());
    uses::disconnect();
}
