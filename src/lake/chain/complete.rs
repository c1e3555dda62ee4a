//! Completeness markers: through which hour of event time a partition's records are expected to be all there.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::json;

use super::scan::last_index;
use super::{ChainError, children};
use crate::lake::layout::{COMPLETE, ChainKey, Hour, Name};
use crate::lake::store::Store;

/// Records that no more records of `hour`, nor of any hour before, are expected from the partition; `end` is the end
/// of the receipted range that showed it. One marker for the newest such hour is enough.
///
/// # Errors
/// The store's.
pub async fn mark_complete(
    store: &dyn Store,
    chain: &ChainKey,
    hour: Hour,
    end: i64,
) -> Result<(), ChainError> {
    let name = Name::Complete { chain: chain.clone(), hour }.to_string();
    let body = json!({ "format": 1, "hour": hour.to_string(), "end": end }).to_string();
    // A marker that is there already says the same.
    store.create(&name, Bytes::from(body)).await?;
    Ok(())
}

/// The newest complete hour of each partition that has one.
///
/// # Errors
/// The store's.
pub async fn completed(
    store: &dyn Store,
    topic: &str,
    epoch: u32,
) -> Result<BTreeMap<i32, Hour>, ChainError> {
    let prefix = format!("{COMPLETE}{topic}/e{epoch:03}/");
    let mut hours = BTreeMap::new();
    for folder in children(store, &prefix).await? {
        let Ok(partition) = folder.trim_start_matches('p').parse() else {
            continue;
        };
        let chain = ChainKey { topic: topic.to_owned(), epoch, partition };
        let name = |hour| Name::Complete { chain: chain.clone(), hour: Hour(hour) }.to_string();
        let index = |name: &str| match name.parse() {
            Ok(Name::Complete { hour, .. }) => Some(hour.0),
            _ => None,
        };
        if let Some(hour) = last_index(store, &chain.complete_prefix(), name, index, None).await? {
            hours.insert(partition, Hour(hour));
        }
    }
    Ok(hours)
}
