//! Any interleaving of batches, revocations, snapshots, idleness and compaction gives what the oracle computes.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::Index;

use crate::charts::{Applied, At, ChartSettings, Charts, Window};
use crate::lake::rebuild::Reach;
use crate::schemas::{EventKind, Source};

use super::agreement;
use super::oracle::{Logs, Oracle};
use super::rows::{Encoder, Row, numbered, source};

const MINUTE: i64 = 60_000;
const BASE: i64 = 1_714_953_600_000;

/// Short spans, so that lateness, retention and the future limit all bite within a few hours of events.
fn settings() -> ChartSettings {
    ChartSettings {
        lateness: 3 * MINUTE,
        retention: 40 * MINUTE,
        future_limit: 30 * MINUTE,
        max_ahead: 5 * MINUTE,
    }
}

#[derive(Debug, Clone)]
enum Step {
    /// Deliver up to that many rows, beginning up to so many before the partition's end.
    Batch {
        partition: usize,
        rows: usize,
        again: usize,
    },
    /// Deliver a batch that leaves a hole.
    Hole {
        partition: usize,
    },
    /// Drop the partition and take it on again from offset 0.
    Revoke {
        partition: usize,
    },
    /// Keep a snapshot.
    Snapshot {
        partition: usize,
    },
    /// Take the partition on from the last snapshot.
    Restore {
        partition: usize,
    },
    /// The process dies: every partition begins with its last snapshot, or with nothing.
    Restart,
    Idle {
        partition: usize,
        idle: bool,
    },
    Compact,
}

/// Small ids are their own numbers in the tables; these are not all small.
const ODD_IDS: &[i64] = &[0, 1, -1, -7, (1 << 21) - 1, 1 << 21, i64::MIN, i64::MAX];
const IDS: &[i64] = &[0, 1, 2, 3, 4, 5];

fn row(users: &'static [i64], drift: i64) -> impl Strategy<Value = Row> {
    let text = |values: &'static [&'static str]| prop::option::weighted(0.8, prop::sample::select(values));
    let owned = |values| text(values).prop_map(|text| text.map(str::to_owned));
    let time = prop_oneof![
        8 => -4 * MINUTE..=0_i64,
        2 => -60 * MINUTE..=20 * MINUTE,
        1 => prop::sample::select(vec![0, -1, 1, -3 * MINUTE, -3 * MINUTE - 1, -48 * MINUTE, -49 * MINUTE]),
    ];
    (
        time,
        prop::option::weighted(0.9, prop::sample::select(users)),
        text(&["free", "paid"]),
        text(&["F", "M"]),
        text(&["CA", "NY", "TX"]),
        owned(&["a", "Bé"]),
        owned(&["x", "y", "z"]),
        prop_oneof![4 => Just(-1), 1 => Just(BASE)],
    )
        .prop_map(move |(time, user, level, gender, state, artist, song, timestamp)| {
            let ts = (BASE + drift + time).div_euclid(1000) * 1000 + time.rem_euclid(2);
            Row { offset: 0, timestamp, ts, user, level, gender, state, artist, song }
        })
}

fn log(users: &'static [i64]) -> impl Strategy<Value = Vec<Row>> {
    let rows = (0..120_i64).map(|place| row(users, place * MINUTE)).collect::<Vec<_>>();
    let repeated = prop::collection::vec((any::<Index>(), any::<Index>()), 0..6);
    (rows, 1..=3_usize, 0..120_usize, repeated).prop_map(|(rows, every, skipped, repeated)| {
        let mut rows: Vec<Row> = rows.into_iter().skip(skipped).step_by(every).collect();
        for (from, to) in repeated {
            // The same event again, of the same time, wherever it comes.
            let again = rows[from.index(rows.len())].clone();
            rows.insert(to.index(rows.len() + 1), again);
        }
        let mut rows = numbered(rows);
        // Control records leave holes in the offsets.
        rows.iter_mut().for_each(|row| row.offset += row.offset / 7);
        rows
    })
}

fn step() -> impl Strategy<Value = Step> {
    let partition = || 0..4_usize;
    prop_oneof![
        12 => (partition(), 0..25_usize, 0..4_usize)
            .prop_map(|(partition, rows, again)| Step::Batch { partition, rows, again }),
        1 => partition().prop_map(|partition| Step::Hole { partition }),
        1 => partition().prop_map(|partition| Step::Revoke { partition }),
        2 => partition().prop_map(|partition| Step::Snapshot { partition }),
        2 => partition().prop_map(|partition| Step::Restore { partition }),
        2 => (partition(), any::<bool>()).prop_map(|(partition, idle)| Step::Idle { partition, idle }),
        1 => Just(Step::Compact),
        1 => Just(Step::Restart),
    ]
}

/// Charts under test, and what the oracle needs to know of them.
struct Bench {
    charts: Charts,
    logs: Vec<(Source, Vec<Row>)>,
    encoders: Vec<Encoder>,
    idle: Vec<bool>,
    snapshots: BTreeMap<usize, (i64, Vec<u8>)>,
}

impl Bench {
    fn new(logs: Vec<Vec<Row>>) -> Self {
        let kinds = [EventKind::Listen, EventKind::Listen, EventKind::PageView, EventKind::Auth];
        let logs: Vec<_> = (0..).zip(kinds).map(|(number, kind)| source(kind, number)).zip(logs).collect();
        let mut charts = Charts::new(settings());
        logs.iter().for_each(|(source, _)| charts.assign(source, 0));
        let encoders = logs.iter().map(|_| Encoder::default()).collect();
        Self { charts, idle: vec![false; logs.len()], logs, encoders, snapshots: BTreeMap::new() }
    }

    fn end(&self, partition: usize) -> i64 {
        self.charts.end(&self.logs[partition].0).unwrap()
    }

    fn apply(&mut self, partition: usize, start: i64, end: i64) -> Applied {
        let (source, log) = &self.logs[partition];
        let rows: Vec<Row> = log.iter().filter(|row| (start..end).contains(&row.offset)).cloned().collect();
        let activity = self.encoders[partition].encode(source.kind, &rows);
        self.charts.apply(source, &activity.view(), start, end)
    }

    /// Does the step; says whether the set of partitions (or what one of them holds) was replaced.
    fn step(&mut self, step: &Step) -> bool {
        match *step {
            Step::Batch { partition, rows, again } => {
                let at = self.end(partition);
                let start = (at - again as i64).max(0);
                let end = start + rows as i64;
                let expected = if end <= at { Applied::Known } else { self.folded(partition, at, end) };
                assert_eq!(self.apply(partition, start, end), expected);
            }
            Step::Hole { partition } => {
                let at = self.end(partition);
                assert_eq!(self.apply(partition, at + 1, at + 9), Applied::Hole { expected: at });
            }
            Step::Revoke { partition } => {
                let source = self.logs[partition].0.clone();
                assert!(self.charts.revoke(&source));
                assert_eq!(self.apply(partition, 0, 5), Applied::Unassigned);
                self.charts.assign(&source, 0);
                self.idle[partition] = false;
                return true;
            }
            Step::Snapshot { partition } => {
                let bytes = self.charts.snapshot(&self.logs[partition].0).unwrap();
                self.snapshots.insert(partition, (self.end(partition), bytes));
            }
            Step::Restore { partition } => {
                let Some((end, bytes)) = self.snapshots.get(&partition) else { return false };
                assert_eq!(self.charts.restore(&self.logs[partition].0, bytes), Ok(*end));
                self.idle[partition] = false;
                return true;
            }
            Step::Restart => {
                self.charts = Charts::new(settings());
                for (partition, (source, _)) in self.logs.iter().enumerate() {
                    match self.snapshots.get(&partition) {
                        Some((end, bytes)) => assert_eq!(self.charts.restore(source, bytes), Ok(*end)),
                        None => self.charts.assign(source, 0),
                    }
                }
                self.idle.fill(false);
                return true;
            }
            Step::Idle { partition, idle } => {
                self.charts.set_idle(&self.logs[partition].0, idle);
                self.idle[partition] = idle;
            }
            Step::Compact => {
                let live = self.charts.live();
                self.charts.compact(&live);
            }
        }
        false
    }

    fn folded(&self, partition: usize, from: i64, to: i64) -> Applied {
        let rows = self.logs[partition].1.iter().filter(|row| (from..to).contains(&row.offset)).count();
        Applied::Folded { rows }
    }

    fn check(&mut self, watermark: Option<i64>) {
        let oracle = oracle(&self.logs, &self.charts, &self.idle);
        agreement::check(&mut self.charts, &oracle, watermark);
    }
}

fn oracle<'a>(logs: &'a [(Source, Vec<Row>)], charts: &Charts, idle: &[bool]) -> Oracle<'a> {
    let folded = logs.iter().zip(idle).map(|((source, log), &idle)| {
        let end = charts.end(source).unwrap();
        let rows = log.partition_point(|row| row.offset < end);
        (source.clone(), (&log[..rows], idle))
    });
    Oracle::new(&settings(), &folded.collect::<Logs<'_>>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn answers_are_the_oracles(
        logs in prop::collection::vec(log(IDS), 4),
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let mut bench = Bench::new(logs);
        let mut watermark = None;
        for step in &steps {
            let replaced = bench.step(step);
            let computed = oracle(&bench.logs, &bench.charts, &bench.idle).computed_watermark;
            watermark = if replaced { computed } else { watermark.max(computed) };
        }
        bench.check(watermark);
    }

    #[test]
    fn a_snapshot_with_any_byte_changed_is_refused(log in log(IDS), at in any::<prop::sample::Index>(), flip in 1..=255_u8) {
        let mut bench = Bench::new(vec![log]);
        bench.apply(0, 0, 150);
        let source = bench.logs[0].0.clone();
        let mut bytes = bench.charts.snapshot(&source).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        prop_assert!(bench.charts.restore(&source, &bytes).is_err());
        prop_assert!(bench.charts.restore(&source, &bytes[..at]).is_err());
        bench.check(bench.charts.watermark());
    }
}

proptest! {
    // Odd ids make the tables' users many: few cases keep it fast.
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn cutting_and_snapshots_change_nothing(
        log in log(ODD_IDS),
        cuts in prop::collection::vec(0..150_i64, 0..6),
        saved in 0..150_i64,
    ) {
        let mut whole = Bench::new(vec![log.clone()]);
        whole.apply(0, 0, 150);
        let mut cut = Bench::new(vec![log]);
        let mut cuts = cuts;
        cuts.extend([saved, 150]);
        cuts.sort_unstable();
        for end in cuts {
            let start = cut.end(0);
            cut.apply(0, start, end);
            cut.step(&Step::Compact);
            if end == saved {
                cut.step(&Step::Snapshot { partition: 0 });
                cut.charts = Charts::new(settings());
                cut.step(&Step::Restore { partition: 0 });
            }
        }
        let status = |bench: &Bench| bench.charts.status().collect::<Vec<_>>();
        prop_assert_eq!(status(&whole), status(&cut));
        cut.check(whole.charts.watermark());
    }

    #[test]
    fn a_rebuild_of_what_is_in_reach_answers_as_the_whole(
        log in log(IDS), mut cuts in prop::collection::vec(1..150_i64, 0..8), died in 1..150_i64,
    ) {
        let mut whole = Bench::new(vec![log.clone()]);
        whole.apply(0, 0, 150);
        // Entries of the lake up to where the process died, newest first, as the engine reads them.
        cuts.push(died);
        cuts.retain(|cut| *cut <= died);
        cuts.sort_unstable();
        cuts.dedup();
        let starts = std::iter::once(0).chain(cuts.iter().copied());
        let mut reach = Reach::new(settings().reach());
        let clock = |end: i64| {
            let plausible = |row: &&Row| row.timestamp < 0 || row.ts - row.timestamp <= settings().future_limit;
            log.iter().filter(|row| row.offset < end).filter(plausible).map(|row| row.ts).max()
        };
        let entries: Vec<(i64, i64)> = starts.zip(cuts.iter().copied()).collect();
        let wanted: Vec<_> = entries.into_iter().rev().take_while(|&(_, end)| reach.wants(clock(end))).collect();
        let mut rebuilt = Bench::new(vec![log.clone()]);
        let source = rebuilt.logs[0].0.clone();
        rebuilt.charts.revoke(&source);
        rebuilt.charts.assign(&source, wanted.last().map_or(died, |entry| entry.0));
        for &(start, end) in wanted.iter().rev() {
            rebuilt.apply(0, start, end);
        }
        rebuilt.apply(0, died, 150);
        prop_assert_eq!(whole.charts.watermark(), rebuilt.charts.watermark());
        for (window, at) in Window::ALL.into_iter().flat_map(|window| At::ALL.map(|at| (window, at))) {
            let (left, right) = (whole.charts.top_songs(window, at, 50), rebuilt.charts.top_songs(window, at, 50));
            prop_assert_eq!((left.songs, left.revision), (right.songs, right.revision));
            let (left, right) = (whole.charts.active_users(window, at, None), rebuilt.charts.active_users(window, at, None));
            prop_assert_eq!((left.users, left.revision), (right.users, right.revision));
        }
    }
}
