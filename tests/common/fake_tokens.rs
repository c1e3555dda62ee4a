//! A token server in memory: Google's for service accounts and users, and a machine's metadata server.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::Verifier;
use serde_json::{Value, json};

use super::http::{HttpAnswer, HttpRequest, HttpServer, Reply};

pub const CLIENT_SECRET: &str = "client-secret";
pub const REFRESH_TOKEN: &str = "refresh-token";
pub const EMAIL: &str = "lake@fake.iam.gserviceaccount.com";

/// What the next request gets.
#[derive(Debug, Clone)]
pub enum Issue {
    /// `token-N`, new for every request, with this life in seconds.
    Fresh(i64),
    /// The token before again, as metadata servers do.
    Same(i64),
    /// An OAuth error.
    Refuse(&'static str),
    /// As Google refuses a key's signature that is of another time.
    WrongClock,
    /// A page of an overloaded proxy.
    Overloaded,
    Cut,
}

#[derive(Debug, Default)]
struct State {
    script: VecDeque<Issue>,
    issued: u32,
    requests: Vec<HttpRequest>,
}

#[derive(Debug)]
pub struct FakeTokens {
    server: HttpServer,
    state: Arc<Mutex<State>>,
    key: PKey<Private>,
}

impl FakeTokens {
    pub async fn start() -> Self {
        let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let (shared, verifying) = (Arc::clone(&state), key.clone());
        let server = HttpServer::start("127.0.0.1:0", move |request| {
            let reply = shared.lock().unwrap().reply(request, &verifying);
            async { reply }
        })
        .await
        .unwrap();
        FakeTokens { server, state, key }
    }

    pub fn host(&self) -> String {
        self.server.address.to_string()
    }

    pub fn url(&self) -> String {
        format!("http://{}/token", self.server.address)
    }

    /// What the next requests get, in turn; then fresh tokens that live an hour.
    pub fn script(&self, issues: impl IntoIterator<Item = Issue>) {
        self.state.lock().unwrap().script.extend(issues);
    }

    pub fn requests(&self) -> Vec<HttpRequest> {
        self.state.lock().unwrap().requests.clone()
    }

    /// A key file of a service account that this server knows.
    pub fn key_file(&self) -> Value {
        let pem = String::from_utf8(self.key.private_key_to_pem_pkcs8().unwrap()).unwrap();
        json!({
            "type": "service_account", "project_id": "fake", "private_key_id": "1", "private_key": pem,
            "client_email": EMAIL, "client_id": "1", "token_uri": self.url(),
        })
    }

    /// A user's application-default credentials that this server knows.
    pub fn user_file() -> Value {
        json!({
            "type": "authorized_user", "client_id": "client", "client_secret": CLIENT_SECRET,
            "refresh_token": REFRESH_TOKEN, "quota_project_id": "fake",
        })
    }
}

impl State {
    fn reply(&mut self, request: HttpRequest, key: &PKey<Private>) -> Reply {
        let known = knows(&request, key);
        self.requests.push(request);
        if let Err(error) = known {
            return Reply::Answer(HttpAnswer::json(
                400,
                &json!({"error": error, "error_description": "Bad Request"}),
            ));
        }
        let life = match self.script.pop_front().unwrap_or(Issue::Fresh(3600)) {
            Issue::Fresh(life) => {
                self.issued += 1;
                life
            }
            Issue::Same(life) => life,
            Issue::Refuse(error) => {
                return Reply::Answer(HttpAnswer::json(400, &json!({ "error": error })));
            }
            Issue::WrongClock => {
                let words = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your \
                    iat and exp values in the JWT claim.";
                let answer = json!({"error": "invalid_grant", "error_description": words});
                return Reply::Answer(HttpAnswer::json(400, &answer));
            }
            Issue::Overloaded => return Reply::Answer(HttpAnswer::new(503, "<html>overloaded</html>")),
            Issue::Cut => return Reply::Cut,
        };
        let token = format!("token-{}", self.issued);
        let answer = json!({"access_token": token, "expires_in": life, "token_type": "Bearer"});
        Reply::Answer(HttpAnswer::json(200, &answer))
    }
}

/// Checks a request's proof of who asks, as the real servers do.
fn knows(request: &HttpRequest, key: &PKey<Private>) -> Result<(), &'static str> {
    if request.url.path() == "/computeMetadata/v1/instance/service-accounts/default/token" {
        let flavor = request.header("metadata-flavor") == Some("Google");
        return if flavor { Ok(()) } else { Err("invalid_request") };
    }
    let form: Vec<(String, String)> = url::form_urlencoded::parse(&request.body).into_owned().collect();
    let field = |name: &str| {
        form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).unwrap_or_default()
    };
    let ours = match field("grant_type") {
        "refresh_token" => field("refresh_token") == REFRESH_TOKEN && field("client_secret") == CLIENT_SECRET,
        "urn:ietf:params:oauth:grant-type:jwt-bearer" => signed(field("assertion"), key).unwrap_or(false),
        _ => return Err("unsupported_grant_type"),
    };
    if ours { Ok(()) } else { Err("invalid_grant") }
}

fn signed(assertion: &str, key: &PKey<Private>) -> Option<bool> {
    let (signed, signature) = assertion.rsplit_once('.')?;
    let claims: Value = serde_json::from_slice(&URL_SAFE.decode(signed.split_once('.')?.1).ok()?).ok()?;
    let mut verifier = Verifier::new(MessageDigest::sha256(), key).ok()?;
    verifier.update(signed.as_bytes()).ok()?;
    let genuine = verifier.verify(&URL_SAFE.decode(signature).ok()?).ok()?;
    let scope = claims["scope"] == "https://www.googleapis.com/auth/devstorage.read_write";
    Some(genuine && scope && claims["iss"] == EMAIL)
}
