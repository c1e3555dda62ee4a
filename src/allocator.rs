//! The allocator: jemalloc, for Rust's part and for librdkafka's alike.
//!
//! Batches are allocated on one thread and freed on another, and librdkafka's buffers likewise. glibc's allocator then
//! either keeps twice the live heap (its arenas) or, told to give memory back, spends a quarter of all CPU time on page
//! faults. One arena is enough for the few threads there are, and keeps least. What is freed is kept for a minute, six times
//! the usual time: batches come and go within seconds, and half the page faults go with that; what a burst took is given back.

use libc::c_char;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// jemalloc looks for its settings under this name, before `main`; the variable `MALLOC_CONF` overrides them.
#[used]
#[unsafe(export_name = "malloc_conf")]
pub static SETTINGS: Option<&c_char> =
    // SAFETY: the bytes are static and end with a zero; the reference is to the first of them.
    Some(unsafe { &*c"narenas:1,dirty_decay_ms:60000".as_ptr() });
