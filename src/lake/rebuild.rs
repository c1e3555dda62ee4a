//! Window state out of the lake: the newest snapshot, and the rows of the entries after it.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::chain::{Chain, ChainError};
use super::encode::read_activity;
use super::layout::{ChainKey, Name};
use super::ledger::{Decision, EntryKind};
use super::parquet::failed;
use super::snapshots::list_snapshots;
use super::store::{Store, StoreError};
use crate::schemas::batch::OwnedActivity;
use crate::schemas::{Dictionary, EventKind, Int64Column, TextColumn};

/// The newest snapshot of a partition that ends at `until` or before, if there is one.
///
/// # Errors
/// The store's.
pub async fn newest_snapshot(
    store: &dyn Store,
    chain: &ChainKey,
    until: i64,
) -> Result<Option<(String, Bytes)>, StoreError> {
    let Some(newest) = list_snapshots(store, chain, until).await?.pop() else { return Ok(None) };
    Ok(store.read(&newest.name).await?.map(|snapshot| (newest.name, snapshot)))
}

/// How far back entries are wanted where there is no state to begin with, newest first.
#[derive(Debug)]
pub struct Reach {
    reach_ms: i64,
    /// The newest entry's clock.
    newest: Option<i64>,
    passed: bool,
}

impl Reach {
    /// Event times within `reach_ms` of the newest entry's clock are wanted.
    pub fn new(reach_ms: i64) -> Self {
        Reach { reach_ms, newest: None, passed: false }
    }

    /// Whether the entry before is wanted; `clock_ms` is the partition's clock at its end.
    pub fn wants(&mut self, clock_ms: Option<i64>) -> bool {
        if self.passed {
            return false;
        }
        let newest = *self.newest.get_or_insert(clock_ms.unwrap_or(i64::MAX));
        // One more entry than is needed: its rows give the partition's clock at the first one that is.
        self.passed = clock_ms.is_some_and(|clock| clock < newest.saturating_sub(self.reach_ms));
        true
    }
}

/// The entries whose rows a state that holds `[0, from)` lacks, oldest first. Without such a state only those are
/// wanted that can hold event times within `reach_ms` of the newest entry's clock.
///
/// # Errors
/// The store's; a chain that does not hang together.
pub async fn entries_after(
    chain: &Chain,
    last_start: i64,
    from: Option<i64>,
    reach_ms: i64,
) -> Result<Vec<Decision>, ChainError> {
    let mut reach = Reach::new(reach_ms);
    let wanted = |entry: &Decision| match from {
        Some(from) => entry.end > from,
        None => reach.wants(entry.clock_ms),
    };
    chain.entries_back_to(last_start, wanted).await
}

/// The rows of an entry, in offset order.
///
/// # Errors
/// The store's; an object that is missing or cannot be read.
pub async fn rows_of(store: &dyn Store, entry: &Decision) -> Result<OwnedActivity, ChainError> {
    let mut parts = Vec::new();
    if entry.kind == EntryKind::Data {
        for name in entry.record_objects() {
            if !matches!(name.parse(), Ok(Name::Data { .. })) {
                continue;
            }
            let body = store.read(name).await?.ok_or_else(|| StoreError::Permanent {
                op: "read",
                name: name.to_owned(),
                cause: "the ledger names it, but it is not there; run `beatlytica verify`".into(),
            })?;
            parts.push(read_activity(entry.table, &body).map_err(|error| failed(name, error))?);
        }
    }
    Ok(merge(entry.table, parts))
}

/// A text column under construction, over one dictionary.
#[derive(Default)]
struct Merged {
    dictionary: Arc<Dictionary>,
    keys: HashMap<String, u32>,
    column: Vec<u32>,
}

impl Merged {
    fn push(&mut self, text: Option<&str>) {
        let key = match text {
            None => crate::schemas::column::NULL_KEY,
            Some(text) => match self.keys.get(text) {
                Some(&key) => key,
                None => {
                    let key = self.dictionary.push(text);
                    self.keys.insert(text.to_owned(), key);
                    key
                }
            },
        };
        self.column.push(key);
    }

    fn finish(self) -> TextColumn {
        TextColumn { keys: self.column, dictionary: self.dictionary }
    }
}

/// Interleaves the rows of several objects by offset.
#[allow(
    clippy::indexing_slicing,
    reason = "`order` holds places of these very parts, whose columns are of one length"
)]
fn merge(kind: EventKind, mut parts: Vec<OwnedActivity>) -> OwnedActivity {
    if parts.len() == 1
        && let Some(only) = parts.pop()
    {
        return only;
    }
    let mut order: Vec<(i64, usize, usize)> = Vec::new();
    for (part, activity) in parts.iter().enumerate() {
        order.extend(activity.offsets.iter().enumerate().map(|(row, &offset)| (offset, part, row)));
    }
    order.sort_unstable();
    let column = |of: &dyn Fn(&OwnedActivity) -> Option<&TextColumn>| {
        let values: Vec<_> =
            parts.iter().map(|part| of(part).map(|column| (column, column.dictionary.read()))).collect();
        let mut merged = Merged::default();
        for &(_, part, row) in &order {
            let text = values[part].as_ref().and_then(|(column, values)| values.get(column.key(row)?));
            merged.push(text);
        }
        merged.finish()
    };
    let mut user_id = Int64Column::default();
    for &(_, part, row) in &order {
        user_id.push(parts[part].user_id.get(row));
    }
    OwnedActivity {
        offsets: order.iter().map(|&(offset, _, _)| offset).collect(),
        timestamps: order.iter().map(|&(_, part, row)| parts[part].timestamps[row]).collect(),
        ts: order.iter().map(|&(_, part, row)| parts[part].ts[row]).collect(),
        user_id,
        level: column(&|part| Some(&part.level)),
        gender: column(&|part| Some(&part.gender)),
        state: column(&|part| Some(&part.state)),
        song: (kind == EventKind::Listen).then(|| {
            let artist = column(&|part| part.song.as_ref().map(|song| &song.0));
            (artist, column(&|part| part.song.as_ref().map(|song| &song.1)))
        }),
    }
}
