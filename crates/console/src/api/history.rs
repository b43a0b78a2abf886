//! Publications that were.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::ApiError;
use crate::api::error::{Answer, Refusal};
use crate::api::guard::Reader;
use crate::api::lists::{Paging, Path};
use crate::console::{Console, now_unix_s};
use crate::model::{self, StreamId};
use crate::redact;

/// Publications, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct History {
    publications: Vec<Publication>,
    total: u64,
}

/// A publication.
#[derive(Debug, Serialize, ToSchema)]
struct Publication {
    sequence: String,
    account: String,
    app: String,
    name: String,
    peer: String,
    agent: String,
    protocol: String,
    /// UNIX seconds.
    began: u64,
    /// UNIX seconds; null while it goes on.
    ended: Option<u64>,
    /// The vendor's number.
    errcode: Option<u32>,
    cause: Option<String>,
    /// Null while it goes on, and where nobody saw its end.
    bytes_in: Option<u64>,
    /// The URL's parameters; signatures are left out. Null where they are damaged.
    params: Option<String>,
}

/// From when to when.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Span {
    /// UNIX seconds; 30 days ago if it is not said.
    from: Option<u64>,
    /// UNIX seconds; now if it is not said.
    to: Option<u64>,
}

/// Of which account.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    account: Option<String>,
}

/// Publications of a stream, newest first.
#[utoipa::path(get, path = "/api/v1/streams/{account}/{app}/{name}/history",
    params(("account" = String, Path), ("app" = String, Path), ("name" = String, Path), Span, Paging),
    responses((status = 200, body = History), (status = 404, body = Refusal)))]
pub(crate) async fn of_stream(
    State(console): State<Console>,
    Reader(who): Reader,
    Path((account, app, name)): Path<(String, String, String)>,
    span: Result<Query<Span>, QueryRejection>,
    paging: Result<Query<Paging>, QueryRejection>,
) -> Answer<History> {
    who.must_see(&account)?;
    let stream = StreamId { account: account.clone(), app, name };
    find(&console, Some(account), Some(stream), span?.0, paging?.0).await
}

/// Publications of an account or of all, newest first.
#[utoipa::path(get, path = "/api/v1/history", params(Which, Span, Paging), responses(
    (status = 200, body = History), (status = 401, body = Refusal),
))]
pub(crate) async fn of_account(
    State(console): State<Console>,
    Reader(who): Reader,
    which: Result<Query<Which>, QueryRejection>,
    span: Result<Query<Span>, QueryRejection>,
    paging: Result<Query<Paging>, QueryRejection>,
) -> Answer<History> {
    let account = who.scope(which?.0.account)?;
    find(&console, account, None, span?.0, paging?.0).await
}

async fn find(
    console: &Console,
    account: Option<String>,
    stream: Option<StreamId>,
    span: Span,
    paging: Paging,
) -> Answer<History> {
    let to = span.to.unwrap_or_else(|| now_unix_s() + 1);
    let from = span.from.unwrap_or_else(|| to.saturating_sub(KEPT_S));
    if from >= to || to > MOMENT_MAX {
        return Err(ApiError::bad("from", "before `to`"));
    }
    let (from_ms, to_ms) = (from * 1000, to * 1000);
    let (account, stream) = (account.as_deref(), stream.as_ref());
    let part =
        console.store().publications(account, stream, from_ms, to_ms, paging.page()?).await?;
    let publications = part.items.into_iter().map(Publication::from).collect();
    Ok(Json(History { publications, total: part.total }))
}

impl From<model::Publication> for Publication {
    fn from(p: model::Publication) -> Self {
        let end = p.end.as_ref();
        Publication {
            began: p.began_ms / 1000,
            ended: end.map(|e| e.at_ms / 1000),
            errcode: end.map(|e| e.errcode),
            cause: end.map(|e| e.cause.clone()),
            bytes_in: end.and_then(|e| e.bytes_in),
            params: p.params.map(|params| redact::params(params.reveal())),
            sequence: p.sequence,
            account: p.stream.account,
            app: p.stream.app,
            name: p.stream.name,
            peer: p.peer,
            agent: p.agent,
            protocol: p.protocol,
        }
    }
}

const KEPT_S: u64 = 30 * 86_400;
/// The year 9999: in ms it is a number of 15 digits.
const MOMENT_MAX: u64 = 253_402_300_799;
