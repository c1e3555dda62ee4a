//! Sessions, put together from page views.

use std::collections::HashMap;

use super::runs::{DAY, START};
use super::sample::{Sample, View};

/// The page views of a session, in order.
pub struct Session<'a> {
    pub views: Vec<&'a View>,
    /// Number of its listener, or of itself where nobody signed in.
    pub cluster: usize,
    pub user: Option<i64>,
}

impl Session<'_> {
    /// Seen from its beginning.
    pub fn is_whole(&self) -> bool {
        self.views[0].item == 0
    }

    pub fn start(&self) -> i64 {
        self.views[0].ts
    }

    pub fn end(&self) -> i64 {
        self.views[self.views.len() - 1].ts
    }

    /// Auth value and level at its beginning.
    pub fn class(&self) -> String {
        format!("{}/{}", self.views[0].auth, self.views[0].level)
    }

    /// Day of the run, from 0.
    pub fn day(&self) -> i64 {
        (self.start() - START).div_euclid(DAY)
    }
}

/// All sessions, by number, and the number of clusters.
pub fn sessions(sample: &Sample) -> (Vec<Session<'_>>, usize) {
    let mut views: Vec<&View> = sample.views.iter().collect();
    views.sort_by_key(|view| (view.session, view.item));
    let mut clusters: HashMap<i64, usize> = HashMap::new();
    let mut count = 0;
    let sessions = views
        .chunk_by(|left, right| left.session == right.session)
        .map(|views| {
            let user = views.iter().find_map(|view| view.user);
            let mut fresh = || {
                count += 1;
                count - 1
            };
            let cluster = match user {
                Some(user) => *clusters.entry(user).or_insert_with(fresh),
                None => fresh(),
            };
            Session { views: views.to_vec(), cluster, user }
        })
        .collect();
    (sessions, count)
}
