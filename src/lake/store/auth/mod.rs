//! Sign-in to Google Cloud: bearer tokens, refreshed early, by one caller for all.
//!
//! The flows themselves are yup-oauth2's. It writes requests and answers, with their secrets, into its debug log: keep
//! its log target at `info` or above ([`LOG_LIMIT`]).

mod connect;
mod credentials;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::sync::Mutex;
use yup_oauth2::authenticator::{
    ApplicationDefaultCredentialsTypes, Authenticator, AuthorizedUserAuthenticator,
};
use yup_oauth2::error::AuthErrorCode;
use yup_oauth2::hyper::Uri;
use yup_oauth2::{
    ApplicationDefaultCredentialsAuthenticator, ApplicationDefaultCredentialsFlowOpts,
    ServiceAccountAuthenticator,
};

pub use credentials::{AuthEnvironment, Credentials};

use super::StoreTally;
use super::retry::Clock;

/// The directive that every log filter must hold, whatever else it holds.
pub const LOG_LIMIT: &str = "yup_oauth2=info";

const SCOPE: [&str; 1] = ["https://www.googleapis.com/auth/devstorage.read_write"];
/// A token is replaced when no more than this is left of its life.
const EARLY: Duration = Duration::from_secs(300);
/// Between two tries to replace a token that still lives. The metadata server hands back the same token until about
/// five minutes before its end, so a try may well change nothing.
const AGAIN: Duration = Duration::from_secs(30);
/// A token with less life than this is not used: it might end under way.
const SPENT: Duration = Duration::from_secs(10);
/// Life of a token whose server does not tell: less than the hour that Google's have.
const UNTOLD: Duration = Duration::from_secs(1800);
/// How long one exchange with a token server may take.
const EXCHANGE: Duration = Duration::from_secs(15);

/// Why there is no token.
#[derive(Debug, Error)]
pub enum AuthError {
    /// A credentials file that cannot be used.
    #[error("credentials file {} (named by {named_by}) {cause}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What led to it.
        named_by: String,
        /// What is wrong and what to do, in words.
        cause: String,
    },
    /// The token server refused; trying again does not help.
    #[error("{credentials} is refused: {cause}")]
    Refused {
        /// Which credentials.
        credentials: String,
        /// What is wrong and what to do, in words.
        cause: String,
    },
    /// No usable answer from the token server; it is worth trying again.
    #[error("no token for {credentials}: {cause}")]
    Unreachable {
        /// Which credentials.
        credentials: String,
        /// What happened, in words.
        cause: String,
    },
}

impl AuthError {
    /// Whether trying again later can help.
    pub fn is_transient(&self) -> bool {
        matches!(self, AuthError::Unreachable { .. })
    }
}

/// A bearer token. Its `Debug` shows no secret.
#[derive(Clone)]
pub struct Token {
    secret: Arc<str>,
}

impl Token {
    /// The secret itself, for an `Authorization` header.
    pub fn secret(&self) -> &str {
        &self.secret
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Token(hidden)")
    }
}

/// A token with its times.
#[derive(Debug, Clone)]
struct Held {
    token: Token,
    end: Instant,
    /// No earlier than this is it replaced.
    replace: Instant,
}

/// Hands out tokens for one set of credentials, and replaces them before they end. Shared by all users of a store.
pub struct TokenSource {
    credentials: String,
    authenticator: Authenticator<connect::Connector>,
    clock: Arc<dyn Clock>,
    held: RwLock<Option<Held>>,
    /// Whoever holds this is asking the token server.
    asking: Mutex<()>,
    tally: Arc<StoreTally>,
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "TokenSource({})", self.credentials)
    }
}

impl TokenSource {
    /// Prepares to sign in; asks for no token yet. `user_token_server` stands in for Google's token server for users' credentials
    /// (a service-account key names its own); it must be an address like `http://127.0.0.1:8000`.
    ///
    /// # Errors
    /// A key that cannot sign, an address that is none, a machine without certificates.
    pub async fn new(
        credentials: Credentials,
        user_token_server: Option<&str>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, AuthError> {
        let shown = credentials.to_string();
        let refused = |cause: String| AuthError::Refused { credentials: shown.clone(), cause };
        let instead = match (&credentials, user_token_server) {
            (Credentials::AuthorizedUser { .. }, Some(server)) => Some(
                server
                    .parse::<Uri>()
                    .map_err(|error| refused(format!("token server {server:?}: {error}")))?,
            ),
            _ => None,
        };
        let authenticator = build(credentials, instead).await.map_err(refused)?;
        Ok(TokenSource {
            credentials: shown,
            authenticator,
            clock,
            held: RwLock::new(None),
            asking: Mutex::new(()),
            tally: Arc::default(),
        })
    }

    /// Counts sign-ins in `tally`.
    pub fn counting_in(self, tally: &Arc<StoreTally>) -> Self {
        Self { tally: Arc::clone(tally), ..self }
    }

    /// A token with some life left. Near a token's end one caller replaces it while the others go on with the old one;
    /// where there is none, all wait for the one that asks.
    ///
    /// # Errors
    /// Where there is no live token and none is to be had.
    pub async fn token(&self) -> Result<Token, AuthError> {
        let now = self.clock.now();
        if let Some(held) = self.held().filter(|held| held.end > now + SPENT) {
            if now >= held.replace
                && let Ok(_asking) = self.asking.try_lock()
                && self.held().is_some_and(|current| current.replace == held.replace)
            {
                return Ok(self.replace_early(held).await);
            }
            return Ok(held.token);
        }
        let _asking = self.asking.lock().await;
        match self.held().filter(|held| held.end > self.clock.now() + SPENT) {
            Some(held) => Ok(held.token),
            None => self.ask().await,
        }
    }

    /// Another token than `rejected`, which a server answered 401 to. Of several callers with the same rejected token one asks.
    ///
    /// # Errors
    /// Where no other token is to be had.
    pub async fn refresh(&self, rejected: &Token) -> Result<Token, AuthError> {
        let _asking = self.asking.lock().await;
        match self.held() {
            Some(held) if held.token.secret != rejected.secret => Ok(held.token),
            _ => self.ask().await,
        }
    }

    /// The caller holds `asking`. A failure is no reason to give up a token that still lives.
    async fn replace_early(&self, held: Held) -> Token {
        match self.ask().await {
            Ok(token) => token,
            Err(error) => {
                tracing::warn!(credentials = %self.credentials, %error, "token not refreshed, the old one still lives");
                self.hold(Held { replace: self.clock.now() + AGAIN, ..held.clone() });
                held.token
            }
        }
    }

    /// Asks the token server and keeps the answer. The caller holds `asking`.
    async fn ask(&self) -> Result<Token, AuthError> {
        let asked = self.exchange().await;
        if asked.is_err() {
            self.tally.sign_in_failed();
        }
        asked
    }

    async fn exchange(&self) -> Result<Token, AuthError> {
        let unreachable = |cause: &str| AuthError::Unreachable {
            credentials: self.credentials.clone(),
            cause: cause.to_owned(),
        };
        let answer = tokio::time::timeout(EXCHANGE, self.authenticator.force_refreshed_token(&SCOPE))
            .await
            .map_err(|_| unreachable("the token server did not answer in time"))?
            .map_err(|error| self.explain(error))?;
        let secret =
            answer.token().filter(|secret| !secret.is_empty()).ok_or_else(|| unreachable("it came empty"))?;
        let life = answer.expiration_time().map_or(UNTOLD, |end| {
            Duration::try_from(end - time::OffsetDateTime::now_utc()).unwrap_or(Duration::ZERO)
        });
        let now = self.clock.now();
        let token = Token { secret: secret.into() };
        let replace = now + life.saturating_sub(EARLY).max(AGAIN);
        self.hold(Held { token: token.clone(), end: now + life, replace });
        self.tally.signed_in(life);
        tracing::debug!(credentials = %self.credentials, life_seconds = life.as_secs(), "token refreshed");
        Ok(token)
    }

    fn held(&self) -> Option<Held> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn hold(&self, held: Held) {
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = Some(held);
    }

    fn explain(&self, error: yup_oauth2::Error) -> AuthError {
        use yup_oauth2::Error;
        let credentials = self.credentials.clone();
        match error {
            Error::AuthError(refusal) if passing(&refusal.error) || of_a_wrong_clock(&refusal) => {
                AuthError::Unreachable { credentials, cause: format!("the token server answers {refusal}") }
            }
            Error::AuthError(refusal) => {
                let cause = format!(
                    "{refusal}; the key may be deleted or disabled, the login revoked, or the machine's clock wrong: create a new \
                     key, or run `gcloud auth application-default login`"
                );
                AuthError::Refused { credentials, cause }
            }
            Error::UserError(cause) => AuthError::Refused { credentials, cause },
            // What does not parse is often an error page of a server that is overloaded or not up yet.
            Error::JSONError(_) => AuthError::Unreachable {
                credentials,
                cause: "what the token server answers is no token (is it Google's, and does the machine have a service account?)".into(),
            },
            other => AuthError::Unreachable { credentials, cause: super::in_words(&other) },
        }
    }
}

/// Refusals of a key's signature for its time: `Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check
/// your iat and exp values in the JWT claim.` They pass once the machine's clock is right again.
fn of_a_wrong_clock(refusal: &yup_oauth2::error::AuthError) -> bool {
    let words = refusal.error_description.as_deref().unwrap_or_default();
    refusal.error.as_str() == "invalid_grant"
        && (words.contains("timeframe") || words.contains("iat and exp"))
}

/// Refusals that pass by themselves.
fn passing(code: &AuthErrorCode) -> bool {
    matches!(
        code.as_str(),
        "internal_failure"
            | "internal_error"
            | "server_error"
            | "temporarily_unavailable"
            | "backend_error"
            | "rate_limit_exceeded"
            | "slow_down"
    )
}

async fn build(
    credentials: Credentials,
    instead: Option<Uri>,
) -> Result<Authenticator<connect::Connector>, String> {
    let client = connect::client(instead)
        .map_err(|error| format!("the machine has no TLS certificates ({error}); install ca-certificates"))?;
    let unusable = |error: std::io::Error| format!("its key cannot sign ({error}); create a new key");
    match credentials {
        Credentials::ServiceAccount { key, .. } => {
            // yup-oauth2 builds its request from this without a check, and panics where it is no address.
            let address = key.token_uri.parse::<Uri>().ok().filter(|address| address.host().is_some());
            if address.is_none() {
                return Err("its token_uri is no address; create a new key".into());
            }
            ServiceAccountAuthenticator::with_client(*key, client).build().await.map_err(unusable)
        }
        Credentials::AuthorizedUser { secret, .. } => {
            AuthorizedUserAuthenticator::with_client(*secret, client).build().await.map_err(unusable)
        }
        Credentials::Metadata { host } => {
            let url = format!("http://{host}/computeMetadata/v1/instance/service-accounts/default/token");
            // Checked here for the same reason.
            url.parse::<Uri>()
                .map_err(|error| format!("GCE_METADATA_HOST {host:?} is no host name: {error}"))?;
            let options = ApplicationDefaultCredentialsFlowOpts { metadata_url: Some(url) };
            match ApplicationDefaultCredentialsAuthenticator::with_client(options, client).await {
                ApplicationDefaultCredentialsTypes::InstanceMetadata(builder) => {
                    builder.build().await.map_err(unusable)
                }
                ApplicationDefaultCredentialsTypes::ServiceAccount(_) => {
                    Err("GOOGLE_APPLICATION_CREDENTIALS is set too; unset it, or have it name a file".into())
                }
            }
        }
    }
}
