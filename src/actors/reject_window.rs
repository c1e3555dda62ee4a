//! Notices when most of a partition's records do not decode.

use std::collections::VecDeque;

use crate::schemas::EventBatch;

/// The fate of the last records of one partition.
#[derive(Debug, Clone)]
pub struct RejectWindow {
    recent: VecDeque<bool>,
    rejected: usize,
    records: usize,
    limit: usize,
}

impl RejectWindow {
    /// Trips when more than `share` (0 to 1) of `records` successive records are rejected.
    pub fn new(records: usize, share: f64) -> Self {
        let limit = (records as f64 * share).floor() as usize;
        Self { recent: VecDeque::new(), rejected: 0, records: records.max(1), limit }
    }

    /// Rejected records among the last ones.
    pub fn rejected(&self) -> usize {
        self.rejected
    }

    /// How many records are looked at.
    pub fn len(&self) -> usize {
        self.recent.len()
    }

    /// Whether no record was seen yet.
    pub fn is_empty(&self) -> bool {
        self.recent.is_empty()
    }

    /// Adds a batch's records in offset order; true as soon as the limit is passed.
    pub fn push(&mut self, batch: &EventBatch) -> bool {
        if batch.rejected.is_empty() && self.rejected == 0 {
            let good = batch.rows().min(self.records);
            self.recent.extend(std::iter::repeat_n(false, good));
            let surplus = self.recent.len().saturating_sub(self.records);
            self.recent.drain(..surplus);
            return false;
        }
        let mut rejected = batch.rejected.iter().map(|record| record.offset).peekable();
        for &offset in &batch.offsets {
            while rejected.next_if(|&bad| bad < offset).is_some() {
                if self.record(true) {
                    return true;
                }
            }
            self.record(false);
        }
        rejected.any(|_| self.record(true))
    }

    fn record(&mut self, rejected: bool) -> bool {
        if self.recent.len() == self.records && self.recent.pop_front() == Some(true) {
            self.rejected -= 1;
        }
        self.recent.push_back(rejected);
        self.rejected += usize::from(rejected);
        self.recent.len() == self.records && self.rejected > self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schemas::{EventKind, Rejected, Source};
    use std::sync::Arc;

    /// A batch whose record at offset n is good where `good[n]` says so.
    fn batch(good: &[bool]) -> EventBatch {
        let source = Source { topic: "t".into(), kind: EventKind::Auth, epoch: 1, partition: 0 };
        let at = |wanted: bool| move |(n, &good): (usize, &bool)| (good == wanted).then_some(n as i64);
        let bad = good.iter().enumerate().filter_map(at(false));
        EventBatch {
            source: Arc::new(source),
            start: 0,
            end: good.len() as i64,
            offsets: good.iter().enumerate().filter_map(at(true)).collect(),
            timestamps: vec![],
            hashes: vec![],
            columns: vec![],
            new_text_bytes: 0,
            extra: Default::default(),
            rejected: bad
                .map(|offset| Rejected {
                    offset,
                    timestamp: -1,
                    key: None,
                    value: None,
                    headers: vec![],
                    reason: "json",
                    detail: String::new(),
                    hash: 0,
                })
                .collect(),
        }
    }

    #[test]
    fn exactly_the_limit_is_tolerated_and_one_more_is_not() {
        let half: Vec<bool> = (0..1000).map(|n| n % 2 == 0).collect();
        let mut window = RejectWindow::new(1000, 0.5);
        assert!(!window.push(&batch(&half)));
        assert_eq!((window.rejected(), window.len()), (500, 1000));
        assert!(window.push(&batch(&[false, false])), "the first pushes a good record out");
    }

    #[test]
    fn too_few_records_prove_nothing() {
        let mut window = RejectWindow::new(1000, 0.5);
        assert!(!window.push(&batch(&[false; 999])));
        assert!(window.push(&batch(&[false])));
    }

    #[test]
    fn good_records_push_bad_ones_out() {
        let mut window = RejectWindow::new(10, 0.5);
        assert!(!window.push(&batch(&[false, false, false, false, false])));
        assert!(!window.push(&batch(&[true; 20])));
        assert_eq!(window.rejected(), 0);
        assert!(!window.push(&batch(&[false, false, false, false, false])));
        assert!(window.push(&batch(&[false])));
    }

    #[test]
    fn many_clean_batches_stay_bounded() {
        let mut window = RejectWindow::new(10, 0.5);
        for _ in 0..100 {
            assert!(!window.push(&batch(&[true; 7])));
        }
        assert_eq!(window.len(), 10);
    }
}
