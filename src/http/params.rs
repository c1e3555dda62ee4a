//! Query parameters: each known by name, given at most once, of a stated set of values.

use std::str::FromStr;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use serde_json::json;
use thiserror::Error;

use crate::charts::{At, GroupBy, Window};

use super::engine::EngineError;

/// Songs in a chart where the query does not say.
pub const DEFAULT_LIMIT: usize = 50;
/// Most songs that can be asked for.
pub const MAX_LIMIT: usize = 1000;
/// No query that means anything is longer, in bytes: a hundred letters of any script take nine each.
const MAX_QUERY: usize = 2048;

/// Why a request is not answered.
#[derive(Debug, Error)]
pub(super) enum ApiError {
    #[error("{message}")]
    Parameter { parameter: String, message: String, allowed: Vec<String> },
    #[error("the query string is longer than {MAX_QUERY} bytes, or not readable")]
    Query,
    #[error("{0}")]
    Engine(#[from] EngineError),
    #[error("too many ask at once")]
    Busy,
    #[error("there are {0} streams open already")]
    TooManyStreams(usize),
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        match self {
            ApiError::Parameter { .. } | ApiError::Query => StatusCode::BAD_REQUEST,
            ApiError::Engine(EngineError::Failed(_)) => StatusCode::INTERNAL_SERVER_ERROR,
            ApiError::Engine(EngineError::Unavailable(_)) | ApiError::Busy | ApiError::TooManyStreams(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        if self.status_code() == StatusCode::SERVICE_UNAVAILABLE {
            response.insert_header(("Retry-After", "1"));
        }
        match self {
            ApiError::Parameter { parameter, message, allowed } => {
                response.json(json!({"error": message, "parameter": parameter, "allowed": allowed}))
            }
            ApiError::Engine(EngineError::Failed(cause)) => {
                tracing::error!(cause, "a request failed");
                response.json(json!({"error": "the engine failed to answer; its log says why"}))
            }
            other => response.json(json!({"error": other.to_string()})),
        }
    }
}

/// The query string's parameters.
#[derive(Debug)]
pub(super) struct Params {
    given: Vec<(String, String)>,
}

impl Params {
    /// Reads the query string; refuses parameters other than `known`, and any given twice.
    pub(super) fn of(request: &HttpRequest, known: &[&str]) -> Result<Self, ApiError> {
        let query = request.query_string();
        if query.len() > MAX_QUERY {
            return Err(ApiError::Query);
        }
        let given = web::Query::<Vec<(String, String)>>::from_query(query).map_err(|_| ApiError::Query)?;
        let given = given.into_inner();
        for (place, (name, _)) in given.iter().enumerate() {
            let allowed = || known.iter().map(|&name| name.to_owned()).collect();
            if !known.contains(&name.as_str()) {
                let message = format!("there is no parameter {name:?}");
                return Err(ApiError::Parameter { parameter: name.clone(), message, allowed: allowed() });
            }
            if given.iter().take(place).any(|(other, _)| other == name) {
                let message = format!("{name} is given twice");
                return Err(ApiError::Parameter { parameter: name.clone(), message, allowed: allowed() });
            }
        }
        Ok(Self { given })
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.given.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    fn choice<T: FromStr>(&self, name: &'static str, allowed: &[&str]) -> Result<Option<T>, ApiError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        value.parse().map(Some).map_err(|_| refused(name, value, allowed))
    }

    pub(super) fn window(&self) -> Result<Window, ApiError> {
        let chosen = self.choice("window", &Window::ALL.map(Window::name))?;
        Ok(chosen.unwrap_or(Window::Sliding5m))
    }

    pub(super) fn at(&self) -> Result<At, ApiError> {
        Ok(self.choice("at", &At::ALL.map(At::name))?.unwrap_or_default())
    }

    pub(super) fn by(&self) -> Result<Option<GroupBy>, ApiError> {
        self.choice("by", &GroupBy::ALL.map(GroupBy::name))
    }

    /// Whether more is wanted than what every answer tells.
    pub(super) fn detail(&self) -> Result<bool, ApiError> {
        Ok(self.choice("detail", &["true", "false"])?.unwrap_or_default())
    }

    /// What is searched; nothing but blanks is no search.
    pub(super) fn words(&self) -> Option<String> {
        self.get("q").filter(|words| !words.trim().is_empty()).map(str::to_owned)
    }

    pub(super) fn limit(&self) -> Result<usize, ApiError> {
        let Some(value) = self.get("limit") else { return Ok(DEFAULT_LIMIT) };
        let limit = value.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
        limit.ok_or_else(|| refused("limit", value, &[&format!("1..={MAX_LIMIT}")]))
    }
}

fn refused(name: &'static str, value: &str, allowed: &[&str]) -> ApiError {
    ApiError::Parameter {
        parameter: name.to_owned(),
        message: format!("{name} cannot be {value:?}, only one of {}", allowed.join(", ")),
        allowed: allowed.iter().map(|&value| value.to_owned()).collect(),
    }
}
