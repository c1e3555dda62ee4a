//! Uploads in chunks, broken at every step.

use beatlytica::lake::store::{Created, Store};
use bytes::Bytes;

use crate::Bench;
use crate::fake_gcs::{Ask, Fault};

const CHUNK: usize = 8 << 20;

fn content() -> Bytes {
    (0..2 * CHUNK + 1000).map(|at| (at / 257) as u8).collect::<Vec<u8>>().into()
}

/// Uploads under the faults; true where the object then holds the content, created once.
async fn upload(bench: &Bench, expected: Created) {
    assert_eq!(bench.store.create("big", content()).await.unwrap(), expected);
    assert!(bench.fake.object("pre/fix/big").unwrap().content == content());
}

fn ranges(bench: &Bench, ask: Ask) -> Vec<String> {
    let requests = bench.fake.requests(ask);
    requests.iter().map(|request| request.header("content-range").unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn chunks_follow_each_other() {
    let bench = Bench::new().await;
    upload(&bench, Created::New).await;
    assert_eq!(
        ranges(&bench, Ask::Chunk),
        ["bytes 0-8388607/16778216", "bytes 8388608-16777215/16778216", "bytes 16777216-16778215/16778216"]
    );
    assert!(ranges(&bench, Ask::Question).is_empty());
    let begin = &bench.fake.requests(Ask::Begin)[0];
    assert_eq!(begin.query("ifGenerationMatch").as_deref(), Some("0"));
    assert_eq!(begin.header("x-upload-content-length"), Some("16778216"));
}

#[tokio::test]
async fn every_fault_at_every_step_is_resumed() {
    let faults =
        [Fault::Refuse(503, "backendError"), Fault::Refuse(429, "rate"), Fault::CutBefore, Fault::CutAfter];
    for step in 0..3 {
        for fault in &faults {
            let bench = Bench::new().await;
            let mut plan = vec![Fault::KeepOnly(CHUNK); step];
            plan.push(fault.clone());
            bench.fake.inject(Ask::Chunk, plan);
            bench.fake.inject(Ask::Question, [Fault::CutBefore]);
            // The session tells that the object is finished, so not even a lost last answer leaves doubt.
            upload(&bench, Created::New).await;
            assert_eq!(ranges(&bench, Ask::Question).len(), 2, "{step} {fault:?}");
            let again = usize::from(!matches!(fault, Fault::CutAfter));
            assert_eq!(ranges(&bench, Ask::Chunk).len(), 3 + again, "{step} {fault:?}");
        }
    }
}

#[tokio::test]
async fn a_chunk_stored_in_part_is_continued_there() {
    let bench = Bench::new().await;
    bench.fake.inject(Ask::Chunk, [Fault::KeepOnly(256 << 10), Fault::KeepOnly(0)]);
    upload(&bench, Created::New).await;
    let ranges = ranges(&bench, Ask::Chunk);
    assert_eq!(ranges[0], "bytes 0-8388607/16778216");
    assert_eq!(ranges[1], "bytes 262144-8650751/16778216");
    assert_eq!(ranges[2], ranges[1]);
    assert_eq!(bench.clock.pauses(), [1]);
}

#[tokio::test]
async fn a_forgotten_session_is_begun_anew() {
    let bench = Bench::new().await;
    bench.fake.inject(Ask::Chunk, [Fault::KeepOnly(CHUNK), Fault::Forget]);
    upload(&bench, Created::New).await;
    assert_eq!(bench.fake.requests(Ask::Begin).len(), 2);
    assert_eq!(bench.fake.object("pre/fix/big").unwrap().generation, 3);
}

#[tokio::test]
async fn a_forgotten_session_whose_object_was_finished_is_read_back() {
    let bench = Bench::new().await;
    bench.fake.inject(Ask::Chunk, [Fault::KeepOnly(CHUNK), Fault::KeepOnly(CHUNK), Fault::CutAfter]);
    bench.fake.inject(Ask::Question, [Fault::Forget]);
    upload(&bench, Created::Exists).await;
}

#[tokio::test]
async fn another_writer_that_finishes_first_wins() {
    let bench = Bench::new().await;
    bench.fake.put("pre/fix/big", b"theirs");
    assert_eq!(bench.store.create("big", content()).await.unwrap(), Created::Exists);
    assert_eq!(bench.fake.object("pre/fix/big").unwrap().content, b"theirs");
}

#[tokio::test]
async fn a_slow_upload_may_take_longer_than_the_deadline_while_it_gets_on() {
    let bench = Bench::new().await;
    let busy = || Fault::Refuse(503, "backendError");
    // A question that meets `KeepOnly` is answered as usual.
    let step = || [busy(), busy(), busy(), busy(), busy(), Fault::KeepOnly(0)];
    bench.fake.inject(Ask::Question, [step(), step(), step()].concat());
    let chunks = [busy(), Fault::KeepOnly(CHUNK), busy(), Fault::KeepOnly(CHUNK), busy()];
    bench.fake.inject(Ask::Chunk, chunks);
    upload(&bench, Created::New).await;
    assert_eq!(bench.clock.pauses(), [1, 2, 4, 8, 16, 32].repeat(3));
}

#[tokio::test]
async fn a_server_that_stores_nothing_is_given_up() {
    let bench = Bench::new().await;
    bench.fake.inject(Ask::Chunk, vec![Fault::KeepOnly(0); 100]);
    let error = bench.store.create("big", content()).await.unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("stored nothing more"), "{error}");
    assert_eq!(bench.clock.pauses(), [1, 2, 4, 8, 16, 32, 32]);
}

#[tokio::test]
async fn sessions_that_are_always_forgotten_are_given_up() {
    let bench = Bench::new().await;
    bench.fake.inject(Ask::Chunk, vec![Fault::Forget; 100]);
    let error = bench.store.create("big", content()).await.unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("forgot"), "{error}");
}

#[tokio::test]
async fn damage_in_a_chunk_is_refused_at_the_end() {
    let bench = Bench::new().await;
    bench.fake.inject(Ask::Chunk, [Fault::DamageIn]);
    let error = bench.store.create("big", content()).await.unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("damaged"), "{error}");
    assert!(bench.fake.object("pre/fix/big").is_none());
}
