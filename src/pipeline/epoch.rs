//! `epoch open`: goes on with a topic that was created anew.

use std::sync::Arc;

use actix::System;
use anyhow::{Context as _, bail};

use super::verify::retained;
use super::{open_store, writer};
use crate::config::Settings;
use crate::kafka::Log;
use crate::kafka::client::reader_config;
use crate::kafka::log::KafkaLog;
use crate::kafka::poller::GroupContext;
use crate::lake::chain::{check_layout, epoch_record, newest_epoch, open_next_epoch};
use crate::lake::parquet::ParquetCodec;
use crate::lake::verify::still_held;

/// Closes the topic's epoch and opens the next one. Blocks.
///
/// # Errors
/// The epoch could not be opened, in words.
pub fn open_epoch(settings: Settings, topic: &str) -> anyhow::Result<()> {
    let kind =
        settings.kafka.topics.kind(topic).with_context(|| format!("kafka.topics names no topic {topic}"))?;
    let mut config = reader_config(&settings.kafka);
    config.set("group.id", &settings.kafka.group_id);
    let consumer = Arc::new(config.create_with_context(GroupContext::default())?);
    System::new().block_on(async {
        let store = open_store(&settings, &Arc::default()).await?;
        check_layout(&*store).await?;
        let log = KafkaLog::new(consumer, &config)?;
        let identity = log.identity(topic).await?;
        let partitions = crate::kafka::topics::partitions(&settings.kafka, topic)?.unwrap_or(0);
        let (cluster_id, topic_id) = (identity.cluster_id.as_deref(), identity.topic_id.as_deref());
        let (partitions, writer) = (i32::try_from(partitions)?, writer());
        let newest = newest_epoch(&*store, topic).await?;
        let recorded = match newest {
            Some(epoch) => epoch_record(&*store, topic, epoch).await?.and_then(|record| record.topic_id),
            None => None,
        };
        // Where one of the ids is missing, only the records tell whether it is another topic.
        if let (Some(epoch), true) = (newest, recorded.is_none() || topic_id.is_none())
            && let Some(partition) = still_held(&*store, &mut retained(&settings)?, topic, epoch, partitions).await?
        {
            bail!(
                "{topic}[{partition}] holds a record that the ledger knows of epoch {epoch}: it is the same topic, and all of \
                 its records would be in the lake twice. Delete the topic and create it anew first"
            );
        }
        let opened =
            open_next_epoch(&store, topic, kind, partitions, cluster_id, topic_id, &writer, &ParquetCodec)
                .await?;
        if newest == Some(opened) {
            println!(
                "{topic}: epoch {opened} is of this very topic, nothing was opened; where the broker lost records of it, delete the \
                 topic and create it anew first"
            );
        } else {
            println!("{topic}: epoch {opened}; start engines anew that have refused the topic");
        }
        Ok(())
    })
}
