//! The exported functions, called as a host calls them, where a Go host does
//! not get at what is to be seen.

use nyash::tlv::{self, Value};
use nyash::{BlobBuf, Error, PluginBox};
use std::os::raw::c_char;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{mpsc, Mutex, MutexGuard};
use std::time::Duration;

static DROPPED: AtomicUsize = AtomicUsize::new(0);
static CALLS: AtomicUsize = AtomicUsize::new(0);
static GATE: Mutex<Option<mpsc::Receiver<()>>> = Mutex::new(None);
static BLOCKS: AtomicUsize = AtomicUsize::new(0);

struct Thing {
    drop_panics: bool,
}

struct BadPayload;

impl Drop for BadPayload {
    fn drop(&mut self) {
        panic!("the payload panics too");
    }
}

impl Drop for Thing {
    fn drop(&mut self) {
        DROPPED.fetch_add(1, SeqCst);
        if self.drop_panics {
            panic!("no end");
        }
    }
}

impl Thing {
    fn new(drop_panics: Option<bool>) -> Result<Self, &'static str> {
        let drop_panics = drop_panics.unwrap_or(false);
        Ok(Thing { drop_panics })
    }
    fn wait(&self, _other: &Thing) -> i64 {
        let gate = GATE.lock().unwrap().take().unwrap();
        gate.recv().unwrap();
        DROPPED.load(SeqCst) as i64
    }
    fn number(&self) -> i64 {
        CALLS.fetch_add(1, SeqCst) as i64
    }
    fn text(&self, length: i32) -> String {
        CALLS.fetch_add(1, SeqCst);
        "é".repeat(length as usize)
    }
    fn short_text(&self, length: i32) -> String {
        self.text(length)
    }
    fn blob(&self) -> Result<BlobBuf, Error> {
        CALLS.fetch_add(1, SeqCst);
        BlobBuf::copy_of(b"blob")
    }
    fn nothing(&self) {}
    fn fail(&self) -> Result<(), Error> {
        Err("é".repeat(40_000).into())
    }
    fn payload(&self) {
        std::panic::panic_any(BadPayload)
    }
    fn lost_blob(&self) -> Result<BlobBuf, Error> {
        let _dropped = BlobBuf::zeroed(1 << 20)?;
        panic!("with a blob in hand")
    }
}

nyash::plugin! {
    box Thing (type_id = 9) {
        birth => new(drop_panics: Option<bool>);
        1 => wait(other: &Thing) -> i64;
        2 => number() -> i64;
        3 => text(length: i32) -> String;
        4 => short_text(length: i32) -> String, max = 20;
        5 => blob() -> Result<BlobBuf, Error>;
        6 => nothing();
        7 => fail() -> Result<(), Error>;
        8 => payload();
        9 => lost_blob() -> Result<BlobBuf, Error>;
    }
}

#[repr(C)]
struct Host {
    alloc: unsafe extern "C" fn(usize) -> *mut u8,
    free: unsafe extern "C" fn(*mut u8),
    wake: unsafe extern "C" fn(u64),
    log: unsafe extern "C" fn(i32, *const c_char),
}

#[repr(C)]
struct Call {
    type_id: u32,
    method_id: u32,
    instance_id: u32,
    code: i32,
    args: *const u8,
    args_len: usize,
    result: *mut u8,
    result_len: usize,
}

extern "C" {
    fn nyash_plugin_init(host: *const Host, info: *mut u8) -> i32;
    fn nyash_plugin_invoke(
        type_id: u32,
        method_id: u32,
        instance_id: u32,
        args: *const u8,
        args_len: usize,
        result: *mut u8,
        result_len: *mut usize,
    ) -> i32;
    fn nyash_plugin_invoke_batch(calls: *mut Call, count: usize) -> usize;
    fn nyash_plugin_shutdown();
    fn malloc(size: usize) -> *mut u8;
    fn free(block: *mut u8);
}

unsafe extern "C" fn count_alloc(size: usize) -> *mut u8 {
    BLOCKS.fetch_add(1, SeqCst);
    malloc(size)
}
unsafe extern "C" fn count_free(block: *mut u8) {
    BLOCKS.fetch_sub(1, SeqCst);
    free(block)
}
unsafe extern "C" fn no_wake(_: u64) {}
unsafe extern "C" fn no_log(_: i32, _: *const c_char) {}

static HOST: Host = Host {
    alloc: count_alloc,
    free: count_free,
    wake: no_wake,
    log: no_log,
};

/// The library is one for all tests, so they run one after another.
struct Library(#[allow(dead_code)] MutexGuard<'static, ()>);

impl Library {
    fn init() -> Library {
        static ONE: Mutex<()> = Mutex::new(());
        let library = Library(ONE.lock().unwrap_or_else(|e| e.into_inner()));
        library.start();
        library
    }

    fn start(&self) {
        assert_eq!(unsafe { nyash_plugin_init(&HOST, null_mut()) }, 0);
        DROPPED.store(0, SeqCst);
        CALLS.store(0, SeqCst);
    }

    fn shutdown(&self) {
        unsafe { nyash_plugin_shutdown() };
        assert_eq!(BLOCKS.load(SeqCst), 0, "blocks of the host's are left");
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        self.shutdown();
    }
}

const FINI: u32 = u32::MAX;

/// The code, the length that came back, and the buffer.
fn call(method: u32, id: u32, args: &[Value<'_>], room: usize) -> (i32, usize, Vec<u8>) {
    let message = tlv::encode(args).unwrap();
    let mut result = vec![0xEE; room + 8];
    let mut length = room;
    let (args, size) = (message.as_ptr(), message.len());
    let code =
        unsafe { nyash_plugin_invoke(9, method, id, args, size, result.as_mut_ptr(), &mut length) };
    assert_eq!(result[room..], [0xEE; 8], "written behind the buffer");
    (code, length, result)
}

fn value(method: u32, id: u32, args: &[Value<'_>]) -> i64 {
    let (code, length, result) = call(method, id, args, 70_000);
    assert_eq!(code, 0);
    match tlv::decode(&result[..length]).unwrap()[..] {
        [Value::I64(n)] => n,
        ref other => panic!("{:?}", other),
    }
}

fn message(method: u32, id: u32, args: &[Value<'_>]) -> (i32, String) {
    let (code, length, result) = call(method, id, args, 70_000);
    match tlv::decode(&result[..length]).unwrap()[..] {
        [Value::String(text)] => (code, text.to_string()),
        ref other => panic!("{}: {:?}", code, other),
    }
}

fn birth(args: &[Value<'_>]) -> u32 {
    let (code, length, result) = call(0, 0, args, 4);
    assert_eq!((code, length), (0, 4));
    u32::from_le_bytes([result[0], result[1], result[2], result[3]])
}

#[test]
fn fini_during_a_call_drops_afterwards() {
    let _library = Library::init();
    let (id, lent) = (birth(&[]), birth(&[]));
    let (open, gate) = mpsc::channel();
    *GATE.lock().unwrap() = Some(gate);
    let handle = Value::Handle {
        type_id: Thing::TYPE_ID,
        instance_id: lent,
    };
    std::thread::scope(|s| {
        let waiting = s.spawn(|| value(1, id, &[handle]));
        while GATE.lock().unwrap().is_some() {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(call(FINI, id, &[], 0).0, 0);
        assert_eq!(call(FINI, lent, &[], 0).0, 0);
        assert_eq!(message(2, id, &[]).0, -8);
        assert_eq!(message(FINI, id, &[]).0, -8);
        open.send(()).unwrap();
        assert_eq!(waiting.join().unwrap(), 0, "dropped under the call");
    });
    assert_eq!(DROPPED.load(SeqCst), 2);
}

#[test]
fn shutdown_drops_what_is_left_and_ids_are_not_used_again() {
    let library = Library::init();
    let ids = [birth(&[]), birth(&[]), birth(&[Value::Bool(true)])];
    library.shutdown();
    assert_eq!(DROPPED.load(SeqCst), 3);

    library.start(); // no other test has its turn in between
    let next = birth(&[]);
    assert!(!ids.contains(&next));
    for id in ids {
        assert_eq!(call(2, id, &[], 100).0, -8);
    }
    assert_eq!(value(2, next, &[]), 0);
}

#[test]
fn a_short_buffer_comes_before_the_call() {
    let _library = Library::init();
    let id = birth(&[]);
    let length = [Value::I32(3)];
    let cases: [(u32, &[Value<'_>], usize); 4] = [
        (2, &[], 16),
        (3, &length, 8 + 65_535),
        (4, &length, 8 + 20),
        (5, &[], 24),
    ];
    for (method, args, need) in cases {
        CALLS.store(0, SeqCst);
        for room in [0, 1, 7, 8, need - 1] {
            let (code, asked, _) = call(method, id, args, room);
            assert_eq!(
                (code, asked),
                (-1, need),
                "method {}, {} bytes",
                method,
                room
            );
        }
        assert_eq!(CALLS.load(SeqCst), 0, "method {} ran", method);
        let (code, written, result) = call(method, id, args, need);
        assert_eq!(code, 0);
        assert_eq!(CALLS.load(SeqCst), 1);
        if let Value::Blob { address, length } = tlv::decode(&result[..written]).unwrap()[0] {
            assert_eq!(length, 4);
            unsafe { count_free(address as usize as *mut u8) };
        }
    }
    for room in 0..4 {
        assert_eq!(call(0, 0, &[], room).1, 4);
    }
    assert_eq!(call(6, id, &[], 0).0, 0); // void needs nothing
    assert_eq!(call(6, id, &[], 100).1, 0);
    let (code, text) = message(4, id, &[Value::I32(11)]);
    assert_eq!(
        (code, &*text),
        (-5, "the result has 22 bytes, and may have 20")
    );
    assert_eq!(message(3, id, &[Value::I32(40_000)]).0, -5);
}

#[test]
fn error_messages_are_cut_between_characters() {
    let _library = Library::init();
    let id = birth(&[]);
    for room in [0, 8, 23] {
        let (code, length, result) = call(7, id, &[], room);
        assert_eq!((code, length), (-5, room));
        assert!(result.iter().all(|byte| *byte == 0xEE));
    }
    for room in [24, 25, 100, 65_542, 65_543, 70_000] {
        let (code, length, result) = call(7, id, &[], room);
        assert_eq!(code, -5);
        assert!(length + 2 > room.min(65_543) && length <= room.min(65_543));
        assert!(tlv::decode(&result[..length]).is_ok());
    }
}

#[test]
fn panics_are_errors() {
    let _library = Library::init();
    let id = birth(&[]);
    assert_eq!(message(8, id, &[]), (-5, "panicked: (no message)".into()));
    assert_eq!(
        message(9, id, &[]),
        (-5, "panicked: with a blob in hand".into())
    );
    let bad = birth(&[Value::Bool(true)]);
    assert_eq!(
        message(FINI, bad, &[]),
        (-5, "Thing panicked at its end".into())
    );
    assert_eq!(value(2, id, &[]), 0);
}

#[test]
fn nothing_where_pointers_should_be() {
    let _library = Library::init();
    let id = birth(&[]);
    unsafe {
        let nothing = null_mut();
        assert_eq!(
            nyash_plugin_invoke(9, 2, id, null(), 0, nothing, nothing as _),
            -4
        );
        let mut length = 100;
        assert_eq!(
            nyash_plugin_invoke(9, 2, id, null(), 9, nothing, &mut length),
            -4
        );
        assert_eq!(
            nyash_plugin_invoke(9, FINI, id, null(), 0, nothing, nothing as _),
            0
        );
        assert_eq!(
            nyash_plugin_invoke(8, 2, id, null(), 0, nothing, nothing as _),
            -2
        );
    }
}

#[test]
fn a_batch_ends_behind_a_short_buffer() {
    let _library = Library::init();
    let id = birth(&[]);
    let none = tlv::encode(&[]).unwrap();
    let mut results = [[0u8; 32]; 4];
    let mut calls = Vec::new();
    for (i, result) in results.iter_mut().enumerate() {
        calls.push(Call {
            type_id: 9,
            method_id: [2, 99, 2, 2][i],
            instance_id: id,
            code: 7,
            args: none.as_ptr(),
            args_len: none.len(),
            result: result.as_mut_ptr(),
            result_len: [32, 32, 3, 32][i],
        });
    }
    assert_eq!(
        unsafe { nyash_plugin_invoke_batch(calls.as_mut_ptr(), 4) },
        3
    );
    let codes: Vec<i32> = calls.iter().map(|call| call.code).collect();
    assert_eq!(codes, [0, -3, -1, 7]);
    assert_eq!(calls[2].result_len, 16);
    assert_eq!(unsafe { nyash_plugin_invoke_batch(null_mut(), 0) }, 0);
}

#[test]
fn many_threads_make_and_end_instances() {
    let _library = Library::init();
    let ids = Mutex::new(Vec::new());
    std::thread::scope(|s| {
        for _ in 0..8 {
            s.spawn(|| {
                for _ in 0..500 {
                    let id = birth(&[]);
                    value(2, id, &[]);
                    ids.lock().unwrap().push(id);
                    if id % 2 == 0 {
                        assert_eq!(call(FINI, id, &[], 0).0, 0);
                    }
                }
            });
        }
    });
    let mut ids = ids.into_inner().unwrap();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 4000);
    assert_eq!(CALLS.load(SeqCst), 4000);
    let ended = ids.iter().filter(|id| **id % 2 == 0).count();
    assert_eq!(DROPPED.load(SeqCst), ended);
}
