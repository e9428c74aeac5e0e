//! The self-description, made while the plugin is compiled: nothing of it is
//! computed or allocated when the library is loaded.

use crate::abi::MethodInfo;

/// A part of the description's text.
pub enum Piece {
    Text(&'static str),
    /// A key of TOML.
    Key(&'static str),
    /// A string of TOML.
    Quoted(&'static str),
    /// The lines of a doc comment, as one string of TOML.
    Doc(&'static [&'static str]),
    Number(u32),
    /// What the library uses, in the first place where that could stand.
    Uses,
    List(&'static [Piece]),
    /// What belongs there only sometimes.
    If(bool, &'static [Piece]),
}

/// What the head of a box says.
pub struct BoxOptions {
    pub type_id: Option<u32>,
    pub singleton: bool,
    pub threads: Option<&'static str>,
}

impl BoxOptions {
    pub const NONE: Self = BoxOptions {
        type_id: None,
        singleton: false,
        threads: None,
    };

    pub const fn type_id(&self) -> u32 {
        match self.type_id {
            Some(id) => id,
            None => panic!("a box needs its number: `box Counter (type_id = 7)`"),
        }
    }

    pub const fn threads(&self) -> &'static str {
        match self.threads {
            Some(threads) => threads,
            None => "free",
        }
    }
}

/// What the library uses of a box: all of it, or only some methods.
pub struct Wanted {
    pub name: &'static str,
    pub only: &'static [&'static str],
}

/// What stands behind a method.
pub struct MethodOptions {
    pub max: usize,
    pub leaf: bool,
}

impl MethodOptions {
    pub const NONE: Self = MethodOptions {
        max: crate::tlv::MAX_PAYLOAD,
        leaf: false,
    };
}

/// A writer that only counts while `N` is 0.
struct Writer<const N: usize> {
    bytes: [u8; N],
    at: usize,
    uses: &'static [Wanted],
}

impl<const N: usize> Writer<N> {
    const fn byte(mut self, byte: u8) -> Self {
        if N > 0 {
            self.bytes[self.at] = byte;
        }
        self.at += 1;
        self
    }

    const fn text(mut self, text: &str) -> Self {
        let (bytes, mut i) = (text.as_bytes(), 0);
        while i < bytes.len() {
            self = self.byte(bytes[i]);
            i += 1;
        }
        self
    }

    /// The inside of a string of TOML, without its first bytes.
    const fn escaped(mut self, text: &str, from: usize) -> Self {
        let (bytes, mut i) = (text.as_bytes(), from);
        while i < bytes.len() {
            let byte = bytes[i];
            self = match byte {
                b'"' | b'\\' => self.byte(b'\\').byte(byte),
                b'\n' => self.text("\\n"),
                b'\t' => self.text("\\t"),
                0..=31 | 127 => {
                    const HEX: &[u8] = b"0123456789abcdef";
                    let high = HEX[(byte >> 4) as usize];
                    let low = HEX[(byte & 15) as usize];
                    self.text("\\u00").byte(high).byte(low)
                }
                _ => self.byte(byte),
            };
            i += 1;
        }
        self
    }

    const fn doc(mut self, lines: &[&str]) -> Self {
        self = self.byte(b'"');
        let mut i = 0;
        while i < lines.len() {
            if i > 0 {
                self = self.text("\\n");
            }
            let bytes = lines[i].as_bytes();
            let space = !bytes.is_empty() && bytes[0] == b' ';
            self = self.escaped(lines[i], space as usize);
            i += 1;
        }
        self.byte(b'"')
    }

    const fn number(mut self, n: u32) -> Self {
        let mut unit = 1;
        while n / unit >= 10 {
            unit *= 10;
        }
        while unit > 0 {
            self = self.byte(b'0' + (n / unit % 10) as u8);
            unit /= 10;
        }
        self
    }

    const fn key(self, text: &str) -> Self {
        let (bytes, mut i) = (text.as_bytes(), 0);
        while i < bytes.len() {
            if bytes[i] >= 128 {
                return self.byte(b'"').text(text).byte(b'"');
            }
            i += 1;
        }
        self.text(text)
    }

    const fn uses(mut self) -> Self {
        let (uses, mut i) = (self.uses, 0);
        self.uses = &[];
        while i < uses.len() {
            let (used, mut k) = (&uses[i], 0);
            self = self.text(if i == 0 { "\nuses = [" } else { ", " });
            if used.only.is_empty() {
                self = self.byte(b'"').escaped(used.name, 0).byte(b'"');
            }
            while k < used.only.len() {
                if k > 0 {
                    self = self.text(", ");
                }
                self = self.byte(b'"').escaped(used.name, 0).byte(b'.');
                self = self.escaped(used.only[k], 0).byte(b'"');
                k += 1;
            }
            i += 1;
        }
        if uses.is_empty() {
            return self;
        }
        self.byte(b']')
    }

    const fn pieces(mut self, pieces: &[Piece]) -> Self {
        let mut i = 0;
        while i < pieces.len() {
            self = match &pieces[i] {
                Piece::Text(text) => self.text(text),
                Piece::Key(text) => self.key(text),
                Piece::Quoted(text) => self.byte(b'"').escaped(text, 0).byte(b'"'),
                Piece::Doc(lines) => self.doc(lines),
                Piece::Number(n) => self.number(*n),
                Piece::Uses => self.uses(),
                Piece::List(inner) => self.pieces(inner),
                Piece::If(true, inner) => self.pieces(inner),
                Piece::If(false, _) => self,
            };
            i += 1;
        }
        self
    }
}

/// How many bytes the text takes.
pub const fn measure(pieces: &[Piece], uses: &'static [Wanted]) -> usize {
    let counter = Writer {
        bytes: [0; 0],
        at: 0,
        uses,
    };
    counter.pieces(pieces).at
}

/// The text, and a NUL: `N` is one more than [`measure`] says.
pub const fn write<const N: usize>(pieces: &[Piece], uses: &'static [Wanted]) -> [u8; N] {
    assert!(N <= 1 << 20, "the plugin's description has more than 1 MiB");
    let writer = Writer {
        bytes: [0; N],
        at: 0,
        uses,
    };
    writer.pieces(pieces).bytes
}

const fn hash(mut h: u32, text: &str) -> u32 {
    let (bytes, mut i) = (text.as_bytes(), 0);
    while i < bytes.len() {
        h = (h ^ bytes[i] as u32).wrapping_mul(0x0100_0193);
        i += 1;
    }
    h
}

/// FNV-1a-32 of `name(to,to)returns`, or of `name(...)returns` where the
/// arguments are not declared.
pub const fn signature(name: &str, args: &[&str], declared: bool, returns: &str) -> u32 {
    let mut h = hash(hash(0x811C_9DC5, name), "(");
    if !declared {
        h = hash(h, "...");
    }
    let mut i = 0;
    while declared && i < args.len() {
        if i > 0 {
            h = hash(h, ",");
        }
        h = hash(h, args[i]);
        i += 1;
    }
    hash(hash(h, ")"), returns)
}

/// Whether no argument may be left out.
pub const fn all_required(optional: &[bool]) -> bool {
    optional.is_empty() || !optional[optional.len() - 1]
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    let mut i = 0;
    if a.len() != b.len() {
        return false;
    }
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// What makes a list of methods wrong, found when the plugin is compiled.
pub const fn check_methods(births: usize, methods: &[MethodInfo], names: &[&str]) {
    assert!(births > 0, "a box needs its birth: `birth => new();`");
    assert!(births == 1, "a box has one birth");
    let mut i = 0;
    while i < methods.len() {
        let id = methods[i].method_id;
        assert!(
            id != 0 && id < u32::MAX - 2,
            "0 and the ids from 4294967293 on have fixed meanings: count methods from 1"
        );
        let name = names[i].as_bytes();
        assert!(
            !(same(name, b"birth") || same(name, b"fini")),
            "birth and fini are no names for methods with ids of their own"
        );
        assert!(
            !(name.len() > 2 && name[0] == b'r' && name[1] == b'#'),
            "give the method its name behind `as`: `1 => r#move as move()`"
        );
        let mut j = 0;
        while j < i {
            assert!(
                methods[j].method_id != id,
                "two methods of a box have one id"
            );
            assert!(
                !same(names[j].as_bytes(), name),
                "two methods of a box have one name"
            );
            j += 1;
        }
        i += 1;
    }
}

/// Optional arguments come last.
pub const fn check_args(optional: &[bool]) {
    let mut i = 1;
    while i < optional.len() {
        assert!(
            optional[i] || !optional[i - 1],
            "arguments that may be left out stand behind the others"
        );
        i += 1;
    }
}

/// A result that is longer cannot travel.
pub const fn check_max(max: usize) -> usize {
    assert!(
        max <= 65_535,
        "a result has at most 65535 bytes; return a BlobBuf"
    );
    max
}

/// The name in the symbol of a box's table is the box's.
pub const fn check_typebox(name: &str, symbol: &str) {
    assert!(
        same(name.as_bytes(), symbol.as_bytes()),
        "the box has another name: write `typebox!(Type as Name)` as in `plugin!`"
    );
}

/// Two boxes of a library have different numbers and names.
pub const fn check_boxes(boxes: &[(u32, &str)]) {
    let mut i = 1;
    while i < boxes.len() {
        let mut j = 0;
        while j < i {
            assert!(boxes[j].0 != boxes[i].0, "two boxes have one type_id");
            let (a, b) = (boxes[j].1.as_bytes(), boxes[i].1.as_bytes());
            assert!(!same(a, b), "two boxes have one name");
            j += 1;
        }
        i += 1;
    }
}
