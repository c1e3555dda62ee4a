//! One listener: what they do next, and what is recorded of it.

use super::calendar::YEAR;
use super::chain::{Node, StateId};
use super::choice::SongChoice;
use super::config::Compat;
use super::engine::Rules;
use super::random::Random;
use super::record::{Envelope, RecordBuffer};
use super::text::{Moment, Texts, Visitor, Writer};
use crate::schemas::EventKind;

/// Gives sessions their ids.
#[derive(Debug)]
pub(super) struct SessionIds(i64);

impl SessionIds {
    /// Eventsim counts from 1. Runs that go on from where another ended, into the same topics, must not use its ids again:
    /// they count from their start in milliseconds, which none before them has reached unless a thousand sessions a second
    /// were seen.
    pub(super) fn new(compat: Compat, start_ms: i64) -> Self {
        Self(if compat == Compat::Eventsim { 0 } else { start_ms })
    }

    fn next(&mut self) -> i64 {
        self.0 += 1;
        self.0
    }
}

/// What changes of a listener.
#[derive(Debug)]
pub(super) struct Listener {
    random: Random,
    /// Mean seconds between pages and between sessions.
    alpha: f64,
    beta: f64,
    /// Second of the next event, since 1970.
    pub(super) at: i64,
    song_end: i64,
    /// The session's id, once it has one.
    session: Option<i64>,
    /// The song that plays or played last in this session.
    song: Option<u32>,
    item: u32,
    state: StateId,
    /// The page before was `Login`, as far as redirects let it be seen.
    after_login: bool,
}

impl Listener {
    pub(super) fn new(random: Random, alpha: f64, beta: f64) -> Self {
        Self {
            random,
            alpha,
            beta,
            at: 0,
            song_end: 0,
            session: None,
            song: None,
            item: 0,
            state: 0,
            after_login: false,
        }
    }

    /// Begins a session.
    pub(super) fn begin(
        &mut self,
        rules: &Rules,
        songs: &mut SongChoice,
        ids: &mut SessionIds,
        state: StateId,
        at: i64,
        place: usize,
    ) {
        // An id is given when the session begins, or, so that few are used up, when something of it is first recorded.
        self.session = (rules.compat == Compat::Eventsim).then(|| ids.next());
        (self.state, self.at) = (state, at);
        (self.item, self.song, self.after_login) = (0, None, false);
        if rules.chain.node(state).is_some_and(|node| node.next_song) {
            self.play(songs, place);
        }
    }

    fn play(&mut self, songs: &mut SongChoice, place: usize) {
        let song = songs.next(self.song, self.at, place, &mut self.random);
        self.song_end = self.at + songs.seconds(song);
        self.song = Some(song);
    }

    /// Goes on to the next event. Gives whether there is one: not for someone who left for good.
    pub(super) fn step(
        &mut self,
        rules: &Rules,
        songs: &mut SongChoice,
        ids: &mut SessionIds,
        place: usize,
    ) -> bool {
        let Some(node) = rules.chain.node(self.state) else { return false };
        let next = rules.chain.step(node, &mut self.random);
        let Some((state, target)) = next.and_then(|state| Some((state, rules.chain.node(state)?))) else {
            return self.come_back(rules, node, songs, ids, place);
        };
        if target.redirect {
            self.at += 1;
        } else if target.next_song && self.song.is_some() && self.at < self.song_end {
            self.at = self.song_end;
        } else {
            self.at += self.random.seconds(self.alpha);
        }
        // Eventsim forgets to note the page before a redirect, and so may record a sign-in twice.
        if !target.redirect || rules.compat == Compat::Clean {
            self.after_login = node.login;
        }
        self.state = state;
        self.item += 1;
        if target.next_song {
            self.play(songs, place);
        }
        true
    }

    /// Ends the session and begins the next, unless this was the last.
    fn come_back(
        &mut self,
        rules: &Rules,
        node: &Node,
        songs: &mut SongChoice,
        ids: &mut SessionIds,
        place: usize,
    ) -> bool {
        // A slip makes Eventsim's probability to leave far greater than 1, whatever the rate.
        if node.churned || (rules.compat == Compat::Eventsim && rules.attrition_rate > 0.0) {
            return false;
        }
        let at = rules.arrival.next(self.at, self.beta, &mut self.random);
        if rules.attrition_rate > 0.0 {
            // Nobody leaves while the first listeners settle in.
            let years = (at - self.at.max(rules.start)).max(0) as f64 / YEAR;
            if self.random.chance(-libm::expm1(-rules.attrition_rate * years)) {
                return false;
            }
        }
        let Some(state) = rules.chain.start(node.class, &mut self.random) else { return false };
        self.begin(rules, songs, ids, state, at, place);
        true
    }

    /// Appends the records of the present event, in Eventsim's order.
    pub(super) fn record(
        &mut self,
        rules: &Rules,
        texts: &Texts,
        ids: &mut SessionIds,
        visitor: &Visitor,
        out: &mut RecordBuffer,
    ) {
        let Some(node) = rules.chain.node(self.state) else { return };
        let session = *self.session.get_or_insert_with(|| ids.next());
        let ts = self.at * 1000 + rules.fraction;
        let song = self.song.filter(|_| node.next_song).map(|song| song as usize);
        let moment = Moment { ts, session, item: i64::from(self.item), song };
        let writer = Writer::new(texts, node, moment, visitor);
        let user_id = node.shows_user.then_some(visitor.user_id);
        let mut put = |kind| {
            writer.write(kind, out.text());
            out.close(Envelope { kind, user_id, session_id: session, ts });
        };
        if node.next_song {
            put(EventKind::Listen);
        }
        if node.submit {
            put(EventKind::StatusChange);
        }
        if self.after_login {
            put(EventKind::Auth);
        }
        put(EventKind::PageView);
    }
}
