//! The lake: names and ledger decisions (pure), Parquet encoding, and the stores behind one trait.

pub mod chain;
pub mod codec;
pub mod encode;
pub mod encoders;
pub mod layout;
pub mod ledger;
pub mod parquet;
pub mod pending;
pub mod rebuild;
pub mod segment;
pub mod snapshots;
pub mod store;
pub mod verify;

pub use parquet::ParquetCodec;
pub use segment::Segment;
