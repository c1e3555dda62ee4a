//! `/api/v1/stream`: server-sent events, once a second and only what changed.
//!
//! A client holds no queue: for each kind of event there is one newest frame that all clients share, and a client that
//! was slow gets the newest only. One that slept through [`MAX_MISSED`] frames is let go; its browser connects anew. One that
//! stops reading is let go by the socket (`server.rs`).

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures::Stream;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior};

use crate::charts::{At, GroupBy, Window};

use super::engine::{Engine, SongsQuery, UsersQuery};
use super::params::{ApiError, DEFAULT_LIMIT, Params};

/// How often the engine is asked for what changed, at most.
pub const TICK: Duration = Duration::from_secs(1);
/// An event without content is sent after so long a silence, so that proxies keep the connection, and a page can tell silence from a
/// connection that is dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A feed rests this many times as long as its answers took: however much there is to count, the windows that are
/// watched take but a small share of the aggregator's time, and long windows move less often.
const REST: u32 = 10;
/// Streams at once. One costs a few kilobytes and holds no frame of its own; more would crowd the one thread that serves.
pub(super) const MAX_CLIENTS: usize = 1000;
/// A client that misses so many successive frames of one kind is too slow.
const MAX_MISSED: u64 = 60;
/// Sent after [`KEEP_ALIVE`]. Browsers pass no comment on, nor an event without data.
const ALIVE: &[u8] = b"event: alive\ndata: 1\n\n";
/// Tells the browser to wait two seconds before it connects anew.
const GREETING: &[u8] = b"retry: 2000\n\n";

/// The newest event of one kind.
#[derive(Debug, Clone, Default)]
struct Frame {
    /// Count of frames of this kind so far.
    number: u64,
    /// Empty before the first, and once nobody kept it up to date.
    text: Bytes,
}

fn forget(sender: &watch::Sender<Frame>) {
    sender.send_if_modified(|frame| {
        frame.text = Bytes::new();
        false
    });
}

/// Events of one window, live or closed.
#[derive(Debug)]
struct Feed {
    window: Window,
    at: At,
    /// Not asked for again before.
    rests_until: Mutex<Option<Instant>>,
    songs: watch::Sender<Frame>,
    users: watch::Sender<Frame>,
}

impl Feed {
    fn rests(&self) -> bool {
        let until = self.rests_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }

    fn rest(&self, duration: Duration) {
        let until = Instant::now() + duration;
        *self.rests_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
    }
}

/// Where frames are published and clients listen.
#[derive(Debug)]
pub struct Hub {
    feeds: Vec<Feed>,
    status: watch::Sender<Frame>,
    closed: watch::Sender<bool>,
    clients: AtomicUsize,
    /// Event ids, unique within the process.
    last_id: AtomicU64,
}

impl Default for Hub {
    fn default() -> Self {
        let sender = || watch::Sender::new(Frame::default());
        let feed = |(window, at)| {
            let rests_until = Mutex::default();
            Feed { window, at, rests_until, songs: sender(), users: sender() }
        };
        let windows = Window::ALL.into_iter().flat_map(|window| At::ALL.map(|at| (window, at)));
        Self {
            feeds: windows.map(feed).collect(),
            status: sender(),
            closed: watch::Sender::new(false),
            clients: AtomicUsize::new(0),
            last_id: AtomicU64::new(0),
        }
    }
}

impl Hub {
    /// Streams open.
    pub fn clients(&self) -> usize {
        self.clients.load(Ordering::Relaxed)
    }

    /// Ends all streams, now and from now on.
    pub fn close(&self) {
        self.closed.send_replace(true);
    }

    fn feed(&self, window: Window, at: At) -> Option<&Feed> {
        self.feeds.iter().find(|feed| (feed.window, feed.at) == (window, at))
    }

    /// Makes `answer` the newest event of its kind, unless it says what the last one said.
    fn publish(&self, to: &watch::Sender<Frame>, event: &str, answer: &impl Serialize) {
        let data = match serde_json::to_string(answer) {
            Ok(data) => data,
            Err(error) => return tracing::error!(%error, event, "an event cannot be written"),
        };
        let tail = format!("event: {event}\ndata: {data}\n\n");
        to.send_if_modified(|frame| {
            let changed = !frame.text.ends_with(tail.as_bytes());
            if changed {
                let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
                *frame = Frame { number: frame.number + 1, text: format!("id: {id}\n{tail}").into() };
            }
            changed
        });
    }

    /// A new client of `window`; none if there are too many.
    fn subscribe(self: &Arc<Self>, window: Window, at: At) -> Option<Client> {
        let seat = Seat::take(self)?;
        let feed = self.feed(window, at)?;
        let mut keep_alive = tokio::time::interval_at(Instant::now() + KEEP_ALIVE, KEEP_ALIVE);
        keep_alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let input = |sender: &watch::Sender<Frame>| {
            let mut frames = sender.subscribe();
            frames.mark_changed();
            Input { frames, seen: 0 }
        };
        Some(Client {
            songs: input(&feed.songs),
            users: input(&feed.users),
            status: input(&self.status),
            closed: self.closed.subscribe(),
            keep_alive,
            greeted: false,
            _seat: seat,
        })
    }
}

/// One of the [`MAX_CLIENTS`] places, given back when dropped.
#[derive(Debug)]
struct Seat(Arc<Hub>);

impl Seat {
    fn take(hub: &Arc<Hub>) -> Option<Self> {
        let taken = hub.clients.fetch_add(1, Ordering::Relaxed);
        // Dropped at once, and so given back, if it is one too many.
        let seat = Self(hub.clone());
        (taken < MAX_CLIENTS).then_some(seat)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.clients.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One kind of event, as one client reads it.
#[derive(Debug)]
struct Input {
    frames: watch::Receiver<Frame>,
    seen: u64,
}

/// What a wait came to.
enum Next {
    Send(Bytes),
    /// There is no frame of this kind yet.
    Nothing,
    End,
}

impl Input {
    async fn next(&mut self) -> Next {
        if self.frames.changed().await.is_err() {
            return Next::End;
        }
        let frame = self.frames.borrow_and_update().clone();
        if frame.text.is_empty() {
            return Next::Nothing;
        }
        // The first frame after subscribing is no measure of slowness.
        let missed = if self.seen == 0 { 0 } else { frame.number.saturating_sub(self.seen + 1) };
        self.seen = frame.number;
        if missed >= MAX_MISSED { Next::End } else { Next::Send(frame.text) }
    }
}

/// One client's side.
#[derive(Debug)]
struct Client {
    songs: Input,
    users: Input,
    status: Input,
    closed: watch::Receiver<bool>,
    keep_alive: Interval,
    greeted: bool,
    _seat: Seat,
}

impl Client {
    /// The next piece to send; none at the end.
    async fn next(&mut self) -> Option<Bytes> {
        if !std::mem::replace(&mut self.greeted, true) {
            return Some(Bytes::from_static(GREETING));
        }
        loop {
            let next = tokio::select! {
                biased;
                _ = self.closed.wait_for(|closed| *closed) => Next::End,
                next = self.songs.next() => next,
                next = self.users.next() => next,
                next = self.status.next() => next,
                _ = self.keep_alive.tick() => return Some(Bytes::from_static(ALIVE)),
            };
            match next {
                Next::Send(text) => {
                    self.keep_alive.reset();
                    return Some(text);
                }
                Next::Nothing => {}
                Next::End => return None,
            }
        }
    }

    fn into_stream(self) -> impl Stream<Item = Result<Bytes, Infallible>> {
        futures::stream::unfold(self, |mut client| async move {
            let bytes = client.next().await?;
            Some((Ok(bytes), client))
        })
    }
}

/// `GET /api/v1/stream`
pub(super) async fn stream(request: HttpRequest, hub: web::Data<Hub>) -> Result<HttpResponse, ApiError> {
    let params = Params::of(&request, &["window", "at"])?;
    let (window, at) = (params.window()?, params.at()?);
    let client = hub.into_inner().subscribe(window, at).ok_or(ApiError::TooManyStreams(MAX_CLIENTS))?;
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(("Cache-Control", "no-store"))
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(client.into_stream()))
}

/// Asks for what a feed shows, and tells whether there were answers.
async fn ask(engine: &dyn Engine, hub: &Hub, feed: &Feed) -> bool {
    let (window, at) = (feed.window, feed.at);
    let songs = engine.songs(SongsQuery { window, at, limit: DEFAULT_LIMIT, find: None }).await;
    match &songs {
        Ok(answer) => hub.publish(&feed.songs, "songs", answer),
        Err(error) => {
            forget(&feed.songs);
            tracing::debug!(%error, "no songs to publish");
        }
    }
    let users = engine.users(UsersQuery { window, at, by: Some(GroupBy::Level), detail: true }).await;
    match &users {
        Ok(answer) => hub.publish(&feed.users, "users", answer),
        Err(error) => {
            forget(&feed.users);
            tracing::debug!(%error, "no users to publish");
        }
    }
    songs.is_ok() && users.is_ok()
}

pub(super) fn publish_status(engine: &dyn Engine, hub: &Hub) {
    if hub.status.receiver_count() == 0 {
        forget(&hub.status);
    } else {
        hub.publish(&hub.status, "status", &engine.status());
    }
}

/// Asks the engine once for the windows that the open streams show, and publishes what changed.
pub(super) async fn publish_windows(engine: &dyn Engine, hub: &Hub) {
    for feed in &hub.feeds {
        if feed.songs.receiver_count() == 0 {
            forget(&feed.songs);
            forget(&feed.users);
            feed.rest(Duration::ZERO);
        } else if !feed.rests() {
            let began = Instant::now();
            let answered = ask(engine, hub, feed).await;
            // Time that went by without an answer was nobody's work.
            feed.rest(if answered { began.elapsed() * REST } else { Duration::ZERO });
        }
    }
}

/// Publishes status and windows every `period`, until the hub is closed. The status waits for nobody: it is what tells that the windows do.
pub async fn publish_every(period: Duration, engine: Arc<dyn Engine>, hub: Arc<Hub>) {
    let ticks = || {
        let mut interval = tokio::time::interval(period);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        interval
    };
    let status = async {
        let mut ticks = ticks();
        loop {
            ticks.tick().await;
            publish_status(engine.as_ref(), &hub);
        }
    };
    let windows = async {
        let mut ticks = ticks();
        loop {
            ticks.tick().await;
            publish_windows(engine.as_ref(), &hub).await;
        }
    };
    let mut closed = hub.closed.subscribe();
    tokio::select! {
        _ = closed.wait_for(|closed| *closed) => {}
        () = status => {}
        () = windows => {}
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use std::io::Write as _;

    use super::super::engine::{CompleteAnswer, EngineError, StatusAnswer};
    use super::super::server::{listener, serve_on};
    use super::super::tests::services;
    use super::*;
    use crate::charts::{ChartSettings, Charts, SongsAnswer, UsersAnswer};

    /// Every answer about songs takes a second of somebody's time; of users there may be none.
    struct Slow {
        asked: AtomicUsize,
        answers: bool,
    }

    #[async_trait]
    impl Engine for Slow {
        async fn songs(&self, _: SongsQuery) -> Result<SongsAnswer, EngineError> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(charts().top_songs(Window::Day, At::Live, 1))
        }

        async fn users(&self, _: UsersQuery) -> Result<UsersAnswer, EngineError> {
            match self.answers {
                true => Ok(charts().active_users(Window::Day, At::Live, None)),
                false => Err(EngineError::Unavailable("busy".into())),
            }
        }

        fn status(&self) -> StatusAnswer {
            unreachable!("nobody listens")
        }

        fn complete(&self) -> CompleteAnswer {
            unreachable!("nobody asks")
        }

        fn ready(&self) -> Result<(), String> {
            Ok(())
        }

        fn live(&self) -> Result<(), String> {
            Ok(())
        }
    }

    fn charts() -> Charts {
        Charts::new(ChartSettings::default())
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_dear_is_asked_for_less_often() {
        let hub = hub();
        let engine = Slow { asked: AtomicUsize::new(0), answers: true };
        let feed = hub.feed(Window::Day, At::Live).unwrap();
        let listener = feed.songs.subscribe();
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(110) {
            publish_windows(&engine, &hub).await;
            tokio::time::sleep(TICK).await;
        }
        assert_eq!(engine.asked.load(Ordering::Relaxed), 10);
        // Who comes anew need not wait for what others were told.
        drop(listener);
        publish_windows(&engine, &hub).await;
        let _listener = feed.songs.subscribe();
        publish_windows(&engine, &hub).await;
        assert_eq!(engine.asked.load(Ordering::Relaxed), 11);
    }

    #[tokio::test(start_paused = true)]
    async fn who_did_not_answer_is_asked_again_soon() {
        let hub = hub();
        let engine = Slow { asked: AtomicUsize::new(0), answers: false };
        let _listener = hub.feed(Window::Day, At::Live).unwrap().songs.subscribe();
        for _ in 0..5 {
            publish_windows(&engine, &hub).await;
            tokio::time::sleep(TICK).await;
        }
        assert_eq!(engine.asked.load(Ordering::Relaxed), 5);
    }

    fn hub() -> Arc<Hub> {
        Arc::new(Hub::default())
    }

    fn say(hub: &Hub, text: &str) {
        hub.publish(&hub.status, "status", &text);
    }

    async fn text(client: &mut Client) -> Option<String> {
        client.next().await.map(|bytes| String::from_utf8(bytes.into()).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_client_gets_the_newest_and_then_only_changes() {
        let hub = hub();
        say(&hub, "old");
        say(&hub, "new");
        let mut client = hub.subscribe(Window::Sliding5m, At::Live).unwrap();
        assert_eq!(text(&mut client).await.unwrap(), "retry: 2000\n\n");
        assert_eq!(text(&mut client).await.unwrap(), "id: 2\nevent: status\ndata: \"new\"\n\n");
        say(&hub, "new");
        assert_eq!(text(&mut client).await.unwrap(), "event: alive\ndata: 1\n\n");
        say(&hub, "newer");
        assert_eq!(text(&mut client).await.unwrap(), "id: 3\nevent: status\ndata: \"newer\"\n\n");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_broken() {
        let hub = hub();
        let mut client = hub.subscribe(Window::Sliding5m, At::Live).unwrap();
        text(&mut client).await;
        let began = Instant::now();
        assert_eq!(text(&mut client).await.unwrap(), "event: alive\ndata: 1\n\n");
        assert_eq!(began.elapsed(), KEEP_ALIVE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_client_gets_the_newest_and_a_sleeping_one_is_let_go() {
        let hub = hub();
        say(&hub, "0");
        let mut client = hub.subscribe(Window::Sliding5m, At::Live).unwrap();
        text(&mut client).await;
        text(&mut client).await;
        (1..=MAX_MISSED).for_each(|number| say(&hub, &number.to_string()));
        let newest = text(&mut client).await.unwrap();
        assert!(newest.contains(&format!("data: \"{MAX_MISSED}\"")), "{newest}");
        (0..=MAX_MISSED).for_each(|number| say(&hub, &number.to_string()));
        assert_eq!(text(&mut client).await, None);
        assert_eq!(hub.clients(), 1);
        drop(client);
        assert_eq!(hub.clients(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn streams_are_limited_and_end_with_the_hub() {
        let hub = hub();
        let mut clients: Vec<Client> =
            (0..MAX_CLIENTS).map(|_| hub.subscribe(Window::Day, At::Live).unwrap()).collect();
        assert!(hub.subscribe(Window::Day, At::Live).is_none());
        assert_eq!(hub.clients(), MAX_CLIENTS);
        clients.truncate(1);
        assert!(hub.subscribe(Window::Day, At::Live).is_some());
        text(&mut clients[0]).await;
        hub.close();
        assert_eq!(text(&mut clients[0]).await, None);
    }

    /// Its end of the connection lives, and says that it has no room.
    #[cfg(target_os = "linux")]
    #[actix_web::test]
    async fn who_reads_nothing_loses_the_connection_and_the_seat() {
        const PATIENCE: Duration = Duration::from_secs(1);
        let services = services(None);
        let hub = Arc::clone(&services.hub);
        let listener = listener(([127, 0, 0, 1], 0).into(), PATIENCE).unwrap();
        let mut sleeper = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let server = serve_on(listener, None, services).unwrap();
        let (handle, running) = (server.handle(), actix_web::rt::spawn(server));
        sleeper.write_all(b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let waiting = async |clients: usize, limit: Duration| {
            let began = Instant::now();
            // More than both ends' buffers hold, as soon as somebody listens.
            while hub.clients() != clients && began.elapsed() < limit {
                say(&hub, &began.elapsed().as_nanos().to_string().repeat(100_000));
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            (hub.clients(), began.elapsed())
        };
        assert_eq!(waiting(1, Duration::from_secs(10)).await.0, 1);
        let (clients, took) = waiting(0, PATIENCE * 10).await;
        assert_eq!(clients, 0, "its seat is kept");
        assert!(took >= PATIENCE / 2, "{took:?} is no patience");
        handle.stop(false).await;
        running.await.unwrap().unwrap();
        drop(sleeper);
    }
}
