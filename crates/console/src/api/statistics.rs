//! What streams came to, minute by minute.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::ApiError;
use crate::api::error::{Answer, Refusal};
use crate::api::guard::Reader;
use crate::console::{Console, now_unix_s};
use crate::model::{Point, StreamId};

/// A graph: a point for each step, also where nothing was counted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Statistics {
    points: Vec<Point>,
    /// Seconds from point to point.
    step: u64,
}

/// Of what, from when to when.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    account: Option<String>,
    /// With `name`: of one stream.
    app: Option<String>,
    name: Option<String>,
    /// UNIX seconds; a day ago if it is not said.
    from: Option<u64>,
    /// UNIX seconds; now if it is not said.
    to: Option<u64>,
    /// Seconds from point to point, a multiple of 60. Steps are whole ones by the clock: `from` and `to` are moved
    /// outwards to where one begins.
    step: Option<u64>,
}

/// What streams came to: of everything, of an account, of a stream.
#[utoipa::path(get, path = "/api/v1/statistics", params(Which), responses(
    (status = 200, body = Statistics), (status = 400, body = Refusal), (status = 401, body = Refusal),
))]
pub(crate) async fn points(
    State(console): State<Console>,
    Reader(who): Reader,
    which: Result<Query<Which>, QueryRejection>,
) -> Answer<Statistics> {
    let Query(Which { account, app, name, from, to, step }) = which?;
    let account = who.scope(account)?;
    let stream = match (&account, app, name) {
        (_, None, None) => None,
        (Some(account), Some(app), Some(name)) => {
            Some(StreamId { account: account.clone(), app, name })
        }
        _ => return Err(ApiError::bad("name", "a stream is an account, an app and a name")),
    };
    let to = to.unwrap_or_else(now_unix_s);
    let from = from.unwrap_or_else(|| to.saturating_sub(DAY_S));
    if from >= to || to - from > SPAN_S_MAX {
        return Err(ApiError::bad("from", "before `to`, by 31 days at most"));
    }
    let step = step.unwrap_or(60).clamp(1, SPAN_S_MAX).div_ceil(60) * 60;
    let step = step.max(((to - from) / POINTS_MAX).div_ceil(60) * 60).max(60);
    // Whole steps, by the clock: the first and the last begin and end where others would.
    let (from, to) = (from / step * step, to.div_ceil(step).saturating_mul(step));
    let found = console.store().points(account.as_deref(), stream.as_ref(), from, to, step).await?;
    Ok(Json(Statistics { points: every(from, to, step, found), step }))
}

/// A point for each step: where nothing was counted nothing was sent.
fn every(from: u64, to: u64, step: u64, found: Vec<Point>) -> Vec<Point> {
    let mut found = found.into_iter().peekable();
    let moments = (0..(to - from) / step).map(|n| from + n * step);
    let point = |at| found.next_if(|p| p.at == at).unwrap_or(Point { at, ..Point::default() });
    moments.map(point).collect()
}

const DAY_S: u64 = 86_400;
/// What is kept, and a day.
const SPAN_S_MAX: u64 = 31 * DAY_S;
/// Points of a graph: more than a screen has columns.
const POINTS_MAX: u64 = 1500;
