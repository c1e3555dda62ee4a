//! From merged values to the typed struct. A value that cannot be read is noted and reading goes on, so that all
//! problems come out in one go.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use config::Value;
use url::Url;

use super::layers::{Merged, PROPERTIES};
use super::{
    DecodeSettings, GcsSettings, HttpSettings, KafkaSettings, LakeSettings, LogFormat, LogSettings,
    MemorySettings, Problem, Secret, Settings, SupervisorSettings, TlsFiles, Topics, WindowSettings,
    parse_size,
};
use crate::schemas::EventKind;
use crate::schemas::decode::Privacy;

/// Bytes that a key for pseudonyms must have, so that it cannot be guessed.
const MIN_KEY: usize = 16;

/// The settings, or none where a value could not be read; what is wrong is added to `problems`.
pub(super) fn settings(merged: &Merged, problems: &mut Vec<Problem>) -> Option<Settings> {
    let mut read = Reader { merged, problems };
    // Each section is read to its end before `?` looks at it: every problem is to be reported.
    let kafka = kafka(&mut read);
    let lake = lake(&mut read);
    let memory = memory(&mut read);
    let gcs = gcs(&mut read);
    let windows = windows(&mut read);
    let decode = decode(&mut read);
    let privacy = privacy(&mut read);
    let http = http(&mut read);
    let supervisor = supervisor(&mut read);
    let log = log(&mut read);
    Some(Settings {
        kafka: kafka?,
        lake: lake?,
        memory: memory?,
        gcs: gcs?,
        windows: windows?,
        decode: decode?,
        privacy: privacy?,
        http: http?,
        supervisor: supervisor?,
        log: log?,
    })
}

struct Reader<'a> {
    merged: &'a Merged,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    /// Reads `key` by `convert`; what it is not is reported as not being `wanted`.
    fn value<T>(
        &mut self,
        key: &str,
        wanted: &str,
        convert: impl FnOnce(Value, &str) -> Option<T>,
    ) -> Option<T> {
        let Some(sourced) = self.merged.get(key) else {
            self.problem(key, "no layer".to_owned(), format!("is not set; it must be {wanted}"));
            return None;
        };
        let text = sourced.value.clone().into_string().unwrap_or_default();
        let converted = convert(sourced.value.clone(), text.trim());
        if converted.is_none() {
            let given =
                if super::secret::is_secret(key) { "the value".to_owned() } else { format!("\"{text}\"") };
            self.problem(key, sourced.origin.clone(), format!("{given} is not {wanted}"));
        }
        converted
    }

    fn problem(&mut self, key: &str, origin: String, message: String) {
        self.problems.push(Problem { key: key.to_owned(), origin, message });
    }

    fn text(&mut self, key: &str) -> Option<String> {
        self.value(key, "text", |value, _| value.into_string().ok())
    }

    fn optional(&mut self, key: &str) -> Option<Option<String>> {
        self.text(key).map(|text| Some(text).filter(|text| !text.is_empty()))
    }

    /// A secret, or what the file named by the same key with `_file` behind it holds.
    fn secret(&mut self, key: &str) -> Option<Option<Secret>> {
        let (given, file_key) = (self.optional(key)?, format!("{key}_file"));
        let Some(file) = self.path(&file_key)? else { return Some(given.map(Secret::from)) };
        let origin = self.merged.get(&file_key).map_or_else(String::new, |sourced| sourced.origin.clone());
        if given.is_some() {
            self.problem(&file_key, origin, format!("is set together with {key}; leave one of them empty"));
            return None;
        }
        match std::fs::read_to_string(&file) {
            Ok(text) if !text.trim_end().is_empty() => Some(Some(Secret::from(text.trim_end().to_owned()))),
            Ok(_) => {
                self.problem(&file_key, origin, format!("names {}, which is empty", file.display()));
                None
            }
            Err(error) => {
                let message = format!("names {}, which cannot be read: {error}", file.display());
                self.problem(&file_key, origin, message);
                None
            }
        }
    }

    fn path(&mut self, key: &str) -> Option<Option<PathBuf>> {
        self.optional(key).map(|text| text.map(PathBuf::from))
    }

    fn parsed<T: FromStr>(&mut self, key: &str, wanted: &str) -> Option<T> {
        self.value(key, wanted, |_, text| text.parse().ok())
    }

    fn duration(&mut self, key: &str) -> Option<Duration> {
        self.value(key, "a duration such as \"120s\" or \"10m\"", |_, text| {
            humantime_serde::re::humantime::parse_duration(text).ok()
        })
    }

    fn size(&mut self, key: &str) -> Option<usize> {
        self.value(key, "a size such as \"64MiB\"", |_, text| usize::try_from(parse_size(text)?).ok())
    }

    fn flag(&mut self, key: &str) -> Option<bool> {
        self.value(key, "true or false", |_, text| text.parse().ok())
    }
}

fn kafka(read: &mut Reader<'_>) -> Option<KafkaSettings> {
    let brokers = read.text("kafka.brokers");
    let group_id = read.text("kafka.group_id");
    let security_protocol = read.text("kafka.security_protocol");
    let sasl_mechanism = read.optional("kafka.sasl_mechanism");
    let sasl_username = read.optional("kafka.sasl_username");
    let sasl_password = read.secret("kafka.sasl_password");
    let sasl_token_file = read.path("kafka.sasl_token_file");
    let ssl_ca_location = read.path("kafka.ssl_ca_location");
    let ssl_certificate_location = read.path("kafka.ssl_certificate_location");
    let ssl_key_location = read.path("kafka.ssl_key_location");
    let ssl_key_password = read.secret("kafka.ssl_key_password");
    let session_timeout = read.duration("kafka.session_timeout");
    let request_timeout = read.duration("kafka.request_timeout");
    let metadata_interval = read.duration("kafka.metadata_interval");
    let topics = topics(read);
    let properties = properties(read);
    Some(KafkaSettings {
        brokers: brokers?,
        group_id: group_id?,
        security_protocol: security_protocol?.to_lowercase(),
        sasl_mechanism: sasl_mechanism?,
        sasl_username: sasl_username?,
        sasl_password: sasl_password?,
        sasl_token_file: sasl_token_file?,
        ssl_ca_location: ssl_ca_location?,
        ssl_certificate_location: ssl_certificate_location?,
        ssl_key_location: ssl_key_location?,
        ssl_key_password: ssl_key_password?,
        session_timeout: session_timeout?,
        request_timeout: request_timeout?,
        metadata_interval: metadata_interval?,
        topics: topics?,
        properties: properties?,
    })
}

fn topics(read: &mut Reader<'_>) -> Option<Topics> {
    let names: Vec<_> = EventKind::ALL
        .into_iter()
        .map(|kind| read.text(&format!("kafka.topics.{}", kind.table())).map(|name| (kind, name)))
        .collect();
    Some(Topics { names: names.into_iter().collect::<Option<_>>()? })
}

fn properties(read: &mut Reader<'_>) -> Option<BTreeMap<String, Secret>> {
    let keys: Vec<String> = read.merged.keys().filter(|key| key.starts_with(PROPERTIES)).cloned().collect();
    let pairs: Vec<_> = keys
        .into_iter()
        .map(|key| read.text(&key).map(|text| (key[PROPERTIES.len()..].to_owned(), Secret::from(text))))
        .collect();
    pairs.into_iter().collect()
}

fn lake(read: &mut Reader<'_>) -> Option<LakeSettings> {
    // A bucket's names are what is written, and readers of the lake write the same.
    let as_written = |text: &str, url: &Url| !text.starts_with("gs://") || url.as_str() == text;
    let wanted = "a URL; write file:///folder or gs://bucket/prefix, a prefix with plain letters and no `..`";
    let url = read
        .value("lake.url", wanted, |_, text| text.parse::<Url>().ok().filter(|url| as_written(text, url)));
    let upload_interval = read.duration("lake.upload_interval");
    let max_batch_bytes = read.size("lake.max_batch_bytes");
    let compression_level = read.parsed("lake.compression_level", "a whole number from 1 to 19");
    let snapshot_interval = read.duration("lake.snapshot_interval");
    Some(LakeSettings {
        url: url?,
        upload_interval: upload_interval?,
        max_batch_bytes: max_batch_bytes?,
        compression_level: compression_level?,
        snapshot_interval: snapshot_interval?,
    })
}

fn memory(read: &mut Reader<'_>) -> Option<MemorySettings> {
    let budget = read.size("memory.budget");
    let fetch_budget = read.size("memory.fetch_budget");
    let dictionary_budget = read.size("memory.dictionary_budget");
    Some(MemorySettings {
        budget: budget?,
        fetch_budget: fetch_budget?,
        dictionary_budget: dictionary_budget?,
    })
}

fn gcs(read: &mut Reader<'_>) -> Option<GcsSettings> {
    let endpoint = read.value("gcs.endpoint", "a URL such as http://127.0.0.1:4443", |_, text| {
        if text.is_empty() { Some(None) } else { text.parse::<Url>().ok().map(Some) }
    });
    let credentials_file = read.path("gcs.credentials_file");
    let deadline = read.duration("gcs.deadline");
    Some(GcsSettings { endpoint: endpoint?, credentials_file: credentials_file?, deadline: deadline? })
}

fn windows(read: &mut Reader<'_>) -> Option<WindowSettings> {
    let lateness = read.duration("windows.lateness");
    let retention = read.duration("windows.retention");
    let future_limit = read.duration("windows.future_limit");
    let idle_after = read.duration("windows.idle_after");
    let max_ahead = read.duration("windows.max_ahead");
    Some(WindowSettings {
        lateness: lateness?,
        retention: retention?,
        future_limit: future_limit?,
        idle_after: idle_after?,
        max_ahead: max_ahead?,
    })
}

fn decode(read: &mut Reader<'_>) -> Option<DecodeSettings> {
    let repair = read.flag("decode.repair");
    let reject_limit_share = read.parsed("decode.reject_limit_share", "a share from 0 to 1");
    let reject_limit_records = read.parsed("decode.reject_limit_records", "a whole number");
    Some(DecodeSettings {
        repair: repair?,
        reject_limit_share: reject_limit_share?,
        reject_limit_records: reject_limit_records?,
    })
}

fn privacy(read: &mut Reader<'_>) -> Option<Privacy> {
    let mode = read.value("privacy.mode", "\"keep\", \"drop\" or \"hash\"", |_, text| {
        ["keep", "drop", "hash"].into_iter().find(|mode| *mode == text)
    });
    let key = read.secret("privacy.key");
    match (mode?, key?) {
        ("drop", _) => Some(Privacy::Drop),
        ("hash", Some(key)) if key.expose().len() >= MIN_KEY => Some(Privacy::hash(key.expose().as_bytes())),
        ("hash", _) => {
            let origin = read.merged.get("privacy.mode").map_or_else(String::new, |mode| mode.origin.clone());
            let message = format!("\"hash\" needs privacy.key or privacy.key_file, at least {MIN_KEY} bytes");
            read.problem("privacy.mode", origin, message);
            None
        }
        _ => Some(Privacy::Keep),
    }
}

fn http(read: &mut Reader<'_>) -> Option<HttpSettings> {
    let listen = read.parsed("http.listen", "an address such as 127.0.0.1:8080");
    let token = read.secret("http.token");
    let anonymous = read.flag("http.anonymous");
    let certificate = read.path("http.tls_certificate_file");
    let key = read.path("http.tls_key_file");
    let tls = match (certificate?, key?) {
        (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
        (None, None) => None,
        _ => {
            let message = "must be set together with http.tls_certificate_file".to_owned();
            let key = "http.tls_key_file";
            let origin = read.merged.get(key).map_or_else(String::new, |sourced| sourced.origin.clone());
            read.problem(key, origin, message);
            return None;
        }
    };
    Some(HttpSettings { listen: listen?, token: token?, anonymous: anonymous?, tls })
}

fn supervisor(read: &mut Reader<'_>) -> Option<SupervisorSettings> {
    let stuck_after = read.duration("supervisor.stuck_after");
    let restart_limit = read.parsed("supervisor.restart_limit", "a whole number");
    let restart_window = read.duration("supervisor.restart_window");
    let backoff_initial = read.duration("supervisor.backoff_initial");
    let backoff_max = read.duration("supervisor.backoff_max");
    let drain_deadline = read.duration("supervisor.drain_deadline");
    Some(SupervisorSettings {
        stuck_after: stuck_after?,
        restart_limit: restart_limit?,
        restart_window: restart_window?,
        backoff_initial: backoff_initial?,
        backoff_max: backoff_max?,
        drain_deadline: drain_deadline?,
    })
}

fn log(read: &mut Reader<'_>) -> Option<LogSettings> {
    let level = read.text("log.level");
    let format = read.value("log.format", "\"auto\", \"text\" or \"json\"", |_, text| match text {
        "auto" => Some(LogFormat::Auto),
        "text" => Some(LogFormat::Text),
        "json" => Some(LogFormat::Json),
        _ => None,
    });
    Some(LogSettings { level: level?, format: format? })
}
