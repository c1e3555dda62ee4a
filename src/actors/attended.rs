//! A store whose answers an actor waits for without looking stuck.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::{Instant, timeout};

use super::heartbeat::Heartbeat;
use crate::lake::store::{Created, ObjectMeta, Page, Store, StoreError};

/// How often who waits shows progress.
const BEAT: Duration = Duration::from_secs(1);

/// Longest that one call keeps an actor from looking stuck: three times a bucket's default deadline. A disk that hangs has none.
const ATTENDED: Duration = Duration::from_secs(15 * 60);

/// [`Store`] over another one, for one actor: whoever is within a call waits for something that has a deadline of its own, and
/// that another actor in its place would only wait for, too.
pub struct AttendedStore {
    inner: Arc<dyn Store>,
    heartbeat: Arc<Heartbeat>,
}

impl AttendedStore {
    /// `inner` as the actor of `heartbeat` uses it.
    pub fn over(inner: &Arc<dyn Store>, heartbeat: &Arc<Heartbeat>) -> Arc<dyn Store> {
        Arc::new(Self { inner: Arc::clone(inner), heartbeat: Arc::clone(heartbeat) })
    }

    async fn attend<T>(&self, call: impl Future<Output = T>) -> T {
        let mut call = pin!(call);
        let began = Instant::now();
        loop {
            if began.elapsed() < ATTENDED {
                self.heartbeat.beat();
            }
            if let Ok(answer) = timeout(BEAT, call.as_mut()).await {
                return answer;
            }
        }
    }
}

impl fmt::Debug for AttendedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl Store for AttendedStore {
    async fn create(&self, name: &str, body: Bytes) -> Result<Created, StoreError> {
        self.attend(self.inner.create(name, body)).await
    }

    async fn read(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        self.attend(self.inner.read(name)).await
    }

    async fn stat(&self, name: &str) -> Result<Option<ObjectMeta>, StoreError> {
        self.attend(self.inner.stat(name)).await
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        page: Option<String>,
    ) -> Result<Page, StoreError> {
        self.attend(self.inner.list(prefix, after, page)).await
    }

    async fn sync(&self) -> Result<(), StoreError> {
        self.attend(self.inner.sync()).await
    }

    async fn discard(&self, name: &str) -> Result<(), StoreError> {
        self.attend(self.inner.discard(name)).await
    }

    fn may_discard(&self) -> bool {
        self.inner.may_discard()
    }
}
