//! The Kafka client: common settings, topics, producing.

pub mod client;
pub mod lines;
pub mod producer;
pub mod topics;
