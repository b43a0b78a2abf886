//! Viewers.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use thalweg_hub::{StreamKey, ViewerFilter, ViewerSnapshot};
use utoipa::{IntoParams, ToSchema};

use crate::api::ApiError;
use crate::api::accounts::find;
use crate::api::body::Body;
use crate::api::error::{Answer, Refusal};
use crate::api::guard::{Operator, Reader};
use crate::api::lists::{Paging, Path};
use crate::console::{Console, now_unix_s};

/// Viewers, in the order they came.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Viewers {
    viewers: Vec<Viewer>,
    total: usize,
}

/// A viewer.
#[derive(Debug, Serialize, ToSchema)]
struct Viewer {
    id: u64,
    account: String,
    app: String,
    name: String,
    peer: String,
    agent: String,
    protocol: &'static str,
    /// UNIX seconds.
    since: u64,
    /// Sent so far.
    bytes: u64,
}

/// Which viewers.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    account: Option<String>,
    /// With `name`: of one stream.
    app: Option<String>,
    name: Option<String>,
}

/// For how long.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kick {
    /// Seconds in which its address may not watch the stream.
    #[serde(rename = "for")]
    #[schema(maximum = 86_400)]
    for_s: u64,
}

/// Who was sent away.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Kicked {
    peer: String,
    barred_for_s: u64,
}

/// Of which account.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Whose {
    account: Option<String>,
}

/// Addresses that may not watch a stream for a time.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Bars {
    bars: Vec<Bar>,
    total: usize,
}

/// An address that may not watch a stream.
#[derive(Debug, Serialize, ToSchema)]
struct Bar {
    account: String,
    app: String,
    name: String,
    /// Of IPv6 the network of 64 bits.
    address: String,
    /// UNIX seconds.
    until: u64,
}

/// What came of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Lifted {
    /// Whether it was barred.
    lifted: bool,
}

/// Viewers, in the order they came.
#[utoipa::path(get, path = "/api/v1/viewers", params(Which, Paging), responses(
    (status = 200, body = Viewers), (status = 401, body = Refusal),
))]
pub(crate) async fn list(
    State(console): State<Console>,
    Reader(who): Reader,
    which: Result<Query<Which>, QueryRejection>,
    paging: Result<Query<Paging>, QueryRejection>,
) -> Answer<Viewers> {
    let (Query(Which { account, app, name }), page) = (which?, paging?.page()?);
    let account = who.scope(account)?;
    let stream = match (&account, app, name) {
        (Some(account), Some(app), Some(name)) => Some(StreamKey::new(account, &app, &name)),
        (_, None, None) => None,
        _ => return Err(ApiError::bad("name", "a stream is an account, an app and a name")),
    };
    let filter = ViewerFilter {
        account: account.as_deref(),
        stream: stream.as_ref(),
        ..ViewerFilter::default()
    };
    let found = console.inner.hub.viewers(filter);
    let total = found.len();
    let viewers = page.of(found).into_iter().map(Viewer::from).collect();
    Ok(Json(Viewers { viewers, total }))
}

/// Sends a viewer away, and does not let its address watch the stream for a time.
#[utoipa::path(post, path = "/api/v1/viewers/{id}/kick", params(("id" = u64, Path)),
    request_body = Kick, responses(
    (status = 200, body = Kicked), (status = 400, body = Refusal), (status = 404, body = Refusal),
))]
pub(crate) async fn kick(
    State(console): State<Console>,
    Operator(who): Operator,
    Path(id): Path<u64>,
    body: Result<Body<Kick>, ApiError>,
) -> Answer<Kicked> {
    let Body(Kick { for_s }) = body?;
    if for_s > FOR_S_MAX {
        return Err(ApiError::bad("for", format!("0 to {FOR_S_MAX} seconds")));
    }
    let nobody = || ApiError::not_found(format!("viewer {id}"));
    let hub = &console.inner.hub;
    // Whoever may not see it must not learn that it is there.
    let filter = ViewerFilter {
        account: who.account.as_deref(),
        after: id.checked_sub(1),
        max: Some(1),
        ..ViewerFilter::default()
    };
    hub.viewers(filter).into_iter().find(|v| v.id == id).ok_or_else(nobody)?;
    let kicked = hub.kick_viewer(id, Duration::from_secs(for_s), Instant::now());
    let kicked = kicked
        .map_err(|why| ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too-many", why.to_string()))?
        .ok_or_else(nobody)?;
    let detail = format!("{} from {} for {for_s} s", kicked.peer, kicked.key);
    console.note(&who, Some(&kicked.key.account), "viewer.kick", detail).await;
    Ok(Json(Kicked { peer: kicked.peer.to_string(), barred_for_s: for_s }))
}

/// Addresses that may not watch a stream for a time, in the order of the streams.
#[utoipa::path(get, path = "/api/v1/viewers/bars", params(Whose, Paging), responses(
    (status = 200, body = Bars), (status = 401, body = Refusal),
))]
pub(crate) async fn bars(
    State(console): State<Console>,
    Reader(who): Reader,
    whose: Result<Query<Whose>, QueryRejection>,
    paging: Result<Query<Paging>, QueryRejection>,
) -> Answer<Bars> {
    let (Query(Whose { account }), page) = (whose?, paging?.page()?);
    let account = who.scope(account)?;
    let found = console.inner.hub.barred_viewers(account.as_deref(), Instant::now());
    let total = found.len();
    let now = now_unix_s();
    let bar = |(address, key, left): (IpAddr, StreamKey, Duration)| Bar {
        account: key.account.to_string(),
        app: key.app.to_string(),
        name: key.name.to_string(),
        address: address.to_string(),
        until: now + left.as_secs(),
    };
    Ok(Json(Bars { bars: page.of(found).into_iter().map(bar).collect(), total }))
}

/// Lets an address watch a stream again.
#[utoipa::path(delete, path = "/api/v1/viewers/bars/{account}/{app}/{name}/{address}",
    params(("account" = String, Path), ("app" = String, Path), ("name" = String, Path),
    ("address" = String, Path)), responses(
    (status = 200, body = Lifted), (status = 400, body = Refusal), (status = 404, body = Refusal),
))]
pub(crate) async fn lift(
    State(console): State<Console>,
    Operator(who): Operator,
    Path((account, app, name, address)): Path<(String, String, String, String)>,
) -> Answer<Lifted> {
    who.must_see(&account)?;
    find(&console, &account)?;
    let address: IpAddr = address.parse().map_err(|_| ApiError::bad("address", "an IP address"))?;
    let key = StreamKey::new(&account, &app, &name);
    let lifted = console.inner.hub.unbar_viewer(&key, address);
    if lifted {
        console.note(&who, Some(&account), "viewer.allow", format!("{address} to {key}")).await;
    }
    Ok(Json(Lifted { lifted }))
}

impl From<ViewerSnapshot> for Viewer {
    fn from(v: ViewerSnapshot) -> Self {
        Viewer {
            id: v.id,
            account: v.key.account.to_string(),
            app: v.key.app.to_string(),
            name: v.key.name.to_string(),
            peer: v.peer.to_string(),
            agent: v.agent,
            protocol: v.protocol.name(),
            since: now_unix_s().saturating_sub(v.since.elapsed().as_secs()),
            bytes: v.bytes,
        }
    }
}

/// A day: longer is a matter for keys.
const FOR_S_MAX: u64 = 86_400;
