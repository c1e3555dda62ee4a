//! Active users of a window, merged over panes and partitions.

use std::ops::Range;

use super::answer::{At, Group, Splits, TimeMs, UsersAnswer, UsersDetails, UsersSeries, WindowSpan, brief};
use super::intern::{BitSet, NO_TEXT};
use super::state::Charts;
use super::window::{GroupBy, StepPanes, Window};

/// Groups in an answer, the largest ones. Values come as events bring them, and whoever writes another into each must not fill
/// every answer with them.
const MOST_GROUPS: usize = 100;

/// The users of some panes.
struct Active {
    combinations: BitSet,
    users: BitSet,
    /// Those of more than one combination.
    several: BitSet,
}

impl Charts {
    /// The distinct users with an event in a window, and, with `by`, how many of them for each value.
    pub fn active_users(&self, window: Window, at: At, by: Option<GroupBy>) -> UsersAnswer {
        self.users_answer(window, at, by, false)
    }

    /// The same, split in every way, and step by step.
    pub fn active_users_in_detail(&self, window: Window, at: At, by: Option<GroupBy>) -> UsersAnswer {
        self.users_answer(window, at, by, true)
    }

    fn users_answer(&self, window: Window, at: At, by: Option<GroupBy>, in_detail: bool) -> UsersAnswer {
        let panes = window.panes_at(at, self.newest(), self.watermark());
        let minutes = panes.clone().unwrap_or(0..0);
        let active = self.active_in(&minutes);
        let details = in_detail.then(|| {
            let steps = window.series_steps(panes.as_ref(), self.newest());
            let series = UsersSeries { steps: steps.answer(), users: self.users_by_step(&steps) };
            let [level, gender, state] = GroupBy::ALL.map(|by| self.groups(by, &active));
            UsersDetails { splits: Splits { level, gender, state }, series }
        });
        UsersAnswer {
            window: WindowSpan::new(window, panes.as_ref()),
            at,
            watermark: self.watermark().map(TimeMs),
            revision: self.revision(&minutes, |_| true),
            partitions: self.coverage(panes.as_ref()),
            users: active.users.len() as u64,
            groups: by.map(|by| self.groups(by, &active)),
            details,
        }
    }

    fn active_in(&self, minutes: &Range<i64>) -> Active {
        let mut active = Active {
            combinations: BitSet::new(self.tables.combination_count()),
            users: BitSet::new(self.tables.user_bound()),
            several: BitSet::new(self.tables.user_bound()),
        };
        for (_, pane) in self.panes_between(minutes) {
            for &id in pane.active.items() {
                active.combinations.insert(id);
            }
        }
        for combination in active.combinations.iter().filter_map(|id| self.tables.combination_at(id)) {
            if !active.users.insert(combination.user) {
                active.several.insert(combination.user);
            }
        }
        active
    }

    fn users_by_step(&self, steps: &StepPanes) -> Vec<u64> {
        let mut combinations = BitSet::new(self.tables.combination_count());
        let mut users = BitSet::new(self.tables.user_bound());
        let starts = (steps.panes.start..steps.panes.end).step_by(steps.each as usize);
        let of_step = |start| {
            combinations.clear();
            users.clear();
            for (_, pane) in self.panes_between(&(start..start + steps.each)) {
                for &id in pane.active.items() {
                    combinations.insert(id);
                }
            }
            for combination in combinations.iter().filter_map(|id| self.tables.combination_at(id)) {
                users.insert(combination.user);
            }
            users.len() as u64
        };
        starts.map(of_step).collect()
    }

    /// Users for each value: those of one combination are counted at once, the few of several are listed and sorted.
    fn groups(&self, by: GroupBy, active: &Active) -> Vec<Group> {
        let mut counts = vec![0_u64; self.tables.texts.len() + 1];
        let none = counts.len() - 1;
        let slot = |value: u32| (value as usize).min(none);
        let mut listed: Vec<(u32, u32)> = Vec::new();
        for combination in active.combinations.iter().filter_map(|id| self.tables.combination_at(id)) {
            let value = self.tables.profile(combination.profile)[by.index()];
            if active.several.contains(combination.user) {
                listed.push((combination.user, value));
            } else {
                counts[slot(value)] += 1;
            }
        }
        listed.sort_unstable();
        listed.dedup();
        let mut previous = None;
        for (user, value) in listed {
            // "No value" sorts last: it counts only where the user has no other.
            if value != NO_TEXT || previous != Some(user) {
                counts[slot(value)] += 1;
            }
            previous = Some(user);
        }
        let mut groups: Vec<Group> = (0_u32..)
            .zip(counts)
            .filter(|&(_, users)| users > 0)
            .map(|(id, users)| Group { by, value: self.tables.texts.get(id).map(brief), users })
            .collect();
        groups.sort_unstable_by(|a, b| b.users.cmp(&a.users).then_with(|| a.value.cmp(&b.value)));
        groups.truncate(MOST_GROUPS);
        groups
    }
}
