//! What the producer says of records that were delivered and of those that were not.

use super::TOPIC;
use crate::config::load;
use crate::kafka::embedded::EmbeddedBroker;
use crate::kafka::producer::{Compression, Origin, RecordProducer};

#[tokio::test]
async fn deliveries_are_counted_and_the_first_failure_names_its_record() {
    let broker = EmbeddedBroker::start([(TOPIC, 1)]).expect("a broker");
    let mut settings = load(None, [], &[]).expect("defaults").settings.kafka;
    settings.brokers = broker.address();
    let producer = RecordProducer::new(&settings, Compression::Lz4).expect("a client");
    let enqueue = async |partition, origin| {
        producer.enqueue(TOPIC, partition, Some(b"k"), b"{}", origin).await.expect("room");
    };
    // The client does not know yet how many partitions the topic has.
    let refused = Origin { file: 3, line: 1 << 35 };
    enqueue(Some(7), refused).await;
    for line in 1..=5 {
        enqueue(None, Origin { file: 0, line }).await;
    }
    let error = producer.flush().await.expect_err("no partition 7");
    assert_eq!(error.origin, refused);
    assert_eq!(producer.delivered(), 5);
}
