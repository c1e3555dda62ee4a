//! `/livez`, `/readyz` and `/metrics`.

use actix_web::{HttpResponse, web};
use prometheus::{Registry, TextEncoder};

use super::engine::Engine;

pub(super) async fn livez(engine: web::Data<dyn Engine>) -> HttpResponse {
    verdict(engine.live())
}

pub(super) async fn readyz(engine: web::Data<dyn Engine>) -> HttpResponse {
    verdict(engine.ready())
}

fn verdict(verdict: Result<(), String>) -> HttpResponse {
    let (mut response, text) = match verdict {
        Ok(()) => (HttpResponse::Ok(), "ok\n".to_owned()),
        Err(reason) => (HttpResponse::ServiceUnavailable(), format!("{reason}\n")),
    };
    response.content_type("text/plain; charset=utf-8").insert_header(("Cache-Control", "no-store")).body(text)
}

pub(super) async fn metrics(registry: web::Data<Registry>) -> HttpResponse {
    match TextEncoder::new().encode_to_string(&registry.gather()) {
        Ok(text) => HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text),
        Err(error) => {
            tracing::error!(%error, "metrics cannot be written");
            HttpResponse::InternalServerError().body("metrics cannot be written\n")
        }
    }
}
