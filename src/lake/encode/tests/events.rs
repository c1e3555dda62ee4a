use std::io::Cursor;

use arrow2::datatypes::{DataType, TimeUnit};
use parquet2::compression::Compression;
use parquet2::encoding::Encoding;
use parquet2::statistics::{BinaryStatistics, PrimitiveStatistics};
use proptest::prelude::*;

use super::*;
use crate::lake::encode::{
    EncodeError, EncodedObject, Encoder, HourGroup, ROW_GROUP_ROWS, Table, group_by_hour, read_activity,
    read_metadata_pairs, read_offsets, row_count, utc_date,
};

fn kinds() -> impl Strategy<Value = EventKind> {
    prop::sample::select(EventKind::ALL.to_vec())
}

fn encode_all(kind: EventKind, segments: &[Segment]) -> Vec<(HourGroup, EncodedObject)> {
    let mut encoder = Encoder::new().unwrap();
    let groups = group_by_hour(segments).unwrap();
    let encode = |group: HourGroup| {
        let object = encoder.encode_hour(&group, segments, "a name".to_owned(), &meta(kind)).unwrap();
        (group, object)
    };
    groups.into_iter().map(encode).collect()
}

fn hour_of(row: &Row, kind: EventKind) -> i64 {
    match row.fields[kind.index_of("ts").unwrap()] {
        Cell::Int(ts) => ts.div_euclid(3_600_000),
        _ => unreachable!("ts is never null"),
    }
}

/// The rows as the columns that a file should have.
fn expected(kind: EventKind, rows: &[&Row]) -> Vec<(String, Vec<Cell>)> {
    let column = |name: &str, of: &dyn Fn(&Row) -> Cell| {
        (name.to_owned(), rows.iter().map(|row| of(row)).collect::<Vec<Cell>>())
    };
    let mut columns: Vec<_> = kind
        .fields()
        .iter()
        .enumerate()
        .map(|(index, field)| column(field.column, &|row| row.fields[index].clone()))
        .collect();
    columns.push(column("kafka_epoch", &|_| Cell::Int(2)));
    columns.push(column("kafka_partition", &|_| Cell::Int(7)));
    columns.push(column("kafka_offset", &|row| Cell::Int(row.offset)));
    columns.push(column("kafka_timestamp", &|row| match row.timestamp {
        -1 => Cell::Null,
        timestamp => Cell::Int(timestamp),
    }));
    columns.push(column("extra", &|row| row.extra.clone().map_or(Cell::Null, Cell::Text)));
    columns
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn arrow2_reads_what_was_encoded(kind in kinds(), count in 1usize..700, seed: u64) {
        let rows = rows(kind, count, seed);
        let mut hours: Vec<i64> = rows.iter().map(|row| hour_of(row, kind)).collect();
        hours.sort_unstable();
        hours.dedup();
        let objects = encode_all(kind, &cut_segments(kind, &rows, seed ^ 1));
        prop_assert_eq!(objects.len(), hours.len());
        for (hour, (group, object)) in hours.into_iter().zip(objects) {
            let rows: Vec<&Row> = rows.iter().filter(|row| hour_of(row, kind) == hour).collect();
            prop_assert_eq!(&group.date, &utc_date(hour * 3_600_000));
            prop_assert_eq!(i64::from(group.hour), hour.rem_euclid(24));
            prop_assert_eq!(object.rows, rows.len() as u64);
            prop_assert_eq!(row_count(&object.body).unwrap(), rows.len() as u64);
            let table = read_table(&object.body);
            let cells: Vec<_> = table.into_iter().map(|(name, _, cells)| (name, cells)).collect();
            prop_assert_eq!(cells, expected(kind, &rows));
            prop_assert_eq!(object.crc32c, crc32c::crc32c(&object.body));
        }
    }

    #[test]
    fn bytes_do_not_depend_on_how_rows_were_batched(kind in kinds(), count in 1usize..400, seed: u64) {
        let rows = rows(kind, count, seed);
        let whole = encode_all(kind, &one_segment(kind, &rows));
        let cut = encode_all(kind, &cut_segments(kind, &rows, seed ^ 2));
        prop_assert_eq!(whole.len(), cut.len());
        for ((_, whole), (_, cut)) in whole.into_iter().zip(cut) {
            prop_assert_eq!(whole, cut);
        }
    }

    #[test]
    fn activity_read_back_is_the_batch_own(kind in kinds(), count in 1usize..400, seed: u64) {
        let mut rows = rows(kind, count, seed);
        let ts = kind.index_of("ts").unwrap();
        rows.iter_mut().for_each(|row| row.fields[ts] = Cell::Int(BASE_MS + row.offset));
        let segments = one_segment(kind, &rows);
        let objects = encode_all(kind, &segments);
        prop_assert_eq!(objects.len(), 1);
        let read = read_activity(kind, &objects[0].1.body).unwrap();
        let own = segments[0].batch.activity().unwrap();
        prop_assert_eq!(&read.offsets, own.offsets);
        prop_assert_eq!(&read.timestamps, own.timestamps);
        prop_assert_eq!(&read.ts, own.ts);
        prop_assert_eq!(&read.user_id.values, &own.user_id.values);
        prop_assert_eq!(read_offsets(&objects[0].1.body).unwrap(), own.offsets);
        let texts = |column: &TextColumn| -> Vec<_> { (0..rows.len()).map(|row| column.text(row)).collect() };
        prop_assert_eq!(texts(&read.level), texts(own.level));
        prop_assert_eq!(texts(&read.gender), texts(own.gender));
        prop_assert_eq!(texts(&read.state), texts(own.state));
        prop_assert_eq!(read.song.is_some(), kind == EventKind::Listen);
        if let (Some((artist, song)), Some((own_artist, own_song))) = (&read.song, own.song) {
            prop_assert_eq!(texts(artist), texts(own_artist));
            prop_assert_eq!(texts(song), texts(own_song));
        }
        for row in 0..rows.len() {
            prop_assert_eq!(read.user_id.get(row), own.user_id.get(row));
        }
    }

    #[test]
    fn dates_are_those_of_the_calendar(ms in -60_000_000_000_000i64..250_000_000_000_000) {
        let date = time::OffsetDateTime::from_unix_timestamp(ms.div_euclid(1000)).unwrap().date();
        let expected = format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day());
        prop_assert_eq!(utc_date(ms), expected);
    }
}

#[test]
fn extreme_times_are_grouped_without_overflow() {
    let kind = EventKind::Auth;
    let mut rows = rows(kind, 4, 1);
    let ts = kind.index_of("ts").unwrap();
    for (row, value) in rows.iter_mut().zip([i64::MIN, i64::MAX, -1, 0]) {
        row.fields[ts] = Cell::Int(value);
    }
    let groups = group_by_hour(&one_segment(kind, &rows)).unwrap();
    assert_eq!(groups.len(), 4);
    assert_eq!((groups[1].date.as_str(), groups[1].hour), ("1969-12-31", 23));
    assert_eq!((groups[2].date.as_str(), groups[2].hour), ("1970-01-01", 0));
}

#[test]
fn large_hours_are_cut_into_row_groups() {
    let kind = EventKind::Auth;
    let count = ROW_GROUP_ROWS + 5_000;
    let mut rows = rows(kind, count, 3);
    let ts = kind.index_of("ts").unwrap();
    rows.iter_mut().for_each(|row| row.fields[ts] = Cell::Int(BASE_MS + row.offset));
    let segments = cut_segments(kind, &rows, 4);
    let objects = encode_all(kind, &segments);
    let body = &objects[0].1.body;
    let metadata = read_metadata(&mut Cursor::new(&body)).unwrap();
    let sizes: Vec<usize> = metadata.row_groups.iter().map(|group| group.num_rows()).collect();
    assert_eq!(sizes, [ROW_GROUP_ROWS, 5_000]);
    let offsets: Vec<i64> = rows.iter().map(|row| row.offset).collect();
    assert_eq!(read_offsets(body).unwrap(), offsets);
    let read = read_activity(kind, body).unwrap();
    let state = kind.index_of("state").unwrap();
    for row in (0..count).step_by(997) {
        let text = read.state.text(row).map_or(Cell::Null, Cell::Text);
        assert_eq!(text, rows[row].fields[state]);
    }
}

#[test]
fn long_text_is_cut_into_pages_of_bounded_size() {
    let kind = EventKind::Listen;
    let mut rows = rows(kind, 60, 5);
    let ts = kind.index_of("ts").unwrap();
    for (index, row) in rows.iter_mut().enumerate() {
        row.fields[ts] = Cell::Int(BASE_MS);
        row.extra = (index % 2 == 0).then(|| format!("{index:04}").repeat(50_000));
    }
    let objects = encode_all(kind, &one_segment(kind, &rows));
    let body = &objects[0].1.body;
    let refs: Vec<&Row> = rows.iter().collect();
    let table: Vec<_> = read_table(body).into_iter().map(|(name, _, cells)| (name, cells)).collect();
    assert_eq!(table, expected(kind, &refs));
    let metadata = read_metadata(&mut Cursor::new(&body)).unwrap();
    let extra = metadata.row_groups[0].columns().last().unwrap();
    let stats = extra.metadata().encoding_stats.as_ref().unwrap();
    assert!(stats.iter().map(|pages| pages.count).sum::<i32>() >= 5, "{stats:?}");
}

#[test]
fn metadata_names_range_writer_types_and_bounds() {
    let kind = EventKind::Listen;
    let mut rows = rows(kind, 200, 6);
    let at = |name: &str| kind.index_of(name).unwrap();
    for (index, row) in rows.iter_mut().enumerate() {
        row.fields[at("ts")] = Cell::Int(BASE_MS + index as i64);
        row.fields[at("level")] = Cell::Text(["free", "paid"][index % 2].to_owned());
        row.fields[at("artist")] = Cell::Text("long".repeat(100));
        row.fields[at("tag")] = Cell::Null;
        row.fields[at("duration")] = if index == 9 { Cell::Float(f64::NAN) } else { Cell::Float(1.0) };
        row.fields[at("lat")] = Cell::Float(if index % 2 == 0 { 0.0 } else { -7.5 });
    }
    let objects = encode_all(kind, &one_segment(kind, &rows));
    let body = &objects[0].1.body;
    let pairs = read_metadata_pairs(body).unwrap();
    let pair = |key: &str| pairs[&format!("beatlytica.{key}")].clone();
    assert_eq!([pair("topic"), pair("epoch"), pair("partition")], ["listen_events", "2", "7"]);
    assert_eq!([pair("start_offset"), pair("end_offset"), pair("schema_version")], ["0", "1000000", "1"]);

    let metadata = parquet2::read::read_metadata(&mut Cursor::new(&body)).unwrap();
    let created_by = metadata.created_by.clone().unwrap();
    assert!(created_by.starts_with("beatlytica version ") && created_by.ends_with(" (build parquet2)"));
    assert_eq!(metadata.column_orders.as_ref().map(Vec::len), Some(Table::Events(kind).columns().len()));
    let chunks = metadata.row_groups[0].columns();
    let chunk = |name: &str| chunks.iter().find(|c| c.descriptor().path_in_schema[0] == name).unwrap();

    let level = chunk("level").statistics().unwrap().unwrap();
    let level = level.as_any().downcast_ref::<BinaryStatistics>().unwrap();
    assert_eq!(level.min_value.as_deref(), Some(&b"free"[..]));
    assert_eq!(level.max_value.as_deref(), Some(&b"paid"[..]));
    let artist = chunk("artist").statistics().unwrap().unwrap();
    let artist = artist.as_any().downcast_ref::<BinaryStatistics>().unwrap();
    assert_eq!((artist.min_value.as_ref(), artist.max_value.as_ref()), (None, None));
    let ts = chunk("ts").statistics().unwrap().unwrap();
    let ts = ts.as_any().downcast_ref::<PrimitiveStatistics<i64>>().unwrap();
    assert_eq!((ts.min_value, ts.max_value, ts.null_count), (Some(BASE_MS), Some(BASE_MS + 199), Some(0)));
    let tag = chunk("tag").statistics().unwrap().unwrap();
    assert_eq!(tag.null_count(), Some(200));
    let duration = chunk("duration").statistics().unwrap().unwrap();
    let duration = duration.as_any().downcast_ref::<PrimitiveStatistics<f64>>().unwrap();
    assert_eq!((duration.min_value, duration.max_value), (None, None));
    let lat = chunk("lat").statistics().unwrap().unwrap();
    let lat = lat.as_any().downcast_ref::<PrimitiveStatistics<f64>>().unwrap();
    assert_eq!((lat.min_value, lat.max_value), (Some(-7.5), Some(0.0)));

    let dictionary_start = chunk("level").metadata().dictionary_page_offset.unwrap();
    assert!(dictionary_start < chunk("level").metadata().data_page_offset);
    assert!(chunk("level").column_encoding().contains(&Encoding::RleDictionary.into()));
    assert_eq!(chunk("ts").metadata().dictionary_page_offset, None);
}

#[test]
fn types_are_the_designs() {
    let timestamp = DataType::Timestamp(TimeUnit::Millisecond, Some("+00:00".to_owned()));
    for kind in EventKind::ALL {
        let object = Encoder::new().unwrap().encode_empty(Table::Events(kind), String::new(), &meta(kind));
        let table = read_table(&object.unwrap().body);
        let of =
            |name: &str| table.iter().find(|(column, ..)| column == name).map(|(_, kind, _)| kind.clone());
        for name in ["ts", "registration", "kafka_timestamp"] {
            assert_eq!(of(name), Some(timestamp.clone()), "{name}");
        }
        for name in ["user_id", "session_id", "kafka_offset"] {
            assert_eq!(of(name), Some(DataType::Int64), "{name}");
        }
        for name in ["kafka_epoch", "kafka_partition"] {
            assert_eq!(of(name), Some(DataType::Int32), "{name}");
        }
        assert_eq!(of("zip"), Some(DataType::Utf8));
        assert_eq!(of("lon"), Some(DataType::Float64));
        assert_eq!(of("success"), (kind == EventKind::Auth).then_some(DataType::Boolean));
        assert!(of("event_date").is_none() && of("event_hour").is_none());
        assert_eq!(table.len(), kind.fields().len() + 5);
    }
}

#[test]
fn batches_that_do_not_fit_are_refused() {
    let kind = EventKind::Listen;
    let good = rows(kind, 10, 8);
    let spoil = |change: &dyn Fn(&mut EventBatch)| {
        let mut batch = Arc::into_inner(Decoder::default().batch(kind, &good)).unwrap();
        change(&mut batch);
        let segments = vec![Segment { batch: Arc::new(batch), rows: 0..10, rejected: 0..0 }];
        let groups = group_by_hour(&segments)?;
        Encoder::new()?.encode_hour(&groups[0], &segments, String::new(), &meta(kind)).map(|_| ())
    };
    assert!(spoil(&|_| ()).is_ok());
    let key = spoil(&|batch| {
        let column = kind.index_of("level").unwrap();
        batch.columns[column] = Column::Text(TextColumn { keys: vec![9; 10], dictionary: Arc::default() });
    });
    assert!(matches!(key, Err(EncodeError::Key { column: "level", key: 9 })), "{key:?}");
    let kind_of_column = spoil(&|batch| {
        let column = kind.index_of("lat").unwrap();
        batch.columns[column] =
            Column::Text(TextColumn { keys: vec![NULL_KEY; 10], dictionary: Arc::default() });
    });
    assert!(matches!(kind_of_column, Err(EncodeError::Batch { column: "lat" })), "{kind_of_column:?}");
    let short = spoil(&|batch| batch.timestamps.clear());
    assert!(matches!(short, Err(EncodeError::Batch { column: "kafka_timestamp" })), "{short:?}");
    let no_ts = spoil(&|batch| batch.columns.truncate(2));
    assert!(matches!(no_ts, Err(EncodeError::Batch { column: "ts" })), "{no_ts:?}");
}

/// Strict readers want the last group of eight indices whole; parquet2's encoder and decoder do without.
#[test]
fn the_last_group_of_indices_is_whole() {
    let kind = EventKind::Listen;
    let mut rows = rows(kind, 11, 9);
    let level = kind.index_of("level").unwrap();
    for (index, row) in rows.iter_mut().enumerate() {
        row.fields[kind.index_of("ts").unwrap()] = Cell::Int(BASE_MS);
        row.fields[level] = Cell::Text(format!("level {}", index % 5));
    }
    let body = &encode_all(kind, &one_segment(kind, &rows))[0].1.body;
    let metadata = parquet2::read::read_metadata(&mut Cursor::new(body)).unwrap();
    let chunk = &metadata.row_groups[0].columns()[level];
    let pages =
        parquet2::read::get_page_iterator(chunk, Cursor::new(body), None, vec![], usize::MAX).unwrap();
    let last = parquet2::read::decompress(pages.last().unwrap().unwrap(), &mut Vec::new()).unwrap();
    let parquet2::page::Page::Data(page) = last else { panic!("the chunk ends with a data page") };
    let (_, _, values) = parquet2::page::split_buffer(&page).unwrap();
    let (bits, groups) = (3, 2);
    assert_eq!(values[..2], [bits, groups << 1 | 1]);
    assert_eq!(values.len(), 2 + usize::from(bits * groups));
}

#[test]
fn what_zstd_would_make_larger_is_left_as_it_is() {
    let kind = EventKind::Listen;
    let mut rows = rows(kind, 300, 10);
    for row in &mut rows {
        row.fields[kind.index_of("ts").unwrap()] = Cell::Int(BASE_MS);
        row.fields[kind.index_of("tag").unwrap()] = Cell::Null;
        row.fields[kind.index_of("auth").unwrap()] = Cell::Text("Logged In".to_owned());
        row.fields[kind.index_of("artist").unwrap()] = Cell::Text("long".repeat(100));
    }
    let body = &encode_all(kind, &one_segment(kind, &rows))[0].1.body;
    let metadata = read_metadata(&mut Cursor::new(&body)).unwrap();
    let chunks = metadata.row_groups[0].columns();
    let chunk = |name: &str| chunks.iter().find(|c| c.descriptor().path_in_schema[0] == name).unwrap();
    for name in ["kafka_partition", "tag", "auth"] {
        assert_eq!(chunk(name).compression(), Compression::Uncompressed, "{name}");
    }
    for name in ["kafka_offset", "artist"] {
        assert_eq!(chunk(name).compression(), Compression::Zstd, "{name}");
        assert!(chunk(name).compressed_size() < chunk(name).uncompressed_size(), "{name}");
    }
    let refs: Vec<&Row> = rows.iter().collect();
    let table: Vec<_> = read_table(body).into_iter().map(|(name, _, cells)| (name, cells)).collect();
    assert_eq!(table, expected(kind, &refs));
}
