//! `verify`: the lake against its ledger, on request against the log, and what is missing written again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::System;
use futures::future;

use super::{consumer_config, open_store, writer};
use crate::config::Settings;
use crate::kafka::client::client_config;
use crate::kafka::retained::{KafkaRanges, KafkaRetained};
use crate::lake::chain::check_layout;
use crate::lake::encoders::Encoders;
use crate::lake::store::{Store, StoreError};
use crate::lake::verify::{self, Report, Scope, count_entries, verify_log};
use crate::progress::{Bar, left};

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

/// Checks the lake against the ledger, and with [`VerifyOptions::kafka`] against the log. Blocks.
///
/// # Errors
/// The lake or the broker could not be read.
pub fn verify(settings: Settings, options: VerifyOptions) -> anyhow::Result<Verdict> {
    System::new().block_on(async {
        let store = open_store(&settings, &Arc::default()).await?;
        check_layout(&*store).await?;
        let mut report = check(&*store, options).await?;
        if options.repair && repair(&settings, &store, &report).await? > 0 {
            report = check(&*store, options).await?;
        }
        if options.kafka {
            compare(&settings, options, &*store, &mut report).await?;
        }
        print(&report);
        Ok(if report.is_sound() { Verdict::Sound } else { Verdict::Damaged })
    })
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
    if report.unfinished.is_empty() {
        return Ok(0);
    }
    let mut log = KafkaRanges::new(retained(settings)?, settings.decode.repair, settings.privacy.clone());
    let encoders = Encoders::new(1, settings.lake.compression_level);
    let mut whole = 0;
    for repaired in verify::repair(store, &encoders, &mut log, &writer(), &report.unfinished).await {
        match repaired.outcome {
            Ok(objects) => {
                whole += 1;
                println!("repaired: {}: {objects} objects written", repaired.entry);
            }
            Err(why) => println!("not repaired: {}: {why}", repaired.entry),
        }
    }
    Ok(whole)
}

pub(super) fn retained(settings: &Settings) -> anyhow::Result<KafkaRetained> {
    // One partition is read at a time: it may have the whole fetch budget.
    KafkaRetained::new(&consumer_config(settings, 1), &client_config(&settings.kafka))
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

fn print(report: &Report) {
    for loss in &report.losses {
        println!("{loss}");
    }
    if report.more_losses > 0 {
        println!("gap or lost: {} more", report.more_losses);
    }
    for damage in &report.damage {
        println!("damage: {damage}");
    }
    if report.more_damage > 0 {
        println!("damage: {} findings more", report.more_damage);
    }
    let found = report.damage.len();
    println!(
        "{} chains, {} entries, {} objects, {} rows: {found} kinds of damage",
        report.chains, report.entries, report.objects, report.rows
    );
    if report.skipped > 0 {
        println!("{} older entries: only that they follow each other, each with its receipt", report.skipped);
    }
    if report.gap_offsets > 0 || report.lost > 0 {
        println!(
            "not in the lake, as the ledger says: {} offsets in gaps, {} records lost",
            report.gap_offsets, report.lost
        );
    }
    if let Some(log) = &report.log {
        println!(
            "compared with the log of {} partitions: {} entries whole, {} in part, {} no longer held; {} records",
            log.partitions, log.whole, log.partly, log.expired, log.records
        );
    }
}
