//! `replay`: files into a topic.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use actix::prelude::*;
use anyhow::Context as _;
use tokio::sync::oneshot;

use super::args::ReplayArgs;
use crate::actors::producer::{Flush, Produce, ProduceError, Producer, StopProducing, chunk_records};
use crate::config::KafkaSettings;
use crate::kafka::lines::LineReader;
use crate::kafka::producer::{Compression, RecordProducer};
use crate::kafka::topics::{self, TopicError};
use crate::progress::Bar;
use crate::signals::Signals;

/// Sends all files; returns once every record is acknowledged.
pub(super) fn replay(settings: &KafkaSettings, args: &ReplayArgs) -> anyhow::Result<()> {
    let input = Input::new(&args.files)?;
    System::new().block_on(async {
        ensure_topic(settings, args).await?;
        send(settings, args, input).await
    })
}

/// What is to be read, and how far reading is.
struct Input {
    files: Vec<PathBuf>,
    taken: Arc<AtomicU64>,
    sent: Arc<AtomicU64>,
    bar: Bar,
}

impl Input {
    /// # Errors
    /// A file that is not there: said before anything is sent.
    fn new(files: &[PathBuf]) -> anyhow::Result<Self> {
        let mut total = Some(0);
        for file in files {
            if file == Path::new("-") {
                total = None;
                continue;
            }
            let size =
                std::fs::metadata(file).with_context(|| format!("{} cannot be read", file.display()))?.len();
            total = total.map(|total: u64| total + size);
        }
        Ok(Self { files: files.to_vec(), taken: Arc::default(), sent: Arc::default(), bar: bar(total) })
    }

    fn name(&self, file: usize) -> String {
        self.files.get(file).map_or_else(String::new, |file| file.display().to_string())
    }
}

fn bar(total: Option<u64>) -> Bar {
    let template = match total {
        Some(_) => "{bar:30} {percent}% of {total_bytes}, {msg}, {eta} left",
        None => "{spinner} {bytes}, {msg}",
    };
    Bar::show(total, template)
}

async fn ensure_topic(settings: &KafkaSettings, args: &ReplayArgs) -> Result<(), TopicError> {
    let (asked, topic) = (settings.clone(), args.topic.clone());
    let found = tokio::task::spawn_blocking(move || topics::partitions(&asked, &topic)).await;
    let found = found.unwrap_or_else(|error| Err(TopicError::Broker(error.to_string())))?;
    match (found, args.create_partitions) {
        (Some(_), _) => Ok(()),
        (None, Some(partitions)) => topics::create(settings, &args.topic, partitions).await,
        (None, None) => Err(TopicError::Missing(args.topic.clone(), settings.brokers.clone())),
    }
}

async fn send(settings: &KafkaSettings, args: &ReplayArgs, input: Input) -> anyhow::Result<()> {
    let client = Arc::new(RecordProducer::new(settings, Compression::Lz4).map_err(anyhow::Error::msg)?);
    let producer = Producer::new(Arc::clone(&client), &args.topic, args.rate).start();
    let started = Instant::now();
    let input = Arc::new(input);
    let mut read = reader(Arc::clone(&input), producer.clone(), chunk_records(args.rate));
    let mut signals = Signals::listen()?;
    let mut tick = tokio::time::interval(Duration::from_millis(200));
    let mut stopped = false;
    let read = loop {
        tokio::select! {
            read = &mut read => break read.unwrap_or_else(|_| Err(anyhow::anyhow!("the reader ended early"))),
            () = signals.next() => {
                stopped = true;
                break stop(&producer).await;
            }
            _ = tick.tick() => draw(&input, started),
        }
    };
    // What was taken before a failure or a stop is still delivered.
    let mut flushing = std::pin::pin!(producer.send(Flush));
    let flushed = loop {
        tokio::select! {
            flushed = &mut flushing => break flushed?,
            // Who is stopped again does not want to wait for a broker that is away.
            () = signals.next() => {
                if std::mem::replace(&mut stopped, true) {
                    tracing::warn!(records = client.delivered(), "stopped; what was not delivered yet is lost");
                    std::process::exit(1);
                }
            }
        }
    };
    input.bar.finish_and_clear();
    let records = client.delivered();
    tracing::info!(records, topic = %args.topic, seconds = started.elapsed().as_secs_f64(), "replayed");
    read?;
    flushed.map_err(|error| located(&input, error))
}

async fn stop(producer: &Addr<Producer>) -> anyhow::Result<()> {
    producer.send(StopProducing).await?;
    Err(ProduceError::Stopped.into())
}

/// Reads on a thread of its own; the result arrives once the last chunk is taken or something failed.
fn reader(
    input: Arc<Input>,
    producer: Addr<Producer>,
    max_records: usize,
) -> oneshot::Receiver<anyhow::Result<()>> {
    let (done, result) = oneshot::channel();
    std::thread::spawn(move || {
        // The receiver is gone where the replay was stopped; then nobody waits for the result.
        let _ = done.send(read_all(&input, &producer, max_records));
    });
    result
}

fn read_all(input: &Input, producer: &Addr<Producer>, max_records: usize) -> anyhow::Result<()> {
    let mut pending = None;
    for (file, path) in input.files.iter().enumerate() {
        let name = input.name(file);
        let mut lines = LineReader::open(path, Arc::clone(&input.taken)).with_context(|| name.clone())?;
        while let Some(chunk) =
            lines.next_chunk(max_records).with_context(|| format!("{name}, after line {}", lines.line()))?
        {
            input.sent.fetch_add(chunk.len() as u64, Ordering::Relaxed);
            // The next chunk is read while this one is being sent.
            let before = pending.replace(producer.send(Produce { file, chunk }));
            answered(input, before)?;
        }
    }
    answered(input, pending)
}

fn answered(input: &Input, pending: Option<Request<Producer, Produce>>) -> anyhow::Result<()> {
    match pending.map(futures::executor::block_on) {
        None => Ok(()),
        Some(answer) => answer?.map_err(|error| located(input, error)),
    }
}

fn located(input: &Input, error: ProduceError) -> anyhow::Error {
    match error {
        ProduceError::Undelivered(record) => anyhow::anyhow!("{}, {record}", input.name(record.origin.file)),
        ProduceError::Stopped => error.into(),
    }
}

fn draw(input: &Input, started: Instant) {
    let sent = input.sent.load(Ordering::Relaxed);
    let rate = sent as f64 / started.elapsed().as_secs_f64().max(0.001);
    input.bar.set_position(input.taken.load(Ordering::Relaxed));
    input.bar.set_message(format!("{sent} records, {rate:.0}/s"));
}
