//! What rdkafka cannot ask of a client, or tell it.

use std::ffi::{CStr, CString};
use std::ptr;

use rdkafka::bindings as sys;
use rdkafka::client::{Client, ClientContext, OAuthToken};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::RDKafkaRespErr;

/// Events (of the group, answers to commits, errors, lines of log) that wait for a poll.
pub fn events_waiting<C: ConsumerContext>(consumer: &BaseConsumer<C>) -> usize {
    // SAFETY: the client is alive; the reference to its queue is given back at once.
    unsafe {
        let queue = sys::rd_kafka_queue_get_consumer(consumer.client().native_ptr());
        if queue.is_null() {
            return 0;
        }
        let waiting = sys::rd_kafka_queue_length(queue);
        sys::rd_kafka_queue_destroy(queue);
        waiting
    }
}

/// Whether the group knows the consumer as a member.
pub fn is_member<C: ConsumerContext>(consumer: &BaseConsumer<C>) -> bool {
    let client = consumer.client().native_ptr();
    // SAFETY: the client is alive; what it gives is a string that is the caller's, and is given back.
    unsafe {
        let id = sys::rd_kafka_memberid(client);
        let is_member = !id.is_null() && *id != 0;
        sys::rd_kafka_mem_free(client, id.cast());
        is_member
    }
}

/// High watermark of a partition as of the last fetch answer, without asking the broker.
pub fn cached_high_watermark<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partition: i32,
) -> Option<i64> {
    let topic = CString::new(topic).ok()?;
    let (mut low, mut high) = (-1, -1);
    // SAFETY: plain out-parameters, and a client that is alive.
    let error = unsafe {
        sys::rd_kafka_get_watermark_offsets(
            consumer.client().native_ptr(),
            topic.as_ptr(),
            partition,
            &mut low,
            &mut high,
        )
    };
    (error == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0).then_some(high)
}

/// The topic's id, asked of the broker now (blocks up to `timeout_ms`); none where the broker gives none.
///
/// # Errors
/// The broker's error in words.
pub fn topic_id<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    timeout_ms: i32,
) -> Result<Option<String>, (RDKafkaErrorCode, String)> {
    let client = consumer.client().native_ptr();
    let name = CString::new(topic).map_err(|e| (RDKafkaErrorCode::InvalidTopic, e.to_string()))?;
    // SAFETY: everything created here is destroyed at the end of the block, after the last use of what it owns; null
    // results are checked; strings are copied before their owner goes.
    unsafe {
        let mut names = [name.as_ptr()];
        let topics = sys::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), 1);
        let queue = sys::rd_kafka_queue_new(client);
        let options = sys::rd_kafka_AdminOptions_new(
            client,
            sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
        );
        let mut errstr = [0; 256];
        sys::rd_kafka_AdminOptions_set_request_timeout(
            options,
            timeout_ms,
            errstr.as_mut_ptr(),
            errstr.len(),
        );
        sys::rd_kafka_DescribeTopics(client, topics, options, queue);
        let event = sys::rd_kafka_queue_poll(queue, timeout_ms + 1_000);
        let answer = describe_answer(event);
        if !event.is_null() {
            sys::rd_kafka_event_destroy(event);
        }
        sys::rd_kafka_AdminOptions_destroy(options);
        sys::rd_kafka_queue_destroy(queue);
        sys::rd_kafka_TopicCollection_destroy(topics);
        answer
    }
}

/// # Safety
/// `event` is null or a live event.
unsafe fn describe_answer(
    event: *mut sys::rd_kafka_event_t,
) -> Result<Option<String>, (RDKafkaErrorCode, String)> {
    let none = || (RDKafkaErrorCode::OperationTimedOut, "no answer in time".to_owned());
    if event.is_null() {
        return Err(none());
    }
    // SAFETY: the event is alive for the whole call; librdkafka owns what is read from it.
    unsafe {
        let code = sys::rd_kafka_event_error(event);
        if code != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            let text = CStr::from_ptr(sys::rd_kafka_event_error_string(event)).to_string_lossy().into_owned();
            return Err((code.into(), text));
        }
        let result = sys::rd_kafka_event_DescribeTopics_result(event);
        if result.is_null() {
            return Err(none());
        }
        let mut count = 0;
        let topics = sys::rd_kafka_DescribeTopics_result_topics(result, &mut count);
        if count == 0 || topics.is_null() {
            return Err(none());
        }
        let error = sys::rd_kafka_TopicDescription_error(*topics);
        if !error.is_null() {
            let code = sys::rd_kafka_error_code(error);
            if code != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                let text = CStr::from_ptr(sys::rd_kafka_error_string(error)).to_string_lossy().into_owned();
                return Err((code.into(), text));
            }
        }
        let id = sys::rd_kafka_TopicDescription_topic_id(*topics);
        let zero = id.is_null()
            || (sys::rd_kafka_Uuid_least_significant_bits(id) == 0
                && sys::rd_kafka_Uuid_most_significant_bits(id) == 0);
        Ok((!zero).then(|| CStr::from_ptr(sys::rd_kafka_Uuid_base64str(id)).to_string_lossy().into_owned()))
    }
}

/// Gives a client a token of SASL OAUTHBEARER.
///
/// # Errors
/// librdkafka's reason to refuse it: it has run out, it holds what must not be in one, or the client signs in otherwise.
pub fn set_token<C: ClientContext>(client: &Client<C>, token: OAuthToken) -> Result<(), String> {
    let value = CString::new(token.token).map_err(|error| error.to_string())?;
    let principal = CString::new(token.principal_name).map_err(|error| error.to_string())?;
    let mut reason = [0; 256];
    // SAFETY: the client outlives the call, which copies both strings; the reason has the length that is told, and what is
    // written there ends with a zero.
    unsafe {
        let code = sys::rd_kafka_oauthbearer_set_token(
            client.native_ptr(),
            value.as_ptr(),
            token.lifetime_ms,
            principal.as_ptr(),
            ptr::null_mut(),
            0,
            reason.as_mut_ptr(),
            reason.len(),
        );
        if code == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Ok(());
        }
        Err(CStr::from_ptr(reason.as_ptr()).to_string_lossy().into_owned())
    }
}
