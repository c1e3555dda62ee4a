//! A limit on log lines: a fault that repeats thousands of times a minute must not fill the disk or hide the rest.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Filter};

/// Lines that one place in the code may write in a [`WINDOW`]: one for each of very many partitions at a rebalance.
const LINES: u32 = 300;
const WINDOW: Duration = Duration::from_secs(60);

static SUPPRESSED: AtomicU64 = AtomicU64::new(0);

/// Lines that were left out so far, of the whole process.
pub fn suppressed() -> u64 {
    SUPPRESSED.load(Ordering::Relaxed)
}

/// Lets each place in the code write [`LINES`] lines a minute.
#[derive(Debug, Default)]
pub struct LogLimit {
    written: Mutex<HashMap<Identifier, (Instant, u32)>>,
}

impl LogLimit {
    fn admits(&self, place: Identifier, now: Instant) -> bool {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, lines) = written.entry(place).or_insert((now, 0));
        if now.duration_since(*since) >= WINDOW {
            (*since, *lines) = (now, 0);
        }
        *lines += 1;
        *lines <= LINES
    }
}

impl<S: Subscriber> Filter<S> for LogLimit {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        let admitted = self.admits(event.metadata().callsite(), Instant::now());
        if !admitted {
            SUPPRESSED.fetch_add(1, Ordering::Relaxed);
        }
        admitted
    }
}

/// Tells what is new from what was said within the last minute.
#[derive(Debug, Default)]
pub struct Recent {
    said: HashMap<String, Instant>,
}

impl Recent {
    /// Whether `what` was not said within the [`WINDOW`] before `now`; from `now` on it was.
    pub fn is_new(&mut self, what: &str, now: Instant) -> bool {
        self.said.retain(|_, at| now.duration_since(*at) < WINDOW);
        let new = !self.said.contains_key(what);
        if new {
            self.said.insert(what.to_owned(), now);
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use tracing::Callsite as _;

    use super::*;

    fn place() -> Identifier {
        tracing::callsite!(name: "here", kind: tracing::metadata::Kind::EVENT, fields: message)
            .metadata()
            .callsite()
    }

    #[test]
    fn a_place_writes_so_many_lines_a_minute() {
        let (limit, begin) = (LogLimit::default(), Instant::now());
        let admitted = |now| (0..1000).filter(|_| limit.admits(place(), now)).count();
        assert_eq!(admitted(begin), LINES as usize);
        assert_eq!(admitted(begin + WINDOW / 2), 0);
        assert_eq!(admitted(begin + WINDOW), LINES as usize);
    }

    #[test]
    fn what_goes_on_is_said_once_a_minute() {
        let (mut recent, begin) = (Recent::default(), Instant::now());
        let mut said = |what, after| recent.is_new(what, begin + after);
        assert!(said("down", Duration::ZERO) && said("refused", Duration::ZERO));
        assert!(!said("down", WINDOW / 2) && !said("down", WINDOW * 3 / 4));
        assert!(said("down", WINDOW) && !said("down", WINDOW));
    }
}
