//! The vendor's old API: who is refused, and what is written down.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use axum::{Extension, Router};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use thalweg_console::hooks::body::sign;
use thalweg_console::model::Minute;
use thalweg_hub::{Lag, Protocol, StreamKey};
use tower::ServiceExt;

use crate::home::{Home, now, stream};

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
async fn who_hangs_up_does_not_leave_a_stream_half_forbidden() {
    let (home, router) = home("old-hang-up").await;
    let _seat = home.publish_a_little("7", "live", "room");
    let signed = signature(&home, "7").await;
    let query = format!(
        "{signed}&interface=Live_Channel_SetStatus&Param.s.channel_id=room&Param.n.status=0"
    );
    // It begins, and is not waited for.
    let hangs_up = tokio::time::timeout(Duration::ZERO, call(&router, &query)).await;
    assert!(hangs_up.is_err(), "it takes the disk a moment");
    for _ in 0..500 {
        if noted(&home, "old-api")
            .await
            .iter()
            .any(|e| e["detail"].as_str().unwrap().ends_with("ok"))
        {
            assert!(
                !home.hub.is_live(&StreamKey::new("7", "live", "room")),
                "forbidden in the store and on the air"
            );
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it was given up half-way");
}

/// Everything of the interfaces that only look, of an account with two live streams and some past, beside another that
/// has as much.
#[tokio::test]
async fn statistics_are_of_the_account_and_as_the_vendor_has_them() {
    let (home, router) = home("old-statistics").await;
    home.admin().await.patch("/api/v1/accounts/8", json!({ "old_api": true })).await.is(200);
    let _seats = [
        home.publish_a_little("7", "live", "room"),
        home.publish_a_little("7", "class", "hall"),
        home.publish_a_little("8", "live", "theirs"),
    ];
    let watch = |bizid, name| {
        let key = StreamKey::new(bizid, "live", name);
        home.hub.subscribe(&key, Protocol::Rtmp, Lag::LIVE, Instant::now()).unwrap()
    };
    let _viewers = [watch("7", "room"), watch("8", "theirs")];
    let start = now() / 300 * 300 - 600;
    let minute = |bizid: &str, name: &str, at: u64| Minute {
        stream: stream(bizid, "live", name),
        at,
        bytes_in: 3_000_000,
        bytes_out: 6_000_000,
        viewers_max: 4,
        live_s: 60,
    };
    let minutes: Vec<Minute> = [("7", "room"), ("8", "theirs")]
        .iter()
        .flat_map(|(bizid, name)| {
            [start, start + 60, start + 300].map(|at| minute(bizid, name, at))
        })
        .collect();
    home.store.add_minutes(&minutes).await.unwrap();
    let signed = signature(&home, "7").await.replace("appid=", "cmd=");
    let ask = async |interface: &str, more: &str| {
        call(&router, &format!("{signed}&interface={interface}{more}")).await
    };
    let output = async |interface: &str, more: &str| {
        let (status, body) = ask(interface, more).await;
        assert_eq!((status, &body["ret"]), (200, &json!(0)), "{interface}{more}: {body}");
        body["output"].clone()
    };
    let ret = async |interface: &str, more: &str| ask(interface, more).await.1["ret"].clone();

    let list = output("Live_Channel_GetLiveChannelList", "").await;
    assert_eq!(list["all_count"], 2);
    let both = output("Get_LiveStat", "").await;
    assert_eq!((&both[0]["stream_count"], &both[0]["total_online"]), (&json!(2), &json!(1)));
    let names: Vec<_> =
        both[0]["stream_info"].as_array().unwrap().iter().map(|s| &s["stream_name"]).collect();
    assert_eq!(names, ["hall", "room"]);
    let one = output("Get_LiveStat", "&Param.s.stream_id=room").await;
    let room = &one[0]["stream_info"][0];
    for field in ["stream_name", "bandwidth", "online", "fps", "speed", "client_ip", "server_ip"] {
        assert!(room.get(field).is_some(), "{field} is not in {room}");
    }
    let played = output("Get_LivePlayStat", "&Param.s.stream_id=room").await;
    let row = &played[0]["stream_info"][0];
    assert!(row["online"] == 1 && row.get("client_ip").is_none(), "{row}");
    let pushed = output("Get_LivePushStat", "&Param.n.page_no=2&Param.n.page_size=1").await;
    assert_eq!(pushed[0]["stream_info"][0]["stream_name"], "room", "the second of two");
    assert_eq!(ret("Get_LiveStat", "&Param.s.stream_id=theirs").await, 1301);
    assert_eq!(ret("Get_LiveStat", "&Param.n.page_size=301").await, 1204);
    assert_eq!(ret("Get_LiveStat", "&Param.n.page_no=one").await, 1204);

    let span = format!("&Param.n.start_time={start}&Param.n.end_time={}", start + 600);
    let history = output("Get_LivePlayStatHistory", &span).await;
    let rows = history[0]["stat_info"].as_array().unwrap();
    assert_eq!(rows.len(), 2, "five minutes a row");
    assert_eq!(rows[0], json!({ "time": start, "bandwidth": 0.32, "online": 4, "flux": 12.0 }));
    assert_eq!(history[0]["sum_info"]["sum_flux"], 18.0);
    let history = output("Get_LivePushStatHistory", &span).await;
    assert_eq!(history[0]["sum_info"]["sum_flux"], 9.0);
    assert_eq!(history[0]["stat_info"][0]["online"], 1, "streams");
    let theirs = format!("{span}&Param.s.stream_id=theirs");
    assert_eq!(ret("Get_LivePlayStatHistory", &theirs).await, 10003);
    let old = now() - 16 * 86_400;
    assert_eq!(ret("Get_LivePlayStatHistory", &format!("&Param.n.start_time={old}")).await, 1204);

    let (status, body) = ask("Get_Nothing", "").await;
    assert_eq!((status, &body["message"]), (404, &json!("cmd is invalid")));
    // What is another's cannot be touched either.
    let drop = "&Param.s.channel_id=theirs&Param.n.status=2";
    ask("Live_Channel_SetStatus", drop).await;
    ask("Live_Channel_SetStatus", &drop.replace("status=2", "status=0")).await;
    assert!(home.hub.is_live(&StreamKey::new("8", "live", "theirs")));
    assert_eq!(
        ret("Live_Channel_GetStatus", "&Param.s.channel_id=theirs").await,
        0,
        "its own, forbidden"
    );
    // One whose app is not `live` is found while it is live.
    let status = output("Live_Channel_GetStatus", "&Param.s.channel_id=hall").await;
    assert_eq!(status[0]["status"], 1);
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
