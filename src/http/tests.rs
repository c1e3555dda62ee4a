//! The routes, over an engine that holds real charts.

use std::io::Read as _;
use std::sync::{Arc, Mutex};

use actix_web::dev::ServiceResponse;
use actix_web::http::{Method, StatusCode};
use actix_web::{App, test};
use async_trait::async_trait;
use prometheus::{IntCounter, Registry};
use serde_json::{Value, json};

use crate::charts::{ChartSettings, Charts, Coverage, SongsAnswer, TimeMs, UsersAnswer};
use crate::schemas::batch::Activity;
use crate::schemas::{Dictionary, EventKind, Int64Column, Source, TextColumn};

use super::server::security_headers;
use super::*;

/// One round of what the running engine does every second.
async fn tick(engine: &dyn Engine, hub: &Hub) {
    super::stream::publish_status(engine, hub);
    super::stream::publish_windows(engine, hub).await;
}

/// 2024-05-06T12:00:00Z
const NOON: i64 = 1_714_996_800_000;

/// Charts behind a lock, as a test may hold them; the pipeline's engine asks an actor.
struct ChartsEngine {
    charts: Mutex<Charts>,
    failing: Option<EngineError>,
    /// Whether nobody ever hears of its songs.
    hangs: bool,
}

#[async_trait]
impl Engine for ChartsEngine {
    async fn songs(&self, query: SongsQuery) -> Result<SongsAnswer, EngineError> {
        if self.hangs {
            std::future::pending::<()>().await;
        }
        match &self.failing {
            Some(error) => Err(error.clone()),
            None => {
                let SongsQuery { window, at, limit, find } = query;
                let mut charts = self.charts.lock().unwrap();
                Ok(match find {
                    None => charts.top_songs(window, at, limit),
                    Some(text) => charts.find_songs(window, at, limit, &text),
                })
            }
        }
    }

    async fn users(&self, query: UsersQuery) -> Result<UsersAnswer, EngineError> {
        let UsersQuery { window, at, by, detail } = query;
        let charts = self.charts.lock().unwrap();
        Ok(match detail {
            false => charts.active_users(window, at, by),
            true => charts.active_users_in_detail(window, at, by),
        })
    }

    fn status(&self) -> StatusAnswer {
        let charts = self.charts.lock().unwrap();
        let row = |status: crate::charts::PartitionStatus| PartitionRow {
            topic: status.source.topic.to_string(),
            epoch: status.source.epoch,
            partition: status.source.partition,
            position: status.end,
            head: None,
            lag: Some(0),
            freshness_seconds: None,
            newest: status.clock.map(TimeMs),
            idle: status.idle,
            paused: false,
            refused: None,
        };
        StatusAnswer {
            version: "0.1.0".into(),
            state: "running".into(),
            reason: None,
            started: TimeMs(NOON),
            watermark: charts.watermark().map(TimeMs),
            lag: Some(0),
            pending: Some(4),
            freshness_seconds: Some(1.5),
            behind_seconds: Some(2.5),
            last_upload: None,
            records: 4,
            rejected: 0,
            late: 0,
            uncounted: 0,
            partitions: charts.status().map(row).collect(),
        }
    }

    fn complete(&self) -> CompleteAnswer {
        let (complete_through, partitions) = (Some(TimeMs(NOON)), Coverage { covered: 1, total: 2 });
        CompleteAnswer {
            tables: vec![TableComplete { table: "listen_events".into(), complete_through, partitions }],
        }
    }

    fn ready(&self) -> Result<(), String> {
        self.failing.as_ref().map_or(Ok(()), |_| Err("partitions are being rebuilt".into()))
    }

    fn live(&self) -> Result<(), String> {
        Ok(())
    }
}

fn source() -> Source {
    Source { topic: Arc::from("listen_events"), kind: EventKind::Listen, epoch: 1, partition: 0 }
}

/// Three plays of one song, one of another, by two users, in the minute before noon.
fn charts() -> Charts {
    let mut charts = Charts::new(ChartSettings::default());
    charts.assign(&source(), 0);
    let dictionary = Arc::new(Dictionary::default());
    let column = |texts: [&str; 4]| {
        let mut column = TextColumn::new(dictionary.clone());
        column.keys.extend(texts.map(|text| dictionary.push(text)));
        column
    };
    let (level, gender, state) =
        (column(["free", "paid", "free", "paid"]), column(["F"; 4]), column(["CA", "NY", "CA", "NY"]));
    let (artist, song) = (column(["Björk"; 4]), column(["Jóga", "Jóga", "Jóga", "Hunter"]));
    let mut user_id = Int64Column::default();
    [1, 2, 1, 2].into_iter().for_each(|user| user_id.push(Some(user)));
    let activity = Activity {
        offsets: &[0, 1, 2, 3],
        timestamps: &[-1; 4],
        ts: &[NOON - 4, NOON - 3, NOON - 2, NOON - 1],
        user_id: &user_id,
        level: &level,
        gender: &gender,
        state: &state,
        song: Some((&artist, &song)),
    };
    charts.apply(&source(), &activity, 0, 4);
    charts
}

pub(super) fn services(failing: Option<EngineError>) -> Services {
    let registry = Registry::new();
    let counter = IntCounter::new("beatlytica_test_total", "A counter.").unwrap();
    counter.inc();
    registry.register(Box::new(counter)).unwrap();
    let engine = ChartsEngine { charts: Mutex::new(charts()), failing, hangs: false };
    let metrics = crate::metrics::Metrics::new(crate::metrics::Watched::default()).unwrap().http;
    Services { engine: Arc::new(engine), hub: Arc::new(Hub::default()), registry, metrics, token: None }
}

async fn ask(services: &Services, method: Method, uri: &str) -> ServiceResponse {
    let app = App::new().wrap(security_headers()).configure(configure(services));
    let app = test::init_service(app).await;
    let request = test::TestRequest::with_uri(uri).method(method).to_request();
    test::call_service(&app, request).await.map_into_boxed_body()
}

async fn get(uri: &str) -> (StatusCode, Value) {
    let response = ask(&services(None), Method::GET, uri).await;
    (response.status(), test::read_body_json(response).await)
}

#[actix_web::test]
async fn a_question_too_many_is_told_that_the_engine_is_busy() {
    tokio::time::pause();
    let engine = ChartsEngine { charts: Mutex::new(charts()), failing: None, hangs: true };
    let services = Services { engine: Arc::new(engine), ..services(None) };
    let app = test::init_service(App::new().configure(configure(&services))).await;
    let asked = |uri: &str| test::call_service(&app, test::TestRequest::with_uri(uri).to_request());
    let songs = futures::future::join_all((0..4).map(|_| asked("/api/v1/charts/songs?window=5m")));
    tokio::select! {
        biased;
        _ = songs => panic!("it does not answer"),
        users = asked("/api/v1/active-users?window=5m") => assert_eq!(users.status(), StatusCode::SERVICE_UNAVAILABLE),
    }
}

#[actix_web::test]
async fn songs_are_answered_and_limited() {
    let (status, answer) = get("/api/v1/charts/songs?window=5m&limit=1").await;
    let trend: Vec<u32> = (0..30).map(|minute| if minute == 29 { 3 } else { 0 }).collect();
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        answer,
        json!({
            "window": {"name": "5m", "start": "2024-05-06T11:55:00Z", "end": "2024-05-06T12:00:00Z"},
            "at": "live", "watermark": "2024-05-06T11:49:59.999Z", "revision": 0,
            "partitions": {"covered": 1, "total": 1}, "plays": 4,
            "previous": {"start": "2024-05-06T11:50:00Z", "end": "2024-05-06T11:55:00Z", "plays": 0},
            "trend": {"start": "2024-05-06T11:30:00Z", "step_seconds": 60},
            "songs": [{"rank": 1, "previous_rank": null, "artist": "Björk", "song": "Jóga", "plays": 3, "listeners": 2,
                "last_played": "2024-05-06T11:59:59.998Z", "trend": trend}],
        })
    );
    let (_, all) = get("/api/v1/charts/songs").await;
    assert_eq!(all["songs"].as_array().unwrap().len(), 2);
    let (_, closed) = get("/api/v1/charts/songs?window=minute&at=closed").await;
    assert_eq!(closed["window"]["end"], "2024-05-06T11:49:00Z");
    assert_eq!(closed["songs"], json!([]));
}

#[actix_web::test]
async fn songs_are_found_by_their_words() {
    for (query, found) in
        [("joga+BJORK", json!(["Jóga"])), ("%20", json!(["Jóga", "Hunter"])), ("h%00", json!(["Hunter"]))]
    {
        let (_, answer) = get(&format!("/api/v1/charts/songs?q={query}")).await;
        let names: Vec<&Value> = answer["songs"].as_array().unwrap().iter().map(|row| &row["song"]).collect();
        assert_eq!(json!(names), found, "{query}");
    }
    let (_, hunter) = get("/api/v1/charts/songs?q=hunter&limit=1").await;
    assert_eq!((&hunter["songs"][0]["rank"], &hunter["plays"]), (&json!(2), &json!(4)));
}

#[actix_web::test]
async fn users_are_answered_with_and_without_groups() {
    let (_, answer) = get("/api/v1/active-users?window=1h&by=level").await;
    assert_eq!(answer["users"], 2);
    assert_eq!(answer["groups"], json!([{"level": "free", "users": 1}, {"level": "paid", "users": 1}]));
    let (_, answer) = get("/api/v1/active-users?window=hour").await;
    assert!(answer.get("groups").is_none() && answer.get("series").is_none());
    let (_, answer) = get("/api/v1/active-users?window=hour&detail=true").await;
    assert_eq!(answer["splits"]["state"], json!([{"state": "CA", "users": 1}, {"state": "NY", "users": 1}]));
    assert_eq!(answer["series"]["users"].as_array().unwrap().last().unwrap(), 2);
}

#[actix_web::test]
async fn status_and_complete_are_answered() {
    let (_, status) = get("/api/v1/status").await;
    assert_eq!(status["partitions"][0]["position"], 4);
    assert_eq!(status["partitions"][0]["newest"], "2024-05-06T11:59:59.999Z");
    let (_, complete) = get("/api/v1/complete").await;
    let table = json!({"table": "listen_events", "complete_through": "2024-05-06T12:00:00Z",
        "partitions": {"covered": 1, "total": 2}});
    assert_eq!(complete, json!({"tables": [table]}));
}

#[actix_web::test]
async fn bad_parameters_are_named_with_what_is_allowed() {
    let long = format!("/api/v1/status?{}", "a".repeat(600));
    let cases = [
        ("/api/v1/charts/songs?window=7m", "window", "24h"),
        ("/api/v1/charts/songs?at=now", "at", "closed"),
        ("/api/v1/charts/songs?limit=0", "limit", "1..=1000"),
        ("/api/v1/charts/songs?limit=1001", "limit", "1..=1000"),
        ("/api/v1/charts/songs?limit=-1", "limit", "1..=1000"),
        ("/api/v1/charts/songs?limit=", "limit", "1..=1000"),
        ("/api/v1/charts/songs?limit=99999999999999999999", "limit", "1..=1000"),
        ("/api/v1/charts/songs?by=level", "by", "limit"),
        ("/api/v1/active-users?by=zip", "by", "state"),
        ("/api/v1/active-users?detail=1", "detail", "true"),
        ("/api/v1/active-users?by=level&by=state", "by", "window"),
        ("/api/v1/stream?window=%00", "window", "5m"),
        ("/api/v1/stream?at=now", "at", "closed"),
    ];
    for (uri, parameter, allowed) in cases {
        let (status, answer) = get(uri).await;
        assert_eq!((status, &answer["parameter"]), (StatusCode::BAD_REQUEST, &json!(parameter)), "{uri}");
        assert!(answer["allowed"].as_array().unwrap().contains(&json!(allowed)), "{uri}: {answer}");
        assert!(answer["error"].as_str().unwrap().contains(parameter), "{uri}: {answer}");
    }
    assert_eq!(get(&long).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(get("/api/v1/status?a=1").await.0, StatusCode::BAD_REQUEST);
}

#[actix_web::test]
async fn the_engines_trouble_is_told_apart() {
    let busy = services(Some(EngineError::Unavailable("starting".into())));
    let response = ask(&busy, Method::GET, "/api/v1/charts/songs").await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers().get("Retry-After").unwrap(), "1");
    let broken = services(Some(EngineError::Failed("secret detail".into())));
    let response = ask(&broken, Method::GET, "/api/v1/charts/songs").await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let body = test::read_body(response).await;
    assert!(!String::from_utf8_lossy(&body).contains("secret"));
}

#[actix_web::test]
async fn health_and_metrics() {
    assert_eq!(ask(&services(None), Method::GET, "/readyz").await.status(), StatusCode::OK);
    assert_eq!(ask(&services(None), Method::HEAD, "/livez").await.status(), StatusCode::OK);
    let busy = services(Some(EngineError::Unavailable("starting".into())));
    assert_eq!(ask(&busy, Method::GET, "/livez").await.status(), StatusCode::OK);
    let response = ask(&busy, Method::GET, "/readyz").await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(test::read_body(response).await, "partitions are being rebuilt\n");
    let response = ask(&busy, Method::GET, "/metrics").await;
    assert_eq!(response.headers().get("Content-Type").unwrap(), "text/plain; version=0.0.4; charset=utf-8");
    let text = test::read_body(response).await;
    assert!(String::from_utf8_lossy(&text).contains("\nbeatlytica_test_total 1\n"), "{text:?}");
}

#[actix_web::test]
async fn answers_carry_the_security_headers_and_no_cors() {
    for uri in ["/api/v1/status", "/api/v1/none", "/none", "/metrics", "/api/v1/charts/songs?limit=0"] {
        let response = ask(&services(None), Method::GET, uri).await;
        assert_eq!(response.headers().get("X-Content-Type-Options").unwrap(), "nosniff", "{uri}");
        assert!(response.headers().get("Access-Control-Allow-Origin").is_none());
    }
    assert_eq!(get("/none").await.0, StatusCode::NOT_FOUND);
    assert_eq!(get("/api/v1/none").await.0, StatusCode::NOT_FOUND);
    let post = ask(&services(None), Method::POST, "/api/v1/status").await;
    assert_eq!(post.status(), StatusCode::METHOD_NOT_ALLOWED);
}

/// What a stream sends of itself before the hub is closed.
async fn read_until_closed(services: &Services, response: ServiceResponse) -> String {
    let read = actix_web::rt::spawn(test::read_body(response));
    // The reader is polled whenever this task yields, and takes what there is.
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    services.hub.close();
    String::from_utf8(read.await.unwrap().to_vec()).unwrap()
}

#[actix_web::test]
async fn a_stream_tells_what_changed() {
    let services = services(None);
    let response = ask(&services, Method::GET, "/api/v1/stream?window=1h").await;
    assert_eq!(response.headers().get("Content-Type").unwrap(), "text/event-stream");
    assert_eq!(services.hub.clients(), 1);
    tick(services.engine.as_ref(), &services.hub).await;
    tick(services.engine.as_ref(), &services.hub).await;
    let text = read_until_closed(&services, response).await;
    let events: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!(events, ["songs", "users", "status"], "{text}");
    let data = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
    let songs: Value = serde_json::from_str(data).unwrap();
    assert_eq!((&songs["window"]["name"], &songs["songs"][0]["plays"]), (&json!("1h"), &json!(3)));
    assert!(text.contains("\"splits\":{\"level\":"), "{text}");
    assert_eq!(services.hub.clients(), 0);
}

#[actix_web::test]
async fn a_stream_of_closed_windows_is_one_of_its_own() {
    let services = services(None);
    let response = ask(&services, Method::GET, "/api/v1/stream?window=minute&at=closed").await;
    tick(services.engine.as_ref(), &services.hub).await;
    let text = read_until_closed(&services, response).await;
    assert!(text.contains("\"at\":\"closed\"") && !text.contains("\"at\":\"live\""), "{text}");
}

#[actix_web::test]
async fn the_page_comes_whole_zipped_or_not_at_all() {
    let services = services(None);
    let app = test::init_service(App::new().wrap(security_headers()).configure(configure(&services))).await;
    let request = |headers: &[(&'static str, &str)]| {
        let plain = test::TestRequest::with_uri("/");
        headers.iter().fold(plain, |request, header| request.insert_header(*header)).to_request()
    };
    let response = test::call_service(&app, request(&[])).await;
    assert_eq!(response.headers().get("Content-Type").unwrap(), "text/html; charset=utf-8");
    let policy = response.headers().get("Content-Security-Policy").unwrap().to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
    let etag = response.headers().get("ETag").unwrap().to_str().unwrap().to_owned();
    let whole = test::read_body(response).await;
    assert!(whole.starts_with(b"<!doctype html>"));
    let response = test::call_service(&app, request(&[("Accept-Encoding", "br, gzip;q=0.8")])).await;
    assert_eq!(response.headers().get("Content-Encoding").unwrap(), "gzip");
    let mut unzipped = Vec::new();
    let zipped = test::read_body(response).await;
    flate2::read::GzDecoder::new(&zipped[..]).read_to_end(&mut unzipped).unwrap();
    assert_eq!(unzipped, whole);
    let response = test::call_service(&app, request(&[("Accept-Encoding", "gzip;q=0")])).await;
    assert!(response.headers().get("Content-Encoding").is_none());
    let response = test::call_service(&app, request(&[("If-None-Match", &etag)])).await;
    assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
    assert!(test::read_body(response).await.is_empty());
}

/// What the page names is there, and it names nothing that lies elsewhere.
#[actix_web::test]
async fn the_page_needs_nothing_else() {
    let services = services(None);
    let mut names = vec!["/".to_owned()];
    let mut seen = 0;
    while let Some(name) = names.get(seen).cloned() {
        let response = ask(&services, Method::GET, &name).await;
        assert_eq!(response.status(), StatusCode::OK, "{name}");
        let text = String::from_utf8(test::read_body(response).await.to_vec()).unwrap();
        assert!(!text.replace("http://www.w3.org/2000/svg", "").contains("://"), "{name}");
        for quoted in text.split('"').filter(|text| text.starts_with("/page/") || text.starts_with("./")) {
            let named = quoted.replace("./", "/page/");
            if !names.contains(&named) {
                names.push(named);
            }
        }
        seen += 1;
    }
    assert!(seen > 10, "{names:?}");
}

#[actix_web::test]
async fn what_nobody_kept_up_to_date_is_not_sent() {
    let services = services(None);
    let response = ask(&services, Method::GET, "/api/v1/stream").await;
    tick(services.engine.as_ref(), &services.hub).await;
    drop(response);
    tick(services.engine.as_ref(), &services.hub).await;
    let response = ask(&services, Method::GET, "/api/v1/stream").await;
    assert_eq!(read_until_closed(&services, response).await, "retry: 2000\n\n");
}

#[actix_web::test]
async fn a_bound_server_answers_and_stops() {
    let services = services(None);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // Taken: the error says so instead of a panic.
    assert!(serve(address, None, services.clone()).is_err());
    drop(listener);
    let server = serve(address, None, services.clone()).unwrap();
    let handle = server.handle();
    let running = actix_web::rt::spawn(server);
    let answer = actix_web::rt::task::spawn_blocking(move || {
        use std::io::Write as _;
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    let answer = answer.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("ok\n"), "{answer}");
    handle.stop(true).await;
    running.await.unwrap().unwrap();
}
