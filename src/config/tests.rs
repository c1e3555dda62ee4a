use proptest::prelude::*;

use super::*;

fn load_with(file: &str, environment: &[(&str, &str)]) -> Result<Loaded, ConfigError> {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("settings.toml");
    std::fs::write(&path, file).expect("file");
    load(Some(&path), environment.iter().map(|(k, v)| (k.to_string(), v.to_string())), &[])
}

fn problems(file: &str, environment: &[(&str, &str)]) -> Vec<Problem> {
    match load_with(file, environment) {
        Err(ConfigError::Invalid(problems)) => problems,
        other => panic!("expected problems, got {other:?}"),
    }
}

#[test]
fn defaults_are_valid_and_read_in_full() {
    let settings = load(None, [], &[]).expect("defaults").settings;
    assert_eq!(settings.lake.upload_interval, Duration::from_secs(120));
    assert_eq!(settings.memory.budget, 56 << 20);
    assert_eq!(settings.windows.retention, Duration::from_secs(48 * 3600));
    assert_eq!(settings.http.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.kafka.sasl_mechanism, None);
    assert_eq!(settings.kafka.topics.name(EventKind::Auth), "auth_events");
    assert_eq!(settings.kafka.topics.kind("page_view_events"), Some(EventKind::PageView));
    assert!(settings.decode.repair);
}

#[test]
fn shipped_files_are_valid() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let secrets = [
        ("BEATLYTICA__KAFKA__SASL_USERNAME", "u"),
        ("BEATLYTICA__KAFKA__SASL_PASSWORD", "p"),
        ("BEATLYTICA__HTTP__TOKEN", "0123456789abcdef"),
    ];
    for name in ["demo.toml", "production.toml"] {
        let environment = secrets.map(|(k, v)| (k.to_owned(), v.to_owned()));
        load(Some(&root.join(name)), environment, &[]).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn later_layers_win() {
    let file = "[kafka]\nbrokers = 'file:1'\ngroup_id = 'from-file'\n[lake]\nurl = 'file:///from/file'";
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("s.toml");
    std::fs::write(&path, file).expect("file");
    let environment = [
        ("BEATLYTICA__KAFKA__BROKERS".to_owned(), "env:2".to_owned()),
        ("BEATLYTICA__LAKE__URL".to_owned(), "file:///from/env".to_owned()),
        ("BEATLYTICA_BIN".to_owned(), "not a setting".to_owned()),
    ];
    let flags = [Override { key: "lake.url", flag: "--lake-url", value: "gs://bucket/flag".to_owned() }];
    let loaded = load(Some(&path), environment, &flags).expect("valid");
    assert_eq!(loaded.settings.kafka.group_id, "from-file");
    assert_eq!(loaded.settings.kafka.brokers, "env:2");
    assert_eq!(loaded.settings.lake.url.as_str(), "gs://bucket/flag");
    let shown = loaded.show();
    assert!(
        shown.contains("brokers = \"env:2\"  # environment variable BEATLYTICA__KAFKA__BROKERS"),
        "{shown}"
    );
    assert!(shown.contains("url = \"gs://bucket/flag\"  # flag --lake-url"), "{shown}");
    assert!(shown.contains("repair = true  # built-in default"), "{shown}");
}

#[test]
fn what_is_shown_is_toml_whatever_a_variable_is_called() {
    let environment = [
        ("BEATLYTICA__KAFKA__BROKERS".to_owned(), "env:2".to_owned()),
        ("BEATLYTICA__LAKE__URL".to_owned(), "file:///from/env".to_owned()),
        ("BEATLYTICA__KAFKA__PROPERTIES__LINGER\u{11}\nMS".to_owned(), "5".to_owned()),
    ];
    let loaded = load(None, environment, &[]).expect("valid");
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("shown.toml");
    std::fs::write(&path, loaded.show()).expect("file");
    assert_eq!(load(Some(&path), [], &[]).expect("what was shown").settings, loaded.settings);
}

#[test]
fn unknown_keys_name_their_source_and_the_nearest_key() {
    let found = problems("[kafka]\nbroker = 'x:1'", &[("BEATLYTICA__LAKE__UPLOAD_INTERVALL", "1s")]);
    let text: Vec<String> = found.iter().map(Problem::to_string).collect();
    assert_eq!(found.len(), 2, "{text:?}");
    assert!(text[0].starts_with("kafka.broker (file "), "{text:?}");
    assert!(text[0].ends_with("did you mean kafka.brokers?"), "{text:?}");
    assert_eq!(
        text[1],
        "lake.upload_intervall (environment variable BEATLYTICA__LAKE__UPLOAD_INTERVALL): \
         there is no such setting; did you mean lake.upload_interval?"
    );
}

#[test]
fn every_unreadable_value_is_reported_at_once() {
    let file = "[lake]\nupload_interval = 'soon'\nmax_batch_bytes = 'much'\n[http]\nlisten = 'here'\n\
                [log]\nformat = 'xml'\n[decode]\nrepair = 'perhaps'";
    let found = problems(file, &[]);
    let keys: Vec<&str> = found.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(
        keys,
        ["decode.repair", "http.listen", "lake.max_batch_bytes", "lake.upload_interval", "log.format"]
    );
}

#[test]
fn rules_between_settings_are_checked() {
    for (file, key) in [
        ("[windows]\nretention = '31h'", "windows.retention"),
        ("[windows]\nretention = '2879m'", "windows.retention"),
        ("[windows]\nmax_ahead = '40h'", "windows.retention"),
        ("[lake]\nurl = 's3://bucket'", "lake.url"),
        ("[lake]\nurl = 'file:///'", "lake.url"),
        ("[lake]\nurl = 'file:///lake?x'", "lake.url"),
        ("[lake]\nurl = 'gs://My_Bucket/x'", "lake.url"),
        ("[lake]\nurl = 'gs://bucket/a//b'", "lake.url"),
        ("[lake]\nurl = 'gs://bucket/[x]'", "lake.url"),
        ("[lake]\nurl = 'gs://bucket/my lake'", "lake.url"),
        ("[lake]\nurl = 'gs://bucket/x/../y'", "lake.url"),
        ("[gcs]\ndeadline = '30m'", "gcs.deadline"),
        ("[windows]\nfuture_limit = '876000h'", "windows.future_limit"),
        ("[kafka.properties]\n'compression.type' = 'zstd'", "kafka.properties.compression.type"),
        ("[log]\nlevel = ''", "log.level"),
        ("[kafka.properties]\n'security.protocol' = 'ssl'", "kafka.properties.security.protocol"),
        ("[lake]\nupload_interval = '0s'", "lake.upload_interval"),
        ("[lake]\nmax_batch_bytes = '1GiB'", "lake.max_batch_bytes"),
        ("[lake]\ncompression_level = 40", "lake.compression_level"),
        ("[kafka]\nbrokers = 'nohost'", "kafka.brokers"),
        ("[kafka]\nbrokers = 'a:1,b'", "kafka.brokers"),
        ("[kafka]\nsession_timeout = '500us'", "kafka.session_timeout"),
        ("[kafka]\nsession_timeout = '2h'", "kafka.session_timeout"),
        (
            "[kafka]\nsession_timeout = '2h'\n[kafka.properties]\n'max.poll.interval.ms' = 1000",
            "kafka.properties.max.poll.interval.ms",
        ),
        ("[kafka]\nsecurity_protocol = 'tls'", "kafka.security_protocol"),
        ("[kafka]\nssl_ca_location = '/no/such/file'", "kafka.ssl_ca_location"),
        ("[kafka.topics]\nauth_events = 'listen_events'", "kafka.topics.auth_events"),
        ("[kafka.topics]\nauth_events = 'a b'", "kafka.topics.auth_events"),
        ("[kafka.properties]\n'enable.auto.commit' = 'true'", "kafka.properties.enable.auto.commit"),
        ("[decode]\nreject_limit_share = 1.5", "decode.reject_limit_share"),
        ("[decode]\nreject_limit_share = 'NaN'", "decode.reject_limit_share"),
        ("[supervisor]\nbackoff_max = '1ms'", "supervisor.backoff_max"),
        ("[log]\nlevel = 'a=b=c'", "log.level"),
        ("[log]\nlevel = 'warning'", "log.level"),
        ("[log]\nlevel = 'info,beatlytica'", "log.level"),
        ("[http]\nlisten = '0.0.0.0:80'", "http.listen"),
        ("[http]\nlisten = '[::]:80'", "http.listen"),
        ("[http]\ntoken = 'short'", "http.token"),
        ("[http]\ntoken_file = '/no/such/file'", "http.token_file"),
        ("[http]\ntls_certificate_file = '/x'", "http.tls_key_file"),
        ("[privacy]\nmode = 'hash'", "privacy.mode"),
        ("[privacy]\nmode = 'hash'\nkey = 'short'", "privacy.mode"),
        ("[privacy]\nmode = 'blur'", "privacy.mode"),
    ] {
        let found = problems(file, &[]);
        let keys: Vec<&str> = found.iter().map(|problem| problem.key.as_str()).collect();
        assert_eq!(keys, [key], "{file}: {found:?}");
    }
}

#[test]
fn sasl_needs_mechanism_and_credentials() {
    let found = problems("[kafka]\nsecurity_protocol = 'sasl_ssl'", &[]);
    let keys: Vec<&str> = found.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(keys, ["kafka.sasl_mechanism", "kafka.sasl_password", "kafka.sasl_username"]);
    let tokens = "[kafka]\nsecurity_protocol = 'sasl_ssl'\nsasl_mechanism = 'OAUTHBEARER'";
    for (file, key) in
        [("", "kafka.sasl_token_file"), ("\nsasl_token_file = '/nowhere'", "kafka.sasl_token_file")]
    {
        let found = problems(&format!("{tokens}{file}"), &[]);
        assert_eq!(found.iter().map(|problem| problem.key.as_str()).collect::<Vec<_>>(), [key], "{found:?}");
    }
}

#[test]
fn secrets_are_never_shown() {
    let environment = [
        ("BEATLYTICA__KAFKA__SASL_PASSWORD", "hunter2"),
        ("BEATLYTICA__KAFKA__PROPERTIES__SSL_KEYSTORE_PASSWORD", "hunter2"),
        ("BEATLYTICA__KAFKA__PROPERTIES__SSL_KEY_PEM", "hunter2"),
    ];
    let loaded = load_with("", &environment).expect("valid");
    assert_eq!(loaded.settings.kafka.sasl_password.as_ref().map(Secret::expose), Some("hunter2"));
    assert!(!loaded.show().contains("hunter2"), "{}", loaded.show());
    assert!(loaded.show().contains("sasl_password = \"***\""), "{}", loaded.show());
    let number = load_with("[http]\ntoken = 1234567890123456", &[]).expect("valid").show();
    assert!(number.contains("token = \"***\"") && !number.contains("1234567890123456"), "{number}");
    for line in ["sasl_password = hunter2", "sasl_password = 'hunter2", "sasl_password = 'a' hunter2"] {
        let error = load_with(&format!("[kafka]\n{line}"), &[]).expect_err(line).to_string();
        assert!(!error.contains("hunter2") && error.contains("line 2"), "{error}");
    }
    assert!(!format!("{:?}", loaded.settings.kafka.sasl_password).contains("hunter2"));
    assert_eq!(serde_json::to_string(&Secret::from("x".to_owned())).expect("json"), "\"***\"");
}

#[test]
fn properties_pass_through_with_their_dots() {
    let file = "[kafka.properties]\n'socket.keepalive.enable' = true";
    let loaded =
        load_with(file, &[("BEATLYTICA__KAFKA__PROPERTIES__CLIENT_RACK", "a")]).expect("valid").settings;
    let pairs: Vec<(&str, &str)> =
        loaded.kafka.properties.iter().map(|(k, v)| (k.as_str(), v.expose())).collect();
    assert_eq!(pairs, [("client.rack", "a"), ("socket.keepalive.enable", "true")]);
}

#[test]
fn what_is_shown_can_be_read_again() {
    let loaded = load_with("[kafka.properties]\n'client.rack' = 'a\"b'", &[]).expect("valid");
    let again = load_with(&loaded.show(), &[]).expect("shown settings are valid");
    assert_eq!(again.settings, loaded.settings);
}

#[test]
fn a_missing_or_broken_file_is_named() {
    let missing = load(Some(Path::new("/no/such.toml")), [], &[]).expect_err("missing");
    assert!(missing.to_string().contains("/no/such.toml"), "{missing}");
    assert!(matches!(load_with("[kafka", &[]), Err(ConfigError::File { .. })));
}

proptest! {
    #[test]
    fn sizes_read_back(bytes in 0u64..1 << 50) {
        prop_assert_eq!(parse_size(&format_size(bytes)), Some(bytes));
    }

    #[test]
    fn any_text_gives_a_size_or_none(text in ".{0,12}") {
        let _ = parse_size(&text);
    }

    #[test]
    fn any_environment_is_answered(name in "[A-Z_]{0,20}", value in ".{0,12}") {
        let environment = [(format!("BEATLYTICA__{name}"), value)];
        let _ = load(None, environment, &[]);
    }
}

#[test]
fn secrets_come_from_files_and_are_never_shown() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("password");
    std::fs::write(&path, "from-a-file\n").expect("file");
    let named = format!("[kafka]\nsasl_password_file = '{}'", path.display());
    let loaded = load_with(&named, &[]).expect("valid");
    let password = loaded.settings.kafka.sasl_password.as_ref().map(|secret| secret.expose().to_owned());
    assert_eq!(password.as_deref(), Some("from-a-file"));
    assert!(!loaded.show().contains("from-a-file") && loaded.show().contains(&path.display().to_string()));
    assert!(!format!("{:?}", loaded.settings).contains("from-a-file"));
    let both = [("BEATLYTICA__KAFKA__SASL_PASSWORD", "x")];
    assert_eq!(problems(&named, &both)[0].key, "kafka.sasl_password_file");
    std::fs::write(&path, "\n").expect("file");
    assert!(problems(&named, &[])[0].message.contains("empty"));
}

#[test]
fn beyond_loopback_a_token_or_a_clear_word_is_needed() {
    for more in ["token = '0123456789abcdef'", "anonymous = true"] {
        load_with(&format!("[http]\nlisten = '0.0.0.0:80'\n{more}"), &[]).expect(more);
    }
}

#[test]
fn the_longest_time_between_polls_is_not_below_the_session() {
    let wrong = "[kafka.properties]\n'max.poll.interval.ms' = '44999'";
    let found = problems(wrong, &[]);
    assert_eq!(found[0].key, "kafka.properties.max.poll.interval.ms");
    assert!(
        found[0].message.contains("below kafka.session_timeout, which is 45000 ms"),
        "{}",
        found[0].message
    );
    load_with("[kafka]\nsession_timeout = '44s'\n[kafka.properties]\n'max.poll.interval.ms' = '44000'", &[])
        .expect("equal");
    let found = problems("[kafka]\nsession_timeout = '6m'", &[]);
    assert_eq!(found[0].key, "kafka.session_timeout");
    assert!(found[0].message.contains("max.poll.interval.ms, which is 300000 ms"), "{found:?}");
}
