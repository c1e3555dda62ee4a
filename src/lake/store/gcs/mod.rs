//! Google Cloud Storage as a store, over its JSON API.
//!
//! Every create carries `ifGenerationMatch=0` and the content's CRC-32C, so it can be sent again safely. Retried are 408, 429,
//! 5xx and broken connections, within a budget; a 401 refreshes the token once; a 412, and a 403 on a create, are read back.

mod call;
mod upload;
mod wire;

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::{Method, redirect};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use url::Url;

use super::auth::TokenSource;
use super::retry::Clock;
use super::{Created, ObjectMeta, Page, Store, StoreError, StoreTally, name};
use call::{Call, Request, Trouble};
use wire::{Listing, Resource};

const GOOGLE: &str = "https://storage.googleapis.com";
/// How long it may take to connect.
const CONNECT: Duration = Duration::from_secs(10);
/// Objects in one page of a listing, GCS's own limit.
const PAGE: &str = "1000";
/// How often content that does not match its checksum is read before it counts as damaged where it lies.
const READS: u32 = 3;

/// Settings of the store on Google Cloud.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GcsSettings {
    /// Address of an emulator, like `http://127.0.0.1:4443`, used without credentials; Google's own when absent.
    pub endpoint: Option<String>,
    /// A service account's key file or a user's credentials; when absent they are looked for where Google's libraries look.
    pub credentials: Option<PathBuf>,
    /// How long an operation may go without progress, over all its attempts, before it counts as failed (`120s`).
    #[serde(with = "humantime_serde")]
    pub deadline: Duration,
    /// How long one attempt may go without a byte from the server (`60s`); also bounds the upload of one 8 MiB chunk.
    #[serde(with = "humantime_serde")]
    pub attempt_timeout: Duration,
}

impl Default for GcsSettings {
    fn default() -> Self {
        GcsSettings {
            endpoint: None,
            credentials: None,
            deadline: Duration::from_secs(120),
            attempt_timeout: Duration::from_secs(60),
        }
    }
}

/// Why a bucket cannot be opened.
#[derive(Debug, Error)]
pub enum GcsOpenError {
    /// The endpoint is no address.
    #[error("gcs.endpoint {endpoint:?} {cause}; it is an address like http://127.0.0.1:4443")]
    Endpoint {
        /// As it was set.
        endpoint: String,
        /// What is wrong with it.
        cause: String,
    },
    /// The HTTP client does not start.
    #[error("no HTTPS client: {0}; install ca-certificates")]
    Client(String),
}

/// A prefix of a bucket as a store.
#[derive(Clone)]
pub struct GcsStore {
    inner: Arc<Inner>,
}

struct Inner {
    client: reqwest::Client,
    endpoint: Url,
    bucket: String,
    /// Goes before every name; empty, or ends in `/`.
    prefix: String,
    tokens: Option<Arc<TokenSource>>,
    settings: GcsSettings,
    clock: Arc<dyn Clock>,
    tally: Arc<StoreTally>,
    /// A delete was answered 403; the next would be, too.
    keeps_all: AtomicBool,
}

impl fmt::Debug for GcsStore {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(out)
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "GcsStore(gs://{}/{})", self.bucket, self.prefix)
    }
}

impl GcsStore {
    /// A store in `bucket`, with names below `prefix` (without `/` at its ends; may be empty). Requests are signed where there
    /// are `tokens`. Makes no request yet.
    ///
    /// # Errors
    /// An endpoint that is no address; a machine without certificates, where they are needed.
    pub fn new(
        bucket: &str,
        prefix: &str,
        settings: &GcsSettings,
        tokens: Option<Arc<TokenSource>>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, GcsOpenError> {
        install_crypto();
        let endpoint = endpoint(settings.endpoint.as_deref().unwrap_or(GOOGLE))?;
        let mut client = reqwest::Client::builder()
            .user_agent(concat!("beatlytica/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .read_timeout(settings.attempt_timeout)
            .redirect(redirect::Policy::none());
        if endpoint.scheme() == "http" {
            // An emulator needs no certificates, and neither should a machine that uses one.
            client = client.tls_certs_only([]);
        }
        let client = client.build().map_err(|error| GcsOpenError::Client(super::in_words(&error)))?;
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let (bucket, settings) = (bucket.to_owned(), settings.clone());
        let tally = Arc::default();
        let keeps_all = AtomicBool::new(false);
        let inner = Inner { client, endpoint, bucket, prefix, tokens, settings, clock, tally, keeps_all };
        Ok(GcsStore { inner: Arc::new(inner) })
    }

    /// Counts retries in `tally`. To be called before the store is shared.
    pub fn counting_in(mut self, tally: &Arc<StoreTally>) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            inner.tally = Arc::clone(tally);
        }
        self
    }
}

/// rustls takes its cryptography from the process; whoever installed one before is left in place.
fn install_crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if rustls::crypto::ring::default_provider().install_default().is_err() {
            tracing::debug!("a crypto provider was installed already");
        }
    });
}

fn endpoint(text: &str) -> Result<Url, GcsOpenError> {
    let wrong = |cause: &str| GcsOpenError::Endpoint { endpoint: text.into(), cause: cause.into() };
    let url = Url::parse(text).map_err(|error| wrong(&format!("is no address ({error})")))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(wrong("is neither http:// nor https://"));
    }
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
        return Err(wrong("has more than a host, a port and a path"));
    }
    Ok(url)
}

impl Inner {
    fn full_name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// `<endpoint>/<api>/<bucket>/o`, and the object's name behind it as one percent-encoded part.
    fn bucket_url(&self, api: &str, object: Option<&str>) -> Url {
        let mut url = self.endpoint.clone();
        // Only addresses without a host have no path to extend, and those are refused when the store opens.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(api.split('/')).push(&self.bucket).push("o").extend(object);
        }
        url
    }

    fn object_url(&self, name: &str) -> Url {
        self.bucket_url("storage/v1/b", Some(&self.full_name(name)))
    }

    fn random_hex(&self) -> String {
        format!("{:016x}{:016x}", self.clock.random(), self.clock.random())
    }
}

/// The object's description, on behalf of `op`.
async fn describe(store: &Inner, op: &'static str, name: &str) -> Result<Option<ObjectMeta>, StoreError> {
    let mut call = Call::new(store, op, name);
    let mut url = store.object_url(name);
    url.query_pairs_mut().append_pair("fields", Resource::FIELDS);
    let answer = call.send(&Request::new(Method::GET, url)).await?;
    match answer.status.as_u16() {
        200 => {
            let resource = serde_json::from_slice::<Resource>(&answer.body).ok();
            let meta = resource.and_then(|resource| resource.meta(&store.prefix));
            meta.map(Some)
                .ok_or_else(|| call.permanent("GCS's description of the object makes no sense".into()))
        }
        404 if !answer.lacks_bucket() => Ok(None),
        403 => Err(Call::new(store, "stat", name).refused(&answer)),
        _ => Err(call.refused(&answer)),
    }
}

async fn read(store: &Inner, name: &str) -> Result<Option<Bytes>, StoreError> {
    let mut call = Call::new(store, "read", name);
    let mut url = store.object_url(name);
    url.query_pairs_mut().append_pair("alt", "media");
    let request = Request::new(Method::GET, url);
    for _ in 0..READS {
        let answer = call.send(&request).await?;
        match answer.status.as_u16() {
            200 => {}
            404 if !answer.lacks_bucket() => return Ok(None),
            _ => return Err(call.refused(&answer)),
        }
        let expected = match answer.content_crc32c() {
            Some(crc32c) => Some(crc32c),
            None => describe(store, "read", name).await?.and_then(|meta| meta.crc32c),
        };
        if expected.is_none_or(|expected| expected == crc32c::crc32c(&answer.body)) {
            return Ok(Some(answer.body));
        }
        call.again(Trouble::passing("the content does not match its CRC-32C")).await?;
    }
    Err(call.permanent(format!("the content does not match its CRC-32C, {READS} times in a row")))
}

fn list_url(store: &Inner, prefix: &str, after: Option<&str>, token: Option<&str>) -> Url {
    let mut url = store.bucket_url("storage/v1/b", None);
    let mut query = url.query_pairs_mut();
    query.append_pair("prefix", &store.full_name(prefix));
    query.append_pair("maxResults", PAGE);
    query.append_pair("fields", &format!("items({}),nextPageToken", Resource::FIELDS));
    if let Some(after) = after {
        query.append_pair("startOffset", &store.full_name(after));
    }
    if let Some(token) = token {
        query.append_pair("pageToken", token);
    }
    drop(query);
    url
}

async fn list(
    store: &Inner,
    prefix: &str,
    after: Option<&str>,
    page: Option<&str>,
) -> Result<Page, StoreError> {
    // What is passed as `next` holds GCS's token and the name to start after: GCS wants a page's request to repeat both.
    let (token, after) = match page.map(|page| page.split_once('\n').unwrap_or((page, ""))) {
        Some((token, after)) => (Some(token), Some(after).filter(|after| !after.is_empty())),
        None => (None, after),
    };
    let mut call = Call::new(store, "list", prefix);
    let url = list_url(store, prefix, after, token);
    let answer = call.send(&Request::new(Method::GET, url)).await?;
    if answer.status.as_u16() != 200 {
        return Err(call.refused(&answer));
    }
    let senseless = || call.permanent("GCS's listing makes no sense".into());
    let listing: Listing = serde_json::from_slice(&answer.body).map_err(|_| senseless())?;
    let mut objects = Vec::with_capacity(listing.items.len());
    for item in listing.items {
        let meta = item.meta(&store.prefix).ok_or_else(senseless)?;
        // GCS starts at the offset, not after it.
        if after.is_none_or(|after| meta.name.as_str() > after) {
            objects.push(meta);
        }
    }
    let next = listing.next_page_token.map(|token| format!("{token}\n{}", after.unwrap_or_default()));
    Ok(Page { objects, next })
}

async fn discard(store: &Inner, name: &str) -> Result<(), StoreError> {
    let mut call = Call::new(store, "discard", name);
    let answer = call.send(&Request::new(Method::DELETE, store.object_url(name))).await?;
    match answer.status.as_u16() {
        200 | 204 => Ok(()),
        404 if !answer.lacks_bucket() => Ok(()),
        403 => {
            // Several may be under way.
            if !store.keeps_all.swap(true, Ordering::Relaxed) {
                tracing::info!(
                    object = name,
                    "the bucket does not let this writer delete: old snapshots of the windows are left to its lifecycle rule for state/"
                );
            }
            Ok(())
        }
        _ => Err(call.refused(&answer)),
    }
}

fn checked(op: &'static str, name: &str) -> Result<(), StoreError> {
    name::check(name).map_err(|cause| StoreError::Permanent { op, name: name.into(), cause })
}

#[async_trait]
impl Store for GcsStore {
    async fn create(&self, name: &str, body: Bytes) -> Result<Created, StoreError> {
        checked("create", name)?;
        upload::create(&self.inner, name, body).await
    }

    async fn read(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        checked("read", name)?;
        read(&self.inner, name).await
    }

    async fn stat(&self, name: &str) -> Result<Option<ObjectMeta>, StoreError> {
        checked("stat", name)?;
        describe(&self.inner, "stat", name).await
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        page: Option<String>,
    ) -> Result<Page, StoreError> {
        list(&self.inner, prefix, after, page.as_deref()).await
    }

    async fn sync(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn discard(&self, name: &str) -> Result<(), StoreError> {
        super::only_state(name)?;
        checked("discard", name)?;
        discard(&self.inner, name).await
    }

    fn may_discard(&self) -> bool {
        !self.inner.keeps_all.load(Ordering::Relaxed)
    }
}
