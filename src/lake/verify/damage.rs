//! What can be wrong with a lake.

use std::fmt;

/// One finding. Ordered by kind, then by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Damage {
    /// An epoch has entries, but no record of what it belongs to.
    EpochMissing {
        /// Name that should be there.
        name: String,
    },
    /// A record of the ledger cannot be read, or contradicts its name.
    Ledger {
        /// Object name and what is wrong.
        cause: String,
    },
    /// Entries are missing.
    EntryMissing {
        /// Topic, epoch and partition.
        chain: String,
        /// First offset that no entry holds.
        from: i64,
        /// Start of the next entry.
        to: i64,
    },
    /// An entry begins before the one before it ends, or follows a closing entry.
    EntryOverlaps {
        /// Entry name.
        name: String,
        /// Where it should begin at the earliest.
        expected: i64,
    },
    /// An entry names another predecessor than the one it has.
    EntryUnlinked {
        /// Entry name.
        name: String,
    },
    /// An entry that is not the last has no receipt.
    ReceiptMissing {
        /// Receipt name.
        name: String,
    },
    /// A receipt without its entry.
    ReceiptAlone {
        /// Receipt name.
        name: String,
    },
    /// A receipted object is not there.
    ObjectMissing {
        /// Object name.
        name: String,
    },
    /// An object is not as its receipt says.
    ObjectDiffers {
        /// Object name.
        name: String,
        /// `size`, `crc32c` or `rows`.
        what: &'static str,
        /// According to the receipt.
        receipted: u64,
        /// As found.
        found: u64,
    },
    /// An object that cannot be read as what its name says.
    ObjectUnreadable {
        /// Object name and what is wrong.
        cause: String,
    },
    /// Nothing names this object.
    ObjectUnnamed {
        /// Object name.
        name: String,
    },
    /// An offset that is not in the object's range.
    OffsetOutside {
        /// Object name.
        name: String,
        /// The offset.
        offset: i64,
    },
    /// An offset that is in the range's objects twice.
    OffsetTwice {
        /// Object name of the second.
        name: String,
        /// The offset.
        offset: i64,
    },
    /// Rows, rejected and lost records do not make up what was decided.
    RecordsDiffer {
        /// Chain and offsets.
        range: String,
        /// Records decided.
        decided: u64,
        /// Rows, rejected and lost records.
        found: u64,
    },
    /// A count table does not equal a recount of the data.
    CountsDiffer {
        /// Object name (the one that should be there, where none is named).
        name: String,
        /// How many keys differ.
        keys: u64,
    },
    /// The broker's topic is not the one that the epoch belongs to.
    TopicRecreated {
        /// Topic, epoch and both ids.
        cause: String,
    },
    /// An entry ends beyond the end of the log.
    LogEndsBefore {
        /// Chain and offsets.
        range: String,
        /// End of the log.
        log_end: i64,
    },
    /// The log holds other records than were decided.
    LogDiffers {
        /// Chain and offsets.
        range: String,
        /// Records decided.
        decided: u64,
        /// Their checksum.
        decided_checksum: String,
        /// Records that the log holds.
        found: u64,
        /// Their checksum.
        found_checksum: String,
    },
    /// The log holds another record, or none, where the entry says that its last one is.
    FingerprintDiffers {
        /// Chain and offsets.
        range: String,
        /// Offset of the record.
        offset: i64,
    },
    /// The log holds records that a gap says retention had taken.
    GapHeld {
        /// Chain and offsets.
        range: String,
        /// How many.
        records: u64,
    },
    /// The log and the lake do not hold the same offsets of a range.
    OffsetsDiffer {
        /// Chain and offsets.
        range: String,
        /// First offset that only one of them holds.
        first: i64,
        /// Offsets that only the log holds.
        log_only: u64,
        /// Offsets that only the lake holds.
        lake_only: u64,
    },
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Damage::EpochMissing { name } => write!(f, "{name} is missing, but the epoch has entries"),
            Damage::Ledger { cause } => write!(f, "{cause}"),
            Damage::EntryMissing { chain, from, to } => {
                write!(f, "{chain}: no entry holds offsets [{from}, {to})")
            }
            Damage::EntryOverlaps { name, expected } => {
                write!(
                    f,
                    "{name} overlaps: the next entry of its chain can begin at {expected} at the earliest"
                )
            }
            Damage::EntryUnlinked { name } => write!(f, "{name} names another entry before it than there is"),
            Damage::ReceiptMissing { name } => write!(f, "{name} is missing, but a later entry exists"),
            Damage::ReceiptAlone { name } => write!(f, "{name} is a receipt of an entry that is missing"),
            Damage::ObjectMissing { name } => write!(f, "{name} is missing"),
            Damage::ObjectDiffers { name, what, receipted, found } => {
                write!(f, "{name} has {what} {found}, its receipt says {receipted}")
            }
            Damage::ObjectUnreadable { cause } => write!(f, "{cause}"),
            Damage::ObjectUnnamed { name } => write!(f, "{name} is named by no entry"),
            Damage::OffsetOutside { name, offset } => {
                write!(f, "{name} holds offset {offset}, outside its range")
            }
            Damage::OffsetTwice { name, offset } => {
                write!(f, "{name} holds offset {offset}, which the range holds twice")
            }
            Damage::RecordsDiffer { range, decided, found } => {
                write!(f, "{range}: {found} rows, rejected and lost records, the entry decided {decided}")
            }
            Damage::CountsDiffer { name, keys } => {
                write!(f, "{name} differs from a recount of the data in {keys} keys")
            }
            Damage::TopicRecreated { cause } => write!(f, "{cause}"),
            Damage::LogEndsBefore { range, log_end } => {
                write!(
                    f,
                    "{range} ends beyond the log, which ends at offset {log_end}: the topic was created anew or the broker lost records"
                )
            }
            Damage::LogDiffers { range, decided, decided_checksum, found, found_checksum } => write!(
                f,
                "{range}: the log holds {found} records with checksum {found_checksum}, the entry decided {decided} with {decided_checksum}"
            ),
            Damage::FingerprintDiffers { range, offset } => {
                write!(f, "{range}: the log does not hold the entry's last record at offset {offset}")
            }
            Damage::GapHeld { range, records } => {
                write!(f, "{range} is a gap, but the log holds {records} records of it")
            }
            Damage::OffsetsDiffer { range, first, log_only, lake_only } => write!(
                f,
                "{range}: {log_only} offsets are in the log only and {lake_only} in the lake only, the first of them {first}"
            ),
        }
    }
}
