//! From the setting `lake.url` to a store.

use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;
use url::Url;

use super::auth::{AuthEnvironment, AuthError, Credentials, TokenSource};
use super::gcs::{GcsOpenError, GcsSettings, GcsStore};
use super::retry::{Clock, SystemClock};
use super::{LocalStore, Store, StoreTally, name};

/// Where a lake is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// `file:///path`.
    Local(PathBuf),
    /// `gs://bucket/prefix`.
    Gcs {
        /// The bucket's name.
        bucket: String,
        /// Without `/` at its ends; empty for the whole bucket.
        prefix: String,
    },
}

/// Why a store cannot be opened. Each says in one line what to do.
#[derive(Debug, Error)]
pub enum StoreOpenError {
    /// The setting is no address of a lake.
    #[error("lake.url {url:?} {cause}; it is file:///absolute/path or gs://bucket/prefix")]
    Url {
        /// As it was set.
        url: String,
        /// What is wrong with it.
        cause: String,
    },
    /// The folder cannot be used.
    #[error("the lake's folder {} cannot be used: {cause}; have it made and owned by the user that runs this", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's words.
        cause: String,
    },
    /// No credentials anywhere, and no metadata server that answers.
    #[error(
        "no credentials for Google Cloud: set GOOGLE_APPLICATION_CREDENTIALS to a key file, or run `gcloud auth \
         application-default login`, or run on Google Cloud ({0})"
    )]
    NoCredentials(AuthError),
    /// Credentials that were found do not work.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// The bucket's settings do not work.
    #[error(transparent)]
    Gcs(#[from] GcsOpenError),
}

impl StoreUrl {
    /// Reads `file:///path` or `gs://bucket/prefix`.
    ///
    /// # Errors
    /// Anything else, in words.
    pub fn parse(text: &str) -> Result<Self, StoreOpenError> {
        let wrong = |cause: String| StoreOpenError::Url { url: text.into(), cause };
        if let Some(rest) = text.strip_prefix("gs://") {
            return parse_bucket(rest).map_err(wrong);
        }
        if text.starts_with("file://") {
            let url = Url::parse(text).map_err(|error| wrong(format!("is no address ({error})")))?;
            if url.query().is_some() || url.fragment().is_some() {
                return Err(wrong("has a `?` or `#`, which a path writes as %3F and %23".into()));
            }
            return match url.to_file_path() {
                Ok(path) => Ok(StoreUrl::Local(path)),
                Err(()) => Err(wrong("names a host where a path should begin (three slashes)".into())),
            };
        }
        Err(wrong(match text.split_once("://") {
            Some((scheme, _)) => format!("begins with {scheme}://, which is not supported"),
            None => "does not say what kind of address it is".into(),
        }))
    }
}

fn parse_bucket(rest: &str) -> Result<StoreUrl, String> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let plain =
        |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit() || b"-_.".contains(&letter);
    if !(3..=222).contains(&bucket.len()) || !bucket.bytes().all(plain) {
        return Err(format!("has no bucket name ({bucket:?}): 3 to 222 of a-z, 0-9, `-`, `_` and `.`"));
    }
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    if !prefix.is_empty() {
        name::check(prefix).map_err(|cause| format!("has a bad prefix: {cause}"))?;
    }
    if prefix.contains(['?', '#', '*', '[', ']']) {
        return Err("has a prefix with one of `?#*[]`, which readers of the lake take for patterns".into());
    }
    Ok(StoreUrl::Gcs { bucket: bucket.into(), prefix: prefix.into() })
}

/// What a store is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing is made; a folder must be there.
    Read,
    /// A folder is made where it is absent, and must let this user write.
    Write,
}

/// Opens the store at `url`. On Google Cloud it signs in first, so that wrong credentials show at once; a token server
/// that does not answer is left to the operations' own retries, unless nothing but the metadata server was found. Retries
/// and sign-ins are counted in `tally`.
///
/// # Errors
/// An address that is none, a folder that is not there or cannot be written, credentials that do not work.
pub async fn open(
    url: &str,
    access: Access,
    gcs: &GcsSettings,
    tally: &Arc<StoreTally>,
) -> Result<Arc<dyn Store>, StoreOpenError> {
    match StoreUrl::parse(url)? {
        StoreUrl::Local(path) => {
            let root = path.clone();
            let opening = move || match access {
                Access::Read => std::fs::read_dir(&root).map(|_| LocalStore::standing(root)),
                Access::Write => LocalStore::open(root),
            };
            let opened = tokio::task::spawn_blocking(opening).await;
            let folder = |cause: String| StoreOpenError::Folder { path: path.clone(), cause };
            let store = opened
                .map_err(|error| folder(error.to_string()))?
                .map_err(|error| folder(error.to_string()))?;
            Ok(Arc::new(store))
        }
        StoreUrl::Gcs { bucket, prefix } => {
            let clock: Arc<dyn Clock> = Arc::new(SystemClock);
            let tokens = match gcs.endpoint {
                Some(_) => None,
                None => Some(Arc::new(sign_in(gcs, Arc::clone(&clock), tally).await?)),
            };
            let store = GcsStore::new(&bucket, &prefix, gcs, tokens, clock)?;
            Ok(Arc::new(store.counting_in(tally)))
        }
    }
}

async fn sign_in(
    gcs: &GcsSettings,
    clock: Arc<dyn Clock>,
    tally: &Arc<StoreTally>,
) -> Result<TokenSource, StoreOpenError> {
    let environment = AuthEnvironment::from_process();
    let credentials = Credentials::discover(gcs.credentials.as_deref(), &environment)?;
    let last_resort =
        matches!(credentials, Credentials::Metadata { .. }) && environment.metadata_host.is_none();
    let tokens = TokenSource::new(credentials, None, clock).await?.counting_in(tally);
    match tokens.token().await {
        Err(error) if last_resort => Err(StoreOpenError::NoCredentials(error)),
        Err(error) if error.is_transient() => {
            tracing::warn!(%error, "no token yet, the first operation asks again");
            Ok(tokens)
        }
        Err(error) => Err(error.into()),
        Ok(_) => Ok(tokens),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_folders_and_buckets() {
        let gcs = |bucket: &str, prefix: &str| StoreUrl::Gcs { bucket: bucket.into(), prefix: prefix.into() };
        for (text, expected) in [
            ("file:///data/lake", StoreUrl::Local("/data/lake".into())),
            ("file:///data/my%20lake/", StoreUrl::Local("/data/my lake/".into())),
            ("gs://my-bucket", gcs("my-bucket", "")),
            ("gs://my-bucket/", gcs("my-bucket", "")),
            ("gs://my-bucket/a/b/", gcs("my-bucket", "a/b")),
        ] {
            assert_eq!(StoreUrl::parse(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn refuses_the_rest_in_words() {
        for (text, words) in [
            ("/data/lake", "does not say what kind"),
            ("data", "does not say what kind"),
            ("s3://bucket/x", "s3://"),
            ("file://data/lake", "three slashes"),
            ("file:///data?x", "%3F"),
            ("gs://", "no bucket name"),
            ("gs://Bad_Bucket/x", "no bucket name"),
            ("gs://bucket//x", "bad prefix"),
            ("gs://bucket/../x", "bad prefix"),
            ("gs://bucket/a*", "patterns"),
        ] {
            let error = StoreUrl::parse(text).unwrap_err().to_string();
            assert!(error.contains(words) && error.contains("gs://bucket/prefix"), "{text}: {error}");
        }
    }
}
