//! The live page, JSON API, server-sent events, `/metrics` and health, over one small trait ([`Engine`]).
//!
//! | route | answer |
//! |---|---|
//! | `GET /` | the live page ([`page`]) |
//! | `GET /api/v1/charts/songs?window=5m&at=live&limit=50` | most played songs of a window |
//! | `GET /api/v1/charts/songs?window=5m&q=joga+bjo` | the same among those whose artist or title holds each word |
//! | `GET /api/v1/active-users?window=1h&at=closed&by=level` | active users of a window |
//! | `GET /api/v1/active-users?window=1h&detail=true` | the same with every split (`splits`) and step by step (`series`) |
//! | `GET /api/v1/complete` | through which hour each table is whole, as far as this instance's partitions tell (`partitions`) |
//! | `GET /api/v1/status` | each partition's position, head, lag, freshness |
//! | `GET /api/v1/stream?window=5m&at=live` | server-sent events `songs`, `users`, `status` |
//! | `GET /metrics` | Prometheus text format |
//! | `GET /livez`, `GET /readyz` | 200, or 503 with the reason |
//!
//! Errors are JSON: `{"error":"…"}`, for a bad query parameter with `parameter` and `allowed` too.
//! There is no CORS header: other origins cannot read the answers. With a token set, everything but the health checks asks for it.

mod api;
mod auth;
mod engine;
mod health;
mod page;
mod params;
mod server;
mod stream;
mod tls;

#[cfg(test)]
mod tests;

pub use engine::{
    CompleteAnswer, Engine, EngineError, PartitionRow, SongsQuery, StatusAnswer, TableComplete, UsersQuery,
};
pub use params::{DEFAULT_LIMIT, MAX_LIMIT};
pub use server::{Services, configure, serve};
pub use stream::{Hub, TICK, publish_every};
pub use tls::server_config;
