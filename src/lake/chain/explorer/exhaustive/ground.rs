//! Bucket and log of the exhaustive search.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::super::Mutant;
use super::super::check;
use super::super::world::{Generation, Rng, World};
use super::super::writer::{OutOfRange, TOPIC};
use super::Bounds;
use super::task::{Answer, Ask};
use crate::lake::layout::{ChainKey, Name};
use crate::lake::ledger::{EpochRecord, Receipt};

/// Bucket and log.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ground {
    objects: BTreeMap<String, Bytes>,
    /// Creates whose sender is gone, in order of name.
    pub late: Vec<(String, Bytes)>,
    /// First and last offset of each creation of the topic.
    logs: Vec<(i64, i64)>,
}

/// Two event hours, then a record that is rejected, then the first hour again.
fn hash(generation: usize, offset: i64) -> u64 {
    let class = [1, 2, 5, 6][offset as usize % 4];
    class + 10 * (generation as u64 * 100 + offset as u64)
}

impl Ground {
    pub fn new(records: u8) -> Self {
        let name = Name::Epoch { topic: TOPIC.into(), epoch: 1 }.to_string();
        let record = EpochRecord::new(None, Some("topic-1")).to_bytes(&name).expect("JSON");
        Ground { objects: [(name, record)].into(), late: Vec::new(), logs: vec![(0, i64::from(records))] }
    }

    fn log(&self) -> (i64, i64) {
        self.logs[self.logs.len() - 1]
    }

    pub fn is_first_topic(&self) -> bool {
        self.logs.len() == 1
    }

    /// Whether the answer to `ask` is the same whatever anybody else does, and giving it is seen by nobody.
    pub fn is_settled(&self, ask: &Ask, left: &Bounds) -> bool {
        let log_rests = left.appends == 0 && left.expiries == 0 && left.recreations == 0;
        match ask {
            Ask::Create(name, _) => self.objects.contains_key(name),
            // Nothing is ever deleted; and without a topic created anew nobody opens another epoch.
            Ask::Read(name) => {
                self.objects.contains_key(name)
                    || self.is_first_topic() && left.recreations == 0 && name.ends_with("epoch.json")
            }
            Ask::List(..) => false,
            Ask::View | Ask::Log(..) | Ask::Observe(_) => log_rests,
            Ask::TopicId => left.recreations == 0,
            Ask::Cut(at) => log_rests && *at < self.log().1,
            Ask::Hint | Ask::Chance => true,
        }
    }

    /// All answers to anything but a create; none where it has to wait.
    pub fn answers(&self, ask: &Ask, bounds: &Bounds) -> Vec<Answer> {
        let (start, end) = self.log();
        let generation = self.logs.len();
        match ask {
            Ask::Create(..) => Vec::new(),
            Ask::Read(name) => vec![Answer::Body(self.objects.get(name).cloned())],
            Ask::List(prefix, after) => {
                let after = after.as_deref().unwrap_or("");
                let names =
                    self.objects.range(prefix.clone()..).take_while(|(name, _)| name.starts_with(prefix));
                let names = names.filter(|(name, _)| name.as_str() > after);
                vec![Answer::Names(names.map(|(name, body)| (name.clone(), body.clone())).collect())]
            }
            Ask::View => vec![Answer::View(start, end, self.topic_id())],
            Ask::TopicId => vec![Answer::TopicId(self.topic_id())],
            Ask::Log(from, to) if *from < start || *to > end => vec![Answer::Rows(Err(OutOfRange))],
            Ask::Log(from, to) => {
                let rows = (*from..*to).map(|offset| (offset, hash(generation, offset)));
                vec![Answer::Rows(Ok(rows.collect()))]
            }
            Ask::Observe(offset) if *offset < start => vec![Answer::Record(None)],
            Ask::Observe(offset) => {
                vec![Answer::Record(Some((*offset < end).then(|| hash(generation, *offset))))]
            }
            Ask::Hint if bounds.hints => {
                let mut hints = vec![Answer::Hint(None)];
                for start in 0..end {
                    hints.extend((start + 1..=end).map(|offset| Answer::Hint(Some((offset, start)))));
                }
                hints
            }
            Ask::Hint => vec![Answer::Hint(None)],
            Ask::Cut(at) => (at + 1..=end.min(at + i64::from(bounds.longest))).map(Answer::Cut).collect(),
            Ask::Chance => vec![Answer::Chance(false), Answer::Chance(true)],
        }
    }

    fn topic_id(&self) -> String {
        format!("topic-{}", self.logs.len())
    }

    /// Creates an object; whether it is new.
    ///
    /// # Errors
    /// The invariant that this breaks.
    pub fn create(&mut self, name: &str, body: &Bytes, mutant: Mutant) -> Result<bool, String> {
        if self.objects.contains_key(name) && mutant != Mutant::OverwriteObjects {
            return Ok(false);
        }
        let mut world = self.world();
        check::before_create(&mut world, name, body);
        self.objects.insert(name.to_owned(), body.clone());
        world.violations.pop().map_or(Ok(true), Err)
    }

    /// A create that may take effect at any time, or never.
    pub fn add_late(&mut self, name: &str, body: &Bytes) {
        // One that would find its object there does nothing.
        if !self.objects.contains_key(name) {
            self.late.push((name.to_owned(), body.clone()));
            self.late.sort();
        }
    }

    /// What may happen to the log.
    pub fn changes(&self, left: &Bounds) -> Vec<(Ground, Bounds)> {
        let mut changes = Vec::new();
        let mut change = |log: (i64, i64), left: Bounds, anew: bool| {
            let mut ground = self.clone();
            if !anew {
                ground.logs.pop();
            }
            ground.logs.push(log);
            changes.push((ground, left));
        };
        let (start, end) = self.log();
        if left.appends > 0 {
            change((start, end + 1), Bounds { appends: left.appends - 1, ..*left }, false);
        }
        if left.expiries > 0 && start < end {
            change((start + 1, end), Bounds { expiries: left.expiries - 1, ..*left }, false);
        }
        if left.recreations > 0 {
            change((0, end - 1), Bounds { recreations: left.recreations - 1, ..*left }, true);
        }
        changes
    }

    fn world(&self) -> World {
        let log = self.logs.iter().enumerate().map(|(at, &(start, end))| Generation {
            records: (0..end).map(|offset| Some(hash(at + 1, offset))).collect(),
            start,
        });
        World {
            rng: Rng(0),
            mutant: Mutant::None,
            fault_percent: 0,
            objects: self.objects.clone(),
            late: Vec::new(),
            log: log.collect(),
            violations: Vec::new(),
            wants_epoch: false,
            partitions: 1,
        }
    }

    /// The first invariant that does not hold.
    pub fn violation(&self) -> Option<String> {
        check::violations(&self.world()).into_iter().next()
    }

    /// Whether the newest receipt reaches the log's end.
    pub fn is_written(&self) -> bool {
        let chain = ChainKey { topic: TOPIC.into(), epoch: self.logs.len() as u32, partition: 0 };
        let prefix = chain.ledger_prefix();
        let receipts =
            self.objects.iter().filter(|(name, _)| name.starts_with(&prefix) && name.ends_with(".done.json"));
        let ends = receipts.filter_map(|(_, body)| Some(serde_json::from_slice::<Receipt>(body).ok()?.end));
        ends.max().unwrap_or(0) >= self.log().1
    }
}
