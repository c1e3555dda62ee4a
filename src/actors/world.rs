//! What the supervisor works with: its children, who makes them, and the outside.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;

use super::heartbeat::Heartbeat;
use super::partition_consumer::PartitionConsumer;
use super::supervisor::Supervisor;
use super::uploader::Uploader;
use super::window_aggregator::WindowAggregator;
use crate::kafka::Log;
use crate::kafka::poller::Feed;
use crate::lake::ledger::EpochRecord;
use crate::lake::store::Store;
use crate::messages::Halt;
use crate::metrics::Metrics;
use crate::schemas::Source;
use crate::status::StatusBoard;

/// A child's address with its heartbeat.
pub struct Child<A: Actor> {
    /// Address.
    pub address: Addr<A>,
    /// Progress.
    pub heartbeat: Arc<Heartbeat>,
}

impl<A: Actor<Context = Context<A>> + Handler<Halt>> Child<A> {
    /// Whether it died, or works without progress for `stuck_after`.
    pub(super) fn is_dead(&self, stuck_after: Duration) -> bool {
        !self.address.connected() || self.heartbeat.is_stuck(stuck_after)
    }

    /// Ends the child if it still listens. One that hangs is left behind: what it may yet write is safe.
    pub(super) fn halt(&self) {
        self.heartbeat.give_up();
        if self.address.try_send(Halt).is_err() {
            tracing::debug!("a child does not take its halt");
        }
    }
}

/// Makes children, each on the thread that suits it.
pub trait Factory {
    /// The window aggregator.
    fn aggregator(&self) -> Child<WindowAggregator>;
    /// A partition's uploader.
    fn uploader(
        &self,
        source: &Arc<Source>,
        epoch: &EpochRecord,
        aggregator: &Addr<WindowAggregator>,
        supervisor: &Addr<Supervisor>,
    ) -> Child<Uploader>;
    /// A partition's consumer.
    fn consumer(
        &self,
        source: &Arc<Source>,
        uploader: &Addr<Uploader>,
        aggregator: &Addr<WindowAggregator>,
        supervisor: &Addr<Supervisor>,
    ) -> Child<PartitionConsumer>;
}

/// What the supervisor needs of the outside.
pub struct World {
    /// Makes children.
    pub factory: Box<dyn Factory>,
    /// The poll loop.
    pub feed: Arc<dyn Feed>,
    /// The broker.
    pub log: Arc<dyn Log>,
    /// The lake.
    pub store: Arc<dyn Store>,
    /// Status of partitions.
    pub board: StatusBoard,
    /// Metrics.
    pub metrics: Metrics,
    /// Whether the poll loop is alive.
    pub poll_alive: Box<dyn Fn() -> bool>,
    /// Called once with the exit code and, for a failure, its reason.
    pub finished: Box<dyn FnOnce(Result<(), String>)>,
}
