//! `epoch open`: goes on with a topic that was created anew.

use std::sync::Arc;

use actix::System;
use anyhow::{Context as _, bail};

use super::verify::retained;
use super::{open_store, say, writer};
use crate::config::Settings;
use crate::kafka::Log;
use crate::kafka::client::reader_config;
use crate::kafka::log::KafkaLog;
use crate::kafka::poller::GroupContext;
use crate::lake::chain::{check_layout, epoch_record, newest_epoch, open_next_epoch, partitions_of};
use crate::lake::layout::ChainKey;
use crate::lake::ledger::{Decision, EntryKind};
use crate::lake::parquet::ParquetCodec;
use crate::lake::store::{Access, Store};
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
        let store = open_store(&settings, Access::Write, &Arc::default()).await?;
        check_layout(&*store).await?;
        let log = KafkaLog::new(consumer, &config, settings.kafka.request_timeout)?;
        let identity = log.identity(topic).await?;
        let partitions = crate::kafka::topics::partitions(&settings.kafka, topic)?.unwrap_or(0);
        let (cluster_id, topic_id) = (identity.cluster_id.as_deref(), identity.topic_id.as_deref());
        let (partitions, writer) = (i32::try_from(partitions)?, writer());
        let newest = newest_epoch(&*store, topic).await?;
        for epoch in 1..=newest.unwrap_or(0) {
            let recorded = epoch_record(&*store, topic, epoch).await?.and_then(|record| record.topic_id);
            let held = match (&recorded, topic_id) {
                // Of the newest one nothing is opened.
                (Some(recorded), Some(id)) if recorded == id && newest != Some(epoch) => {
                    has_records(&*store, topic, epoch).await?.then(|| format!("{topic} and records of it"))
                }
                (Some(_), Some(_)) => None,
                // Where one of the ids is missing, only the records tell whether it is another topic.
                _ => still_held(&*store, &mut retained(&settings)?, topic, epoch, partitions)
                    .await?
                    .map(|partition| format!("a record of {topic}[{partition}]")),
            };
            if let Some(held) = held {
                bail!(
                    "the ledger knows {held} of epoch {epoch}: it is the same topic, and what the broker holds of it would be in \
                     the lake twice. Check that kafka.brokers names the right cluster; if it does, delete the topic and create it \
                     anew first"
                );
            }
        }
        let opened =
            open_next_epoch(&store, topic, kind, partitions, cluster_id, topic_id, &writer, &ParquetCodec)
                .await?;
        if newest == Some(opened) {
            say(format_args!(
                "{topic}: epoch {opened} is of this very topic, nothing was opened; where the broker lost records of it, delete the \
                 topic and create it anew first"
            ))?;
        } else {
            say(format_args!("{topic}: epoch {opened}; start engines anew that have refused the topic"))?;
        }
        Ok(())
    })
}

/// Whether a chain of the epoch has an entry other than the one that closes it.
async fn has_records(store: &dyn Store, topic: &str, epoch: u32) -> anyhow::Result<bool> {
    for partition in partitions_of(store, topic, epoch).await? {
        let name = ChainKey { topic: topic.to_owned(), epoch, partition }.entry(0);
        let Some(body) = store.read(&name).await? else { continue };
        if Decision::parse(&name, &body)?.kind != EntryKind::Close {
            return Ok(true);
        }
    }
    Ok(false)
}
