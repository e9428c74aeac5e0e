//! What a library says of itself, compared to the letter, and what it does
//! without a host.

use nyash::{Blob, BlobBuf, PluginBox, Ref};
use std::ffi::CStr;
use std::os::raw::c_char;

#[derive(Default)]
struct Shape;
struct Point(i32);

impl Shape {
    fn scale(&self, _by: f64, _round: bool) {}
    fn load(&self, data: Blob<'_>) -> BlobBuf {
        BlobBuf::copy_of(&data).unwrap()
    }
    fn corner(&self, n: i32) -> Result<Point, String> {
        Ok(Point(n))
    }
    fn name(&self, _style: Option<&str>) -> &str {
        "shape"
    }
}

impl Point {
    fn new(x: i32) -> Self {
        Point(x)
    }
    fn same(&self, other: Ref<Point>, _shape: &Shape) -> bool {
        other.0 == self.0
    }
    fn r#move(&self, _to: &[u8]) {}
}

nyash::plugin! {
    /// A shape, "quoted" \ once.
    ///
    /// In	lines.
    box Shape as ShapeBox (type_id = 30, singleton, threads = serial) {
        /// Makes a shape.
        birth => default();
        /// Makes it larger.
        1 => scale(by: f64, round: bool);
        2 => load(data: Blob) -> BlobBuf;
        3 => corner as cornerAt(n: i32) -> Result<Point, String>, leaf;
        4 => name(style: Option<&str>) -> &str, max = 16;
    }
    box Point (type_id = 31) {
        birth => new(x: i32);
        7 => same(other: Ref<Point>, shape: &Shape) -> bool;
        8 => r#move as move(to: &[u8]);
    }
}

extern "C" {
    fn nyash_plugin_config() -> *const c_char;
}

const TEXT: &str = r#"[plugins.ShapeBox]
type_id = 30
doc = "A shape, \"quoted\" \\ once.\n\nIn\tlines."
singleton = true
threads = "serial"

[plugins.ShapeBox.methods]
birth = { method_id = 0, args = [ ], doc = "Makes a shape." }
scale = { method_id = 1, args = [ { name = "by", from = "float", to = "f64" }, { name = "round", from = "bool", to = "bool" }, ], returns = "void", doc = "Makes it larger." }
load = { method_id = 2, args = [ { name = "data", from = "bytes", to = "blob" }, ], returns = "blob" }
cornerAt = { method_id = 3, args = [ { name = "n", from = "integer", to = "i32" }, ], returns = "Point", leaf = true }
name = { method_id = 4, returns = "string" }

[plugins.Point]
type_id = 31
threads = "free"

[plugins.Point.methods]
birth = { method_id = 0, args = [ { name = "x", from = "integer", to = "i32" }, ] }
same = { method_id = 7, args = [ { name = "other", from = "box", to = "handle" }, { name = "shape", from = "box", to = "handle" }, ], returns = "bool" }
move = { method_id = 8, args = [ { name = "to", from = "bytes", to = "bytes" }, ], returns = "void" }

"#;

#[test]
fn description() {
    let text = unsafe { CStr::from_ptr(nyash_plugin_config()) };
    assert_eq!(text.to_str().unwrap(), TEXT);
}

fn fnv(text: &str) -> u32 {
    text.bytes().fold(0x811C_9DC5, |h, byte| {
        (h ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

#[test]
fn signatures() {
    assert_eq!(fnv("a"), 0xE40C_292C); // of the algorithm's authors
    let signatures: Vec<u32> = (Shape::CLASS.methods.iter())
        .chain(Point::CLASS.methods)
        .map(|method| method.signature)
        .collect();
    let texts = [
        "scale(f64,bool)void",
        "load(blob)blob",
        "cornerAt(i32)Point",
        "name(...)string",
        "same(handle,handle)bool",
        "move(bytes)void",
    ];
    let wanted: Vec<u32> = texts.iter().map(|text| fnv(text)).collect();
    assert_eq!(signatures, wanted);
}

#[test]
fn methods_work_without_a_host() {
    let shape = Shape;
    let mut blob = shape.load(Blob::from(&b"data"[..]));
    blob.truncate(2);
    assert_eq!(&blob[..], b"da");
    blob.truncate(0);
    assert!(blob.is_empty());
    assert_eq!(shape.corner(3).unwrap().0, 3);
    nyash::log!(nyash::Level::Debug, "to standard {}", "error");
    nyash::wake(1);
}
