//! An exhaustive explorer: every order of the steps of several writers over the real protocol, within stated bounds, with
//! crashes anywhere, lost answers, creates that take effect late, wrong hints, retention and a topic created anew.
//!
//! Steps that no other task can see or influence are taken at once, in no particular order with others: they commute with
//! all that the others do. Writers are alike, so they make their first visible step in the order of their numbers.

mod ground;
mod scenarios;
mod task;

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};

use bytes::Bytes;

use super::Mutant;
use ground::Ground;
use task::{Ask, End, Histories, Role};

/// How much may go wrong, and how much there is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Bounds {
    pub writers: u8,
    /// Records in the log at the start.
    pub records: u8,
    /// Longest batch.
    pub longest: u8,
    /// Records that come later.
    pub appends: u8,
    pub crashes: u8,
    /// Creates whose answer is lost, that fail, or that take effect late.
    pub faults: u8,
    /// Records that retention takes, one by one.
    pub expiries: u8,
    /// Times that the topic is created anew, with one record less.
    pub recreations: u8,
    /// Whether committed offsets may be anything; else there are none.
    pub hints: bool,
}

/// Everything that the next steps depend on.
#[derive(Clone, PartialEq, Eq, Hash)]
struct State {
    ground: Ground,
    /// A history for each task; the operator, if there is one, is the last.
    tasks: Vec<usize>,
    /// Lives that each task has lived before.
    lives: Vec<u8>,
    /// Writers that have made a visible step.
    started: u8,
    wants_epoch: bool,
    left: Bounds,
}

/// What a search came to.
#[derive(Debug)]
pub struct Found {
    /// Different states.
    pub states: usize,
    /// Steps between them.
    pub steps: usize,
    /// Different states of bucket and log, in each of which all invariants were checked.
    pub grounds: usize,
    /// The first violation.
    pub violation: Option<String>,
    /// Whether every state within the bounds was seen.
    pub complete: bool,
}

pub struct Search {
    histories: Histories,
    bounds: Bounds,
    mutant: Mutant,
    keys: [RandomState; 2],
    seen: HashSet<(u64, u64)>,
    queue: VecDeque<State>,
    checked: HashMap<Ground, Option<String>>,
    steps: usize,
    violation: Option<String>,
}

impl Search {
    pub fn new(bounds: Bounds, mutant: Mutant) -> Self {
        let mut search = Search {
            histories: Histories::new(mutant),
            bounds,
            mutant,
            keys: Default::default(),
            seen: HashSet::new(),
            queue: VecDeque::new(),
            checked: HashMap::new(),
            steps: 0,
            violation: None,
        };
        let tasks = usize::from(bounds.writers) + usize::from(bounds.recreations > 0);
        let state = State {
            ground: Ground::new(bounds.records),
            tasks: (0..tasks).map(|slot| search.histories.root(search.role(slot, 0))).collect(),
            lives: vec![0; tasks],
            started: 0,
            wants_epoch: false,
            left: bounds,
        };
        search.add(state);
        search
    }

    /// Goes on until all is seen, a violation is found or `most` states were seen.
    pub fn run(mut self, most: usize) -> Found {
        while let Some(state) = self.queue.pop_front() {
            if self.violation.is_some() || self.seen.len() > most {
                break;
            }
            self.expand(&state);
        }
        Found {
            states: self.seen.len(),
            steps: self.steps,
            grounds: self.checked.len(),
            complete: self.queue.is_empty() && self.violation.is_none(),
            violation: self.violation,
        }
    }

    fn role(&self, slot: usize, life: u8) -> Role {
        if slot == usize::from(self.bounds.writers) {
            return Role::Operator;
        }
        let id = slot as u64 * 10 + u64::from(life);
        Role::Writer { id, looks_for_epoch: self.bounds.recreations > 0 }
    }

    fn add(&mut self, state: State) {
        self.steps += 1;
        let key = (self.keys[0].hash_one(&state), self.keys[1].hash_one(&state));
        if !self.seen.insert(key) {
            return;
        }
        if !self.checked.contains_key(&state.ground) {
            let found = state.ground.violation().or_else(|| self.stuck(&state));
            self.violation = self.violation.take().or_else(|| found.clone());
            self.checked.insert(state.ground.clone(), found);
        }
        self.queue.push_back(state);
    }

    fn fail(&mut self, what: impl Into<String>) {
        self.violation.get_or_insert(what.into());
    }

    fn expand(&mut self, state: &State) {
        for slot in 0..state.tasks.len() {
            let open = self.histories.all[state.tasks[slot]].open.clone();
            let quiet = open.iter().find(|(_, ask)| state.ground.is_settled(ask, &state.left));
            if let Some((ask, what)) = quiet {
                return self.answer(state, slot, *ask, what);
            }
        }
        for slot in 0..state.tasks.len() {
            self.step(state, slot);
            self.crash(state, slot);
        }
        for late in 0..state.ground.late.len() {
            let mut next = state.clone();
            let (name, body) = next.ground.late.remove(late);
            self.create(&mut next.ground, &name, &body);
            self.add(next);
        }
        for next in state.ground.changes(&state.left) {
            let (ground, left) = next;
            self.add(State { ground, left, ..state.clone() });
        }
    }

    fn step(&mut self, state: &State, slot: usize) {
        let operator = self.histories.role(state.tasks[slot]) == Role::Operator;
        if operator && !state.wants_epoch || !operator && slot > usize::from(state.started) {
            return;
        }
        let mut state = state.clone();
        state.started = state.started.max(if operator { 0 } else { slot as u8 + 1 });
        for (ask, what) in self.histories.all[state.tasks[slot]].open.clone() {
            self.answer(&state, slot, ask, &what);
            let Ask::Create(name, body) = &what else { continue };
            if state.left.faults == 0 {
                continue;
            }
            for fault in 0..3 {
                let mut next = state.clone();
                next.left.faults -= 1;
                match fault {
                    0 => drop(self.create(&mut next.ground, name, body)),
                    1 => next.ground.add_late(name, body),
                    _ => {}
                }
                self.lead_on(next, slot, ask, task::Answer::Failed);
            }
        }
    }

    /// All answers that the world may give.
    fn answer(&mut self, state: &State, slot: usize, ask: usize, what: &Ask) {
        if let Ask::Create(name, body) = what {
            let mut next = state.clone();
            let new = self.create(&mut next.ground, name, body);
            return self.lead_on(next, slot, ask, task::Answer::Created(new));
        }
        for answer in state.ground.answers(what, &self.bounds) {
            self.lead_on(state.clone(), slot, ask, answer);
        }
    }

    fn create(&mut self, ground: &mut Ground, name: &str, body: &Bytes) -> bool {
        match ground.create(name, body, self.mutant) {
            Ok(new) => new,
            Err(violation) => {
                self.fail(violation);
                true
            }
        }
    }

    fn lead_on(&mut self, mut state: State, slot: usize, ask: usize, answer: task::Answer) {
        let history = self.histories.answered(state.tasks[slot], ask, answer);
        state.tasks[slot] = history;
        for ask in &self.histories.all[history].dropped {
            if let Ask::Create(name, body) = ask {
                state.ground.add_late(name, body);
            }
        }
        match self.histories.all[history].end {
            None => {}
            Some(End::Done) => state.wants_epoch = false,
            Some(End::Again) => {}
            Some(End::WantsEpoch) if state.ground.is_first_topic() => {
                return self.fail("never-refused: a sound topic is refused");
            }
            Some(End::WantsEpoch) => state.wants_epoch = true,
        }
        if self.histories.all[history].end.is_some() {
            let role = self.histories.role(history);
            state.tasks[slot] = self.histories.root(role);
        }
        self.add(state);
    }

    /// A task dies; what it was creating takes effect late or never.
    fn crash(&mut self, state: &State, slot: usize) {
        let history = state.tasks[slot];
        let fresh = self.histories.root(self.histories.role(history)) == history;
        if state.left.crashes == 0 || fresh {
            return;
        }
        let open = self.histories.all[history].open.iter();
        let creates: Vec<(String, Bytes)> = open
            .filter_map(|(_, ask)| match ask {
                Ask::Create(name, body) => Some((name.clone(), body.clone())),
                _ => None,
            })
            .collect();
        for under_way in 0..1 << creates.len() {
            let mut next = state.clone();
            next.left.crashes -= 1;
            next.lives[slot] += 1;
            next.tasks[slot] = self.histories.root(self.role(slot, next.lives[slot]));
            for (at, (name, body)) in creates.iter().enumerate() {
                if under_way >> at & 1 == 1 {
                    next.ground.add_late(name, body);
                }
            }
            self.add(next);
        }
    }

    /// `live`: from here a new writer alone, without faults, reaches the log's end.
    fn stuck(&mut self, state: &State) -> Option<String> {
        if !state.ground.is_first_topic() || self.mutant != Mutant::None {
            return None;
        }
        let mut ground = state.ground.clone();
        let bounds = Bounds { hints: false, ..self.bounds };
        let mut history = self.histories.root(Role::Writer { id: 99, looks_for_epoch: false });
        for _ in 0..500 {
            let Some((ask, what)) = self.histories.all[history].open.first().cloned() else { break };
            let answer = match &what {
                Ask::Create(name, body) => {
                    ground.create(name, body, self.mutant).map(task::Answer::Created).ok()
                }
                _ => ground.answers(&what, &bounds).pop(),
            };
            let Some(answer) = answer else { break };
            history = self.histories.answered(history, ask, answer);
        }
        if let Some(violation) = ground.violation() {
            return Some(violation);
        }
        (!ground.is_written()).then(|| "live: a writer alone does not reach the log's end".into())
    }
}
