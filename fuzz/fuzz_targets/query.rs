//! HTTP queries: answered or refused as a second reading says, always in JSON, never with a server's error.
//!
//! Input: a byte that chooses the route, then its query string; the last choice takes all of it as path and query.

#![no_main]

use std::future::Future;
use std::mem::ManuallyDrop;
use std::pin::pin;
use std::sync::{Arc, LazyLock, Mutex};
use std::task::{Context, Poll, Waker};

use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::{StatusCode, Uri};
use actix_web::{App, test};
use async_trait::async_trait;
use beatlytica::charts::{ChartSettings, Charts, SongsAnswer, UsersAnswer};
use beatlytica::http::{
    CompleteAnswer, Engine, EngineError, Hub, Services, SongsQuery, StatusAnswer, UsersQuery, configure,
};
use beatlytica::schemas::{Decoder, EventKind, RawRecord, Source};
use fuzz_oracle::query::{ROUTES, is_answered};
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

/// Charts of a few plays, as the aggregator holds them.
struct Small(Mutex<Charts>);

impl Small {
    fn new() -> Self {
        let kind = EventKind::Listen;
        let source = Arc::new(Source { topic: kind.table().into(), kind, epoch: 1, partition: 0 });
        let mut decoder = Decoder::new(source.clone(), false);
        decoder.begin(0, 0);
        for offset in 0..40_i64 {
            let (ts, song, user) = (1_714_953_600_000 + offset * 50_000, offset % 7, offset % 5);
            let value = format!(
                r#"{{"artist":"Björk {song}","song":"Jóga","ts":{ts},"level":"free","userId":{user},"state":"CA","gender":"F"}}"#
            );
            decoder.push(
                RawRecord { offset, timestamp: ts, key: None, value: Some(value.as_bytes()) },
                Vec::new,
            );
        }
        let batch = decoder.finish(40);
        let mut charts = Charts::new(ChartSettings::default());
        charts.assign(&source, 0);
        charts.apply(&source, &batch.activity().unwrap(), 0, 40);
        Small(Mutex::new(charts))
    }
}

#[async_trait]
impl Engine for Small {
    async fn songs(&self, query: SongsQuery) -> Result<SongsAnswer, EngineError> {
        let SongsQuery { window, at, limit, find } = query;
        let mut charts = self.0.lock().unwrap();
        Ok(match find {
            None => charts.top_songs(window, at, limit),
            Some(text) => charts.find_songs(window, at, limit, &text),
        })
    }

    async fn users(&self, query: UsersQuery) -> Result<UsersAnswer, EngineError> {
        let UsersQuery { window, at, by, detail } = query;
        let charts = self.0.lock().unwrap();
        Ok(match detail {
            false => charts.active_users(window, at, by),
            true => charts.active_users_in_detail(window, at, by),
        })
    }

    fn status(&self) -> StatusAnswer {
        StatusAnswer {
            version: String::new(),
            state: "running".to_owned(),
            reason: None,
            started: beatlytica::charts::TimeMs(0),
            watermark: None,
            lag: None,
            pending: None,
            freshness_seconds: None,
            behind_seconds: None,
            last_upload: None,
            records: 0,
            rejected: 0,
            late: 0,
            uncounted: 0,
            partitions: Vec::new(),
        }
    }

    fn complete(&self) -> CompleteAnswer {
        CompleteAnswer { tables: Vec::new() }
    }

    fn ready(&self) -> Result<(), String> {
        Ok(())
    }

    fn live(&self) -> Result<(), String> {
        Ok(())
    }
}

fn services() -> Services {
    let metrics = beatlytica::metrics::Metrics::new(beatlytica::metrics::Watched::default()).unwrap().http;
    let registry = prometheus::Registry::new();
    Services { engine: Arc::new(Small::new()), hub: Arc::new(Hub::default()), registry, metrics, token: None }
}

/// Streams ask it for the time; nothing runs in it.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_time().build().unwrap());

/// Nothing here waits.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("a request waits"),
    }
}

type Ask = Box<dyn Fn(&str) -> ServiceResponse>;

fn application() -> Ask {
    let app = now(test::init_service(App::new().configure(configure(&services()))));
    Box::new(move |uri| {
        let request = test::TestRequest::with_uri(uri).to_request();
        now(app.call(request)).unwrap().map_into_boxed_body()
    })
}

thread_local! {
    /// Never dropped: when the process ends, what it would use then is gone.
    static APPLICATION: ManuallyDrop<Ask> = ManuallyDrop::new(application());
}

fn check(choice: usize, query: &str, response: ServiceResponse) {
    let status = response.status();
    let body: Value = serde_json::from_slice(&now(test::read_body(response))).unwrap();
    match is_answered(choice, query) {
        Some(limit) => {
            assert_eq!(status, StatusCode::OK, "{body}");
            let songs = body.get("songs").and_then(Value::as_array);
            assert!(songs.is_none_or(|songs| songs.len() <= limit));
        }
        None => {
            assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
            assert!(body["error"].is_string());
        }
    }
}

fuzz_target!(|data: &[u8]| -> Corpus {
    let Some((&choice, rest)) = data.split_first() else { return Corpus::Reject };
    let Ok(text) = std::str::from_utf8(rest) else { return Corpus::Reject };
    let choice = usize::from(choice) % (ROUTES.len() + 1);
    let uri = match ROUTES.get(choice) {
        Some((route, _)) => format!("{route}?{text}"),
        None => format!("/{text}"),
    };
    let Ok(parsed) = uri.parse::<Uri>() else { return Corpus::Reject };
    let _context = RUNTIME.enter();
    APPLICATION.with(|ask| {
        let response = ask(&uri);
        match ROUTES.get(choice) {
            Some(_) => check(choice, parsed.query().unwrap_or_default(), response),
            None => assert!(response.status().as_u16() < 500),
        }
    });
    Corpus::Keep
});
