//! `simulate`: listeners who behave like people, into topics, files or standard output.

pub(super) mod args;
mod plan;
mod run;
mod sink;

use std::sync::Arc;

use actix::prelude::*;

use crate::config::KafkaSettings;
use crate::signals::Signals;
use args::SimulateArgs;
use plan::Plan;
use run::{Run, Stop};

/// Simulates until the end that was asked for, or until a signal.
pub(super) fn simulate(settings: &KafkaSettings, args: &SimulateArgs) -> anyhow::Result<()> {
    let plan = Plan::new(args, wall_ms())?;
    System::new().block_on(async {
        let sink = sink::open(settings, args, &plan).await?;
        let mut signals = Signals::listen()?;
        let stop = Arc::new(Stop::default());
        let (done, mut result) = tokio::sync::oneshot::channel();
        let on_thread = Arc::clone(&stop);
        std::thread::spawn(move || {
            // The receiver lives until the result is there.
            let _ = done.send(Run::new(plan, sink).and_then(|run| run.finish(&on_thread)));
        });
        loop {
            tokio::select! {
                // The second one ends what takes no notice of the first: a site that is still being made.
                () = signals.next() => {
                    if stop.is_asked() {
                        std::process::exit(1);
                    }
                    stop.ask();
                }
                result = &mut result => {
                    let result = result.unwrap_or_else(|_| Err(anyhow::anyhow!("the simulation ended early")));
                    return result.or_else(nobody_reads);
                }
            }
        }
    })
}

/// Whoever read standard output has enough: no failure.
fn nobody_reads(error: anyhow::Error) -> anyhow::Result<()> {
    match error.downcast_ref::<std::io::Error>() {
        Some(cause) if cause.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        _ => Err(error),
    }
}

/// The wall clock, milliseconds since 1970 UTC.
fn wall_ms() -> i64 {
    (time::OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000) as i64
}
