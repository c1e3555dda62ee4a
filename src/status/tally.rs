//! Counts that a part of the engine adds to and the metrics read: no lock, and nothing for a single event.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rdkafka::error::RDKafkaErrorCode;

use crate::charts::Counters;
use crate::schemas::EventBatch;
use crate::schemas::decode::REASONS;

/// What a partition waits for before more of it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Its consumer has enough to do.
    Consumer,
    /// The decoded rows of all partitions fill the memory budget.
    Memory,
    /// It is too far ahead of the others in event time.
    EventTime,
}

impl Wait {
    /// Every one, in order.
    pub const ALL: [Wait; 3] = [Wait::Consumer, Wait::Memory, Wait::EventTime];

    /// Label of the metric.
    pub fn name(self) -> &'static str {
        match self {
            Wait::Consumer => "consumer",
            Wait::Memory => "memory",
            Wait::EventTime => "event_time",
        }
    }
}

/// One partition's counts.
#[derive(Debug, Default)]
pub struct Tally {
    rejected: [AtomicU64; REASONS.len()],
    waited_micros: [AtomicU64; Wait::ALL.len()],
    late: AtomicU64,
    too_old: AtomicU64,
    future: AtomicU64,
    /// Records that librdkafka holds for the partition.
    pub fetched_ahead: AtomicU64,
    /// Since when there are records that were not even read, ms since 1970; 0 if there are none.
    unread_since_ms: AtomicI64,
}

impl Tally {
    /// Counts a batch's rejected records.
    pub fn decoded(&self, batch: &EventBatch) {
        for record in &batch.rejected {
            let place = REASONS.iter().position(|reason| *reason == record.reason);
            if let Some(count) = place.and_then(|place| self.rejected.get(place)) {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Rejected records by reason.
    pub fn rejected(&self) -> impl Iterator<Item = (&'static str, u64)> {
        REASONS.into_iter().zip(self.rejected.iter().map(|count| count.load(Ordering::Relaxed)))
    }

    /// Adds to the time that the partition waited.
    pub fn waited(&self, wait: Wait, time: Duration) {
        if let Some(micros) = self.waited_micros.get(wait as usize) {
            micros.fetch_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }

    /// Seconds waited, by what for.
    pub fn waits(&self) -> impl Iterator<Item = (&'static str, f64)> {
        let seconds = self.waited_micros.iter().map(|micros| micros.load(Ordering::Relaxed) as f64 / 1e6);
        Wait::ALL.into_iter().map(Wait::name).zip(seconds)
    }

    /// Adds what the windows say of further rows.
    pub fn add_windows(&self, counters: &Counters) {
        self.late.fetch_add(counters.late, Ordering::Relaxed);
        self.too_old.fetch_add(counters.too_old, Ordering::Relaxed);
        self.future.fetch_add(counters.future, Ordering::Relaxed);
    }

    /// Rows folded by this process that were late, too old for any window, too far in the future.
    pub fn windows(&self) -> [u64; 3] {
        [&self.late, &self.too_old, &self.future].map(|count| count.load(Ordering::Relaxed))
    }

    /// Notes whether there are records of which none is read yet.
    pub fn set_unread(&self, unread: bool) {
        if !unread {
            self.unread_since_ms.store(0, Ordering::Relaxed);
        } else if self.unread_since_ms.load(Ordering::Relaxed) == 0 {
            self.unread_since_ms.store(now_ms(), Ordering::Relaxed);
        }
    }

    /// Since when [`Tally::set_unread`] says so, ms since 1970.
    pub fn unread_since_ms(&self) -> Option<i64> {
        Some(self.unread_since_ms.load(Ordering::Relaxed)).filter(|since| *since != 0)
    }
}

/// The wall clock, ms since 1970.
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// What a trouble of the Kafka client is about: few values, each with something else to do about it.
const TROUBLES: [&str; 4] = ["connection", "authentication", "authorization", "other"];

fn trouble_of(code: Option<RDKafkaErrorCode>) -> &'static str {
    use RDKafkaErrorCode::*;
    match code {
        Some(
            BrokerTransportFailure
            | AllBrokersDown
            | Resolve
            | OperationTimedOut
            | RequestTimedOut
            | NetworkException,
        ) => "connection",
        Some(Authentication | SaslAuthenticationFailed | SSL | UnsupportedSASLMechanism) => "authentication",
        Some(TopicAuthorizationFailed | GroupAuthorizationFailed | ClusterAuthorizationFailed) => {
            "authorization"
        }
        _ => "other",
    }
}

/// Counts of the Kafka client as a whole.
#[derive(Debug, Default)]
pub struct ClientTally {
    errors: [AtomicU64; TROUBLES.len()],
}

impl ClientTally {
    /// Counts an error that the client told.
    pub fn error(&self, code: Option<RDKafkaErrorCode>) {
        let place = TROUBLES.iter().position(|trouble| *trouble == trouble_of(code));
        if let Some(count) = place.and_then(|place| self.errors.get(place)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether a broker refused the sign-in, or TLS with it failed.
    pub fn is_refused(&self) -> bool {
        self.errors().any(|(trouble, count)| trouble == "authentication" && count > 0)
    }

    /// Errors by what they are about.
    pub fn errors(&self) -> impl Iterator<Item = (&'static str, u64)> {
        TROUBLES.into_iter().zip(self.errors.iter().map(|count| count.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_add_up_by_what_for() {
        let tally = Tally::default();
        tally.waited(Wait::Memory, Duration::from_millis(1500));
        tally.waited(Wait::Memory, Duration::from_millis(500));
        let waits: Vec<_> = tally.waits().collect();
        assert_eq!(waits, [("consumer", 0.0), ("memory", 2.0), ("event_time", 0.0)]);
    }

    #[test]
    fn unread_records_keep_their_first_time() {
        let tally = Tally::default();
        tally.set_unread(true);
        let since = tally.unread_since_ms();
        assert!(since.is_some());
        tally.set_unread(true);
        assert_eq!(tally.unread_since_ms(), since);
        tally.set_unread(false);
        assert_eq!(tally.unread_since_ms(), None);
    }

    #[test]
    fn errors_are_told_apart_by_what_to_do() {
        let tally = ClientTally::default();
        tally.error(Some(RDKafkaErrorCode::SaslAuthenticationFailed));
        tally.error(Some(RDKafkaErrorCode::AllBrokersDown));
        tally.error(None);
        let errors: Vec<_> = tally.errors().collect();
        assert_eq!(errors, [("connection", 1), ("authentication", 1), ("authorization", 0), ("other", 1)]);
    }
}
