//! What the Kafka client alone costs: reads a topic to its end in batches and counts, nothing else.
//!
//! Usage: `bare_drain BROKERS TOPIC`. Prints the number of records. `make bench` runs it beside the engine.

use std::process::ExitCode;
use std::time::Duration;

use rdkafka::bindings::{
    rd_kafka_consume_batch_queue, rd_kafka_message_destroy, rd_kafka_message_t, rd_kafka_queue_destroy,
    rd_kafka_queue_get_consumer, rd_kafka_resp_err_t,
};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

const TIMEOUT: Duration = Duration::from_secs(30);
const BATCH: usize = 4096;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [brokers, topic] = arguments.as_slice() else {
        eprintln!("usage: bare_drain BROKERS TOPIC");
        return ExitCode::from(2);
    };
    match drain(brokers, topic) {
        Ok(records) => {
            println!("{records}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Reads every record that the topic holds now.
fn drain(brokers: &str, topic: &str) -> Result<u64, Box<dyn std::error::Error>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "bare-drain")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("queued.max.messages.kbytes", "12288")
        .create()?;
    let metadata = consumer.fetch_metadata(Some(topic), TIMEOUT)?;
    let partitions = metadata.topics().first().map(|topic| topic.partitions()).unwrap_or_default();
    let mut assignment = TopicPartitionList::new();
    let mut wanted = 0;
    for partition in partitions {
        let (low, high) = consumer.fetch_watermarks(topic, partition.id(), TIMEOUT)?;
        wanted += u64::try_from(high - low)?;
        assignment.add_partition_offset(topic, partition.id(), Offset::Beginning)?;
    }
    consumer.assign(&assignment)?;
    Ok(count(&consumer, wanted)?)
}

fn count(consumer: &BaseConsumer, wanted: u64) -> Result<u64, String> {
    let mut batch: Vec<*mut rd_kafka_message_t> = vec![std::ptr::null_mut(); BATCH];
    // SAFETY: the client outlives the queue handle, which is given back below; nothing pauses, seeks or reassigns
    // while a batch is taken (this is the only thread); every message taken is destroyed exactly once.
    unsafe {
        let queue = rd_kafka_queue_get_consumer(consumer.client().native_ptr());
        let mut records = 0;
        let mut failure = None;
        while records < wanted && failure.is_none() {
            let taken = rd_kafka_consume_batch_queue(queue, 1000, batch.as_mut_ptr(), BATCH);
            let Ok(taken) = usize::try_from(taken) else {
                failure = Some("the queue cannot be read".to_owned());
                break;
            };
            for message in &batch[..taken] {
                match (**message).err {
                    rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => records += 1,
                    rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__PARTITION_EOF => {}
                    error => failure = Some(format!("{error:?}")),
                }
                rd_kafka_message_destroy(*message);
            }
        }
        rd_kafka_queue_destroy(queue);
        failure.map_or(Ok(records), Err)
    }
}
