//! What the host offers: log, wake, and memory.

use std::ffi::CString;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::os::raw::c_char;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, Ordering};

/// `NyashHostVtable`.
#[repr(C)]
pub struct HostTable {
    alloc: Option<unsafe extern "C" fn(usize) -> *mut u8>,
    free: Option<unsafe extern "C" fn(*mut u8)>,
    wake: Option<unsafe extern "C" fn(u64)>,
    log: Option<unsafe extern "C" fn(i32, *const c_char)>,
}

#[cfg(target_family = "wasm")]
impl HostTable {
    pub(crate) const fn of_module(
        alloc: unsafe extern "C" fn(usize) -> *mut u8,
        free: unsafe extern "C" fn(*mut u8),
        wake: unsafe extern "C" fn(u64),
        log: unsafe extern "C" fn(i32, *const c_char),
    ) -> HostTable {
        HostTable {
            alloc: Some(alloc),
            free: Some(free),
            wake: Some(wake),
            log: Some(log),
        }
    }
}

static HOST: AtomicPtr<HostTable> = AtomicPtr::new(ptr::null_mut());

/// # Safety
///
/// The table, if not null, lives and does not change as long as the process,
/// and its functions may be called from any thread.
pub(crate) unsafe fn connect(table: *const HostTable) {
    HOST.store(table as *mut HostTable, Ordering::Release);
}

fn host() -> Option<&'static HostTable> {
    // SAFETY: what connect promised.
    unsafe { HOST.load(Ordering::Acquire).as_ref() }
}

/// How much a line of the host's log matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Level {
    Debug = 0,
    Info = 1,
    Warn = 2,
    Error = 3,
}

/// Writes a line to the host's log, from any thread. Without a host, in a
/// `cargo test` say, it goes to standard error. [`log!`](crate::log!) formats.
pub fn log(level: Level, message: &str) {
    let log = match host() {
        Some(table) => table.log,
        None => {
            eprintln!("{:?}: {}", level, message);
            return;
        }
    };
    let text = match CString::new(message) {
        Ok(text) => text,
        Err(_) => CString::new(message.replace('\0', "\u{FFFD}")).unwrap_or_default(),
    };
    if let Some(log) = log {
        // SAFETY: the text ends in NUL, and the host copies it.
        unsafe { log(level as i32, text.as_ptr()) }
    }
}

/// Writes a formatted line to the host's log:
///
/// ```
/// use nyash::{log, Level};
///
/// log!(Level::Warn, "{} of {} lines read", 7, 8);
/// ```
#[macro_export]
macro_rules! log {
    ($level:expr, $($arg:tt)+) => {
        $crate::log($level, &::std::format!($($arg)+))
    };
}

/// Delivers a number to the host program, from any thread.
pub fn wake(handle: u64) {
    if let Some(wake) = host().and_then(|table| table.wake) {
        // SAFETY: any number will do.
        unsafe { wake(handle) }
    }
}

/// A large argument, borrowed from the caller for the call. It is a `&[u8]`.
#[derive(Clone, Copy)]
pub struct Blob<'a>(&'a [u8]);

impl<'a> Blob<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Blob(bytes)
    }

    /// The bytes.
    pub fn as_slice(self) -> &'a [u8] {
        self.0
    }
}

impl<'a> From<&'a [u8]> for Blob<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Blob(bytes)
    }
}

impl Deref for Blob<'_> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.0
    }
}

impl AsRef<[u8]> for Blob<'_> {
    fn as_ref(&self) -> &[u8] {
        self.0
    }
}

impl fmt::Debug for Blob<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob of {} bytes", self.0.len())
    }
}

/// A large result, in memory of the host's: returned from a method it becomes
/// the caller's without being copied. It is a `[u8]` to write into.
///
/// ```
/// use nyash::{BlobBuf, Error};
///
/// fn squares() -> Result<BlobBuf, Error> {
///     let mut blob = BlobBuf::zeroed(256)?;
///     for (i, byte) in blob.iter_mut().enumerate() {
///         *byte = (i * i) as u8;
///     }
///     Ok(blob)
/// }
/// assert_eq!(squares().unwrap()[3], 9);
/// ```
pub struct BlobBuf {
    address: NonNull<u8>,
    length: usize,
    /// The host's, or None for memory of our own (where there is no host).
    free: Option<unsafe extern "C" fn(*mut u8)>,
}

// SAFETY: the memory is the value's alone, and the host's free works anywhere.
unsafe impl Send for BlobBuf {}
// SAFETY: shared, it can only be read.
unsafe impl Sync for BlobBuf {}

impl BlobBuf {
    /// So many bytes of 0, or an error where memory is short.
    pub fn zeroed(length: usize) -> Result<Self, crate::Error> {
        if length == 0 {
            return Ok(BlobBuf {
                address: NonNull::dangling(),
                length,
                free: None,
            });
        }
        let (address, free) = match host() {
            Some(table) => match (table.alloc, table.free) {
                // SAFETY: any size will do.
                (Some(alloc), Some(free)) => (unsafe { alloc(length) }, Some(free)),
                _ => (ptr::null_mut(), None),
            },
            None => {
                let own = vec![0; length].into_boxed_slice();
                (Box::into_raw(own) as *mut u8, None)
            }
        };
        let address = match NonNull::new(address) {
            Some(address) if length <= isize::MAX as usize => address,
            _ => {
                return Err(crate::Error::new(
                    crate::Code::OutOfMemory,
                    format!("out of memory for a blob of {} bytes", length),
                ))
            }
        };
        // SAFETY: so many bytes were allocated for nobody else.
        unsafe { ptr::write_bytes(address.as_ptr(), 0, length) };
        Ok(BlobBuf {
            address,
            length,
            free,
        })
    }

    /// A copy of these bytes.
    pub fn copy_of(bytes: &[u8]) -> Result<Self, crate::Error> {
        let mut blob = BlobBuf::zeroed(bytes.len())?;
        blob.copy_from_slice(bytes);
        Ok(blob)
    }

    /// Makes it shorter; a larger length changes nothing.
    pub fn truncate(&mut self, length: usize) {
        if self.free.is_some() {
            self.length = self.length.min(length);
        } else if length < self.length {
            let own = BlobBuf::copy_own(&self[..length]);
            *self = own;
        }
    }

    /// Memory of our own has to keep the length that it was made with.
    fn copy_own(bytes: &[u8]) -> Self {
        let own: Box<[u8]> = bytes.into();
        BlobBuf {
            length: own.len(),
            // SAFETY: a box is never null.
            address: unsafe { NonNull::new_unchecked(Box::into_raw(own) as *mut u8) },
            free: None,
        }
    }

    /// Takes over a blob that is the result of a call.
    ///
    /// # Safety
    ///
    /// It is the plugin's, from the host's alloc, and taken over once.
    pub(crate) unsafe fn adopt(address: u64, length: u64) -> Self {
        let start = NonNull::new(address as usize as *mut u8);
        match (start, host().and_then(|table| table.free)) {
            (Some(address), Some(free)) => BlobBuf {
                address,
                length: match isize::try_from(length) {
                    Ok(length) => length as usize,
                    Err(_) => 0,
                },
                free: Some(free),
            },
            _ => BlobBuf {
                address: NonNull::dangling(),
                length: 0,
                free: None,
            },
        }
    }

    /// Gives the memory to the host: its address and length.
    pub(crate) fn give(self) -> Result<(u64, u64), crate::Error> {
        if self.length == 0 {
            return Ok((0, 0)); // and self frees what there is
        }
        if self.free.is_none() && host().is_some() {
            return BlobBuf::copy_of(&self)?.give(); // made before there was a host
        }
        let blob = std::mem::ManuallyDrop::new(self);
        Ok((blob.address.as_ptr() as usize as u64, blob.length as u64))
    }
}

impl Drop for BlobBuf {
    fn drop(&mut self) {
        match self.free {
            // SAFETY: it came from this host's alloc and has not been given away.
            Some(free) => unsafe { free(self.address.as_ptr()) },
            None if self.length > 0 => {
                let own = ptr::slice_from_raw_parts_mut(self.address.as_ptr(), self.length);
                // SAFETY: it came from a box of this length.
                drop(unsafe { Box::from_raw(own) });
            }
            None => {}
        }
    }
}

impl Deref for BlobBuf {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        // SAFETY: so many initialised bytes are there, or the length is 0.
        unsafe { std::slice::from_raw_parts(self.address.as_ptr(), self.length) }
    }
}

impl DerefMut for BlobBuf {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and self is borrowed alone.
        unsafe { std::slice::from_raw_parts_mut(self.address.as_ptr(), self.length) }
    }
}

impl fmt::Debug for BlobBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobBuf of {} bytes", self.length)
    }
}
