//! Object stores: a local folder and Google Cloud Storage, behind one small trait.

pub mod auth;
pub mod gcs;
mod local;
mod metered;
mod name;
pub mod retry;
mod url;
mod walk;

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use thiserror::Error;

pub use gcs::{GcsSettings, GcsStore};
pub use local::LocalStore;
pub use metered::{MeteredStore, StoreTally};
pub use url::{Access, StoreOpenError, StoreUrl, open};

/// What a store knows of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectMeta {
    /// Full name below the lake's root, with `/` between parts.
    pub name: String,
    /// Size in bytes.
    pub size: u64,
    /// CRC-32C (Castagnoli) of the content; none where the store would have to read the object to tell.
    pub crc32c: Option<u32>,
    /// When it was created by the store's own clock, ms since 1970 UTC; none where the store does not tell.
    pub created_ms: Option<i64>,
}

/// Answer to a create-if-absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// The object did not exist and now holds exactly the bytes given.
    New,
    /// An object of that name was there already (it may be one's own, from an attempt whose answer was lost).
    Exists,
}

/// Why a store operation failed, after the store's own retries.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Worth trying again later: overload, broken connections, deadlines.
    #[error("{op} of {name}: {cause}; it is tried again")]
    Transient {
        /// `create`, `read`, `list`, `stat`, `sync` or `discard`.
        op: &'static str,
        /// Object name or prefix.
        name: String,
        /// What happened, in words.
        cause: String,
    },
    /// Not worth trying again before somebody changes something; says what.
    #[error("{op} of {name}: {cause}")]
    Permanent {
        /// `create`, `read`, `list`, `stat`, `sync` or `discard`.
        op: &'static str,
        /// Object name or prefix.
        name: String,
        /// What happened and what to do, in words.
        cause: String,
    },
}

impl StoreError {
    /// Whether trying again later can help.
    pub fn is_transient(&self) -> bool {
        matches!(self, StoreError::Transient { .. })
    }
}

/// One page of a listing.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Objects in ascending order of name.
    pub objects: Vec<ObjectMeta>,
    /// Pass to the next call to go on; none at the end.
    pub next: Option<String>,
}

/// A store of immutable objects. Nothing that is in `lake/` or `ledger/` is ever overwritten or deleted.
///
/// Requirements: create-if-absent is atomic and linearizable; an object is visible whole or not at all; reads and
/// listings see every create that was answered before they began.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync {
    /// Creates `name` with `body` if there is no object of that name.
    async fn create(&self, name: &str, body: Bytes) -> Result<Created, StoreError>;

    /// The object's content, or none if there is no such object.
    async fn read(&self, name: &str) -> Result<Option<Bytes>, StoreError>;

    /// The object's description, or none if there is no such object.
    async fn stat(&self, name: &str) -> Result<Option<ObjectMeta>, StoreError>;

    /// Objects whose name begins with `prefix`, in order; `page` is what the call before returned as `next`.
    /// A first call may pass `after`: only names greater than it are listed.
    async fn list(&self, prefix: &str, after: Option<&str>, page: Option<String>)
    -> Result<Page, StoreError>;

    /// Makes all creates answered so far durable (a local folder syncs the folders it touched; GCS has nothing to do).
    async fn sync(&self) -> Result<(), StoreError>;

    /// Drops an object of the `state/` cache, where the store may; never called for anything else.
    async fn discard(&self, name: &str) -> Result<(), StoreError>;

    /// Whether [`Store::discard`] is worth calling: not once it was forbidden.
    fn may_discard(&self) -> bool {
        true
    }
}

/// Every object below `prefix`, all pages.
///
/// # Errors
/// The first page that fails ends it.
pub async fn list_all(store: &dyn Store, prefix: &str) -> Result<Vec<ObjectMeta>, StoreError> {
    let mut objects = Vec::new();
    let mut page = None;
    loop {
        let got = store.list(prefix, None, page).await?;
        objects.extend(got.objects);
        page = got.next;
        if page.is_none() {
            return Ok(objects);
        }
    }
}

/// Refuses to discard anything but the cache.
fn only_state(name: &str) -> Result<(), StoreError> {
    if name.starts_with("state/") {
        return Ok(());
    }
    let cause = "only objects of the cache `state/` are ever discarded".into();
    Err(StoreError::Permanent { op: "discard", name: name.into(), cause })
}

/// An error with its causes: libraries tend to keep the telling part for the last of them.
fn in_words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let text = inner.to_string();
        if !words.contains(&text) {
            words.push_str(": ");
            words.push_str(&text);
        }
        cause = inner.source();
    }
    words
}
