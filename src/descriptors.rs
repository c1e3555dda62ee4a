//! Room for connections: the soft limit of open files that a login gives is often 1,024.

/// Open files that a busy engine needs: streams, other connections, partitions' sockets and objects, and some more.
const WANTED: u64 = 4096;

/// Raises the soft limit of open files to [`WANTED`], or as far as the hard limit allows; does nothing where it is
/// higher already, or outside of Unix.
pub fn raise_limit() {
    #[cfg(unix)]
    {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the call fills the struct that it is given.
        if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } != 0 || limit.rlim_cur >= WANTED {
            return;
        }
        limit.rlim_cur = WANTED.min(limit.rlim_max);
        // SAFETY: the call reads the struct that it is given.
        if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) } != 0 {
            tracing::debug!("the limit of open files could not be raised");
        }
    }
}
