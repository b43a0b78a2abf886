//! Who asks, and what is answered.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Method, Request, header};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

/// Somebody who asks: the headers that are sent each time.
#[derive(Clone)]
pub(crate) struct Asker {
    router: Router,
    headers: Vec<(String, String)>,
    peer: Option<SocketAddr>,
}

/// What is answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    asked: String,
}

impl Asker {
    pub(crate) fn nobody(router: &Router) -> Asker {
        Asker { router: router.clone(), headers: Vec::new(), peer: None }
    }

    pub(crate) fn bearer(router: &Router, token: &str) -> Asker {
        Asker::nobody(router).with("authorization", &format!("Bearer {token}"))
    }

    /// The same with a header more.
    pub(crate) fn with(&self, name: &str, value: &str) -> Asker {
        let mut more = self.clone();
        more.headers.push((name.to_owned(), value.to_owned()));
        more
    }

    /// The same from an address.
    pub(crate) fn from(&self, peer: SocketAddr) -> Asker {
        Asker { peer: Some(peer), ..self.clone() }
    }

    /// A browser that was given a session.
    pub(crate) fn browser(&self, session: &Answer) -> Asker {
        self.with("cookie", &session.cookie()).with("host", "console.example.com")
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, None).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.ask("DELETE", path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask("POST", path, Some(body.to_string())).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.ask("PUT", path, Some(body.to_string())).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.ask("PATCH", path, Some(body.to_string())).await
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, body: Option<String>) -> Answer {
        let has_kind = self.headers.iter().any(|(name, _)| name == "content-type");
        let mut request = Request::builder().method(method.parse::<Method>().unwrap()).uri(path);
        if body.is_some() && !has_kind {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(peer) = self.peer {
            request = request.extension(ConnectInfo(peer));
        }
        let request = request.body(Body::from(body.unwrap_or_default())).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Answer { status, headers, text, asked: format!("{method} {path}") }
    }
}

impl Answer {
    /// What it says, if this is its status.
    pub(crate) fn is(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}: {}", self.asked, self.text);
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// What a refusal says: the word, the field, the sentence.
    pub(crate) fn refuses(&self, status: u16) -> (String, String, String) {
        let body = self.is(status);
        let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
        assert!(!text("message").is_empty(), "{}: {}", self.asked, self.text);
        (text("error"), text("field"), text("message"))
    }

    /// What a browser sends back.
    fn cookie(&self) -> String {
        let cookie = self.headers.get(header::SET_COOKIE).unwrap().to_str().unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }
}
