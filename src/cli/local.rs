//! The engine on this machine, as `health` and `status` meet it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use crate::config::HttpSettings;

/// Scheme, host and port of the engine that has these settings.
pub(super) fn url(settings: &HttpSettings) -> String {
    let scheme = if settings.tls.is_some() { "https" } else { "http" };
    format!("{scheme}://{}", reachable(settings.listen))
}

/// A client that asks directly, and gives up after `timeout`.
pub(super) fn client(timeout: Duration) -> reqwest::ClientBuilder {
    // rustls takes its cryptography from the process; whoever installed one before is left in place.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().timeout(timeout).no_proxy()
}

/// Where a server that listens on `address` is met from its own machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_on_every_address_is_met_on_loopback() {
        for (listen, met) in
            [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:1", "[::1]:1"), ("10.1.2.3:1", "10.1.2.3:1")]
        {
            assert_eq!(reachable(listen.parse().expect("an address")).to_string(), met);
        }
    }
}
