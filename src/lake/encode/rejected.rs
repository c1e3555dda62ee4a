//! Records that do not decode, kept raw.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::data::Encoder;
use super::error::EncodeError;
use super::file::FileBuilder;
use super::schema::{ColumnSpec, Table};
use super::{EncodedObject, ROW_GROUP_ROWS, RangeMeta};
use crate::lake::Segment;
use crate::schemas::Rejected;

impl Encoder {
    /// The rejected records of `segments`, in offset order, as an object called `name`.
    ///
    /// # Errors
    /// A record larger than the format's pages can hold (2 GiB).
    pub fn encode_rejected(
        &mut self,
        segments: &[Segment],
        name: String,
        meta: &RangeMeta,
    ) -> Result<EncodedObject, EncodeError> {
        let records: Vec<&Rejected> = segments.iter().flat_map(Segment::rejected_records).collect();
        let columns = Table::Rejected.columns();
        let mut file = FileBuilder::new(&columns, &mut self.compressor, 0);
        for group in records.chunks(ROW_GROUP_ROWS) {
            for spec in &columns {
                self.column.begin(&mut file, *spec);
                self.column.rejected(&mut file, group, *spec, meta)?;
            }
            file.end_row_group(group.len());
        }
        file.finish(name, meta)
    }
}

impl super::data::ColumnEncoder {
    fn rejected(
        &mut self,
        file: &mut FileBuilder<'_>,
        records: &[&Rejected],
        spec: ColumnSpec,
        meta: &RangeMeta,
    ) -> Result<(), EncodeError> {
        match spec.name {
            "kafka_epoch" => {
                return self.buffers.write_constant_i32(file, meta.epoch.cast_signed(), records.len());
            }
            "kafka_partition" => {
                return self.buffers.write_constant_i32(file, meta.partition, records.len());
            }
            "kafka_offset" => {
                records.iter().for_each(|record| self.push_word(Some(record.offset)));
                return self.write_i64(file);
            }
            "kafka_timestamp" => {
                records.iter().for_each(|record| self.push_timestamp(record.timestamp));
                return self.write_i64(file);
            }
            "key" => records.iter().for_each(|record| self.push_text(record.key.as_deref())),
            "value" => records.iter().for_each(|record| self.push_text(record.value.as_deref())),
            "headers" => records.iter().for_each(|record| {
                self.push_text(headers_json(&record.headers).as_deref().map(str::as_bytes));
            }),
            "reason" => records.iter().for_each(|record| self.push_repeating(record.reason)),
            _ => records.iter().for_each(|record| self.push_repeating(&record.detail)),
        }
        self.buffers.write_texts(file)
    }

    fn push_repeating(&mut self, text: &str) {
        self.buffers.levels.push(true);
        let index = self.remap.intern(&mut self.buffers.texts, text.as_bytes());
        self.buffers.indices.push(index);
    }
}

/// Headers as a JSON array in the record's order (names may repeat), values in base64; none where there are none.
fn headers_json(headers: &[(String, Option<Vec<u8>>)]) -> Option<String> {
    if headers.is_empty() {
        return None;
    }
    let entry = |(name, value): &(String, Option<Vec<u8>>)| {
        let value = value.as_ref().map(|value| STANDARD.encode(value));
        serde_json::json!({ "key": name, "value": value })
    };
    Some(serde_json::Value::Array(headers.iter().map(entry).collect()).to_string())
}
