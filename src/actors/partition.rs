//! A partition as the supervisor keeps it: its two actors, and how they fared.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::partition_consumer::PartitionConsumer;
use super::restart::RestartHistory;
use super::uploader::Uploader;
use super::world::Child;
use crate::lake::ledger::EpochRecord;
use crate::messages::{Drain, Flush};
use crate::schemas::Source;

/// An assigned partition that was taken up.
pub(super) struct Partition {
    pub(super) source: Arc<Source>,
    pub(super) epoch: EpochRecord,
    pub(super) uploader: Option<Child<Uploader>>,
    pub(super) consumer: Option<Child<PartitionConsumer>>,
    pub(super) history: RestartHistory,
    pub(super) restart_at: Option<Instant>,
    pub(super) refused: bool,
}

impl Partition {
    /// One without actors.
    pub(super) fn new(source: Arc<Source>, epoch: EpochRecord) -> Self {
        Self {
            source,
            epoch,
            uploader: None,
            consumer: None,
            history: RestartHistory::default(),
            restart_at: None,
            refused: false,
        }
    }

    /// Has the consumer hand over what it decoded, and the uploader write it; answers whether nothing is left.
    pub(super) fn drain(&self) -> impl Future<Output = bool> + use<> {
        let consumer = self.consumer.as_ref().map(|child| child.address.clone());
        let uploader = self.uploader.as_ref().map(|child| child.address.clone());
        async move {
            if let Some(consumer) = consumer
                && consumer.send(Flush).await.is_err()
            {
                return false;
            }
            match uploader {
                Some(uploader) => uploader.send(Drain).await.unwrap_or(false),
                None => false,
            }
        }
    }

    /// Halts both actors.
    pub(super) fn halt(&self) {
        self.consumer.iter().for_each(Child::halt);
        self.uploader.iter().for_each(Child::halt);
    }

    /// Halts the consumer and forgets it. A new one learns from its receivers where to go on.
    pub(super) fn forget_consumer(&mut self) {
        self.consumer.take().iter().for_each(Child::halt);
    }

    /// Halts both actors and forgets them: a new uploader is another address for the consumer.
    pub(super) fn forget_actors(&mut self) {
        self.forget_consumer();
        self.uploader.take().iter().for_each(Child::halt);
    }

    /// Halts and forgets the actors that died or have been stuck for `stuck_after`, with those that depend on them;
    /// returns the name of the one that failed.
    pub(super) fn forget_dead(&mut self, stuck_after: Duration) -> Option<&'static str> {
        if self.uploader.as_ref().is_some_and(|child| child.is_dead(stuck_after)) {
            self.forget_actors();
            return Some("uploader");
        }
        if self.consumer.as_ref().is_some_and(|child| child.is_dead(stuck_after)) {
            self.forget_consumer();
            return Some("partition_consumer");
        }
        None
    }
}
