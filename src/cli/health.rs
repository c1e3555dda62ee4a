//! `health`: asks a running engine on this machine, for containers, whose image has no shell and no other client.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// How long the whole question may take.
const DEADLINE: Duration = Duration::from_secs(3);
/// The engine answers in a line; more is somebody else.
const MAX_ANSWER: usize = 16 << 10;

/// Asks the engine that listens on `listen` for `/livez`, or for `/readyz`.
///
/// # Errors
/// Nobody answers, or not with 200; the reason is the engine's own.
pub(super) fn check(listen: SocketAddr, ready: bool) -> anyhow::Result<()> {
    let address = reachable(listen);
    let path = if ready { "/readyz" } else { "/livez" };
    let answer = get(address, path).with_context(|| {
        format!("no answer from http://{address}{path}; is the engine running there (http.listen)?")
    })?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    if head.split(' ').nth(1) != Some("200") {
        let status = head.lines().next().unwrap_or_default();
        bail!("http://{address}{path}: {status}: {}", body.trim());
    }
    Ok(())
}

/// Where a listener on this machine is reached: one that listens on all addresses, on the loopback.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let host = match listen.ip() {
        IpAddr::V4(host) if host.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(host) if host.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        host => host,
    };
    SocketAddr::new(host, listen.port())
}

fn get(address: SocketAddr, path: &str) -> io::Result<String> {
    let end = Instant::now() + DEADLINE;
    let mut stream = TcpStream::connect_timeout(&address, DEADLINE)?;
    stream.set_write_timeout(Some(DEADLINE))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    let mut part = [0; 1024];
    loop {
        let left = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero());
        stream.set_read_timeout(Some(left.ok_or(io::ErrorKind::TimedOut)?))?;
        let read = stream.read(&mut part)?;
        if read == 0 {
            return String::from_utf8(answer).map_err(|_| io::ErrorKind::InvalidData.into());
        }
        answer.extend(part.iter().take(read));
        if answer.len() > MAX_ANSWER {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

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
        check(everywhere, false).unwrap();
        assert_eq!(server.join().unwrap(), "GET /livez HTTP/1.1");
    }

    #[test]
    fn an_engine_that_is_not_ready_says_why() {
        let (address, server) =
            answering("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 10\r\n\r\nno broker\n");
        let error = format!("{:#}", check(address, true).unwrap_err());
        assert!(error.contains("503") && error.ends_with("no broker"), "{error}");
        assert_eq!(server.join().unwrap(), "GET /readyz HTTP/1.1");
    }

    #[test]
    fn nobody_there_and_nonsense_are_no_health() {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(check(address, false).unwrap_err().to_string().contains("http.listen"));
        for nonsense in ["", "200", "SSH-2.0-OpenSSH_9.2\r\n"] {
            let (address, server) = answering(nonsense);
            assert!(check(address, false).is_err(), "{nonsense:?}");
            server.join().unwrap();
        }
    }
}
