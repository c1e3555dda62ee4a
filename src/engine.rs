//! The engine as the HTTP server sees it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix::Addr;
use async_trait::async_trait;

use crate::actors::window_aggregator::WindowAggregator;
use crate::charts::{Coverage, SongsAnswer, TimeMs, UsersAnswer};
use crate::http::{
    CompleteAnswer, Engine, EngineError, PartitionRow, SongsQuery, StatusAnswer, TableComplete, UsersQuery,
};
use crate::kafka::TopicPartition;
use crate::messages::{AskSongs, AskUsers};
use crate::schemas::EventKind;
use crate::status::{PartitionStatus, StatusBoard, now_ms};

/// An aggregator that hangs is left behind with what was asked of it; another one may answer by then.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

/// Where the present window aggregator is; a restart puts another one in.
pub type AggregatorSlot = Arc<Mutex<Option<Addr<WindowAggregator>>>>;

/// [`Engine`] over the status board and the window aggregator.
#[derive(Clone)]
pub struct RunningEngine {
    /// Status of partitions.
    pub board: StatusBoard,
    /// The aggregator.
    pub aggregator: AggregatorSlot,
    /// When the process started.
    pub started: TimeMs,
    /// The table that each topic feeds.
    pub topics: Vec<(String, EventKind)>,
    /// What comes round less often than this hangs.
    pub stuck_after: Duration,
}

impl RunningEngine {
    fn aggregator(&self) -> Result<Addr<WindowAggregator>, EngineError> {
        let slot = self.aggregator.lock().unwrap_or_else(PoisonError::into_inner);
        slot.clone().ok_or_else(|| EngineError::Unavailable("the engine is starting".into()))
    }
}

fn unavailable(error: impl std::fmt::Display) -> EngineError {
    EngineError::Unavailable(error.to_string())
}

/// The records from `from` on that the log holds; none where either end is not known.
fn behind(status: &PartitionStatus, from: Option<i64>) -> Option<i64> {
    // Aborted and control records lie behind the last position that reading can reach.
    let end = if status.at_end() { status.position() } else { status.high_watermark() };
    end.zip(from).map(|(end, from)| (end - from).max(0))
}

fn sum(all: &[(TopicPartition, Arc<PartitionStatus>)], count: impl Fn(&PartitionStatus) -> u64) -> u64 {
    all.iter().map(|(_, status)| count(status)).sum()
}

#[async_trait]
impl Engine for RunningEngine {
    async fn songs(&self, query: SongsQuery) -> Result<SongsAnswer, EngineError> {
        self.aggregator()?.send(AskSongs(query)).timeout(ANSWERED_WITHIN).await.map_err(unavailable)
    }

    async fn users(&self, query: UsersQuery) -> Result<UsersAnswer, EngineError> {
        self.aggregator()?.send(AskUsers(query)).timeout(ANSWERED_WITHIN).await.map_err(unavailable)
    }

    fn status(&self) -> StatusAnswer {
        let now = now_ms();
        let age = |since: i64| (now - since).max(0) as f64 / 1000.0;
        let all = self.board.all();
        let partitions = all.iter().map(|(partition, status)| PartitionRow {
            topic: partition.topic.to_string(),
            epoch: status.epoch(),
            partition: partition.partition,
            position: status.position().unwrap_or(0),
            head: status.head(),
            lag: behind(status, status.position()),
            freshness_seconds: status.oldest_pending_ms().map(age),
            newest: status.clock_ms().map(TimeMs),
            idle: status.idle(),
            paused: status.gate().is_some_and(|gate| !gate.is_open()),
            refused: status.refused(),
        });
        let reason = self.ready().err();
        StatusAnswer {
            version: env!("CARGO_PKG_VERSION").into(),
            state: match &reason {
                None => "running".into(),
                Some(_) if all.iter().any(|(_, status)| status.refused().is_some()) => "stopped".into(),
                Some(_) => "starting".into(),
            },
            reason,
            started: self.started,
            watermark: self.board.watermark().map(TimeMs),
            lag: all.iter().map(|(_, status)| behind(status, status.position())).sum(),
            pending: all.iter().map(|(_, status)| behind(status, status.head())).sum(),
            freshness_seconds: all.iter().filter_map(|(_, status)| status.oldest_pending_ms()).min().map(age),
            behind_seconds: all.iter().filter_map(|(_, status)| status.lag_seconds(now)).reduce(f64::max),
            last_upload: all.iter().filter_map(|(_, status)| status.uploaded_ms()).max().map(TimeMs),
            records: sum(&all, |status| status.records.load(Ordering::Relaxed)),
            rejected: sum(&all, |status| status.tally.rejected().map(|(_, count)| count).sum()),
            late: sum(&all, |status| status.tally.windows()[0]),
            uncounted: sum(&all, |status| status.tally.windows()[1..].iter().sum()),
            partitions: partitions.collect(),
        }
    }

    fn complete(&self) -> CompleteAnswer {
        let (all, totals) = (self.board.all(), self.board.topic_partitions());
        let tables = self.topics.iter().map(|(topic, kind)| {
            let lines = all.iter().filter(|(partition, _)| *partition.topic == **topic);
            let hours: Vec<Option<i64>> = lines.map(|(_, status)| status.complete_through_ms()).collect();
            let total = totals.get(topic).copied().unwrap_or(0).max(hours.len());
            let partitions = Coverage { covered: hours.iter().flatten().count(), total };
            // One of which nothing is known comes before all others.
            let complete_through = hours.into_iter().min().flatten().map(TimeMs);
            TableComplete { table: kind.table().into(), complete_through, partitions }
        });
        CompleteAnswer { tables: tables.collect() }
    }

    fn ready(&self) -> Result<(), String> {
        self.live()?;
        if self.board.rounds().aggregator.is_late(self.stuck_after) {
            return Err("the window aggregator hangs".into());
        }
        let all = self.board.all();
        if all.is_empty() {
            return Err("no partition is assigned yet".into());
        }
        for (partition, status) in &all {
            if let Some(why) = status.refused() {
                return Err(format!("{partition}: {why}"));
            }
            if status.head().is_none() {
                return Err(format!("{partition} is being recovered"));
            }
            if !status.counted() {
                return Err(format!("the windows of {partition} are being rebuilt from the lake"));
            }
        }
        Ok(())
    }

    fn live(&self) -> Result<(), String> {
        let rounds = self.board.rounds();
        // The aggregator's hanging is the supervisor's to mend.
        for (name, round) in [("the poll loop", &rounds.poll_loop), ("the supervisor", &rounds.supervisor)] {
            if round.is_late(self.stuck_after) {
                return Err(format!("{name} hangs"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine(topics: &[(&str, EventKind)]) -> RunningEngine {
        RunningEngine {
            board: StatusBoard::default(),
            aggregator: AggregatorSlot::default(),
            started: TimeMs(0),
            topics: topics.iter().map(|&(topic, kind)| (topic.to_owned(), kind)).collect(),
            stuck_after: Duration::from_secs(60),
        }
    }

    #[test]
    fn it_is_ready_once_every_partition_is_recovered_and_counted() {
        let engine = engine(&[]);
        let rounds = engine.board.rounds();
        [&rounds.poll_loop, &rounds.supervisor, &rounds.aggregator]
            .into_iter()
            .for_each(|round| round.come());
        let says = |word: &str| engine.ready().is_err_and(|why| why.contains(word));
        assert!(says("no partition is assigned"));
        let line = engine.board.partition(&TopicPartition { topic: "listen_events".into(), partition: 3 });
        assert!(says("listen_events[3] is being recovered"));
        line.set_head(Some(0));
        assert!(says("the windows of listen_events[3] are being rebuilt"));
        line.set_counted(true);
        assert_eq!(engine.ready(), Ok(()));
    }

    #[test]
    fn a_table_is_complete_as_far_as_the_partitions_held_here() {
        let engine = engine(&[("plays", EventKind::Listen), ("views", EventKind::PageView)]);
        let held = |topic: &str, partition| {
            engine.board.partition(&TopicPartition { topic: topic.into(), partition })
        };
        let complete = || {
            let line = |line: TableComplete| {
                let Coverage { covered, total } = line.partitions;
                (line.complete_through.map(|time| time.0), covered, total)
            };
            engine.complete().tables.into_iter().map(line).collect::<Vec<_>>()
        };
        assert_eq!(complete(), [(None, 0, 0), (None, 0, 0)]);
        engine.board.set_topic_partitions("plays", 2);
        held("plays", 0).set_complete_through_ms(Some(7));
        // How many there are in all is asked of the broker, and not known at once.
        held("views", 0).set_complete_through_ms(Some(5));
        assert_eq!(complete(), [(Some(7), 1, 2), (Some(5), 1, 1)]);
        held("plays", 1);
        assert_eq!(complete(), [(None, 1, 2), (Some(5), 1, 1)]);
        held("plays", 1).set_complete_through_ms(Some(6));
        assert_eq!(complete(), [(Some(6), 2, 2), (Some(5), 1, 1)]);
    }
}
