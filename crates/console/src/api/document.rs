//! What is the same of every operation: who may ask, and how it says no. Written into the document once, not
//! beside each handler.

use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{Content, OpenApi, Ref, ResponseBuilder};

use crate::api::guard::SESSION_COOKIE;

/// Completes what the handlers say of themselves.
pub(super) fn complete(mut api: OpenApi) -> OpenApi {
    for (path, item) in &mut api.paths.paths {
        for (method, operation) in operations(item) {
            complete_operation(path, method, operation);
        }
    }
    if let Some(components) = &mut api.components {
        let cookie = ApiKey::Cookie(ApiKeyValue::new(SESSION_COOKIE));
        let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        let both =
            [(TOKEN, SecurityScheme::Http(token)), (SESSION, SecurityScheme::ApiKey(cookie))];
        components
            .security_schemes
            .extend(both.map(|(name, scheme)| (name.to_owned(), scheme.into())));
    }
    api
}

fn complete_operation(path: &str, method: &str, operation: &mut Operation) {
    let changes = method != "get";
    let has_body = operation.request_body.is_some();
    let has_parameters = operation.parameters.as_ref().is_some_and(|p| !p.is_empty());
    let is_public = OF_ANYBODY.contains(&(method, path));
    if !is_public {
        let requirement = |name| SecurityRequirement::new(name, [] as [&str; 0]);
        operation.security = Some(vec![requirement(TOKEN), requirement(SESSION)]);
    }
    let lacks = [
        ("400", has_body || has_parameters, "what is asked is not what is wanted"),
        ("401", !is_public, "not logged in, or the token is not good"),
        (
            "403",
            !is_public || changes,
            "the role does not allow it, or a page of another site asks",
        ),
        ("408", true, "it took more than 10 s"),
        ("413", has_body, "the body has more than 16 KiB"),
        ("415", has_body, "the body is not said to be JSON"),
        ("422", has_body, "the body is JSON of another form"),
        (
            "429",
            !is_public,
            "too many requests with a token, or too many wrong ones; `Retry-After` says when",
        ),
        ("503", true, "the store does not work; what is live goes on"),
    ];
    for (status, applies, words) in lacks {
        if applies {
            let all = &mut operation.responses.responses;
            all.entry(status.to_owned()).or_insert_with(|| {
                let response = ResponseBuilder::new().description(words);
                // Whoever gave up waiting has nothing left to say it with.
                if status == "408" {
                    return response.build().into();
                }
                let refusal = Content::new(Some(Ref::from_schema_name("Refusal")));
                response.content("application/json", refusal).build().into()
            });
        }
    }
}

/// What a path can be asked.
fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    let all = [("get", get), ("put", put), ("post", post), ("delete", delete), ("patch", patch)];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// Whoever has not logged in may ask these.
const OF_ANYBODY: [(&str, &str); 3] =
    [("get", "/api/v1/setup"), ("post", "/api/v1/setup"), ("post", "/api/v1/session")];
const TOKEN: &str = "token";
const SESSION: &str = "session";
