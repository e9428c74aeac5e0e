//! WebAssembly: a host cannot put its functions into a module's table of functions. So the
//! module imports them, and makes the host's structures itself, for whose addresses the host
//! asks.

use crate::host::HostTable;
use crate::uses::HostCalls;
use std::alloc::Layout;
use std::os::raw::c_char;
use std::ptr;

mod import {
    use std::os::raw::c_char;

    #[link(wasm_import_module = "nyash")]
    extern "C" {
        pub fn log(level: i32, message: *const c_char);
        pub fn wake(handle: u64);
        pub fn resolve(
            name: *const c_char,
            method: *const c_char,
            type_id: *mut u32,
            method_id: *mut u32,
        ) -> i32;
        pub fn invoke(
            type_id: u32,
            method_id: u32,
            instance_id: u32,
            args: *const u8,
            args_len: usize,
            result: *mut u8,
            result_len: *mut usize,
        ) -> i32;
    }
}

unsafe extern "C" fn log(level: i32, message: *const c_char) {
    // SAFETY: the caller's promise is the host's condition.
    unsafe { import::log(level, message) }
}

unsafe extern "C" fn wake(handle: u64) {
    // SAFETY: any handle may be woken.
    unsafe { import::wake(handle) }
}

unsafe extern "C" fn resolve(
    name: *const c_char,
    method: *const c_char,
    type_id: *mut u32,
    method_id: *mut u32,
) -> i32 {
    // SAFETY: the caller's promise is the host's condition.
    unsafe { import::resolve(name, method, type_id, method_id) }
}

unsafe extern "C" fn invoke(
    type_id: u32,
    method_id: u32,
    instance_id: u32,
    args: *const u8,
    args_len: usize,
    result: *mut u8,
    result_len: *mut usize,
) -> i32 {
    // SAFETY: the caller's promise is the host's condition.
    unsafe {
        import::invoke(
            type_id,
            method_id,
            instance_id,
            args,
            args_len,
            result,
            result_len,
        )
    }
}

/// What precedes a block: its whole size, which free is not told.
const HEAD: usize = 16;

/// Memory for the host, and for who frees it through the host.
pub extern "C" fn alloc(size: usize) -> *mut u8 {
    let whole = size.checked_add(HEAD);
    let layout = match whole.map(|whole| Layout::from_size_align(whole, HEAD)) {
        Some(Ok(layout)) => layout,
        _ => return ptr::null_mut(),
    };
    // SAFETY: the layout has a size, and the head lies within.
    unsafe {
        let block = std::alloc::alloc(layout);
        if block.is_null() {
            return block;
        }
        block.cast::<usize>().write(layout.size());
        block.add(HEAD)
    }
}

/// # Safety
///
/// The block is of [`alloc`], and was not freed, or is null.
pub unsafe extern "C" fn free(block: *mut u8) {
    if block.is_null() {
        return;
    }
    // SAFETY: alloc has written the size in front of it.
    unsafe {
        let whole = block.sub(HEAD);
        let size = whole.cast::<usize>().read();
        std::alloc::dealloc(whole, Layout::from_size_align_unchecked(size, HEAD));
    }
}

/// The host's table.
pub static TABLE: HostTable = HostTable::of_module(alloc, free, wake, log);

/// What the host offers with connect.
pub static CALLS: HostCalls = HostCalls::of_module(resolve, invoke);
