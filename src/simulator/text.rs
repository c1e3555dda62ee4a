//! The text of records: pieces made once, and how the four record types are put together from them.

use super::chain::Node;
use super::config::Compat;
use super::json::{float32, float64, integer, string};
use super::mangle;
use super::world::{FirstName, Place, World};
use crate::schemas::EventKind;

/// Pieces of text by number, in one allocation.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Pieces {
    fn make<T>(items: impl IntoIterator<Item = T>, write: impl Fn(&mut Vec<u8>, T)) -> Self {
        let mut pieces = Self::default();
        for item in items {
            write(&mut pieces.bytes, item);
            pieces.ends.push(pieces.bytes.len());
        }
        pieces
    }

    #[inline]
    fn get(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends.get(index - 1).copied().unwrap_or_default() };
        self.ends.get(index).and_then(|&end| self.bytes.get(start..end)).unwrap_or_default()
    }
}

/// Everything of the world that records show, as text.
#[derive(Debug)]
pub(super) struct Texts {
    songs: Pieces,
    places: Pieces,
    coordinates: Pieces,
    agents: Pieces,
    first_names: Pieces,
    last_names: Pieces,
    tag: Box<[u8]>,
}

impl Texts {
    pub(super) fn new(world: &World, compat: Compat, tag: Option<&str>) -> Self {
        let eventsim = compat == Compat::Eventsim;
        let catalogue = &world.catalogue;
        let songs = Pieces::make(&catalogue.songs, |out, each| {
            let artist = catalogue.artist(each);
            if eventsim {
                song(out, &mangle::mangled(artist), &mangle::mangled(&each.title), each.duration);
            } else {
                song(out, artist, &each.title, each.duration);
            }
        });
        let agents = Pieces::make(&world.user_agents, |out, each| {
            out.extend_from_slice(b",\"userAgent\":");
            let quoted = eventsim && each.quoted;
            string(out, &if quoted { format!("\"{}\"", each.text) } else { each.text.clone() });
        });
        let mut tagged = Vec::new();
        if let Some(tag) = tag {
            tagged.extend_from_slice(b",\"tag\":");
            string(&mut tagged, tag);
        }
        Self {
            songs,
            places: Pieces::make(&world.places, place),
            coordinates: Pieces::make(&world.places, coordinates),
            agents,
            first_names: Pieces::make(&world.first_names, first_name),
            last_names: Pieces::make(&world.last_names, |out, each| {
                out.extend_from_slice(b",\"lastName\":");
                string(out, &each.0);
            }),
            tag: tagged.into(),
        }
    }
}

/// `"artist":…,"song":…,"duration":…`
pub fn song(out: &mut Vec<u8>, artist: &str, title: &str, duration: f32) {
    out.extend_from_slice(b"\"artist\":");
    string(out, artist);
    out.extend_from_slice(b",\"song\":");
    string(out, title);
    out.extend_from_slice(b",\"duration\":");
    float32(out, duration);
}

fn place(out: &mut Vec<u8>, place: &Place) {
    for (name, value) in [("city", &place.city), ("zip", &place.zip), ("state", &place.state)] {
        out.extend_from_slice(format!(",\"{name}\":").as_bytes());
        string(out, value);
    }
}

fn coordinates(out: &mut Vec<u8>, place: &Place) {
    out.extend_from_slice(b",\"lon\":");
    float64(out, place.lon);
    out.extend_from_slice(b",\"lat\":");
    float64(out, place.lat);
}

fn first_name(out: &mut Vec<u8>, each: &FirstName) {
    out.extend_from_slice(b",\"firstName\":");
    string(out, &each.name);
    out.extend_from_slice(b",\"gender\":");
    string(out, each.gender.letter());
}

/// What the records of one event have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) ts: i64,
    pub(super) session: i64,
    pub(super) item: i64,
    /// The song, on its page only.
    pub(super) song: Option<usize>,
}

/// Who, where and with what; numbers into [`Texts`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Visitor {
    pub(super) user_id: i64,
    pub(super) place: usize,
    pub(super) agent: usize,
    pub(super) first_name: usize,
    pub(super) last_name: usize,
    pub(super) registration: i64,
}

/// One event's records.
pub(super) struct Writer<'a> {
    texts: &'a Texts,
    node: &'a Node,
    moment: Moment,
    visitor: &'a Visitor,
}

impl<'a> Writer<'a> {
    pub(super) fn new(texts: &'a Texts, node: &'a Node, moment: Moment, visitor: &'a Visitor) -> Self {
        Self { texts, node, moment, visitor }
    }

    /// Appends the record of this kind, line feed included.
    #[inline]
    pub(super) fn write(&self, kind: EventKind, out: &mut Vec<u8>) {
        let node = self.node;
        out.push(b'{');
        if kind == EventKind::Listen {
            self.song(out);
            out.push(b',');
        }
        self.time(out);
        out.extend_from_slice(match kind {
            EventKind::Listen => &node.listen,
            EventKind::PageView => &node.page_view,
            EventKind::Auth => &node.auth,
            EventKind::StatusChange => &node.status,
        });
        self.item_and_visitor(out);
        match kind {
            EventKind::PageView if self.moment.song.is_some() => {
                out.push(b',');
                self.song(out);
            }
            EventKind::Auth if node.logged_in => out.extend_from_slice(b",\"success\":true"),
            EventKind::Auth => out.extend_from_slice(b",\"success\":false"),
            _ => {}
        }
        out.extend_from_slice(b"}\n");
    }

    #[inline]
    fn time(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\"ts\":");
        integer(out, self.moment.ts);
        out.extend_from_slice(b",\"sessionId\":");
        integer(out, self.moment.session);
    }

    #[inline]
    fn song(&self, out: &mut Vec<u8>) {
        if let Some(song) = self.moment.song {
            out.extend_from_slice(self.texts.songs.get(song));
        }
    }

    #[inline]
    fn item_and_visitor(&self, out: &mut Vec<u8>) {
        let (texts, visitor) = (self.texts, self.visitor);
        integer(out, self.moment.item);
        out.extend_from_slice(texts.places.get(visitor.place));
        out.extend_from_slice(texts.agents.get(visitor.agent));
        out.extend_from_slice(texts.coordinates.get(visitor.place));
        if self.node.shows_user {
            out.extend_from_slice(b",\"userId\":");
            integer(out, visitor.user_id);
            out.extend_from_slice(texts.last_names.get(visitor.last_name));
            out.extend_from_slice(texts.first_names.get(visitor.first_name));
            out.extend_from_slice(b",\"registration\":");
            integer(out, visitor.registration);
            out.extend_from_slice(&texts.tag);
        }
    }
}
