//! The vendor's old API: who is refused, and what is written down.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use axum::{Extension, Router};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use thalweg_console::hooks::body::sign;
use tower::ServiceExt;

use crate::home::{Home, now};

/// An account that wants it, 7, and one that does not, 8.
async fn home(name: &str) -> (Home, Router) {
    let home = Home::new(name).await;
    for (bizid, host) in [("7", "school.example.com"), ("8", "other.example.com")] {
        home.account(bizid, host).await;
    }
    home.admin().await.patch("/api/v1/accounts/7", json!({ "old_api": true })).await.is(200);
    let from = SocketAddr::from(([192, 0, 2, 9], 1));
    let router = thalweg_console::public_router(&home.console).layer(Extension(ConnectInfo(from)));
    (home, router)
}

async fn call(router: &Router, query: &str) -> (u16, Value) {
    let request = Request::get(format!("/common_access?{query}")).body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

/// What is signed of an account's requests.
async fn signature(home: &Home, bizid: &str) -> String {
    let account = home.store.account(bizid).await.unwrap().unwrap();
    let t = now() + 60;
    format!("appid={bizid}&t={t}&sign={}", sign(account.api_key.reveal(), t))
}

async fn noted(home: &Home, what: &str) -> Vec<Value> {
    let audit = home.admin().await.get("/api/v1/audit?page_size=300").await.is(200);
    let entries = audit["entries"].as_array().unwrap();
    entries.iter().filter(|entry| entry["what"] == what).cloned().collect()
}

#[tokio::test]
async fn an_account_that_there_is_is_refused_like_one_that_there_is_not() {
    let (home, router) = home("old-refused").await;
    let wrong = format!("t={}&sign=00000000000000000000000000000000", now() + 60);
    let theirs = call(&router, &format!("appid=7&{wrong}")).await;
    assert_eq!((theirs.0, &theirs.1["message"]), (403, &json!("sign invalid")));
    assert_eq!(call(&router, &format!("appid=8&{wrong}")).await, theirs);
    assert_eq!(call(&router, &format!("appid=99&{wrong}")).await, theirs);
    assert_eq!(call(&router, &signature(&home, "8").await).await, theirs, "it does not want it");
    // Some of it is written down, and whoever goes on is slowed down.
    let notes = noted(&home, "old-api.refused").await;
    assert_eq!(notes.len(), 3, "{notes:?}");
    assert_eq!((&notes[2]["account"], &notes[0]["account"]), (&json!("7"), &Value::Null));
    assert_eq!(notes[0]["peer"], "192.0.2.9");
    let mut last = 403;
    for _ in 0..40 {
        last = call(&router, &format!("appid=7&{wrong}")).await.0;
    }
    assert_eq!(last, 429);
    assert_eq!(noted(&home, "old-api.refused").await.len(), 3);
}

#[tokio::test]
async fn the_audit_says_what_was_done() {
    let (home, router) = home("old-deeds").await;
    let signed = signature(&home, "7").await;
    for (interface, more, words) in [
        ("Live_Channel_SetStatus", "&Param.n.status=0", "room forbid: ok"),
        ("Live_Channel_SetStatus", "&Param.n.status=1", "room allow: ok"),
        ("Live_Channel_SetStatus", "&Param.n.status=2", "room drop: ok"),
        ("channel_manager", "&Param.s.action=resume", "room resume: ok"),
        ("Live_Channel_GetLiveChannelList", "", "room: ok"),
    ] {
        let query = format!("{signed}&interface={interface}&Param.s.channel_id=room{more}");
        assert_eq!(call(&router, &query).await.0, 200, "{interface}");
        let newest = noted(&home, "old-api").await.remove(0);
        assert_eq!(newest["detail"], format!("{interface} {words}"));
        assert_eq!(newest["who"], "old-api:7");
    }
}
