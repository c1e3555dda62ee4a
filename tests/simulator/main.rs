//! The simulator against Eventsim's own output, against the exact expectations of its state machine, and against the
//! engine's own decoder.
//!
//! Two runs of the same model never agree exactly. What they may differ by follows from their size: listeners are
//! independent of each other, so a figure's standard error is estimated from how it varies between listeners
//! (`measure.rs`), and five standard errors are allowed. Real data is read where `BEATLYTICA_EVENTSIM_DATA` names its folder.

#![allow(missing_docs, reason = "test code")]

mod chain;
mod configuration;
mod growth;
mod measure;
mod popularity;
mod properties;
mod runs;
mod sample;
mod sessions;
mod statistics;
mod structure;
mod world;
