//! All wiring: who talks to whom, mailbox capacities and why.

use crate::config::Settings;

/// How `run` goes about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RunOptions {
    /// Stop once all that the topics held at the start is in the lake.
    pub exit_at_end: bool,
    /// Whether to draw a progress bar (with `exit_at_end`).
    pub progress: bool,
}

/// What `verify` looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VerifyOptions {
    /// Also compare the ranges that Kafka still holds with the log.
    pub kafka: bool,
    /// Whether to draw a progress bar.
    pub progress: bool,
}

/// What `verify` found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The lake is what the ledger says.
    Sound,
    /// Damage was found, and printed.
    Damaged,
}

/// Runs the engine until it is told to stop (or, with `exit_at_end`, is done). Blocks; starts its own actix system.
///
/// # Errors
/// What made it give up, in words.
pub fn run(_settings: Settings, _options: RunOptions) -> anyhow::Result<()> {
    anyhow::bail!("this build has no engine yet")
}

/// Checks the lake against the ledger. Blocks.
///
/// # Errors
/// The lake or the broker could not be read.
pub fn verify(_settings: Settings, _options: VerifyOptions) -> anyhow::Result<Verdict> {
    anyhow::bail!("this build has no engine yet")
}

/// Closes the topic's epoch and opens the next one. Blocks.
///
/// # Errors
/// The epoch could not be opened, in words.
pub fn open_epoch(_settings: Settings, _topic: &str) -> anyhow::Result<()> {
    anyhow::bail!("this build has no engine yet")
}
