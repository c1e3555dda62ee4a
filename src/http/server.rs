//! The server: routes, limits and headers.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::dev::{Server, Service as _, ServiceResponse};
use actix_web::middleware::DefaultHeaders;
use actix_web::{App, HttpServer, web};
use futures::future::{Either, ready};
use prometheus::Registry;
use rustls::ServerConfig;

use super::auth::{admits, refusal};
use super::engine::Engine;
use super::stream::Hub;
use super::{api, health, page};
use crate::config::Secret;
use crate::metrics::HttpMetrics;

/// Connections at once, with room beside all streams for scrapes and health checks; the rest wait in the listener's backlog.
const MAX_CONNECTIONS: usize = 1536;
#[cfg(target_os = "linux")]
const BACKLOG: i32 = 1024;
/// A client that takes nothing of what it is sent for so long is gone, or sleeps. Its stream would never notice: nothing asks
/// it for more while the connection's buffers are full.
const PATIENCE: Duration = Duration::from_secs(60);
/// No route reads a body.
const MAX_BODY_BYTES: usize = 1024;
/// A client has this long to send its request's head.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Requests under way have this long once the server is told to stop; streams end at once, see [`Hub::close`].
const SHUTDOWN_SECONDS: u64 = 5;

/// What the handlers need.
#[derive(Clone)]
pub struct Services {
    /// The engine.
    pub engine: Arc<dyn Engine>,
    /// Server-sent events.
    pub hub: Arc<Hub>,
    /// Metrics.
    pub registry: Registry,
    /// The server's own.
    pub metrics: HttpMetrics,
    /// What requests must carry, if anything.
    pub token: Option<Secret>,
}

/// Adds the routes to an application.
pub fn configure(services: &Services) -> impl FnOnce(&mut web::ServiceConfig) + use<> {
    let services = services.clone();
    move |app| {
        app.app_data(web::Data::from(services.engine))
            .app_data(web::Data::from(services.hub))
            .app_data(web::Data::new(services.registry))
            .app_data(web::Data::new(services.metrics))
            .app_data(web::Data::new(api::Turns::default()))
            .app_data(web::PayloadConfig::new(MAX_BODY_BYTES))
            .service(web::scope("/api/v1").configure(api::routes))
            .service(web::resource("/metrics").get(health::metrics))
            .service(web::resource("/livez").get(health::livez).head(health::livez))
            .service(web::resource("/readyz").get(health::readyz).head(health::readyz))
            .configure(page::routes)
            .default_service(web::to(api::not_found));
    }
}

/// Headers on every answer that does not set them itself: nothing is sniffed, framed, or loaded.
pub(super) fn security_headers() -> DefaultHeaders {
    DefaultHeaders::new()
        .add(("X-Content-Type-Options", "nosniff"))
        .add(("X-Frame-Options", "DENY"))
        .add(("Referrer-Policy", "no-referrer"))
        .add(("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"))
}

/// Counts an answer under its route's pattern.
fn counted<B>(metrics: &HttpMetrics, began: Instant, response: ServiceResponse<B>) -> ServiceResponse<B> {
    let route = response.request().match_pattern();
    metrics.answered(route.as_deref(), response.status().as_u16(), began.elapsed());
    response
}

/// Binds `listen`, with TLS where it is given, and returns the server, which runs when it is awaited or spawned, and stops by its handle; it takes
/// no signals.
///
/// # Errors
/// The address cannot be bound.
pub fn serve(listen: SocketAddr, tls: Option<ServerConfig>, services: Services) -> std::io::Result<Server> {
    serve_on(listener(listen, PATIENCE)?, tls, services)
}

/// A socket that listens at `address`. A connection that it accepts breaks when its client takes nothing for `patience`, as
/// far as the system can do that.
pub(super) fn listener(address: SocketAddr, patience: Duration) -> std::io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    #[cfg(target_os = "linux")]
    {
        // Accepted sockets inherit it (tcp(7)), those below TLS too.
        let patience = u32::try_from(patience.as_millis()).unwrap_or(u32::MAX);
        rustix::net::sockopt::set_tcp_user_timeout(&listener, patience)?;
        // The standard library's backlog is shorter.
        rustix::net::listen(&listener, BACKLOG)?;
    }
    #[cfg(not(target_os = "linux"))]
    let _ = patience;
    Ok(listener)
}

/// [`serve`] on a socket that listens.
pub(super) fn serve_on(
    listener: TcpListener,
    tls: Option<ServerConfig>,
    services: Services,
) -> std::io::Result<Server> {
    let server = HttpServer::new(move || {
        let (metrics, token) = (services.metrics.clone(), services.token.clone());
        App::new()
            .wrap_fn(move |request, service| {
                let answer = if admits(token.as_ref(), &request) {
                    Either::Left(service.call(request))
                } else {
                    Either::Right(ready(Ok(request.into_response(refusal()))))
                };
                async move { Ok(answer.await?.map_into_boxed_body()) }
            })
            .wrap(security_headers())
            .wrap_fn(move |request, service| {
                let (began, metrics) = (Instant::now(), metrics.clone());
                let answer = service.call(request);
                async move { Ok(counted(&metrics, began, answer.await?)) }
            })
            .configure(configure(&services))
    })
    .workers(1)
    .max_connections(MAX_CONNECTIONS)
    .client_request_timeout(REQUEST_TIMEOUT)
    .shutdown_timeout(SHUTDOWN_SECONDS)
    .disable_signals();
    let is_tls = tls.is_some();
    let server = match tls {
        Some(tls) => server.listen_rustls_0_23(listener, tls)?,
        None => server.listen(listener)?,
    };
    // Where port 0 is asked for, the system chooses one.
    for address in server.addrs() {
        tracing::info!(listen = %address, tls = is_tls, "http is served");
    }
    Ok(server.run())
}
