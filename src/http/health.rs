//! `/livez`, `/readyz` and `/metrics`.

use actix_web::{HttpResponse, web};
use prometheus::{Registry, TextEncoder};

use super::engine::Engine;
use super::stream::{Hub, MAX_CLIENTS};
use crate::metrics::HttpMetrics;

pub(super) async fn livez(engine: web::Data<dyn Engine>) -> HttpResponse {
    verdict(engine.live())
}

pub(super) async fn readyz(engine: web::Data<dyn Engine>) -> HttpResponse {
    verdict(engine.ready())
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn verdict(verdict: Result<(), String>) -> HttpResponse {
    let (mut response, text) = match verdict {
        Ok(()) => (HttpResponse::Ok(), "ok\n".to_owned()),
        Err(reason) => (HttpResponse::ServiceUnavailable(), format!("{reason}\n")),
    };
    response.content_type("text/plain; charset=utf-8").insert_header(("Cache-Control", "no-store")).body(text)
}

pub(super) async fn metrics(
    registry: web::Data<Registry>,
    own: web::Data<HttpMetrics>,
    hub: web::Data<Hub>,
) -> HttpResponse {
    own.streams.set(count(hub.clients()));
    own.streams_limit.set(count(MAX_CLIENTS));
    match TextEncoder::new().encode_to_string(&registry.gather()) {
        Ok(text) => HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text),
        Err(error) => {
            tracing::error!(%error, "metrics cannot be written");
            HttpResponse::InternalServerError().body("metrics cannot be written\n")
        }
    }
}
