//! What a request says.

use axum::Json;
use axum::body::{Body as Stream, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;

use crate::api::ApiError;

/// The JSON of a request: an object, as each of them is. A list of the same values in the order in which we
/// happen to have written them down is none.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let (parts, stream) = request.into_parts();
        let bytes = Bytes::from_request(Request::from_parts(parts.clone(), stream), state).await;
        let bytes =
            bytes.map_err(|why| ApiError::new(why.status(), "bad-request", why.body_text()))?;
        let is_list = bytes.trim_ascii_start().starts_with(b"[");
        let request = Request::from_parts(parts, Stream::from(bytes));
        let Json(body) = Json::from_request(request, state).await?;
        match is_list {
            true => Err(ApiError::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "bad-request",
                "a body is an object, with names",
            )),
            false => Ok(Body(body)),
        }
    }
}
