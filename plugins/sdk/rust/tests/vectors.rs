//! The conformance vectors of tests/vectors, in the repository's root.

use nyash::tlv::{self, Kind, Value};
use std::collections::BTreeMap;

/// As much of JSON as the vectors are written in.
enum Json {
    Text(String),
    Number(usize),
    Bool(bool),
    List(Vec<Json>),
    Object(BTreeMap<String, Json>),
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn peek(&mut self) -> u8 {
        while self.bytes[self.at].is_ascii_whitespace() {
            self.at += 1;
        }
        self.bytes[self.at]
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == byte;
        self.at += usize::from(found);
        found
    }

    fn value(&mut self) -> Json {
        match self.peek() {
            b'"' => Json::Text(self.text()),
            b'[' => Json::List(self.items(b']', Reader::value)),
            b'{' => Json::Object(
                self.items(b'}', |r| {
                    let key = r.text();
                    assert!(r.eat(b':'));
                    (key, r.value())
                })
                .into_iter()
                .collect(),
            ),
            _ => {
                let start = self.at;
                while self.bytes[self.at].is_ascii_alphanumeric() {
                    self.at += 1;
                }
                match std::str::from_utf8(&self.bytes[start..self.at]).unwrap() {
                    "true" => Json::Bool(true),
                    "false" => Json::Bool(false),
                    number => Json::Number(number.parse().unwrap()),
                }
            }
        }
    }

    fn items<T>(&mut self, end: u8, mut item: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let mut all = Vec::new();
        self.at += 1;
        while !self.eat(end) {
            all.push(item(self));
            self.eat(b',');
        }
        all
    }

    fn text(&mut self) -> String {
        assert!(self.eat(b'"'));
        let mut text = Vec::new();
        loop {
            let byte = self.bytes[self.at];
            self.at += 1;
            match byte {
                b'"' => return String::from_utf8(text).unwrap(),
                b'\\' => {
                    let escape = self.bytes[self.at];
                    self.at += 1;
                    match escape {
                        b'n' => text.push(b'\n'),
                        b't' => text.push(b'\t'),
                        b'u' => {
                            let mut unit = self.unit();
                            if (0xD800..0xDC00).contains(&unit) {
                                self.at += 2; // \u
                                let low = self.unit();
                                unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
                            }
                            let c = char::from_u32(unit).unwrap();
                            text.extend_from_slice(c.to_string().as_bytes());
                        }
                        other => text.push(other),
                    }
                }
                other => text.push(other),
            }
        }
    }

    fn unit(&mut self) -> u32 {
        let digits = std::str::from_utf8(&self.bytes[self.at..self.at + 4]).unwrap();
        self.at += 4;
        u32::from_str_radix(digits, 16).unwrap()
    }
}

impl Json {
    fn get(&self, key: &str) -> Option<&Json> {
        match self {
            Json::Object(fields) => fields.get(key),
            _ => panic!("an object is wanted"),
        }
    }

    fn text(&self, key: &str) -> &str {
        match self.get(key) {
            Some(Json::Text(text)) => text,
            _ => panic!("{} is no text", key),
        }
    }

    fn number(&self, key: &str) -> Option<usize> {
        self.get(key).map(|value| match value {
            Json::Number(n) => *n,
            _ => panic!("{} is no number", key),
        })
    }

    fn list(&self) -> &[Json] {
        match self {
            Json::List(list) => list,
            _ => panic!("a list is wanted"),
        }
    }
}

fn cases(file: &str) -> Vec<Json> {
    let path = format!(
        "{}/../../../tests/vectors/{}",
        env!("CARGO_MANIFEST_DIR"),
        file
    );
    let text = std::fs::read(&path).expect(&path);
    match (Reader {
        bytes: &text,
        at: 0,
    })
    .value()
    {
        Json::List(cases) => cases,
        _ => panic!("a list is wanted"),
    }
}

fn digits(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
        .collect()
}

fn message(hex: &str) -> Vec<u8> {
    hex.split_whitespace()
        .flat_map(|part| match part.split_once('*') {
            Some((part, times)) => digits(part).repeat(times.parse().unwrap()),
            None => digits(part),
        })
        .collect()
}

/// What a value is made of: text and bytes are owned here, and may be wrong.
struct Field {
    case: Vec<(String, String)>,
    payload: Vec<u8>,
}

impl Field {
    fn of(value: &Json) -> Field {
        let payload = match (value.get("repeat"), value.get("value")) {
            (Some(_), _) => digits(value.text("repeat")).repeat(value.number("count").unwrap()),
            (None, Some(Json::Text(text))) if value.text("tag") == "bytes" => digits(text),
            (None, Some(Json::Text(text))) => text.clone().into_bytes(),
            (None, Some(Json::Bool(yes))) => yes.to_string().into_bytes(),
            _ => Vec::new(),
        };
        let mut case = Vec::new();
        for key in ["tag", "bits", "type", "instance", "address", "length"] {
            if value.get(key).is_some() {
                case.push((key.to_string(), value.text(key).to_string()));
            }
        }
        Field { case, payload }
    }

    fn part(&self, key: &str) -> &str {
        &self.case.iter().find(|(k, _)| k == key).expect(key).1
    }

    fn value(&self) -> Result<Value<'_>, tlv::Error> {
        let text = || std::str::from_utf8(&self.payload).unwrap();
        Ok(match self.part("tag") {
            "bool" => Value::Bool(text() == "true"),
            "i32" => Value::I32(text().parse().unwrap()),
            "i64" => Value::I64(text().parse().unwrap()),
            "f32" => Value::F32(f32::from_bits(
                u32::from_str_radix(self.part("bits"), 16).unwrap(),
            )),
            "f64" => Value::F64(f64::from_bits(
                u64::from_str_radix(self.part("bits"), 16).unwrap(),
            )),
            "string" => Value::string(&self.payload)?,
            "bytes" => Value::Bytes(&self.payload),
            "handle" => Value::Handle {
                type_id: self.part("type").parse().unwrap(),
                instance_id: self.part("instance").parse().unwrap(),
            },
            "void" => Value::Void,
            "blob" => Value::Blob {
                address: self.part("address").parse().unwrap(),
                length: self.part("length").parse().unwrap(),
            },
            other => panic!("unknown tag {}", other),
        })
    }
}

fn fields(case: &Json) -> Vec<Field> {
    let values = case.get("values").expect("values").list();
    let mut all = Vec::new();
    for value in values {
        for _ in 0..value.number("times").unwrap_or(1) {
            all.push(Field::of(value));
        }
    }
    all
}

fn encode(fields: &[Field]) -> Result<Vec<u8>, tlv::Error> {
    let values: Result<Vec<_>, _> = fields.iter().map(Field::value).collect();
    tlv::encode(&values?)
}

/// NaNs are equal where their bits are.
fn same(a: &Value<'_>, b: &Value<'_>) -> bool {
    match (a, b) {
        (Value::F32(a), Value::F32(b)) => a.to_bits() == b.to_bits(),
        (Value::F64(a), Value::F64(b)) => a.to_bits() == b.to_bits(),
        _ => a == b,
    }
}

#[test]
fn valid() {
    let cases = cases("valid.json");
    assert!(cases.len() > 50);
    for case in &cases {
        let name = case.text("name");
        let bytes = message(case.text("hex"));
        let fields = fields(case);
        let decoded = tlv::decode(&bytes).expect(name);
        assert_eq!(decoded.len(), fields.len(), "{}", name);
        for (got, want) in decoded.iter().zip(&fields) {
            assert!(same(got, &want.value().unwrap()), "{}: {:?}", name, got);
        }
        if !matches!(case.get("canonical"), Some(Json::Bool(false))) {
            assert!(encode(&fields).expect(name) == bytes, "{}", name);
        }
    }
}

#[test]
fn invalid() {
    let cases = cases("invalid.json");
    assert!(cases.len() > 20);
    for case in &cases {
        let name = case.text("name");
        let error = tlv::decode(&message(case.text("hex"))).expect_err(name);
        assert_eq!(error.kind.name(), case.text("error"), "{}", name);
        assert_eq!(Some(error.offset), case.number("offset"), "{}", name);
    }
}

#[test]
fn unencodable() {
    let cases = cases("unencodable.json");
    assert!(!cases.is_empty());
    for case in &cases {
        let name = case.text("name");
        let error = encode(&fields(case)).expect_err(name);
        assert_eq!(error.kind.name(), case.text("error"), "{}", name);
    }
}

#[test]
fn every_prefix_of_a_message_is_truncated() {
    let whole = tlv::encode(&[Value::String("text"), Value::I64(1), Value::Void]).unwrap();
    for end in 0..whole.len() {
        let error = tlv::decode(&whole[..end]).unwrap_err();
        assert_eq!(error.kind, Kind::Truncated, "{} bytes", end);
    }
}
