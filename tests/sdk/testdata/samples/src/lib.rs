//! Boxes with every type of argument and result, and one that misbehaves.
#![forbid(unsafe_code)]

use nyash::{log, Blob, BlobBuf, Code, Error, Level, Ref};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::SeqCst};
use std::sync::{Condvar, Mutex};
use std::thread;

#[derive(Default)]
struct Sample {
    kept: Mutex<Vec<Ref<Part>>>,
}

impl Sample {
    fn bools(&self, v: bool) -> bool {
        v
    }
    fn i32s(&self, v: i32) -> i32 {
        v
    }
    fn i64s(&self, v: i64) -> i64 {
        v
    }
    fn f32s(&self, v: f32) -> f32 {
        v
    }
    fn f64s(&self, v: f64) -> f64 {
        v
    }
    fn texts(&self, v: &str) -> String {
        v.to_string()
    }
    fn owned_texts(&self, v: String) -> Result<String, Error> {
        Ok(v)
    }
    fn bytes(&self, v: &[u8]) -> Vec<u8> {
        v.to_vec()
    }
    fn owned_bytes(&self, v: Vec<u8>) -> Vec<u8> {
        v
    }
    fn blobs(&self, v: Blob<'_>) -> Result<BlobBuf, Error> {
        BlobBuf::copy_of(&v)
    }
    fn sum(&self, v: Blob<'_>) -> i64 {
        v.iter().map(|byte| i64::from(*byte)).sum()
    }
    fn ramp(&self, length: i64) -> Result<BlobBuf, Error> {
        if !(0..=1 << 24).contains(&length) {
            return Err(Error::new(Code::InvalidArgs, "0 to 16777216 bytes"));
        }
        let mut blob = BlobBuf::zeroed(length as usize)?;
        for (i, byte) in blob.iter_mut().enumerate() {
            *byte = i as u8;
        }
        Ok(blob)
    }
    fn part(&self, n: i64) -> Part {
        Part(n)
    }
    fn add(&self, a: &Part, b: &Part) -> i64 {
        a.0.wrapping_add(b.0)
    }
    fn pass(&self, part: Ref<Part>) -> Ref<Part> {
        part
    }
    fn keep(&self, part: Ref<Part>) -> i64 {
        let mut kept = self.kept.lock().unwrap();
        kept.clear();
        kept.push(part);
        kept[0].0
    }
    fn kept(&self) -> Result<Ref<Part>, Error> {
        let kept = self.kept.lock().unwrap();
        Ok(kept.first().ok_or("nothing is kept")?.clone())
    }
    fn join(&self, first: &str, second: Option<&str>, times: Option<i32>) -> String {
        let times = times.unwrap_or(1).clamp(0, 9) as usize;
        format!("{}{}", first, second.unwrap_or("-").repeat(times))
    }
    #[allow(clippy::too_many_arguments)]
    fn all(&self, a: bool, b: i32, c: i64, d: f32, e: f64, f: &str, g: &[u8]) -> String {
        format!("{} {} {} {} {} {} {:?}", a, b, c, d, e, f, g)
    }
}

struct Part(i64);

impl Part {
    fn new(n: i64) -> Self {
        Part(n)
    }
    fn value(&self) -> i64 {
        self.0
    }
}

static ENDED: AtomicI64 = AtomicI64::new(0);

/// Calls that are held, and how often all of them were let go.
struct Gate {
    held: i64,
    opened: i64,
}

static GATE: Mutex<Gate> = Mutex::new(Gate { held: 0, opened: 0 });
static OPENED: Condvar = Condvar::new();

/// What goes wrong.
struct Fault {
    locked: Mutex<i64>,
    end_badly: AtomicBool,
}

struct Broken(i32);

impl From<Broken> for Error {
    fn from(broken: Broken) -> Error {
        Error::new(
            Code::Other(broken.0),
            format!("broken, number {}", broken.0),
        )
    }
}

impl Fault {
    fn new(fail: bool) -> Result<Self, String> {
        if fail {
            return Err("not today".into());
        }
        Ok(Fault {
            locked: Mutex::new(0),
            end_badly: AtomicBool::new(false),
        })
    }
    fn panic(&self, text: &str) {
        panic!("{}", text)
    }
    fn index(&self, at: i64) -> i64 {
        [1, 2, 3][at as usize]
    }
    fn panic_locked(&self) {
        let _held = self.locked.lock().unwrap();
        panic!("while it was locked")
    }
    fn locked(&self) -> i64 {
        *self.locked.lock().unwrap()
    }
    fn recovered(&self) -> i64 {
        *self.locked.lock().unwrap_or_else(|e| e.into_inner())
    }
    fn broken(&self, number: i32) -> Result<i64, Broken> {
        Err(Broken(number))
    }
    fn missing(&self) -> Result<(), std::io::Error> {
        std::fs::metadata("/no/such/file").map(|_| ())
    }
    fn hold(&self) {
        let mut gate = GATE.lock().unwrap();
        let opened = gate.opened;
        gate.held += 1;
        while gate.opened == opened {
            gate = OPENED.wait(gate).unwrap();
        }
        gate.held -= 1;
    }
    fn release(&self) {
        GATE.lock().unwrap().opened += 1;
        OPENED.notify_all();
    }
    fn held(&self) -> i64 {
        GATE.lock().unwrap().held
    }
    fn ended(&self) -> i64 {
        ENDED.load(SeqCst)
    }
    fn say(&self, text: &str) {
        log!(Level::Warn, "it said {:?}\0", text);
    }
    fn wake_me(&self, number: i64) {
        let woken = thread::spawn(move || nyash::wake(number as u64));
        let _ = woken.join();
    }
    fn panic_elsewhere(&self) -> bool {
        thread::spawn(|| panic!("on a thread of its own"))
            .join()
            .is_err()
    }
    fn end_badly(&self) {
        self.end_badly.store(true, SeqCst);
    }
    fn long(&self, length: i64) -> String {
        "x".repeat(length as usize)
    }
}

impl Drop for Fault {
    fn drop(&mut self) {
        ENDED.fetch_add(1, SeqCst);
        if *self.end_badly.get_mut() {
            panic!("a bad end");
        }
    }
}

nyash::plugin! {
    /// Every type there and back.
    box Sample as SampleBox (type_id = 40) {
        birth => default();
        1 => bools(v: bool) -> bool, leaf;
        2 => i32s(v: i32) -> i32;
        3 => i64s(v: i64) -> i64;
        4 => f32s(v: f32) -> f32;
        5 => f64s(v: f64) -> f64;
        6 => texts(v: &str) -> String;
        7 => owned_texts as ownedTexts(v: String) -> Result<String, Error>;
        8 => bytes(v: &[u8]) -> Vec<u8>;
        9 => owned_bytes as ownedBytes(v: Vec<u8>) -> Vec<u8>;
        10 => blobs(v: Blob) -> Result<BlobBuf, Error>;
        11 => sum(v: Blob) -> i64;
        12 => ramp(length: i64) -> Result<BlobBuf, Error>;
        13 => part(n: i64) -> Part;
        14 => add(a: &Part, b: &Part) -> i64;
        15 => pass(part: Ref<Part>) -> Ref<Part>;
        16 => keep(part: Ref<Part>) -> i64;
        17 => kept() -> Result<Ref<Part>, Error>;
        18 => join(first: &str, second: Option<&str>, times: Option<i32>) -> String, max = 65535;
        19 => all(a: bool, b: i32, c: i64, d: f32, e: f64, f: &str, g: &[u8]) -> String;
    }

    box Part as PartBox (type_id = 41) {
        birth => new(n: i64);
        1 => value() -> i64;
    }

    box Fault as FaultBox (type_id = 42) {
        birth => new(fail: bool);
        1 => panic(text: &str);
        2 => index(at: i64) -> i64;
        3 => panic_locked as panicLocked();
        4 => locked() -> i64;
        5 => recovered() -> i64;
        6 => broken(number: i32) -> Result<i64, Broken>;
        7 => missing() -> Result<(), std::io::Error>;
        8 => hold();
        9 => ended() -> i64;
        10 => say(text: &str);
        11 => wake_me as wakeMe(number: i64);
        12 => panic_elsewhere as panicElsewhere() -> bool;
        13 => end_badly as endBadly();
        14 => long(length: i64) -> String;
        15 => release();
        16 => held() -> i64;
    }
}

nyash::typebox!(Part as PartBox);
