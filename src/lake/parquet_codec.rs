//! What the ledger protocol asks of encoding, answered with Parquet.

use super::codec::{CodecError, NewObject, ObjectCodec, StandingObject};
use super::encode::{Counts, EncodeError, EncodedObject, Encoder, RangeMeta, Table, read_activity, row_count};
use super::layout::Name;
use super::ledger::Decision;
use crate::schemas::EventKind;

/// [`ObjectCodec`] over [`super::encode`].
#[derive(Debug, Clone, Copy)]
pub struct ParquetCodec;

impl From<EncodedObject> for NewObject {
    fn from(object: EncodedObject) -> Self {
        let EncodedObject { name, body, rows, crc32c } = object;
        NewObject { name, body, rows, crc32c }
    }
}

/// Names the object in an encoding error.
pub fn named(name: &str) -> impl Fn(EncodeError) -> CodecError + '_ {
    move |error| CodecError { name: name.to_owned(), cause: error.to_string() }
}

/// What goes into the metadata of a decision's objects.
pub fn meta_of(decision: &Decision) -> RangeMeta {
    RangeMeta {
        topic: decision.topic.clone(),
        epoch: decision.epoch,
        partition: decision.partition,
        start: decision.start,
        end: decision.end,
        schema_version: decision.schema_version,
    }
}

fn parse(name: &str) -> Result<Name, CodecError> {
    name.parse().map_err(|error| CodecError { name: name.to_owned(), cause: format!("{error}") })
}

fn table_of(name: &str, kind: EventKind) -> Result<Table, CodecError> {
    match parse(name)? {
        Name::Data { .. } => Ok(Table::Events(kind)),
        Name::Rejected { .. } => Ok(Table::Rejected),
        Name::SongCounts { .. } => Ok(Table::SongCounts),
        Name::UserActivity { .. } => Ok(Table::UserActivity),
        _ => Err(CodecError { name: name.to_owned(), cause: "it is not an object of the lake's tables".into() }),
    }
}

/// The decision's count objects, made of `counts`.
///
/// # Errors
/// A count object that cannot be encoded.
pub fn count_objects(
    decision: &Decision,
    counts: &Counts,
    encoder: &mut Encoder,
) -> Result<Vec<NewObject>, CodecError> {
    let meta = meta_of(decision);
    let mut objects = Vec::new();
    for name in decision.count_objects() {
        let encoded = match parse(name)? {
            Name::SongCounts { day, .. } => {
                encoder.encode_song_counts(counts, &day.to_string(), name.to_owned(), &meta)
            }
            Name::UserActivity { day, .. } => {
                encoder.encode_user_activity(counts, &day.to_string(), name.to_owned(), &meta)
            }
            _ => continue,
        };
        objects.push(encoded.map_err(named(name))?.into());
    }
    Ok(objects)
}

impl ObjectCodec for ParquetCodec {
    fn rows(&self, name: &str, body: &[u8]) -> Result<u64, CodecError> {
        row_count(body).map_err(named(name))
    }

    fn empty(&self, decision: &Decision, name: &str) -> Result<NewObject, CodecError> {
        let mut encoder = Encoder::new().map_err(named(name))?;
        let table = table_of(name, decision.table)?;
        let object = encoder.encode_empty(table, name.to_owned(), &meta_of(decision)).map_err(named(name))?;
        Ok(object.into())
    }

    fn counts(&self, decision: &Decision, standing: &[StandingObject]) -> Result<Vec<NewObject>, CodecError> {
        let mut counts = Counts::default();
        for object in standing {
            if let Name::Data { .. } = parse(&object.name)? {
                let activity = read_activity(decision.table, &object.body).map_err(named(&object.name))?;
                let rows = 0..activity.offsets.len();
                counts.add_activity(&activity.view(), rows).map_err(named(&object.name))?;
            }
        }
        let mut encoder = Encoder::new().map_err(named(&decision.chain().to_string()))?;
        count_objects(decision, &counts, &mut encoder)
    }
}
