//! `verify`: the lake against its ledger, and on request against the log.

use actix::System;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{consumer_config, open_store};
use crate::config::Settings;
use crate::kafka::client::client_config;
use crate::kafka::retained::KafkaRetained;
use crate::lake::store::Store;
use crate::lake::verify::{Report, verify as verify_lake, verify_log};

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
        let store = open_store(&settings).await?;
        let bar = options.progress.then(ProgressBar::new_spinner);
        let mut report = verify_lake(&*store, &[], |report| {
            if let Some(bar) = &bar {
                bar.set_message(format!("{} entries, {} objects", report.entries, report.objects));
                bar.tick();
            }
        })
        .await?;
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
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
    let bar = options.progress.then(log_bar);
    verify_log(store, &mut log, &topics, report, |done| {
        if let Some(bar) = &bar {
            bar.set_length(done.total_offsets);
            bar.set_position(done.offsets);
        }
    })
    .await?;
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    Ok(())
}

fn log_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(5));
    match ProgressStyle::with_template("{bar:30} {percent}% of the log, {per_sec}, {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn print(report: &Report) {
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
    if let Some(log) = &report.log {
        println!(
            "compared with the log of {} partitions: {} entries whole, {} in part, {} no longer held; {} records",
            log.partitions, log.whole, log.partly, log.expired, log.records
        );
    }
}
