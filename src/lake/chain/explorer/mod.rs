//! A random explorer: three writers over the real protocol on one partition, with crashes at any await, lost answers,
//! creates that take effect late, retention, topics created anew, wrong hints and an operator. It has to find nothing;
//! with any rule of the protocol dropped it has to find a violation.

mod check;
mod exhaustive;
mod world;
mod writer;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Context;

use futures::task::noop_waker;

use world::{Generation, Rng, Shared, World, lock};
use writer::{operator, run};

/// Which rule is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// None: the real protocol.
    None,
    /// Create-if-absent overwrites.
    OverwriteObjects,
    /// An existing decision is not adopted.
    IgnoreOthers,
    /// The next range is decided before the receipt.
    DecideEarly,
    /// The topic id is not read again before a decision or a finishing.
    SkipIdentity,
    /// The log's end is read before the head.
    LogBeforeHead,
    /// Counts are made of one's own rows, not of what stands.
    CountOwnRows,
    /// Reading goes on elsewhere than at the head's end.
    SkipTo,
    /// The committed offset is taken for the truth.
    BelieveHint,
    /// The receipt is written before the objects.
    ReceiptFirst,
    /// The counts are written before the data.
    CountsFirst,
    /// Decided objects that would be empty are not written.
    LeaveOutEmpty,
    /// The next epoch is opened without closing the one before.
    LeaveOpen,
}

const WRITERS: usize = 3;
const STEPS: usize = 400;

type Task = Pin<Box<dyn Future<Output = ()>>>;

struct Schedule {
    world: Shared,
    rng: Rng,
    mutant: Mutant,
    tasks: Vec<Task>,
    spawned: u64,
}

impl Schedule {
    fn new(seed: u64, mutant: Mutant) -> Self {
        let world = World {
            rng: Rng(seed ^ 0x5555),
            mutant,
            fault_percent: 8,
            objects: Default::default(),
            late: Vec::new(),
            log: vec![Generation::default()],
            violations: Vec::new(),
            wants_epoch: false,
            partitions: 2,
        };
        let mut schedule = Schedule {
            world: Arc::new(Mutex::new(world)),
            rng: Rng(seed),
            mutant,
            tasks: Vec::new(),
            spawned: 0,
        };
        for slot in 0..=WRITERS {
            let task = schedule.task(slot);
            schedule.tasks.push(task);
        }
        lock(&schedule.world).append(6);
        schedule
    }

    fn task(&mut self, slot: usize) -> Task {
        self.spawned += 1;
        let world = self.world.clone();
        if slot == WRITERS {
            return Box::pin(operator(world));
        }
        Box::pin(run(world, self.spawned, self.mutant))
    }

    fn poll(&mut self, slot: usize) {
        let waker = noop_waker();
        let _ = self.tasks[slot].as_mut().poll(&mut Context::from_waker(&waker));
    }

    fn step(&mut self) {
        match self.rng.below(200) {
            0..=2 => {
                let slot = self.rng.below(WRITERS as u64 + 1) as usize;
                self.tasks[slot] = self.task(slot);
            }
            3..=6 => lock(&self.world).apply_late(),
            7..=14 => {
                let count = 1 + self.rng.below(5);
                lock(&self.world).append(count);
            }
            15..=16 => {
                let count = 1 + self.rng.below(6);
                lock(&self.world).expire(count);
            }
            17 if self.rng.chance(30) => {
                let mut world = lock(&self.world);
                world.log.push(Generation::default());
                let count = self.rng.below(30);
                world.append(count);
            }
            _ => {
                let slot = self.rng.below(WRITERS as u64 + 1) as usize;
                // Runs of one task reach further than a fair schedule.
                for _ in 0..1 + self.rng.below(8) {
                    self.poll(slot);
                }
            }
        }
    }

    /// Lets everything settle without faults and late writes' rivals: the chain has to reach the log's end.
    fn settle(&mut self) {
        lock(&self.world).fault_percent = 0;
        for _ in 0..4_000 {
            for slot in 0..=WRITERS {
                self.poll(slot);
            }
            if self.settled() {
                break;
            }
        }
        while !lock(&self.world).late.is_empty() {
            lock(&self.world).apply_late();
        }
        if !self.settled() {
            lock(&self.world).violations.push("live: the chain does not reach the log's end".into());
        }
    }

    fn settled(&self) -> bool {
        let world = lock(&self.world);
        // Trailing holes are in no range until a record follows them.
        let log = world.current();
        let last = log.records.iter().rposition(Option::is_some).map_or(0, |at| at as i64 + 1).max(log.start);
        let receipts = world.objects.iter().rev().filter(|(name, _)| name.ends_with(".done.json"));
        let id = world.topic_id();
        let newest = world.objects.iter().rev().find(|(name, _)| name.ends_with("epoch.json"));
        let Some((newest, record)) = newest else { return false };
        let prefix = newest.trim_end_matches("epoch.json");
        let end = receipts
            .filter(|(name, _)| name.starts_with(prefix))
            .filter_map(|(_, body)| serde_json::from_slice::<serde_json::Value>(body).ok()?["end"].as_i64())
            .max();
        String::from_utf8_lossy(record).contains(&format!("\"{id}\"")) && end.unwrap_or(0) >= last
    }
}

fn explore(seed: u64, mutant: Mutant) -> Vec<String> {
    let mut schedule = Schedule::new(seed, mutant);
    for _ in 0..STEPS {
        schedule.step();
    }
    let found = check::violations(&lock(&schedule.world));
    if !found.is_empty() || mutant != Mutant::None {
        return found;
    }
    schedule.settle();
    let world = lock(&schedule.world);
    check::violations(&world)
}

/// Schedules to explore; set `BEATLYTICA_SCHEDULES` for a longer search.
fn schedules() -> u64 {
    std::env::var("BEATLYTICA_SCHEDULES").ok().and_then(|count| count.parse().ok()).unwrap_or(2_500)
}

#[test]
fn the_protocol_holds() {
    for seed in 0..schedules() {
        let found = explore(seed, Mutant::None);
        assert!(found.is_empty(), "schedule {seed}: {found:#?}");
    }
}

#[track_caller]
fn must_be_found(mutant: Mutant, invariant: &str) {
    let found =
        (0..8_000).find_map(|seed| explore(seed, mutant).into_iter().find(|what| what.contains(invariant)));
    assert!(found.is_some(), "no schedule finds {mutant:?} by {invariant}");
}

#[test]
fn overwriting_is_found() {
    must_be_found(Mutant::OverwriteObjects, "immutable");
}

#[test]
fn not_adopting_is_found() {
    must_be_found(Mutant::IgnoreOthers, "glob-safe");
}

#[test]
fn deciding_before_the_receipt_is_found() {
    must_be_found(Mutant::DecideEarly, "receipt-before-next");
}

#[test]
fn not_reading_the_topic_id_is_found() {
    must_be_found(Mutant::SkipIdentity, "decision-equals-log");
}

#[test]
fn counting_own_rows_is_found() {
    must_be_found(Mutant::CountOwnRows, "counts-equal-data");
}

#[test]
fn not_closing_an_epoch_is_found() {
    must_be_found(Mutant::LeaveOpen, "closed");
}

#[test]
fn resuming_elsewhere_is_found() {
    must_be_found(Mutant::SkipTo, "contiguous");
}

#[test]
fn reading_the_log_end_before_the_head_is_found() {
    // Not a loss, but a refusal of a sound topic: an epoch is opened for which there is no reason.
    let refused = (0..8_000).any(|seed| {
        let mut schedule = Schedule::new(seed, Mutant::LogBeforeHead);
        (0..STEPS).any(|_| {
            schedule.step();
            let world = lock(&schedule.world);
            world.wants_epoch && world.log.len() == 1
        })
    });
    assert!(refused, "no schedule is refused");
}

#[test]
fn a_sound_topic_is_never_refused() {
    for seed in 0..500 {
        let mut schedule = Schedule::new(seed, Mutant::None);
        for _ in 0..STEPS {
            schedule.step();
            let world = lock(&schedule.world);
            assert!(!world.wants_epoch || world.log.len() > 1, "schedule {seed}");
        }
    }
}

#[test]
fn the_rare_states_are_reached() {
    let mut missing =
        vec!["\"kind\":\"gap\"", "\"kind\":\"close\"", "\"lost\":1", "\"topic_id\":\"topic-3\""];
    for seed in 0..500 {
        let mut schedule = Schedule::new(seed, Mutant::None);
        (0..STEPS).for_each(|_| schedule.step());
        let world = lock(&schedule.world);
        let texts: Vec<_> = world.objects.values().map(|body| String::from_utf8_lossy(body)).collect();
        missing.retain(|state| !texts.iter().any(|text| text.contains(state)));
    }
    assert!(missing.is_empty(), "never seen: {missing:?}");
}
