//! Whether topics are there, and their creation.

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;
use thiserror::Error;

use super::client::{client_config, explain, reader_config};
use super::token::{TokenError, provide};
use crate::config::KafkaSettings;

/// Why a topic cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum TopicError {
    /// There is no such topic.
    #[error(
        "topic {0} does not exist at {1}; create it, or let `--create-partitions N` create it with N partitions"
    )]
    Missing(String, String),
    /// The broker could not be asked, or refused; in words.
    #[error("{0}")]
    Broker(String),
}

impl From<TokenError> for TopicError {
    fn from(error: TokenError) -> Self {
        TopicError::Broker(error.to_string())
    }
}

/// The number of partitions of `topic`, or none where it does not exist. Never creates it. Blocks up to
/// `kafka.request_timeout`.
///
/// # Errors
/// [`TopicError::Broker`] where the broker could not be asked.
pub fn partitions(settings: &KafkaSettings, topic: &str) -> Result<Option<usize>, TopicError> {
    let broker = |error: KafkaError| TopicError::Broker(explain(&error, settings));
    // A consumer asks: a producer's question would create the topic on brokers that allow it.
    let mut config = reader_config(settings);
    let consumer: BaseConsumer = config.set("allow.auto.create.topics", "false").create().map_err(broker)?;
    provide(consumer.client(), &config)?;
    let metadata = consumer.fetch_metadata(Some(topic), settings.request_timeout).map_err(broker)?;
    let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else { return Ok(None) };
    match found.error() {
        None => Ok(Some(found.partitions().len())),
        Some(
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
            | RDKafkaRespErr::RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
        ) => Ok(None),
        Some(code) => Err(broker(KafkaError::MetadataFetch(code.into()))),
    }
}

/// Creates `topic` with `partitions` partitions and the broker's default replication.
///
/// # Errors
/// [`TopicError::Broker`] where the broker refused or did not answer; that it exists already is not an error.
pub async fn create(settings: &KafkaSettings, topic: &str, partitions: i32) -> Result<(), TopicError> {
    let broker = |error: KafkaError| TopicError::Broker(explain(&error, settings));
    let config = client_config(settings);
    let admin: AdminClient<DefaultClientContext> = config.create().map_err(broker)?;
    provide(admin.inner(), &config)?;
    // -1 asks for the broker's default replication factor.
    let topics = [NewTopic::new(topic, partitions, TopicReplication::Fixed(-1))];
    let options = AdminOptions::new().operation_timeout(Some(settings.request_timeout));
    let answers = admin.create_topics(&topics, &options).await.map_err(broker)?;
    for answer in answers {
        match answer {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((name, code)) => {
                return Err(TopicError::Broker(format!("topic {name} cannot be created: {code}")));
            }
        }
    }
    Ok(())
}
