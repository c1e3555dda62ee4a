//! The JSON records of the ledger.

use std::collections::BTreeSet;
use std::fmt;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

use crate::lake::layout::{ChainKey, Name, RangeKey};
use crate::schemas::EventKind;

/// Format version of the ledger's records that this code writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

/// Why a ledger record cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LedgerError {
    /// Written by a newer program.
    #[error("{name} has ledger format {found}, this program reads up to {FORMAT}: run a newer beatlytica")]
    Newer {
        /// Object name.
        name: String,
        /// Its format version.
        found: u32,
    },
    /// A newer program laid out the ledger anew.
    #[error(
        "{name} was written by a newer beatlytica, whose ledger this program does not read: run that version, or name another lake.url"
    )]
    NewerLayout {
        /// Name of one of its objects.
        name: String,
    },
    /// Not a record of that kind, or one that contradicts its own name.
    #[error(
        "{name} is damaged ({cause}): `beatlytica verify` tells the extent; restore the object from a copy"
    )]
    Damaged {
        /// Object name.
        name: String,
        /// What is wrong.
        cause: String,
    },
}

impl LedgerError {
    fn damaged(name: &str, cause: impl fmt::Display) -> Self {
        LedgerError::Damaged { name: name.to_owned(), cause: cause.to_string() }
    }
}

/// 64 bits as 16 hexadecimal digits in JSON (a JSON number would lose bits in other programs).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Hex64(pub u64);

impl fmt::Display for Hex64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Serialize for Hex64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hex64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        match u64::from_str_radix(&text, 16) {
            Ok(value) if digits => Ok(Hex64(value)),
            _ => Err(de::Error::custom(format!("{text:?} is not 16 hexadecimal digits"))),
        }
    }
}

/// What an entry decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// The range's records are in the named objects.
    Data,
    /// Retention took the range before it was read: it has no objects.
    Gap,
    /// The epoch ends here; nothing may follow. Its range is empty.
    Close,
}

/// The last record of a range: tells whether the log is still the one that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Kafka offset of the record.
    pub offset: i64,
    /// Its raw hash, see [`crate::schemas::EventBatch::hashes`].
    pub hash: Hex64,
}

/// One entry of a chain: the range `[start, end)` and the objects that hold it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// [`FORMAT`] of the writer.
    pub format: u32,
    /// What is decided.
    pub kind: EntryKind,
    /// Kafka topic.
    pub topic: String,
    /// Lake table, and so the schema of the data objects.
    pub table: EventKind,
    /// The topic's epoch.
    pub epoch: u32,
    /// Kafka partition.
    pub partition: i32,
    /// First offset.
    pub start: i64,
    /// End, exclusive: the consumer's position, which may pass the last record by holes.
    pub end: i64,
    /// Names of all objects that hold the range: data and rejected ones, and the counts made of them.
    pub objects: Vec<String>,
    /// Records in the range, rejected ones included. `end - start - records` offsets are holes.
    pub records: u64,
    /// Wrapping sum of the records' raw hashes; independent of schema and encoding.
    pub checksum: Hex64,
    /// The range's last record; none for gaps and closing entries.
    pub fingerprint: Option<Fingerprint>,
    /// Start of the entry before; none for the first.
    pub previous_start: Option<i64>,
    /// The partition's event-time clock at `end`, ms since 1970 UTC; none before any record.
    pub clock_ms: Option<i64>,
    /// Watermark when it was decided, ms since 1970 UTC; none before there was one.
    pub watermark: Option<i64>,
    /// Stands for the settings under which its records were decoded, see [`crate::schemas::decode::decoding_id`]; none in gaps, closing
    /// entries, and what older programs decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decoding: Option<Hex64>,
    /// Schema of the objects, see [`super::SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Version of the program that decided.
    pub code_version: String,
    /// Who decided: unique to one run of one process.
    pub writer: String,
}

impl Decision {
    /// Whose chain it belongs to.
    pub fn chain(&self) -> ChainKey {
        ChainKey { topic: self.topic.clone(), epoch: self.epoch, partition: self.partition }
    }

    /// Its offsets.
    pub fn range(&self) -> RangeKey {
        self.chain().range(self.start, self.end)
    }

    /// Names of the objects that hold records (data and rejected ones), in decided order.
    pub fn record_objects(&self) -> impl Iterator<Item = &str> {
        self.objects.iter().map(String::as_str).filter(|name| !is_counts(name))
    }

    /// Names of the count objects, in decided order.
    pub fn count_objects(&self) -> impl Iterator<Item = &str> {
        self.objects.iter().map(String::as_str).filter(|name| is_counts(name))
    }

    /// JSON for the ledger.
    ///
    /// # Errors
    /// None that a decision can cause; passes on what the JSON writer says.
    pub fn to_bytes(&self) -> Result<Bytes, LedgerError> {
        write(&self.chain().entry(self.start), self)
    }

    /// Reads the entry that is called `name`, and checks that it says what its name says.
    ///
    /// # Errors
    /// A newer format, or a record that is damaged.
    pub fn parse(name: &str, body: &[u8]) -> Result<Self, LedgerError> {
        let decision: Decision = read(name, body)?;
        decision.check(name).map_err(|cause| LedgerError::damaged(name, cause))?;
        Ok(decision)
    }

    fn check(&self, name: &str) -> Result<(), String> {
        if self.chain().entry(self.start) != name {
            return Err(format!("it says that it is {}", self.chain().entry(self.start)));
        }
        let length = self.end.checked_sub(self.start).and_then(|length| u64::try_from(length).ok());
        let Some(length) = length else {
            return Err(format!("it ends at {}, before its start", self.end));
        };
        match self.kind {
            EntryKind::Close if length != 0 => return Err("a closing entry has an empty range".into()),
            EntryKind::Data | EntryKind::Gap if length == 0 => return Err("its range is empty".into()),
            _ => {}
        }
        if self.records > length {
            return Err(format!("{} records in {length} offsets", self.records));
        }
        if self.kind != EntryKind::Data && (self.records > 0 || !self.objects.is_empty()) {
            return Err("only data entries hold records".into());
        }
        if self.previous_start.is_none() != (self.start == 0) && self.kind != EntryKind::Close {
            return Err("exactly the entry at offset 0 has none before it".into());
        }
        let range = self.range();
        let mut seen = BTreeSet::new();
        for object in &self.objects {
            let parsed: Result<Name, _> = object.parse();
            if parsed.ok().as_ref().and_then(Name::range) != Some(&range) {
                return Err(format!("it names {object}, which is not an object of its range"));
            }
            if !seen.insert(object) {
                return Err(format!("it names {object} twice"));
            }
        }
        Ok(())
    }
}

fn is_counts(name: &str) -> bool {
    name.parse().is_ok_and(|name: Name| name.is_counts())
}

/// One object as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptObject {
    /// Full name.
    pub name: String,
    /// Rows.
    pub rows: u64,
    /// Size in bytes.
    pub bytes: u64,
    /// CRC-32C of the content.
    pub crc32c: u32,
}

/// Says that every object of a decision is there, and what each holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// [`FORMAT`] of the writer.
    pub format: u32,
    /// The decision's start.
    pub start: i64,
    /// The decision's end.
    pub end: i64,
    /// The decision's objects, in its order.
    pub objects: Vec<ReceiptObject>,
    /// How many of the decided records are in no object, retention having taken them before they were written.
    pub lost: u64,
    /// The decision's watermark, ms since 1970 UTC.
    pub watermark: Option<i64>,
}

impl Receipt {
    /// JSON for the ledger.
    ///
    /// # Errors
    /// None that a receipt can cause; passes on what the JSON writer says.
    pub fn to_bytes(&self, name: &str) -> Result<Bytes, LedgerError> {
        write(name, self)
    }

    /// Reads the receipt of `decision` and checks that it is one of that decision.
    ///
    /// # Errors
    /// A newer format, a damaged record, or the receipt of another decision.
    pub fn parse(name: &str, body: &[u8], decision: &Decision) -> Result<Self, LedgerError> {
        let receipt: Receipt = read(name, body)?;
        let names = receipt.objects.iter().map(|object| &object.name);
        if (receipt.start, receipt.end) != (decision.start, decision.end) || !names.eq(&decision.objects) {
            return Err(LedgerError::damaged(name, "it is not the receipt of the entry of that start"));
        }
        let rows: Option<u64> = receipt
            .objects
            .iter()
            .filter(|object| !is_counts(&object.name))
            .try_fold(receipt.lost, |sum, object| sum.checked_add(object.rows));
        if rows != Some(decision.records) {
            return Err(LedgerError::damaged(
                name,
                format!("its rows and lost records do not add up to the entry's {}", decision.records),
            ));
        }
        Ok(receipt)
    }
}

/// Which cluster and topic an epoch belongs to. Created once, never changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// [`FORMAT`] of the writer.
    pub format: u32,
    /// Kafka cluster id, where the broker gave one.
    pub cluster_id: Option<String>,
    /// Kafka topic id, where the broker gave one.
    pub topic_id: Option<String>,
}

impl EpochRecord {
    /// A record of this program's format.
    pub fn new(cluster_id: Option<&str>, topic_id: Option<&str>) -> Self {
        let owned = |id: Option<&str>| id.map(str::to_owned);
        EpochRecord { format: FORMAT, cluster_id: owned(cluster_id), topic_id: owned(topic_id) }
    }

    /// JSON for the ledger.
    ///
    /// # Errors
    /// None that a record can cause; passes on what the JSON writer says.
    pub fn to_bytes(&self, name: &str) -> Result<Bytes, LedgerError> {
        write(name, self)
    }

    /// Reads the epoch record that is called `name`.
    ///
    /// # Errors
    /// A newer format, or a damaged record.
    pub fn parse(name: &str, body: &[u8]) -> Result<Self, LedgerError> {
        read(name, body)
    }
}

fn write<T: Serialize>(name: &str, record: &T) -> Result<Bytes, LedgerError> {
    let mut body = serde_json::to_vec(record).map_err(|error| LedgerError::damaged(name, error))?;
    body.push(b'\n');
    Ok(body.into())
}

fn read<T: DeserializeOwned>(name: &str, body: &[u8]) -> Result<T, LedgerError> {
    #[derive(Deserialize)]
    struct Versioned {
        format: u32,
    }
    // The version first: a newer record need not have the members that this program asks for.
    let Versioned { format } =
        serde_json::from_slice(body).map_err(|error| LedgerError::damaged(name, error))?;
    if format > FORMAT {
        return Err(LedgerError::Newer { name: name.to_owned(), found: format });
    }
    serde_json::from_slice(body).map_err(|error| LedgerError::damaged(name, error))
}
