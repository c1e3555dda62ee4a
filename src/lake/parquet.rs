//! The lake's Parquet encoding as the ledger protocol sees it.

use super::codec::{CodecError, NewObject, ObjectCodec, StandingObject};
use super::encode::{
    CountTables, Counts, EncodeError, EncodedObject, Encoder, RangeMeta, Table, read_activity, row_count,
};
use super::layout::Name;
use super::ledger::Decision;

/// Reads and makes the objects that another writer's decision needs. Has no state: these paths are rare.
#[derive(Debug, Clone, Copy, Default)]
pub struct ParquetCodec;

impl From<EncodedObject> for NewObject {
    fn from(object: EncodedObject) -> Self {
        let EncodedObject { name, body, rows, crc32c } = object;
        NewObject { name, body, rows, crc32c }
    }
}

impl Decision {
    /// What its objects' key-value metadata says.
    pub fn range_meta(&self) -> RangeMeta {
        RangeMeta {
            topic: self.topic.clone(),
            epoch: self.epoch,
            partition: self.partition,
            start: self.start,
            end: self.end,
            schema_version: self.schema_version,
        }
    }
}

impl ObjectCodec for ParquetCodec {
    fn rows(&self, name: &str, body: &[u8]) -> Result<u64, CodecError> {
        row_count(body).map_err(|error| failed(name, error))
    }

    fn empty(&self, decision: &Decision, name: &str) -> Result<NewObject, CodecError> {
        let table = match name.parse() {
            Ok(Name::Data { .. }) => Table::Events(decision.table),
            Ok(Name::Rejected { .. }) => Table::Rejected,
            Ok(Name::SongCounts { .. }) => Table::SongCounts,
            Ok(Name::UserActivity { .. }) => Table::UserActivity,
            _ => return Err(not_of_the_lake(name)),
        };
        let encode = || Encoder::new()?.encode_empty(table, name.to_owned(), &decision.range_meta());
        encode().map(NewObject::from).map_err(|error| failed(name, error))
    }

    fn counts(&self, decision: &Decision, standing: &[StandingObject]) -> Result<Vec<NewObject>, CodecError> {
        let counts = counts_of(decision, standing)?;
        let mut encoder = Encoder::new().map_err(|error| failed(&decision.range().to_string(), error))?;
        count_objects(&mut encoder, decision, &counts)
    }
}

/// Counts of the decision's data objects as they stand.
///
/// # Errors
/// Content that cannot be read.
pub fn counts_of(decision: &Decision, standing: &[StandingObject]) -> Result<CountTables, CodecError> {
    let mut counts = Counts::default();
    for object in standing {
        if let Ok(Name::Data { .. }) = object.name.parse() {
            let mut add = || {
                let activity = read_activity(decision.table, &object.body)?;
                counts.add_activity(&activity.view(), 0..activity.offsets.len())
            };
            add().map_err(|error| failed(&object.name, error))?;
        }
    }
    Ok(counts.into_tables())
}

/// The decision's count objects, made of `counts`.
///
/// # Errors
/// A count object that cannot be encoded.
pub fn count_objects(
    encoder: &mut Encoder,
    decision: &Decision,
    counts: &CountTables,
) -> Result<Vec<NewObject>, CodecError> {
    decision.count_objects().map(|name| encode_counts(encoder, decision, counts, name)).collect()
}

fn encode_counts(
    encoder: &mut Encoder,
    decision: &Decision,
    counts: &CountTables,
    name: &str,
) -> Result<NewObject, CodecError> {
    let meta = decision.range_meta();
    let encoded = match name.parse() {
        Ok(Name::SongCounts { day, .. }) => {
            encoder.encode_song_counts(counts, &day.to_string(), name.to_owned(), &meta)
        }
        Ok(Name::UserActivity { day, .. }) => {
            encoder.encode_user_activity(counts, &day.to_string(), name.to_owned(), &meta)
        }
        _ => return Err(not_of_the_lake(name)),
    };
    encoded.map(NewObject::from).map_err(|error| failed(name, error))
}

/// Names the object in an encoding error.
pub fn failed(name: &str, error: EncodeError) -> CodecError {
    CodecError { name: name.to_owned(), cause: error.to_string() }
}

fn not_of_the_lake(name: &str) -> CodecError {
    CodecError { name: name.to_owned(), cause: "it is no object of the lake".into() }
}
