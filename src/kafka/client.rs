//! Client settings that consumers, producers and admin clients share.

use rdkafka::ClientConfig;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::poller::GroupContext;
use super::token;
use crate::config::KafkaSettings;

/// Brokers, security and the properties passed through. Callers set what makes the guarantees after this, so that a
/// property passed through never overrides it.
pub fn client_config(settings: &KafkaSettings) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("client.id", "beatlytica");
    for (name, value) in &settings.properties {
        config.set(name, value.expose());
    }
    config.set("bootstrap.servers", &settings.brokers);
    config.set("security.protocol", &settings.security_protocol);
    config.set("topic.metadata.refresh.interval.ms", settings.metadata_interval.as_millis().to_string());
    let texts = [
        ("sasl.mechanism", settings.sasl_mechanism.as_deref()),
        ("sasl.username", settings.sasl_username.as_deref()),
        ("sasl.password", settings.sasl_password.as_ref().map(|secret| secret.expose())),
        ("ssl.key.password", settings.ssl_key_password.as_ref().map(|secret| secret.expose())),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            config.set(name, value);
        }
    }
    let files = [
        (token::FILE, &settings.sasl_token_file),
        ("ssl.ca.location", &settings.ssl_ca_location),
        ("ssl.certificate.location", &settings.ssl_certificate_location),
        ("ssl.key.location", &settings.ssl_key_location),
    ];
    for (name, file) in files {
        if let Some(file) = file {
            config.set(name, file.to_string_lossy());
        }
    }
    config
}

/// [`client_config`] for a consumer, also one that joins no group: librdkafka refuses a property `max.poll.interval.ms` below
/// the session's timeout, which is 45 s where none is set.
pub fn reader_config(settings: &KafkaSettings) -> ClientConfig {
    let mut config = client_config(settings);
    config.set("session.timeout.ms", settings.session_timeout.as_millis().to_string());
    config
}

/// Whether librdkafka takes the settings: names, values, and what goes together. Asks no broker.
///
/// # Errors
/// Its refusal, in words.
pub fn check(settings: &KafkaSettings) -> Result<(), String> {
    let config = reader_config(settings);
    config.create_with_context::<_, BaseConsumer<_>>(GroupContext::default()).map(drop).map_err(|error| {
        match error {
            KafkaError::ClientCreation(problem) => format!("Kafka client settings are refused: {problem}"),
            other => explain(&other, settings),
        }
    })
}

/// That a broker refused the sign-in, or TLS with it failed, and what to do.
pub fn refused_sign_in(settings: &KafkaSettings) -> String {
    format!(
        "the broker at {} refused the sign-in, or TLS with it failed; check kafka.sasl_mechanism, kafka.sasl_username, \
         kafka.sasl_password or kafka.sasl_token_file, and kafka.ssl_ca_location",
        settings.brokers
    )
}

/// What a client error means and what to do, in one line.
pub fn explain(error: &KafkaError, settings: &KafkaSettings) -> String {
    let brokers = &settings.brokers;
    if let KafkaError::ClientConfig(_, problem, name, _) = error {
        return format!("Kafka client setting {name} is refused: {problem}; see kafka.properties");
    }
    match error.rdkafka_error_code() {
        Some(
            RDKafkaErrorCode::BrokerTransportFailure
            | RDKafkaErrorCode::OperationTimedOut
            | RDKafkaErrorCode::AllBrokersDown
            | RDKafkaErrorCode::Resolve,
        ) => format!(
            "no broker answers at {brokers}; check kafka.brokers (--brokers), kafka.security_protocol and that the broker runs"
        ),
        Some(RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed) => {
            refused_sign_in(settings)
        }
        Some(RDKafkaErrorCode::SSL) => format!(
            "TLS with {brokers} failed; check kafka.ssl_ca_location and kafka.security_protocol ({error})"
        ),
        Some(
            RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::GroupAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed,
        ) => format!("the broker does not allow this ({error}); grant the user the right by an ACL"),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(environment: &[(&str, &str)]) -> KafkaSettings {
        let environment = environment.iter().map(|(k, v)| (k.to_string(), v.to_string()));
        crate::config::load(None, environment, &[]).expect("valid").settings.kafka
    }

    #[test]
    fn properties_pass_through_and_never_win() {
        let config = client_config(&settings(&[
            ("BEATLYTICA__KAFKA__BROKERS", "real:9092"),
            ("BEATLYTICA__KAFKA__PROPERTIES__SOCKET_KEEPALIVE_ENABLE", "true"),
            ("BEATLYTICA__KAFKA__PROPERTIES__CLIENT_ID", "charts"),
        ]));
        assert_eq!(config.get("client.id"), Some("charts"));
        assert_eq!(config.get("socket.keepalive.enable"), Some("true"));
        assert_eq!(config.get("security.protocol"), Some("plaintext"));
        assert_eq!(config.get("bootstrap.servers"), Some("real:9092"));
        assert_eq!(config.get("sasl.password"), None);
    }

    #[test]
    fn sasl_settings_arrive() {
        let config = client_config(&settings(&[
            ("BEATLYTICA__KAFKA__SECURITY_PROTOCOL", "SASL_SSL"),
            ("BEATLYTICA__KAFKA__SASL_MECHANISM", "SCRAM-SHA-512"),
            ("BEATLYTICA__KAFKA__SASL_USERNAME", "me"),
            ("BEATLYTICA__KAFKA__SASL_PASSWORD", "secret"),
        ]));
        assert_eq!(config.get("security.protocol"), Some("sasl_ssl"));
        assert_eq!(config.get("sasl.mechanism"), Some("SCRAM-SHA-512"));
        assert_eq!(config.get("sasl.password"), Some("secret"));
        assert_eq!(config.get(token::FILE), None);
    }

    #[test]
    fn what_librdkafka_refuses_is_said_before_a_broker_is_asked() {
        assert_eq!(check(&settings(&[])), Ok(()));
        for (variable, value, named) in [
            ("BEATLYTICA__KAFKA__PROPERTIES__SOCKET_KEEPALIVE_ENABEL", "true", "socket.keepalive.enabel"),
            ("BEATLYTICA__KAFKA__PROPERTIES__SOCKET_KEEPALIVE_ENABLE", "perhaps", "socket.keepalive.enable"),
            ("BEATLYTICA__KAFKA__METADATA_INTERVAL", "2h", "topic.metadata.refresh.interval.ms"),
        ] {
            let refused = check(&settings(&[(variable, value)])).expect_err(value);
            assert!(refused.contains(named), "{refused}");
        }
        let unknown = check(&settings(&[
            ("BEATLYTICA__KAFKA__SECURITY_PROTOCOL", "sasl_plaintext"),
            ("BEATLYTICA__KAFKA__SASL_MECHANISM", "scram-sha-512"),
            ("BEATLYTICA__KAFKA__SASL_USERNAME", "me"),
            ("BEATLYTICA__KAFKA__SASL_PASSWORD", "secret"),
        ]));
        assert!(unknown.as_ref().is_err_and(|words| words.contains("scram-sha-512")), "{unknown:?}");
    }

    #[test]
    fn an_unreachable_broker_is_said_in_words() {
        let error = KafkaError::MetadataFetch(RDKafkaErrorCode::BrokerTransportFailure);
        let text = explain(&error, &settings(&[]));
        assert!(text.contains("no broker answers at 127.0.0.1:9092"), "{text}");
    }
}
