//! The unsafe part: librdkafka's C interface where rdkafka lacks something. Here batch consumption; in [`client`] what is asked
//! of a client and told to it.
//!
//! rdkafka hands out one message a call, at 385 ns each; `rd_kafka_consume_batch_queue` costs 135. librdkafka forbids
//! batch consumption that runs while another thread pauses, seeks or assigns (its 2.1 changelog, PR 4235), so
//! everything here but [`FetchedBatch`] is used by the poll loop's thread alone.

pub mod client;

use std::ffi::{CStr, CString, c_void};
use std::ptr;
use std::sync::Arc;

use rdkafka::bindings as sys;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::BorrowedMessage;
use rdkafka::types::RDKafkaRespErr;

use super::cursor::{Cursor, Step};
use super::gate::{Gate, Waker};

type MessagePtr = *mut sys::rd_kafka_message_t;

/// Messages are allocated one by one, so each would be waited for; one so far ahead is there when its turn comes.
const MESSAGES_AHEAD: usize = 8;

/// Asks the processor to bring a message's head near.
#[inline(always)]
fn prefetch(message: MessagePtr) {
    #[cfg(all(target_arch = "x86_64", target_feature = "sse"))]
    // SAFETY: a prefetch reads nothing and cannot fault; all it needs is SSE, which the cfg above makes certain.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(message.cast_const().cast());
        // The private part behind it holds the timestamp.
        _mm_prefetch::<_MM_HINT_T0>(message.cast_const().cast::<i8>().wrapping_add(64));
    }
    #[cfg(not(all(target_arch = "x86_64", target_feature = "sse")))]
    let _ = message;
}

/// What librdkafka's accounting of a message costs beside its bytes, roughly.
const MESSAGE_OVERHEAD: usize = 192;

/// Consecutive messages of one partition, still in librdkafka's buffers; destroyed on drop.
pub struct FetchedBatch {
    messages: Vec<MessagePtr>,
    /// The position before the batch.
    pub start: i64,
    /// The position after it; it may pass the last message by holes.
    pub end: i64,
    bytes: usize,
    gate: Arc<Gate>,
    destroy: unsafe extern "C" fn(MessagePtr),
    /// Messages must not outlive their client.
    _client: Arc<dyn Send + Sync>,
}

// SAFETY: a message is owned by whoever holds its pointer, librdkafka allows its use and destruction on any thread,
// and nothing else refers to the pointers kept here.
unsafe impl Send for FetchedBatch {}
// SAFETY: shared access only reads the messages, which do not change.
unsafe impl Sync for FetchedBatch {}

impl std::fmt::Debug for FetchedBatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FetchedBatch")
            .field("messages", &self.messages.len())
            .field("start", &self.start)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

/// One message of a [`FetchedBatch`].
#[derive(Debug, Clone, Copy)]
pub struct FetchedMessage<'a> {
    /// Kafka offset.
    pub offset: i64,
    /// Kafka timestamp, ms since 1970; -1 where there is none.
    pub timestamp: i64,
    /// Key, if any.
    pub key: Option<&'a [u8]>,
    /// Value; none for a tombstone.
    pub value: Option<&'a [u8]>,
    native: *const sys::rd_kafka_message_t,
}

impl FetchedMessage<'_> {
    /// The record's headers in order; costs a parse.
    pub fn headers(&self) -> Headers {
        // SAFETY: `native` is alive as long as the batch that `self` borrows from.
        unsafe { headers_of(self.native) }
    }
}

/// A record's headers in order.
pub type Headers = Vec<(String, Option<Vec<u8>>)>;

/// The headers of a message that was polled: rdkafka's own reading of them panics where a name is not UTF-8.
pub fn headers(message: &BorrowedMessage<'_>) -> Headers {
    // SAFETY: the message owns what it points at, and lives through the call.
    unsafe { headers_of(message.ptr()) }
}

/// # Safety
/// `message` must be alive.
unsafe fn headers_of(message: *const sys::rd_kafka_message_t) -> Headers {
    let mut headers = Vec::new();
    // SAFETY: the caller's promise; librdkafka owns what it points the out-parameters at, and it stays valid until the
    // message is destroyed.
    unsafe {
        let mut native = ptr::null_mut();
        if sys::rd_kafka_message_headers(message, &mut native) != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            return headers;
        }
        let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
        while sys::rd_kafka_header_get_all(native, headers.len(), &mut name, &mut value, &mut size)
            == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR
        {
            let name = CStr::from_ptr(name).to_string_lossy().into_owned();
            headers.push((name, slice(value.cast(), size).map(<[u8]>::to_vec)));
        }
    }
    headers
}

/// # Safety
/// `data` is null or points to `len` bytes that live as long as `'a`.
unsafe fn slice<'a>(data: *const u8, len: usize) -> Option<&'a [u8]> {
    // SAFETY: the caller's promise.
    (!data.is_null()).then(|| unsafe { std::slice::from_raw_parts(data, len) })
}

impl FetchedBatch {
    /// The messages in offset order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = FetchedMessage<'_>> {
        self.messages.iter().enumerate().map(|(index, &native)| {
            if let Some(&coming) = self.messages.get(index + MESSAGES_AHEAD) {
                prefetch(coming);
            }
            // SAFETY: the pointers are owned by `self` and destroyed only with it; key and payload are null or
            // point to as many bytes as the lengths beside them say.
            unsafe {
                let message = &*native;
                let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
                let timestamp = sys::rd_kafka_message_timestamp(native, &mut kind);
                FetchedMessage {
                    offset: message.offset,
                    timestamp,
                    key: slice(message.key.cast::<u8>(), message.key_len),
                    value: slice(message.payload.cast::<u8>(), message.len),
                    native,
                }
            }
        })
    }

    /// Number of messages.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether it only moves the position.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Bytes that it holds in librdkafka.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for FetchedBatch {
    fn drop(&mut self) {
        for &message in &self.messages {
            // SAFETY: `destroy` belongs to whoever made the pointers, and each is destroyed only here.
            unsafe { (self.destroy)(message) };
        }
        self.gate.leave(self.bytes);
    }
}

/// Why a partition gives no more messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchError {
    /// What was asked for is not in the log: retention passed it, or the log is shorter, or was and grew again.
    OffsetOutOfRange {
        /// The offset.
        asked: i64,
    },
    /// Anything else librdkafka gave up on for this partition.
    Broker(RDKafkaErrorCode),
}

/// What one call found in a partition's queue.
#[derive(Debug)]
pub struct Taken {
    /// Messages, or a position that moved past holes.
    pub batch: Option<FetchedBatch>,
    /// The position was at the end of the log.
    pub at_end: bool,
    /// The partition stopped.
    pub error: Option<FetchError>,
    /// A record may have been left out: the client must be sought to the cursor.
    pub unproven: bool,
}

/// One partition's own queue, split off the consumer's.
pub struct PartitionQueue<C: ConsumerContext + 'static> {
    native: *mut sys::rd_kafka_queue_t,
    consumer: Arc<BaseConsumer<C>>,
    _waker: Arc<Waker>,
}

// SAFETY: the queue is used by one thread at a time (it is not Sync), and librdkafka does not bind it to one.
unsafe impl<C: ConsumerContext + 'static> Send for PartitionQueue<C> {}

unsafe extern "C" fn wake(_: *mut sys::rd_kafka_t, waker: *mut c_void) {
    // SAFETY: `waker` is the Arc that the queue keeps alive until it has disabled this callback.
    unsafe { &*waker.cast::<Waker>() }.wake();
}

impl<C: ConsumerContext + 'static> PartitionQueue<C> {
    /// Splits the partition's queue off, so that its messages reach no other call. None for an impossible name.
    pub fn split(
        consumer: &Arc<BaseConsumer<C>>,
        topic: &str,
        partition: i32,
        waker: &Arc<Waker>,
    ) -> Option<Self> {
        let topic = CString::new(topic).ok()?;
        // SAFETY: the client outlives the call and the queue (an Arc is kept); the waker's address is that of an Arc
        // kept in the queue, and the callback is disabled before both are dropped.
        unsafe {
            let native =
                sys::rd_kafka_queue_get_partition(consumer.client().native_ptr(), topic.as_ptr(), partition);
            if native.is_null() {
                return None;
            }
            sys::rd_kafka_queue_forward(native, ptr::null_mut());
            sys::rd_kafka_queue_cb_event_enable(native, Some(wake), Arc::as_ptr(waker).cast_mut().cast());
            Some(Self { native, consumer: Arc::clone(consumer), _waker: Arc::clone(waker) })
        }
    }

    /// Messages that wait in it (and the few events that share it).
    pub fn waiting(&self) -> usize {
        // SAFETY: the queue lives as long as `self`.
        unsafe { sys::rd_kafka_queue_length(self.native) }
    }

    /// Takes at most `max` messages that are there now, without waiting, and moves the cursor behind them.
    pub fn take(&self, cursor: &mut Cursor, max: usize, gate: &Arc<Gate>) -> Taken {
        let mut messages: Vec<MessagePtr> = Vec::with_capacity(max);
        // SAFETY: the buffer has room for `max` pointers, and as many as the call returns are set.
        unsafe {
            let got = sys::rd_kafka_consume_batch_queue(self.native, 0, messages.as_mut_ptr(), max);
            messages.set_len(usize::try_from(got).unwrap_or(0));
        }
        self.sort_out(messages, cursor, gate)
    }

    /// Separates messages from the events that share their queue, and drops what lies before the cursor or behind a
    /// step that proves nothing.
    fn sort_out(&self, mut messages: Vec<MessagePtr>, cursor: &mut Cursor, gate: &Arc<Gate>) -> Taken {
        let start = cursor.next();
        let (mut bytes, mut at_end, mut error, mut unproven) = (0, false, None, false);
        messages.retain(|&native| {
            // SAFETY: librdkafka handed the message over; it is destroyed once, here or with the batch.
            let message = unsafe { &*native };
            let mut keep = false;
            if error.is_none() && !unproven {
                let step = match message.err {
                    RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => {
                        let step = cursor.record(message.offset);
                        keep = step == Step::Next;
                        at_end &= !keep;
                        step
                    }
                    RDKafkaRespErr::RD_KAFKA_RESP_ERR__PARTITION_EOF => {
                        let step = cursor.end(message.offset);
                        at_end |= step == Step::Next;
                        step
                    }
                    RDKafkaRespErr::RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET
                    | RDKafkaRespErr::RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE => {
                        let step = cursor.out_of_range(message.offset);
                        error = (step == Step::Next)
                            .then_some(FetchError::OffsetOutOfRange { asked: cursor.next() });
                        step
                    }
                    other => {
                        error = Some(FetchError::Broker(other.into()));
                        Step::Next
                    }
                };
                unproven = step == Step::Unproven;
            }
            if keep {
                bytes += message.len + message.key_len + MESSAGE_OVERHEAD;
            } else {
                // SAFETY: as above.
                unsafe { sys::rd_kafka_message_destroy(native) };
            }
            keep
        });
        let end = cursor.next();
        let batch = (end > start).then(|| {
            gate.enter(bytes);
            let client: Arc<dyn Send + Sync> = Arc::clone(&self.consumer) as _;
            let (gate, destroy) = (Arc::clone(gate), sys::rd_kafka_message_destroy as _);
            FetchedBatch { messages, start, end, bytes, gate, destroy, _client: client }
        });
        Taken { batch, at_end, error, unproven }
    }
}

impl<C: ConsumerContext + 'static> Drop for PartitionQueue<C> {
    fn drop(&mut self) {
        // SAFETY: the queue was got in `split` and is given back once; disabling the callback first ends all use of
        // the waker.
        unsafe {
            sys::rd_kafka_queue_cb_event_enable(self.native, None, ptr::null_mut());
            sys::rd_kafka_queue_destroy(self.native);
        }
    }
}

#[cfg(test)]
mod made {
    use super::*;

    /// Room for librdkafka's private part behind the public message; zero means "nothing there" for all that is read.
    type Room = [u64; 128];

    impl FetchedBatch {
        /// Messages that no broker sent: `values` at the offsets from `start`, timestamp 0, no key, no headers.
        pub fn of_values(start: i64, values: &[Vec<u8>], gate: &Arc<Gate>) -> Self {
            let message = |(offset, value): (i64, &Vec<u8>)| {
                let payload = Box::leak(value.clone().into_boxed_slice());
                let native: MessagePtr = Box::into_raw(Box::new([0u64; 128])).cast();
                // SAFETY: the room is larger than the message, aligned as strictly, and zero is a valid message.
                unsafe {
                    (*native).offset = offset;
                    (*native).len = payload.len();
                    (*native).payload = payload.as_mut_ptr().cast();
                }
                native
            };
            let messages: Vec<_> = (start..).zip(values).map(message).collect();
            let end = start + messages.len() as i64;
            let bytes = values.iter().map(|value| value.len() + MESSAGE_OVERHEAD).sum();
            gate.enter(bytes);
            let gate = Arc::clone(gate);
            FetchedBatch { messages, start, end, bytes, gate, destroy: free, _client: Arc::new(()) }
        }
    }

    unsafe extern "C" fn free(native: MessagePtr) {
        // SAFETY: both were leaked by `of_values`, which nothing else passes here.
        unsafe {
            let payload = std::ptr::slice_from_raw_parts_mut((*native).payload.cast::<u8>(), (*native).len);
            drop(Box::from_raw(payload));
            drop(Box::from_raw(native.cast::<Room>()));
        }
    }
}
