//! Google Cloud Storage's JSON API in memory, as far as the lake uses it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::gcs_faults::Faults;
pub use super::gcs_faults::{Ask, Fault};
use super::http::{HttpAnswer, HttpRequest, HttpServer, Reply};

/// Chunks of an upload are stored in multiples of this.
const QUANTUM: usize = 256 << 10;
/// So many requests come before a late one takes effect.
const LATE: usize = 20;

#[derive(Debug, Clone)]
pub struct Object {
    pub content: Vec<u8>,
    pub generation: u64,
    created: SystemTime,
}

#[derive(Debug)]
struct Session {
    name: String,
    condition: Option<String>,
    crc32c: Option<String>,
    stored: Vec<u8>,
    /// The final answer, once there is one; asked again, it is given again.
    done: Option<Value>,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Object>,
    sessions: HashMap<String, Session>,
    faults: Faults,
    log: Vec<(Ask, HttpRequest)>,
    created: u64,
    page: usize,
    /// Where set, only requests with one of these tokens are served.
    tokens: Option<HashSet<String>>,
    /// Whether listings, `x-goog-hash` and descriptions tell checksums.
    hashes: bool,
    /// Requests whose sender knows nothing of their end, and how many requests come before they take effect.
    late: Vec<(usize, Ask, HttpRequest)>,
    /// An answer comes so long after its request, half of it before the request takes effect.
    delay: Duration,
}

/// The server. `Drop` stops it.
#[derive(Debug)]
pub struct FakeGcs {
    server: HttpServer,
    state: Arc<Mutex<State>>,
}

pub const BUCKET: &str = "fake-bucket";

impl FakeGcs {
    /// Listens on a port of the loopback address that is free.
    pub async fn start() -> Self {
        Self::start_on("127.0.0.1:0").await.unwrap()
    }

    pub async fn start_on(address: &str) -> std::io::Result<Self> {
        let state = Arc::new(Mutex::new(State { page: 1000, hashes: true, ..State::default() }));
        let shared = Arc::clone(&state);
        let server = HttpServer::start(address, move |request| {
            let state = Arc::clone(&shared);
            async move {
                // A request whose sender dies during the wait takes effect all the same.
                let delay = state.lock().unwrap().delay;
                // A timer counts whole milliseconds.
                let way = Duration::from_millis(delay.as_millis() as u64 / 2);
                tokio::time::sleep(way).await;
                let reply = state.lock().unwrap().reply(request);
                tokio::time::sleep(delay - way).await;
                reply
            }
        })
        .await?;
        Ok(FakeGcs { server, state })
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.server.address)
    }

    /// The next requests of this kind meet these faults, one each, in turn.
    pub fn inject(&self, ask: Ask, faults: impl IntoIterator<Item = Fault>) {
        self.state().faults.plan(ask, faults);
    }

    /// From now on `per_mille` of a thousand requests go wrong in one way or another.
    pub fn trouble(&self, per_mille: u64, seed: u64) {
        self.state().faults.trouble(per_mille, seed);
    }

    /// From now on an answer comes `delay` after its request.
    pub fn slow_down(&self, delay: Duration) {
        self.state().delay = delay;
    }

    pub fn set_page(&self, objects: usize) {
        self.state().page = objects;
    }

    pub fn hide_hashes(&self) {
        self.state().hashes = false;
    }

    pub fn allow_only(&self, tokens: &[&str]) {
        self.state().tokens = Some(tokens.iter().map(|token| (*token).to_owned()).collect());
    }

    pub fn put(&self, name: &str, content: &[u8]) {
        self.state().store(name, content.to_vec());
    }

    pub fn object(&self, name: &str) -> Option<Object> {
        self.state().objects.get(name).cloned()
    }

    pub fn names(&self) -> Vec<String> {
        self.state().objects.keys().cloned().collect()
    }

    pub fn requests(&self, ask: Ask) -> Vec<HttpRequest> {
        self.state().log.iter().filter(|(kind, _)| *kind == ask).map(|(_, request)| request.clone()).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

fn refusal(status: u16, reason: &str, message: &str) -> HttpAnswer {
    let error =
        json!({"code": status, "message": message, "errors": [{"reason": reason, "message": message}]});
    HttpAnswer::json(status, &json!({ "error": error }))
}

fn encode(crc32c: u32) -> String {
    STANDARD.encode(crc32c.to_be_bytes())
}

fn kind(request: &HttpRequest) -> Option<Ask> {
    let upload = request.url.path().starts_with("/upload/");
    let object = request.url.path().contains("/o/");
    Some(match request.method.as_str() {
        "POST" if request.query("uploadType").as_deref() == Some("multipart") => Ask::Insert,
        "POST" if upload => Ask::Begin,
        "PUT" if request.header("content-range")?.starts_with("bytes */") => Ask::Question,
        "PUT" => Ask::Chunk,
        "GET" if request.query("alt").as_deref() == Some("media") => Ask::Read,
        "GET" if object => Ask::Stat,
        "GET" => Ask::List,
        "DELETE" => Ask::Delete,
        _ => return None,
    })
}

/// Splits a `multipart/related` body into its JSON and its content.
fn parts(request: &HttpRequest) -> Option<(Value, Vec<u8>)> {
    let boundary = request.header("content-type")?.split_once("boundary=")?.1;
    let find = |text: &[u8], from: usize| {
        (from..request.body.len()).find(|start| request.body[*start..].starts_with(text))
    };
    let json_start = find(b"\r\n\r\n", 0)? + 4;
    let json_end = find(format!("\r\n--{boundary}").as_bytes(), json_start)?;
    let content_start = find(b"\r\n\r\n", json_end + 4)? + 4;
    let tail = format!("\r\n--{boundary}--\r\n");
    let content_end = request.body.len().checked_sub(tail.len())?;
    if !request.body.ends_with(tail.as_bytes()) {
        return None;
    }
    let description = serde_json::from_slice(&request.body[json_start..json_end]).ok()?;
    Some((description, request.body[content_start..content_end].to_vec()))
}

impl State {
    fn reply(&mut self, mut request: HttpRequest) -> Reply {
        let Some(ask) = kind(&request) else {
            return Reply::Answer(refusal(400, "invalid", "not a request this fake knows"));
        };
        self.log.push((ask, HttpRequest { body: Vec::new(), ..request.clone() }));
        self.apply_late();
        let fault = self.faults.next(ask);
        match &fault {
            Some(Fault::Refuse(status, reason)) => {
                return Reply::Answer(refusal(*status, reason, "a planned fault"));
            }
            Some(Fault::RefuseFor(status, after)) => {
                let answer = refusal(*status, "rateLimitExceeded", "a planned fault");
                return Reply::Answer(answer.with("retry-after", *after));
            }
            Some(Fault::CutBefore) => return Reply::Cut,
            Some(Fault::Late) => {
                self.late.push((LATE, ask, request));
                return Reply::Cut;
            }
            Some(Fault::Silence) => return Reply::Silence,
            Some(Fault::Forget) => self.sessions.clear(),
            Some(Fault::DamageIn) => {
                // The middle of a multipart body is content in every test that plans this.
                let middle = request.body.len() * 3 / 4;
                if let Some(byte) = request.body.get_mut(middle) {
                    *byte ^= 1;
                }
            }
            _ => {}
        }
        let mut answer = match self.refuses(&request) {
            Some(refused) => refused,
            None => self.serve(ask, &request, fault.as_ref()),
        };
        match fault {
            Some(Fault::CutAfter) => Reply::Cut,
            Some(Fault::Truncate) => Reply::Truncated(answer),
            Some(Fault::DamageOut) => {
                damage(&mut answer);
                Reply::Answer(answer)
            }
            _ => Reply::Answer(answer),
        }
    }

    fn apply_late(&mut self) {
        let waiting = std::mem::take(&mut self.late);
        for (requests, ask, request) in waiting {
            match requests {
                0 => drop(self.serve(ask, &request, None)),
                _ => self.late.push((requests - 1, ask, request)),
            }
        }
    }

    fn refuses(&self, request: &HttpRequest) -> Option<HttpAnswer> {
        if let Some(tokens) = &self.tokens {
            let token = request.header("authorization").and_then(|header| header.strip_prefix("Bearer "));
            if !token.is_some_and(|token| tokens.contains(token)) {
                return Some(refusal(401, "authError", "Invalid Credentials"));
            }
        }
        if !request.url.path().contains(&format!("/b/{BUCKET}/o")) {
            return Some(refusal(404, "notFound", "The specified bucket does not exist."));
        }
        None
    }

    fn serve(&mut self, ask: Ask, request: &HttpRequest, fault: Option<&Fault>) -> HttpAnswer {
        match ask {
            Ask::Insert => {
                let Some((description, content)) = parts(request) else {
                    return refusal(400, "invalid", "Malformed multipart body.");
                };
                let name = description["name"].as_str().unwrap_or_default().to_owned();
                let crc32c = description["crc32c"].as_str().map(str::to_owned);
                self.insert(&name, content, crc32c.as_deref(), request.query("ifGenerationMatch").as_deref())
            }
            Ask::Begin => self.begin(request),
            Ask::Chunk | Ask::Question => self.resume(request, fault),
            Ask::List => self.list(request),
            Ask::Stat | Ask::Read | Ask::Delete => self.single(ask, request),
        }
    }

    fn single(&mut self, ask: Ask, request: &HttpRequest) -> HttpAnswer {
        let encoded = request.url.path().split_once("/o/").map_or("", |(_, object)| object);
        let name = percent_decode_str(encoded).decode_utf8_lossy().into_owned();
        // GCS takes a name in a path as one part: a `/` in it must be encoded.
        let Some(object) = self.objects.get(&name).filter(|_| !encoded.contains('/')) else {
            return refusal(404, "notFound", &format!("No such object: {BUCKET}/{name}"));
        };
        match ask {
            Ask::Delete => {
                self.objects.remove(&name);
                HttpAnswer::new(204, "")
            }
            Ask::Read => {
                let answer = HttpAnswer::new(200, object.content.clone());
                if !self.hashes {
                    return answer;
                }
                let crc32c = encode(crc32c::crc32c(&object.content));
                answer.with("x-goog-hash", format!("crc32c={crc32c}")).with("x-goog-hash", "md5=AAAA")
            }
            _ => HttpAnswer::json(200, &self.describe(&name, object)),
        }
    }

    fn describe(&self, name: &str, object: &Object) -> Value {
        let mut description = json!({"name": name, "size": object.content.len().to_string(), "generation": object.generation.to_string()});
        let created =
            time::OffsetDateTime::from(object.created).format(&time::format_description::well_known::Rfc3339);
        description["timeCreated"] = json!(created.unwrap_or_default());
        if self.hashes {
            description["crc32c"] = json!(encode(crc32c::crc32c(&object.content)));
        }
        description
    }

    fn store(&mut self, name: &str, content: Vec<u8>) -> Value {
        self.created += 1;
        let object = Object { content, generation: self.created, created: SystemTime::now() };
        let description = self.describe(name, &object);
        self.objects.insert(name.to_owned(), object);
        description
    }

    fn insert(
        &mut self,
        name: &str,
        content: Vec<u8>,
        crc32c: Option<&str>,
        condition: Option<&str>,
    ) -> HttpAnswer {
        if crc32c.is_some_and(|crc32c| crc32c != encode(crc32c::crc32c(&content))) {
            return refusal(400, "invalid", "Provided CRC32C does not match calculated CRC32C.");
        }
        let generation = self.objects.get(name).map_or(0, |object| object.generation);
        if condition.is_some_and(|condition| condition != generation.to_string()) {
            let message = "At least one of the pre-conditions you specified did not hold.";
            return refusal(412, "conditionNotMet", message);
        }
        HttpAnswer::json(200, &self.store(name, content))
    }

    fn begin(&mut self, request: &HttpRequest) -> HttpAnswer {
        let Ok(description) = serde_json::from_slice::<Value>(&request.body) else {
            return refusal(400, "parseError", "Parse Error");
        };
        self.created += 1;
        let id = format!("session-{}", self.created);
        let session = Session {
            name: description["name"].as_str().unwrap_or_default().into(),
            condition: request.query("ifGenerationMatch"),
            crc32c: description["crc32c"].as_str().map(str::to_owned),
            stored: Vec::new(),
            done: None,
        };
        self.sessions.insert(id.clone(), session);
        let host = request.header("host").unwrap_or_default();
        let location =
            format!("http://{host}/upload/storage/v1/b/{BUCKET}/o?uploadType=resumable&upload_id={id}");
        HttpAnswer::new(200, "").with("location", location)
    }

    fn resume(&mut self, request: &HttpRequest, fault: Option<&Fault>) -> HttpAnswer {
        let id = request.query("upload_id").unwrap_or_default();
        let Some(mut session) = self.sessions.remove(&id) else {
            return refusal(410, "gone", "The upload session is gone.");
        };
        let answer = self.feed(&mut session, request, fault);
        self.sessions.insert(id, session);
        answer
    }

    fn feed(&mut self, session: &mut Session, request: &HttpRequest, fault: Option<&Fault>) -> HttpAnswer {
        if let Some(done) = &session.done {
            return HttpAnswer::json(200, done);
        }
        let range = request.header("content-range").and_then(|range| range.strip_prefix("bytes "));
        let Some((range, Ok(total))) = range
            .and_then(|range| range.split_once('/'))
            .map(|(range, total)| (range, total.parse::<usize>()))
        else {
            return refusal(400, "invalid", "Content-Range");
        };
        if let Some(start) = range.split_once('-').and_then(|(start, _)| start.parse::<usize>().ok()) {
            let last = start + request.body.len() == total;
            if start != session.stored.len() || (!last && !request.body.len().is_multiple_of(QUANTUM)) {
                return refusal(
                    400,
                    "invalid",
                    "A chunk must begin where the last ended, in multiples of 256 KiB.",
                );
            }
            let kept = match fault {
                Some(Fault::KeepOnly(bytes)) => *bytes,
                _ => request.body.len(),
            };
            session.stored.extend_from_slice(&request.body[..kept]);
        }
        if session.stored.len() == total && !matches!(fault, Some(Fault::KeepOnly(_))) {
            let content = session.stored.clone();
            let answer =
                self.insert(&session.name, content, session.crc32c.as_deref(), session.condition.as_deref());
            if answer.status == 200 {
                session.done = serde_json::from_slice(&answer.body).ok();
            }
            return answer;
        }
        let answer = HttpAnswer::new(308, "");
        match session.stored.len() {
            0 => answer,
            stored => answer.with("range", format!("bytes=0-{}", stored - 1)),
        }
    }

    fn list(&self, request: &HttpRequest) -> HttpAnswer {
        let prefix = request.query("prefix").unwrap_or_default();
        let offset = request.query("startOffset").unwrap_or_default();
        // Real tokens hold the last name given, too.
        let after = request.query("pageToken").and_then(|token| STANDARD.decode(token).ok());
        let after = after.and_then(|name| String::from_utf8(name).ok());
        let wanted = |name: &str| {
            name.starts_with(&prefix)
                && name >= offset.as_str()
                && after.as_deref().is_none_or(|after| name > after)
        };
        let mut found: Vec<_> = self.objects.iter().filter(|(name, _)| wanted(name)).collect();
        let asked = request.query("maxResults").and_then(|most| most.parse().ok()).unwrap_or(1000);
        let most = self.page.min(asked);
        let more = found.len() > most;
        found.truncate(most);
        let items: Vec<Value> = found.iter().map(|(name, object)| self.describe(name, object)).collect();
        let mut listing = json!({});
        if !items.is_empty() {
            listing["items"] = json!(items);
        }
        if let Some((last, _)) = found.last().filter(|_| more) {
            listing["nextPageToken"] = json!(STANDARD.encode(last));
        }
        HttpAnswer::json(200, &listing)
    }
}

fn damage(answer: &mut HttpAnswer) {
    if let Ok(mut description) = serde_json::from_slice::<Value>(&answer.body)
        && description["crc32c"].is_string()
    {
        description["crc32c"] = json!(encode(0));
        answer.body = description.to_string().into_bytes();
    } else if let Some(byte) = answer.body.first_mut() {
        *byte ^= 1;
    }
}
