//! One typed settings struct, layered and validated at start.
//!
//! Layers, each overriding the one before: the built-in `config/default.toml`, the file named by `--config`, environment
//! variables `BEATLYTICA__SECTION__KEY`, flags. The built-in file names every key there is, so it is the one list that
//! unknown keys are measured against. All problems are reported at once, each with its key, its source and what to do.

#[cfg(test)]
mod document;
mod layers;
mod read;
mod secret;
mod show;
mod units;
mod validate;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;
use url::Url;

use crate::schemas::EventKind;
use crate::schemas::decode::Privacy;

pub use layers::VARIABLE_PREFIX;
pub use secret::Secret;
pub use units::{format_size, parse_size};

/// Every setting, typed and validated.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// How the broker is reached and what is read from it.
    pub kafka: KafkaSettings,
    /// Where the lake is and when it is written.
    pub lake: LakeSettings,
    /// How much memory may be used, in bytes.
    pub memory: MemorySettings,
    /// Google Cloud Storage.
    pub gcs: GcsSettings,
    /// Event-time windows.
    pub windows: WindowSettings,
    /// Decoding of records.
    pub decode: DecodeSettings,
    /// What of listeners is hidden before anything is stored.
    pub privacy: Privacy,
    /// The HTTP server.
    pub http: HttpSettings,
    /// Restarts and shutdown.
    pub supervisor: SupervisorSettings,
    /// Logging.
    pub log: LogSettings,
}

/// `[kafka]`
#[derive(Debug, Clone, PartialEq)]
pub struct KafkaSettings {
    /// Bootstrap brokers, `host:port` separated by commas.
    pub brokers: String,
    /// Consumer group.
    pub group_id: String,
    /// `plaintext`, `ssl`, `sasl_plaintext` or `sasl_ssl`.
    pub security_protocol: String,
    /// SASL mechanism, with the SASL protocols only.
    pub sasl_mechanism: Option<String>,
    /// SASL user.
    pub sasl_username: Option<String>,
    /// SASL password.
    pub sasl_password: Option<Secret>,
    /// A file that holds the token, with OAUTHBEARER.
    pub sasl_token_file: Option<PathBuf>,
    /// PEM file of the authorities to trust.
    pub ssl_ca_location: Option<PathBuf>,
    /// PEM file of the client's certificate.
    pub ssl_certificate_location: Option<PathBuf>,
    /// PEM file of the client's key.
    pub ssl_key_location: Option<PathBuf>,
    /// Password of the client's key.
    pub ssl_key_password: Option<Secret>,
    /// A member silent for this long loses its partitions.
    pub session_timeout: Duration,
    /// Longest that a question to the broker may take.
    pub request_timeout: Duration,
    /// How often topic metadata is refreshed.
    pub metadata_interval: Duration,
    /// The topic of each table.
    pub topics: Topics,
    /// Further librdkafka properties, passed through; any of them may be a secret.
    pub properties: BTreeMap<String, Secret>,
}

/// `[kafka.topics]`: the topic of each lake table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Topics {
    names: BTreeMap<EventKind, String>,
}

impl Topics {
    /// The topic that feeds `kind`'s table.
    pub fn name(&self, kind: EventKind) -> &str {
        self.names.get(&kind).map_or(kind.table(), String::as_str)
    }

    /// The kind whose table `topic` feeds, if any.
    pub fn kind(&self, topic: &str) -> Option<EventKind> {
        EventKind::ALL.into_iter().find(|kind| self.name(*kind) == topic)
    }

    /// All topics, in the order of [`EventKind::ALL`].
    pub fn all(&self) -> impl Iterator<Item = (EventKind, &str)> {
        EventKind::ALL.into_iter().map(|kind| (kind, self.name(kind)))
    }
}

/// `[lake]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LakeSettings {
    /// `file:///folder` or `gs://bucket/prefix`.
    pub url: Url,
    /// Age of a batch's first record at which the batch is cut.
    pub upload_interval: Duration,
    /// Decoded bytes at which a batch is cut.
    pub max_batch_bytes: usize,
    /// zstd level, 1 to 19.
    pub compression_level: i32,
    /// Time between two snapshots of the windows' state.
    pub snapshot_interval: Duration,
}

/// `[memory]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemorySettings {
    /// Bytes of decoded rows that may wait for the lake, over all partitions.
    pub budget: usize,
    /// Bytes that librdkafka may hold in its queues, over all partitions.
    pub fetch_budget: usize,
    /// Bytes that the decoders' dictionaries may hold, over all partitions.
    pub dictionary_budget: usize,
}

/// `[gcs]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GcsSettings {
    /// An emulator's base URL, used without credentials.
    pub endpoint: Option<Url>,
    /// Key or application-default credentials file.
    pub credentials_file: Option<PathBuf>,
    /// Longest that one operation may take, retries included.
    pub deadline: Duration,
}

/// `[windows]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowSettings {
    /// Allowed lateness behind a partition's own clock.
    pub lateness: Duration,
    /// How long panes live behind the watermark; two days at least.
    pub retention: Duration,
    /// Event times further ahead of the Kafka timestamp move no clock.
    pub future_limit: Duration,
    /// Wall time without records after which a partition is idle.
    pub idle_after: Duration,
    /// A partition further ahead of the watermark is paused.
    pub max_ahead: Duration,
}

/// `[decode]`
#[derive(Debug, Clone, PartialEq)]
pub struct DecodeSettings {
    /// Whether text that Eventsim mangled is repaired.
    pub repair: bool,
    /// Share of rejected records above which a partition stops, 0 to 1.
    pub reject_limit_share: f64,
    /// Successive records over which that share is taken.
    pub reject_limit_records: u32,
}

/// `[http]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSettings {
    /// Address and port to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What requests must carry.
    pub token: Option<Secret>,
    /// Serves beyond loopback without a token.
    pub anonymous: bool,
    /// TLS, if it is spoken.
    pub tls: Option<TlsFiles>,
}

/// PEM files of the HTTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificate chain.
    pub certificate: PathBuf,
    /// Private key.
    pub key: PathBuf,
}

/// `[supervisor]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SupervisorSettings {
    /// A child without progress for this long is restarted.
    pub stuck_after: Duration,
    /// Restarts of one child within `restart_window` at which the process gives up.
    pub restart_limit: u32,
    /// The window in which restarts are counted.
    pub restart_window: Duration,
    /// Wait before the first restart.
    pub backoff_initial: Duration,
    /// Longest wait before a restart.
    pub backoff_max: Duration,
    /// How long a drain may take after SIGTERM.
    pub drain_deadline: Duration,
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// A level, or directives by module.
    pub level: String,
    /// How lines are written.
    pub format: LogFormat,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    Auto,
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// One thing that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The key, dotted.
    pub key: String,
    /// Where the value came from.
    pub origin: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.key, self.origin, self.message)
    }
}

/// Why there are no settings.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read or is not TOML.
    #[error("settings file {path}: {cause}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// The settings were read and do not hold up; all problems, in order of key.
    #[error("{}", join(.0))]
    Invalid(Vec<Problem>),
}

fn join(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(|problem| format!("setting {problem}")).collect();
    lines.join("\n")
}

/// A flag that overrides a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// The key, dotted.
    pub key: &'static str,
    /// The flag as typed, such as `--brokers`.
    pub flag: &'static str,
    /// Its value.
    pub value: String,
}

/// Settings together with where each value came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    merged: layers::Merged,
}

impl Loaded {
    /// The effective settings as TOML, secrets hidden, each value followed by its source.
    pub fn show(&self) -> String {
        show::toml(&self.merged)
    }
}

/// Reads all layers and validates the result.
///
/// `environment` is given rather than read, so that callers (and tests) decide what counts.
///
/// # Errors
/// [`ConfigError::File`] for a file that cannot be read; [`ConfigError::Invalid`] with every problem found otherwise.
pub fn load(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
    flags: &[Override],
) -> Result<Loaded, ConfigError> {
    validated(layers::merge(&[layers::DEFAULTS], file, environment, flags)?)
}

/// As [`load`], with the built-in `config/demo.toml` over `config/default.toml`.
///
/// # Errors
/// As [`load`].
pub fn load_demo(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
    flags: &[Override],
) -> Result<Loaded, ConfigError> {
    validated(layers::merge(&[layers::DEFAULTS, layers::DEMO], file, environment, flags)?)
}

fn validated((merged, mut problems): (layers::Merged, Vec<Problem>)) -> Result<Loaded, ConfigError> {
    let settings = read::settings(&merged, &mut problems);
    if let Some(settings) = &settings {
        validate::check(settings, &merged, &mut problems);
    }
    problems.sort();
    match settings {
        Some(settings) if problems.is_empty() => Ok(Loaded { settings, merged }),
        _ => Err(ConfigError::Invalid(problems)),
    }
}
