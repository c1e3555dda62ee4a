//! A small HTTP/1.1 server over bare sockets, so that a test decides when a connection breaks.

use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use url::Url;

/// A request, read to its end.
#[derive(Debug, Clone)]
pub struct HttpRequest {
    pub method: String,
    /// Path and query, percent-encoded, on a made-up host.
    pub url: Url,
    /// Names in lower case.
    pub headers: HashMap<String, String>,
    pub body: Vec<u8>,
}

impl HttpRequest {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub fn query(&self, name: &str) -> Option<String> {
        self.url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
}

/// What the server does about a request.
#[derive(Debug)]
pub enum Reply {
    Answer(HttpAnswer),
    /// Closes the connection without an answer.
    Cut,
    /// Announces the whole body, sends half of it, closes.
    Truncated(HttpAnswer),
    /// Says nothing until the client goes away.
    Silence,
}

#[derive(Debug)]
pub struct HttpAnswer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl HttpAnswer {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        HttpAnswer { status, headers: Vec::new(), body: body.into() }
    }

    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        HttpAnswer::new(status, body.to_string()).with("content-type", "application/json")
    }

    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}

/// A running server; it ends with this value.
#[derive(Debug)]
pub struct HttpServer {
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl HttpServer {
    /// Listens on `address` and gives every request to `handle`.
    pub async fn start<H, F>(address: &str, handle: H) -> std::io::Result<Self>
    where
        H: Fn(HttpRequest) -> F + Send + Sync + 'static,
        F: Future<Output = Reply> + Send,
    {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let handle = Arc::new(handle);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let handle = Arc::clone(&handle);
                // A client that breaks off is its own affair.
                tokio::spawn(async move { drop(serve(stream, &*handle).await) });
            }
        });
        Ok(HttpServer { address, task })
    }
}

async fn serve<H, F>(stream: TcpStream, handle: &H) -> std::io::Result<()>
where
    H: Fn(HttpRequest) -> F,
    F: Future<Output = Reply>,
{
    stream.set_nodelay(true)?;
    let mut stream = BufReader::with_capacity(1 << 16, stream);
    while let Some(request) = read_request(&mut stream).await? {
        match handle(request).await {
            Reply::Answer(answer) => {
                stream.write_all(&head(&answer)).await?;
                stream.write_all(&answer.body).await?;
            }
            Reply::Truncated(answer) => {
                stream.write_all(&head(&answer)).await?;
                stream.write_all(&answer.body[..answer.body.len() / 2]).await?;
                return Ok(());
            }
            Reply::Cut => return Ok(()),
            Reply::Silence => {
                stream.read_u8().await?;
                return Ok(());
            }
        }
    }
    Ok(())
}

fn head(answer: &HttpAnswer) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {} Fake\r\n", answer.status);
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if answer.status != 204 {
        head.push_str(&format!("content-length: {}\r\n", answer.body.len()));
    }
    head.push_str("\r\n");
    head.into_bytes()
}

fn malformed(what: &str) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, what.to_owned())
}

async fn read_request(stream: &mut BufReader<TcpStream>) -> std::io::Result<Option<HttpRequest>> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (Some(method), Some(target)) = (words.next().map(str::to_owned), words.next()) else {
        return Err(malformed("request line"));
    };
    let url = Url::parse(&format!("http://fake{target}")).map_err(|_| malformed("target"))?;
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(|| malformed("header"))?;
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or(Ok(0), |length| length.parse());
    let mut body = vec![0; length.map_err(|_| malformed("content-length"))?];
    stream.read_exact(&mut body).await?;
    Ok(Some(HttpRequest { method, url, headers, body }))
}
