//! What goes wrong with requests to the fake of Cloud Storage: as planned, or by chance.

use std::collections::VecDeque;

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ask {
    /// An upload in one request.
    Insert,
    /// The beginning of a resumable upload.
    Begin,
    /// A chunk of one.
    Chunk,
    /// How much of one is stored.
    Question,
    Read,
    Stat,
    List,
    Delete,
}

/// What goes wrong with a request.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Nothing is done; this status and reason are answered.
    Refuse(u16, &'static str),
    /// As `Refuse`, with a `Retry-After`.
    RefuseFor(u16, &'static str),
    /// The connection breaks before anything is done.
    CutBefore,
    /// All is done, then the connection breaks: the answer is lost.
    CutAfter,
    /// The connection breaks, and the request takes effect later, with its condition as it holds then.
    Late,
    /// All is done, and half of the answer arrives.
    Truncate,
    /// Nothing is done and nothing is answered.
    Silence,
    /// The content changes on its way in.
    DamageIn,
    /// The content changes on its way out; or the answer to a create tells a wrong checksum.
    DamageOut,
    /// Of a chunk only this many bytes are stored.
    KeepOnly(usize),
    /// The upload session is forgotten.
    Forget,
}

/// Which fault each request meets.
#[derive(Debug, Default)]
pub struct Faults {
    planned: Vec<(Ask, VecDeque<Fault>)>,
    /// Of a thousand requests so many go wrong, by chance.
    per_mille: u64,
    chance: u64,
}

impl Faults {
    /// The next requests of this kind meet these faults, one each, in turn.
    pub fn plan(&mut self, ask: Ask, faults: impl IntoIterator<Item = Fault>) {
        self.planned.push((ask, faults.into_iter().collect()));
    }

    /// From now on `per_mille` of a thousand requests go wrong in one way or another.
    pub fn trouble(&mut self, per_mille: u64, seed: u64) {
        (self.per_mille, self.chance) = (per_mille, seed.max(1));
    }

    /// What goes wrong with the next request, if anything.
    pub fn next(&mut self, ask: Ask) -> Option<Fault> {
        let planned = self.planned.iter_mut().filter(|(kind, _)| *kind == ask);
        let planned = planned.filter_map(|(_, faults)| faults.pop_front()).next();
        if planned.is_some() || self.per_mille == 0 {
            return planned;
        }
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        if self.chance % 1000 >= self.per_mille {
            return None;
        }
        Some(match self.chance / 1000 % 6 {
            0 => Fault::CutBefore,
            1 => Fault::CutAfter,
            2 => Fault::Truncate,
            3 => Fault::Refuse(503, "backendError"),
            4 if ask == Ask::Insert => Fault::Late,
            _ => Fault::Refuse(429, "rateLimitExceeded"),
        })
    }
}
