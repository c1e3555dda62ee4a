//! A folder as a store: whole objects appear under their names by a hard link, which is create-if-absent.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;

use super::walk::{Walk, described};
use super::{Created, ObjectMeta, Page, Store, StoreError, name};
use crate::blocking::{AT_ONCE, Places};

/// Folder below the root that holds half-written files; it is no part of the lake.
pub(super) const TEMPORARY: &str = ".tmp";
/// Older files in the temporary folder belong to writers that died.
const STALE: Duration = Duration::from_secs(24 * 3600);
/// An object of so many bytes does not stay in the page cache. Of a smaller one telling the kernel costs what it spares.
const LARGE: usize = 256 << 10;
/// Objects in one page of a listing.
const PAGE: usize = 1000;

/// A store in a local folder, safe for several processes at once.
///
/// An object is written to `<root>/.tmp/`, synced, then linked to its name: it is there whole or not at all, and
/// of several writers one wins. [`Store::sync`] makes the names durable.
#[derive(Debug, Clone)]
pub struct LocalStore {
    inner: Arc<Inner>,
    places: Places,
}

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    /// Distinguishes the temporary files of this store from those of every other process.
    writer: String,
    written: AtomicU64,
    folders: Mutex<Folders>,
    /// Held while folders are synced. Who asks meanwhile for names that are just being made durable has to wait for that.
    syncing: Mutex<()>,
}

/// Which folders `sync` must sync, by their names below the root; the root's is empty.
#[derive(Debug, Default)]
struct Folders {
    /// A name was made in these since the last sync. With a folder whose own name may be new, its parent is in it.
    touched: BTreeSet<String>,
    /// The names of these are known to be durable in their own parents.
    durable: BTreeSet<String>,
}

impl LocalStore {
    /// Opens the store in `root`, an absolute path, making the folder where it is absent, and removes the temporary
    /// files that dead writers left there over a day ago. Blocks on file I/O.
    ///
    /// # Errors
    /// Where the folder cannot be made or written to.
    pub fn open(root: PathBuf) -> io::Result<Self> {
        let temporary = root.join(TEMPORARY);
        fs::create_dir_all(&temporary)?;
        remove_stale(&temporary, SystemTime::now())?;
        let writer = format!("{}-{:016x}", std::process::id(), fastrand::u64(..));
        File::create_new(temporary.join(&writer))?;
        fs::remove_file(temporary.join(&writer))?;
        let inner = Inner {
            root,
            writer,
            written: AtomicU64::new(0),
            folders: Mutex::default(),
            syncing: Mutex::default(),
        };
        Ok(LocalStore { inner: Arc::new(inner), places: Places::new(AT_ONCE) })
    }

    /// The store in `root` as it stands, to be read: nothing is made or removed there, so it may be a copy that nobody can write to.
    pub fn standing(root: PathBuf) -> Self {
        let writer = format!("{}-reader", std::process::id());
        let (written, folders, syncing) = (AtomicU64::new(0), Mutex::default(), Mutex::default());
        let inner = Inner { root, writer, written, folders, syncing };
        LocalStore { inner: Arc::new(inner), places: Places::new(AT_ONCE) }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        op: &'static str,
        name: &str,
        work: impl FnOnce(&Inner) -> io::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = Arc::clone(&self.inner);
        let working = self.places.place().await.run(move || work(&inner));
        let outcome = working.await.map_err(|stopped| StoreError::Transient {
            op,
            name: name.into(),
            cause: format!("the file worker stopped: {stopped}"),
        })?;
        outcome.map_err(|error| self.inner.explain(op, name, &error))
    }
}

#[async_trait]
impl Store for LocalStore {
    async fn create(&self, name: &str, body: Bytes) -> Result<Created, StoreError> {
        checked("create", name)?;
        let target = name.to_owned();
        self.blocking("create", name, move |inner| inner.create(&target, &body)).await
    }

    async fn read(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        checked("read", name)?;
        let target = name.to_owned();
        self.blocking("read", name, move |inner| absent_is_none(fs::read(inner.root.join(target))))
            .await
            .map(|content| content.map(Bytes::from))
    }

    async fn stat(&self, name: &str) -> Result<Option<ObjectMeta>, StoreError> {
        checked("stat", name)?;
        let target = name.to_owned();
        self.blocking("stat", name, move |inner| {
            let found = absent_is_none(fs::metadata(inner.root.join(&target)))?.filter(fs::Metadata::is_file);
            Ok(found.map(|file| described(target, &file)))
        })
        .await
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        page: Option<String>,
    ) -> Result<Page, StoreError> {
        let walk_prefix = prefix.to_owned();
        let after = page.or_else(|| after.map(str::to_owned));
        self.blocking("list", prefix, move |inner| {
            let walk =
                Walk { root: &inner.root, prefix: &walk_prefix, after: after.as_deref(), limit: PAGE + 1 };
            let mut objects = walk.objects()?;
            let more = objects.len() > PAGE;
            objects.truncate(PAGE);
            let next = if more { objects.last().map(|last| last.name.clone()) } else { None };
            Ok(Page { objects, next })
        })
        .await
    }

    async fn sync(&self) -> Result<(), StoreError> {
        self.blocking("sync", "the folders touched", Inner::sync).await
    }

    async fn discard(&self, name: &str) -> Result<(), StoreError> {
        super::only_state(name)?;
        checked("discard", name)?;
        let target = name.to_owned();
        self.blocking("discard", name, move |inner| {
            absent_is_none(fs::remove_file(inner.root.join(target))).map(|_| ())
        })
        .await
    }
}

impl Inner {
    fn create(&self, name: &str, body: &[u8]) -> io::Result<Created> {
        let target = self.root.join(name);
        // Another process may have linked the name and not yet synced its folder, so its being there already is
        // noted just as well: the caller's sync must cover what it was told exists.
        if let Some(found) = absent_is_none(fs::symlink_metadata(&target))? {
            if found.is_dir() {
                return Err(ErrorKind::IsADirectory.into());
            }
            self.note(name);
            return Ok(Created::Exists);
        }
        let parent = target.parent().unwrap_or(&self.root);
        if !parent.is_dir() {
            self.check_nothing_vanished(name)?;
            fs::create_dir_all(parent).map_err(|error| match error.kind() {
                ErrorKind::AlreadyExists => ErrorKind::NotADirectory.into(),
                _ => error,
            })?;
        }
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        let temporary = Temporary(self.root.join(TEMPORARY).join(format!("{}-{number}", self.writer)));
        let mut file = temporary.file()?;
        file.write_all(body)?;
        file.sync_all()?;
        if body.len() >= LARGE {
            leave_the_cache(&file);
        }
        drop(file);
        let created = match fs::hard_link(&temporary.0, &target) {
            Ok(()) => Created::New,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Created::Exists,
            Err(error) => return Err(error),
        };
        self.note(name);
        Ok(created)
    }

    /// The root and the ledger's folders, once there, never go by the engine's doing. Made anew they would be a ledger
    /// without its beginning.
    fn check_nothing_vanished(&self, name: &str) -> io::Result<()> {
        let folders = self.lock();
        for folder in folders_above(name) {
            let ours = folder.is_empty() || Path::new(folder).starts_with("ledger");
            if ours && folders.durable.contains(folder) && !self.root.join(folder).is_dir() {
                let folder = self.root.join(folder);
                return Err(io::Error::new(
                    ErrorKind::NotFound,
                    format!(
                        "the folder {} was deleted or unmounted under the engine; put it back, or start the engine \
                         anew to fill a new lake with what the broker still holds",
                        folder.display()
                    ),
                ));
            }
        }
        Ok(())
    }

    /// Notes the folders whose sync makes `name` durable: its own, and the parents of folders that may be new.
    fn note(&self, name: &str) {
        let mut folders = self.lock();
        for folder in folders_above(name) {
            if !folders.touched.insert(folder.to_owned()) || folders.durable.contains(folder) {
                break;
            }
        }
    }

    fn sync(&self) -> io::Result<()> {
        let _syncing = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut touched = std::mem::take(&mut self.lock().touched);
        let mut gone = Vec::new();
        let outcome = touched.iter().try_for_each(|folder| match File::open(self.root.join(folder)) {
            // The cache and the markers may be deleted at any time: they must hold up no upload.
            Err(error) if error.kind() == ErrorKind::NotFound && !is_kept(folder) => {
                gone.push(folder.clone());
                Ok(())
            }
            opened => opened?.sync_all(),
        });
        touched.retain(|folder| !gone.contains(folder));
        let mut folders = self.lock();
        folders.durable.retain(|folder| !gone.contains(folder));
        match outcome {
            // A folder whose own name was not durable was noted together with its parent.
            Ok(()) => folders.durable.append(&mut touched),
            Err(_) => folders.touched.append(&mut touched),
        }
        outcome
    }

    fn lock(&self) -> MutexGuard<'_, Folders> {
        self.folders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn explain(&self, op: &'static str, name: &str, error: &io::Error) -> StoreError {
        let name = name.to_owned();
        let root = self.root.display();
        let permanent = |cause: String| StoreError::Permanent { op, name: name.clone(), cause };
        match error.kind() {
            ErrorKind::PermissionDenied => permanent(format!(
                "{root} does not let this user in, or has no hard links: {error}; give the user write access"
            )),
            ErrorKind::ReadOnlyFilesystem => {
                permanent(format!("{root} is mounted read-only; mount it writable or set another lake.url"))
            }
            ErrorKind::Unsupported | ErrorKind::CrossesDevices => permanent(format!(
                "{root} takes no hard links ({error}); the lake needs a file system that has them"
            )),
            ErrorKind::NotADirectory | ErrorKind::IsADirectory | ErrorKind::InvalidFilename => {
                permanent(format!(
                    "{root} holds a file where the lake has a folder, or a folder where it has a file, or takes no such name: {error}"
                ))
            }
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreError::Transient {
                op,
                name,
                cause: format!("the disk that holds {root} is full ({error}); make room on it"),
            },
            _ => StoreError::Transient { op, name, cause: format!("{root}: {error}") },
        }
    }
}

/// Whether a folder below the root holds what nobody may delete.
fn is_kept(folder: &str) -> bool {
    folder.is_empty() || ["ledger", "lake"].iter().any(|kept| Path::new(folder).starts_with(kept))
}

/// The folders that `name` is in, its own first, the root last.
fn folders_above(name: &str) -> impl Iterator<Item = &str> {
    Path::new(name).ancestors().skip(1).filter_map(Path::to_str)
}

/// A temporary file, removed when dropped.
struct Temporary(PathBuf);

impl Temporary {
    /// Makes the file, and its folder again where somebody tidied that away.
    fn file(&self) -> io::Result<File> {
        match (File::create_new(&self.0), self.0.parent()) {
            (Err(error), Some(folder)) if error.kind() == ErrorKind::NotFound => {
                fs::create_dir_all(folder)?;
                File::create_new(&self.0)
            }
            (made, _) => made,
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0)
            && error.kind() != ErrorKind::NotFound
        {
            tracing::warn!(file = %self.0.display(), %error, "temporary file stays behind");
        }
    }
}

/// Tells the kernel that nobody reads the file soon. A large object is read hours later or at the next start, if at all; in
/// the page cache it would take the place of what is read soon, a broker's log for one, and the next would be written to
/// memory that is in no processor's cache, and in a virtual machine perhaps not backed by the host yet.
fn leave_the_cache(file: &File) {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed) {
        tracing::debug!(%error, "page cache advice was refused");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = file;
}

fn checked(op: &'static str, name: &str) -> Result<(), StoreError> {
    name::check(name).map_err(|cause| StoreError::Permanent { op, name: name.into(), cause })
}

/// A path with a file where a folder would have to be holds no object either.
pub(super) fn absent_is_none<T>(outcome: io::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Ok(found) => Ok(Some(found)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

fn remove_stale(temporary: &Path, now: SystemTime) -> io::Result<()> {
    for entry in fs::read_dir(temporary)? {
        let entry = entry?;
        // Other openers clean up too: a file that is gone by now is no failure.
        let Some(modified) = absent_is_none(entry.metadata().and_then(|file| file.modified()))? else {
            continue;
        };
        if now.duration_since(modified).is_ok_and(|age| age > STALE) {
            absent_is_none(fs::remove_file(entry.path()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn opening_removes_only_day_old_temporary_files() {
        let root = tempfile::tempdir().unwrap();
        let temporary = root.path().join(TEMPORARY);
        fs::create_dir_all(&temporary).unwrap();
        let day_ago = SystemTime::now() - STALE;
        for (name, modified) in
            [("old", day_ago - Duration::from_secs(60)), ("young", day_ago + Duration::from_secs(60))]
        {
            File::create(temporary.join(name)).unwrap().set_modified(modified).unwrap();
        }
        LocalStore::open(root.path().into()).unwrap();
        assert_eq!(files(&temporary), ["young"]);
    }

    #[tokio::test]
    async fn no_temporary_file_stays_behind() {
        let root = tempfile::tempdir().unwrap();
        let store = LocalStore::open(root.path().into()).unwrap();
        store.create("a/b", Bytes::from_static(b"1")).await.unwrap();
        store.create("a/b", Bytes::from_static(b"2")).await.unwrap();
        // `a/b` is a file, so `a/b/c` cannot be made.
        assert!(!store.create("a/b/c", Bytes::new()).await.unwrap_err().is_transient());
        assert_eq!(files(&root.path().join(TEMPORARY)), Vec::<String>::new());
    }

    #[tokio::test]
    async fn an_object_that_leaves_the_page_cache_is_read_as_it_was_written() {
        let root = tempfile::tempdir().unwrap();
        let store = LocalStore::open(root.path().into()).unwrap();
        let body = Bytes::from((0..LARGE + 1).map(|at| at as u8).collect::<Vec<_>>());
        assert_eq!(store.create("a", body.clone()).await.unwrap(), Created::New);
        assert_eq!(store.read("a").await.unwrap(), Some(body));
    }

    #[tokio::test]
    async fn goes_on_where_the_temporary_folder_was_tidied_away() {
        let root = tempfile::tempdir().unwrap();
        let store = LocalStore::open(root.path().into()).unwrap();
        fs::remove_dir(root.path().join(TEMPORARY)).unwrap();
        assert_eq!(store.create("a", Bytes::new()).await.unwrap(), Created::New);
    }

    #[tokio::test]
    async fn sync_covers_new_parents_once() {
        let root = tempfile::tempdir().unwrap();
        let store = LocalStore::open(root.path().into()).unwrap();
        let touched = || -> Vec<String> { store.inner.lock().touched.iter().cloned().collect() };
        store.create("lake/b/c/1", Bytes::new()).await.unwrap();
        assert_eq!(touched(), ["", "lake", "lake/b", "lake/b/c"]);
        store.sync().await.unwrap();
        assert_eq!(touched(), Vec::<String>::new());
        store.create("lake/b/c/2", Bytes::new()).await.unwrap();
        assert_eq!(touched(), ["lake/b/c"]);
        store.create("lake/b/d/1", Bytes::new()).await.unwrap();
        assert_eq!(touched(), ["lake/b", "lake/b/c", "lake/b/d"]);
        fs::remove_dir_all(root.path().join("lake/b/d")).unwrap();
        assert!(store.sync().await.is_err());
        assert_eq!(touched(), ["lake/b", "lake/b/c", "lake/b/d"]);
    }

    #[tokio::test]
    async fn a_cache_that_was_deleted_holds_nothing_up() {
        let root = tempfile::tempdir().unwrap();
        let store = LocalStore::open(root.path().into()).unwrap();
        for _ in 0..2 {
            for name in ["state/v1/a/1", "lake/v1/a/1"] {
                store.create(name, Bytes::new()).await.unwrap();
            }
            fs::remove_dir_all(root.path().join("state")).unwrap();
            store.sync().await.unwrap();
            assert!(store.inner.lock().touched.is_empty());
        }
    }

    #[test]
    fn a_sync_waits_for_the_one_that_is_at_the_same_folders() {
        let root = tempfile::tempdir().unwrap();
        let inner = LocalStore::open(root.path().into()).unwrap().inner;
        inner.create("a/1", b"").unwrap();
        let first = inner.syncing.lock().unwrap();
        assert!(!std::mem::take(&mut inner.lock().touched).is_empty());
        let (told, ended) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| told.send(inner.sync().is_ok()));
            let early = ended.recv_timeout(Duration::from_millis(50));
            assert!(early.is_err(), "names that are not durable yet were said to be");
            drop(first);
            assert!(ended.recv().unwrap());
        });
    }

    #[tokio::test]
    async fn a_ledger_that_vanished_is_not_begun_anew_under_way() {
        let root = tempfile::tempdir().unwrap();
        let store = LocalStore::open(root.path().join("lake")).unwrap();
        for name in ["ledger/v1/t/0", "lake/v1/t/0", "state/v1/t/0"] {
            store.create(name, Bytes::new()).await.unwrap();
        }
        store.sync().await.unwrap();
        // What is no ledger may be tidied away.
        for folder in ["lake/lake", "lake/state"] {
            fs::remove_dir_all(root.path().join(folder)).unwrap();
        }
        assert_eq!(store.create("lake/v1/t/0", Bytes::new()).await.unwrap(), Created::New);
        assert_eq!(store.create("ledger/v1/other/0", Bytes::new()).await.unwrap(), Created::New);
        fs::rename(root.path().join("lake/ledger"), root.path().join("away")).unwrap();
        let error = store.create("ledger/v1/t/1", Bytes::new()).await.unwrap_err();
        assert!(error.is_transient() && error.to_string().contains("put it back"), "{error}");
        fs::rename(root.path().join("away"), root.path().join("lake/ledger")).unwrap();
        assert_eq!(store.create("ledger/v1/t/1", Bytes::new()).await.unwrap(), Created::New);
        fs::remove_dir_all(root.path().join("lake")).unwrap();
        assert!(store.create("state/v1/t/1", Bytes::new()).await.is_err());
        assert!(!root.path().join("lake").exists());
    }

    #[test]
    fn a_full_disk_is_worth_another_try_and_a_locked_one_is_not() {
        let root = tempfile::tempdir().unwrap();
        let store = LocalStore::open(root.path().into()).unwrap();
        let explain = |kind: ErrorKind| store.inner.explain("create", "x", &kind.into());
        assert!(explain(ErrorKind::StorageFull).is_transient());
        assert!(explain(ErrorKind::StorageFull).to_string().contains("is full"));
        for kind in [ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem, ErrorKind::Unsupported] {
            assert!(!explain(kind).is_transient(), "{kind}");
        }
    }
}
