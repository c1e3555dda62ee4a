//! Named fault points: where tests make an actor panic or hang, or a whole process die or stand still.
//!
//! In unit tests a point is armed by `arm`. A development build takes one from the environment,
//! `BEATLYTICA_FAULT=NAME:abort`, `NAME:stop` or `NAME:abort:3` (at the third passage), for end-to-end tests. A release
//! build has none of this: a point is an empty function there, and its name is not in the program.

#[cfg(test)]
pub use armed::*;
#[cfg(all(debug_assertions, not(test)))]
pub use chosen::point;

/// Does nothing in release builds. No `async fn`: that would keep the name in its future.
#[cfg(not(any(debug_assertions, test)))]
#[inline(always)]
pub fn point(_name: &'static str) -> std::future::Ready<()> {
    std::future::ready(())
}

#[cfg(all(debug_assertions, not(test)))]
mod chosen {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    const VARIABLE: &str = "BEATLYTICA_FAULT";

    struct Chosen {
        name: String,
        stop: bool,
        /// Passages up to the one that counts, that one included.
        left: AtomicU32,
    }

    static CHOSEN: LazyLock<Option<Chosen>> = LazyLock::new(|| {
        let text = std::env::var(VARIABLE).ok()?;
        let chosen = parse(&text);
        if chosen.is_none() {
            eprintln!("error: {VARIABLE}={text} is not NAME:abort or NAME:stop, with :N for the Nth passage");
            std::process::exit(2);
        }
        chosen
    });

    fn parse(text: &str) -> Option<Chosen> {
        let mut parts = text.split(':');
        let name = parts.next()?.to_owned();
        let stop = match parts.next()? {
            "stop" => true,
            "abort" => false,
            _ => return None,
        };
        let left = parts.next().map_or(Some(1), |passage| passage.parse().ok())?;
        Some(Chosen { name, stop, left: AtomicU32::new(left) })
    }

    /// Ends or stops the process where the environment asks for it.
    pub async fn point(name: &'static str) {
        let Some(chosen) = CHOSEN.as_ref().filter(|chosen| chosen.name == name) else { return };
        if chosen.left.fetch_sub(1, Ordering::Relaxed) != 1 {
            return;
        }
        eprintln!("fault point {name}");
        if !chosen.stop {
            std::process::abort();
        }
        // SAFETY: it touches no memory of ours; the signal's effect is the kernel's own.
        unsafe { libc::raise(libc::SIGSTOP) };
    }
}

#[cfg(test)]
mod armed {
    use std::cell::RefCell;
    use std::collections::HashMap;
    use std::time::Duration;

    /// What happens at an armed point, once.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Fault {
        /// The actor panics.
        Panic,
        /// The actor never comes back.
        Hang,
        /// The actor comes back after so long.
        Pause(Duration),
    }

    thread_local! {
        static ARMED: RefCell<HashMap<&'static str, Fault>> = RefCell::default();
    }

    /// Arms `name` on this thread, for the next time it is passed.
    pub fn arm(name: &'static str, fault: Fault) {
        ARMED.with_borrow_mut(|armed| armed.insert(name, fault));
    }

    /// Whether `name` is still armed, that is, was not passed.
    pub fn is_armed(name: &'static str) -> bool {
        ARMED.with_borrow(|armed| armed.contains_key(name))
    }

    /// Panics, hangs or waits if `name` is armed.
    pub async fn point(name: &'static str) {
        match ARMED.with_borrow_mut(|armed| armed.remove(name)) {
            Some(Fault::Panic) => panic!("fault point {name}"),
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::Pause(time)) => tokio::time::sleep(time).await,
            None => {}
        }
    }
}
