//! What GCS's JSON API writes and reads, and what its refusals mean.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::{Rfc2822, Rfc3339};

use super::super::ObjectMeta;

/// An answer, read to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// An object's description, as far as it is asked for.
#[derive(Debug, Deserialize)]
pub(super) struct Resource {
    name: String,
    size: String,
    crc32c: Option<String>,
    #[serde(rename = "timeCreated")]
    created: Option<String>,
}

impl Resource {
    /// The fields to ask for.
    pub const FIELDS: &str = "name,size,crc32c,timeCreated";

    /// The description with `prefix` cut from the name; none where it makes no sense.
    pub fn meta(self, prefix: &str) -> Option<ObjectMeta> {
        let name = self.name.strip_prefix(prefix)?.to_owned();
        let crc32c = self.crc32c.as_deref().map(|text| decode_crc32c(text).ok_or(())).transpose().ok()?;
        let created = self.created.as_deref().and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok());
        let created_ms = created.and_then(|time| i64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok());
        Some(ObjectMeta { name, size: self.size.parse().ok()?, crc32c, created_ms })
    }
}

/// One page of a listing.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Listing {
    #[serde(default)]
    pub items: Vec<Resource>,
    pub next_page_token: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Refusal {
    error: RefusalBody,
}

#[derive(Debug, Deserialize)]
struct RefusalBody {
    #[serde(default)]
    message: String,
    #[serde(default)]
    errors: Vec<RefusalReason>,
}

#[derive(Debug, Deserialize)]
struct RefusalReason {
    #[serde(default)]
    reason: String,
}

impl Answer {
    /// Status, reason and message of a refusal, in one phrase.
    pub fn words(&self) -> String {
        const LONGEST: usize = 300;
        let (message, reason) = match serde_json::from_slice::<Refusal>(&self.body) {
            Ok(refusal) => {
                let reason = refusal.error.errors.into_iter().next().map(|first| first.reason);
                (refusal.error.message, reason.unwrap_or_default())
            }
            Err(_) => (String::from_utf8_lossy(&self.body).trim().to_owned(), String::new()),
        };
        let mut words = format!("GCS answers {}", self.status.as_u16());
        if !reason.is_empty() {
            words.push_str(&format!(" ({reason})"));
        }
        if !message.is_empty() {
            words.push_str(": ");
            words.extend(message.chars().filter(|letter| !letter.is_control()).take(LONGEST));
        }
        words
    }

    /// Whether it is a 404 for the bucket, not for an object in it.
    pub fn lacks_bucket(&self) -> bool {
        self.status == StatusCode::NOT_FOUND && self.words().contains("bucket does not exist")
    }

    /// Whether it is a refusal of a body that does not match its checksum: damage on the way.
    pub fn found_damage(&self) -> bool {
        self.status == StatusCode::BAD_REQUEST && self.words().to_ascii_lowercase().contains("crc32c")
    }

    /// What `Retry-After` asks for: seconds, or the time until a date.
    pub fn retry_after(&self, now: OffsetDateTime) -> Option<Duration> {
        let text = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let date = OffsetDateTime::parse(text, &Rfc2822).ok()?;
        Some(Duration::try_from(date - now).unwrap_or(Duration::ZERO))
    }

    /// The content's checksum as GCS has it.
    pub fn content_crc32c(&self) -> Option<u32> {
        let hashes = self.headers.get_all("x-goog-hash").iter().filter_map(|value| value.to_str().ok());
        hashes
            .flat_map(|value| value.split(','))
            .find_map(|hash| hash.trim().strip_prefix("crc32c="))
            .and_then(decode_crc32c)
    }

    /// How many bytes of an upload are stored, by a 308's `Range`; nothing is without one.
    pub fn stored(&self) -> u64 {
        let range = self.headers.get("range").and_then(|value| value.to_str().ok());
        let last = range.and_then(|range| range.trim().strip_prefix("bytes=0-")?.parse::<u64>().ok());
        last.map_or(0, |last| last.saturating_add(1))
    }
}

/// CRC-32C as the JSON API writes it: base64 of its four bytes, most significant first.
pub(super) fn encode_crc32c(crc32c: u32) -> String {
    STANDARD.encode(crc32c.to_be_bytes())
}

fn decode_crc32c(text: &str) -> Option<u32> {
    Some(u32::from_be_bytes(STANDARD.decode(text).ok()?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reqwest::header::HeaderValue;
    use time::macros::datetime;

    use super::*;

    fn answer(status: u16, header: Option<(&'static str, &str)>, body: &str) -> Answer {
        let mut headers = HeaderMap::new();
        if let Some((name, value)) = header {
            headers.insert(name, HeaderValue::from_str(value).unwrap());
        }
        let status = StatusCode::from_u16(status).unwrap();
        Answer { status, headers, body: Bytes::copy_from_slice(body.as_bytes()) }
    }

    #[test]
    fn refusals_are_put_into_words() {
        let body = r#"{"error":{"code":403,"message":"no access","errors":[{"reason":"forbidden"}]}}"#;
        assert_eq!(answer(403, None, body).words(), "GCS answers 403 (forbidden): no access");
        assert_eq!(
            answer(404, None, "No such object: b/o\n").words(),
            "GCS answers 404: No such object: b/o"
        );
        assert_eq!(answer(418, None, "").words(), "GCS answers 418");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = datetime!(1994-11-06 08:49:30 UTC);
        let after = |text| answer(429, Some(("retry-after", text)), "").retry_after(now);
        assert_eq!(after("12"), Some(Duration::from_secs(12)));
        assert_eq!(after("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::from_secs(7)));
        assert_eq!(after("Sun, 06 Nov 1994 08:49:07 GMT"), Some(Duration::ZERO));
        assert_eq!(after("soon"), None);
    }

    #[test]
    fn a_range_counts_only_from_the_first_byte() {
        let stored = |text| answer(308, Some(("range", text)), "").stored();
        assert_eq!(stored("bytes=0-262143"), 262_144);
        assert_eq!(stored("bytes=5-9"), 0);
        assert_eq!(answer(308, None, "").stored(), 0);
    }

    #[test]
    fn checksums_are_found_among_other_hashes() {
        // The check value of CRC-32C: "123456789" gives e3069283.
        let value = format!("md5=AAAA, crc32c={}", encode_crc32c(0xe306_9283));
        assert_eq!(encode_crc32c(crc32c::crc32c(b"123456789")), "4waSgw==");
        assert_eq!(answer(200, Some(("x-goog-hash", &value)), "").content_crc32c(), Some(0xe306_9283));
    }

    proptest! {
        #[test]
        fn checksums_survive_their_text(crc32c: u32) {
            prop_assert_eq!(decode_crc32c(&encode_crc32c(crc32c)), Some(crc32c));
        }
    }
}
