//! Partitions that the group gives to this member.

use std::sync::Arc;

use rdkafka::consumer::{BaseConsumer, Consumer, RebalanceProtocol};
use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::TopicPartitionList;

use super::TopicPartition;
use super::gate::Waker;
use super::native::PartitionQueue;
use super::poller::GroupContext;

/// Assigns the partitions of `list`, each paused and with a queue of its own, which is returned.
///
/// They are paused before they are assigned: the client would fetch from the offset in `list` at once, and one that the log
/// does not hold any more would make it stop reading the partition.
///
/// # Errors
/// What the client says, in words.
pub(super) fn assign_paused(
    consumer: &Arc<BaseConsumer<GroupContext>>,
    list: &TopicPartitionList,
    waker: &Arc<Waker>,
) -> Result<Vec<(TopicPartition, PartitionQueue<GroupContext>)>, String> {
    let split = |partition: TopicPartition| match PartitionQueue::split(
        consumer,
        &partition.topic,
        partition.partition,
        waker,
    ) {
        Some(queue) => Ok((partition, queue)),
        None => Err(format!("{partition} has no queue")),
    };
    // The queues come first: only of a partition that it knows can the client note that it is paused.
    let queues = partitions_of(list).map(split).collect::<Result<Vec<_>, _>>()?;
    let pause_and_assign = || -> KafkaResult<()> {
        consumer.pause(list)?;
        list.elements().iter().try_for_each(|element| element.error())?;
        match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_assign(list),
            _ => consumer.assign(list),
        }
    };
    pause_and_assign().map_err(|error| error.to_string())?;
    Ok(queues)
}

/// The partitions of `list`.
pub(super) fn partitions_of(list: &TopicPartitionList) -> impl Iterator<Item = TopicPartition> {
    let elements = list.elements();
    let partitions: Vec<_> = elements
        .iter()
        .map(|element| TopicPartition { topic: element.topic().into(), partition: element.partition() })
        .collect();
    partitions.into_iter()
}
