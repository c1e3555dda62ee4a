//! Beatlytica turns a music service's events into live charts and an exactly-once Parquet lake.
//!
//! `ARCHITECTURE.md` shows how the modules fit; [`pipeline`] holds all wiring.

pub mod charts;
pub mod config;
pub mod lake;
pub mod schemas;
