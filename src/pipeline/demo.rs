//! `demo`: listeners, a broker, the engine and a lake in one process.

mod listeners;

use std::fs::{File, TryLockError};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::System;
use anyhow::{Context as _, bail};
use humantime_serde::re::humantime::format_duration;

use self::listeners::Listeners;
use super::{Beside, RunOptions, Verdict, VerifyOptions, open_store, run_in_system, say, verify, writer};
use crate::config::Settings;
use crate::kafka::embedded::{EmbeddedBroker, EmbeddedLog};
use crate::kafka::{TopicIdentity, producer::Compression, producer::RecordProducer};
use crate::lake::chain::{Chain, epoch_record, newest_epoch, open_next_epoch, partitions_of};
use crate::lake::layout::ChainKey;
use crate::lake::ledger::EpochRecord;
use crate::lake::parquet::ParquetCodec;
use crate::lake::store::{Access, Store};
use crate::schemas::EventKind;
use crate::simulator::{SimulatorConfig, SiteConfig, Trends, World};
use crate::status::now_ms;

/// Partitions of each topic: enough to see them side by side.
const PARTITIONS: i32 = 4;

/// How the demo goes about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DemoOptions {
    /// Listeners.
    pub users: u32,
    /// Seed of all chance.
    pub seed: u64,
    /// How much of the past is simulated first.
    pub history: Duration,
}

/// Runs until it is told to stop, then checks the lake. Blocks; starts its own actix system.
///
/// # Errors
/// What made it give up, in words.
pub fn demo(mut settings: Settings, options: DemoOptions) -> anyhow::Result<Verdict> {
    let topics: Vec<(EventKind, String)> =
        settings.kafka.topics.all().map(|(kind, topic)| (kind, topic.to_owned())).collect();
    let _alone = hold(&settings)?;
    // Before the lake is touched: another program may have the address.
    let listen = settings.http.listen;
    drop(TcpListener::bind(listen).with_context(|| format!("http.listen {listen} cannot be bound"))?);
    let broker = EmbeddedBroker::start(topics.iter().map(|(_, topic)| (topic.as_str(), PARTITIONS)))
        .context("the demo's broker does not start")?;
    settings.kafka.brokers = broker.address();
    // Whatever the broker wants that the settings are for otherwise.
    settings.kafka.security_protocol = "plaintext".to_owned();
    let (run, began) = (writer(), Instant::now());
    System::new().block_on(async {
        let store = open_store(&settings, Access::Write, &Arc::default()).await?;
        let identity = EmbeddedLog::identity_of(&run);
        let before = take_up(&store, &topics, &identity, &run).await?;
        let now = now_ms();
        let start = now - i64::try_from(options.history.as_millis()).unwrap_or(i64::MAX);
        // One second on: the last one of before may be there in part only, and none is to be there twice.
        let start_ms = before.map_or(start, |newest| start.max(newest + 1_000)).min(now);
        let config = simulator_config(&options, start_ms)?;
        config.check()?;
        greet(&settings, &options, before)?;
        let listeners = Listeners::new(config, &settings);
        let beside = Beside {
            log: Box::new(move |log| Arc::new(EmbeddedLog::new(log, identity))),
            task: Box::new(move |board| Box::pin(listeners.live(board))),
        };
        let partitions = topics.len() * PARTITIONS as usize;
        run_in_system(settings.clone(), RunOptions::default(), partitions, beside).await
    })?;
    // Whoever watched may have been ended by the same Ctrl-C; the lake is checked all the same.
    let _ = say(format_args!("\nStopped after {} s. Checking the lake:", began.elapsed().as_secs()));
    let verdict = verify(settings, VerifyOptions::default())?;
    // The process ends now. Its clients are still connected, and would complain of a broker that is gone before them.
    std::mem::forget(broker);
    Ok(verdict)
}

/// Holds the lake's folder for as long as the answer lives: another demo would close the epochs that this one writes to.
fn hold(settings: &Settings) -> anyhow::Result<Option<File>> {
    let Ok(folder) = settings.lake.url.to_file_path() else { return Ok(None) };
    let held = std::fs::create_dir_all(&folder).and_then(|()| File::open(&folder));
    let held = held.with_context(|| format!("{} cannot be made or opened", folder.display()))?;
    match held.try_lock() {
        Ok(()) => Ok(Some(held)),
        Err(TryLockError::WouldBlock) => {
            bail!(
                "another demo writes into {}; end it, or name another folder with --folder",
                folder.display()
            )
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("{} cannot be locked", folder.display()))
        }
    }
}

/// Opens an epoch of each topic for this run's broker, whose topics are new. Answers with the newest event time that
/// the lake holds already.
async fn take_up(
    store: &Arc<dyn Store>,
    topics: &[(EventKind, String)],
    identity: &TopicIdentity,
    writer: &str,
) -> anyhow::Result<Option<i64>> {
    let ids = (identity.cluster_id.as_deref(), identity.topic_id.as_deref());
    let mut newest = None;
    for (kind, topic) in topics {
        if let Some(epoch) = newest_epoch(&**store, topic).await? {
            let record = epoch_record(&**store, topic, epoch).await?;
            if record.is_some_and(|record| record.cluster_id != identity.cluster_id) {
                bail!(
                    "the lake holds {topic} of a real cluster, into which a demo must not write; name another \
                     folder with --folder"
                );
            }
        }
        let epoch =
            open_next_epoch(store, topic, *kind, PARTITIONS, ids.0, ids.1, writer, &ParquetCodec).await?;
        // A start that came to nothing leaves an epoch without a record.
        for before in (1..epoch).rev() {
            if let Some(last) = newest_event(store, *kind, topic, before).await? {
                newest = newest.max(Some(last));
                break;
            }
        }
    }
    Ok(newest)
}

/// The newest event time, ms, that an epoch of a topic saw.
async fn newest_event(
    store: &Arc<dyn Store>,
    kind: EventKind,
    topic: &str,
    epoch: u32,
) -> anyhow::Result<Option<i64>> {
    let mut newest = None;
    for partition in partitions_of(&**store, topic, epoch).await? {
        let key = ChainKey { topic: topic.to_owned(), epoch, partition };
        let chain = Chain::new(Arc::clone(store), key, kind, EpochRecord::new(None, None), "demo");
        newest = newest.max(chain.head().await?.and_then(|head| head.clock_ms));
    }
    Ok(newest)
}

fn simulator_config(options: &DemoOptions, start_ms: i64) -> anyhow::Result<SimulatorConfig> {
    let mut config = SimulatorConfig::new(SiteConfig::own()?, Arc::new(World::own()), start_ms);
    config.users = options.users;
    config.seed = options.seed;
    config.trends = Trends::lively();
    Ok(config)
}

fn greet(settings: &Settings, options: &DemoOptions, before: Option<i64>) -> std::io::Result<()> {
    let scheme = if settings.http.tls.is_some() { "https" } else { "http" };
    let page = format!("{scheme}://{}/", settings.http.listen);
    let url = &settings.lake.url;
    let lake = url.to_file_path().map_or_else(|()| url.to_string(), |path| path.display().to_string());
    let history = format_duration(options.history);
    match before {
        None => {
            say(format_args!("A new lake in {lake}: {history} of history comes first, then live events."))?
        }
        Some(_) => say(format_args!(
            "The lake in {lake} goes on from where it ended: what happened meanwhile ({history} at most) comes first, \
             then live events. The charts begin with that. Remove the folder to begin anew."
        ))?,
    }
    say(format_args!(
        "
  page      {page}
  charts    curl '{page}api/v1/charts/songs?window=1h&limit=10'
  metrics   {page}metrics
  lake      every {} s, Parquet; with DuckDB:

    duckdb -c \"select artist, song, sum(plays) as plays from '{lake}/lake/v1/song_counts/**/*.parquet'
               group by all order by plays desc limit 10\"

Ctrl-C ends it: what is buffered is written, and the lake is checked.
",
        settings.lake.upload_interval.as_secs(),
        lake = lake.trim_end_matches('/').replace('\'', "''"),
    ))
}

/// The client that the listeners' events go through.
fn client(settings: &Settings) -> anyhow::Result<Arc<RecordProducer>> {
    let client = RecordProducer::new(&settings.kafka, Compression::None);
    Ok(Arc::new(client.map_err(anyhow::Error::msg)?))
}
