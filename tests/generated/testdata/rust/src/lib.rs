//! The author's part of a plugin whose list is generated.

#![forbid(unsafe_code)]

#[path = "../../../../../tools/generate/testdata/golden/plugin/kinds.rs"]
mod kinds;

use kinds::{Item, Store};
use nyash::{Blob, BlobBuf, Error};
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

#[derive(Default)]
struct Disk;

#[derive(Default)]
struct Entry(AtomicI64);

type Answer<T> = Result<T, Error>;

impl Store for Disk {
    type PutItem = Entry;
    type Item = Entry;

    fn birth(path: &str, _read_only: bool) -> Answer<Self> {
        if path.is_empty() {
            return Err("no path".into());
        }
        Ok(Disk)
    }
    fn flag(&self, on: bool) -> Answer<bool> {
        Ok(!on)
    }
    fn narrow(&self, n: i32) -> Answer<i32> {
        Ok(n + 1)
    }
    fn wide(&self, n: i64) -> Answer<i64> {
        Ok(n + 1)
    }
    fn single(&self, x: f32) -> Answer<f32> {
        Ok(x / 2.0)
    }
    fn double(&self, x: f64, y: f64) -> Answer<f64> {
        Ok(x + y)
    }
    fn text(&self, s: &str, t: &str) -> Answer<String> {
        Ok([s, t].concat())
    }
    fn data(&self, s: &[u8], t: &[u8]) -> Answer<Vec<u8>> {
        Ok([s, t].concat())
    }
    fn large(&self, s: Blob<'_>, t: Blob<'_>) -> Answer<BlobBuf> {
        let mut all = BlobBuf::zeroed(s.len() + t.len())?;
        all[..s.len()].copy_from_slice(&s);
        all[s.len()..].copy_from_slice(&t);
        Ok(all)
    }
    fn nothing(&self) -> Answer<()> {
        Ok(())
    }
    fn put(&self, item: &Entry) -> Answer<()> {
        item.0.fetch_add(1, SeqCst);
        Ok(())
    }
    fn first(&self) -> Answer<Entry> {
        Ok(Entry::default())
    }
    fn copy(&self) -> Answer<Self> {
        Ok(Disk)
    }
    fn another(&self) -> Answer<Self> {
        Ok(Disk)
    }
    fn type_(&self, class: i64, fn_: i64, self_: i64, errno: i64) -> Answer<i64> {
        Ok(class + fn_ + self_ + errno)
    }
    fn read_all_16(&self) -> Answer<i64> {
        Ok(16)
    }
    fn read_all(&self) -> Answer<i64> {
        Ok(15)
    }
    fn close(&self) -> Answer<()> {
        Ok(())
    }
    fn string(&self) -> Answer<String> {
        Ok("store".to_string())
    }
    fn read_byte(&self) -> Answer<i32> {
        Ok(19)
    }
    fn clone_(&self) -> Answer<i32> {
        Ok(20)
    }
    fn table(&self) -> Answer<i32> {
        Ok(21)
    }
    fn many(
        &self,
        first: i64,
        second: i64,
        third: i64,
        fourth: i64,
        fifth: i64,
        sixth: i64,
        seventh: i64,
        eighth: i64,
        ninth: i64,
    ) -> Answer<i64> {
        Ok(first + second + third + fourth + fifth + sixth + seventh + eighth + ninth)
    }
}

impl Item for Entry {
    type Store = Disk;
    type TwinOther = Entry;

    fn owner(&self) -> Answer<Disk> {
        Ok(Disk)
    }
    fn twin(&self, other: &Entry) -> Answer<Self> {
        Ok(Entry(AtomicI64::new(other.0.load(SeqCst))))
    }
}

kinds::plugin!(Disk, Entry);
