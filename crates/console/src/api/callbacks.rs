//! Callbacks: what was told, and what could not be.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::ApiError;
use crate::api::error::{Answer, Refusal};
use crate::api::guard::{Operator, Reader};
use crate::api::lists::{Paging, Path};
use crate::auth::Who;
use crate::console::Console;
use crate::hooks::outbox::RetryError;
use crate::model::{Delivery, DeliveryState};
use crate::redact;

/// Callbacks, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Callbacks {
    callbacks: Vec<Callback>,
    total: u64,
}

/// A callback.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Callback {
    id: u64,
    account: String,
    /// The vendor's `event_type`: 1 began, 0 ended, 321 anomalies.
    event: u32,
    /// `app/name`.
    stream: String,
    state: DeliveryState,
    tries: u32,
    /// When it is tried next, or was last, UNIX seconds.
    due: u64,
    /// What came of the last try.
    outcome: String,
    /// When it happened, UNIX seconds.
    made: u64,
    /// What is said; signatures are left out. Only of a single one, and not where it is damaged.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    body: Option<serde_json::Value>,
}

/// Which.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    account: Option<String>,
    state: Option<DeliveryState>,
}

/// Callbacks, newest first.
#[utoipa::path(get, path = "/api/v1/callbacks", params(Which, Paging), responses(
    (status = 200, body = Callbacks), (status = 401, body = Refusal),
))]
pub(crate) async fn list(
    State(console): State<Console>,
    Reader(who): Reader,
    which: Result<Query<Which>, QueryRejection>,
    paging: Result<Query<Paging>, QueryRejection>,
) -> Answer<Callbacks> {
    let (Query(Which { account, state }), page) = (which?, paging?.page()?);
    let account = who.scope(account)?;
    let part = console.store().deliveries(account.as_deref(), state, page).await?;
    let callbacks = part.items.into_iter().map(Callback::from).collect();
    Ok(Json(Callbacks { callbacks, total: part.total }))
}

/// One callback, with what it says.
#[utoipa::path(get, path = "/api/v1/callbacks/{id}", params(("id" = u64, Path)), responses(
    (status = 200, body = Callback), (status = 404, body = Refusal),
))]
pub(crate) async fn show(
    State(console): State<Console>,
    Reader(who): Reader,
    Path(id): Path<u64>,
) -> Answer<Callback> {
    let delivery = find(&console, &who, id).await?;
    let mut body = delivery.body.as_ref().and_then(|b| serde_json::from_str(b.reveal()).ok());
    if let Some(body) = &mut body {
        redact::params_in(body);
    }
    Ok(Json(Callback { body, ..delivery.into() }))
}

/// Tries one again that was given up.
#[utoipa::path(post, path = "/api/v1/callbacks/{id}/retry", params(("id" = u64, Path)), responses(
    (status = 200, body = Callback), (status = 404, body = Refusal), (status = 409, body = Refusal),
))]
pub(crate) async fn retry(
    State(console): State<Console>,
    Operator(who): Operator,
    Path(id): Path<u64>,
) -> Answer<Callback> {
    let delivery = console.inner.postman.retry(id, who.account.as_deref()).await;
    let delivery = delivery.map_err(|why| match why {
        RetryError::Unknown => ApiError::not_found(format!("callback {id}")),
        RetryError::NotFailed => ApiError::conflict(why.to_string()),
        RetryError::Store(why) => why.into(),
    })?;
    console.note(&who, Some(&delivery.account), "callback.retry", id.to_string()).await;
    Ok(Json(delivery.into()))
}

async fn find(console: &Console, who: &Who, id: u64) -> Result<Delivery, ApiError> {
    let delivery = console.store().delivery(id).await?.filter(|d| who.sees(&d.account));
    delivery.ok_or_else(|| ApiError::not_found(format!("callback {id}")))
}

impl From<Delivery> for Callback {
    fn from(d: Delivery) -> Self {
        let (due, made) = (d.due_ms / 1000, d.made_ms / 1000);
        let Delivery { id, account, event, stream, state, tries, outcome, .. } = d;
        Callback { id, account, event, stream, state, tries, due, outcome, made, body: None }
    }
}
