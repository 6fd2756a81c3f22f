//! The memory of the module. An allocation of the standard library's takes some 1,900 instructions
//! and its release 600, and a request makes a dozen: a third of all that the module executed for
//! one. Here small blocks are kept by size when they are released, and given out again in a
//! handful.
//!
//! A small block stays small: it goes back to no other size. A VM's caches are bounded, and so is
//! this.

#![expect(unsafe_code, reason = "an allocator hands out raw memory")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ptr;

/// Sizes are multiples of this, in bytes; it is the alignment of all small blocks, too.
const STEP: usize = 16;
/// The largest small block, in bytes: a header map is smaller as a rule.
const SMALL_MAX: usize = 2_048;
/// The number of sizes.
const SIZES: usize = SMALL_MAX / STEP;

/// Free blocks by size; each holds the address of the next one.
struct Pool {
    free: UnsafeCell<[*mut u8; SIZES]>,
}

// SAFETY: a module of proxy-wasm has one thread, and so has every VM that it is loaded into.
unsafe impl Sync for Pool {}

#[global_allocator]
static POOL: Pool = Pool { free: UnsafeCell::new([ptr::null_mut(); SIZES]) };

/// The number of a small size; `None` for one that is left to the standard library.
fn small(layout: Layout) -> Option<usize> {
    let number = layout.size().wrapping_sub(1) / STEP;
    (number < SIZES && layout.align() <= STEP).then_some(number)
}

/// The layout of the blocks of a small size.
fn block(number: usize) -> Layout {
    // SAFETY: the alignment is a power of two, and no size is near the largest there can be.
    unsafe { Layout::from_size_align_unchecked((number + 1) * STEP, STEP) }
}

impl Pool {
    /// The place of the first free block of a size.
    fn first(&self, number: usize) -> *mut *mut u8 {
        self.free.get().cast::<*mut u8>().wrapping_add(number)
    }
}

// SAFETY: a block is in one list at the most, and only while it is free; it is as large and as
// aligned as its size says, and each size is at least the one that was asked for.
unsafe impl GlobalAlloc for Pool {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(number) = small(layout) else {
            // SAFETY: the caller's promise is passed on.
            return unsafe { System.alloc(layout) };
        };
        let first = self.first(number);
        // SAFETY: the number is one of a size, nobody else looks at the lists now, and what is in
        // one is a free block.
        unsafe {
            let found = *first;
            if found.is_null() {
                return System.alloc(block(number));
            }
            *first = *found.cast::<*mut u8>();
            found
        }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        let Some(number) = small(layout) else {
            // SAFETY: the caller's promise is passed on, and `alloc` left this layout to the same
            // allocator.
            return unsafe { System.dealloc(at, layout) };
        };
        let first = self.first(number);
        // SAFETY: as in `alloc`; the block is the caller's no more, and has room for an address.
        unsafe {
            *at.cast::<*mut u8>() = *first;
            *first = at;
        }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that this is a layout.
        let grown = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        match (small(layout), small(grown)) {
            (Some(before), Some(after)) if before == after => at,
            // SAFETY: the caller's promise is passed on.
            (None, None) => unsafe { System.realloc(at, layout, size) },
            // SAFETY: both blocks hold what is copied, and do not overlap; the old one is the
            // caller's to give back.
            _ => unsafe {
                let moved = self.alloc(grown);
                if !moved.is_null() {
                    ptr::copy_nonoverlapping(at, moved, layout.size().min(size));
                    self.dealloc(at, layout);
                }
                moved
            },
        }
    }
}
