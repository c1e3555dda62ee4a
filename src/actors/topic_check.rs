//! What the supervisor asks about topics: may this one be read, and is it still the one that it was?

use tokio::sync::OnceCell;

use super::supervisor::TopicEpoch;
use crate::kafka::{Log, LogError, TopicPartition};
use crate::lake::chain::{ChainError, check_layout, open_epoch};
use crate::lake::ledger::{EpochRecord, Refusal, check_identity};
use crate::lake::store::Store;
use crate::status::StatusBoard;

/// Why a partition cannot be taken up now.
pub(super) enum OpenError {
    /// Asking again may help.
    Later(String),
    /// An operator must act.
    Refused(String),
}

/// The topic's epoch and the log's end now. `layout` is set once the ledger is known to be of this program's.
pub(super) async fn open(
    log: &dyn Log,
    store: &dyn Store,
    layout: &OnceCell<()>,
    partition: &TopicPartition,
) -> Result<(u32, EpochRecord, i64), OpenError> {
    let later = |error: &dyn std::fmt::Display| OpenError::Later(error.to_string());
    if log.is_compacted(&partition.topic).await.map_err(|error| later(&error))? {
        let why = Refusal::check_cleanup_policy(&partition.topic, "compact").err();
        return Err(OpenError::Refused(why.map_or_else(String::new, |why| why.to_string())));
    }
    let identity = log.identity(&partition.topic).await.map_err(|error| later(&error))?;
    let (cluster_id, topic_id) = (identity.cluster_id.as_deref(), identity.topic_id.as_deref());
    let opened = async {
        layout.get_or_try_init(|| check_layout(store)).await?;
        open_epoch(store, &partition.topic, cluster_id, topic_id).await
    };
    let (epoch, record) = opened.await.map_err(|error: ChainError| match error.is_transient() {
        true => later(&error),
        false => OpenError::Refused(error.to_string()),
    })?;
    let bounds = log.bounds(partition).await.map_err(|error| later(&error))?;
    Ok((epoch, record, bounds.end))
}

/// Topics that were created anew since their epoch was opened, and why they are refused.
///
/// Uploads ask before each decision; this finds it while a topic is idle or waits. A broker that does not answer is
/// asked again the next time.
pub(super) async fn created_anew(log: &dyn Log, topics: Vec<TopicEpoch>) -> Vec<(String, String)> {
    let mut refused = Vec::new();
    for TopicEpoch { topic, epoch, record } in topics {
        match log.identity(&topic).await {
            Ok(identity) => {
                let ids = (identity.cluster_id.as_deref(), identity.topic_id.as_deref());
                if let Err(refusal) = check_identity(&topic, epoch, &record, ids.0, ids.1) {
                    refused.push((topic, refusal.to_string()));
                }
            }
            Err(error) => tracing::debug!(topic, %error, "the topic's identity is asked again later"),
        }
    }
    refused
}

/// Notes how many partitions each of `topics` has, so that answers tell their share. A broker that does not answer is
/// asked again the next time.
pub(super) async fn count_partitions(log: &dyn Log, board: &StatusBoard, topics: Vec<String>) {
    for topic in topics {
        match log.partitions(&topic).await {
            Ok(count) => board.set_topic_partitions(&topic, count),
            Err(error) => tracing::debug!(topic, %error, "the topic's partitions are counted later"),
        }
    }
}

/// What to do about each of `topics` that the broker does not have.
pub(super) async fn missing(log: &dyn Log, topics: Vec<String>) -> Vec<String> {
    let mut missing = Vec::new();
    for topic in topics {
        if let Err(error @ LogError::UnknownTopic(_)) = log.partitions(&topic).await {
            missing.push(error.to_string());
        }
    }
    missing
}
