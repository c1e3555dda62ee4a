//! What can go wrong between the engine and a bucket, one by one.

use std::collections::HashSet;
use std::sync::Arc;

use beatlytica::lake::layout::{ChainKey, Name};
use beatlytica::lake::snapshots::SnapshotWriter;
use beatlytica::lake::store::{Created, MeteredStore, Store, StoreError, list_all};
use beatlytica::metrics::{Metrics, Watched};
use bytes::Bytes;

use crate::Bench;
use crate::fake_gcs::{Ask, Fault};

const BODY: &[u8] = &[7; 4096];

async fn create(bench: &Bench) -> Result<Created, StoreError> {
    bench.store.create("x", Bytes::from_static(BODY)).await
}

/// A permanent failure's words.
fn permanent<T: std::fmt::Debug>(outcome: Result<T, StoreError>) -> String {
    match outcome.unwrap_err() {
        StoreError::Permanent { cause, .. } => cause,
        transient => panic!("{transient}"),
    }
}

fn passing() -> Vec<Fault> {
    let mut faults: Vec<Fault> = [408, 429, 500, 502, 503, 504]
        .into_iter()
        .map(|status| Fault::Refuse(status, "backendError"))
        .collect();
    faults.extend([Fault::CutBefore, Fault::Late, Fault::Truncate, Fault::CutAfter]);
    faults
}

#[tokio::test]
async fn passing_faults_are_ridden_out_by_every_operation() {
    for ask in [Ask::Read, Ask::Stat, Ask::List] {
        let bench = Bench::new().await;
        bench.fake.put("pre/fix/x", BODY);
        let faults = passing();
        let count = faults.len();
        for fault in faults {
            bench.fake.inject(ask, [fault]);
            match ask {
                Ask::Read => assert_eq!(bench.store.read("x").await.unwrap().as_deref(), Some(BODY)),
                Ask::Stat => assert_eq!(bench.store.stat("x").await.unwrap().unwrap().size, 4096),
                _ => assert_eq!(list_all(&bench.store, "x").await.unwrap().len(), 1),
            }
        }
        assert_eq!(bench.clock.pauses(), vec![1; count], "{ask:?}");
        assert_eq!(bench.fake.requests(ask).len(), 2 * count, "{ask:?}");
    }
}

#[tokio::test]
async fn a_create_survives_passing_faults_and_writes_once() {
    for fault in passing() {
        let bench = Bench::new().await;
        bench.fake.inject(Ask::Insert, [fault.clone()]);
        // Where the write took effect and its answer was lost, one's own object is there already.
        let lost = matches!(fault, Fault::CutAfter | Fault::Truncate);
        let expected = if lost { Created::Exists } else { Created::New };
        assert_eq!(create(&bench).await.unwrap(), expected, "{fault:?}");
        let object = bench.fake.object("pre/fix/x").unwrap();
        assert_eq!((object.content.as_slice(), object.generation), (BODY, 1), "{fault:?}");
    }
}

#[tokio::test]
async fn attempts_carry_one_idempotency_token_and_the_condition() {
    let bench = Bench::new().await;
    bench.fake.inject(Ask::Insert, [Fault::Refuse(503, "backendError"), Fault::CutBefore]);
    create(&bench).await.unwrap();
    bench.store.create("y", Bytes::from_static(BODY)).await.unwrap();
    let requests = bench.fake.requests(Ask::Insert);
    let tokens: Vec<_> =
        requests.iter().map(|request| request.header("x-goog-gcs-idempotency-token").unwrap()).collect();
    assert_eq!(tokens.len(), 4);
    assert_eq!(tokens[..3].iter().collect::<HashSet<_>>().len(), 1);
    assert_ne!(tokens[2], tokens[3]);
    for request in &requests {
        assert_eq!(request.query("ifGenerationMatch").as_deref(), Some("0"));
        assert_eq!(request.header("content-encoding"), None);
        assert_eq!(request.header("authorization"), None);
    }
}

#[tokio::test]
async fn backoff_doubles_until_the_deadline() {
    let bench = Bench::new().await;
    bench.fake.inject(Ask::Insert, vec![Fault::Refuse(503, "backendError"); 50]);
    let error = create(&bench).await.unwrap_err();
    assert!(error.is_transient());
    assert!(error.to_string().contains("503 (backendError)"), "{error}");
    assert_eq!(bench.clock.pauses(), [1, 2, 4, 8, 16, 32, 32]);
    assert_eq!(bench.fake.names(), Vec::<String>::new());
}

#[tokio::test]
async fn retry_after_is_honoured_within_the_deadline() {
    let bench = Bench::new().await;
    bench.fake.inject(Ask::Insert, [Fault::RefuseFor(429, "17")]);
    create(&bench).await.unwrap();
    assert_eq!(bench.clock.pauses(), [17]);
    bench.fake.inject(Ask::Read, [Fault::RefuseFor(429, "3600")]);
    assert!(bench.store.read("x").await.unwrap_err().is_transient());
    assert_eq!(bench.clock.pauses(), [17]);
}

#[tokio::test]
async fn a_silent_server_is_given_up_and_asked_again() {
    let bench = Bench::impatient().await;
    bench.fake.put("pre/fix/x", BODY);
    bench.fake.inject(Ask::Read, [Fault::Silence]);
    assert_eq!(bench.store.read("x").await.unwrap().as_deref(), Some(BODY));
    // On a busy machine the second attempt may be too slow as well.
    assert_eq!(bench.clock.pauses().first(), Some(&1));
}

#[tokio::test]
async fn a_failed_condition_is_read_back() {
    let bench = Bench::new().await;
    bench.fake.put("pre/fix/x", b"another writer's");
    assert_eq!(create(&bench).await.unwrap(), Created::Exists);
    assert_eq!(bench.fake.requests(Ask::Stat).len(), 1);

    let bench = Bench::new().await;
    bench.fake.inject(Ask::Insert, [Fault::Refuse(412, "orgPolicyViolated")]);
    let words = permanent(create(&bench).await);
    assert!(words.contains("orgPolicyViolated") && words.contains("no such object"), "{words}");
}

#[tokio::test]
async fn a_forbidden_create_is_read_back_too() {
    let bench = Bench::new().await;
    bench.fake.put("pre/fix/x", BODY);
    bench.fake.inject(Ask::Insert, [Fault::Refuse(403, "forbidden")]);
    assert_eq!(create(&bench).await.unwrap(), Created::Exists);

    let bench = Bench::new().await;
    bench.fake.inject(Ask::Insert, [Fault::Refuse(403, "forbidden")]);
    let words = permanent(create(&bench).await);
    assert!(words.contains("storage.objects.create") && words.contains("fake-bucket"), "{words}");

    bench.fake.inject(Ask::Insert, [Fault::Refuse(403, "forbidden")]);
    bench.fake.inject(Ask::Stat, [Fault::Refuse(403, "forbidden")]);
    let words = permanent(create(&bench).await);
    assert!(words.contains("storage.objects.create") && words.contains("storage.objects.get"), "{words}");

    bench.fake.inject(Ask::Insert, [Fault::Refuse(403, "forbidden")]);
    bench.fake.inject(Ask::Stat, vec![Fault::Refuse(503, "backendError"); 50]);
    assert!(create(&bench).await.unwrap_err().is_transient());
}

#[tokio::test]
async fn refusals_are_final_and_name_the_permission() {
    let bench = Bench::new().await;
    bench.fake.put("pre/fix/state/x", BODY);
    for (ask, permission) in [
        (Ask::Read, "storage.objects.get"),
        (Ask::Stat, "storage.objects.get"),
        (Ask::List, "storage.objects.list"),
    ] {
        bench.fake.inject(ask, [Fault::Refuse(403, "forbidden")]);
        let words = match ask {
            Ask::Read => permanent(bench.store.read("x").await),
            Ask::Stat => permanent(bench.store.stat("x").await),
            _ => permanent(list_all(&bench.store, "x").await),
        };
        assert!(words.contains(permission), "{words}");
    }
    bench.fake.inject(Ask::Insert, [Fault::Refuse(400, "invalid")]);
    assert!(permanent(create(&bench).await).contains("400 (invalid): a planned fault"));
    assert!(bench.clock.pauses().is_empty());
}

/// The cache is left to the bucket's own rules then, and neither listed nor asked for again.
#[tokio::test]
async fn a_bucket_that_lets_nobody_delete_is_asked_once() {
    let bench = Bench::new().await;
    let chain = ChainKey { topic: "listen_events".into(), epoch: 1, partition: 0 };
    let name = |end| Name::State { chain: chain.clone(), end }.to_string();
    (0..100).for_each(|end| bench.fake.put(&format!("pre/fix/{}", name(end)), BODY));
    bench.fake.inject(Ask::Delete, vec![Fault::Refuse(403, "forbidden"); 300]);
    let metrics = Metrics::new(Watched::default()).unwrap().uploads;
    let store = Arc::new(MeteredStore::new(Arc::new(bench.store), metrics));
    for end in [100, 101] {
        let mut writer = SnapshotWriter::new(store.clone());
        writer.write(chain.clone(), end, end, BODY.to_vec()).await;
        assert_eq!(writer.finish().await.get(&chain), Some(&end));
    }
    assert_eq!(bench.fake.names().len(), 102);
    assert_eq!(bench.fake.requests(Ask::Delete).len(), 1);
    assert_eq!(bench.fake.requests(Ask::List).len(), 1);
    assert!(bench.clock.pauses().is_empty());
}

#[tokio::test]
async fn a_missing_bucket_is_no_missing_object() {
    let bench = Bench::with("no-such-bucket", None).await;
    let mut words = vec![permanent(create(&bench).await), permanent(bench.store.read("x").await)];
    words.push(permanent(bench.store.stat("x").await));
    words.push(permanent(list_all(&bench.store, "").await));
    for words in words {
        assert!(words.contains("there is no bucket no-such-bucket"), "{words}");
    }
    assert!(bench.clock.pauses().is_empty());
}

#[tokio::test]
async fn content_damaged_on_the_way_in_is_not_stored() {
    let bench = Bench::new().await;
    bench.fake.inject(Ask::Insert, [Fault::DamageIn]);
    let error = create(&bench).await.unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("damaged on the way"), "{error}");
    assert_eq!(bench.fake.names(), Vec::<String>::new());
    assert_eq!(create(&bench).await.unwrap(), Created::New);
}

#[tokio::test]
async fn content_damaged_on_the_way_out_is_read_again() {
    let bench = Bench::new().await;
    bench.fake.put("pre/fix/x", BODY);
    bench.fake.inject(Ask::Read, [Fault::DamageOut]);
    assert_eq!(bench.store.read("x").await.unwrap().as_deref(), Some(BODY));
    bench.fake.inject(Ask::Read, vec![Fault::DamageOut; 3]);
    assert!(permanent(bench.store.read("x").await).contains("CRC-32C"));
}

#[tokio::test]
async fn without_a_hash_in_the_answer_the_description_is_asked() {
    let bench = Bench::new().await;
    bench.fake.hide_hashes();
    assert_eq!(create(&bench).await.unwrap(), Created::New);
    assert_eq!(bench.store.read("x").await.unwrap().as_deref(), Some(BODY));
    assert_eq!(bench.fake.requests(Ask::Stat).len(), 1);
    assert_eq!(bench.store.stat("x").await.unwrap().unwrap().crc32c, None);
}

#[tokio::test]
async fn a_create_that_stored_something_else_is_told() {
    let bench = Bench::new().await;
    bench.fake.inject(Ask::Insert, [Fault::DamageOut]);
    assert!(permanent(create(&bench).await).contains("CRC-32C"));
}

#[tokio::test]
async fn without_credentials_a_401_is_final() {
    let bench = Bench::new().await;
    bench.fake.allow_only(&["token-1"]);
    assert!(permanent(create(&bench).await).contains("gcs.endpoint"));
    assert_eq!(bench.fake.requests(Ask::Insert).len(), 1);
}

#[tokio::test]
async fn random_trouble_never_loses_or_overwrites() {
    for seed in 1..4 {
        let bench = Bench::new().await;
        bench.fake.trouble(300, seed);
        for number in 0..30_u8 {
            let name = format!("a/{number:03}");
            for attempt in 0..2 {
                bench.store.create(&name, Bytes::from(vec![number + attempt; 64])).await.unwrap();
            }
            assert_eq!(bench.store.read(&name).await.unwrap().unwrap(), vec![number; 64]);
        }
        assert_eq!(list_all(&bench.store, "a/").await.unwrap().len(), 30);
    }
}
