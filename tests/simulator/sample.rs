//! A run's records as the engine's own decoder reads them.

use std::collections::HashMap;
use std::sync::Arc;

use beatlytica::schemas::{Column, Decoder, EventBatch, EventKind, RawRecord, Source, TextColumn};

/// A page view.
#[derive(Debug, Clone)]
pub struct View {
    pub ts: i64,
    pub session: i64,
    pub item: i64,
    pub page: Arc<str>,
    pub auth: Arc<str>,
    pub level: Arc<str>,
    pub user: Option<i64>,
    /// Length of the song, seconds, where the record names one.
    pub duration: Option<f64>,
}

/// A record of one of the other three types.
#[derive(Debug, Clone)]
pub struct Other {
    pub ts: i64,
    pub session: i64,
    pub item: i64,
    pub level: Arc<str>,
    pub user: Option<i64>,
    /// Of auth events.
    pub success: Option<bool>,
}

/// What is known of a listener.
#[derive(Debug, Clone)]
pub struct Person {
    pub gender: Arc<str>,
    pub registration: i64,
    pub quoted_agent: bool,
}

/// All records of a run, and bytes for each type (line feeds included), in [`EventKind::ALL`]'s order.
#[derive(Debug, Default)]
pub struct Sample {
    pub views: Vec<View>,
    pub listens: Vec<Other>,
    pub auths: Vec<Other>,
    pub changes: Vec<Other>,
    pub bytes: [u64; 4],
    pub people: HashMap<i64, Person>,
    pub plays: Plays,
    /// A listen record of each listener.
    pub listeners: HashMap<i64, Vec<u8>>,
}

/// How often a song was heard, by the beginning of its records: `{"artist":…,"song":…,"duration":…`.
pub type Plays = HashMap<Vec<u8>, u64>;

/// Counts a listen record.
pub fn count_play(plays: &mut Plays, line: &[u8]) {
    let end = memchr::memmem::find(line, b",\"ts\":").expect("a time");
    match plays.get_mut(&line[..end]) {
        Some(count) => *count += 1,
        None => {
            plays.insert(line[..end].to_vec(), 1);
        }
    }
}

fn user_of(line: &[u8]) -> i64 {
    let at = memchr::memmem::find(line, b"\"userId\":").expect("a listener") + 9;
    let digits = line[at..].iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number, digit| number * 10 + i64::from(digit - b'0'))
}

impl Sample {
    pub fn of(&self, kind: EventKind) -> usize {
        match kind {
            EventKind::Listen => self.listens.len(),
            EventKind::PageView => self.views.len(),
            EventKind::Auth => self.auths.len(),
            EventKind::StatusChange => self.changes.len(),
        }
    }
}

/// Takes lines and makes a sample of them. Fails on a record that the engine would reject or not know whole.
pub struct Collector {
    decoders: Vec<(Decoder, usize, i64)>,
    names: HashMap<String, Arc<str>>,
    sample: Sample,
    with_listens: bool,
}

const BATCH: usize = 8192;

impl Collector {
    pub fn new() -> Self {
        let decoder = |kind: EventKind| {
            let source = Source { topic: kind.table().into(), kind, epoch: 1, partition: 0 };
            (Decoder::new(Arc::new(source), false), 0, 0)
        };
        let decoders = EventKind::ALL.into_iter().map(decoder).collect();
        Self { decoders, names: HashMap::new(), sample: Sample::default(), with_listens: false }
    }

    /// Also counts plays, and keeps a listen record of each listener.
    pub fn with_listens(mut self) -> Self {
        self.with_listens = true;
        self
    }

    pub fn push(&mut self, kind: EventKind, line: &[u8]) {
        self.sample.bytes[kind as usize] += line.len() as u64;
        if self.with_listens && kind == EventKind::Listen {
            count_play(&mut self.sample.plays, line);
            self.sample.listeners.entry(user_of(line)).or_insert_with(|| line.to_vec());
        }
        let (decoder, pending, offset) = &mut self.decoders[kind as usize];
        decoder.push(RawRecord { offset: *offset, timestamp: 0, key: None, value: Some(line) }, Vec::new);
        (*pending, *offset) = (*pending + 1, *offset + 1);
        if *pending == BATCH {
            self.flush(kind);
        }
    }

    pub fn finish(mut self) -> Sample {
        for kind in EventKind::ALL {
            self.flush(kind);
        }
        self.sample
    }

    fn flush(&mut self, kind: EventKind) {
        let (decoder, pending, offset) = &mut self.decoders[kind as usize];
        let batch = decoder.finish(*offset);
        *pending = 0;
        assert!(batch.rejected.is_empty(), "rejected: {:?}", batch.rejected.first());
        assert!(batch.extra.values.is_empty(), "unknown members: {:?}", batch.extra.values.first());
        self.take(kind, &batch);
    }

    fn take(&mut self, kind: EventKind, batch: &EventBatch) {
        let integers = |name| batch.int64(name).expect("an integer column");
        let (ts, session, item) = (integers("ts"), integers("session_id"), integers("item_in_session"));
        let (user, registration) = (integers("user_id"), integers("registration"));
        let mut texts = |name| self.texts(batch.text(name).expect("a text column"));
        let (level, gender, agent) = (texts("level"), texts("gender"), texts("user_agent"));
        if kind == EventKind::PageView {
            let (page, auth, song) = (texts("page"), texts("auth"), texts("song"));
            let duration = kind.index_of("duration").map(|index| match &batch.columns[index] {
                Column::Float64(column) => &column.values,
                _ => panic!("`duration` is no float"),
            });
            let duration = duration.expect("a column `duration`");
            let view = |row: usize| View {
                ts: ts.values[row],
                session: session.values[row],
                item: item.values[row],
                page: page[row].clone().expect("a page"),
                auth: auth[row].clone().expect("an auth value"),
                level: level[row].clone().expect("a level"),
                user: user.get(row),
                duration: song[row].is_some().then(|| duration[row]),
            };
            self.sample.views.extend((0..batch.rows()).map(view));
        } else {
            let success = kind.index_of("success").map(|index| match &batch.columns[index] {
                Column::Bool(column) => &column.values,
                _ => panic!("`success` is no boolean"),
            });
            let other = |row: usize| Other {
                ts: ts.values[row],
                session: session.values[row],
                item: item.values[row],
                level: level[row].clone().expect("a level"),
                user: user.get(row),
                success: success.map(|values| values[row]),
            };
            let target = match kind {
                EventKind::Listen => &mut self.sample.listens,
                EventKind::Auth => &mut self.sample.auths,
                _ => &mut self.sample.changes,
            };
            target.extend((0..batch.rows()).map(other));
        }
        for row in 0..batch.rows() {
            if let (Some(user), Some(gender), Some(agent)) = (user.get(row), &gender[row], &agent[row]) {
                self.sample.people.entry(user).or_insert_with(|| Person {
                    gender: gender.clone(),
                    registration: registration.values[row],
                    quoted_agent: agent.starts_with('"'),
                });
            }
        }
    }

    fn texts(&mut self, column: &TextColumn) -> Vec<Option<Arc<str>>> {
        let dictionary = column.dictionary.read();
        let mut known: HashMap<u32, Option<Arc<str>>> = HashMap::new();
        let mut shared = |text: &str| -> Arc<str> {
            self.names.entry(text.to_owned()).or_insert_with(|| text.into()).clone()
        };
        let text =
            |&key: &u32| known.entry(key).or_insert_with(|| dictionary.get(key).map(&mut shared)).clone();
        column.keys.iter().map(text).collect()
    }
}
