//! CounterBox: named counters, shared by all that use the host.
//!
//! README.md says what each method does.
//!
//! The map's lock is taken for reading to count, so that counters that exist
//! do not wait for each other; for writing only where one comes or goes.

#![forbid(unsafe_code)]

use nyash::{Code, Error};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

const LONGEST_NAME: usize = 255;

#[derive(Default)]
struct Counters {
    by_name: RwLock<BTreeMap<String, AtomicI64>>,
}

type Map = BTreeMap<String, AtomicI64>;

/// Names are listed one a line.
fn check(name: &str) -> Result<(), Error> {
    if name.is_empty() || name.len() > LONGEST_NAME || name.chars().any(char::is_control) {
        let text = "a counter's name has 1 to 255 bytes and no control characters";
        return Err(Error::new(Code::InvalidArgs, text));
    }
    Ok(())
}

fn add_to(name: &str, counter: &AtomicI64, by: i64) -> Result<i64, Error> {
    match counter.fetch_update(SeqCst, SeqCst, |n| n.checked_add(by)) {
        Ok(before) => Ok(before + by),
        Err(n) => Err(format!("{}: {} and {} do not fit 64 bits", name, n, by).into()),
    }
}

impl Counters {
    /// No panic can leave the map half changed, so a poisoned one is as good.
    fn read(&self) -> RwLockReadGuard<'_, Map> {
        self.by_name.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Map> {
        self.by_name.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn inc(&self, name: &str) -> Result<i64, Error> {
        self.add(name, 1)
    }

    fn get(&self, name: &str) -> Result<i64, Error> {
        check(name)?;
        Ok(self.read().get(name).map_or(0, |n| n.load(SeqCst)))
    }

    fn add(&self, name: &str, by: i64) -> Result<i64, Error> {
        check(name)?;
        if let Some(counter) = self.read().get(name) {
            return add_to(name, counter, by);
        }
        let mut map = self.write();
        add_to(name, map.entry(name.to_string()).or_default(), by)
    }

    fn set(&self, name: &str, value: i64) -> Result<(), Error> {
        check(name)?;
        if let Some(counter) = self.read().get(name) {
            counter.store(value, SeqCst);
            return Ok(());
        }
        let mut map = self.write();
        map.entry(name.to_string())
            .or_default()
            .store(value, SeqCst);
        Ok(())
    }

    fn reset(&self, name: &str) -> Result<i64, Error> {
        check(name)?;
        let counter = self.write().remove(name);
        Ok(counter.map_or(0, AtomicI64::into_inner))
    }

    fn names(&self) -> String {
        let map = self.read();
        let names: Vec<&str> = map.keys().map(String::as_str).collect();
        names.join("\n")
    }
}

nyash::plugin! {
    /// Named counters, shared by all that use the host.
    box Counters as CounterBox (type_id = 7, singleton) {
        birth => default();

        /// Adds 1 to a counter, which is made if there is none, and returns what it is then.
        1 => inc(name: &str) -> Result<i64, Error>;
        /// What a counter is; 0 if there is none of that name.
        2 => get(name: &str) -> Result<i64, Error>;
        /// Adds to a counter, which is made if there is none, and returns what it is then.
        3 => add(name: &str, by: i64) -> Result<i64, Error>;
        /// Gives a counter a value; makes it if there is none.
        4 => set(name: &str, value: i64) -> Result<(), Error>;
        /// Takes a counter away and returns what it was.
        5 => reset(name: &str) -> Result<i64, Error>;
        /// The names of all counters, sorted, one a line.
        6 => names() -> String;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts() {
        let counters = Counters::default();
        assert_eq!(counters.inc("a"), Ok(1));
        assert_eq!(counters.add("a", 41), Ok(42));
        assert_eq!(counters.set("b", -1), Ok(()));
        assert_eq!(counters.names(), "a\nb");
        assert_eq!(counters.reset("a"), Ok(42));
        assert_eq!(counters.get("a"), Ok(0));
        assert_eq!(counters.names(), "b");
    }

    #[test]
    fn refuses() {
        let counters = Counters::default();
        let long = "x".repeat(LONGEST_NAME + 1);
        for name in ["", "a\nb", "\0", &long] {
            assert_eq!(counters.inc(name).unwrap_err().code(), Code::InvalidArgs);
        }
        counters.set("most", i64::MAX).unwrap();
        let error = counters.inc("most").unwrap_err();
        assert_eq!(
            error.message(),
            "most: 9223372036854775807 and 1 do not fit 64 bits"
        );
        assert_eq!(counters.get("most"), Ok(i64::MAX));
    }
}
