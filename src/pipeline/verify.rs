//! `verify`: the lake against its ledger, and on request against the log.

use std::sync::Arc;

use actix::System;

use super::{consumer_config, open_store};
use crate::config::Settings;
use crate::kafka::client::client_config;
use crate::kafka::retained::KafkaRetained;
use crate::lake::store::Store;
use crate::lake::verify::{Report, verify as verify_lake, verify_log};
use crate::progress::{Bar, left};

/// What `verify` looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VerifyOptions {
    /// Also compare the ranges that Kafka still holds with the log.
    pub kafka: bool,
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
        let bar = options.progress.then(|| Bar::show(None, "{spinner} {msg}"));
        let mut report = verify_lake(&*store, &[], |report| {
            if let Some(bar) = &bar {
                bar.set_message(format!("{} entries, {} objects", report.entries, report.objects));
                bar.tick();
            }
        })
        .await?;
        drop(bar);
        if options.kafka {
            compare(&settings, options, &*store, &mut report).await?;
        }
        print(&report);
        Ok(if report.is_sound() { Verdict::Sound } else { Verdict::Damaged })
    })
}

async fn compare(
    settings: &Settings,
    options: VerifyOptions,
    store: &dyn Store,
    report: &mut Report,
) -> anyhow::Result<()> {
    // One partition is read at a time: it may have the whole fetch budget.
    let mut log = KafkaRetained::new(&consumer_config(settings, 1), &client_config(&settings.kafka))?;
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
