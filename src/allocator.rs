//! Keeps the C library's allocator from holding on to memory that was freed.

/// Limits glibc's arenas and makes large blocks go back to the system when they are freed; does nothing elsewhere.
///
/// Batches are allocated on one thread and freed on another, and librdkafka's buffers likewise: with glibc's own
/// choice of eight arenas a core, and a threshold for mapped blocks that grows up to 32 MiB, twice the live heap stays
/// resident. To be called before threads are started.
pub fn limit_fragmentation() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        const MIB: i32 = 1 << 20;
        let settings =
            [(libc::M_ARENA_MAX, 2), (libc::M_MMAP_THRESHOLD, MIB), (libc::M_TRIM_THRESHOLD, 4 * MIB)];
        for (parameter, value) in settings {
            // SAFETY: mallopt takes two integers and touches only the allocator's own settings, under its lock.
            unsafe { libc::mallopt(parameter, value) };
        }
    }
}
