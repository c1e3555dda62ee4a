//! Where records go: topics, files or standard output; and the truth beside them.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use actix::prelude::*;
use anyhow::Context as _;

use super::args::SimulateArgs;
use super::plan::Plan;
use crate::actors::producer::{Flush, ProduceError, ProduceRecords, Producer};
use crate::config::KafkaSettings;
use crate::kafka::producer::{Compression, RecordProducer};
use crate::kafka::topics::{self, TopicError};
use crate::schemas::EventKind;
use crate::simulator::{Compat, Fate, RecordBuffer, write_truth};

/// Takes records.
pub(super) struct Sink {
    target: Target,
    truth: Option<OutFile>,
    /// Scratch for the truth's text.
    text: Vec<u8>,
}

enum Target {
    Topics { producer: Addr<Producer>, pending: Option<Request<Producer, ProduceRecords>> },
    Files(Vec<OutFile>),
    Stdout,
}

/// A file, plain or compressed.
enum OutFile {
    Plain(BufWriter<File>),
    Zstd(zstd::Encoder<'static, BufWriter<File>>),
}

impl OutFile {
    fn create(path: &Path, zstd: bool) -> anyhow::Result<Self> {
        let file = File::create(path).with_context(|| format!("{} cannot be created", path.display()))?;
        let file = BufWriter::with_capacity(1 << 20, file);
        Ok(if zstd { Self::Zstd(zstd::Encoder::new(file, 3)?) } else { Self::Plain(file) })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.write_all(bytes),
            Self::Zstd(encoder) => encoder.write_all(bytes),
        }
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(mut file) => file.flush(),
            Self::Zstd(encoder) => encoder.finish()?.flush(),
        }
    }
}

/// Opens what the arguments ask for.
///
/// # Errors
/// A topic is missing, the broker does not answer, or a file cannot be made.
pub(super) async fn open(settings: &KafkaSettings, args: &SimulateArgs, plan: &Plan) -> anyhow::Result<Sink> {
    let target = match &args.output.output {
        Some(path) if path == Path::new("-") => Target::Stdout,
        Some(folder) => Target::Files(files(folder, args.output.zstd)?),
        None => topics(settings, args.output.create_partitions, plan).await?,
    };
    let truth = match &args.disorder.truth {
        Some(path) => Some(OutFile::create(path, path.extension().is_some_and(|end| end == "zst"))?),
        None => None,
    };
    Ok(Sink { target, truth, text: Vec::new() })
}

async fn topics(settings: &KafkaSettings, create: Option<i32>, plan: &Plan) -> anyhow::Result<Target> {
    for (_, topic) in settings.topics.all() {
        let (asked, name) = (settings.clone(), topic.to_owned());
        let found = tokio::task::spawn_blocking(move || topics::partitions(&asked, &name)).await?;
        match (found?, create) {
            (Some(_), _) => {}
            (None, Some(partitions)) => topics::create(settings, topic, partitions).await?,
            (None, None) => {
                return Err(TopicError::Missing(topic.to_owned(), settings.brokers.clone()).into());
            }
        }
    }
    let client = Arc::new(RecordProducer::new(settings, Compression::Lz4).map_err(anyhow::Error::msg)?);
    let line_feeds = plan.config.compat == Compat::Eventsim;
    let producer = Producer::of_events(client, settings.topics.clone(), line_feeds, None).start();
    Ok(Target::Topics { producer, pending: None })
}

fn files(folder: &Path, zstd: bool) -> anyhow::Result<Vec<OutFile>> {
    std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be created", folder.display()))?;
    let end = if zstd { "jsonl.zst" } else { "jsonl" };
    let path = |kind: EventKind| folder.join(format!("{}.{end}", kind.table()));
    EventKind::ALL.into_iter().map(|kind| OutFile::create(&path(kind), zstd)).collect()
}

impl Sink {
    /// Takes the records, and gives a buffer to fill next.
    pub(super) fn write(&mut self, records: RecordBuffer) -> anyhow::Result<RecordBuffer> {
        match &mut self.target {
            Target::Stdout => io::stdout().lock().write_all(records.bytes())?,
            Target::Files(files) => {
                for record in records.iter() {
                    if let Some(file) = files.get_mut(record.envelope.kind as usize) {
                        file.write(record.line)?;
                    }
                }
            }
            Target::Topics { producer, pending } => {
                // The next records are simulated while these are sent.
                let before = pending.replace(producer.send(ProduceRecords { records }));
                return match before {
                    Some(before) => answer(before),
                    None => Ok(RecordBuffer::default()),
                };
            }
        }
        Ok(records)
    }

    /// Writes what was simulated, and what became of each record, to the file of the truth.
    pub(super) fn keep_truth(&mut self, records: &RecordBuffer, fates: &[Fate]) -> anyhow::Result<()> {
        if let Some(truth) = &mut self.truth {
            self.text.clear();
            write_truth(records, fates, &mut self.text);
            truth.write(&self.text)?;
        }
        Ok(())
    }

    /// Delivers everything.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        if let Some(truth) = self.truth {
            truth.finish()?;
        }
        match self.target {
            Target::Stdout => io::stdout().flush()?,
            Target::Files(files) => {
                for file in files {
                    file.finish()?;
                }
            }
            Target::Topics { producer, pending } => {
                if let Some(pending) = pending {
                    answer(pending)?;
                }
                futures::executor::block_on(producer.send(Flush))?.map_err(located)?;
            }
        }
        Ok(())
    }
}

fn answer(pending: Request<Producer, ProduceRecords>) -> anyhow::Result<RecordBuffer> {
    futures::executor::block_on(pending)?.map_err(located)
}

fn located(error: ProduceError) -> anyhow::Error {
    match error {
        ProduceError::Undelivered(record) => {
            anyhow::anyhow!("record {} was not delivered: {}", record.origin.line, record.cause)
        }
        ProduceError::Stopped => error.into(),
    }
}
