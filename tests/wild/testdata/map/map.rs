//! MapBox: a map whose keys are strings and integers, written from the specification
//! alone. --cfg invoke_only and --cfg tables choose the generation, --cfg birth_handle has
//! birth answer a Handle.
#![crate_type = "cdylib"]

use std::collections::BTreeMap;
use std::sync::Mutex;

const MAP: u32 = 62;
const FINI: u32 = u32::MAX;

const SHORT_BUFFER: i32 = -1;
#[cfg(not(tables))]
const INVALID_TYPE: i32 = -2;
const INVALID_METHOD: i32 = -3;
const INVALID_ARGS: i32 = -4;
const PLUGIN: i32 = -5;
const INVALID_UTF8: i32 = -7;
const INVALID_HANDLE: i32 = -8;

const BOOL: u8 = 1;
const I32: u8 = 2;
const I64: u8 = 3;
const STRING: u8 = 6;
const BYTES: u8 = 7;
const HANDLE: u8 = 8;
const VOID: u8 = 9;

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Number(i64),
    Text(String),
}

/// A value as it came: its tag and its payload.
type Value = (u8, Vec<u8>);
type Map = BTreeMap<Key, Value>;

struct State {
    last: u32,
    maps: BTreeMap<u32, Map>,
}

static STATE: Mutex<State> = Mutex::new(State { last: 0, maps: BTreeMap::new() });

fn decode(message: &[u8]) -> Result<Vec<Value>, i32> {
    let number = |at: usize| -> Option<usize> { Some(usize::from(*message.get(at)?) | usize::from(*message.get(at + 1)?) << 8) };
    if number(0) != Some(1) {
        return Err(INVALID_ARGS);
    }
    let mut values = Vec::new();
    let mut at = 4;
    for _ in 0..number(2).ok_or(INVALID_ARGS)? {
        let size = number(at + 2).ok_or(INVALID_ARGS)?;
        let (tag, reserved) = (message[at], message[at + 1]);
        let payload = message.get(at + 4..at + 4 + size).ok_or(INVALID_ARGS)?;
        let expected = match tag {
            BOOL => 1,
            I32 | 4 => 4,
            I64 | 5 | HANDLE => 8,
            STRING | BYTES => size,
            VOID => 0,
            _ => return Err(INVALID_ARGS),
        };
        if reserved != 0 || size != expected {
            return Err(INVALID_ARGS);
        }
        if tag == STRING && std::str::from_utf8(payload).is_err() {
            return Err(INVALID_UTF8);
        }
        values.push((tag, payload.to_vec()));
        at += 4 + size;
    }
    if at == message.len() {
        Ok(values)
    } else {
        Err(INVALID_ARGS)
    }
}

fn key(value: &Value) -> Result<Key, i32> {
    match (value.0, &value.1[..]) {
        (STRING, text) => Ok(Key::Text(String::from_utf8_lossy(text).into_owned())),
        (I32, &[a, b, c, d]) => Ok(Key::Number(i64::from(i32::from_le_bytes([a, b, c, d])))),
        (I64, bytes) => Ok(Key::Number(i64::from_le_bytes(bytes.try_into().map_err(|_| INVALID_ARGS)?))),
        _ => Err(INVALID_ARGS),
    }
}

/// What can be kept: no Handle, which is lent for one call.
fn kept(value: &Value) -> Result<Value, i32> {
    if value.0 == HANDLE {
        return Err(INVALID_ARGS);
    }
    Ok(value.clone())
}

/// The caller's buffer.
struct Room {
    data: *mut u8,
    len: *mut usize,
    capacity: usize,
}

impl Room {
    /// Fails where an answer of so many bytes does not fit. It comes before what a method
    /// changes.
    fn fits(&self, size: usize) -> Result<(), i32> {
        if size <= self.capacity {
            return Ok(());
        }
        unsafe { *self.len = size };
        Err(SHORT_BUFFER)
    }

    fn raw(&self, bytes: &[u8]) -> Result<(), i32> {
        self.fits(bytes.len())?;
        unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.data, bytes.len());
            *self.len = bytes.len();
        }
        Ok(())
    }

    fn value(&self, tag: u8, payload: &[u8]) -> Result<(), i32> {
        if payload.len() > 0xffff {
            return Err(PLUGIN);
        }
        let size = payload.len() as u16;
        let mut message = vec![1, 0, 1, 0, tag, 0, size as u8, (size >> 8) as u8];
        message.extend_from_slice(payload);
        self.raw(&message)
    }

    fn int(&self, n: usize) -> Result<(), i32> {
        self.value(I64, &(n as i64).to_le_bytes())
    }

    fn bool(&self, b: bool) -> Result<(), i32> {
        self.value(BOOL, &[u8::from(b)])
    }
}

fn call(map: &mut Map, method: u32, args: &[Value], room: &Room) -> Result<(), i32> {
    match (method, args) {
        (1, [k, v]) => {
            map.insert(key(k)?, kept(v)?);
            room.raw(&[])
        }
        (2, [k]) => match map.get(&key(k)?) {
            Some((tag, payload)) => room.value(*tag, payload),
            None => room.value(VOID, &[]),
        },
        (2, [k, or]) => {
            let (tag, payload) = map.get(&key(k)?).unwrap_or(or);
            if *tag == HANDLE {
                return Err(INVALID_ARGS);
            }
            room.value(*tag, payload)
        }
        (3, [k]) => room.bool(map.contains_key(&key(k)?)),
        (4, [k]) => {
            room.fits(9)?;
            let had = map.remove(&key(k)?).is_some();
            room.bool(had)
        }
        (5, []) => room.int(map.len()),
        (6, []) => {
            let keys: Vec<String> = map
                .keys()
                .map(|k| match k {
                    Key::Number(n) => n.to_string(),
                    Key::Text(text) => text.clone(),
                })
                .collect();
            room.value(STRING, keys.join("\n").as_bytes())
        }
        (7, pairs) if pairs.len() % 2 == 0 => {
            room.fits(16)?;
            let mut added = Vec::new();
            for pair in pairs.chunks(2) {
                added.push((key(&pair[0])?, kept(&pair[1])?));
            }
            map.extend(added);
            room.int(map.len())
        }
        (1..=7, _) => Err(INVALID_ARGS),
        _ => Err(INVALID_METHOD),
    }
}

fn birth(state: &mut State, room: &Room) -> Result<(), i32> {
    room.fits(16)?;
    state.last += 1;
    let id = state.last;
    state.maps.insert(id, Map::new());
    if cfg!(birth_handle) {
        return room.value(HANDLE, &[MAP.to_le_bytes(), id.to_le_bytes()].concat());
    }
    room.raw(&id.to_le_bytes())
}

unsafe fn serve(method: u32, instance: u32, args: *const u8, args_len: usize, result: *mut u8, result_len: *mut usize) -> i32 {
    if result_len.is_null() || (args.is_null() && args_len > 0) {
        return INVALID_ARGS;
    }
    let room = Room { data: result, len: result_len, capacity: if result.is_null() { 0 } else { *result_len } };
    let message = if args_len == 0 { &[][..] } else { std::slice::from_raw_parts(args, args_len) };
    let Ok(mut state) = STATE.lock() else { return PLUGIN };
    let done = match method {
        0 => decode(message).and_then(|args| if args.is_empty() { birth(&mut state, &room) } else { Err(INVALID_ARGS) }),
        FINI => state.maps.remove(&instance).map(|_| ()).ok_or(INVALID_HANDLE),
        _ => match state.maps.get_mut(&instance) {
            Some(map) => decode(message).and_then(|args| call(map, method, &args, &room)),
            None => Err(INVALID_HANDLE),
        },
    };
    done.err().unwrap_or(0)
}

/// # Safety
/// The pointers are as the host's contract says.
#[cfg(not(tables))]
#[no_mangle]
pub unsafe extern "C" fn nyash_plugin_invoke(
    type_id: u32,
    method: u32,
    instance: u32,
    args: *const u8,
    args_len: usize,
    result: *mut u8,
    result_len: *mut usize,
) -> i32 {
    if type_id != MAP {
        return INVALID_TYPE;
    }
    serve(method, instance, args, args_len, result, result_len)
}

#[cfg(not(any(tables, invoke_only)))]
mod four {
    use super::*;
    use std::os::raw::c_char;

    #[repr(C)]
    pub struct MethodInfo {
        id: u32,
        name: *const c_char,
        signature: u32,
    }

    #[repr(C)]
    pub struct PluginInfo {
        type_id: u32,
        type_name: *const c_char,
        method_count: usize,
        methods: *const MethodInfo,
    }

    #[no_mangle]
    pub extern "C" fn nyash_plugin_abi() -> u32 {
        1
    }

    /// The names of methods are nyash.toml's alone.
    ///
    /// # Safety
    /// `info` is the host's.
    #[no_mangle]
    pub unsafe extern "C" fn nyash_plugin_init(_host: *const u8, info: *mut PluginInfo) -> i32 {
        if info.is_null() {
            return INVALID_ARGS;
        }
        (*info).type_id = MAP;
        (*info).type_name = b"MapBox\0".as_ptr().cast();
        0
    }

    #[no_mangle]
    pub extern "C" fn nyash_plugin_shutdown() {
        if let Ok(mut state) = STATE.lock() {
            *state = State { last: 0, maps: BTreeMap::new() };
        }
    }
}

#[cfg(tables)]
mod tables {
    use super::*;
    use std::ffi::CStr;
    use std::os::raw::c_char;

    #[repr(C)]
    pub struct TypeBox {
        abi_tag: u32,
        version: u16,
        struct_size: u16,
        name: *const c_char,
        resolve: Option<unsafe extern "C" fn(*const c_char) -> u32>,
        invoke_id: unsafe extern "C" fn(u32, u32, *const u8, usize, *mut u8, *mut usize) -> i32,
        capabilities: u64,
    }

    const METHODS: [(&str, u32); 7] = [("set", 1), ("get", 2), ("has", 3), ("remove", 4), ("size", 5), ("keys", 6), ("setAll", 7)];

    // It never changes.
    unsafe impl Sync for TypeBox {}

    unsafe extern "C" fn resolve(name: *const c_char) -> u32 {
        let name = CStr::from_ptr(name).to_bytes();
        METHODS.iter().find(|(n, _)| n.as_bytes() == name).map_or(0, |(_, id)| *id)
    }

    unsafe extern "C" fn invoke(instance: u32, method: u32, args: *const u8, args_len: usize, result: *mut u8, result_len: *mut usize) -> i32 {
        serve(method, instance, args, args_len, result, result_len)
    }

    #[no_mangle]
    #[allow(non_upper_case_globals)]
    pub static nyash_typebox_MapBox: TypeBox = TypeBox {
        abi_tag: 0x54594258,
        version: 1,
        struct_size: std::mem::size_of::<TypeBox>() as u16,
        name: b"MapBox\0".as_ptr().cast(),
        resolve: Some(resolve),
        invoke_id: invoke,
        capabilities: 0,
    };
}
