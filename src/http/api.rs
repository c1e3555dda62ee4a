//! The JSON routes.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::json;

use super::engine::{Engine, SongsQuery, UsersQuery};
use super::params::{ApiError, Params};

type Answer = Result<HttpResponse, ApiError>;

/// The routes below `/api/v1`.
pub(super) fn routes(scope: &mut web::ServiceConfig) {
    scope
        .service(web::resource("/charts/songs").get(songs))
        .service(web::resource("/active-users").get(users))
        .service(web::resource("/complete").get(complete))
        .service(web::resource("/status").get(status))
        .service(web::resource("/stream").get(super::stream::stream))
        .default_service(web::to(not_found));
}

/// 404 as JSON.
pub(super) async fn not_found() -> HttpResponse {
    HttpResponse::NotFound().json(json!({"error": "there is nothing at this address"}))
}

async fn songs(request: HttpRequest, engine: web::Data<dyn Engine>) -> Answer {
    let params = Params::of(&request, &["window", "at", "limit", "q"])?;
    let (window, at, limit) = (params.window()?, params.at()?, params.limit()?);
    let query = SongsQuery { window, at, limit, find: params.words() };
    Ok(fresh(&engine.songs(query).await?))
}

async fn users(request: HttpRequest, engine: web::Data<dyn Engine>) -> Answer {
    let params = Params::of(&request, &["window", "at", "by", "detail"])?;
    let (window, at, by) = (params.window()?, params.at()?, params.by()?);
    let query = UsersQuery { window, at, by, detail: params.detail()? };
    Ok(fresh(&engine.users(query).await?))
}

async fn complete(request: HttpRequest, engine: web::Data<dyn Engine>) -> Answer {
    Params::of(&request, &[])?;
    Ok(fresh(&engine.complete()))
}

async fn status(request: HttpRequest, engine: web::Data<dyn Engine>) -> Answer {
    Params::of(&request, &[])?;
    Ok(fresh(&engine.status()))
}

fn fresh(answer: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header(("Cache-Control", "no-store")).json(answer)
}
