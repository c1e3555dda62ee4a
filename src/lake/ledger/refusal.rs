//! Why the engine refuses to go on with a topic; each message tells the operator what to do.

use thiserror::Error;

use super::records::Hex64;

/// A state in which going on could lose or double records.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The epoch belongs to another cluster or to another topic of that name.
    #[error(
        "topic {topic} was created anew: epoch {epoch} has {what} {recorded}, the broker says {found}. Check that \
         kafka.brokers names the right cluster; if it does, run `beatlytica epoch open --topic {topic}`"
    )]
    TopicRecreated {
        /// Kafka topic.
        topic: Box<str>,
        /// The epoch whose record differs.
        epoch: u32,
        /// `cluster id` or `topic id`.
        what: &'static str,
        /// What the epoch record says.
        recorded: Box<str>,
        /// What the broker says.
        found: Box<str>,
    },
    /// The log is shorter than what the lake holds.
    #[error(
        "{chain}: the log ends at offset {log_end}, but the lake holds offsets up to {head_end}: the topic was \
         created anew or the broker lost records. If it lost some, delete the topic and create it anew, for this log cannot \
         be told from before; then run `beatlytica epoch open --topic {topic}`"
    )]
    LogEndBelowHead {
        /// Topic, epoch and partition.
        chain: Box<str>,
        /// Kafka topic.
        topic: Box<str>,
        /// End of the log.
        log_end: i64,
        /// End of the chain's head.
        head_end: i64,
    },
    /// The log holds other records than those that were decided.
    #[error(
        "{chain}: the log holds another record at offset {offset} than the lake's ledger says: the topic was \
         created anew or its log was changed. If it was changed, delete the topic and create it anew; then run \
         `beatlytica epoch open --topic {topic}`"
    )]
    FingerprintMismatch {
        /// Topic, epoch and partition.
        chain: Box<str>,
        /// Kafka topic.
        topic: Box<str>,
        /// Offset of the record.
        offset: i64,
    },
    /// The records read again are not those that were decided.
    #[error(
        "{chain} [{start}, {end}): the log holds {found} records with checksum {found_checksum}, the ledger \
         decided {decided} with {decided_checksum}: the topic was created anew or its log was changed. If it was \
         changed, delete the topic and create it anew; then run `beatlytica epoch open --topic {topic}`"
    )]
    RecordsDiffer {
        /// Topic, epoch and partition.
        chain: Box<str>,
        /// Kafka topic.
        topic: Box<str>,
        /// First offset.
        start: i64,
        /// End, exclusive.
        end: i64,
        /// Records found.
        found: u64,
        /// Their checksum.
        found_checksum: Hex64,
        /// Records decided.
        decided: u64,
        /// Their checksum.
        decided_checksum: Hex64,
    },
    /// An unfinished decision has a schema that this program cannot write.
    #[error(
        "{chain}: the entry at offset {start} is unfinished and was decided under schema version {found} by \
         beatlytica {code_version}; this program writes version {supported}. Run beatlytica {code_version} until the \
         entry is finished"
    )]
    UnknownSchemaVersion {
        /// Topic, epoch and partition.
        chain: Box<str>,
        /// The entry's start.
        start: i64,
        /// Its schema version.
        found: u32,
        /// This program's.
        supported: u32,
        /// The program to run.
        code_version: Box<str>,
    },
    /// The epoch was closed; a newer one goes on.
    #[error(
        "{chain} is closed: a newer epoch of topic {topic} was opened while this program ran. Restart it; it goes \
         on with the newest epoch"
    )]
    ClosedEpoch {
        /// Topic, epoch and partition.
        chain: Box<str>,
        /// Kafka topic.
        topic: Box<str>,
    },
    /// The topic's log is not immutable.
    #[error(
        "topic {topic} has cleanup.policy={policy}: compaction changes the log, so exactly-once cannot be kept. Set \
         cleanup.policy=delete on the topic"
    )]
    Compacted {
        /// Kafka topic.
        topic: Box<str>,
        /// The setting as found.
        policy: Box<str>,
    },
    /// The chain is of another table.
    #[error(
        "{chain}: the entry at offset {start} was decided for the table {decided}, but kafka.topics names the topic for {named}. \
         Put kafka.topics back"
    )]
    OtherTable {
        /// Topic, epoch and partition.
        chain: Box<str>,
        /// The entry's start.
        start: i64,
        /// The decision's table.
        decided: &'static str,
        /// The settings' table.
        named: &'static str,
    },
    /// The objects made for an unfinished decision are not those that it names.
    #[error(
        "{chain}: the entry at offset {start} names {name}, for which this program made no object (or the reverse). \
         Check that decode.repair and kafka.topics are as they were, or run beatlytica {code_version} until the entry \
         is finished"
    )]
    ObjectsDiffer {
        /// Topic, epoch and partition.
        chain: Box<str>,
        /// The entry's start.
        start: i64,
        /// The object.
        name: Box<str>,
        /// The program that decided.
        code_version: Box<str>,
    },
}

impl Refusal {
    /// Refuses a topic whose `cleanup.policy` lets the broker compact it.
    ///
    /// # Errors
    /// [`Refusal::Compacted`].
    pub fn check_cleanup_policy(topic: &str, policy: &str) -> Result<(), Refusal> {
        if policy.split(',').any(|part| part.trim() == "compact") {
            return Err(Refusal::Compacted { topic: topic.into(), policy: policy.into() });
        }
        Ok(())
    }

    /// Whether the remedy is to open the topic's next epoch.
    pub fn asks_for_new_epoch(&self) -> bool {
        matches!(
            self,
            Refusal::TopicRecreated { .. }
                | Refusal::LogEndBelowHead { .. }
                | Refusal::FingerprintMismatch { .. }
                | Refusal::RecordsDiffer { .. }
        )
    }
}
