//! `POST /api/v1/streams/{account}/{app}/{name}/kick`: sends a publisher away, for a time.

use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use thalweg_hub::{Hub, StreamKey};

/// For how long.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kick {
    /// Seconds in which nobody may publish the stream.
    #[serde(rename = "for")]
    for_s: u64,
}

/// The body must be JSON and say so, which a page of another site cannot send unasked. The server has
/// looked at the host.
pub(crate) async fn kick(
    State(hub): State<Hub>,
    Path((account, app, name)): Path<(String, String, String)>,
    body: Result<Json<Kick>, JsonRejection>,
) -> Response {
    let for_s = match body {
        Ok(Json(Kick { for_s })) if for_s <= FOR_S_MAX => for_s,
        Ok(_) => {
            return refused(StatusCode::BAD_REQUEST, &format!("for: 0 to {FOR_S_MAX} seconds"));
        }
        Err(error) => return refused(error.status(), &error.body_text()),
    };
    let key = StreamKey::new(&account, &app, &name);
    match hub.kick(&key, Duration::from_secs(for_s), Instant::now()) {
        Ok(kicked) => Json(json!({ "kicked": kicked, "barred_for_s": for_s })).into_response(),
        Err(error) => refused(StatusCode::TOO_MANY_REQUESTS, &error.to_string()),
    }
}

fn refused(status: StatusCode, message: &str) -> Response {
    let code = if status == StatusCode::TOO_MANY_REQUESTS { "too-many" } else { "bad-request" };
    (status, Json(json!({ "error": code, "message": message }))).into_response()
}

/// A day: longer is a matter for keys.
const FOR_S_MAX: u64 = 86_400;
