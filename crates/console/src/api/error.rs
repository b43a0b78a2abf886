//! How the API says no.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::policy::BadField;
use crate::register::NoChange;
use crate::store::StoreError;
use crate::urls::NoUrl;

/// A refusal, as it is sent.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub(crate) struct Refusal {
    /// A word for programs.
    pub(crate) error: &'static str,
    /// A sentence for people.
    pub(crate) message: String,
    /// Which field of the request is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) field: Option<&'static str>,
    /// Where the gate refuses: the categories that it admits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) categories: Option<Vec<String>>,
}

/// Why a request is not done.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    status: StatusCode,
    refusal: Refusal,
    retry_after_s: Option<u64>,
}

/// What a handler answers.
pub(crate) type Answer<T> = Result<Json<T>, ApiError>;

impl ApiError {
    pub(crate) fn new(
        status: StatusCode,
        error: &'static str,
        message: impl Into<String>,
    ) -> ApiError {
        let refusal = Refusal { error, message: message.into(), ..Refusal::default() };
        ApiError { status, refusal, retry_after_s: None }
    }

    /// The body is not what is wanted.
    pub(crate) fn bad(field: &'static str, message: impl Into<String>) -> ApiError {
        let mut error = ApiError::new(StatusCode::BAD_REQUEST, "bad-request", message);
        error.refusal.field = Some(field);
        error
    }

    /// Nobody is logged in, or the token is not good.
    pub(crate) fn unknown() -> ApiError {
        let words = "log in, or send a token: Authorization: Bearer ...";
        ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", words)
    }

    /// The role does not allow it.
    pub(crate) fn forbidden(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    /// There is no such thing, or it is somebody else's.
    pub(crate) fn not_found(what: impl std::fmt::Display) -> ApiError {
        ApiError::new(StatusCode::NOT_FOUND, "not-found", format!("there is no {what}"))
    }

    /// The same, of a field.
    pub(crate) fn at(mut self, field: &'static str) -> ApiError {
        self.refusal.field = Some(field);
        self
    }

    /// Whether it says that nobody is logged in.
    pub(crate) fn is_unknown(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED
    }

    pub(crate) fn conflict(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::CONFLICT, "conflict", message)
    }

    /// Not admitted by the gate; `admitted` are the categories that are.
    pub(crate) fn not_eligible(message: impl Into<String>, admitted: Vec<String>) -> ApiError {
        let mut error = ApiError::new(StatusCode::CONFLICT, "not-eligible", message);
        error.refusal.categories = Some(admitted);
        error
    }

    /// Too much of it.
    pub(crate) fn too_many(message: impl Into<String>, retry_after_s: u64) -> ApiError {
        let mut error = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too-many", message);
        error.retry_after_s = Some(retry_after_s);
        error
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.refusal)).into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(why: StoreError) -> Self {
        match why {
            StoreError::Conflict => ApiError::conflict(why.to_string()),
            StoreError::Unavailable(_) | StoreError::Damaged(_) => {
                tracing::error!(%why, "the store failed");
                // What a database says of itself is for whoever runs it, and stands in the log.
                let words = "the store does not work: the server's log says why";
                ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "store", words)
            }
        }
    }
}

impl From<BadField> for ApiError {
    fn from(why: BadField) -> Self {
        ApiError::bad(why.field, why.message)
    }
}

impl From<NoChange> for ApiError {
    fn from(why: NoChange) -> Self {
        match why {
            NoChange::NoAccount(bizid) => ApiError::not_found(format!("account {bizid}")),
            NoChange::Bad(field) => field.into(),
            NoChange::Store(why) => why.into(),
            NoChange::Gate(_) => {
                ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "store", why.to_string())
            }
        }
    }
}

impl From<NoUrl> for ApiError {
    fn from(why: NoUrl) -> Self {
        match &why {
            NoUrl::NoAccount(bizid) => ApiError::not_found(format!("account {bizid}")),
            NoUrl::NoHost { .. } => ApiError::bad("host", why.to_string()),
            NoUrl::Refused { reason, .. } => {
                ApiError::new(StatusCode::CONFLICT, reason.code(), why.to_string())
            }
            NoUrl::Token(_) => ApiError::bad("valid_s", why.to_string()),
        }
    }
}

impl From<JsonRejection> for ApiError {
    fn from(why: JsonRejection) -> Self {
        ApiError::new(why.status(), "bad-request", why.body_text())
    }
}

impl From<QueryRejection> for ApiError {
    fn from(why: QueryRejection) -> Self {
        ApiError::new(why.status(), "bad-request", why.body_text())
    }
}

impl From<PathRejection> for ApiError {
    fn from(why: PathRejection) -> Self {
        ApiError::new(why.status(), "bad-request", why.body_text())
    }
}
