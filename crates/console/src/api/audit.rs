//! Who did what.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::error::{Answer, Refusal};
use crate::api::guard::Reader;
use crate::api::lists::Paging;
use crate::console::Console;
use crate::model;

/// What was done, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Audit {
    entries: Vec<Entry>,
    total: u64,
}

/// What somebody did.
#[derive(Debug, Serialize, ToSchema)]
struct Entry {
    id: u64,
    at: u64,
    /// `user:anna`, `token:7`, `old-api:1`, `system`.
    who: String,
    peer: String,
    account: Option<String>,
    what: String,
    detail: String,
}

/// Of which account.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    account: Option<String>,
}

/// What was done, newest first.
#[utoipa::path(get, path = "/api/v1/audit", params(Which, Paging), responses(
    (status = 200, body = Audit), (status = 401, body = Refusal),
))]
pub(crate) async fn list(
    State(console): State<Console>,
    Reader(who): Reader,
    which: Result<Query<Which>, QueryRejection>,
    paging: Result<Query<Paging>, QueryRejection>,
) -> Answer<Audit> {
    let (Query(which), page) = (which?, paging?.page()?);
    let account = who.scope(which.account)?;
    let part = console.store().audits(account.as_deref(), page).await?;
    let entry = |a: model::Audit| {
        let model::Audit { id, at, who, peer, account, what, detail } = a;
        Entry { id, at, who, peer, account, what, detail }
    };
    Ok(Json(Audit { entries: part.items.into_iter().map(entry).collect(), total: part.total }))
}
