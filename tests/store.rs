//! The stores: one suite of behaviour for the folder and for the bucket alike, the bucket's faults, and signing in.

#![allow(missing_docs, dead_code, reason = "test code, of whose helpers each user takes a part")]

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use beatlytica::lake::store::auth::TokenSource;
use beatlytica::lake::store::retry::Clock;
use beatlytica::lake::store::{GcsSettings, GcsStore};

#[path = "store/chunks.rs"]
mod chunks;
#[path = "store/credentials.rs"]
mod credentials;
#[path = "common/fake_gcs.rs"]
mod fake_gcs;
#[path = "common/fake_tokens.rs"]
mod fake_tokens;
#[path = "store/faults.rs"]
mod faults;
#[path = "common/gcs_faults.rs"]
mod gcs_faults;
#[path = "common/http.rs"]
mod http;
#[path = "store/suite.rs"]
mod suite;

/// A clock on which sleeping takes no time, and every pause is the longest that jitter allows.
#[derive(Debug)]
pub struct TestClock {
    start: Instant,
    passed: Mutex<Duration>,
    pauses: Mutex<Vec<Duration>>,
    random: Mutex<u64>,
}

impl TestClock {
    pub fn new() -> Arc<Self> {
        Arc::new(TestClock {
            start: Instant::now(),
            passed: Mutex::default(),
            pauses: Mutex::default(),
            random: Mutex::new(u64::MAX),
        })
    }

    pub fn advance(&self, by: Duration) {
        *self.passed.lock().unwrap() += by;
    }

    /// The pauses so far, in whole seconds.
    pub fn pauses(&self) -> Vec<u64> {
        let pauses = self.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        pauses.iter().map(|pause| pause.as_secs_f64().round() as u64).collect()
    }
}

impl Clock for TestClock {
    fn now(&self) -> Instant {
        self.start + *self.passed.lock().unwrap()
    }

    fn sleep(&self, pause: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.advance(pause);
        self.pauses.lock().unwrap().push(pause);
        Box::pin(tokio::task::yield_now())
    }

    /// Close to the largest value, and never twice the same.
    fn random(&self) -> u64 {
        let mut random = self.random.lock().unwrap();
        *random -= 1;
        *random
    }
}

/// The fake bucket, a store in it, and the store's clock.
pub struct Bench {
    pub fake: fake_gcs::FakeGcs,
    pub store: GcsStore,
    pub clock: Arc<TestClock>,
}

impl Bench {
    pub async fn new() -> Self {
        Self::with(fake_gcs::BUCKET, None).await
    }

    pub async fn with(bucket: &str, tokens: Option<Arc<TokenSource>>) -> Self {
        Self::open(bucket, tokens, Duration::from_secs(60)).await
    }

    /// Gives up a silent server after a time that a test can wait for.
    pub async fn impatient() -> Self {
        Self::open(fake_gcs::BUCKET, None, Duration::from_millis(500)).await
    }

    async fn open(bucket: &str, tokens: Option<Arc<TokenSource>>, attempt_timeout: Duration) -> Self {
        let fake = fake_gcs::FakeGcs::start().await;
        let clock = TestClock::new();
        let settings =
            GcsSettings { endpoint: Some(fake.endpoint()), attempt_timeout, ..GcsSettings::default() };
        let store = GcsStore::new(bucket, "pre/fix", &settings, tokens, Arc::clone(&clock) as _).unwrap();
        Bench { fake, store, clock }
    }
}
