//! Parts of lists, and of paths.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use crate::api::ApiError;
use crate::model::{PAGE_MAX, Page};

/// Which part of a list is wanted.
#[derive(Debug, Clone, Copy, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(crate) struct Paging {
    /// From 1.
    #[param(minimum = 1, maximum = 1_000_000)]
    page: Option<u64>,
    /// 1 to 300, usually 50.
    #[param(minimum = 1, maximum = 300)]
    page_size: Option<u64>,
}

impl Paging {
    pub(crate) fn page(self) -> Result<Page, ApiError> {
        let (page, limit) = (self.page.unwrap_or(1), self.page_size.unwrap_or(PAGE_USUAL));
        if !(1..=PAGES_MAX).contains(&page) {
            return Err(ApiError::bad("page", format!("1 to {PAGES_MAX}")));
        }
        if !(1..=PAGE_MAX).contains(&limit) {
            return Err(ApiError::bad("page_size", format!("1 to {PAGE_MAX}")));
        }
        Ok(Page { offset: (page - 1) * limit, limit })
    }
}

impl Page {
    /// The part of a list that is all there.
    pub(crate) fn of<T>(self, items: impl IntoIterator<Item = T>) -> Vec<T> {
        items.into_iter().skip(self.offset as usize).take(self.limit as usize).collect()
    }
}

/// What a list is searched for, in lower case.
pub(crate) fn searched(query: Option<String>) -> Result<String, ApiError> {
    let query = query.unwrap_or_default();
    match query.chars().count() <= QUERY_CHARS_MAX {
        true => Ok(query.to_lowercase()),
        false => Err(ApiError::bad("query", format!("at most {QUERY_CHARS_MAX} characters"))),
    }
}

/// What a path names. One that cannot be is refused like everything else.
#[derive(Debug)]
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let found = axum::extract::Path::from_request_parts(parts, state).await;
        found.map(|axum::extract::Path(named)| Path(named)).map_err(ApiError::from)
    }
}

const PAGE_USUAL: u64 = 50;
const PAGES_MAX: u64 = 1_000_000;
/// Longer than any name.
const QUERY_CHARS_MAX: usize = 100;
