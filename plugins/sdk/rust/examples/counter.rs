//! A whole plugin: a number that counts.
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

struct Counter(AtomicI64);

impl Counter {
    fn new() -> Self {
        Counter(AtomicI64::new(0))
    }

    fn add(&self, by: i64) -> Result<i64, String> {
        let step = |n: i64| n.checked_add(by);
        match self.0.fetch_update(SeqCst, SeqCst, step) {
            Ok(before) => Ok(before + by),
            Err(n) => Err(format!("{} and {} are too much", n, by)),
        }
    }

    fn get(&self) -> i64 {
        self.0.load(SeqCst)
    }
}

nyash::plugin! {
    /// A number that counts.
    box Counter as CounterBox (type_id = 7) {
        birth => new();
        /// Adds to the number and returns what it is then.
        1 => add(by: i64) -> Result<i64, String>;
        /// The number.
        2 => get() -> i64;
    }
}
