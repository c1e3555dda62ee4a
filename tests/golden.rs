//! The lake that format version 1 wrote (`tests/fixtures/golden-lake-v1`): read, rebuilt, continued; newer versions refused.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use beatlytica::charts::{At, ChartSettings, Charts, Window};
use beatlytica::config::load;
use beatlytica::lake::ParquetCodec;
use beatlytica::lake::chain::{Chain, ChainError, Decided, check_layout, epoch_record, ready};
use beatlytica::lake::encode::Encoder;
use beatlytica::lake::layout::ChainKey;
use beatlytica::lake::ledger::{Decision, EntryKind, LogView};
use beatlytica::lake::parquet::count_objects;
use beatlytica::lake::pending::Range;
use beatlytica::lake::rebuild::{entries_after, newest_snapshot, rows_of};
use beatlytica::lake::store::{LocalStore, Store};
use beatlytica::lake::verify::{Report, Scope, verify};
use beatlytica::schemas::{Decoder, EventKind, RawRecord, Source};
use tempfile::TempDir;

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// A copy of the golden lake.
fn golden() -> (TempDir, Arc<dyn Store>) {
    let folder = tempfile::tempdir().unwrap();
    copy(Path::new("tests/fixtures/golden-lake-v1/lake"), folder.path());
    let store = Arc::new(LocalStore::open(folder.path().to_owned()).unwrap());
    (folder, store)
}

async fn check(store: &Arc<dyn Store>) -> Report {
    verify(&**store, Scope::default(), |_| {}).await.unwrap()
}

fn source(kind: EventKind) -> Source {
    Source { topic: kind.table().into(), kind, epoch: 1, partition: 0 }
}

async fn chain(store: &Arc<dyn Store>, kind: EventKind) -> Chain {
    let record = epoch_record(&**store, kind.table(), 1).await.unwrap().expect("the golden epoch");
    Chain::new(Arc::clone(store), ChainKey::from(&source(kind)), kind, record, "test")
}

fn log(start: i64, end: i64) -> LogView {
    LogView { start, end, cluster_id: Some("any".into()), topic_id: Some("any".into()) }
}

/// The settings that the lake was written under: the built-in ones.
fn settings() -> ChartSettings {
    ChartSettings::from(&load(None, [], &[]).unwrap().settings.windows)
}

/// Charts of all topics, from the snapshots or from the rows.
async fn rebuilt(store: &Arc<dyn Store>, snapshots: bool) -> Charts {
    let mut charts = Charts::new(settings());
    for kind in EventKind::ALL {
        let (source, chain) = (source(kind), chain(store, kind).await);
        charts.assign(&source, 0);
        let head = chain.head().await.unwrap().expect("a head");
        if snapshots {
            let snapshot =
                newest_snapshot(&**store, chain.key(), i64::MAX).await.unwrap().expect("a snapshot").1;
            assert_eq!(charts.restore(&source, &snapshot), Ok(head.end));
            continue;
        }
        for entry in entries_after(&chain, head.start, None, i64::MAX / 2).await.unwrap() {
            let rows = rows_of(&**store, &entry).await.unwrap();
            charts.apply(&source, &rows.view(), entry.start, entry.end);
        }
        assert_eq!(charts.end(&source), Some(head.end));
    }
    charts
}

#[tokio::test]
async fn it_holds_what_it_held() {
    let (_folder, store) = golden();
    let report = check(&store).await;
    assert_eq!(report.damage, []);
    assert_eq!((report.chains, report.entries, report.objects), (4, 9, 31));
    assert_eq!((report.rows, report.rejected, report.gap_offsets), (1092, 30, 25));
    assert_eq!(report.in_flight, Vec::<String>::new());
}

#[tokio::test]
async fn windows_are_rebuilt_alike_from_snapshots_and_from_rows() {
    let (_folder, store) = golden();
    let (mut restored, mut folded) = (rebuilt(&store, true).await, rebuilt(&store, false).await);
    for charts in [&mut restored, &mut folded] {
        EventKind::ALL.iter().for_each(|kind| charts.set_idle(&source(*kind), true));
    }
    for (window, at) in Window::ALL.into_iter().flat_map(|window| At::ALL.map(|at| (window, at))) {
        assert_eq!(restored.top_songs(window, at, 50), folded.top_songs(window, at, 50), "{window:?} {at:?}");
        assert_eq!(restored.active_users(window, at, None), folded.active_users(window, at, None));
    }
    assert!(restored.top_songs(Window::Sliding24h, At::Live, 50).plays > 400);
}

#[tokio::test]
async fn it_is_continued() {
    let (_folder, store) = golden();
    let kind = EventKind::Listen;
    let chain = chain(&store, kind).await;
    let head = chain.head().await.unwrap().expect("a head");
    let mut gaps = Vec::new();
    let recovered =
        chain.recover(None, || async { Ok(log(head.end, head.end + 3)) }, &mut gaps).await.unwrap();
    assert_eq!((recovered.head_end, recovered.unfinished, gaps), (head.end, None, vec![]));

    let source = Arc::new(source(kind));
    let mut decoder = Decoder::new(Arc::clone(&source), true);
    decoder.begin(head.end, 0);
    for (offset, value) in (head.end..).zip([
        r#"{"ts":1715030000000,"song":"s","artist":"a","userId":1}"#,
        "{",
        r#"{"ts":1715030000001}"#,
    ]) {
        decoder.push(
            RawRecord { offset, timestamp: 1_715_030_000_000, key: None, value: Some(value.as_bytes()) },
            Vec::new,
        );
    }
    let range = Range::of([Arc::new(decoder.finish(head.end + 3))]);
    let mut draft = chain.draft(EntryKind::Data, head.end, head.end + 3, Some(&head));
    let counts = range.describe(&mut draft).unwrap();
    assert_eq!(chain.decide(&draft).await.unwrap(), Decided::Own);
    let mut encoder = Encoder::new().unwrap();
    let counted = count_objects(&mut encoder, &draft, &counts).unwrap();
    let mut objects = range.objects(&draft).unwrap();
    let written: Result<Vec<_>, _> = std::iter::from_fn(|| objects.next(&mut encoder)).collect();
    chain.finish(&draft, ready(written.unwrap()), counted, &ParquetCodec).await.unwrap();

    let report = check(&store).await;
    assert_eq!(report.damage, []);
    assert_eq!((report.entries, report.rows, report.rejected), (10, 1094, 31));
}

#[tokio::test]
async fn what_is_newer_is_refused_naming_it_and_what_to_do() {
    let (folder, store) = golden();
    assert!(check_layout(&*store).await.is_ok());
    let chain = chain(&store, EventKind::Listen).await;
    let head = chain.head().await.unwrap().expect("a head");
    let name = chain.key().entry(head.start);
    let newer = |old: &str, new: &str| {
        let path = folder.path().join(&name);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(old));
        fs::write(&path, text.replacen(old, new, 1)).unwrap();
    };
    let recover = || async {
        chain.recover(None, || async { Ok(log(0, 10_000)) }, &mut Vec::new()).await.unwrap_err().to_string()
    };

    newer(r#""format":1"#, r#""format":2"#);
    let words = recover().await;
    assert!(words.starts_with(&format!("{name} has ledger format 2")), "{words}");
    assert!(words.ends_with("run a newer beatlytica"), "{words}");
    assert!(check(&store).await.damage.iter().any(|damage| damage.to_string() == words));
    newer(r#""format":2"#, r#""format":1"#);

    // A newer schema of a decision that is to be finished.
    newer(r#""schema_version":1"#, r#""schema_version":2"#);
    fs::remove_file(folder.path().join(chain.key().receipt(head.start))).unwrap();
    let words = recover().await;
    assert!(
        words.contains("schema version 2")
            && words.contains(
                &Decision::parse(&name, &fs::read(folder.path().join(&name)).unwrap()).unwrap().code_version
            ),
        "{words}"
    );

    // A snapshot is a cache: it is left aside, saying why.
    let mut snapshot = newest_snapshot(&*store, chain.key(), i64::MAX).await.unwrap().unwrap().1.to_vec();
    snapshot[8] = 9;
    let mut charts = Charts::new(settings());
    let refused = charts.restore(&source(EventKind::Listen), &snapshot).unwrap_err();
    assert_eq!(refused.to_string(), "the snapshot has format 9, this version reads 2");

    // Another layout beside this one.
    let layout = folder.path().join("ledger/v2/listen_events/e001/epoch.json");
    fs::create_dir_all(layout.parent().unwrap()).unwrap();
    fs::write(layout, "{}").unwrap();
    let refused: ChainError = check_layout(&*store).await.unwrap_err();
    assert!(
        refused
            .to_string()
            .starts_with("ledger/v2/listen_events/e001/epoch.json was written by a newer beatlytica")
    );
    assert!(!refused.is_transient());
}
