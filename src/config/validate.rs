//! What must hold between and beyond the values' types.

use std::time::Duration;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::layers::Merged;
use super::{Problem, Settings};
use crate::lake::store::{StoreOpenError, StoreUrl};
use crate::schemas::EventKind;

const MIB: usize = 1 << 20;
/// What is shorter becomes nothing where it is given to a client.
const MILLISECOND: Duration = Duration::from_millis(1);
/// A third of what an actor's call may take before the supervisor takes it for one that hangs.
const MAX_DEADLINE: Duration = Duration::from_secs(5 * 60);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Adds every violated rule to `problems`.
pub(super) fn check(settings: &Settings, merged: &Merged, problems: &mut Vec<Problem>) {
    let mut check = Check { merged, problems };
    positive_intervals(settings, &mut check);
    kafka(settings, &mut check);
    lake(settings, &mut check);
    memory(settings, &mut check);
    windows(settings, &mut check);
    http(settings, &mut check);
    rest(settings, &mut check);
}

struct Check<'a> {
    merged: &'a Merged,
    problems: &'a mut Vec<Problem>,
}

impl Check<'_> {
    fn require(&mut self, holds: bool, key: &str, message: impl Into<String>) {
        if !holds {
            let origin = self.merged.get(key).map_or_else(String::new, |sourced| sourced.origin.clone());
            self.problems.push(Problem { key: key.to_owned(), origin, message: message.into() });
        }
    }
}

/// Whether `text` holds directives, of which one that is a word alone is a level: a mistyped one would be taken for the
/// name of a module, and silence all others.
fn is_log_level(text: &str) -> bool {
    let word = |directive: &&str| !directive.contains(['=', '[', ':']);
    let directives = || text.split(',').map(str::trim).filter(|directive| !directive.is_empty());
    let mut words = directives().filter(word);
    // No directive at all would be taken for `error`.
    directives().next().is_some()
        && words.all(|word| word.parse::<LevelFilter>().is_ok())
        && EnvFilter::builder().parse(text).is_ok()
}

fn positive_intervals(settings: &Settings, check: &mut Check<'_>) {
    let Settings { kafka, lake, gcs, windows, supervisor, .. } = settings;
    let intervals = [
        ("kafka.session_timeout", kafka.session_timeout),
        ("kafka.request_timeout", kafka.request_timeout),
        ("kafka.metadata_interval", kafka.metadata_interval),
        ("lake.upload_interval", lake.upload_interval),
        ("lake.snapshot_interval", lake.snapshot_interval),
        ("gcs.deadline", gcs.deadline),
        ("windows.idle_after", windows.idle_after),
        ("windows.max_ahead", windows.max_ahead),
        ("windows.future_limit", windows.future_limit),
        ("supervisor.stuck_after", supervisor.stuck_after),
        ("supervisor.restart_window", supervisor.restart_window),
        ("supervisor.backoff_initial", supervisor.backoff_initial),
        ("supervisor.drain_deadline", supervisor.drain_deadline),
    ];
    for (key, interval) in intervals {
        check.require(interval >= MILLISECOND, key, "must be at least 1ms");
    }
}

fn kafka(settings: &Settings, check: &mut Check<'_>) {
    let kafka = &settings.kafka;
    let brokers =
        !kafka.brokers.is_empty() && kafka.brokers.split(',').all(|broker| host_and_port(broker.trim()));
    check.require(brokers, "kafka.brokers", "must be host:port, or several separated by commas");
    check.require(!kafka.group_id.is_empty(), "kafka.group_id", "must not be empty");
    let protocols = ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"];
    check.require(
        protocols.contains(&kafka.security_protocol.as_str()),
        "kafka.security_protocol",
        format!("must be one of {}", protocols.join(", ")),
    );
    if kafka.security_protocol.starts_with("sasl_") {
        check.require(
            kafka.sasl_mechanism.is_some(),
            "kafka.sasl_mechanism",
            "must be set with this kafka.security_protocol, for example to SCRAM-SHA-512",
        );
        if kafka.sasl_mechanism.as_deref() == Some("OAUTHBEARER") {
            let why = "must be set with OAUTHBEARER, to a file that something keeps fresh";
            check.require(kafka.sasl_token_file.is_some(), "kafka.sasl_token_file", why);
        } else {
            let why = "must be set with this kafka.security_protocol";
            check.require(kafka.sasl_username.is_some(), "kafka.sasl_username", why);
            check.require(kafka.sasl_password.is_some(), "kafka.sasl_password", why);
        }
    }
    for (key, file) in [
        ("kafka.sasl_token_file", &kafka.sasl_token_file),
        ("kafka.ssl_ca_location", &kafka.ssl_ca_location),
        ("kafka.ssl_certificate_location", &kafka.ssl_certificate_location),
        ("kafka.ssl_key_location", &kafka.ssl_key_location),
    ] {
        let there = file.as_deref().is_none_or(|file| file.exists());
        check.require(there, key, "names a file that does not exist; correct the path or leave it empty");
    }
    check.require(
        kafka.ssl_certificate_location.is_some() == kafka.ssl_key_location.is_some(),
        "kafka.ssl_key_location",
        "must be set together with kafka.ssl_certificate_location",
    );
    topics(settings, check);
    for owned in OWNED_PROPERTIES {
        check.require(
            !kafka.properties.contains_key(*owned),
            &format!("kafka.properties.{owned}"),
            "is set by the engine itself or has a setting of its own, see config/default.toml; remove it",
        );
    }
    let longest = kafka
        .properties
        .get(LONGEST_POLL)
        .map_or(Some(DEFAULT_LONGEST_POLL), |longest| longest.expose().parse().ok());
    let session = kafka.session_timeout.as_millis();
    let long_enough = longest.is_none_or(|longest| longest >= session);
    if kafka.properties.contains_key(LONGEST_POLL) {
        let why = format!("must not be below kafka.session_timeout, which is {session} ms");
        check.require(long_enough, &format!("kafka.properties.{LONGEST_POLL}"), why);
    } else {
        let why = format!(
            "must not exceed {LONGEST_POLL}, which is {DEFAULT_LONGEST_POLL} ms unless kafka.properties sets it"
        );
        check.require(long_enough, "kafka.session_timeout", why);
    }
}

/// Longest time between polls, ms.
const LONGEST_POLL: &str = "max.poll.interval.ms";
/// librdkafka's.
const DEFAULT_LONGEST_POLL: u128 = 300_000;

/// Properties that the protocol depends on, or that have a setting of their own.
const OWNED_PROPERTIES: &[&str] = &[
    "bootstrap.servers",
    // librdkafka's other name for it.
    "metadata.broker.list",
    "group.id",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.partition.eof",
    "enable.idempotence",
    "auto.offset.reset",
    "isolation.level",
    "partition.assignment.strategy",
    "session.timeout.ms",
    "security.protocol",
    "sasl.mechanism",
    "sasl.mechanisms",
    "sasl.username",
    "sasl.password",
    "topic.metadata.refresh.interval.ms",
    "queued.max.messages.kbytes",
    "queued.min.messages",
    "max.partition.fetch.bytes",
    "fetch.message.max.bytes",
    "fetch.queue.backoff.ms",
    "fetch.wait.max.ms",
    "allow.auto.create.topics",
    "compression.type",
    "linger.ms",
    "batch.size",
    "queue.buffering.max.messages",
    "queue.buffering.max.kbytes",
    "delivery.timeout.ms",
    "delivery.report.only.error",
];

fn topics(settings: &Settings, check: &mut Check<'_>) {
    for (kind, name) in settings.kafka.topics.all() {
        let key = format!("kafka.topics.{}", kind.table());
        let legal = name.len() <= 249
            && !matches!(name, "" | "." | "..")
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        check.require(
            legal,
            &key,
            "must be a topic name: up to 249 letters, digits, dots, dashes, underscores",
        );
        let first = EventKind::ALL.into_iter().find(|other| settings.kafka.topics.name(*other) == name);
        check.require(first == Some(kind), &key, "names a topic that feeds another table already");
    }
}

fn host_and_port(broker: &str) -> bool {
    let address = broker.rsplit_once("://").map_or(broker, |(_, address)| address);
    match address.rsplit_once(':') {
        Some((host, port)) => !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0),
        None => false,
    }
}

fn lake(settings: &Settings, check: &mut Check<'_>) {
    let url = &settings.lake.url;
    match StoreUrl::parse(url.as_str()) {
        Ok(StoreUrl::Local(path)) => check.require(
            path.components().count() > 1,
            "lake.url",
            "must name a folder on this machine, as in file:///var/lib/beatlytica",
        ),
        Ok(StoreUrl::Gcs { .. }) => {}
        Err(StoreOpenError::Url { cause, .. }) => {
            let why = format!("{cause}; give file:///absolute/path or gs://bucket/prefix");
            check.require(false, "lake.url", why);
        }
        Err(other) => check.require(false, "lake.url", other.to_string()),
    }
    if let Some(endpoint) = &settings.gcs.endpoint {
        let http = matches!(endpoint.scheme(), "http" | "https");
        check.require(http, "gcs.endpoint", "must begin with http:// or https://");
    }
    let there = settings.gcs.credentials_file.as_deref().is_none_or(|file| file.exists());
    check.require(
        there,
        "gcs.credentials_file",
        "names a file that does not exist; correct the path or leave it empty",
    );
    let longest = MAX_DEADLINE.as_secs() / 60;
    check.require(
        settings.gcs.deadline <= MAX_DEADLINE,
        "gcs.deadline",
        format!("must not exceed {longest}m: who waits longer counts as hanging"),
    );
    let level = (1..=19).contains(&settings.lake.compression_level);
    check.require(level, "lake.compression_level", "must lie between 1 and 19");
    check.require(
        settings.lake.max_batch_bytes >= MIB / 4,
        "lake.max_batch_bytes",
        "must be at least 256KiB",
    );
}

fn memory(settings: &Settings, check: &mut Check<'_>) {
    check.require(settings.memory.budget >= 8 * MIB, "memory.budget", "must be at least 8MiB");
    check.require(settings.memory.fetch_budget >= 4 * MIB, "memory.fetch_budget", "must be at least 4MiB");
    check.require(
        settings.memory.dictionary_budget >= 4 * MIB,
        "memory.dictionary_budget",
        "must be at least 4MiB",
    );
    check.require(
        settings.lake.max_batch_bytes <= settings.memory.budget,
        "lake.max_batch_bytes",
        "must not exceed memory.budget, or no batch could ever fill",
    );
}

fn windows(settings: &Settings, check: &mut Check<'_>) {
    let windows = &settings.windows;
    let text = humantime_serde::re::humantime::format_duration;
    let sliding = DAY.saturating_add(windows.max_ahead).saturating_add(windows.lateness);
    let message = if sliding > 2 * DAY {
        format!(
            "must be at least 24h + windows.max_ahead + windows.lateness = {}, or the 24-hour window would miss panes",
            text(sliding)
        )
    } else {
        "must be at least 48h, or the last closed day, which begins up to two days behind the watermark, would miss panes"
            .to_owned()
    };
    check.require(windows.retention >= sliding.max(2 * DAY), "windows.retention", message);
    check.require(
        windows.future_limit <= DAY * 31,
        "windows.future_limit",
        "must not exceed 31 days: panes are kept for so much longer",
    );
    let limit = DAY * 366;
    check.require(windows.retention <= limit, "windows.retention", "must not exceed 366 days");
}

fn http(settings: &Settings, check: &mut Check<'_>) {
    let http = &settings.http;
    check.require(
        http.listen.ip().is_loopback() || http.token.is_some() || http.anonymous,
        "http.listen",
        "goes beyond this machine, so requests need a token: set http.token_file (or http.token); or set \
         http.anonymous = true where the network lets nobody in",
    );
    let long = http.token.as_ref().is_none_or(|token| token.expose().len() >= 16);
    check.require(long, "http.token", "must have at least 16 characters, or it could be guessed");
    for (key, file) in [
        ("http.tls_certificate_file", http.tls.as_ref().map(|tls| &tls.certificate)),
        ("http.tls_key_file", http.tls.as_ref().map(|tls| &tls.key)),
    ] {
        check.require(file.is_none_or(|file| file.exists()), key, "names a file that does not exist");
    }
}

fn rest(settings: &Settings, check: &mut Check<'_>) {
    let share = settings.decode.reject_limit_share;
    check.require((0.0..=1.0).contains(&share), "decode.reject_limit_share", "must lie between 0 and 1");
    let records = settings.decode.reject_limit_records;
    check.require(records > 0, "decode.reject_limit_records", "must be at least 1");
    check.require(
        settings.supervisor.backoff_max >= settings.supervisor.backoff_initial,
        "supervisor.backoff_max",
        "must not be shorter than supervisor.backoff_initial",
    );
    check.require(
        is_log_level(&settings.log.level),
        "log.level",
        "must be a level such as info, or directives such as info,beatlytica=debug",
    );
}
