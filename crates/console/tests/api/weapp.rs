//! The demo's *New* button, as the vendor's mini-program presses it.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use axum::{Extension, Router};
use http_body_util::BodyExt;
use serde_json::Value;
use thalweg_access::{Action, Reason};
use thalweg_console::DemoRoom;
use thalweg_console::model::{Account, Category};
use tower::ServiceExt;

use crate::home::{Home, new_account};

/// A server whose first account may push and be watched, as a demo's is.
async fn open(name: &str) -> Home {
    let category = Category { main: "social".to_owned(), sub: Some("live".to_owned()) };
    let (service, live_pusher, live_player) = (true, true, true);
    let closed = new_account("1");
    let open = Account { category, service, live_pusher, live_player, ..closed };
    Home::with(name, vec![open]).await
}

async fn get(router: &Router, path: &str) -> (StatusCode, Value) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

#[tokio::test]
async fn new_gives_urls_that_work_five_times_a_minute_and_only_in_a_demo() {
    let home = open("weapp").await;
    let path = "/weapp/utils/get_test_pushurl";
    let demo = thalweg_console::demo_router(&home.console, "clock");
    let mut names = Vec::new();
    for _ in 0..5 {
        let (status, urls) = get(&demo, path).await;
        assert_eq!(status, StatusCode::OK, "{urls}");
        let push = urls["url_push"].as_str().unwrap();
        assert_eq!(home.decides(push, Action::Push), Ok(()));
        for play in ["url_play_rtmp", "url_play_flv", "url_play_acc"] {
            let play = urls[play].as_str().unwrap();
            assert_eq!(home.decides(play, Action::Play), Ok(()), "{play}");
        }
        assert!(urls.get("url_play_hls").is_none(), "HLS is not served");
        let name = push.split(['/', '?']).nth(4).unwrap().to_owned();
        assert!(name.starts_with("1_user_"), "{name}");
        names.push(name);
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 5, "each is another stream");
    let (status, refusal) = get(&demo, path).await;
    assert_eq!((status, &refusal["error"]), (StatusCode::TOO_MANY_REQUESTS, &"too-many".into()));
    let (status, _) = get(&thalweg_console::public_router(&home.console), path).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "a server for good gives URLs to nobody unasked");
}

#[tokio::test]
async fn a_place_is_kept_for_a_url_for_a_while() {
    let home = open("weapp-given").await;
    let mut given = Vec::new();
    let demo = thalweg_console::demo_router(&home.console, "clock");
    for address in 1..=5_u8 {
        let from =
            demo.clone().layer(Extension(ConnectInfo(SocketAddr::from(([192, 0, 2, address], 1)))));
        for _ in 0..5 {
            given.push(get(&from, "/weapp/utils/get_test_pushurl").await);
        }
    }
    let good = given.iter().filter(|(status, _)| *status == StatusCode::OK).count();
    assert_eq!(good, 20, "however many addresses ask");
    let (status, refusal) = &given[20];
    assert_eq!(*status, StatusCode::TOO_MANY_REQUESTS);
    assert!(refusal["message"].as_str().unwrap().contains("about to be"), "{refusal}");
}

#[tokio::test]
async fn twenty_streams_of_the_buttons_are_live_and_no_more() {
    let home = open("weapp-live").await;
    let room = DemoRoom::new(&home.console);
    let mut seats = Vec::new();
    for n in 0..20 {
        let name = format!("1_user_{n}_x");
        assert_eq!(room.may_begin("1", &name), Ok(()), "{n}");
        seats.push(home.publish_a_little("1", "live", &name));
    }
    assert_eq!(room.may_begin("1", "1_user_20_x"), Err(Reason::Full));
    assert_eq!(room.may_begin("1", "room"), Ok(()), "not the button's");
    let demo = thalweg_console::demo_router(&home.console, "clock");
    let (status, _) = get(&demo, "/weapp/utils/get_test_pushurl").await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    drop(seats.pop());
    assert_eq!(room.may_begin("1", "1_user_20_x"), Ok(()));
    let (status, _) = get(&demo, "/weapp/utils/get_test_pushurl").await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn the_clock_has_a_url_for_rtc_mode() {
    let home = open("weapp-clock").await;
    let demo = thalweg_console::demo_router(&home.console, "clock");
    let (status, urls) = get(&demo, "/weapp/utils/get_test_rtmpaccurl").await;
    let url = urls["url_rtmpacc"].as_str().unwrap();
    assert_eq!(status, StatusCode::OK);
    assert!(url.contains("/live/clock?bizid=1&txSecret="), "{url}");
}
