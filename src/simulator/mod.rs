//! Listeners who behave like people: the model of Eventsim, pure and seeded.
//!
//! [`Simulator::advance`] appends records to a [`RecordBuffer`]; [`Pace`] says how far it may go at a moment of the wall
//! clock. `docs/simulator.md` describes the model and how it differs from Eventsim.
//!
//! ```
//! # use std::sync::Arc;
//! # use beatlytica::simulator::{RecordBuffer, Simulator, SimulatorConfig, SiteConfig, World};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = SimulatorConfig::new(SiteConfig::own()?, Arc::new(World::own()), 1_714_953_600_000);
//! let mut simulator = Simulator::new(config)?;
//! let mut records = RecordBuffer::default();
//! while simulator.advance(1_714_957_200_000, 10_000, &mut records) {
//!     records.clear();
//! }
//! assert!(records.iter().all(|record| record.envelope.ts < 1_714_957_200_000));
//! # Ok(())
//! # }
//! ```

mod arrival;
mod calendar;
mod chain;
mod choice;
mod config;
mod disorder;
mod engine;
#[cfg(test)]
mod form;
pub mod json;
mod listener;
mod mangle;
mod pace;
mod people;
mod queue;
mod random;
mod record;
mod site;
mod text;
mod trend;
mod world;

pub use config::{Compat, ConfigError, SimulatorConfig};
pub use disorder::{Disorder, DisorderRates, Fate, NEARBY_MS, write_truth};
pub use engine::Simulator;
pub use pace::Pace;
pub use record::{Envelope, Record, RecordBuffer};
pub use site::{SiteConfig, State, Transition};
pub use trend::Trends;
pub use world::{Artist, Catalogue, FirstName, Gender, Place, Song, UserAgent, World};
