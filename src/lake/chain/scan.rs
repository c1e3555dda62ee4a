//! Finding things by listing, with few requests however many objects there are.

use std::collections::BTreeSet;

use crate::lake::store::{Store, StoreError};

/// First stride of the search for the greatest index; it grows fourfold.
const FIRST_STRIDE: i64 = 1 << 20;

/// Names of the folders directly below `prefix` (which ends with `/`). Costs a listing page or two a folder.
///
/// # Errors
/// The store's.
pub async fn children(store: &dyn Store, prefix: &str) -> Result<BTreeSet<String>, StoreError> {
    let mut found = BTreeSet::new();
    let mut after: Option<String> = None;
    let mut page = None;
    loop {
        let got = store.list(prefix, after.as_deref(), page.take()).await?;
        let mut last = None;
        for object in &got.objects {
            let folder = object.name.strip_prefix(prefix).and_then(|rest| rest.split_once('/'));
            if let Some((folder, _)) = folder {
                last = Some(folder);
                found.insert(folder.to_owned());
            }
        }
        match (got.next, last) {
            (None, _) => return Ok(found),
            // `0` follows `/`, so this is beyond everything in the folder and before the next one.
            (Some(_), Some(folder)) => after = Some(format!("{prefix}{folder}0")),
            (next, None) => page = next,
        }
    }
}

/// The greatest index among the names below `prefix`, beginning after `after`, which is returned if there is no
/// greater one. `name` must order as the index does; names for which `index` gives none are passed over.
pub(super) async fn last_index(
    store: &dyn Store,
    prefix: &str,
    name: impl Fn(i64) -> String,
    index: impl Fn(&str) -> Option<i64>,
    after: Option<i64>,
) -> Result<Option<i64>, StoreError> {
    let mut scanned = first_page(store, prefix, after.map(&name), &index).await?;
    let mut best = scanned.greatest.or(after);
    let (mut stride, mut limit) = (FIRST_STRIDE, None);
    while let (true, Some(low)) = (scanned.more, best) {
        let probe = match limit {
            None => low.saturating_add(stride),
            Some(limit) => low + (limit - low) / 2,
        };
        let got = first_page(store, prefix, Some(name(probe)), &index).await?;
        match got.greatest {
            Some(greatest) => {
                best = Some(greatest.max(low));
                scanned = got;
                stride = stride.saturating_mul(4);
            }
            None if probe <= low => break,
            None => limit = Some(probe),
        }
    }
    Ok(best)
}

struct Scanned {
    greatest: Option<i64>,
    more: bool,
}

/// Pages from `after` up to the first that holds an index.
async fn first_page(
    store: &dyn Store,
    prefix: &str,
    after: Option<String>,
    index: &impl Fn(&str) -> Option<i64>,
) -> Result<Scanned, StoreError> {
    let mut page = None;
    loop {
        let got = store.list(prefix, after.as_deref(), page.take()).await?;
        let greatest = got.objects.iter().filter_map(|object| index(&object.name)).max();
        let more = got.next.is_some();
        if greatest.is_some() || !more {
            return Ok(Scanned { greatest, more });
        }
        page = got.next;
    }
}
