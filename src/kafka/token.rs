//! Tokens of SASL OAUTHBEARER, from a file that somebody else keeps fresh: a sidecar, an agent, a projected volume.
//!
//! The file's name travels in librdkafka's `sasl.oauthbearer.config`, which librdkafka hands back when it wants another token.
//! It asks through a client's main queue. Clients whose queue nobody serves (administrative ones, and those that only ask for
//! metadata) are given theirs by [`provide`] instead.

use std::error::Error;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rdkafka::ClientConfig;
use rdkafka::client::{Client, ClientContext, OAuthToken};
use serde::Deserialize;
use thiserror::Error;

use super::native::client::set_token;

/// The property that holds the file's name.
pub(super) const FILE: &str = "sasl.oauthbearer.config";

/// Why there is no token.
#[derive(Debug, Error)]
pub enum TokenError {
    /// The file cannot be read.
    #[error("kafka.sasl_token_file {0} cannot be read: {1}")]
    Unreadable(String, std::io::Error),
    /// It holds something else. What it holds is not told.
    #[error("kafka.sasl_token_file {0} does not hold a JSON Web Token with the claim `exp`, in seconds")]
    Malformed(String),
    /// The client does not take it.
    #[error("the token in kafka.sasl_token_file {0} is refused: {1}")]
    Refused(String, String),
}

/// What is read of a token; whether it is genuine is the broker's business.
#[derive(Deserialize)]
struct Claims {
    exp: f64,
    #[serde(default)]
    sub: String,
}

fn parse(text: &str) -> Option<OAuthToken> {
    let token = text.trim();
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?.trim_end_matches('=')).ok()?;
    let claims: Claims = serde_json::from_slice(&payload).ok()?;
    Some(OAuthToken {
        token: token.to_owned(),
        principal_name: claims.sub,
        lifetime_ms: (claims.exp * 1000.0) as i64,
    })
}

fn read(file: &str) -> Result<OAuthToken, TokenError> {
    let text =
        std::fs::read_to_string(file).map_err(|error| TokenError::Unreadable(file.to_owned(), error))?;
    parse(&text).ok_or_else(|| TokenError::Malformed(file.to_owned()))
}

/// A client's answer when librdkafka asks for a token; `file` is what it handed back.
///
/// # Errors
/// Those of [`TokenError`]; librdkafka reports them as a refused sign-in and asks again.
pub(super) fn answer(file: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
    let token = read(file.unwrap_or_default());
    if let Err(error) = &token {
        tracing::warn!(%error, "no token to sign in to Kafka with");
    }
    Ok(token?)
}

/// Gives `client`, made of `config`, the token that the file holds now; nothing where the settings name none.
///
/// # Errors
/// Those of [`TokenError`].
pub fn provide<C: ClientContext>(client: &Client<C>, config: &ClientConfig) -> Result<(), TokenError> {
    let Some(file) = config.get(FILE) else { return Ok(()) };
    set_token(client, read(file)?).map_err(|problem| TokenError::Refused(file.to_owned(), problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> String {
        format!("eyJhbGciOiJub25lIn0.{}.signature\n", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn a_token_tells_its_end_and_its_owner() {
        let text = token(r#"{"sub":"engine","exp":1700000000.5,"aud":["kafka"]}"#);
        let found = parse(&text).expect("a token");
        assert_eq!((found.principal_name.as_str(), found.lifetime_ms), ("engine", 1_700_000_000_500));
        assert_eq!(found.token, text.trim());
    }

    #[test]
    fn what_is_no_token_is_refused_and_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        let name = file.to_str().unwrap();
        assert!(matches!(read(name), Err(TokenError::Unreadable(..))));
        for text in ["", "secret", "a.secret.c", &token("{}"), &token(r#"{"exp":"soon"}"#)] {
            std::fs::write(&file, text).unwrap();
            let error = read(name).err().expect(text).to_string();
            assert!(error.contains(name) && !error.contains("secret"), "{error}");
        }
    }
}
