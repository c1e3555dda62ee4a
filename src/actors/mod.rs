//! The actors, one a file. They hold no business rule that a pure function could hold.

pub mod attended;
pub mod heartbeat;
mod others;
mod partition;
pub mod partition_consumer;
pub mod producer;
pub mod reject_window;
pub mod restart;
pub mod supervisor;
mod topic_check;
pub mod upload;
pub mod uploader;
pub mod window_aggregator;
pub mod world;

#[cfg(test)]
mod tests;
