//! Full mailboxes: the sender keeps what it has, and everything arrives in order once there is room.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use actix::prelude::SendError;
use tokio::time::Instant;

use super::*;
use crate::actors::producer::{Produce, ProduceError, Producer, StopProducing};
use crate::actors::supervisor::MAILBOX;
use crate::fault::{Fault, arm, is_armed};
use crate::kafka::lines::LineReader;
use crate::kafka::producer::{Compression, RecordProducer};

#[test]
fn a_full_supervisor_refuses_events_and_takes_them_later() {
    with_paused_clock(|| async {
        let engine = Engine::start(300, |_| ());
        tokio::task::yield_now().await;
        let mut sent = 0;
        while engine.supervisor.try_send(GroupEvent::TopicMissing).is_ok() {
            sent += 1;
            assert!(sent <= 2 * MAILBOX, "the mailbox has no bound");
        }
        assert!(sent >= MAILBOX);
        engine.assign().await;
        engine.drain().await;
        engine.check_lake().await;
    });
}

#[test]
fn a_budget_that_is_full_holds_the_log_back() {
    with_paused_clock(|| async {
        let engine = Engine::start(2000, |settings| settings.memory.budget = 32 << 10);
        engine.assign().await;
        engine.drain().await;
        engine.check_lake().await;
        assert_eq!(engine.restarts("uploader") + engine.restarts("partition_consumer"), 0);
    });
}

/// An engine that finishes a decided range and hangs at it, having read what it may.
async fn finishing(adjust: impl FnOnce(&mut Settings)) -> Engine {
    let engine = Engine::start(2000, adjust);
    arm("uploader.write", Fault::Panic);
    arm("chain.receipt", Fault::Hang);
    engine.assign().await;
    wait_until("finishing what was decided", || !is_armed("chain.receipt")).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(engine.restarts("uploader"), 1);
    engine
}

#[test]
fn while_a_decided_range_is_finished_deliveries_wait_for_room() {
    with_paused_clock(|| async {
        // Of 2,000 records, which the budget would take.
        let engine = finishing(|settings| settings.lake.max_batch_bytes = 16 << 10).await;
        let taken = engine.board.partition(&engine.partition).taken();
        assert!(taken < Some(1000), "{taken:?}");
        engine.drain().await;
        engine.check_lake().await;
    });
}

#[test]
fn while_a_decided_range_is_finished_reading_waits_for_memory() {
    with_paused_clock(|| async {
        let engine = finishing(|settings| {
            settings.memory.budget = 64 << 10;
            settings.lake.max_batch_bytes = 64 << 20;
        })
        .await;
        let taken = engine.board.partition(&engine.partition).taken();
        assert!(taken < Some(1000) && engine.budget.is_full(), "{taken:?}");
        engine.drain().await;
        engine.check_lake().await;
    });
}

#[test]
fn a_gate_that_a_predecessor_closed_is_opened_for_the_rest_of_a_decided_range() {
    with_paused_clock(|| async {
        let engine = Engine::start(2000, |settings| settings.memory.budget = 64 << 10);
        arm("uploader.write", Fault::Panic);
        engine.assign().await;
        wait_until("the failure", || !is_armed("uploader.write")).await;
        arm("consumer.deliver", Fault::Hang);
        let status = engine.board.partition(&engine.partition);
        let gate = status.gate().expect("a gate");
        wait_until("the range being read again", || gate.is_urgent()).await;
        gate.set_urgent(false);
        wait_until("the gate being opened anew", || gate.is_urgent()).await;
        engine.drain().await;
        engine.check_lake().await;
    });
}

/// An engine that uploads for want of memory only, once it has read everything, about a tenth of its budget.
async fn with_all_in_memory() -> Engine {
    let engine = Engine::start(500, |settings| {
        settings.memory.budget = 1 << 20;
        settings.lake.max_batch_bytes = 64 << 20;
        settings.lake.upload_interval = Duration::from_secs(24 * 3600);
    });
    engine.assign().await;
    let status = engine.board.partition(&engine.partition);
    wait_until("reading to the end", || status.at_end() && status.taken() == Some(500)).await;
    assert!((1 << 16..1 << 18).contains(&engine.budget.used()), "{} bytes", engine.budget.used());
    engine
}

#[test]
fn when_memory_is_full_the_partition_with_most_to_free_uploads_first() {
    with_paused_clock(|| async {
        let engine = with_all_in_memory().await;
        let status = engine.board.partition(&engine.partition);
        let other = engine.budget.share();
        other.set(900 << 10);
        let held = engine.budget.charge(1 << 20);
        assert!(other.is_due());
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(status.head(), Some(0));
        // The other's upload is under way, and memory is full still.
        other.set(0);
        wait_until("the upload", || status.head() == Some(500)).await;
        drop(held);
        engine.drain().await;
        engine.check_lake().await;
    });
}

#[test]
fn a_partition_whose_upload_fails_keeps_no_other_waiting() {
    with_paused_clock(|| async {
        let engine = with_all_in_memory().await;
        let other = engine.budget.share();
        other.set(1);
        engine.broker.fails.store(true, Ordering::Relaxed);
        let held = engine.budget.charge(1 << 20);
        assert!(!other.is_due());
        wait_until("the upload's failure", || other.is_due()).await;
        engine.broker.fails.store(false, Ordering::Relaxed);
        drop((held, other));
        engine.drain().await;
        engine.check_lake().await;
    });
}

/// The input's lines, ten a chunk.
fn chunks(count: usize) -> Vec<Produce> {
    let mut file = tempfile::NamedTempFile::with_suffix(".jsonl").expect("a file");
    for number in 0..count * 10 {
        writeln!(file, r#"{{"userId":"{number}"}}"#).expect("a line");
    }
    let mut reader = LineReader::open(file.path(), Arc::new(AtomicU64::new(0))).expect("input");
    let mut next = || reader.next_chunk(10).expect("a chunk").expect("a chunk");
    (0..count).map(|_| Produce { file: 0, chunk: next() }).collect()
}

#[test]
fn a_full_producer_holds_the_reader_back_keeps_its_pace_and_stops() {
    with_paused_clock(|| async {
        let mut settings = load(None, [], &[]).expect("defaults").settings.kafka;
        // Nobody listens there: records wait in the client's queue.
        settings.brokers = "127.0.0.1:1".into();
        let client = Arc::new(RecordProducer::new(&settings, Compression::Lz4).expect("a client"));
        let producer = Producer::new(client, TOPIC, Some(10)).start();
        let start = Instant::now();
        let mut chunks = chunks(6).into_iter();
        let mut answers = Vec::new();
        producer
            .send(chunks.next().expect("a chunk"))
            .await
            .expect("it lives")
            .expect("the first goes at once");
        assert_eq!(start.elapsed(), Duration::ZERO);
        // One address for all: each has a place of its own in the mailbox beside the common ones.
        let address = producer.clone().recipient::<Produce>();
        let refused = loop {
            let chunk = chunks.next().expect("the mailbox has no bound");
            match address.try_send(chunk) {
                Ok(()) => answers.push(()),
                Err(SendError::Full(chunk)) => break chunk,
                Err(SendError::Closed(_)) => panic!("the producer has ended"),
            }
        };
        let taken = answers.len() as u64;
        assert!((2..5).contains(&taken), "{taken} chunks were taken");
        // What was refused is sent after what was taken, each at its time: ten records a second.
        producer.send(refused).await.expect("it lives").expect("sent");
        assert_eq!(start.elapsed().as_secs(), taken + 1);
        producer.send(StopProducing).await.expect("it lives");
        let after = producer.send(chunks.next().expect("another chunk")).await.expect("it lives");
        assert_eq!(after, Err(ProduceError::Stopped));
    });
}
