//! The JSON routes.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::json;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::engine::{Engine, SongsQuery, UsersQuery};
use super::params::{ApiError, Params};

type Answer = Result<HttpResponse, ApiError>;

/// Questions about charts that the aggregator has at once. It answers them between batches, in order of arrival: more of them
/// would keep records waiting, however many ask.
const AT_ONCE: usize = 4;
/// A question waits this long for its turn.
const TURN_WITHIN: Duration = Duration::from_secs(2);

/// Whose question the aggregator gets next.
pub(super) struct Turns(Semaphore);

impl Default for Turns {
    fn default() -> Self {
        Self(Semaphore::new(AT_ONCE))
    }
}

impl Turns {
    async fn take(&self) -> Result<SemaphorePermit<'_>, ApiError> {
        let turn = timeout(TURN_WITHIN, self.0.acquire()).await;
        turn.ok().and_then(Result::ok).ok_or(ApiError::Busy)
    }
}

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

async fn songs(request: HttpRequest, engine: web::Data<dyn Engine>, turns: web::Data<Turns>) -> Answer {
    let params = Params::of(&request, &["window", "at", "limit", "q"])?;
    let (window, at, limit) = (params.window()?, params.at()?, params.limit()?);
    let query = SongsQuery { window, at, limit, find: params.words() };
    let _turn = turns.take().await?;
    Ok(fresh(&engine.songs(query).await?))
}

async fn users(request: HttpRequest, engine: web::Data<dyn Engine>, turns: web::Data<Turns>) -> Answer {
    let params = Params::of(&request, &["window", "at", "by", "detail"])?;
    let (window, at, by) = (params.window()?, params.at()?, params.by()?);
    let query = UsersQuery { window, at, by, detail: params.detail()? };
    let _turn = turns.take().await?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_so_many_questions_are_with_the_aggregator() {
        let turns = Turns::default();
        let mut held = Vec::new();
        for _ in 0..AT_ONCE {
            held.push(turns.take().await.unwrap());
        }
        let (refused, ()) = tokio::join!(turns.take(), tokio::time::sleep(TURN_WITHIN * 2));
        assert!(matches!(refused, Err(ApiError::Busy)));
        let given_back = async {
            tokio::time::sleep(TURN_WITHIN / 2).await;
            held.pop();
        };
        let (taken, ()) = tokio::join!(turns.take(), given_back);
        assert!(taken.is_ok());
    }
}
