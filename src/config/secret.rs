//! Text that must not be shown.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// What stands where a secret would.
pub(super) const HIDDEN: &str = "***";

/// Text that neither prints nor serializes as itself.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The text itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Secret(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(HIDDEN)
    }
}

/// Whether the value of `key` is a secret: the settings typed so, and librdkafka properties that carry one.
pub(super) fn is_secret(key: &str) -> bool {
    let last = key.strip_prefix("kafka.properties.").unwrap_or(key);
    // The name of a file that holds a secret is none.
    !last.ends_with("_file")
        && [
            "password",
            "secret",
            "jaas",
            "key.pem",
            "token",
            "oauthbearer.config",
            "assertion",
            "privacy.key",
        ]
        .iter()
        .any(|part| last.contains(part))
}
