//! An allocator that counts, for the tests that hold a budget.
//!
//! A test file that wants it says `#[global_allocator] static A: Counting = Counting;`. Counts are
//! kept by thread, so that tests may run side by side.
#![allow(
    unsafe_code,
    reason = "an allocator cannot be written without; it only counts and passes on"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, counted.
#[derive(Debug)]
pub struct Counting;

/// What one piece of work allocated on its thread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Calls that allocated or grew.
    pub calls: u64,
    /// Bytes they asked for.
    pub bytes: u64,
}

/// Runs `work` and counts.
pub fn count<T>(work: impl FnOnce() -> T) -> (T, Count) {
    let before = COUNT.get();
    let answer = work();
    let after = COUNT.get();
    let count = Count { calls: after.calls - before.calls, bytes: after.bytes - before.bytes };
    (answer, count)
}

/// What this thread has allocated so far, for work that cannot be held in a closure.
pub fn total() -> Count {
    COUNT.get()
}

thread_local! {
    static COUNT: Cell<Count> = const { Cell::new(Count { calls: 0, bytes: 0 }) };
}

fn add(bytes: usize) {
    // Gone while a thread ends: then nobody counts.
    let _ = COUNT.try_with(|c| {
        let count = c.get();
        c.set(Count { calls: count.calls + 1, bytes: count.bytes + bytes as u64 });
    });
}

// SAFETY: every call goes to the system's allocator with the arguments it came with; counting
// touches a thread-local cell without a destructor and allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: as promised by our caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: as promised by our caller.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        add(new_size.saturating_sub(layout.size()));
        // SAFETY: as promised by our caller.
        unsafe { System.realloc(ptr, layout, new_size) }
    }
}
