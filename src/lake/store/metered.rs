//! A store that counts and times what is asked of it, and what stores count of their own.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;

use super::{Created, ObjectMeta, Page, Store, StoreError};
use crate::metrics::UploadMetrics;

/// Counts that only a store itself can make.
#[derive(Debug, Default)]
pub struct StoreTally {
    retries: AtomicU64,
    sign_in_failures: AtomicU64,
    /// Seconds since 1970; 0 where there is no token.
    token_end: AtomicU64,
}

impl StoreTally {
    /// An attempt failed and is repeated.
    pub fn retried(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    /// No token was to be had.
    pub fn sign_in_failed(&self) {
        self.sign_in_failures.fetch_add(1, Ordering::Relaxed);
    }

    /// A token was had that lives for so long.
    pub fn signed_in(&self, life: Duration) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.token_end.store((now + life).as_secs(), Ordering::Relaxed);
    }

    /// Attempts that were repeated.
    pub fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }

    /// Times that no token was to be had.
    pub fn sign_in_failures(&self) -> u64 {
        self.sign_in_failures.load(Ordering::Relaxed)
    }

    /// When the present token ends, seconds since 1970.
    pub fn token_end(&self) -> Option<f64> {
        Some(self.token_end.load(Ordering::Relaxed)).filter(|end| *end != 0).map(|end| end as f64)
    }
}

/// [`Store`] over another one, with metrics.
pub struct MeteredStore {
    inner: Arc<dyn Store>,
    metrics: UploadMetrics,
}

impl fmt::Debug for MeteredStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl MeteredStore {
    /// Counts what goes to `inner`.
    pub fn new(inner: Arc<dyn Store>, metrics: UploadMetrics) -> Self {
        Self { inner, metrics }
    }

    fn count<T>(
        &self,
        op: &str,
        began: Instant,
        result: Result<T, StoreError>,
        ok: impl FnOnce(&T) -> &'static str,
    ) -> Result<T, StoreError> {
        let outcome = match &result {
            Ok(answer) => ok(answer),
            Err(StoreError::Transient { .. }) => "transient",
            Err(StoreError::Permanent { .. }) => "permanent",
        };
        self.metrics.operation(op, outcome, began.elapsed());
        result
    }
}

#[async_trait]
impl Store for MeteredStore {
    async fn create(&self, name: &str, body: Bytes) -> Result<Created, StoreError> {
        let began = Instant::now();
        let created = self.inner.create(name, body).await;
        self.count("create", began, created, |created| match created {
            Created::New => "ok",
            Created::Exists => "exists",
        })
    }

    async fn read(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        let began = Instant::now();
        let read = self.inner.read(name).await;
        self.count("read", began, read, |_| "ok")
    }

    async fn stat(&self, name: &str) -> Result<Option<ObjectMeta>, StoreError> {
        let began = Instant::now();
        let described = self.inner.stat(name).await;
        self.count("stat", began, described, |_| "ok")
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        page: Option<String>,
    ) -> Result<Page, StoreError> {
        let began = Instant::now();
        let listed = self.inner.list(prefix, after, page).await;
        self.count("list", began, listed, |_| "ok")
    }

    async fn sync(&self) -> Result<(), StoreError> {
        let began = Instant::now();
        let synced = self.inner.sync().await;
        self.count("sync", began, synced, |()| "ok")
    }

    async fn discard(&self, name: &str) -> Result<(), StoreError> {
        let began = Instant::now();
        let discarded = self.inner.discard(name).await;
        self.count("discard", began, discarded, |()| "ok")
    }

    fn may_discard(&self) -> bool {
        self.inner.may_discard()
    }
}
