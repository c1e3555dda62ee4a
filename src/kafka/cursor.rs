//! Where the reading of a partition stands, and which of its steps prove that nothing was left out.

/// The next offset to be read.
///
/// Offsets without a record (transaction markers, aborted records) are stepped over, so a step over an offset is believed
/// as a rule. Not so behind the end of the log: librdkafka up to 2.12 takes the event that tells of the end for a message
/// when it is consumed in a batch (its issue 4844). Its own position is then one too high until the next message, and a
/// pause meanwhile, as in every rebalance, makes it leave out the record that comes next. A seek sets it right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    next: i64,
    /// The end was seen at `next`, and nothing since.
    client_ahead: bool,
}

/// What is to be done about something that was taken from a partition's queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It is the next thing.
    Next,
    /// It lies before the cursor.
    Known,
    /// A record may have been left out: seek to the cursor and read again.
    Unproven,
}

impl Cursor {
    /// At `offset`, as the client is after a seek to it.
    pub fn at(offset: i64) -> Self {
        Self { next: offset, client_ahead: false }
    }

    /// The next offset to be read.
    pub fn next(self) -> i64 {
        self.next
    }

    /// The client has been sought to [`Cursor::next`].
    pub fn sought(&mut self) {
        self.client_ahead = false;
    }

    /// A record came.
    pub fn record(&mut self, offset: i64) -> Step {
        self.step(offset, Self::at(offset.saturating_add(1)))
    }

    /// The client says that the log ends at `offset`.
    pub fn end(&mut self, offset: i64) -> Step {
        self.step(offset, Self { next: offset, client_ahead: true })
    }

    /// Something is at `offset`; where that is the next thing, `then` is where the reading stands.
    fn step(&mut self, offset: i64, then: Self) -> Step {
        if offset < self.next {
            return Step::Known;
        }
        if offset > self.next && self.client_ahead {
            return Step::Unproven;
        }
        *self = then;
        Step::Next
    }

    /// The client says that the log does not hold `asked`, or, with a negative one, that the log was cut off before its position.
    pub fn out_of_range(self, asked: i64) -> Step {
        if self.client_ahead && asked == self.next.saturating_add(1) { Step::Unproven } else { Step::Next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_stepped_over_and_known_records_are_known() {
        let mut cursor = Cursor::at(5);
        assert_eq!(cursor.record(5), Step::Next);
        assert_eq!(cursor.record(5), Step::Known);
        assert_eq!(cursor.record(8), Step::Next);
        assert_eq!(cursor.end(11), Step::Next, "holes at the end");
        assert_eq!((cursor.next(), cursor.end(10)), (11, Step::Known));
    }

    #[test]
    fn behind_the_end_only_the_next_offset_is_believed_without_a_seek() {
        for leap in [Cursor::record, Cursor::end] {
            let mut cursor = Cursor::at(5);
            assert_eq!(cursor.end(5), Step::Next);
            assert_eq!(leap(&mut cursor, 6), Step::Unproven);
            assert_eq!(cursor.next(), 5, "what is not proven moves nothing");
            cursor.sought();
            assert_eq!(leap(&mut cursor, 6), Step::Next, "a hole that is there after a seek is one");
        }
        let mut cursor = Cursor::at(5);
        assert_eq!(cursor.end(5), Step::Next);
        assert_eq!(cursor.end(5), Step::Next);
        assert_eq!(cursor.out_of_range(6), Step::Unproven);
        assert_eq!(cursor.record(5), Step::Next);
        assert_eq!(cursor.out_of_range(6), Step::Next);
        assert_eq!(cursor.record(9), Step::Next);
    }

    #[test]
    fn behind_the_end_a_log_that_was_cut_off_is_no_step_too_far() {
        let mut cursor = Cursor::at(5);
        assert_eq!(cursor.end(5), Step::Next);
        // What the client noticed by the leader's epoch, and what the broker refuses of the place itself.
        for asked in [-1001, 5] {
            assert_eq!(cursor.out_of_range(asked), Step::Next, "{asked}");
        }
    }
}
