//! Supervisor: creates, watches, restarts and stops every other actor; owns the group membership.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout, timeout_at};

use super::others::{self, Others};
use super::partition::Partition;
use super::restart::{RestartHistory, RestartPolicy, Verdict};
use super::topic_check::{OpenError, count_partitions, created_anew, missing, open};
use super::window_aggregator::WindowAggregator;
use super::world::{Child, World};
use crate::kafka::TopicPartition;
use crate::lake::ledger::EpochRecord;
use crate::log_limit::Recent;
use crate::messages::{Detach, GroupEvent, Refused, Shutdown, SnapshotAll};
use crate::schemas::{EventKind, Source};

/// Group events and refusals: a few for each partition and rebalance.
pub const MAILBOX: usize = 256;
/// Children are looked at this often.
const TICK: Duration = Duration::from_millis(100);
/// The same with `exit_at_end`, where each look may be the last.
const END_TICK: Duration = Duration::from_millis(20);
/// Wait before a topic that is not ready is looked at again.
const RETRY: Duration = Duration::from_secs(2);

/// How the supervisor behaves.
#[derive(Debug, Clone)]
pub struct SupervisorSettings {
    /// When children are started again.
    pub restarts: RestartPolicy,
    /// Work without progress for this long is stuck.
    pub stuck_after: Duration,
    /// How long a drain may take.
    pub drain_deadline: Duration,
    /// How often topics are asked whether they are still the same; uploads ask by themselves.
    pub identity_interval: Duration,
    /// Which table each topic feeds.
    pub topics: BTreeMap<String, EventKind>,
    /// Stop once all that the topics held at the start is in the lake.
    pub exit_at_end: bool,
    /// With `exit_at_end`: how long other members of the group, who are waited for, may stand still.
    pub patience: Duration,
}

/// A topic with the epoch that is being read.
pub(super) struct TopicEpoch {
    pub(super) topic: String,
    pub(super) epoch: u32,
    pub(super) record: EpochRecord,
}

/// Actor that owns all others.
pub struct Supervisor {
    settings: SupervisorSettings,
    connect: Option<Box<dyn FnOnce(Addr<Supervisor>) -> anyhow::Result<World>>>,
    world: Option<World>,
    aggregator: Option<Child<WindowAggregator>>,
    aggregator_history: RestartHistory,
    partitions: BTreeMap<TopicPartition, Partition>,
    /// Assigned and not ready yet.
    preparing: BTreeSet<TopicPartition>,
    assigned_once: bool,
    /// Set once the ledger is known to be laid out as this program does.
    layout: Arc<OnceCell<()>>,
    /// The broker is being asked which topics are missing.
    naming: bool,
    draining: bool,
    others: Others,
    warned: Recent,
}

impl Supervisor {
    /// A supervisor that connects when it starts.
    pub fn new(
        settings: SupervisorSettings,
        connect: impl FnOnce(Addr<Supervisor>) -> anyhow::Result<World> + 'static,
    ) -> Self {
        Self {
            settings,
            connect: Some(Box::new(connect)),
            world: None,
            aggregator: None,
            aggregator_history: RestartHistory::default(),
            partitions: BTreeMap::new(),
            preparing: BTreeSet::new(),
            assigned_once: false,
            layout: Arc::default(),
            naming: false,
            draining: false,
            others: Others::default(),
            warned: Recent::default(),
        }
    }

    fn finish(&mut self, result: Result<(), String>, ctx: &mut Context<Self>) {
        if let Some(world) = self.world.take() {
            (world.finished)(result);
        }
        ctx.stop();
    }

    /// Takes a partition up once its topic's epoch is known.
    fn prepare(&mut self, partition: TopicPartition, ctx: &mut Context<Self>) {
        let Some(world) = &self.world else { return };
        let Some(&kind) = self.settings.topics.get(&*partition.topic) else { return };
        self.preparing.insert(partition.clone());
        let (log, store) = (Arc::clone(&world.log), Arc::clone(&world.store));
        let (layout, asked) = (Arc::clone(&self.layout), partition.clone());
        let opening = async move {
            crate::fault::point("supervisor.assign").await;
            loop {
                match open(&*log, &*store, &layout, &asked).await {
                    Err(OpenError::Later(error)) => {
                        tracing::warn!(partition = %asked, error, "taking up is tried again")
                    }
                    other => return other,
                }
                tokio::time::sleep(RETRY).await;
            }
        };
        ctx.spawn(opening.into_actor(self).map(move |opened, actor, ctx| {
            // Revoked meanwhile?
            if !actor.preparing.remove(&partition) || actor.draining {
                return;
            }
            match opened {
                Ok((epoch, record, end)) => {
                    let (topic, number) = (Arc::clone(&partition.topic), partition.partition);
                    let source = Arc::new(Source { topic, kind, epoch, partition: number });
                    let line = actor.world.as_ref().and_then(|world| world.board.get(&partition));
                    if let (true, Some(line)) = (actor.settings.exit_at_end, line) {
                        line.set_read_until(Some(end));
                    }
                    actor.partitions.insert(partition.clone(), Partition::new(source, record));
                    actor.start(&partition, ctx);
                }
                Err(OpenError::Later(why) | OpenError::Refused(why)) => {
                    actor.note_refusal(&partition, &why, ctx);
                }
            }
        }));
    }

    /// Starts what a partition lacks.
    fn start(&mut self, partition: &TopicPartition, ctx: &mut Context<Self>) {
        let (Some(world), Some(aggregator)) = (&self.world, &self.aggregator) else { return };
        let Some(entry) = self.partitions.get_mut(partition) else { return };
        // Lost: the poll loop forgets it before we hear of that.
        let Some(line) = world.board.get(partition) else { return };
        let address = ctx.address();
        let uploader = entry.uploader.get_or_insert_with(|| {
            // What the one before held is gone with it.
            line.set_taken(None);
            world.factory.uploader(&entry.source, &entry.epoch, &aggregator.address, &address)
        });
        if entry.consumer.is_none() {
            let consumer =
                world.factory.consumer(&entry.source, &uploader.address, &aggregator.address, &address);
            entry.consumer = Some(consumer);
        }
        entry.restart_at = None;
    }

    fn note_refusal(&mut self, partition: &TopicPartition, why: &str, ctx: &mut Context<Self>) {
        tracing::error!(%partition, why, "partition stopped until an operator acts");
        // Of a partition that was given back meanwhile, nobody would take the word away again.
        if let Some(line) = self.world.as_ref().and_then(|world| world.board.get(partition)) {
            line.set_refused(Some(why.to_owned()));
        }
        if let Some(entry) = self.partitions.get_mut(partition) {
            entry.refused = true;
            entry.halt();
        }
        if self.settings.exit_at_end {
            self.finish(Err(format!("{partition}: {why}")), ctx);
        }
    }

    /// Asks how many partitions topics have and whether any was created anew, and stops those that were.
    fn watch_topics(&mut self, ctx: &mut Context<Self>) {
        let Some(world) = &self.world else { return };
        let mut topics = BTreeMap::new();
        for (partition, entry) in self.partitions.iter().filter(|(_, entry)| !entry.refused) {
            topics.entry(&partition.topic).or_insert_with(|| TopicEpoch {
                topic: partition.topic.to_string(),
                epoch: entry.source.epoch,
                record: entry.epoch.clone(),
            });
        }
        let (topics, all) = (topics.into_values().collect(), self.settings.topics.keys().cloned().collect());
        let (log, board) = (Arc::clone(&world.log), world.board.clone());
        let asked = async move {
            count_partitions(&*log, &board, all).await;
            created_anew(&*log, topics).await
        };
        ctx.spawn(asked.into_actor(self).map(|refused, actor, ctx| {
            for (topic, why) in refused {
                let of_topic = actor.partitions.keys().filter(|partition| *partition.topic == *topic);
                for partition in of_topic.cloned().collect::<Vec<_>>() {
                    actor.note_refusal(&partition, &why, ctx);
                }
            }
        }));
    }

    /// Some topic is missing; the client does not say which, so the broker is asked.
    fn name_missing(&mut self, ctx: &mut Context<Self>) {
        let Some(world) = &self.world else { return };
        if std::mem::replace(&mut self.naming, true) {
            return;
        }
        let (log, topics) = (Arc::clone(&world.log), self.settings.topics.keys().cloned().collect());
        let asked = async move { missing(&*log, topics).await };
        ctx.spawn(asked.into_actor(self).map(|missing, actor, ctx| {
            actor.naming = false;
            if missing.is_empty() {
                // Created meanwhile, or the broker is gone; the client says it again if it is not found then.
                return;
            }
            if actor.settings.exit_at_end {
                return actor.finish(Err(missing.join("; ")), ctx);
            }
            missing.iter().for_each(|why| actor.warn_of(why));
        }));
    }

    fn tick(&mut self, ctx: &mut Context<Self>) {
        if let Some(world) = &self.world {
            world.board.rounds().supervisor.come();
        }
        if self.draining {
            return;
        }
        let alive = self.world.as_ref().is_some_and(|world| (world.poll_alive)());
        if !alive {
            return self.finish(Err("the poll loop has ended; see the log".into()), ctx);
        }
        self.watch_aggregator(ctx);
        self.watch_partitions(ctx);
        if self.settings.exit_at_end && self.reached_the_end() && self.others.is_due(Instant::now()) {
            self.look_at_others(ctx);
        }
    }

    fn watch_aggregator(&mut self, ctx: &mut Context<Self>) {
        let stuck_after = self.settings.stuck_after;
        if !self.aggregator.as_ref().is_some_and(|child| child.is_dead(stuck_after)) {
            return;
        }
        let Some(world) = &self.world else { return };
        tracing::error!("the window aggregator died or hangs; starting it anew");
        world.metrics.restarts.with_label_values(&["window_aggregator"]).inc();
        self.aggregator.iter().for_each(Child::halt);
        self.aggregator = Some(world.factory.aggregator());
        world.board.all().iter().for_each(|(_, line)| line.set_counted(false));
        // Both hold the old address. What an uploader has not written is read again from the log.
        self.partitions.values_mut().for_each(Partition::forget_actors);
        match self.aggregator_history.failed(Instant::now(), &self.settings.restarts) {
            Verdict::GiveUp => self.finish(Err("the window aggregator fails again and again".into()), ctx),
            Verdict::RestartAfter(wait) => {
                for entry in self.partitions.values_mut().filter(|entry| !entry.refused) {
                    entry.restart_at = Some(Instant::now() + wait);
                }
            }
        }
    }

    fn watch_partitions(&mut self, ctx: &mut Context<Self>) {
        let Some(world) = &self.world else { return };
        let (now, stuck_after) = (Instant::now(), self.settings.stuck_after);
        let mut due = Vec::new();
        let mut given_up = None;
        for (partition, entry) in self.partitions.iter_mut().filter(|(_, entry)| !entry.refused) {
            if let Some(at) = entry.restart_at {
                if now >= at {
                    due.push(partition.clone());
                }
                continue;
            }
            let Some(actor) = entry.forget_dead(stuck_after) else { continue };
            world.metrics.restarts.with_label_values(&[actor]).inc();
            match entry.history.failed(now, &self.settings.restarts) {
                Verdict::RestartAfter(wait) => {
                    tracing::error!(%partition, actor, ?wait, "died or hangs; it is started anew");
                    entry.restart_at = Some(now + wait);
                }
                Verdict::GiveUp => given_up = Some(format!("{partition}: its {actor} fails again and again")),
            }
        }
        due.iter().for_each(|partition| self.start(partition, ctx));
        if let Some(why) = given_up {
            self.finish(Err(why), ctx);
        }
    }

    /// Whether everything that was there at the start has been read, so that draining puts it all into the lake.
    fn reached_the_end(&self) -> bool {
        let Some(world) = &self.world else { return false };
        self.assigned_once
            && !self.naming
            && self.preparing.is_empty()
            && self.partitions.iter().all(|(partition, entry)| {
                // The poll loop forgets a lost partition before we hear of that.
                let Some(status) = world.board.get(partition) else { return false };
                let Some(until) = status.read_until() else { return false };
                // What was read may still be on its way to the uploader, or be lost with one that died.
                let taken = status.position().is_some() && status.taken() >= status.position();
                let read = status.at_end() || status.position() >= Some(until);
                entry.restart_at.is_none() && (until == 0 || taken && read)
            })
    }

    /// Ends the run where others have nothing left to do either.
    fn look_at_others(&mut self, ctx: &mut Context<Self>) {
        let Some(world) = &self.world else { return };
        let own: BTreeSet<_> = self.partitions.keys().cloned().collect();
        let (log, store, topics) =
            (Arc::clone(&world.log), Arc::clone(&world.store), self.settings.topics.clone());
        let asked = async move {
            let found = others::ask(&*log, &store, &topics, &own).await;
            (own, found)
        };
        ctx.spawn(asked.into_actor(self).map(|(own, found), actor, ctx| {
            // Otherwise a rebalance came meanwhile, and some partition may have been looked at by nobody.
            if actor.draining || !own.iter().eq(actor.partitions.keys()) || !actor.reached_the_end() {
                return;
            }
            let verdict = match found {
                Ok(found) => actor.others.judge(found, Instant::now(), actor.settings.patience),
                Err(error) => others::Verdict::Wait(format!("how far others are: {error}")),
            };
            match verdict {
                others::Verdict::Done => actor.shut_down(Ok(()), ctx),
                others::Verdict::Wait(why) => actor.warn_of(&why),
                others::Verdict::GiveUp(why) => actor.shut_down(Err(why), ctx),
            }
        }));
    }

    /// Flushes and drains `partitions`, within the deadline; answers whether nothing is left.
    fn drain(&self, partitions: &[TopicPartition]) -> impl Future<Output = bool> + use<> {
        let entries = partitions.iter().filter_map(|partition| self.partitions.get(partition));
        let all = futures::future::join_all(entries.map(Partition::drain));
        let deadline = self.settings.drain_deadline;
        async move { timeout(deadline, all).await.is_ok_and(|drained| drained.into_iter().all(|drained| drained)) }
    }

    /// Drains and ends, with `outcome` if all could be written.
    fn shut_down(&mut self, outcome: Result<(), String>, ctx: &mut Context<Self>) {
        if std::mem::replace(&mut self.draining, true) {
            return;
        }
        let Some(world) = &self.world else { return ctx.stop() };
        let partitions: Vec<_> = self.partitions.keys().cloned().collect();
        tracing::info!(partitions = partitions.len(), "draining");
        partitions.iter().for_each(|partition| world.feed.stop(partition, None));
        let drained = self.drain(&partitions);
        let aggregator = self.aggregator.as_ref().map(|child| child.address.clone());
        let deadline = Instant::now() + self.settings.drain_deadline;
        let done = async move {
            let drained = drained.await;
            if let Some(aggregator) = aggregator {
                // A snapshot only makes the next start quicker: it gets what time is left.
                let _ = timeout_at(deadline, aggregator.send(SnapshotAll)).await;
            }
            drained
        };
        ctx.spawn(done.into_actor(self).map(move |drained, actor, ctx| {
            let result = match (drained, actor.settings.exit_at_end) {
                (false, true) => Err("not everything could be written in time; start again to go on".into()),
                (false, false) => {
                    tracing::warn!(
                        "not everything could be written in time; it is read again at the next start"
                    );
                    Ok(())
                }
                (true, _) => outcome,
            };
            actor.finish(result, ctx);
        }));
    }

    fn revoked(&mut self, partitions: Vec<TopicPartition>, lost: bool, ctx: &mut Context<Self>) {
        partitions.iter().for_each(|partition| {
            self.preparing.remove(partition);
        });
        let drained = self.drain(&partitions);
        let released = async move {
            crate::fault::point("supervisor.revoke").await;
            if !lost && !drained.await {
                tracing::warn!(
                    "revoked partitions were not drained in time; their next owner reads on from the ledger"
                );
            }
            crate::fault::point("supervisor.release").await;
        };
        ctx.spawn(released.into_actor(self).map(move |(), actor, _| {
            for partition in &partitions {
                if let Some(entry) = actor.partitions.remove(partition) {
                    entry.halt();
                }
                if let Some(aggregator) = &actor.aggregator {
                    // Full or not: a partition that stayed would hold back the watermark of all others.
                    aggregator.address.do_send(Detach { partition: partition.clone() });
                }
            }
            if let (false, Some(world)) = (lost, &actor.world) {
                world.feed.release(partitions);
            }
        }));
    }

    fn count_rebalance(&self, kind: &str) {
        if let Some(world) = &self.world {
            world.metrics.rebalances.with_label_values(&[kind]).inc();
        }
    }

    /// Warns, unless the same was warned of within the last minute.
    fn warn_of(&mut self, why: &str) {
        if self.warned.is_new(why, Instant::now().into_std()) {
            tracing::warn!(why, "kafka");
        }
    }
}

impl Actor for Supervisor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(MAILBOX);
        let Some(connect) = self.connect.take() else { return };
        match connect(ctx.address()) {
            Ok(world) => {
                self.aggregator = Some(world.factory.aggregator());
                self.world = Some(world);
                let tick = if self.settings.exit_at_end { END_TICK } else { TICK };
                ctx.run_interval(tick, Self::tick);
                ctx.run_interval(self.settings.identity_interval, Self::watch_topics);
                self.watch_topics(ctx);
            }
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "cannot start");
                ctx.stop();
            }
        }
    }
}

impl Handler<GroupEvent> for Supervisor {
    type Result = ();

    fn handle(&mut self, event: GroupEvent, ctx: &mut Context<Self>) {
        match event {
            GroupEvent::Assigned(partitions) => {
                tracing::info!(partitions = partitions.len(), "assigned");
                self.count_rebalance("assigned");
                self.assigned_once = true;
                partitions.into_iter().for_each(|partition| self.prepare(partition, ctx));
            }
            GroupEvent::Revoked { partitions, lost } => {
                self.count_rebalance(if lost { "lost" } else { "revoked" });
                self.revoked(partitions, lost, ctx);
            }
            GroupEvent::TopicMissing => self.name_missing(ctx),
            GroupEvent::Denied(why) if !self.settings.exit_at_end => self.warn_of(&why),
            GroupEvent::Denied(why) | GroupEvent::Fatal(why) => self.finish(Err(why), ctx),
        }
    }
}

impl Handler<Refused> for Supervisor {
    type Result = ();

    fn handle(&mut self, refused: Refused, ctx: &mut Context<Self>) {
        self.note_refusal(&refused.partition, &refused.why, ctx);
    }
}

impl Handler<Shutdown> for Supervisor {
    type Result = ();

    fn handle(&mut self, _: Shutdown, ctx: &mut Context<Self>) {
        self.shut_down(Ok(()), ctx);
    }
}
