//! What the other members of the group have in their hands, for a run that ends once all is in the lake.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::kafka::{Log, LogError, TopicPartition};
use crate::lake::chain::{Chain, ChainError, epoch_record, newest_epoch};
use crate::lake::layout::ChainKey;
use crate::lake::store::Store;
use crate::schemas::EventKind;

/// Others are asked about no more often than this.
const INTERVAL: Duration = Duration::from_secs(2);

/// Why it could not be found out how far others are; asking again may help.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Ledger(#[from] ChainError),
}

/// How far a partition is: the end of its log, and of what is receipted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    end: i64,
    head: i64,
}

/// How far each partition of `topics` is that is not among `own`, by log and ledger.
pub(super) async fn ask(
    log: &dyn Log,
    store: &Arc<dyn Store>,
    topics: &BTreeMap<String, EventKind>,
    own: &BTreeSet<TopicPartition>,
) -> Result<BTreeMap<TopicPartition, Standing>, AskError> {
    let mut found = BTreeMap::new();
    for (topic, kind) in topics {
        let count = i32::try_from(log.partitions(topic).await?).unwrap_or(i32::MAX);
        let all = (0..count).map(|partition| TopicPartition { topic: topic.as_str().into(), partition });
        let foreign: Vec<_> = all.filter(|partition| !own.contains(partition)).collect();
        if foreign.is_empty() {
            continue;
        }
        let epoch = match newest_epoch(&**store, topic).await? {
            Some(epoch) => epoch_record(&**store, topic, epoch).await?.map(|record| (epoch, record)),
            None => None,
        };
        for partition in foreign {
            let bounds = log.bounds(&partition).await?;
            // Of a log that retention has emptied nobody can bring anything into the lake.
            let end = if bounds.start < bounds.end { bounds.end } else { 0 };
            let head = match &epoch {
                Some((epoch, record)) => {
                    let key =
                        ChainKey { topic: topic.clone(), epoch: *epoch, partition: partition.partition };
                    receipted(&Chain::new(Arc::clone(store), key, *kind, record.clone(), "")).await?
                }
                None => 0,
            };
            found.insert(partition, Standing { end, head });
        }
    }
    Ok(found)
}

/// The end of what is receipted.
async fn receipted(chain: &Chain) -> Result<i64, ChainError> {
    let Some(head) = chain.head().await? else { return Ok(0) };
    Ok(if chain.receipt_of(&head).await?.is_some() { head.end } else { head.start })
}

/// What is to be done about the others.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing that was in the log when they were first looked at is missing in the lake.
    Done,
    /// They are at it, in words.
    Wait(String),
    /// Nothing has moved for too long, in words.
    GiveUp(String),
}

/// How far the others were when they were last looked at.
#[derive(Debug, Default)]
pub(super) struct Others {
    asked: Option<Instant>,
    /// Ends of logs when they were first looked at.
    targets: BTreeMap<TopicPartition, i64>,
    heads: BTreeMap<TopicPartition, i64>,
    moved: Option<Instant>,
}

impl Others {
    /// Whether they may be asked about now; notes that they are.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let due = self.asked.is_none_or(|asked| now.duration_since(asked) >= INTERVAL);
        if due {
            self.asked = Some(now);
        }
        due
    }

    /// Judges how far they are; `patience` is how long they may stand still.
    pub(super) fn judge(
        &mut self,
        found: BTreeMap<TopicPartition, Standing>,
        now: Instant,
        patience: Duration,
    ) -> Verdict {
        let heads = found.iter().map(|(partition, standing)| (partition.clone(), standing.head)).collect();
        if self.moved.is_none() || heads != self.heads {
            (self.heads, self.moved) = (heads, Some(now));
        }
        let mut behind = found.iter().filter_map(|(partition, standing)| {
            let target = *self.targets.entry(partition.clone()).or_insert(standing.end);
            (standing.head < target).then_some((partition, standing.head, target))
        });
        let Some((partition, head, target)) = behind.next() else { return Verdict::Done };
        let more = behind.count();
        let others = if more > 0 { format!(" (and of {more} partitions more)") } else { String::new() };
        let why = format!(
            "{partition} is read by another member of the group, which has brought {head} of its {target} offsets into the lake{others}"
        );
        let still = self.moved.map_or(Duration::ZERO, |moved| now.duration_since(moved));
        if still < patience {
            return Verdict::Wait(why);
        }
        Verdict::GiveUp(format!(
            "{why}; nothing has moved for {} s: stop the other members, or wait until they are done, and start again",
            still.as_secs()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(standings: &[(i32, i64, i64)]) -> BTreeMap<TopicPartition, Standing> {
        let named = |&(partition, end, head)| {
            (TopicPartition { topic: "plays".into(), partition }, Standing { end, head })
        };
        standings.iter().map(named).collect()
    }

    #[test]
    fn it_waits_for_what_was_there_at_first_as_long_as_something_moves() {
        let (mut others, begin) = (Others::default(), Instant::now());
        let minute = Duration::from_secs(60);
        let mut judge =
            |standings: &[_], minutes| others.judge(found(standings), begin + minute * minutes, minute);
        let wait = judge(&[(0, 10, 10), (1, 10, 3), (2, 5, 0)], 0);
        let words = "plays[1] is read by another member of the group, which has brought 3 of its 10 offsets into the lake";
        assert_eq!(wait, Verdict::Wait(format!("{words} (and of 1 partitions more)")));
        // What came later is not waited for.
        assert!(matches!(judge(&[(0, 90, 10), (1, 90, 9), (2, 90, 5)], 2), Verdict::Wait(_)));
        assert_eq!(judge(&[(0, 90, 10), (1, 90, 10), (2, 90, 5)], 4), Verdict::Done);
        assert!(matches!(judge(&[(0, 90, 10), (1, 90, 9), (2, 90, 5)], 5), Verdict::Wait(_)));
        let given_up = judge(&[(0, 90, 10), (1, 90, 9), (2, 90, 5)], 6);
        assert!(matches!(given_up, Verdict::GiveUp(why) if why.contains("for 60 s: stop the other members")));
    }

    #[test]
    fn with_nothing_of_others_all_is_done() {
        assert_eq!(Others::default().judge(found(&[]), Instant::now(), Duration::ZERO), Verdict::Done);
    }
}
