//! What becomes of a listener's names, postal code and user agent before anything is stored.

use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;

use ring::hmac;
use twox_hash::XxHash3_64;

/// Columns that a setting can hide.
pub const PERSONAL: [&str; 4] = ["first_name", "last_name", "zip", "user_agent"];

/// Bytes of a pseudonym: too many for two listeners to share one by chance.
const PSEUDONYM_BYTES: usize = 16;

/// How the columns of [`PERSONAL`] are stored.
#[derive(Clone, Default)]
pub enum Privacy {
    /// As they arrive.
    #[default]
    Keep,
    /// Not at all: null.
    Drop,
    /// As a keyed hash: equal texts stay equal, and only who has the key can try texts out.
    Hash(Arc<hmac::Key>),
}

impl fmt::Debug for Privacy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Privacy::Keep => "Keep",
            Privacy::Drop => "Drop",
            Privacy::Hash(_) => "Hash(***)",
        })
    }
}

impl PartialEq for Privacy {
    fn eq(&self, other: &Self) -> bool {
        self.hides() == other.hides() && self.stored("") == other.stored("")
    }
}

impl Privacy {
    /// Hashes with `key` (HMAC-SHA-256, its first 16 bytes in hexadecimal digits).
    pub fn hash(key: &[u8]) -> Self {
        Privacy::Hash(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, key)))
    }

    /// Whether anything is hidden.
    pub fn hides(&self) -> bool {
        !matches!(self, Privacy::Keep)
    }

    /// What stands for a text of `column`; none for null. Asked once for each distinct text, not once an event.
    pub(super) fn stored(&self, text: &str) -> Option<String> {
        match self {
            Privacy::Keep => Some(text.to_owned()),
            Privacy::Drop => None,
            Privacy::Hash(key) => {
                let tag = hmac::sign(key, text.as_bytes());
                let bytes = tag.as_ref().iter().take(PSEUDONYM_BYTES);
                Some(bytes.fold(String::with_capacity(2 * PSEUDONYM_BYTES), |mut digits, byte| {
                    let _ = write!(digits, "{byte:02x}");
                    digits
                }))
            }
        }
    }
}

/// Stands for the settings that say what becomes of a record's texts; tells nothing of a key. It is written into the lake's ledger: it
/// must never change.
pub fn decoding_id(repair: bool, privacy: &Privacy) -> u64 {
    let mode = match privacy {
        Privacy::Keep => "keep".to_owned(),
        Privacy::Drop => "drop".to_owned(),
        Privacy::Hash(_) => format!("hash {}", privacy.stored("beatlytica").unwrap_or_default()),
    };
    XxHash3_64::oneshot(format!("repair {repair}, privacy {mode}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pseudonyms_are_hmac_sha_256_and_depend_on_the_key() {
        // RFC 4231, test case 2.
        let known = Privacy::hash(b"Jefe").stored("what do ya want for nothing?");
        assert_eq!(known.as_deref(), Some("5bdcc146bf60754e6a042426089575c7"));
        let stored = |key: &[u8]| Privacy::hash(key).stored("Ada");
        assert_eq!(stored(b"one"), stored(b"one"));
        assert_ne!(stored(b"one"), stored(b"two"));
        assert_eq!(Privacy::Drop.stored("Ada"), None);
        assert!(!format!("{:?}", Privacy::hash(b"one")).contains("one"));
    }

    #[test]
    fn other_settings_have_another_id() {
        let privacies = [Privacy::Keep, Privacy::Drop, Privacy::hash(b"one"), Privacy::hash(b"two")];
        let ids =
            privacies.iter().flat_map(|privacy| [true, false].map(|repair| decoding_id(repair, privacy)));
        let distinct: std::collections::HashSet<u64> = ids.collect();
        assert_eq!(distinct.len(), 8);
        assert_eq!(decoding_id(true, &Privacy::hash(b"one")), decoding_id(true, &Privacy::hash(b"one")));
    }
}
