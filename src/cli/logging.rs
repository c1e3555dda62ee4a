//! Log lines to standard error, as text or JSON.

use std::io::IsTerminal as _;

use anyhow::Context as _;
use tracing::Subscriber;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, fmt, registry};

use crate::config::{LogFormat, LogSettings};
use crate::lake::store::auth::LOG_LIMIT;
use crate::log_limit::LogLimit;
use crate::progress::Lines;

pub(super) fn start(settings: &LogSettings) -> anyhow::Result<()> {
    let started = subscriber(settings, std::io::stderr().is_terminal(), || Lines)?.try_init();
    started.map_err(|error| anyhow::anyhow!("the log cannot be started: {error}"))
}

/// Lines to `writer` of what `log.level` asks for and [`LOG_LIMIT`] allows: a filter of its own, because any directive
/// that is more specific would win over it within one.
fn subscriber<W>(
    settings: &LogSettings,
    ansi: bool,
    writer: W,
) -> anyhow::Result<impl Subscriber + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let asked = EnvFilter::builder().parse(&settings.level).context("log.level")?;
    let limit = LOG_LIMIT.parse::<Targets>().context("LOG_LIMIT")?.with_default(LevelFilter::TRACE);
    let lines = fmt::layer().with_writer(writer);
    let lines = match settings.format {
        LogFormat::Text => lines.with_ansi(ansi).boxed(),
        LogFormat::Auto if ansi => lines.with_ansi(ansi).boxed(),
        LogFormat::Auto | LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    Ok(registry().with(lines.with_filter(LogLimit::default())).with(asked).with(limit))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("no panic").extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(level: &str, format: LogFormat) -> String {
        let lines = Kept::default();
        let writer = lines.clone();
        let settings = LogSettings { level: level.to_owned(), format };
        let subscriber = subscriber(&settings, false, move || writer.clone()).expect("a subscriber");
        tracing::subscriber::with_default(subscriber, || {
            tracing::debug!(target: "yup_oauth2::authorized_user", "the refresh token");
            tracing::trace!(target: "yup_oauth2", "the key");
            tracing::info!(target: "yup_oauth2", "a harmless line");
            tracing::debug!(target: "beatlytica::kafka", "a detail");
        });
        let bytes = lines.0.lock().expect("no panic").clone();
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn no_level_makes_the_sign_in_print_its_secrets() {
        for level in [
            "trace",
            "yup_oauth2=trace",
            "trace,yup_oauth2::authorized_user=trace",
            "yup_oauth2::authorized_user",
        ] {
            for format in [LogFormat::Text, LogFormat::Json] {
                let text = logged(level, format);
                assert!(!text.contains("the refresh token") && !text.contains("the key"), "{level}: {text}");
            }
        }
    }

    #[test]
    fn the_level_rules_over_all_else() {
        let text = logged("info,beatlytica=debug", LogFormat::Text);
        assert!(text.contains("a harmless line") && text.contains("a detail"), "{text}");
        let text = logged("warn", LogFormat::Json);
        assert_eq!(text, "");
        let text = logged("debug", LogFormat::Json);
        let line: serde_json::Value =
            serde_json::from_str(text.lines().next().expect("a line")).expect("JSON");
        assert_eq!(line["message"], "a harmless line");
    }
}
