//! The simulator: who is next, what they do, and what is recorded of it.

use super::arrival::Arrival;
use super::calendar::YEAR;
use super::chain::Chain;
use super::choice::SongChoice;
use super::config::{Compat, ConfigError, SimulatorConfig};
use super::listener::{Listener, SessionIds};
use super::people::People;
use super::queue::Queue;
use super::random::Random;
use super::record::RecordBuffer;
use super::text::{Texts, Visitor};

/// A simulated site with all its listeners.
///
/// The same [`SimulatorConfig`] gives the same records, byte for byte, on any machine and in however many calls
/// of [`Simulator::advance`].
#[derive(Debug)]
pub struct Simulator {
    rules: Rules,
    texts: Texts,
    users: Vec<Listener>,
    visitors: Vec<Visitor>,
    queue: Queue,
    newcomers: Option<Newcomers>,
    songs: SongChoice,
    ids: SessionIds,
    /// Second 0 of the queue, since 1970.
    origin: i64,
    /// Second of the event before, since 1970.
    clock: i64,
}

/// What does not change while it runs.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) chain: Chain,
    pub(super) arrival: Arrival,
    pub(super) compat: Compat,
    /// Listeners who leave a year, as a share.
    pub(super) attrition_rate: f64,
    /// Milliseconds that every time has beyond its second, as the start has them.
    pub(super) fraction: i64,
    /// Seconds since 1970.
    pub(super) start: i64,
    people: People,
    seed: u64,
    end: Option<i64>,
    growth_rate: f64,
}

impl Rules {
    fn new(config: &SimulatorConfig) -> Result<Self, ConfigError> {
        let fraction = config.start_ms.rem_euclid(1000);
        // An end within a second takes in the events before it.
        let end = config
            .end_ms
            .map(|end| (end - fraction).div_euclid(1000) + i64::from((end - fraction) % 1000 != 0));
        Ok(Self {
            chain: Chain::new(config)?,
            arrival: Arrival::new(config),
            people: People::new(config)?,
            compat: config.compat,
            attrition_rate: config.attrition_rate,
            growth_rate: config.growth_rate,
            seed: config.seed,
            start: config.start_ms.div_euclid(1000),
            end,
            fraction,
        })
    }
}

impl Newcomers {
    /// Moves on to the next of them. Eventsim cuts the time between two to whole seconds, so that a large site grows the
    /// faster the larger it is.
    fn draw(&mut self, rules: &Rules) {
        let gap = self.random.exponential(YEAR / (f64::from(self.count) * rules.growth_rate));
        self.at += match rules.compat {
            Compat::Eventsim => gap.trunc(),
            Compat::Clean => gap,
        };
        self.count += 1;
    }

    /// Second of the next one, since 1970.
    fn next(&self) -> i64 {
        self.at as i64
    }
}

/// Those who are still to come.
#[derive(Debug)]
struct Newcomers {
    random: Random,
    /// Time of the next one, seconds since 1970.
    at: f64,
    count: u32,
}

/// Streams of chance besides those of the listeners, which are numbered from 0.
const NEWCOMER_STREAM: u64 = u64::MAX;

impl Simulator {
    /// Makes the site and its first listeners, and lets them live up to the start, unrecorded.
    ///
    /// # Errors
    /// A setting that does not hold up; the error names it.
    pub fn new(config: SimulatorConfig) -> Result<Self, ConfigError> {
        config.check()?;
        let rules = Rules::new(&config)?;
        let texts = Texts::new(&config.world, config.compat, config.tag.as_deref());
        let songs = SongChoice::new(&config)?;
        let mut simulator = Self {
            origin: 0,
            clock: i64::MIN,
            ids: SessionIds::new(config.compat, config.start_ms),
            newcomers: None,
            queue: Queue::new(),
            users: Vec::new(),
            visitors: Vec::new(),
            songs,
            texts,
            rules,
        };
        simulator.settle_in(&config);
        Ok(simulator)
    }

    /// Event time (milliseconds since 1970 UTC) of the next event that would be recorded; none where there are no more.
    pub fn next_event_time(&mut self) -> Option<i64> {
        let second = self.next_second()?;
        Some(second * 1000 + self.rules.fraction)
    }

    /// Appends the records of events before `until_ms` (milliseconds since 1970 UTC, exclusive), in event-time order, and
    /// stops after an event with which `out` has got `max_records` or more new ones (an event has up to three).
    /// Gives whether it stopped for that, so that more may be due.
    pub fn advance(&mut self, until_ms: i64, max_records: usize, out: &mut RecordBuffer) -> bool {
        let full = out.len().saturating_add(max_records);
        // The first second whose events are not due.
        let until = until_ms.saturating_sub(self.rules.fraction).div_euclid(1000)
            + i64::from(until_ms.saturating_sub(self.rules.fraction).rem_euclid(1000) > 0);
        while out.len() < full {
            match self.next_second() {
                Some(second) if second < until => self.event(Some(out)),
                _ => return false,
            }
        }
        true
    }

    /// Listeners so far, those who left included.
    pub fn users(&self) -> usize {
        self.users.len()
    }

    /// Second of the next event that belongs to the simulation.
    fn next_second(&mut self) -> Option<i64> {
        let next = self.peek()?;
        let over = |end: i64| match self.rules.compat {
            // Eventsim looks at the event before.
            Compat::Eventsim => self.clock >= end,
            Compat::Clean => next >= end,
        };
        (!self.rules.end.is_some_and(over)).then_some(next)
    }

    /// Second of the next event; whoever signs up before it is let in.
    fn peek(&mut self) -> Option<i64> {
        loop {
            let arrival = self.newcomers.as_ref().map(Newcomers::next);
            let limit = arrival.map_or(u64::MAX, |second| second.saturating_sub(self.origin).max(0) as u64);
            if let Some(second) = self.queue.peek(limit) {
                return Some(self.origin + second as i64);
            }
            let arrival = arrival?;
            if self.rules.end.is_some_and(|end| arrival >= end) {
                self.newcomers = None;
                continue;
            }
            self.let_in(arrival);
        }
    }

    /// Records the next event, where `out` is given, and takes its listener on to the one after.
    fn event(&mut self, out: Option<&mut RecordBuffer>) {
        let Some((index, _)) = self.queue.pop(u64::MAX) else { return };
        let (Some(user), Some(visitor)) =
            (self.users.get_mut(index as usize), self.visitors.get(index as usize))
        else {
            return;
        };
        self.clock = user.at;
        if let Some(out) = out {
            user.record(&self.rules, &self.texts, &mut self.ids, visitor, out);
        }
        if user.step(&self.rules, &mut self.songs, &mut self.ids, visitor.place) {
            self.queue.push(index, (user.at - self.origin).max(0) as u64);
        }
    }

    /// Makes the listeners of the first hour and lets them live until after the start.
    fn settle_in(&mut self, config: &SimulatorConfig) {
        for _ in 0..config.users {
            self.add(None);
        }
        let start = self.rules.start;
        if config.growth_rate > 0.0 && config.users > 0 {
            let random = Random::new(config.seed, NEWCOMER_STREAM);
            let mut newcomers = Newcomers { random, at: start as f64, count: config.users };
            newcomers.draw(&self.rules);
            self.newcomers = Some(newcomers);
            if let (Compat::Eventsim, Some(end)) = (config.compat, self.rules.end) {
                self.let_all_in(end);
            }
        }
        let first = self.users.iter().map(|user| user.at).min();
        self.origin = first.unwrap_or(start).min(start);
        for (index, user) in self.users.iter().enumerate() {
            self.queue.push(index as u32, (user.at - self.origin) as u64);
        }
        while self.peek().is_some_and(|second| second <= start) {
            self.event(None);
        }
    }

    /// Eventsim makes all newcomers beforehand, one of them past the end.
    fn let_all_in(&mut self, end: i64) {
        while let Some(mut newcomers) = self.newcomers.take() {
            self.add(Some(newcomers.next()));
            if newcomers.next() < end {
                newcomers.draw(&self.rules);
                self.newcomers = Some(newcomers);
            }
        }
    }

    /// Lets the next newcomer in, who signs up at `second`.
    fn let_in(&mut self, second: i64) {
        let index = self.users.len() as u32;
        if let Some(at) = self.add(Some(second)) {
            self.queue.push(index, (at - self.origin).max(0) as u64);
        }
        if let Some(newcomers) = &mut self.newcomers {
            newcomers.draw(&self.rules);
        }
    }

    /// Makes a listener, who signed up before the start or signs up at `second`. Gives the second of their first event;
    /// none where no session could begin, which the settings' check rules out.
    fn add(&mut self, second: Option<i64>) -> Option<i64> {
        let rules = &self.rules;
        let mut random = Random::new(rules.seed, self.users.len() as u64);
        let (alpha, beta) = (rules.people.alpha(&mut random), rules.people.beta(&mut random));
        let auth = rules.chain.draw_auth(&mut random);
        let level = rules.chain.draw_level(&mut random);
        let newcomer = &rules.people.newcomer;
        let (auth, level) =
            if second.is_some() { (newcomer.0.as_str(), newcomer.1.as_str()) } else { (auth, level) };
        let class = rules.chain.class(auth, level)?;
        let mut visitor = rules.people.visitor(self.users.len(), &mut random);
        let joins = second.unwrap_or(rules.start);
        let steady = joins - beta as i64;
        let earliest = match (second, rules.compat) {
            (Some(second), Compat::Clean) => second,
            _ => steady,
        };
        let mut at = rules.arrival.next(steady - beta as i64, beta, &mut random);
        while at < earliest {
            at = rules.arrival.next(at, beta, &mut random);
        }
        let member_for = if second.is_none() { rules.people.member_for(&mut random) } else { 0 };
        visitor.registration = (joins - member_for) * 1000 + rules.fraction;
        let state = rules.chain.start(class, &mut random)?;
        let mut user = Listener::new(random, alpha, beta);
        user.begin(rules, &mut self.songs, &mut self.ids, state, at, visitor.place);
        self.users.push(user);
        self.visitors.push(visitor);
        Some(at)
    }
}
