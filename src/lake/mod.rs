//! The lake: names and ledger decisions (pure), Parquet encoding, and the stores behind one trait.

pub mod encode;
pub mod segment;
pub mod store;

pub use segment::Segment;
