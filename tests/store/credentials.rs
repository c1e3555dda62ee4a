//! Signing in with each kind of credentials, and keeping signed in.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use beatlytica::lake::store::auth::{AuthEnvironment, AuthError, Credentials, TokenSource};
use beatlytica::lake::store::{Created, Store};
use bytes::Bytes;
use futures::future::join_all;

use crate::fake_gcs::{Ask, BUCKET};
use crate::fake_tokens::{FakeTokens, Issue};
use crate::{Bench, TestClock};

struct Login {
    server: FakeTokens,
    source: Arc<TokenSource>,
    clock: Arc<TestClock>,
}

async fn login(credentials: impl FnOnce(&FakeTokens, &tempfile::TempDir) -> Credentials) -> Login {
    let server = FakeTokens::start().await;
    let folder = tempfile::tempdir().unwrap();
    let credentials = credentials(&server, &folder);
    let clock = TestClock::new();
    let source = TokenSource::new(credentials, Some(&server.url()), Arc::clone(&clock) as _).await.unwrap();
    Login { server, source: Arc::new(source), clock }
}

fn file(folder: &tempfile::TempDir, content: &serde_json::Value) -> Credentials {
    let file: PathBuf = folder.path().join("credentials.json");
    std::fs::write(&file, content.to_string()).unwrap();
    Credentials::discover(Some(&file), &AuthEnvironment::default()).unwrap()
}

fn key(server: &FakeTokens, folder: &tempfile::TempDir) -> Credentials {
    file(folder, &server.key_file())
}

fn user(_: &FakeTokens, folder: &tempfile::TempDir) -> Credentials {
    file(folder, &FakeTokens::user_file())
}

fn metadata(server: &FakeTokens, _: &tempfile::TempDir) -> Credentials {
    let environment = AuthEnvironment { metadata_host: Some(server.host()), ..AuthEnvironment::default() };
    Credentials::discover(None, &environment).unwrap()
}

async fn token(login: &Login) -> String {
    login.source.token().await.unwrap().secret().to_owned()
}

#[tokio::test]
async fn each_kind_signs_in() {
    for (credentials, kind) in [
        (key as fn(&FakeTokens, &tempfile::TempDir) -> Credentials, "service-account key"),
        (user, "user credentials"),
        (metadata, "metadata server"),
    ] {
        let login = login(credentials).await;
        assert_eq!(token(&login).await, "token-1", "{kind}");
        assert_eq!(token(&login).await, "token-1", "{kind}");
        assert_eq!(login.server.requests().len(), 1, "{kind}");
        let shown = format!("{:?} {:?}", login.source, login.source.token().await.unwrap());
        assert!(shown.contains(kind) && !shown.contains("token-1"), "{shown}");
    }
}

#[tokio::test]
async fn a_key_that_the_server_does_not_know_is_refused_for_good() {
    let login = login(|_, folder| {
        let other = openssl::rsa::Rsa::generate(2048).unwrap().private_key_to_pem().unwrap();
        let mut key = serde_json::json!({"type": "service_account", "client_email": "x@y", "token_uri": ""});
        key["private_key"] = String::from_utf8(other).unwrap().into();
        key["token_uri"] = "http://127.0.0.1:9/".into();
        file(folder, &key)
    })
    .await;
    // Nobody listens there: that may pass.
    assert!(login.source.token().await.unwrap_err().is_transient());

    let login = self::login(key).await;
    login.server.script([Issue::WrongClock, Issue::Refuse("invalid_grant")]);
    let passing = login.source.token().await.unwrap_err();
    assert!(passing.is_transient() && passing.to_string().contains("timeframe"), "{passing}");
    let error = login.source.token().await.unwrap_err();
    assert!(matches!(error, AuthError::Refused { .. }), "{error}");
    let words = error.to_string();
    assert!(words.contains("credentials.json") && words.contains("invalid_grant"), "{words}");
}

#[tokio::test]
async fn keys_that_cannot_sign_are_refused_at_the_start() {
    let server = FakeTokens::start().await;
    let folder = tempfile::tempdir().unwrap();
    for (field, value) in [("private_key", "hush"), ("token_uri", "not an address"), ("token_uri", "/token")]
    {
        let mut content = server.key_file();
        content[field] = value.into();
        let error = TokenSource::new(file(&folder, &content), None, TestClock::new()).await.unwrap_err();
        let words = error.to_string();
        assert!(words.contains("create a new key") && !words.contains("hush"), "{words}");
    }
}

#[tokio::test]
async fn tokens_are_replaced_early() {
    let login = login(key).await;
    assert_eq!(token(&login).await, "token-1");
    login.clock.advance(Duration::from_secs(3600 - 320));
    assert_eq!(token(&login).await, "token-1");
    login.clock.advance(Duration::from_secs(30));
    assert_eq!(token(&login).await, "token-2");
    assert_eq!(login.server.requests().len(), 2);
}

#[tokio::test]
async fn a_metadata_server_that_repeats_itself_is_not_hammered() {
    let login = login(metadata).await;
    login.server.script([Issue::Fresh(280), Issue::Same(249), Issue::Same(218)]);
    for _ in 0..100 {
        assert_eq!(token(&login).await, "token-1");
    }
    assert_eq!(login.server.requests().len(), 1);
    for asked in 2..4 {
        login.clock.advance(Duration::from_secs(31));
        for _ in 0..100 {
            assert_eq!(token(&login).await, "token-1");
        }
        assert_eq!(login.server.requests().len(), asked);
    }
    login.clock.advance(Duration::from_secs(31));
    assert_eq!(token(&login).await, "token-2");
}

#[tokio::test]
async fn a_living_token_outlasts_a_token_server_that_fails() {
    let login = login(user).await;
    login.server.script([Issue::Fresh(3600), Issue::Overloaded, Issue::Cut, Issue::Refuse("invalid_grant")]);
    assert_eq!(token(&login).await, "token-1");
    login.clock.advance(Duration::from_secs(3600 - 299));
    for _ in 0..3 {
        assert_eq!(token(&login).await, "token-1");
        assert_eq!(token(&login).await, "token-1");
        login.clock.advance(Duration::from_secs(31));
    }
    assert_eq!(login.server.requests().len(), 4);
    login.server.script([Issue::Overloaded]);
    login.clock.advance(Duration::from_secs(300));
    assert!(login.source.token().await.unwrap_err().is_transient());
    assert_eq!(token(&login).await, "token-2");
}

#[tokio::test]
async fn one_asks_for_all() {
    let login = login(metadata).await;
    let tokens = join_all((0..50).map(|_| login.source.token())).await;
    assert!(tokens.into_iter().all(|token| token.unwrap().secret() == "token-1"));
    let rejected = login.source.token().await.unwrap();
    let tokens = join_all((0..50).map(|_| login.source.refresh(&rejected))).await;
    assert!(tokens.into_iter().all(|token| token.unwrap().secret() == "token-2"));
    assert_eq!(login.server.requests().len(), 2);
}

#[tokio::test]
async fn a_rejected_token_is_replaced_once_for_each_operation() {
    let login = login(key).await;
    let bench = Bench::with(BUCKET, Some(Arc::clone(&login.source))).await;
    bench.fake.allow_only(&["token-2"]);
    assert_eq!(bench.store.create("x", Bytes::from_static(b"1")).await.unwrap(), Created::New);
    assert_eq!(bench.store.read("x").await.unwrap().as_deref(), Some(&b"1"[..]));
    assert_eq!(login.server.requests().len(), 2);

    bench.fake.allow_only(&[]);
    let error = bench.store.read("x").await.unwrap_err();
    assert!(!error.is_transient() && error.to_string().contains("fresh token"), "{error}");
    assert!(!error.to_string().contains("token-3"), "{error}");
    assert_eq!(bench.fake.requests(Ask::Read).len(), 3);
}

#[tokio::test]
async fn a_rejected_token_is_replaced_once_the_token_server_is_back() {
    let login = login(key).await;
    let bench = Bench::with(BUCKET, Some(Arc::clone(&login.source))).await;
    assert_eq!(token(&login).await, "token-1");
    bench.fake.allow_only(&["token-2"]);
    login.server.script([Issue::Cut]);
    assert_eq!(bench.store.create("x", Bytes::new()).await.unwrap(), Created::New);
    assert_eq!(bench.clock.pauses(), [1]);
}

#[tokio::test]
async fn a_token_rejected_within_an_upload_is_replaced_there() {
    let login = login(key).await;
    let bench = Bench::with(BUCKET, Some(Arc::clone(&login.source))).await;
    bench.fake.inject(Ask::Chunk, [crate::fake_gcs::Fault::Refuse(401, "authError")]);
    let content = Bytes::from(vec![1; 9 << 20]);
    assert_eq!(bench.store.create("x", content.clone()).await.unwrap(), Created::New);
    assert!(bench.fake.object("pre/fix/x").unwrap().content == content);
}

#[tokio::test]
async fn a_token_server_that_fails_is_asked_again_by_the_operation() {
    let login = login(user).await;
    let bench = Bench::with(BUCKET, Some(Arc::clone(&login.source))).await;
    login.server.script([Issue::Cut, Issue::Overloaded, Issue::Refuse("temporarily_unavailable")]);
    bench.store.create("x", Bytes::new()).await.unwrap();
    assert_eq!(bench.clock.pauses(), [1, 2, 4]);
    login.clock.advance(Duration::from_secs(7200));
    login.server.script([Issue::Refuse("invalid_grant")]);
    let error = bench.store.read("x").await.unwrap_err();
    assert!(!error.is_transient() && error.to_string().contains("gcloud auth"), "{error}");
}
