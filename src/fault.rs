//! Named fault points, where a test can make an actor panic or hang. Compiled to nothing outside tests.

#[cfg(test)]
pub use armed::*;

/// Does nothing outside tests.
#[cfg(not(test))]
#[inline(always)]
pub async fn point(_name: &'static str) {}

#[cfg(test)]
mod armed {
    use std::cell::RefCell;
    use std::collections::HashMap;

    /// What happens at an armed point, once.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Fault {
        /// The actor panics.
        Panic,
        /// The actor never comes back.
        Hang,
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

    /// Panics or hangs if `name` is armed.
    pub async fn point(name: &'static str) {
        match ARMED.with_borrow_mut(|armed| armed.remove(name)) {
            Some(Fault::Panic) => panic!("fault point {name}"),
            Some(Fault::Hang) => std::future::pending().await,
            None => {}
        }
    }
}
