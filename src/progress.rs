//! Progress bars on standard error, and log lines that do not tear them.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::kafka::TopicPartition;
use crate::status::StatusBoard;

/// Between two looks at the status board.
const TICK: Duration = Duration::from_millis(200);

/// The bar that is drawn now: log lines are written above it.
static SHOWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// A bar on standard error, removed on drop. Nothing is drawn where standard error is no terminal.
#[derive(Debug)]
pub struct Bar(ProgressBar);

impl Bar {
    /// Shows a bar towards `total` (none: not known) by an indicatif template, in place of any other.
    pub fn show(total: Option<u64>, template: &str) -> Self {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr_with_hz(5));
        let bar = match ProgressStyle::with_template(template) {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        };
        *SHOWN.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.clone());
        Self(bar)
    }
}

impl std::ops::Deref for Bar {
    type Target = ProgressBar;

    fn deref(&self) -> &ProgressBar {
        &self.0
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        *SHOWN.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.0.finish_and_clear();
    }
}

/// Standard error for log lines: takes the bar away while one is written.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lines;

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &*SHOWN.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(bar) => bar.suspend(|| io::stderr().write(bytes)),
            None => io::stderr().write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// How much of what the log held at the start has been read.
#[derive(Debug, Default)]
struct Reading(BTreeMap<TopicPartition, (i64, i64)>);

impl Reading {
    /// Records read and to be read; offsets without a record count too.
    fn measure(&mut self, board: &StatusBoard) -> (u64, u64) {
        let (mut read, mut total) = (0, 0);
        for (partition, status) in board.all() {
            // The head first: it is where reading began, and moves on later.
            let (Some(head), Some(end)) = (status.head(), status.high_watermark()) else { continue };
            let (from, until) = *self.0.entry(partition).or_insert((head.min(end), end));
            let position = status.position().unwrap_or(from).clamp(from, until);
            read += position.abs_diff(from);
            total += until.abs_diff(from);
        }
        (read, total)
    }
}

/// Draws how far `run --exit-at-end` is; to be dropped when it ends.
pub async fn draw_reading(board: StatusBoard) {
    let mut bar = None;
    let mut reading = Reading::default();
    let mut tick = tokio::time::interval(TICK);
    loop {
        tick.tick().await;
        let (read, total) = reading.measure(&board);
        if total == 0 {
            continue;
        }
        let bar =
            bar.get_or_insert_with(|| Bar::show(None, "{bar:30} {human_pos} of {human_len} records, {msg}"));
        bar.set_length(total);
        bar.set_position(read);
        bar.set_message(match read == total {
            true => "writing the rest".to_owned(),
            false => left(bar),
        });
    }
}

/// Rate and time left, in words.
pub fn left(bar: &ProgressBar) -> String {
    format!("{:.0}/s, {} left", bar.per_sec(), HumanDuration(bar.eta()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(number: i32) -> TopicPartition {
        TopicPartition { topic: "t".into(), partition: number }
    }

    #[test]
    fn what_was_read_is_measured_against_what_the_log_held_at_first() {
        let (board, mut reading) = (StatusBoard::default(), Reading::default());
        let (first, second) = (board.partition(&partition(0)), board.partition(&partition(1)));
        assert_eq!(reading.measure(&board), (0, 0));
        first.set_head(Some(100));
        first.set_high_watermark(Some(150));
        assert_eq!(reading.measure(&board), (0, 50));
        // It begins a little before the head, so as to compare the head's last record.
        first.set_position(Some(99));
        second.set_head(Some(0));
        second.set_high_watermark(Some(10));
        assert_eq!(reading.measure(&board), (0, 60));
        // Records that are produced meanwhile are not among those to be read.
        first.set_position(Some(170));
        first.set_head(Some(120));
        first.set_high_watermark(Some(200));
        second.set_position(Some(7));
        assert_eq!(reading.measure(&board), (57, 60));
    }
}
