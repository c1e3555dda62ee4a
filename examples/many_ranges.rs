//! Makes a lake of many ranges in a folder, by the engine's own decoding, encoding and ledger: what `verify` is measured on.
//!
//! Usage: `many_ranges FOLDER RANGES ROWS`. Each range has ROWS listens of two hours, and one record that does not decode.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use beatlytica::lake::ParquetCodec;
use beatlytica::lake::chain::{Chain, open_epoch, ready};
use beatlytica::lake::encode::Encoder;
use beatlytica::lake::layout::ChainKey;
use beatlytica::lake::ledger::{Decision, EntryKind};
use beatlytica::lake::parquet::count_objects;
use beatlytica::lake::pending::Range;
use beatlytica::lake::store::{LocalStore, Store};
use beatlytica::schemas::{Decoder, EventKind, RawRecord, Source};

type Error = Box<dyn std::error::Error>;

const START_MS: i64 = 1_714_953_600_000;
const PARTITIONS: i32 = 8;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let parsed = match arguments.as_slice() {
        [folder, ranges, rows] => ranges.parse().ok().zip(rows.parse().ok()).map(|numbers| (folder, numbers)),
        _ => None,
    };
    let Some((folder, (ranges, rows))) = parsed else {
        eprintln!("usage: many_ranges FOLDER RANGES ROWS");
        return ExitCode::from(2);
    };
    let made = tokio::runtime::Runtime::new()
        .map_err(Error::from)
        .and_then(|runtime| runtime.block_on(make(PathBuf::from(folder), ranges, rows)));
    match made {
        Ok(objects) => {
            println!("{objects} objects");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn make(folder: PathBuf, ranges: i64, rows: i64) -> Result<usize, Error> {
    let store: Arc<dyn Store> = Arc::new(LocalStore::open(std::path::absolute(folder)?)?);
    let mut encoder = Encoder::new()?;
    let mut objects = 0;
    for partition in 0..PARTITIONS {
        let kind = EventKind::Listen;
        let source = Arc::new(Source { topic: kind.table().into(), kind, epoch: 1, partition });
        let (_, record) = open_epoch(&*store, kind.table(), None, None).await?;
        let chain = Chain::new(Arc::clone(&store), ChainKey::from(&*source), kind, record, "many_ranges");
        let mut decoder = Decoder::new(source, false);
        let mut head: Option<Decision> = None;
        for number in 0..ranges / i64::from(PARTITIONS) {
            let (start, end) = (number * (rows + 1), (number + 1) * (rows + 1));
            let range = Range::of([Arc::new(batch(&mut decoder, start, end, number))]);
            let decision = write(&chain, &mut encoder, range, (start, end), head.as_ref()).await?;
            objects += decision.objects.len();
            head = Some(decision);
        }
    }
    Ok(objects)
}

fn batch(decoder: &mut Decoder, start: i64, end: i64, number: i64) -> beatlytica::schemas::EventBatch {
    decoder.begin(start, 0);
    for offset in start..end {
        let ts = START_MS + number * 120_000 + (offset - start) * 3_600_000 / (end - start);
        let (song, user) = (offset * 31 % 40_000, offset * 7_919 % 1_000_000);
        let value = match offset == start {
            true => "{".to_owned(),
            false => format!(
                r#"{{"artist":"Artist {}","song":"Song {song}","duration":200.5,"ts":{ts},"sessionId":{user},"level":"free","userId":{user},"state":"CA","gender":"F"}}"#,
                song % 4_400
            ),
        };
        let record = RawRecord { offset, timestamp: ts, key: None, value: Some(value.as_bytes()) };
        decoder.push(record, Vec::new);
    }
    decoder.finish(end)
}

async fn write(
    chain: &Chain,
    encoder: &mut Encoder,
    range: Range,
    (start, end): (i64, i64),
    head: Option<&Decision>,
) -> Result<Decision, Error> {
    let mut decision = chain.draft(EntryKind::Data, start, end, head);
    let counts = range.describe(&mut decision)?;
    chain.decide(&decision).await?;
    let counted = count_objects(encoder, &decision, &counts)?;
    let mut objects = range.objects(&decision)?;
    let written: Result<Vec<_>, _> = std::iter::from_fn(|| objects.next(encoder)).collect();
    chain.finish(&decision, ready(written?), counted, &ParquetCodec).await?;
    Ok(decision)
}
