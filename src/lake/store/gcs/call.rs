//! One operation on the bucket: its attempts, its sign-in, and what its failures mean.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use time::OffsetDateTime;
use url::Url;

use super::super::StoreError;
use super::super::auth::AuthError;
use super::super::retry::Attempts;
use super::Inner;
use super::wire::Answer;

/// A request that can be sent as often as need be.
#[derive(Debug)]
pub(super) struct Request {
    pub method: Method,
    pub url: Url,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub body: Bytes,
}

impl Request {
    pub fn new(method: Method, url: Url) -> Self {
        Request { method, url, headers: Vec::new(), body: Bytes::new() }
    }

    pub fn header(mut self, name: &'static str, value: impl Into<HeaderValue>) -> Self {
        self.headers.push((HeaderName::from_static(name), value.into()));
        self
    }

    pub fn body(mut self, body: Bytes) -> Self {
        self.body = body;
        self
    }
}

/// Why one attempt brought no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Worth another attempt, after what the server asks for.
    Passing { cause: String, after: Option<Duration> },
    /// Not worth one.
    Final(StoreError),
}

impl Trouble {
    pub fn passing(cause: impl Into<String>) -> Self {
        Trouble::Passing { cause: cause.into(), after: None }
    }
}

/// An operation under way.
#[derive(Debug)]
pub(super) struct Call<'a> {
    store: &'a Inner,
    op: &'static str,
    name: &'a str,
    attempts: Attempts<'a>,
    /// There is another token since a 401; this is done once.
    refreshed: bool,
}

impl<'a> Call<'a> {
    pub fn new(store: &'a Inner, op: &'static str, name: &'a str) -> Self {
        let attempts = Attempts::new(&*store.clock, store.settings.deadline);
        Call { store, op, name, attempts, refreshed: false }
    }

    /// Sends the request until there is an answer that another attempt would not change.
    pub async fn send(&mut self, request: &Request) -> Result<Answer, StoreError> {
        loop {
            match self.once(request).await {
                Ok(answer) => return Ok(answer),
                Err(trouble) => self.again(trouble).await?,
            }
        }
    }

    /// Waits before another attempt.
    ///
    /// # Errors
    /// Where there is to be none: the trouble is final, or the budget is spent.
    pub async fn again(&mut self, trouble: Trouble) -> Result<(), StoreError> {
        let (cause, after) = match trouble {
            Trouble::Passing { cause, after } => (cause, after),
            Trouble::Final(error) => return Err(error),
        };
        tracing::debug!(op = self.op, object = self.name, %cause, "attempt failed");
        if self.attempts.pause(after).await {
            self.store.tally.retried();
            return Ok(());
        }
        Err(self.transient(format!("{cause} (given up after {} attempts)", self.attempts.failed())))
    }

    /// Part of the operation is done for good: its budget starts again.
    pub fn progress(&mut self) {
        self.attempts.progress();
    }

    /// One attempt; two where a token had to be refreshed.
    pub async fn once(&mut self, request: &Request) -> Result<Answer, Trouble> {
        let Some(tokens) = &self.store.tokens else {
            return self.exchange(request, None).await;
        };
        let token = tokens.token().await.map_err(|error| self.unsigned(&error))?;
        let answer = self.exchange(request, Some(token.secret())).await?;
        if answer.status != StatusCode::UNAUTHORIZED || self.refreshed {
            return Ok(answer);
        }
        tracing::info!(op = self.op, object = self.name, "token rejected, asking for another");
        let token = tokens.refresh(&token).await.map_err(|error| self.unsigned(&error))?;
        self.refreshed = true;
        self.exchange(request, Some(token.secret())).await
    }

    async fn exchange(&self, request: &Request, token: Option<&str>) -> Result<Answer, Trouble> {
        let mut builder = self
            .store
            .client
            .request(request.method.clone(), request.url.clone())
            .timeout(self.attempts.left())
            .body(request.body.clone());
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        if let Some(token) = token {
            builder = builder.bearer_auth(token);
        }
        // Addresses are kept out of errors: a session's is as good as a password.
        let broken = |error: reqwest::Error| {
            if error.is_builder() {
                return Trouble::Final(self.permanent(super::super::in_words(&error.without_url())));
            }
            Trouble::passing(super::super::in_words(&error.without_url()))
        };
        let response = builder.send().await.map_err(broken)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let answer = Answer { status, headers, body: response.bytes().await.map_err(broken)? };
        let passes = matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
        if passes || status.is_server_error() {
            let after = answer.retry_after(OffsetDateTime::now_utc());
            return Err(Trouble::Passing { cause: answer.words(), after });
        }
        Ok(answer)
    }

    fn unsigned(&self, error: &AuthError) -> Trouble {
        if error.is_transient() {
            Trouble::passing(error.to_string())
        } else {
            Trouble::Final(self.permanent(error.to_string()))
        }
    }

    /// An answer that this operation has no use for, in words.
    pub fn refused(&self, answer: &Answer) -> StoreError {
        let bucket = &self.store.bucket;
        let words = answer.words();
        self.permanent(match answer.status.as_u16() {
            401 if self.store.tokens.is_none() => {
                format!("{words}; an endpoint that is set (gcs.endpoint) is used without credentials")
            }
            401 => format!("{words}, with a fresh token too; check the credentials and the machine's clock"),
            403 => format!("bucket {bucket} refuses it: {words}; {}", needed(self.op)),
            404 => format!("there is no bucket {bucket} ({words}); create it or correct lake.url"),
            _ => words,
        })
    }

    pub fn transient(&self, cause: String) -> StoreError {
        StoreError::Transient { op: self.op, name: self.name.into(), cause }
    }

    pub fn permanent(&self, cause: String) -> StoreError {
        StoreError::Permanent { op: self.op, name: self.name.into(), cause }
    }
}

/// The permission that an operation needs.
fn needed(op: &str) -> &'static str {
    match op {
        "create" => "grant storage.objects.create (role Storage Object Creator)",
        "list" => "grant storage.objects.list (role Storage Object Viewer)",
        "discard" => "grant storage.objects.delete",
        _ => "grant storage.objects.get and storage.objects.list (role Storage Object Viewer)",
    }
}
