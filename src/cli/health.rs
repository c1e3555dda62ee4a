//! `health`: asks a running engine on this machine, for containers, whose image has no shell and no other client.

use std::time::Duration;

use anyhow::{Context as _, bail};

use super::local;
use crate::config::HttpSettings;

/// How long the whole question may take.
const DEADLINE: Duration = Duration::from_secs(3);
/// The engine answers in a line; of what is longer the rest is somebody else's.
const MAX_ANSWER: usize = 16 << 10;

/// Asks the engine that has these settings for `/livez`, or for `/readyz`.
///
/// # Errors
/// Nobody answers, or not with 200; the reason is the engine's own.
pub(super) fn check(settings: &HttpSettings, ready: bool) -> anyhow::Result<()> {
    let url = format!("{}{}", local::url(settings), if ready { "/readyz" } else { "/livez" });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (status, body) = runtime
        .block_on(get(&url))
        .with_context(|| format!("no answer from {url}; is the engine running there (http.listen)?"))?;
    if status != reqwest::StatusCode::OK {
        bail!("{url}: {status}: {}", body.trim());
    }
    Ok(())
}

/// Status and the beginning of the body.
async fn get(url: &str) -> reqwest::Result<(reqwest::StatusCode, String)> {
    // The certificate need not name this address, and nothing secret is sent: as with a kubelet's probe, any will do.
    let client = local::client(DEADLINE).tls_certs_only([]).tls_danger_accept_invalid_certs(true).build()?;
    let mut answer = client.get(url).send().await?;
    let mut body = Vec::new();
    while body.len() < MAX_ANSWER
        && let Some(part) = answer.chunk().await?
    {
        body.extend_from_slice(&part);
    }
    Ok((answer.status(), String::from_utf8_lossy(&body).into_owned()))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{Ipv4Addr, SocketAddr, TcpListener};
    use std::thread;

    use super::*;

    fn at(listen: SocketAddr) -> HttpSettings {
        HttpSettings { listen, token: None, anonymous: false, tls: None }
    }

    /// Answers one request and gives its first line.
    fn answering(answer: &'static str) -> (SocketAddr, thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let read = stream.read(&mut request).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&request[..read]).lines().next().unwrap().to_owned()
        });
        (address, server)
    }

    #[test]
    fn a_healthy_engine_is_healthy() {
        let (address, server) = answering("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n");
        let everywhere = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port());
        check(&at(everywhere), false).unwrap();
        assert_eq!(server.join().unwrap(), "GET /livez HTTP/1.1");
    }

    #[test]
    fn an_engine_that_is_not_ready_says_why() {
        let (address, server) =
            answering("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 10\r\n\r\nno broker\n");
        let error = format!("{:#}", check(&at(address), true).unwrap_err());
        assert!(error.contains("503") && error.ends_with("no broker"), "{error}");
        assert_eq!(server.join().unwrap(), "GET /readyz HTTP/1.1");
    }

    #[test]
    fn nobody_there_and_nonsense_are_no_health() {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(check(&at(address), false).unwrap_err().to_string().contains("http.listen"));
        for nonsense in ["", "200", "SSH-2.0-OpenSSH_9.2\r\n"] {
            let (address, server) = answering(nonsense);
            assert!(check(&at(address), false).is_err(), "{nonsense:?}");
            server.join().unwrap();
        }
    }
}
