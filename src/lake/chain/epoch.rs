//! Epochs: one for each time that a topic was created.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Chain, ChainError, Decided, children, create_or_read};
use crate::lake::codec::ObjectCodec;
use crate::lake::layout::{ChainKey, LAKE, LEDGER, Name, REJECTED, check_topic, epoch_prefix};
use crate::lake::ledger::{EntryKind, EpochRecord, LedgerError, Refusal, check_identity};
use crate::lake::store::Store;
use crate::schemas::EventKind;

/// Refuses a lake that a newer program has written with another layout of the ledger. One listing.
///
/// # Errors
/// The store's; [`LedgerError::NewerLayout`].
pub async fn check_layout(store: &dyn Store) -> Result<(), ChainError> {
    // `0` follows `/`: beyond everything of this layout, and before the next one's.
    let behind = format!("{}0", LEDGER.trim_end_matches('/'));
    let mut newer = store.list("ledger/", Some(&behind), None).await?.objects.into_iter();
    match newer.next() {
        Some(object) => Err(LedgerError::NewerLayout { name: object.name }.into()),
        None => Ok(()),
    }
}

/// The topic's newest epoch, created if there is none, and what it was created with.
///
/// # Errors
/// The store's; a topic that cannot have a place in the lake; [`Refusal::TopicRecreated`] where the epoch has other
/// ids than the broker gives now.
pub async fn open_epoch(
    store: &dyn Store,
    topic: &str,
    cluster_id: Option<&str>,
    topic_id: Option<&str>,
) -> Result<(u32, EpochRecord), ChainError> {
    check_topic(topic)?;
    let newest = newest_epoch(store, topic).await?;
    if newest.is_none() {
        check_no_rows(store, topic).await?;
    }
    let epoch = newest.unwrap_or(1);
    let record = match epoch_record(store, topic, epoch).await? {
        Some(record) => record,
        None => create_epoch(store, topic, epoch, EpochRecord::new(cluster_id, topic_id)).await?,
    };
    check_identity(topic, epoch, &record, cluster_id, topic_id)?;
    Ok((epoch, record))
}

/// Refuses to begin the ledger of a topic whose rows are in the lake already: they would all be written again.
async fn check_no_rows(store: &dyn Store, topic: &str) -> Result<(), ChainError> {
    for prefix in [format!("{LAKE}{topic}/"), format!("{LAKE}{REJECTED}/{topic}/")] {
        let found = store.list(&prefix, None, None).await?.objects.into_iter().next();
        // Another engine may have begun it meanwhile.
        if let Some(object) = found
            && newest_epoch(store, topic).await?.is_none()
        {
            let cause = format!(
                "the lake holds rows of {topic}, but its ledger is missing: bring `{LEDGER}` back, or name another lake.url"
            );
            return Err(LedgerError::Damaged { name: object.name, cause }.into());
        }
    }
    Ok(())
}

/// The topic's newest epoch, if it has any.
///
/// # Errors
/// The store's.
pub async fn newest_epoch(store: &dyn Store, topic: &str) -> Result<Option<u32>, ChainError> {
    let folders = children(store, &format!("{LEDGER}{topic}/")).await?;
    let number = |folder: &String| match format!("{LEDGER}{topic}/{folder}/epoch.json").parse() {
        Ok(Name::Epoch { epoch, .. }) => Some(epoch),
        _ => None,
    };
    Ok(folders.iter().filter_map(number).max())
}

/// What an epoch was opened with; none where there is no such epoch.
///
/// # Errors
/// The store's; a record that is damaged.
pub async fn epoch_record(
    store: &dyn Store,
    topic: &str,
    epoch: u32,
) -> Result<Option<EpochRecord>, ChainError> {
    let name = Name::Epoch { topic: topic.to_owned(), epoch }.to_string();
    let body = store.read(&name).await?;
    Ok(body.map(|body| EpochRecord::parse(&name, &body)).transpose()?)
}

/// Creates an epoch record, or gives the one that stands.
async fn create_epoch(
    store: &dyn Store,
    topic: &str,
    epoch: u32,
    record: EpochRecord,
) -> Result<EpochRecord, ChainError> {
    let name = Name::Epoch { topic: topic.to_owned(), epoch }.to_string();
    // Entries without their epoch record: its ids are unknown, so a new record could be of another topic.
    let entries = store.list(&epoch_prefix(topic, epoch), None, None).await?;
    if !entries.objects.is_empty() && entries.objects.iter().all(|object| object.name != name) {
        let cause = "the epoch has entries, but its record is missing".to_owned();
        return Err(LedgerError::Damaged { name, cause }.into());
    }
    let standing = create_or_read(store, &name, record.to_bytes(&name)?).await?;
    store.sync().await?;
    match standing {
        Some(standing) => Ok(EpochRecord::parse(&name, &standing)?),
        None => Ok(record),
    }
}

/// Closes an epoch, so that no writer can extend it: finishes each last decision with what stands, the rest being
/// recorded as lost, and creates a closing entry at each head. `partitions` is the topic's partition count: those
/// without a chain are closed at offset 0. Asking again, or several at once, is safe.
///
/// # Errors
/// The store's; damaged entries; objects that cannot be read.
pub async fn close_epoch(
    store: &Arc<dyn Store>,
    topic: &str,
    table: EventKind,
    epoch: u32,
    partitions: i32,
    writer: &str,
    codec: &dyn ObjectCodec,
) -> Result<(), ChainError> {
    check_topic(topic)?;
    for partition in partitions_of(store.as_ref(), topic, epoch).await?.into_iter().chain(0..partitions) {
        let key = ChainKey { topic: topic.to_owned(), epoch, partition };
        let chain = Chain::new(Arc::clone(store), key, table, EpochRecord::new(None, None), writer);
        chain.close(codec).await?;
    }
    Ok(())
}

/// Partitions that have a chain in the epoch.
///
/// # Errors
/// The store's.
pub async fn partitions_of(store: &dyn Store, topic: &str, epoch: u32) -> Result<BTreeSet<i32>, ChainError> {
    let prefix = epoch_prefix(topic, epoch);
    let folders = children(store, &prefix).await?;
    let number = |folder: &String| match format!("{prefix}{folder}/{:020}.json", 0).parse() {
        Ok(Name::Entry { chain, .. }) => Some(chain.partition),
        _ => None,
    };
    Ok(folders.iter().filter_map(number).collect())
}

/// Closes the topic's newest epoch and opens the next for the topic as the broker describes it now. Does nothing
/// where the newest epoch has the broker's topic id already. Returns the epoch to go on with.
///
/// # Errors
/// As [`close_epoch`] and [`open_epoch`].
#[allow(clippy::too_many_arguments, reason = "an operator's command names all of this once")]
pub async fn open_next_epoch(
    store: &Arc<dyn Store>,
    topic: &str,
    table: EventKind,
    partitions: i32,
    cluster_id: Option<&str>,
    topic_id: Option<&str>,
    writer: &str,
    codec: &dyn ObjectCodec,
) -> Result<u32, ChainError> {
    check_topic(topic)?;
    let Some(epoch) = newest_epoch(store.as_ref(), topic).await? else {
        return Ok(open_epoch(store.as_ref(), topic, cluster_id, topic_id).await?.0);
    };
    let standing = epoch_record(store.as_ref(), topic, epoch).await?;
    if topic_id.is_some() && standing.is_some_and(|standing| standing.topic_id.as_deref() == topic_id) {
        return Ok(epoch);
    }
    close_epoch(store, topic, table, epoch, partitions, writer, codec).await?;
    let next = epoch.saturating_add(1);
    let record = create_epoch(store.as_ref(), topic, next, EpochRecord::new(cluster_id, topic_id)).await?;
    check_identity(topic, next, &record, cluster_id, topic_id)?;
    tracing::warn!(topic, epoch = next, "epoch opened");
    Ok(next)
}

impl Chain {
    async fn close(&self, codec: &dyn ObjectCodec) -> Result<(), ChainError> {
        loop {
            let head = self.head().await?;
            if let Some(head) = &head {
                if head.kind == EntryKind::Close {
                    return Ok(());
                }
                if self.receipt_of(head).await?.is_none() {
                    self.finish_with_what_stands(head, codec).await?;
                }
            }
            let at = head.as_ref().map_or(0, |head| head.end);
            match self.decide(&self.draft(EntryKind::Close, at, at, head.as_ref())).await {
                Ok(Decided::Own) | Err(ChainError::Refused(Refusal::ClosedEpoch { .. })) => return Ok(()),
                // A writer extended the chain meanwhile: close behind it.
                Ok(Decided::Adopted(_)) => {}
                Err(error) => return Err(error),
            }
        }
    }
}
