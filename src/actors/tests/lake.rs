//! A lake in a folder, which can be made to wait and to fail.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Notify;

use crate::lake::store::{Created, LocalStore, ObjectMeta, Page, Store, StoreError};

/// See the module.
#[derive(Debug)]
pub struct Lake {
    folder: LocalStore,
    /// Listings and readings below this prefix wait, one for each, until [`Lake::go_on`].
    waits: Mutex<Option<&'static str>>,
    going_on: Notify,
    /// The next create below this prefix fails for good.
    refuses: Mutex<Option<&'static str>>,
    /// The object that is no longer there.
    lacks: Mutex<Option<String>>,
    /// Whatever is asked below this prefix fails, as long as it is there.
    fails: Mutex<Option<&'static str>>,
    /// How many have failed.
    pub failed: AtomicUsize,
    /// Data objects read.
    pub reads: AtomicUsize,
}

impl Lake {
    pub fn new(folder: LocalStore) -> Self {
        Self {
            folder,
            waits: Mutex::default(),
            going_on: Notify::new(),
            refuses: Mutex::default(),
            lacks: Mutex::default(),
            fails: Mutex::default(),
            failed: AtomicUsize::new(0),
            reads: AtomicUsize::new(0),
        }
    }

    pub fn wait_at(&self, prefix: &'static str) {
        *self.waits.lock().expect("no panic holds it") = Some(prefix);
    }

    /// Whether a listing has come to where it waits.
    pub fn waits(&self) -> bool {
        self.waits.lock().expect("no panic holds it").is_none()
    }

    pub fn go_on(&self) {
        self.going_on.notify_one();
    }

    pub fn refuse(&self, prefix: &'static str) {
        *self.refuses.lock().expect("no panic holds it") = Some(prefix);
    }

    /// Whether the create that was to fail has failed.
    pub fn has_refused(&self) -> bool {
        self.refuses.lock().expect("no panic holds it").is_none()
    }

    pub fn fail(&self, prefix: Option<&'static str>) {
        *self.fails.lock().expect("no panic holds it") = prefix;
    }

    fn check(&self, op: &'static str, name: &str) -> Result<(), StoreError> {
        if self.fails.lock().expect("no panic holds it").is_none_or(|prefix| !name.starts_with(prefix)) {
            return Ok(());
        }
        self.failed.fetch_add(1, Ordering::Relaxed);
        Err(StoreError::Transient { op, name: name.into(), cause: "overloaded".into() })
    }

    pub fn lose(&self, object: String) {
        *self.lacks.lock().expect("no panic holds it") = Some(object);
    }
}

/// Whether `name` begins with what `wanted` holds, which then holds nothing any more.
fn met(wanted: &Mutex<Option<&'static str>>, name: &str) -> bool {
    wanted.lock().expect("no panic holds it").take_if(|prefix| name.starts_with(*prefix)).is_some()
}

#[async_trait]
impl Store for Lake {
    async fn create(&self, name: &str, body: Bytes) -> Result<Created, StoreError> {
        self.check("create", name)?;
        if met(&self.refuses, name) {
            return Err(StoreError::Permanent { op: "create", name: name.into(), cause: "refused".into() });
        }
        self.folder.create(name, body).await
    }

    async fn read(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        self.check("read", name)?;
        if met(&self.waits, name) {
            self.going_on.notified().await;
        }
        if self.lacks.lock().expect("no panic holds it").as_deref() == Some(name) {
            return Ok(None);
        }
        self.reads.fetch_add(usize::from(name.starts_with("lake/")), Ordering::Relaxed);
        self.folder.read(name).await
    }

    async fn stat(&self, name: &str) -> Result<Option<ObjectMeta>, StoreError> {
        self.folder.stat(name).await
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        page: Option<String>,
    ) -> Result<Page, StoreError> {
        self.check("list", prefix)?;
        if met(&self.waits, prefix) {
            self.going_on.notified().await;
        }
        self.folder.list(prefix, after, page).await
    }

    async fn sync(&self) -> Result<(), StoreError> {
        self.folder.sync().await
    }

    async fn discard(&self, name: &str) -> Result<(), StoreError> {
        self.folder.discard(name).await
    }
}
