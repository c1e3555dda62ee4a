use proptest::prelude::*;

use super::*;
use crate::lake::encode::{Encoder, group_by_hour, read_activity, read_metadata_pairs, row_count};

fn object() -> Vec<u8> {
    let kind = EventKind::Listen;
    let mut rows = rows(kind, 120, 11);
    let ts = kind.index_of("ts").unwrap();
    rows.iter_mut().for_each(|row| row.fields[ts] = Cell::Int(BASE_MS));
    let segments = one_segment(kind, &rows);
    let group = group_by_hour(&segments).unwrap().remove(0);
    Encoder::new().unwrap().encode_hour(&group, &segments, String::new(), &meta(kind)).unwrap().body.to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn damage_is_an_error_or_other_values_never_a_panic(at: prop::sample::Index, bits in 1u8.., cut: bool) {
        let mut bytes = object();
        let at = at.index(bytes.len());
        if cut {
            bytes.drain(..at);
        } else {
            bytes[at] ^= bits;
        }
        let _ = row_count(&bytes);
        let _ = read_metadata_pairs(&bytes);
        let _ = read_activity(EventKind::Listen, &bytes);
    }
}

#[test]
fn what_is_not_parquet_is_an_error() {
    assert!(row_count(b"").is_err());
    assert!(row_count(b"PAR1PAR1").is_err());
    assert!(read_activity(EventKind::Listen, &[b'x'; 100]).is_err());
}
