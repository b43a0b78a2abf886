//! URLs: made, and looked at.

use serde_json::{Value, json};
use thalweg_access::Action;
use thalweg_console::model::Role;

use crate::asking::Asker;
use crate::home::Home;

async fn check(asker: &Asker, url: &str, more: Value) -> Value {
    let mut wanted = json!({ "url": url });
    wanted.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    asker.post("/api/v1/check-url", wanted).await.is(200)
}

#[tokio::test]
async fn what_is_signed_here_is_good_here() {
    let home = Home::new("sign").await;
    home.account("7", "school.example.com").await;
    let admin = home.admin().await;
    for scheme in ["md5", "sha256", "strong"] {
        let wanted = json!({ "account": "7", "app": "live/x", "name": "room", "scheme": scheme, "valid_s": 60 });
        let signed = admin.post("/api/v1/sign", wanted).await.is(200);
        assert_eq!((&signed["app"], &signed["name"]), (&json!("live/x"), &json!("room")));
        let push = signed["push"]["rtmp"].as_str().unwrap();
        let (server, key) = (&signed["push"]["server"], &signed["push"]["key"]);
        assert_eq!(
            push,
            format!("{}/{}", server.as_str().unwrap().trim_end_matches('/'), key.as_str().unwrap())
        );
        assert_eq!(signed["play"]["https_flv"], Value::Null, "there is no TLS");
        for (pointer, more) in [
            ("/push/rtmp", json!({ "action": "push" })),
            ("/push/ws", json!({ "action": "push" })),
            ("/play/rtmp", json!({ "action": "play" })),
            ("/play/flv", json!({})),
            ("/play/ws", json!({ "action": "play" })),
            ("/play/rtc", json!({ "action": "play", "way": "udp" })),
        ] {
            let url = signed.pointer(pointer).unwrap().as_str().unwrap();
            let checked = check(&admin, url, more).await;
            assert_eq!(
                (&checked["accepted"], &checked["reason"]),
                (&json!(true), &Value::Null),
                "{scheme} {pointer} {url}: {checked}"
            );
            assert!(
                checked["findings"].as_array().unwrap().iter().all(|f| f["verdict"] != "wrong")
            );
        }
        assert_eq!(home.decides(push, Action::Push), Ok(()));
        // Of another stream it is not.
        let other = push.replace("/room?", "/other?");
        let checked = check(&admin, &other, json!({ "action": "push" })).await;
        assert_eq!((&checked["accepted"], &checked["reason"]), (&json!(false), &json!("auth-bad")));
        let is_wrong = |f: &&Value| f["verdict"] == "wrong";
        let wrong = checked["findings"].as_array().unwrap().iter().find(is_wrong).unwrap();
        assert_eq!(wrong["rule"], "signature", "{wrong}");
    }
}

#[tokio::test]
async fn what_would_be_refused_is_not_signed_and_the_answer_says_why() {
    let home = Home::new("not-signed").await;
    home.account("7", "school.example.com").await;
    let admin = home.admin().await;
    let account = "/api/v1/accounts/7";
    let wanted = |only: &str| json!({ "account": "7", "name": "room", "only": only });
    for (off, on, push, play) in [
        (json!({ "live_pusher": false }), json!({ "live_pusher": true }), "pusher-off", ""),
        (json!({ "live_player": false }), json!({ "live_player": true }), "", "player-off"),
        (
            json!({ "service": false }),
            json!({ "service": true }),
            "service-closed",
            "service-closed",
        ),
        (
            json!({ "category": { "main": "tools" } }),
            json!({ "category": { "main": "social", "sub": "live" } }),
            "not-eligible",
            "not-eligible",
        ),
    ] {
        admin.patch(account, off.clone()).await.is(200);
        for (only, reason) in [("push", push), ("play", play)] {
            let answer = admin.post("/api/v1/sign", wanted(only)).await;
            match reason {
                "" => assert!(answer.is(200)[only].is_object()),
                reason => assert_eq!(answer.refuses(409).0, reason, "{off} {only}"),
            }
        }
        admin.patch(account, on).await.is(200);
    }
    for (wanted, status, field) in [
        (json!({ "account": "9", "name": "room" }), 404, ""),
        (json!({ "account": "7", "name": "" }), 400, "name"),
        (json!({ "account": "7", "name": "a/b" }), 400, "name"),
        (json!({ "account": "7", "name": "room", "app": "/" }), 400, "app"),
        (json!({ "account": "7", "name": "room", "valid_s": 0 }), 400, "valid_s"),
        (json!({ "account": "7", "name": "room", "valid_s": 400_000_000 }), 400, "valid_s"),
        (json!({ "account": "7", "name": "room", "host": "no host" }), 400, "host"),
    ] {
        assert_eq!(
            admin.post("/api/v1/sign", wanted.clone()).await.refuses(status).1,
            field,
            "{wanted}"
        );
    }
    // An account without a host of its own: no URL can mean it.
    let bare = json!({ "bizid": "8", "name": "Bare", "category": { "main": "social", "sub": "live" }, "service": true, "live_pusher": true });
    admin.post("/api/v1/accounts", bare).await.is(201);
    let refused =
        admin.post("/api/v1/sign", json!({ "account": "8", "name": "room", "only": "push" })).await;
    assert_eq!(refused.refuses(400).1, "host");
}

#[tokio::test]
async fn the_strong_signature_has_the_command_lines_name_as_well() {
    let home = Home::new("hmac").await;
    home.account("7", "school.example.com").await;
    let admin = home.admin().await;
    for scheme in ["strong", "hmac"] {
        let wanted = json!({ "account": "7", "name": "room", "scheme": scheme });
        let urls = admin.post("/api/v1/sign", wanted).await.is(200);
        assert!(urls["push"]["rtmp"].as_str().unwrap().contains("?tw="), "{urls}");
    }
}

#[tokio::test]
async fn a_url_is_looked_at_as_what_its_key_is_for() {
    let home = Home::new("whose-key").await;
    home.account("7", "school.example.com").await;
    let admin = home.admin().await;
    let play = json!({ "auth": true });
    admin.patch("/api/v1/accounts/7/domains/2", play).await.is(200);
    let urls = admin.post("/api/v1/sign", json!({ "account": "7", "name": "room" })).await.is(200);
    for (kind, action) in [("push", "push"), ("play", "play")] {
        let url = urls[kind]["rtmp"].as_str().unwrap();
        let checked = admin.post("/api/v1/check-url", json!({ "url": url })).await.is(200);
        assert_eq!((&checked["action"], &checked["accepted"]), (&json!(action), &json!(true)));
        // One that fits neither is looked at as what such URLs usually are.
        let wrong = url.replace("/room?", "/other?");
        let checked = admin.post("/api/v1/check-url", json!({ "url": wrong })).await.is(200);
        assert_eq!((&checked["action"], &checked["accepted"]), (&json!("push"), &json!(false)));
    }
}

#[tokio::test]
async fn a_url_of_nobody_and_one_of_somebody_else_look_the_same() {
    let home = Home::new("whose-url").await;
    home.account("7", "school.example.com").await;
    home.account("8", "bank.example.com").await;
    let own = home.asker(Role::Operator, Some("7")).await;
    let ask = |host: &str| json!({ "url": format!("rtmp://{host}/live/room?txTime=1") });
    own.post("/api/v1/check-url", ask("push.school.example.com")).await.is(200);
    let others = own.post("/api/v1/check-url", ask("push.bank.example.com")).await.refuses(404);
    let nobodys = own.post("/api/v1/check-url", ask("push.nowhere.example.com")).await.refuses(404);
    assert_eq!(others, nobodys);
    // The host that counts is the one in `vhost`.
    let url = "rtmp://127.0.0.1/live/room?txTime=1&vhost=push.bank.example.com";
    own.post("/api/v1/check-url", json!({ "url": url })).await.refuses(404);
    for url in ["room", "http://h/live/room", "rtmp://h/live"] {
        assert_eq!(
            own.post("/api/v1/check-url", json!({ "url": url })).await.refuses(400).1,
            "url"
        );
    }
}
