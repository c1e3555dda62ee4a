//! Every message between actors: who sends it, who receives it, what it means.

use std::sync::{Arc, Weak};

use actix::{Message, Recipient};

use crate::charts::{SongsAnswer, UsersAnswer};
use crate::http::{SongsQuery, UsersQuery};
use crate::kafka::TopicPartition;
use crate::kafka::gate::{Charge, Gate};
use crate::kafka::native::{FetchError, FetchedBatch};
use crate::kafka::poller::Reading;
use crate::schemas::batch::OwnedActivity;
use crate::schemas::{EventBatch, Source};

/// Poll loop -> supervisor: the group membership changed, or the consumer as a whole is in trouble.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub enum GroupEvent {
    /// Partitions are ours, paused and waiting for [`crate::kafka::poller::Feed::start`].
    Assigned(Vec<TopicPartition>),
    /// Partitions must be drained and given back with [`crate::kafka::poller::Feed::release`]; when `lost`, they are
    /// gone already.
    Revoked {
        /// Which ones.
        partitions: Vec<TopicPartition>,
        /// The group has given them to others without waiting for us.
        lost: bool,
    },
    /// A topic that the settings name is not there (yet).
    TopicMissing,
    /// The broker refuses the credentials or the access, or the group the member.
    Denied(String),
    /// The consumer cannot go on.
    Fatal(String),
}

/// Poll loop -> partition consumer: consecutive messages.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Fetched {
    /// As given to [`crate::kafka::poller::Feed::start`]; an older one is stale.
    pub reading: Reading,
    /// The messages.
    pub batch: FetchedBatch,
}

/// Poll loop -> partition consumer: no more messages come of this reading.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct FetchFailed {
    /// Which ended.
    pub reading: Reading,
    /// Why.
    pub error: FetchError,
}

/// Partition consumer -> uploader and window aggregator: decoded records of `[start, end)`.
///
/// The receiver slices off what it has, and answers where it needs to go on when there is a hole.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Delivered")]
pub struct Deliver {
    /// The records.
    pub batch: Arc<EventBatch>,
    /// Memory that the batch takes from the budget while anyone holds it.
    pub charge: Arc<Charge>,
}

/// Answer to [`Deliver`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, actix::MessageResponse)]
pub enum Delivered {
    /// Taken (or known already).
    Taken,
    /// Records before the batch are missing: deliver from this offset on.
    Rewind(i64),
}

/// Partition consumer -> uploader: where must reading begin?
#[derive(Debug, Message)]
#[rtype(result = "Whereabouts")]
pub struct WhereAreYou;

/// Answer to [`WhereAreYou`], once the ledger has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, actix::MessageResponse)]
pub struct Whereabouts {
    /// First offset that the uploader lacks.
    pub position: i64,
    /// First offset that reading may begin at, to see the ledger's fingerprint again.
    pub read_from: i64,
    /// End of the last range with a receipt.
    pub receipted: i64,
    /// Start of that range; none where the chain is empty.
    pub receipted_start: Option<i64>,
}

/// Partition consumer -> window aggregator: take this partition up, with state up to a receipted offset.
#[derive(Debug, Message)]
#[rtype(result = "i64")]
pub struct Attach {
    /// The partition.
    pub source: Arc<Source>,
    /// End of the last range with a receipt; the lake can give the state up to there.
    pub receipted: i64,
    /// Start of that range; none where the chain is empty.
    pub receipted_start: Option<i64>,
    /// Held while the partition is too far ahead in event time.
    pub gate: Arc<Gate>,
    /// The consumer, which hears of records that the windows lack although they were delivered.
    pub again: Recipient<ReadAgain>,
}

/// Window aggregator -> partition consumer: deliver from this offset on, once more.
///
/// What was delivered while the partition was rebuilt out of the lake found no place, and nothing may come any more that would
/// show the hole.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct ReadAgain {
    /// Where to begin.
    pub from: i64,
}

/// Partition consumer -> window aggregator: retention took what you lack, up to `through`.
///
/// The aggregator discards the partition's batches until the lake has what is lacking, and is rebuilt from there.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Unreadable {
    /// The partition.
    pub source: Arc<Source>,
    /// First offset that the log still holds.
    pub through: i64,
    /// End of the last range with a receipt.
    pub receipted: i64,
    /// Start of that range; none where the chain is empty.
    pub receipted_start: Option<i64>,
}

/// Supervisor -> window aggregator: the partition is no longer ours; its share leaves the windows.
///
/// Partition consumer -> window aggregator: its log was cut off, so what the windows hold beyond the last receipt may be gone from it;
/// the share leaves them until the partition is attached again.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Detach {
    /// The partition.
    pub partition: TopicPartition,
}

/// Uploader -> window aggregator: `[.., end)` is in the lake.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Receipted {
    /// The partition.
    pub source: Arc<Source>,
    /// Start of the range that got its receipt.
    pub start: i64,
    /// Its end.
    pub end: i64,
    /// The partition's own watermark at `end`, ms since 1970; none before any record.
    pub watermark: Option<i64>,
}

/// Uploader and partition consumer -> supervisor: an operator must act before this partition goes on.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Refused {
    /// The partition.
    pub partition: TopicPartition,
    /// What is wrong and what to do.
    pub why: String,
}

/// Supervisor -> partition consumer: no more batches will come; answer when all are delivered.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Flush;

/// Supervisor -> uploader: cut and write what is pending; answer when it has its receipt. True if nothing is left.
#[derive(Debug, Message)]
#[rtype(result = "bool")]
pub struct Drain;

/// Supervisor -> window aggregator: write a snapshot of every partition; answer when done.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct SnapshotAll;

/// A partition's stay with the aggregator. What was begun for it must not outlive it: a partition that came to life again
/// after it was taken away would hold back the watermark for good.
#[derive(Debug, Default)]
pub struct Stay(Arc<()>);

impl Stay {
    /// What is begun for this stay carries this.
    pub fn ticket(&self) -> Ticket {
        Ticket(Arc::downgrade(&self.0))
    }

    /// Whether `ticket` is of this stay.
    pub fn admits(&self, ticket: &Ticket) -> bool {
        ticket.0.as_ptr() == Arc::as_ptr(&self.0)
    }
}

/// Says for which stay of a partition something was begun.
#[derive(Debug, Clone)]
pub struct Ticket(Weak<()>);

impl Ticket {
    /// Whether the stay has ended.
    pub fn is_void(&self) -> bool {
        self.0.strong_count() == 0
    }
}

/// Window aggregator -> itself: rows read back from the lake while a partition is rebuilt.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Replay {
    /// The partition.
    pub source: Arc<Source>,
    /// Of the stay that the rebuild was begun for; the message of another one moves nothing.
    pub ticket: Ticket,
    /// First offset of the entry.
    pub start: i64,
    /// Its end.
    pub end: i64,
    /// Its rows in offset order.
    pub activity: OwnedActivity,
}

/// Window aggregator -> itself: a partition's state begins anew, from a snapshot or at an offset.
#[derive(Debug, Message)]
#[rtype(result = "Option<i64>")]
pub struct Begin {
    /// The partition.
    pub source: Arc<Source>,
    /// As that of [`Replay`].
    pub ticket: Ticket,
    /// A snapshot to begin with.
    pub snapshot: Option<bytes::Bytes>,
    /// Where to begin without one.
    pub at: i64,
}

/// HTTP -> window aggregator: a chart.
#[derive(Debug, Message)]
#[rtype(result = "SongsAnswer")]
pub struct AskSongs(pub SongsQuery);

/// HTTP -> window aggregator: active users.
#[derive(Debug, Message)]
#[rtype(result = "UsersAnswer")]
pub struct AskUsers(pub UsersQuery);

/// Supervisor -> any child: stop now, without draining.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Halt;

/// Process -> supervisor: drain everything and stop.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Shutdown;
