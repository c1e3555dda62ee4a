//! What every store does, run against each.

use std::sync::Arc;

use beatlytica::lake::store::{
    Access, Created, GcsSettings, GcsStore, LocalStore, ObjectMeta, Store, StoreOpenError, list_all, open,
};
use bytes::Bytes;
use futures::future::join_all;

use crate::Bench;
use crate::fake_gcs::{BUCKET, FakeGcs};

/// Runs a check against both stores. The fake gives pages of three objects.
macro_rules! both {
    ($($check:ident),+ $(,)?) => {
        mod local {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $check() {
                let root = tempfile::tempdir().unwrap();
                let store = super::LocalStore::open(root.path().join("new/lake")).unwrap();
                super::$check(std::sync::Arc::new(store)).await;
            })+
        }
        mod gcs {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $check() {
                let bench = super::Bench::new().await;
                bench.fake.set_page(3);
                super::$check(std::sync::Arc::new(bench.store.clone())).await;
            })+
        }
    };
}

both!(
    creates_once,
    reads_what_was_created,
    knows_of_nothing_absent,
    one_of_many_writers_wins,
    lists_in_the_order_of_whole_names,
    lists_after_a_name,
    lists_more_than_a_page,
    refuses_names_that_lead_elsewhere,
    discards_only_the_cache,
    takes_large_and_empty_objects,
);

type AnyStore = Arc<dyn Store>;

async fn make(store: &AnyStore, names: &[&str]) {
    for name in names {
        assert_eq!(store.create(name, Bytes::copy_from_slice(name.as_bytes())).await.unwrap(), Created::New);
    }
}

fn names(objects: &[ObjectMeta]) -> Vec<&str> {
    objects.iter().map(|object| object.name.as_str()).collect()
}

async fn creates_once(store: AnyStore) {
    let name = "ledger/v1/t/e001/p00000/00000000000000000000.json";
    assert_eq!(store.create(name, Bytes::from_static(b"first")).await.unwrap(), Created::New);
    assert_eq!(store.create(name, Bytes::from_static(b"second")).await.unwrap(), Created::Exists);
    store.sync().await.unwrap();
    assert_eq!(store.read(name).await.unwrap().as_deref(), Some(&b"first"[..]));
}

async fn reads_what_was_created(store: AnyStore) {
    let content = Bytes::from((0..=255).cycle().take(100_000).collect::<Vec<u8>>());
    let name = "lake/v1/a b+c/ü=%41 &?#.parquet";
    store.create(name, content.clone()).await.unwrap();
    assert_eq!(store.read(name).await.unwrap(), Some(content.clone()));
    let meta = store.stat(name).await.unwrap().unwrap();
    assert_eq!((meta.name.as_str(), meta.size), (name, 100_000));
    assert!(meta.crc32c.is_none_or(|crc32c| crc32c == crc32c::crc32c(&content)));
    assert_eq!(names(&list_all(&*store, "lake/v1/a b+c/ü=%41 &?").await.unwrap()), [name]);
}

async fn knows_of_nothing_absent(store: AnyStore) {
    make(&store, &["a/file"]).await;
    for name in ["a", "a/fil", "a/file/x", "b"] {
        assert_eq!(store.read(name).await.unwrap_or(None), None, "{name}");
        assert_eq!(store.stat(name).await.unwrap(), None, "{name}");
    }
    assert!(list_all(&*store, "b").await.unwrap().is_empty());
    assert!(list_all(&*store, "a/file/").await.unwrap().is_empty());
}

async fn one_of_many_writers_wins(store: AnyStore) {
    let writers = (0..16_u8).map(|writer| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.create("ledger/race", Bytes::from(vec![writer; 70_000])).await })
    });
    let answers: Vec<Created> =
        join_all(writers).await.into_iter().map(|answer| answer.unwrap().unwrap()).collect();
    let winners: Vec<usize> = (0..16).filter(|writer| answers[*writer] == Created::New).collect();
    assert_eq!(winners.len(), 1);
    let content = store.read("ledger/race").await.unwrap().unwrap();
    assert_eq!(content, vec![u8::try_from(winners[0]).unwrap(); 70_000]);
}

async fn lists_in_the_order_of_whole_names(store: AnyStore) {
    // `.` and `-` sort before `/`, digits after it: folder by folder the order would be another.
    make(&store, &["p/a0", "p/a/z", "p/a.x", "p/a-x/1", "p/a/b/c", "q/x"]).await;
    let listed = list_all(&*store, "p/").await.unwrap();
    assert_eq!(names(&listed), ["p/a-x/1", "p/a.x", "p/a/b/c", "p/a/z", "p/a0"]);
    assert_eq!(listed[0].size, 7);
    assert_eq!(names(&list_all(&*store, "p/a/").await.unwrap()), ["p/a/b/c", "p/a/z"]);
    assert_eq!(names(&list_all(&*store, "p/a").await.unwrap()).len(), 5);
    assert_eq!(names(&list_all(&*store, "").await.unwrap()).len(), 6);
}

async fn lists_after_a_name(store: AnyStore) {
    make(&store, &["p/1", "p/2", "p/2.done", "p/3", "p/4", "p/5", "p/6"]).await;
    for (after, expected) in [
        ("p/2", &["p/2.done", "p/3", "p/4", "p/5", "p/6"][..]),
        ("p/25", &["p/3", "p/4", "p/5", "p/6"]),
        ("p/6", &[]),
        ("a", &["p/1", "p/2", "p/2.done", "p/3", "p/4", "p/5", "p/6"]),
        ("q", &[]),
    ] {
        let mut page = store.list("p/", Some(after), None).await.unwrap();
        let mut found = page.objects;
        while let Some(next) = page.next {
            page = store.list("p/", None, Some(next)).await.unwrap();
            found.extend(page.objects);
        }
        assert_eq!(names(&found), expected, "after {after}");
    }
}

async fn lists_more_than_a_page(store: AnyStore) {
    let all: Vec<String> = (0..1003).map(|number| format!("p/{:02}/{number:05}", number % 7)).collect();
    for some in all.chunks(64) {
        let made = some.iter().map(|name| store.create(name, Bytes::new()));
        assert!(join_all(made).await.into_iter().all(|answer| answer.unwrap() == Created::New));
    }
    let mut sorted = all;
    sorted.sort();
    assert_eq!(names(&list_all(&*store, "p/").await.unwrap()), sorted);
}

async fn refuses_names_that_lead_elsewhere(store: AnyStore) {
    for name in ["../outside", "/etc/x", "a/../../b", "", "a//b", ".tmp/x"] {
        assert!(!store.create(name, Bytes::new()).await.unwrap_err().is_transient(), "{name}");
        assert!(store.read(name).await.is_err(), "{name}");
    }
    assert!(list_all(&*store, "").await.unwrap().is_empty());
    assert!(list_all(&*store, "../").await.unwrap().is_empty());
}

async fn discards_only_the_cache(store: AnyStore) {
    make(&store, &["state/v1/x", "lake/v1/x"]).await;
    store.discard("state/v1/x").await.unwrap();
    store.discard("state/v1/x").await.unwrap();
    for name in ["lake/v1/x", "ledger/v1/x", "state"] {
        assert!(!store.discard(name).await.unwrap_err().is_transient());
    }
    assert_eq!(names(&list_all(&*store, "").await.unwrap()), ["lake/v1/x"]);
}

async fn takes_large_and_empty_objects(store: AnyStore) {
    const CHUNK: usize = 8 << 20;
    for size in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 12_345] {
        let content: Bytes = (0..size).map(|at| (at / 251) as u8).collect::<Vec<u8>>().into();
        let name = format!("lake/{size}.parquet");
        assert_eq!(store.create(&name, content.clone()).await.unwrap(), Created::New, "{size}");
        assert_eq!(store.create(&name, content.clone()).await.unwrap(), Created::Exists, "{size}");
        assert!(store.read(&name).await.unwrap() == Some(content), "{size}");
    }
}

#[tokio::test]
async fn opens_what_the_setting_names() {
    let root = tempfile::tempdir().unwrap();
    let gcs = GcsSettings::default();
    let local = open(&format!("file://{}/lake", root.path().display()), Access::Write, &gcs, &Arc::default())
        .await
        .unwrap();
    local.create("x/y", Bytes::from_static(b"1")).await.unwrap();
    assert_eq!(std::fs::read(root.path().join("lake/x/y")).unwrap(), b"1");

    let fake = FakeGcs::start().await;
    let gcs = GcsSettings { endpoint: Some(fake.endpoint()), ..gcs };
    let bucket = open(&format!("gs://{BUCKET}/pre"), Access::Write, &gcs, &Arc::default()).await.unwrap();
    bucket.create("x/y", Bytes::from_static(b"1")).await.unwrap();
    assert_eq!(fake.names(), ["pre/x/y"]);
}

#[tokio::test]
async fn what_is_opened_to_be_read_is_left_as_it_is() {
    let root = tempfile::tempdir().unwrap();
    let url = |folder: &str| format!("file://{}/{folder}", root.path().display());
    let (gcs, tally) = (GcsSettings::default(), Arc::default());
    let error = open(&url("nowhere"), Access::Read, &gcs, &tally).await.unwrap_err();
    assert!(matches!(error, StoreOpenError::Folder { .. }), "{error}");
    assert!(!root.path().join("nowhere").exists());
    std::fs::create_dir_all(root.path().join("copy/x")).unwrap();
    std::fs::write(root.path().join("copy/x/y"), b"1").unwrap();
    let copy = open(&url("copy"), Access::Read, &gcs, &tally).await.unwrap();
    assert_eq!(copy.read("x/y").await.unwrap(), Some(Bytes::from_static(b"1")));
    let there: Vec<_> = std::fs::read_dir(root.path().join("copy"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(there, ["x"]);
}

#[test]
fn https_has_its_certificates_and_cryptography() {
    let clock = crate::TestClock::new();
    let store = GcsStore::new("my-bucket", "a/b", &GcsSettings::default(), None, clock).unwrap();
    assert_eq!(format!("{store:?}"), "GcsStore(gs://my-bucket/a/b/)");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_openers_of_a_folder_agree_on_one_winner() {
    let root = tempfile::tempdir().unwrap();
    for round in 0..50 {
        let creates = (0..2).map(|_| {
            let store = LocalStore::open(root.path().into()).unwrap();
            tokio::spawn(async move { store.create(&format!("x/{round}"), Bytes::from_static(b"1")).await })
        });
        let answers = join_all(creates).await;
        let won = answers.into_iter().filter(|answer| matches!(answer, Ok(Ok(Created::New)))).count();
        assert_eq!(won, 1);
    }
}

#[tokio::test]
async fn says_why_it_cannot_open() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let url = format!("file://{}", file.path().display());
    let error = open(&url, Access::Write, &GcsSettings::default(), &Arc::default()).await.unwrap_err();
    assert!(matches!(error, StoreOpenError::Folder { .. }), "{error}");
    let gcs = GcsSettings { endpoint: Some("localhost:4443".into()), ..GcsSettings::default() };
    let error = open("gs://bucket/x", Access::Write, &gcs, &Arc::default()).await.unwrap_err().to_string();
    assert!(error.contains("gcs.endpoint") && error.contains("http://127.0.0.1"), "{error}");
    let gcs = GcsSettings { credentials: Some("/nowhere/key.json".into()), ..GcsSettings::default() };
    let error = open("gs://bucket/x", Access::Write, &gcs, &Arc::default()).await.unwrap_err().to_string();
    assert!(error.contains("/nowhere/key.json") && error.contains("gcs.credentials"), "{error}");
}
