//! What the engine asks of the broker beside records: bounds, identities, committed offsets.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::native::client::topic_id;
use super::poller::GroupContext;
use super::token::provide;
use super::{CommittedOffset, Log, LogBounds, LogError, TopicIdentity, TopicPartition};
use crate::blocking::{AT_ONCE, Place, Places};

/// [`Log`] over a real broker, sharing the group's consumer.
#[derive(Clone)]
pub struct KafkaLog {
    consumer: Arc<BaseConsumer<GroupContext>>,
    admin: Arc<AdminClient<DefaultClientContext>>,
    config: ClientConfig,
    /// Longest wait for one answer of the broker; the callers try again.
    timeout: Duration,
    places: Places,
    /// Those of questions to a partition's leader, which may be away while the others answer.
    leader_places: Places,
}

impl std::fmt::Debug for KafkaLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KafkaLog")
    }
}

impl KafkaLog {
    /// A log over `consumer`; `config` names the brokers for administrative questions. An answer is waited for as long as `timeout`.
    ///
    /// # Errors
    /// Settings that librdkafka refuses.
    pub fn new(
        consumer: Arc<BaseConsumer<GroupContext>>,
        config: &ClientConfig,
        timeout: Duration,
    ) -> anyhow::Result<Self> {
        // Questions may come before the consumer's queue is served for the first time.
        provide(consumer.client(), config)?;
        let [places, leader_places] = [(); 2].map(|()| Places::new(AT_ONCE));
        Ok(Self {
            consumer,
            admin: Arc::new(config.create()?),
            config: config.clone(),
            timeout,
            places,
            leader_places,
        })
    }

    /// Runs a blocking call of librdkafka off the actors' threads.
    async fn ask<T: Send + 'static>(
        &self,
        places: &Places,
        question: impl FnOnce(&BaseConsumer<GroupContext>) -> Result<T, LogError> + Send + 'static,
    ) -> Result<T, LogError> {
        let consumer = Arc::clone(&self.consumer);
        let place = place(places, self.timeout).await?;
        place.run(move || question(&consumer)).await.map_err(unavailable)?
    }
}

/// Waits for the questions before; as long as one may take, for then the broker is away for this one, too.
async fn place(places: &Places, timeout: Duration) -> Result<Place, LogError> {
    let place = tokio::time::timeout(timeout, places.place()).await;
    place.map_err(|_| unavailable("no answer to the questions before this one"))
}

fn unavailable(error: impl std::fmt::Display) -> LogError {
    LogError::Unavailable(error.to_string())
}

/// The metadata that goes with a committed offset: the start of the entry that ends there.
fn hint_metadata(entry_start: i64) -> String {
    format!("beatlytica/1 {entry_start}")
}

fn parse_hint_metadata(metadata: &str) -> Option<i64> {
    metadata.strip_prefix("beatlytica/1 ")?.parse().ok()
}

#[async_trait]
impl Log for KafkaLog {
    async fn bounds(&self, partition: &TopicPartition) -> Result<LogBounds, LogError> {
        let (partition, timeout) = (partition.clone(), self.timeout);
        self.ask(&self.leader_places, move |consumer| {
            let bounds = consumer.fetch_watermarks(&partition.topic, partition.partition, timeout);
            let (start, end) = bounds.map_err(unavailable)?;
            Ok(LogBounds { start, end })
        })
        .await
    }

    async fn identity(&self, topic: &str) -> Result<TopicIdentity, LogError> {
        let (topic, timeout) = (topic.to_owned(), self.timeout);
        let config = self.config.clone();
        self.ask(&self.places, move |consumer| {
            // Nobody serves the queue of a consumer that only reads the log again; this is asked at each of its partitions.
            provide(consumer.client(), &config).map_err(unavailable)?;
            let topic_id =
                topic_id(consumer, &topic, timeout.as_millis() as i32).or_else(|(code, text)| {
                    match code {
                        RDKafkaErrorCode::UnknownTopicOrPartition => {
                            Err(LogError::UnknownTopic(topic.clone()))
                        }
                        // Brokers without the request have no topic ids either.
                        RDKafkaErrorCode::UnsupportedFeature | RDKafkaErrorCode::UnsupportedVersion => {
                            Ok(None)
                        }
                        _ => Err(LogError::Unavailable(text)),
                    }
                })?;
            let cluster_id = consumer.client().fetch_cluster_id(timeout);
            Ok(TopicIdentity { cluster_id: cluster_id.filter(|id| !id.is_empty()), topic_id })
        })
        .await
    }

    async fn is_compacted(&self, topic: &str) -> Result<bool, LogError> {
        let options = AdminOptions::new().request_timeout(Some(self.timeout));
        provide(self.admin.inner(), &self.config).map_err(unavailable)?;
        let resource = [ResourceSpecifier::Topic(topic)];
        let answers = self.admin.describe_configs(&resource, &options).await.map_err(unavailable)?;
        let Some(answer) = answers.into_iter().next() else { return Ok(false) };
        match answer {
            Ok(config) => {
                let policy = config.get("cleanup.policy").and_then(|entry| entry.value.as_deref());
                Ok(policy.is_some_and(|policy| policy.contains("compact")))
            }
            Err(RDKafkaErrorCode::UnknownTopicOrPartition) => Err(LogError::UnknownTopic(topic.to_owned())),
            Err(RDKafkaErrorCode::TopicAuthorizationFailed) => {
                tracing::warn!(topic, "may not read the topic's settings; taking it as not compacted");
                Ok(false)
            }
            Err(code) => Err(unavailable(code)),
        }
    }

    async fn partitions(&self, topic: &str) -> Result<usize, LogError> {
        let (topic, timeout) = (topic.to_owned(), self.timeout);
        self.ask(&self.places, move |consumer| {
            let metadata = consumer.fetch_metadata(Some(&topic), timeout).map_err(unavailable)?;
            let found =
                metadata.topics().iter().find(|found| found.name() == topic && found.error().is_none());
            found.map(|found| found.partitions().len()).ok_or(LogError::UnknownTopic(topic))
        })
        .await
    }

    async fn committed(&self, partition: &TopicPartition) -> Result<Option<CommittedOffset>, LogError> {
        let (partition, timeout) = (partition.clone(), self.timeout);
        self.ask(&self.places, move |consumer| {
            let mut list = TopicPartitionList::new();
            list.add_partition(&partition.topic, partition.partition);
            let answer = consumer.committed_offsets(list, timeout).map_err(unavailable)?;
            let elements = answer.elements();
            let Some(element) = elements.first() else { return Ok(None) };
            element.error().map_err(unavailable)?;
            let Offset::Offset(offset) = element.offset() else { return Ok(None) };
            Ok(parse_hint_metadata(element.metadata())
                .map(|entry_start| CommittedOffset { offset, entry_start }))
        })
        .await
    }

    fn commit(&self, partition: &TopicPartition, hint: CommittedOffset) {
        let mut list = TopicPartitionList::new();
        let mut element = list.add_partition(&partition.topic, partition.partition);
        element.set_metadata(hint_metadata(hint.entry_start));
        let committed = element
            .set_offset(Offset::Offset(hint.offset))
            .and_then(|()| self.consumer.commit(&list, CommitMode::Async));
        if let Err(error) = committed {
            // Only a hint: recovery reads the ledger.
            tracing::debug!(%partition, %error, "offset commit failed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_for_the_questions_before_has_no_answer_either() {
        let places = Places::new(1);
        let timeout = Duration::from_secs(10);
        let first = place(&places, timeout).await.expect("nobody is before it");
        let asked = tokio::time::Instant::now();
        assert!(matches!(place(&places, timeout).await, Err(LogError::Unavailable(_))));
        assert_eq!(asked.elapsed(), timeout);
        drop(first);
        assert!(place(&places, timeout).await.is_ok());
    }

    #[test]
    fn hint_metadata_round_trips_and_foreign_metadata_is_no_hint() {
        assert_eq!(parse_hint_metadata(&hint_metadata(42)), Some(42));
        assert_eq!(parse_hint_metadata(""), None);
        assert_eq!(parse_hint_metadata("beatlytica/1 x"), None);
        assert_eq!(parse_hint_metadata("other"), None);
    }
}
