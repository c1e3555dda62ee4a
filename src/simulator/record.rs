//! Where finished records are put: one growing byte buffer, reused from call to call.

use crate::schemas::EventKind;

/// Records in event-time order, as the bytes of JSON lines. Nothing is allocated for one record.
#[derive(Debug, Default, Clone)]
pub struct RecordBuffer {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    /// Where the line ends in `bytes`; it begins where the one before ends.
    end: usize,
    ts: i64,
    user_id: i64,
    session_id: i64,
    kind: EventKind,
}

/// Stands for "nobody is signed in" in an [`Entry`].
const NOBODY: i64 = i64::MIN;

/// What is known of a record besides its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Envelope {
    /// The event type, and so the topic.
    pub kind: EventKind,
    /// Who is signed in; none for guests and logged-out visitors.
    pub user_id: Option<i64>,
    /// Session that the event belongs to.
    pub session_id: i64,
    /// Event time, milliseconds since 1970-01-01T00:00:00Z.
    pub ts: i64,
}

impl Envelope {
    /// What a Kafka record is keyed by: the listener, else the session, as `replay` does.
    pub fn key(&self) -> i64 {
        self.user_id.unwrap_or(self.session_id)
    }
}

/// One record, borrowed from its buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// What is known of it.
    pub envelope: Envelope,
    /// The JSON object, ended by a line feed.
    pub line: &'a [u8],
}

impl<'a> Record<'a> {
    /// The JSON object without its line feed.
    pub fn json(&self) -> &'a [u8] {
        self.line.strip_suffix(b"\n").unwrap_or(self.line)
    }
}

impl RecordBuffer {
    /// Records held.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The text of all records, one after the other.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Drops the records and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
    }

    /// The records, in the order in which they were put in.
    pub fn iter(&self) -> impl Iterator<Item = Record<'_>> {
        let starts = std::iter::once(0).chain(self.entries.iter().map(|entry| entry.end));
        starts.zip(&self.entries).map(|(start, entry)| Record {
            envelope: entry.envelope(),
            line: self.bytes.get(start..entry.end).unwrap_or_default(),
        })
    }

    /// Appends a record whose text is `line`, line feed included.
    pub fn push(&mut self, envelope: Envelope, line: &[u8]) {
        self.bytes.extend_from_slice(line);
        self.close(envelope);
    }

    /// The text, to write the next record to; [`RecordBuffer::close`] ends it.
    pub(super) fn text(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Makes a record of what was written since the one before.
    pub(super) fn close(&mut self, envelope: Envelope) {
        let Envelope { kind, user_id, session_id, ts } = envelope;
        let user_id = user_id.unwrap_or(NOBODY);
        self.entries.push(Entry { end: self.bytes.len(), ts, user_id, session_id, kind });
    }
}

impl Entry {
    fn envelope(&self) -> Envelope {
        let user_id = Some(self.user_id).filter(|&id| id != NOBODY);
        Envelope { kind: self.kind, user_id, session_id: self.session_id, ts: self.ts }
    }
}
