//! Streams and who watches them; what was, and what was counted.

use std::time::Instant;

use futures_util::FutureExt;
use serde_json::{Value, json};
use thalweg_console::model::{Audit, Minute, PublicationEnd, Role};
use thalweg_hub::{Leave, PublishError, Publisher, StreamKey};

use crate::home::{Home, now, peer, publication, stream};

fn names(list: &Value, of: &str) -> Vec<String> {
    let text = |field: &Value| field.as_str().unwrap().to_owned();
    let name = |item: &Value| {
        format!("{}/{}/{}", text(&item["account"]), text(&item["app"]), text(&item["name"]))
    };
    list[of].as_array().unwrap().iter().map(name).collect()
}

#[tokio::test]
async fn a_list_has_what_is_asked_for_in_the_order_of_names() {
    let home = Home::new("list").await;
    home.account("7", "school.example.com").await;
    let _seats = [
        home.publish("7", "live", "b"),
        home.publish("7", "live", "a"),
        home.publish("1", "class/2b", "Room"),
    ];
    drop(home.publish("1", "live", "gone"));
    let admin = home.admin().await;
    for (query, want, total) in [
        ("", &["1/class/2b/Room", "1/live/gone", "7/live/a", "7/live/b"][..], 4),
        ("?account=7", &["7/live/a", "7/live/b"], 2),
        ("?account=9", &[], 0),
        ("?query=B", &["1/class/2b/Room", "7/live/b"], 2),
        ("?query=live/a", &["7/live/a"], 1),
        ("?query=CLASS%2F2B", &["1/class/2b/Room"], 1),
        ("?live=false", &["1/live/gone"], 1),
        ("?live=true&account=1", &["1/class/2b/Room"], 1),
        ("?page_size=2", &["1/class/2b/Room", "1/live/gone"], 4),
        ("?page=2&page_size=3", &["7/live/b"], 4),
        ("?page=1000000&page_size=300", &[], 4),
    ] {
        let list = admin.get(&format!("/api/v1/streams{query}")).await.is(200);
        assert_eq!(
            (names(&list, "streams"), &list["total"]),
            (want.iter().map(ToString::to_string).collect(), &json!(total)),
            "{query}"
        );
    }
    let own = home.asker(Role::ReadOnly, Some("7")).await;
    assert_eq!(own.get("/api/v1/streams").await.is(200)["total"], 2);
}

#[tokio::test]
async fn a_stream_is_described() {
    let home = Home::new("detail").await;
    let _seat = home.publish("1", "live/x", "room");
    let admin = home.admin().await;
    let one = admin.get("/api/v1/streams/1/live%2Fx/room").await.is(200);
    let list = admin.get("/api/v1/streams").await.is(200);
    for (pointer, want) in [
        ("/account", json!("1")),
        ("/app", json!("live/x")),
        ("/name", json!("room")),
        ("/live", json!(true)),
        ("/publisher/address", json!("192.0.2.7:5000")),
        ("/publisher/agent", json!("obs")),
        ("/video/codec", json!("h264")),
        ("/video/width", json!(640)),
        ("/video/height", json!(360)),
        ("/video/gop_ms", json!(1000)),
        ("/audio/codec", json!("aac")),
        ("/audio/sample_rate", json!(32_000)),
        ("/audio/channels", json!(1)),
        ("/viewers/rtmp", json!(0)),
        ("/jumps", json!(0)),
    ] {
        assert_eq!(one.pointer(pointer), Some(&want), "{pointer}");
        assert_eq!(list["streams"][0].pointer(pointer), Some(&want), "{pointer} in the list");
    }
    assert_eq!((&one["forbidden"], &one["seconds"]), (&Value::Null, &json!([])));
    admin.get("/api/v1/streams/1/live/room").await.refuses(404);
}

#[tokio::test]
async fn a_publisher_that_is_dropped_may_come_back() {
    let home = Home::new("drop").await;
    let seat = home.publish("1", "live", "room");
    let admin = home.admin().await;
    let path = "/api/v1/streams/1/live/room/drop";
    assert_eq!(admin.post(path, json!({})).await.is(200), json!({ "dropped": true }));
    assert!(matches!(seat.must_leave().now_or_never(), Some(Leave::Kicked { .. })));
    drop(seat);
    assert_eq!(admin.post(path, json!({})).await.is(200), json!({ "dropped": false }));
    let _seat = home.publish("1", "live", "room");
}

#[tokio::test]
async fn what_is_forbidden_stays_so_over_a_restart_until_its_moment() {
    let home = Home::new("forbid").await;
    let seat = home.publish("1", "live/x", "room");
    let admin = home.admin().await;
    let path = |what: &str| format!("/api/v1/streams/1/live%2Fx/room/{what}");
    for until in [now(), now() + 91 * 86_400] {
        let refused = admin.post(&path("forbid"), json!({ "until": until })).await.refuses(400);
        assert_eq!(refused.1, "until");
    }
    let usual = admin.post(&path("forbid"), json!({})).await.is(200)["until"].as_u64().unwrap();
    assert!((now() + 7 * 86_400).abs_diff(usual) < 5);
    assert!(matches!(seat.must_leave().now_or_never(), Some(Leave::Kicked { .. })));
    let until = now() + 1000;
    let wanted = json!({ "until": until, "reason": "a copyright" });
    admin.post(&path("forbid"), wanted).await.is(200);
    let list = admin.get("/api/v1/streams").await.is(200);
    let why = json!({ "until": until, "reason": "a copyright" });
    assert_eq!(list["streams"][0]["forbidden"], why, "{list}");
    drop(seat);

    let home = home.restarted().await;
    let admin = home.admin().await;
    assert!(matches!(publish(&home), Err(PublishError::Barred(_))));
    let list = admin.get("/api/v1/forbidden").await.is(200);
    let what = json!([{ "account": "1", "app": "live/x", "name": "room", "until": until, "reason": "a copyright" }]);
    assert_eq!(list["forbidden"], what);
    assert_eq!(admin.get("/api/v1/overview").await.is(200)["forbidden"], 1);
    // It has a page, though nobody publishes it.
    let one = admin.get("/api/v1/streams/1/live%2Fx/room").await.is(200);
    assert_eq!((&one["live"], &one["forbidden"]["until"]), (&json!(false), &json!(until)));
    for resumed in [true, false] {
        assert_eq!(
            admin.post(&path("resume"), json!({})).await.is(200),
            json!({ "resumed": resumed })
        );
    }
    publish(&home).unwrap();
    assert_eq!(admin.get("/api/v1/forbidden").await.is(200), json!({ "forbidden": [] }));
}

fn publish(home: &Home) -> Result<(), PublishError> {
    let publisher = Publisher { peer: peer(7), credential: None, agent: String::new() };
    let key = StreamKey::new("1", "live/x", "room");
    home.hub.publish(&key, publisher, Instant::now()).map(drop)
}

#[tokio::test]
async fn of_an_account_that_is_not_there_nothing_is_forbidden() {
    let home = Home::new("forbid-absent").await;
    let admin = home.admin().await;
    for what in ["drop", "forbid", "resume"] {
        admin.post(&format!("/api/v1/streams/9/live/room/{what}"), json!({})).await.refuses(404);
    }
    assert_eq!(admin.get("/api/v1/forbidden").await.is(200), json!({ "forbidden": [] }));
}

#[tokio::test]
async fn the_history_is_newest_first_and_has_pages_and_no_signatures() {
    let home = Home::new("history").await;
    home.account("7", "school.example.com").await;
    let began_ms = |n: u64| (now() - 100 + n) * 1000;
    for n in 0..7 {
        let of =
            if n % 2 == 0 { stream("7", "live", "room") } else { stream("1", "live/x", "hall") };
        let publication = publication(of, began_ms(n));
        home.store.publication_began(&publication, None).await.unwrap();
        if n == 6 {
            let cause = "the publisher deleted its stream".to_owned();
            let end =
                PublicationEnd { at_ms: began_ms(9), errcode: 1, cause, bytes_in: Some(1000) };
            home.store.publication_ended(&publication.sequence, &end, None).await.unwrap();
        }
    }
    let admin = home.admin().await;
    for (path, want, total) in [
        ("history?page_size=3", &[6, 5, 4][..], 7),
        ("history?page_size=3&page=3", &[0], 7),
        ("history?account=7", &[6, 4, 2, 0], 4),
        ("streams/1/live%2Fx/hall/history", &[5, 3, 1], 3),
        ("streams/7/live/room/history?page=2&page_size=2", &[2, 0], 4),
        ("streams/7/live/hall/history", &[], 0),
    ] {
        let list = admin.get(&format!("/api/v1/{path}")).await.is(200);
        let all = list["publications"].as_array().unwrap();
        let began: Vec<_> = all.iter().map(|p| p["began"].as_u64().unwrap()).collect();
        let want: Vec<_> = want.iter().map(|n| began_ms(*n) / 1000).collect();
        assert!(
            began.len() == want.len() && began.iter().zip(&want).all(|(a, b)| a.abs_diff(*b) < 2),
            "{path}"
        );
        assert_eq!(list["total"], total, "{path}");
    }
    let list = admin.get("/api/v1/history").await.is(200);
    let [last, before] = [0, 1].map(|n| &list["publications"][n]);
    assert_eq!(
        (&last["errcode"], &last["bytes_in"], &before["ended"]),
        (&json!(1), &json!(1000), &Value::Null)
    );
    assert_eq!(last["params"], "txSecret=...&txTime=65A5F1C0&room=7");
    let span = format!("/api/v1/history?from={}&to={}", now() - 200, now() - 150);
    assert_eq!(admin.get(&span).await.is(200)["total"], 0);
    admin.get("/api/v1/history?from=5&to=5").await.refuses(400);
    let own = home.asker(Role::ReadOnly, Some("7")).await;
    assert_eq!(own.get("/api/v1/history").await.is(200)["total"], 4);
}

#[tokio::test]
async fn a_viewer_that_is_sent_away_may_not_come_back_for_a_time() {
    let home = Home::new("viewers").await;
    home.account("7", "school.example.com").await;
    let all = [("7", "room", 1), ("7", "hall", 2), ("1", "room", 3), ("7", "room", 4)];
    let watching = all.map(|(account, name, from)| home.watch(account, "live", name, from));
    watching[0].orders().look(1234);
    let admin = home.admin().await;
    for (query, want, total) in [
        ("", &[1, 2, 3, 4][..], 4),
        ("?account=7", &[1, 2, 4], 3),
        ("?account=7&app=live&name=room", &[1, 4], 2),
        ("?account=7&page=2&page_size=2", &[4], 3),
    ] {
        let list = admin.get(&format!("/api/v1/viewers{query}")).await.is(200);
        let peers = list["viewers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v["peer"].as_str().unwrap().to_owned());
        let want: Vec<_> = want.iter().map(|n| peer(*n).to_string()).collect();
        assert_eq!((peers.collect::<Vec<_>>(), &list["total"]), (want, &json!(total)), "{query}");
    }
    let first = &admin.get("/api/v1/viewers").await.is(200)["viewers"][0];
    assert_eq!(
        (&first["bytes"], &first["protocol"], &first["agent"]),
        (&json!(1234), &json!("http-flv"), &json!("player"))
    );
    assert_eq!(admin.get("/api/v1/viewers?app=live&name=room").await.refuses(400).1, "name");
    let kick = |viewer: usize| format!("/api/v1/viewers/{}/kick", watching[viewer].id());
    assert_eq!(admin.post(&kick(0), json!({ "for": 86_401 })).await.refuses(400).1, "for");
    admin.post(&kick(0), json!({ "for": 60 })).await.is(200);
    assert!(watching[0].orders().away().is_some() && watching[3].orders().away().is_none());
    let may = |name: &str, from: u8| {
        let key = StreamKey::new("7", "live", name);
        home.hub.may_watch(&key, peer(from).ip(), Instant::now()).is_ok()
    };
    assert_eq!((may("room", 1), may("hall", 1), may("room", 4)), (false, true, true));
    // The operator of an account has its viewers and no others.
    let own = home.asker(Role::Operator, Some("7")).await;
    own.post(&kick(2), json!({ "for": 0 })).await.refuses(404);
    own.post(&kick(1), json!({ "for": 0 })).await.is(200);
    assert!(watching[2].orders().away().is_none());
    admin.post("/api/v1/viewers/999/kick", json!({ "for": 0 })).await.refuses(404);
}

#[tokio::test]
async fn of_those_who_forbid_and_allow_at_once_the_last_one_holds_in_both_places() {
    let home = Home::new("forbid-at-once").await;
    home.account("7", "school.example.com").await;
    let admin = home.admin().await;
    for round in 0..5 {
        let all = (0..12).map(|n| {
            let what = if n % 2 == round % 2 { "forbid" } else { "resume" };
            let (admin, path) = (&admin, format!("/api/v1/streams/7/live/room/{what}"));
            async move { admin.post(&path, json!({})).await }.boxed()
        });
        for answer in futures_util::future::join_all(all).await {
            answer.is(200);
        }
        let written = home.store.forbids(Some("7"), now()).await.unwrap().len();
        assert_eq!(home.hub.barred(Instant::now()).len(), written, "round {round}");
    }
}

#[tokio::test]
async fn an_address_that_was_sent_away_is_listed_and_let_in_again() {
    let home = Home::new("bars").await;
    home.account("7", "school.example.com").await;
    let viewer = home.watch("7", "live/a", "room", 9);
    let (admin, own) = (home.admin().await, home.asker(Role::Operator, Some("7")).await);
    let kick = json!({ "for": 600 });
    own.post(&format!("/api/v1/viewers/{}/kick", viewer.id()), kick).await.is(200);
    let list = own.get("/api/v1/viewers/bars").await.is(200);
    assert_eq!((&list["total"], &list["bars"][0]["address"]), (&json!(1), &json!("192.0.2.9")));
    assert!(list["bars"][0]["until"].as_u64().unwrap() > now() + 500);
    assert_eq!(admin.get("/api/v1/viewers/bars?account=1").await.is(200)["total"], 0);
    let path = "/api/v1/viewers/bars/7/live%2Fa/room/192.0.2.9";
    assert_eq!(own.delete(path).await.is(200), json!({ "lifted": true }));
    assert_eq!(own.delete(path).await.is(200), json!({ "lifted": false }));
    assert_eq!(own.get("/api/v1/viewers/bars").await.is(200)["bars"], json!([]));
    let nobody = "/api/v1/viewers/bars/7/live/room/nobody";
    assert_eq!(own.delete(nobody).await.refuses(400).1, "address");
    home.watch("7", "live/a", "room", 9);
}

#[tokio::test]
async fn what_was_done_is_written_down_for_people() {
    let home = Home::new("audit-words").await;
    home.account("7", "school.example.com").await;
    let admin = home.admin().await;
    admin.patch("/api/v1/accounts/7", json!({ "service": false, "name": "A bank" })).await.is(200);
    admin.post("/api/v1/accounts/7/revoke", json!({ "before": 1_705_300_864_u64 })).await.is(200);
    admin
        .post("/api/v1/accounts/7/revoke", json!({ "stream": "live/a", "undo": true }))
        .await
        .is(200);
    let rotate = json!({ "keep_backup": false });
    admin.post("/api/v1/accounts/7/domains/1/rotate", rotate).await.is(200);
    admin.post("/api/v1/accounts/7/domains/2/reveal", json!({})).await.is(200);
    let audit = admin.get("/api/v1/audit?account=7&page_size=5").await.is(200);
    let details: Vec<_> = audit["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["detail"].as_str().unwrap())
        .collect();
    let want = [
        "play play.school.example.com",
        "push push.school.example.com, without the old key as backup",
        "live/a: taken back",
        "all URLs: those from before 2024-01-15 06:41:04 UTC",
        "name School school.example.com -> A bank, service true -> false",
    ];
    assert_eq!(details, want);
}

#[tokio::test]
async fn minutes_are_added_up_to_the_step_that_is_asked_for() {
    let home = Home::new("statistics").await;
    let from = now() / 3600 * 3600 - 7200;
    let minute = |n: u64, name: &str| {
        let (at, stream) = (from + n * 60, stream("1", "live", name));
        Minute { at, stream, bytes_in: 10, bytes_out: 100, viewers_max: 2, live_s: 60 }
    };
    let minutes: Vec<_> = (0..60).flat_map(|n| [minute(n, "a"), minute(n, "b")]).collect();
    home.store.add_minutes(&minutes).await.unwrap();
    let admin = home.admin().await;
    let to = from + 3600;
    for (query, points, bytes_in, step) in [
        ("", 60, 20, 60),
        ("&step=600", 6, 200, 600),
        ("&step=61", 30, 40, 120),
        ("&account=1&app=live&name=a", 60, 10, 60),
    ] {
        let graph =
            admin.get(&format!("/api/v1/statistics?from={from}&to={to}{query}")).await.is(200);
        let all = graph["points"].as_array().unwrap();
        assert_eq!(
            (all.len(), &all[0]["bytes_in"], &graph["step"]),
            (points, &json!(bytes_in), &json!(step)),
            "{query}"
        );
    }
    // Steps are whole ones by the clock, and each of them is there.
    let odd = format!("/api/v1/statistics?from={}&to={}&step=600", from - 900, to + 1);
    let graph = admin.get(&odd).await.is(200);
    let all = graph["points"].as_array().unwrap();
    let moments: Vec<u64> = all.iter().map(|p| p["at"].as_u64().unwrap()).collect();
    assert_eq!(moments, (0..9).map(|n| from - 1200 + n * 600).collect::<Vec<_>>());
    let bytes: Vec<u64> = all.iter().map(|p| p["bytes_in"].as_u64().unwrap()).collect();
    assert_eq!(bytes, [0, 0, 200, 200, 200, 200, 200, 200, 0]);
    // A month has as many points as a screen has room for.
    let month = format!("/api/v1/statistics?from={}&to={to}", to - 31 * 86_400);
    let graph = admin.get(&month).await.is(200);
    assert!(graph["step"].as_u64().unwrap() >= 31 * 86_400 / 1500, "{}", graph["step"]);
    for query in [
        "from=5&to=5",
        "from=0&to=9999999",
        "app=live",
        "from=18446744073709551000&to=18446744073709551615",
    ] {
        let answer = admin.get(&format!("/api/v1/statistics?{query}")).await;
        assert!([200, 400].contains(&answer.status), "{query}: {}", answer.text);
    }
}

#[tokio::test]
async fn the_audit_has_pages_and_an_account_sees_its_own() {
    let home = Home::new("audit").await;
    for n in 0..7_u64 {
        let account = (n % 2 == 0).then(|| "1".to_owned());
        let (who, peer, what) = ("system".to_owned(), String::new(), format!("did-{n}"));
        let audit = Audit { id: 0, at: now(), who, peer, account, what, detail: String::new() };
        home.store.add_audit(&audit).await.unwrap();
    }
    let admin = home.admin().await;
    for (query, want, total) in [
        ("?page_size=3", &[6, 5, 4][..], 7),
        ("?page_size=3&page=3", &[0], 7),
        ("?account=1&page_size=2&page=2", &[2, 0], 4),
    ] {
        let list = admin.get(&format!("/api/v1/audit{query}")).await.is(200);
        let what = list["entries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|e| e["what"].as_str().unwrap().to_owned());
        let want: Vec<_> = want.iter().map(|n| format!("did-{n}")).collect();
        assert_eq!((what.collect::<Vec<_>>(), &list["total"]), (want, &json!(total)), "{query}");
    }
    let own = home.asker(Role::ReadOnly, Some("1")).await;
    assert_eq!(own.get("/api/v1/audit").await.is(200)["total"], 4);
}
