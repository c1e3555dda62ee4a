//! `status`: what `/api/v1/status` says, as a table.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

use super::args::StatusArgs;
use super::local;
use crate::config::HttpSettings;

/// With `--watch` the table is drawn anew this often.
const REFRESH: Duration = Duration::from_secs(2);
/// An engine that answers at all does so sooner.
const TIMEOUT: Duration = Duration::from_secs(10);

const COLUMNS: [(&str, &str); 10] = [
    ("TOPIC", "topic"),
    ("PART", "partition"),
    ("EPOCH", "epoch"),
    ("POSITION", "position"),
    ("HEAD", "head"),
    ("LAG", "lag"),
    ("FRESHNESS", "freshness_seconds"),
    ("NEWEST EVENT", "newest"),
    ("IDLE", "idle"),
    ("PAUSED", "paused"),
];

pub(super) fn status(settings: &HttpSettings, args: &StatusArgs) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let asked = Asked::new(settings, args)?;
        loop {
            let shown = match asked.answer().await {
                Ok(answer) => table(&answer),
                // It may be starting anew, which is what one watches.
                Err(error) if args.watch => format!("{error:#}\n"),
                Err(error) => return Err(error),
            };
            let mut out = std::io::stdout();
            let clear = if args.watch && out.is_terminal() { "\x1b[H\x1b[2J" } else { "" };
            write!(out, "{clear}{shown}")?;
            out.flush()?;
            if !args.watch {
                return Ok(());
            }
            tokio::time::sleep(REFRESH).await;
        }
    })
}

/// The engine that is asked.
struct Asked {
    client: reqwest::Client,
    url: String,
    token: Option<crate::config::Secret>,
}

impl Asked {
    fn new(settings: &HttpSettings, args: &StatusArgs) -> anyhow::Result<Self> {
        let mut client = local::client(TIMEOUT);
        if let Some(tls) = &settings.tls {
            let pem = std::fs::read(&tls.certificate).context("http.tls_certificate_file")?;
            client = client.tls_certs_merge(reqwest::Certificate::from_pem_bundle(&pem)?);
        } else if args.url.as_ref().is_none_or(|url| url.starts_with("http://")) {
            client = client.tls_certs_only([]);
        }
        let base = args.url.clone().unwrap_or_else(|| local::url(settings));
        let url = format!("{}/api/v1/status", base.trim_end_matches('/'));
        Ok(Self { client: client.build()?, url, token: settings.token.clone() })
    }

    async fn answer(&self) -> anyhow::Result<Value> {
        let mut request = self.client.get(&self.url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose());
        }
        let help = || format!("no engine answers at {}; start one, or name it with --url", self.url);
        let answer = request.send().await.with_context(help)?;
        anyhow::ensure!(
            answer.status() != reqwest::StatusCode::UNAUTHORIZED,
            "{} asks for another token; set http.token_file as the engine has it",
            self.url
        );
        Ok(serde_json::from_slice(&answer.error_for_status()?.bytes().await?)?)
    }
}

/// The answer for people; what an older engine does not say is `-`.
fn table(answer: &Value) -> String {
    let said = |key: &str| cell(key, answer.get(key));
    let mut out =
        format!("version {}   state {}   watermark {}\n", said("version"), said("state"), said("watermark"));
    if let Some(reason) = answer.get("reason").and_then(Value::as_str) {
        let _ = writeln!(out, "reason  {reason}");
    }
    out.push('\n');
    let rows = answer.get("partitions").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut lines = vec![COLUMNS.map(|(title, _)| title.to_owned())];
    lines.extend(rows.iter().map(|row| COLUMNS.map(|(_, key)| cell(key, row.get(key)))));
    let widths: Vec<usize> = (0..COLUMNS.len())
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
        .collect();
    for line in &lines {
        let mut text = String::new();
        for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
            // Numbers stand to the right.
            let padded =
                if (1..=6).contains(&column) { format!("{cell:>width$}") } else { format!("{cell:<width$}") };
            let _ = write!(text, "{padded}  ");
        }
        let _ = writeln!(out, "{}", text.trim_end());
    }
    for row in rows {
        if let Some(why) = row.get("refused").and_then(Value::as_str) {
            let (topic, partition) =
                (cell("topic", row.get("topic")), cell("partition", row.get("partition")));
            let _ = writeln!(out, "{topic}[{partition}] is stopped until somebody acts: {why}");
        }
    }
    if rows.is_empty() {
        out.push_str("no partition is assigned\n");
    }
    out
}

fn cell(key: &str, value: Option<&Value>) -> String {
    match (key, value) {
        (_, None | Some(Value::Null)) => "-".into(),
        ("freshness_seconds", Some(value)) => format!("{:.1} s", value.as_f64().unwrap_or(0.0)),
        (_, Some(Value::Bool(true))) => "yes".into(),
        (_, Some(Value::Bool(false))) => "no".into(),
        (_, Some(Value::String(text))) => text.clone(),
        (_, Some(other)) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_stand_to_the_right_and_what_is_unknown_is_a_dash() {
        let row = |topic: &str, position: i64, head: Option<i64>| {
            json!({"topic": topic, "partition": 0, "epoch": 1, "position": position, "head": head, "lag": 3,
                "freshness_seconds": 1.26, "newest": "2026-01-01T00:00:00Z", "idle": false, "paused": false})
        };
        let mut answer = json!({"version": "1", "state": "running", "reason": null, "watermark": null,
            "partitions": [row("a", 5, Some(2)), row("longer", 12345, None)]});
        let expected = "\
version 1   state running   watermark -

TOPIC   PART  EPOCH  POSITION  HEAD  LAG  FRESHNESS  NEWEST EVENT          IDLE  PAUSED
a          0      1         5     2    3      1.3 s  2026-01-01T00:00:00Z  no    no
longer     0      1     12345     -    3      1.3 s  2026-01-01T00:00:00Z  no    no
";
        assert_eq!(table(&answer), expected);
        answer["reason"] = "a[0]: made anew".into();
        answer["partitions"][0]["refused"] = "made anew".into();
        let stopped = table(&answer);
        assert!(stopped.contains("watermark -\nreason  a[0]: made anew\n\nTOPIC"), "{stopped}");
        assert!(stopped.ends_with("\na[0] is stopped until somebody acts: made anew\n"), "{stopped}");
        assert!(table(&json!({})).ends_with("no partition is assigned\n"));
    }
}
