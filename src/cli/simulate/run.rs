//! The simulation's thread: paces it, hands records to the sink, draws progress.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::HumanDuration;

use super::plan::Plan;
use super::sink::Sink;
use super::wall_ms;
use crate::progress::Bar;
use crate::simulator::{Disorder, Pace, RecordBuffer, Simulator};

/// Records taken from the simulator at a time.
const BATCH: usize = 4096;

/// Between two looks at the clock while nothing is due: records a second or so late, as Eventsim's are, do not matter.
const LONGEST_WAIT: Duration = Duration::from_millis(500);

/// Between two drawings.
const REDRAW: Duration = Duration::from_millis(200);

/// Asks the simulation to end, and wakes it.
#[derive(Debug, Default)]
pub(super) struct Stop {
    asked: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    pub(super) fn ask(&self) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    pub(super) fn is_asked(&self) -> bool {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits this long at most, and gives whether the end was asked for.
    fn wait(&self, time: Duration) -> bool {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(asked, time, |asked| !*asked);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// A simulation under way.
pub(super) struct Run {
    simulator: Simulator,
    pace: Pace,
    disorder: Option<Disorder>,
    sink: Sink,
    start_ms: i64,
    end_ms: Option<i64>,
    records: u64,
    begun: Instant,
    drawn: Instant,
    bar: Bar,
}

impl Run {
    pub(super) fn new(plan: Plan, sink: Sink) -> anyhow::Result<Self> {
        let Plan { config, pace, disorder } = plan;
        let (start_ms, end_ms) = (config.start_ms, config.end_ms);
        tracing::info!(users = config.users, seed = config.seed, "listeners settle in");
        let simulator = Simulator::new(config)?;
        let now = Instant::now();
        Ok(Self {
            bar: bar(start_ms, end_ms),
            simulator,
            pace,
            disorder,
            sink,
            start_ms,
            end_ms,
            records: 0,
            begun: now,
            drawn: now,
        })
    }

    /// Runs until the end, or until it is asked to stop. What was taken is delivered either way.
    pub(super) fn finish(mut self, stop: &Stop) -> anyhow::Result<()> {
        let stopped = self.simulate(stop);
        // Even where somebody took no more: the truth of what was written is whole.
        let finished = self.sink.finish();
        let stopped = stopped?;
        finished?;
        self.bar.finish_and_clear();
        let seconds = self.begun.elapsed().as_secs_f64();
        let rate = self.records as f64 / seconds.max(1e-9);
        let (records, users) = (self.records, self.simulator.users());
        tracing::info!(records, users, seconds, rate, stopped, "simulated");
        Ok(())
    }

    /// Gives whether it was asked to stop.
    fn simulate(&mut self, stop: &Stop) -> anyhow::Result<bool> {
        let (mut truth, mut records) = (RecordBuffer::default(), RecordBuffer::default());
        let mut reached = self.start_ms;
        let stopped = loop {
            let until = self.pace.until(wall_ms());
            truth.clear();
            let more = self.simulator.advance(until, BATCH, &mut truth);
            reached = truth.iter().last().map_or(reached, |record| record.envelope.ts);
            records = self.put(&mut truth, records)?;
            self.draw(reached);
            let next = self.simulator.next_event_time();
            if next.is_none() {
                break false;
            }
            if stop.wait(if more { Duration::ZERO } else { self.patience(next) }) {
                break true;
            }
        };
        if let Some(disorder) = &mut self.disorder {
            records.clear();
            disorder.finish(&mut records);
            self.records += records.len() as u64;
            self.sink.write(records)?;
        }
        Ok(stopped)
    }

    /// Hands what was simulated to the sink, disordered where that is asked for. Gives the buffer to fill next.
    fn put(&mut self, truth: &mut RecordBuffer, mut records: RecordBuffer) -> anyhow::Result<RecordBuffer> {
        records.clear();
        match &mut self.disorder {
            None => std::mem::swap(truth, &mut records),
            Some(disorder) => {
                let fates = disorder.apply(truth, &mut records);
                self.sink.keep_truth(truth, fates)?;
            }
        }
        if records.is_empty() {
            return Ok(records);
        }
        self.records += records.len() as u64;
        self.sink.write(records)
    }

    /// How long nothing is due.
    fn patience(&self, next: Option<i64>) -> Duration {
        let due = next.map_or(i64::MIN, |next| self.pace.due(next));
        Duration::from_millis(due.saturating_sub(wall_ms()).max(0) as u64).min(LONGEST_WAIT)
    }

    fn draw(&mut self, reached: i64) {
        if self.drawn.elapsed() < REDRAW {
            return;
        }
        self.drawn = Instant::now();
        let passed = self.begun.elapsed().as_secs_f64();
        let rate = self.records as f64 / passed;
        let done = (reached - self.start_ms).max(0) as f64;
        let left = self.end_ms.filter(|_| done > 0.0).map(|end| {
            let seconds = passed * ((end - reached) as f64 / done).max(0.0);
            format!(", {} left", HumanDuration(Duration::from_secs_f64(seconds.min(1e9))))
        });
        let left = left.unwrap_or_default();
        self.bar.set_position(done as u64);
        self.bar.set_message(format!("{} records, {rate:.0}/s{left}", self.records));
    }
}

fn bar(start_ms: i64, end_ms: Option<i64>) -> Bar {
    match end_ms {
        Some(end) => Bar::show(Some((end - start_ms).max(0) as u64), "{bar:30} {percent}%, {msg}"),
        None => Bar::show(None, "{spinner} {msg}"),
    }
}
