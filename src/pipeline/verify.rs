//! `verify`: the lake against its ledger, on request against the log, and what is missing written again.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::System;
use anyhow::bail;
use futures::future;

use super::{consumer_config, open_store, say, writer};
use crate::config::Settings;
use crate::kafka::client::client_config;
use crate::kafka::retained::{KafkaRanges, KafkaRetained};
use crate::lake::chain::check_layout;
use crate::lake::encoders::Encoders;
use crate::lake::store::{Access, Store, StoreError};
use crate::lake::verify::{self, Report, Scope, count_entries, verify_log};
use crate::progress::{Bar, left};
use crate::signals::Signals;

/// Between two log lines that say how far it is, where no bar is drawn.
const SAY_AGAIN: Duration = Duration::from_secs(10);

/// What `verify` looks at, and does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VerifyOptions {
    /// Also compare the ranges that Kafka still holds with the log.
    pub kafka: bool,
    /// Write what is missing and can be had again, then look again.
    pub repair: bool,
    /// See [`Scope::since_ms`].
    pub since_ms: Option<i64>,
    /// Whether to draw a progress bar.
    pub progress: bool,
}

/// What `verify` found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The lake is what the ledger says.
    Sound,
    /// Damage was found, and printed.
    Damaged,
}

/// Checks the lake against the ledger, and with [`VerifyOptions::kafka`] against the log. Blocks; a signal ends the process.
///
/// # Errors
/// There is no lake; it or the broker could not be read.
pub fn verify(settings: Settings, options: VerifyOptions) -> anyhow::Result<Verdict> {
    System::new().block_on(async {
        // Who ran something else before in this process may have left handlers behind, with which a signal would do nothing.
        let mut signals = Signals::listen()?;
        tokio::select! {
            verdict = verified(settings, options) => verdict,
            () = signals.next() => std::process::exit(1),
        }
    })
}

async fn verified(settings: Settings, options: VerifyOptions) -> anyhow::Result<Verdict> {
    let store = open_store(&settings, Access::Read, &Arc::default()).await?;
    check_layout(&*store).await?;
    if store.list("ledger/", None, None).await?.objects.is_empty() {
        // More likely another place than was meant than a lake in which nothing is wrong.
        bail!(
            "{} holds no ledger: correct lake.url (--lake-url), or let an engine write there first",
            settings.lake.url
        );
    }
    let mut report = check(&*store, options).await?;
    if options.repair && !report.unfinished.is_empty() {
        let store = open_store(&settings, Access::Write, &Arc::default()).await?;
        if repair(&settings, &store, &report).await? > 0 {
            report = check(&*store, options).await?;
        }
    }
    let compared = match options.kafka {
        true => compare(&settings, options, &*store, &mut report).await,
        false => Ok(()),
    };
    // First, for what was found so far may have taken hours.
    print(&report)?;
    if report.is_sound() {
        return compared.map(|()| Verdict::Sound);
    }
    if let Err(error) = compared {
        tracing::error!(error = format!("{error:#}"), "the log could not be compared to its end");
    }
    Ok(Verdict::Damaged)
}

async fn check(store: &dyn Store, options: VerifyOptions) -> Result<Report, StoreError> {
    let scope = Scope { topics: &[], since_ms: options.since_ms };
    if !options.progress {
        let mut said = Instant::now();
        let say = |report: &Report| {
            if said.elapsed() > SAY_AGAIN {
                said = Instant::now();
                let Report { entries, skipped, objects, bytes, .. } = *report;
                tracing::info!(entries, skipped, objects, bytes, "verifying");
            }
        };
        return verify::verify(store, scope, say).await;
    }
    // How many there are is found out while the first are checked.
    let bar = Bar::show(None, "{spinner} {pos} of {len} entries, {msg}");
    let checked = verify::verify(store, scope, |report| {
        bar.set_position(report.entries + report.skipped);
        bar.set_message(format!("{} objects, {}", report.objects, left(&bar)));
    });
    let counted = async {
        bar.set_length(count_entries(store, scope).await?);
        Ok(())
    };
    future::try_join(checked, counted).await.map(|(report, ())| report)
}

/// Repairs what the report says is missing, says what came of it, and returns the number of entries that are whole now.
async fn repair(settings: &Settings, store: &Arc<dyn Store>, report: &Report) -> anyhow::Result<usize> {
    let mut log = KafkaRanges::new(retained(settings)?, settings.decode.repair, settings.privacy.clone());
    let encoders = Encoders::new(1, settings.lake.compression_level);
    let mut whole = 0;
    for repaired in verify::repair(store, &encoders, &mut log, &writer(), &report.unfinished).await {
        match repaired.outcome {
            Ok(objects) => {
                whole += 1;
                say(format_args!("repaired: {}: {objects} objects written", repaired.entry))?;
            }
            Err(why) => say(format_args!("not repaired: {}: {why}", repaired.entry))?,
        }
    }
    Ok(whole)
}

pub(super) fn retained(settings: &Settings) -> anyhow::Result<KafkaRetained> {
    // One partition is read at a time: it may have the whole fetch budget.
    let (consumer, admin) = (consumer_config(settings, 1), client_config(&settings.kafka));
    KafkaRetained::new(&consumer, &admin, settings.kafka.request_timeout)
}

async fn compare(
    settings: &Settings,
    options: VerifyOptions,
    store: &dyn Store,
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut log = retained(settings)?;
    let topics: Vec<String> = settings.kafka.topics.all().map(|(_, topic)| topic.to_owned()).collect();
    let bar = options.progress.then(|| Bar::show(Some(0), "{bar:30} {percent}% of the log, {msg}"));
    verify_log(store, &mut log, &topics, report, |done| {
        if let Some(bar) = &bar {
            bar.set_length(done.total_offsets);
            bar.set_position(done.offsets);
            bar.set_message(left(bar));
        }
    })
    .await?;
    Ok(())
}

fn print(report: &Report) -> io::Result<()> {
    for loss in &report.losses {
        say(loss)?;
    }
    if report.more_losses > 0 {
        say(format_args!("gap or lost: {} more", report.more_losses))?;
    }
    for damage in &report.damage {
        say(format_args!("damage: {damage}"))?;
    }
    if report.more_damage > 0 {
        say(format_args!("damage: {} findings more", report.more_damage))?;
    }
    let found = report.damage.len() as u64 + report.more_damage;
    say(format_args!(
        "{} chains, {} entries, {} objects, {} rows: {found} findings of damage",
        report.chains, report.entries, report.objects, report.rows
    ))?;
    if report.skipped > 0 {
        let skipped = report.skipped;
        say(format_args!(
            "{skipped} older entries: only that they follow each other, each with its receipt"
        ))?;
    }
    if report.gap_offsets > 0 || report.lost > 0 {
        say(format_args!(
            "not in the lake, as the ledger says: {} offsets in gaps, {} records lost",
            report.gap_offsets, report.lost
        ))?;
    }
    if let Some(log) = &report.log {
        for topic in &log.unknown {
            say(format_args!("not compared: the ledger knows nothing of topic {topic}"))?;
        }
        say(format_args!(
            "compared with the log of {} partitions: {} entries whole, {} in part, {} no longer held; {} records",
            log.partitions, log.whole, log.partly, log.expired, log.records
        ))?;
    }
    Ok(())
}
