//! The API, one file a subject. `docs/ref/api.md` is its manual, `docs/ref/openapi.json` says the same for
//! programs and is made from this.
#![allow(unused_qualifications, reason = "what describes the handlers writes its paths out")]

use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::console::Console;

mod accounts;
mod audit;
mod body;
mod callbacks;
mod document;
mod domains;
mod error;
mod gate;
pub(crate) mod guard;
mod history;
mod lists;
mod overview;
mod session;
mod setup;
mod sign;
mod statistics;
pub(crate) mod streams;
mod tokens;
mod users;
mod viewers;

pub(crate) use error::ApiError;

/// The API of a console.
pub(crate) fn router(console: Console) -> Router {
    let (router, api) = described().split_for_parts();
    let document = document::complete(api).to_pretty_json().unwrap_or_default();
    let json = [(axum::http::header::CONTENT_TYPE, "application/json")];
    router
        .route("/api/v1/openapi.json", axum::routing::get(move || async move { (json, document) }))
        .method_not_allowed_fallback(not_so)
        .route("/api/{*path}", axum::routing::any(nothing_here))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn(to_the_end))
        .with_state(console)
}

/// What changes something is done to its end, also when whoever asked hangs up or is not waited for any more: between
/// the store and what is made of it, between the change and the line of the audit, there is no place to stop.
async fn to_the_end(request: Request, next: Next) -> Response {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    let work = tokio::time::timeout(CHANGE_MAX, next.run(request));
    match tokio::spawn(work).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => StatusCode::REQUEST_TIMEOUT.into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// A change that nobody waits for any more: longer than all the store's own bounds together, so that it is only a body
/// that never comes which is given up.
const CHANGE_MAX: Duration = Duration::from_secs(60);
/// Of a request. The longest is the gate's table: 200 rows of 200 names, each of which is some 20 characters, 60 bytes
/// of Chinese.
const BODY_BYTES_MAX: usize = 3 << 20;

/// A path that is asked another way.
async fn not_so() -> ApiError {
    let words = "this is not asked so: docs/ref/api.md says how";
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", words)
}

async fn nothing_here() -> ApiError {
    ApiError::not_found("such path in the API")
}

/// What it can do, for programs.
pub(crate) fn document() -> utoipa::openapi::OpenApi {
    document::complete(described().split_for_parts().1)
}

#[derive(OpenApi)]
#[openapi(info(
    title = "Thalweg",
    description = "The API of a Thalweg server's console. docs/ref/api.md is its manual.",
    license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
))]
struct Document;

fn described() -> OpenApiRouter<Console> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(setup::state, setup::begin))
        .routes(routes!(session::now, session::log_in, session::log_out))
        .routes(routes!(session::change_password))
        .routes(routes!(users::list, users::add))
        .routes(routes!(users::change, users::remove))
        .routes(routes!(tokens::list, tokens::add))
        .routes(routes!(tokens::remove))
        .routes(routes!(overview::overview))
        .routes(routes!(gate::show, gate::set))
        .routes(routes!(accounts::list, accounts::add))
        .routes(routes!(accounts::show, accounts::change, accounts::remove))
        .routes(routes!(accounts::reveal_api_key))
        .routes(routes!(accounts::rotate_api_key))
        .routes(routes!(accounts::revoke))
        .routes(routes!(domains::add))
        .routes(routes!(domains::change, domains::remove))
        .routes(routes!(domains::reveal))
        .routes(routes!(domains::rotate))
        .routes(routes!(domains::drop_backup))
        .routes(routes!(sign::sign))
        .routes(routes!(sign::check_url))
        .routes(routes!(streams::list))
        .routes(routes!(streams::show))
        .routes(routes!(streams::drop_publisher))
        .routes(routes!(streams::forbid))
        .routes(routes!(streams::resume))
        .routes(routes!(streams::forbidden))
        .routes(routes!(history::of_stream))
        .routes(routes!(history::of_account))
        .routes(routes!(viewers::list))
        .routes(routes!(viewers::kick))
        .routes(routes!(viewers::bars))
        .routes(routes!(viewers::lift))
        .routes(routes!(callbacks::list))
        .routes(routes!(callbacks::show))
        .routes(routes!(callbacks::retry))
        .routes(routes!(statistics::points))
        .routes(routes!(audit::list))
}
