use super::*;
use crate::lake::encode::{Encoder, Table, read_offsets, row_count};
use crate::schemas::Rejected;

fn rejected(offset: i64) -> Rejected {
    Rejected {
        offset,
        timestamp: if offset % 2 == 0 { -1 } else { BASE_MS },
        key: (offset % 3 == 0).then(|| vec![0xff, 0x00]),
        value: (offset % 5 != 0).then(|| format!("{{\"broken\": {offset}").into_bytes()),
        headers: match offset % 4 {
            0 => vec![("a\"b".to_owned(), Some(b"x".to_vec())), ("a\"b".to_owned(), None)],
            _ => Vec::new(),
        },
        reason: if offset % 5 == 0 { "tombstone" } else { "json" },
        detail: format!("at byte {}", offset % 2),
        hash: offset as u64,
    }
}

fn segment(offsets: std::ops::Range<i64>) -> Segment {
    let mut batch = Arc::into_inner(Decoder::default().batch(EventKind::Listen, &[])).unwrap();
    (batch.start, batch.end) = (offsets.start, offsets.end);
    batch.rejected = offsets.map(rejected).collect();
    Segment::whole(Arc::new(batch))
}

#[test]
fn rejected_records_are_kept_raw_however_they_were_batched() {
    let mut encoder = Encoder::new().unwrap();
    let meta = meta(EventKind::Listen);
    let whole = encoder.encode_rejected(&[segment(0..200)], "r".to_owned(), &meta).unwrap();
    let cut = encoder.encode_rejected(&[segment(0..61), segment(61..200)], "r".to_owned(), &meta).unwrap();
    assert_eq!(whole, cut);
    assert_eq!(read_offsets(&whole.body).unwrap(), (0..200).collect::<Vec<i64>>());

    let table = read_table(&whole.body);
    let names: Vec<&str> = table.iter().map(|(name, ..)| name.as_str()).collect();
    let expected = ["kafka_epoch", "kafka_partition", "kafka_offset", "kafka_timestamp"];
    assert_eq!(names[..4], expected);
    assert_eq!(names[4..], ["key", "value", "headers", "reason", "detail"]);
    let cells = |name: &str| &table.iter().find(|(column, ..)| column == name).unwrap().2;
    let headers = r#"[{"key":"a\"b","value":"eA=="},{"key":"a\"b","value":null}]"#;
    for offset in 0..200usize {
        let record = rejected(offset as i64);
        let timestamp = if offset % 2 == 0 { Cell::Null } else { Cell::Int(BASE_MS) };
        assert_eq!(cells("kafka_timestamp")[offset], timestamp);
        assert_eq!(cells("key")[offset], record.key.map_or(Cell::Null, Cell::Binary));
        assert_eq!(cells("value")[offset], record.value.map_or(Cell::Null, Cell::Binary));
        let headers = if offset % 4 == 0 { Cell::Text(headers.to_owned()) } else { Cell::Null };
        assert_eq!(cells("headers")[offset], headers);
        assert_eq!(cells("reason")[offset], Cell::Text(record.reason.to_owned()));
        assert_eq!(cells("detail")[offset], Cell::Text(record.detail));
    }
}

#[test]
fn empty_objects_have_the_schema_of_full_ones() {
    let mut encoder = Encoder::new().unwrap();
    let meta = meta(EventKind::Listen);
    let full = encoder.encode_rejected(&[segment(0..3)], "r".to_owned(), &meta).unwrap();
    let empty = encoder.encode_empty(Table::Rejected, "r".to_owned(), &meta).unwrap();
    let none = encoder.encode_rejected(&[segment(3..3)], "r".to_owned(), &meta).unwrap();
    assert_eq!(empty, none);
    assert_eq!((empty.rows, row_count(&empty.body).unwrap()), (0, 0));
    assert!(read_offsets(&empty.body).unwrap().is_empty());
    let columns = |body: &[u8]| -> Vec<_> {
        read_table(body).into_iter().map(|(name, kind, _)| (name, kind)).collect()
    };
    assert_eq!(columns(&empty.body), columns(&full.body));
}

#[test]
fn a_segment_sums_its_records_hashes() {
    let parts = [segment(0..61), segment(61..200)];
    let sum = parts.iter().fold(0u64, |sum, part| sum.wrapping_add(part.checksum()));
    assert_eq!(sum, segment(0..200).checksum());
    assert_eq!(sum, (0..200).sum::<u64>());
    assert_eq!(parts[1].records(), 139);
}
