//! The instances of a box.

use crate::{Code, Error, PluginBox};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Deref;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Ids follow each other, and are spread over the map by a multiplication.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }
    fn write_u32(&mut self, id: u32) {
        self.0 = (self.0 ^ u64::from(id)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 32
    }
}

type Map<T> = HashMap<u32, Arc<T>, BuildHasherDefault<IdHasher>>;

const SHARDS: usize = 8;

/// The last id that was given out, in any table of the library. It outlives
/// shutdown, so that an old id does not come to name a new instance before
/// four billion others have been made.
static LAST: AtomicU32 = AtomicU32::new(0);

/// The instances of one box, by their ids.
///
/// Its locks are held for moments and never while code of the plugin's runs,
/// so that nothing of it can wait for them, or panic under them.
pub struct Table<T> {
    shards: [RwLock<Option<Map<T>>>; SHARDS],
}

impl<T: PluginBox> Default for Table<T> {
    fn default() -> Self {
        Table::new()
    }
}

impl<T: PluginBox> Table<T> {
    #[allow(clippy::declare_interior_mutable_const)]
    const EMPTY: RwLock<Option<Map<T>>> = RwLock::new(None);

    pub const fn new() -> Self {
        Table {
            shards: [Self::EMPTY; SHARDS],
        }
    }

    fn shard(&self, id: u32) -> &RwLock<Option<Map<T>>> {
        &self.shards[id as usize % SHARDS]
    }

    fn read(&self, id: u32) -> RwLockReadGuard<'_, Option<Map<T>>> {
        let lock = self.shard(id).read();
        lock.unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, id: u32) -> RwLockWriteGuard<'_, Option<Map<T>>> {
        let lock = self.shard(id).write();
        lock.unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self, id: u32) -> Result<Arc<T>, Error> {
        let found = self.read(id).as_ref().and_then(|map| map.get(&id).cloned());
        found.ok_or_else(|| self.unknown(id))
    }

    fn unknown(&self, id: u32) -> Error {
        let message = format!("there is no {} with instance id {}", T::NAME, id);
        Error::new(Code::InvalidHandle, message)
    }

    pub(crate) fn insert(&self, instance: T) -> u32 {
        let instance = Arc::new(instance);
        loop {
            let id = LAST.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
            if id == 0 {
                continue;
            }
            let mut shard = self.write(id);
            let map = shard.get_or_insert_with(Map::default);
            if let std::collections::hash_map::Entry::Vacant(place) = map.entry(id) {
                place.insert(instance);
                return id;
            }
        }
    }

    pub(crate) fn remove(&self, id: u32) -> Result<Arc<T>, Error> {
        let removed = self.write(id).as_mut().and_then(|map| map.remove(&id));
        removed.ok_or_else(|| self.unknown(id))
    }

    /// Lets go of all instances.
    pub fn clear(&self) {
        for at in 0..SHARDS {
            let map = self.write(at as u32).take();
            for (_, instance) in map.into_iter().flatten() {
                release(instance);
            }
        }
    }
}

/// Drops what may run an author's Drop. A panic there has been logged by the
/// hook, and hurts nobody else.
pub(crate) fn release<T>(value: T) -> bool {
    match catch_unwind(AssertUnwindSafe(|| drop(value))) {
        Ok(()) => true,
        Err(payload) => {
            forget(payload);
            false
        }
    }
}

/// The value of a panic may itself panic when it is dropped.
pub(crate) fn forget(payload: Box<dyn std::any::Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(again);
    }
}

/// An instance that is held for a call. The last to let go may drop it.
pub struct Guard<T>(Option<Arc<T>>);

impl<T> Guard<T> {
    pub(crate) fn new(instance: Arc<T>) -> Self {
        Guard(Some(instance))
    }

    pub(crate) fn share(&self) -> Arc<T> {
        match &self.0 {
            Some(instance) => Arc::clone(instance),
            None => unreachable!("a guard holds an instance until it is dropped"),
        }
    }
}

impl<T> Deref for Guard<T> {
    type Target = T;
    fn deref(&self) -> &T {
        match &self.0 {
            Some(instance) => instance,
            None => unreachable!("a guard holds an instance until it is dropped"),
        }
    }
}

impl<T> Drop for Guard<T> {
    fn drop(&mut self) {
        release(self.0.take());
    }
}

/// An instance of a box of this library that may be kept: `other: Ref<Counter>`
/// as an argument, where `other: &Counter` lasts for the call only. It
/// dereferences to the instance. As a result it names the same instance.
///
/// The instance stays in memory as long as a `Ref` to it, also when the host
/// has ended it; then it can no longer be a result.
pub struct Ref<T: PluginBox> {
    id: u32,
    instance: Arc<T>,
}

impl<T: PluginBox> Ref<T> {
    pub(crate) fn new(id: u32, instance: Arc<T>) -> Self {
        Ref { id, instance }
    }

    /// The id, if the host has not ended the instance.
    pub(crate) fn alive(&self) -> Result<u32, Error> {
        T::table().get(self.id).map(|_| self.id)
    }
}

impl<T: PluginBox> Clone for Ref<T> {
    fn clone(&self) -> Self {
        Ref::new(self.id, Arc::clone(&self.instance))
    }
}

impl<T: PluginBox> Deref for Ref<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.instance
    }
}

impl<T: PluginBox> std::fmt::Debug for Ref<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", T::NAME, self.id)
    }
}
