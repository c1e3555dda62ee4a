//! The demo's listeners: the simulator behind the producer actor, never further ahead of the lake than the broker keeps.

use std::collections::BTreeMap;
use std::time::Duration;

use actix::prelude::*;

use super::{PARTITIONS, client};
use crate::actors::producer::{ProduceRecords, Producer, partition_of};
use crate::config::Settings;
use crate::kafka::embedded::Room;
use crate::schemas::EventKind;
use crate::simulator::{Pace, RecordBuffer, Simulator, SimulatorConfig};
use crate::status::{StatusBoard, now_ms};

/// Records simulated at a time: some tens of milliseconds of work for a program that is not optimised.
const CHUNK: usize = 500;
/// Room that a partition must have for a chunk, whatever is in it: the simulator's longest records have a kilobyte.
const CHUNK_BYTES: u64 = 1024 * CHUNK as u64;
/// Between two looks at the clock while nothing is due, and at the lake while there is no room.
const PATIENCE: Duration = Duration::from_millis(50);

/// The demo's listeners before they come to life.
pub(super) struct Listeners {
    config: SimulatorConfig,
    settings: Settings,
}

impl Listeners {
    pub(super) fn new(config: SimulatorConfig, settings: &Settings) -> Self {
        Self { config, settings: settings.clone() }
    }

    /// Lives until it is dropped. A failure is told and ends it; the engine goes on with what there is.
    pub(super) async fn live(self, board: StatusBoard) {
        if let Err(error) = self.play(board).await {
            tracing::error!(error = format!("{error:#}"), "the demo's listeners stopped");
        }
    }

    async fn play(self, board: StatusBoard) -> anyhow::Result<()> {
        let Self { config, settings } = self;
        let topics = settings.kafka.topics.clone();
        let producer = Producer::of_events(client(&settings)?, topics, false, Some(PARTITIONS));
        // Neither simulating nor sending may hold up the thread that serves the page.
        let producer = Producer::start_in_arbiter(&Arbiter::new().handle(), |_| producer);
        let mut simulator = off_thread(move || Simulator::new(config)).await??;
        let mut rooms = Rooms::new(&settings);
        let mut records = RecordBuffer::default();
        loop {
            rooms.learn(&board);
            if !rooms.have(CHUNK_BYTES) {
                tokio::time::sleep(PATIENCE).await;
                continue;
            }
            let until = Pace::Live.until(now_ms());
            let more;
            (simulator, records, more) = off_thread(move || {
                records.clear();
                let more = simulator.advance(until, CHUNK, &mut records);
                (simulator, records, more)
            })
            .await?;
            rooms.put(&records);
            if !records.is_empty() {
                records = producer.send(ProduceRecords { records }).await??;
            }
            if !more {
                tokio::time::sleep(PATIENCE).await;
            }
        }
    }
}

async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> anyhow::Result<T> {
    Ok(tokio::task::spawn_blocking(work).await?)
}

/// The room in each partition.
struct Rooms {
    rooms: BTreeMap<(EventKind, i32), Room>,
    settings: Settings,
}

impl Rooms {
    fn new(settings: &Settings) -> Self {
        let partitions = |kind: EventKind| (0..PARTITIONS).map(move |partition| (kind, partition));
        let rooms = EventKind::ALL.into_iter().flat_map(partitions).map(|key| (key, Room::default()));
        Self { rooms: rooms.collect(), settings: settings.clone() }
    }

    /// Frees what is in the lake by now.
    fn learn(&mut self, board: &StatusBoard) {
        for (partition, status) in board.all() {
            if let Some(kind) = self.settings.kafka.topics.kind(&partition.topic)
                && let Some(room) = self.rooms.get_mut(&(kind, partition.partition))
                && let Some(head) = status.head()
            {
                room.free(head);
            }
        }
    }

    fn have(&self, bytes: u64) -> bool {
        self.rooms.values().all(|room| room.left() >= bytes)
    }

    fn put(&mut self, records: &RecordBuffer) {
        for record in records.iter() {
            let key = record.envelope.key();
            if let Some(room) = self.rooms.get_mut(&(record.envelope.kind, partition_of(key, PARTITIONS))) {
                room.put(record.line.len() + KEY_BYTES);
            }
        }
        self.rooms.values_mut().for_each(Room::end_chunk);
    }
}

/// Digits that a key has at most.
const KEY_BYTES: usize = 20;
