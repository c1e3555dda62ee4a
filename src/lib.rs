//! Beatlytica turns a music service's events into live charts and an exactly-once Parquet lake.
//!
//! `ARCHITECTURE.md` shows how the modules fit; [`pipeline`] holds all wiring.

// Nothing that comes from outside may end the process. Modules that read what comes from outside do not index unchecked
// either; in `charts` those are `codec` and `snapshot`, the rest indexes by ids that it gave out itself.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used))]

pub mod actors;
pub mod allocator;
pub mod blocking;
pub mod charts;
pub mod cli;
#[cfg_attr(not(test), deny(clippy::indexing_slicing))]
pub mod config;
pub mod descriptors;
#[cfg(test)]
pub(crate) mod docs;
pub mod engine;
pub mod fault;
#[cfg_attr(not(test), deny(clippy::indexing_slicing))]
pub mod http;
#[cfg_attr(not(test), deny(clippy::indexing_slicing))]
pub mod kafka;
#[cfg_attr(not(test), deny(clippy::indexing_slicing))]
pub mod lake;
pub mod log_limit;
pub mod messages;
pub mod metrics;
pub mod pipeline;
pub mod progress;
pub mod radix;
#[cfg_attr(not(test), deny(clippy::indexing_slicing))]
pub mod schemas;
pub mod signals;
pub mod simulator;
pub mod status;
