//! Accounts: made, changed, removed; and the gate.

use futures_util::FutureExt;
use futures_util::future::join_all;
use serde_json::{Value, json};
use thalweg_access::{Action, Reason};
use thalweg_console::model::Role;

use crate::home::{Home, ONLINE_EDUCATION, new_account};

/// A URL to push to an account, good for a day.
async fn push_url(home: &Home, bizid: &str) -> String {
    let wanted = json!({ "account": bizid, "name": "room", "only": "push" });
    let signed = home.admin().await.post("/api/v1/sign", wanted).await.is(200);
    signed["push"]["rtmp"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_new_account_is_closed_and_has_keys_of_its_own() {
    let home = Home::new("new-account").await;
    let admin = home.admin().await;
    let made =
        admin.post("/api/v1/accounts", json!({ "bizid": "7", "name": " A school " })).await.is(201);
    for (field, want) in [
        ("/name", json!("A school")),
        ("/is_default", json!(false)),
        ("/service", json!(false)),
        ("/live_pusher", json!(false)),
        ("/live_player", json!(false)),
        ("/profile", json!("strict")),
        ("/old_api", json!(false)),
        ("/eligible/admitted", json!(false)),
        ("/domains/0/action", json!("push")),
        ("/domains/0/auth", json!(true)),
        ("/domains/1/action", json!("play")),
        ("/domains/1/auth", json!(false)),
        ("/domains/1/host", Value::Null),
    ] {
        assert_eq!(made.pointer(field), Some(&want), "{field}");
    }
    for (body, field) in [
        (json!({ "name": "no number" }), "bizid"),
        (json!({ "bizid": "8" }), "name"),
        (json!({ "bizid": "8", "name": " " }), "name"),
        (json!({ "bizid": "7", "name": "twice" }), "bizid"),
        (json!({ "bizid": "a7", "name": "no digits" }), "bizid"),
        (json!({ "bizid": "123456789012345678901", "name": "too long" }), "bizid"),
        (json!({ "bizid": "8", "name": "x", "udp_viewers_max": 1001 }), "udp_viewers_max"),
        (json!({ "bizid": "8", "name": "x", "category": { "main": "No Such!" } }), "category"),
        (json!({ "bizid": "8", "name": "x", "callback": { "url": "ftp://x" } }), "callback"),
        (
            json!({ "bizid": "8", "name": "x", "addresses": { "rule": "only", "networks": ["10.0.0.0/99"] } }),
            "addresses",
        ),
    ] {
        assert_eq!(admin.post("/api/v1/accounts", body).await.refuses(400).1, field);
    }
    let list = admin.get("/api/v1/accounts?query=SCHOOL").await.is(200);
    assert_eq!((&list["total"], &list["accounts"][0]["bizid"]), (&json!(1), &json!("7")));
}

#[tokio::test]
async fn a_new_account_may_have_hosts_at_once() {
    let home = Home::new("new-hosts").await;
    let admin = home.admin().await;
    let wanted = json!({
        "bizid": "7", "name": "A school", "category": ONLINE_EDUCATION, "service": true,
        "live_pusher": true, "live_player": true,
        "push_host": "Push.School.example.com", "play_host": "play.school.example.com",
    });
    let made = admin.post("/api/v1/accounts", wanted).await.is(201);
    assert_eq!(made["domains"][0]["host"], "push.school.example.com");
    assert_eq!(made["domains"][1]["host"], "play.school.example.com");
    assert_eq!(home.decides(&push_url(&home, "7").await, Action::Push), Ok(()));
    for (field, host) in [("push_host", "no host"), ("play_host", "a/b")] {
        let wrong = json!({ "bizid": "8", "name": "x", field: host });
        assert_eq!(admin.post("/api/v1/accounts", wrong).await.refuses(400).1, field);
        let late = json!({ field: "other.example.com" });
        assert_eq!(admin.patch("/api/v1/accounts/7", late).await.refuses(400).1, field);
    }
    let taken = json!({ "bizid": "8", "name": "x", "push_host": "push.school.example.com" });
    assert_eq!(admin.post("/api/v1/accounts", taken).await.refuses(400).1, "host");
    let hostless = json!({ "bizid": "9", "name": "x", "category": ONLINE_EDUCATION, "service": true, "live_pusher": true });
    admin.post("/api/v1/accounts", hostless).await.is(201);
    let sign = json!({ "account": "9", "name": "room", "only": "push" });
    let (_, _, message) = admin.post("/api/v1/sign", sign).await.refuses(400);
    assert!(
        message.contains("Domains") && message.contains("/api/v1/accounts/9/domains/"),
        "{message}"
    );
}

#[tokio::test]
async fn the_gate_decides_what_a_category_may_open_and_says_who_may() {
    let home = Home::new("gate").await;
    let admin = home.admin().await;
    let tools = json!({ "bizid": "7", "name": "Tools", "category": { "main": "tools", "sub": "video-customer-service" } });
    admin.post("/api/v1/accounts", tools).await.is(201);
    let (path, open) = ("/api/v1/accounts/7", |what: &str| json!({ what: true }));
    // The service is the house's to open, whatever the category.
    admin.patch(path, open("service")).await.is(200);
    for switch in ["live_pusher", "live_player"] {
        let refused = admin.patch(path, open(switch)).await;
        let (word, field, message) = refused.refuses(409);
        assert_eq!((&*word, &*field), ("not-eligible", switch));
        assert!(
            message.contains("tools/video-customer-service") && message.contains("education"),
            "{message}"
        );
        let categories = refused.is(409)["categories"].clone();
        assert_eq!(categories, json!(["social", "education", "medical", "government", "finance"]));
    }
    assert_eq!(admin.get(path).await.is(200)["live_pusher"], false);
    // Another table has it.
    let gate = admin
        .put("/api/v1/gate", json!({ "mode": "enforce", "preset": "tencent-2018" }))
        .await
        .is(200);
    assert_eq!(gate["preset"], "tencent-2018");
    assert_eq!(
        admin.patch(path, open("live_pusher")).await.is(200)["eligible"],
        json!({ "admitted": true })
    );
    // Back to the first one: the switch stays, the next push is refused.
    let host = json!({ "host": "push.tools.example.com" });
    admin.patch("/api/v1/accounts/7/domains/1", host).await.is(200);
    let url = push_url(&home, "7").await;
    assert_eq!(home.decides(&url, Action::Push), Ok(()));
    admin.put("/api/v1/gate", json!({ "mode": "enforce", "preset": "seed" })).await.is(200);
    assert_eq!(home.decides(&url, Action::Push), Err(Reason::NotEligible));
    assert_eq!(admin.get(path).await.is(200)["eligible"]["admitted"], false);
    // Off: everybody may.
    admin.put("/api/v1/gate", json!({ "mode": "off" })).await.is(200);
    assert_eq!(home.decides(&url, Action::Push), Ok(()));
    admin.patch(path, open("live_player")).await.is(200);
    // Rows of one's own.
    let title = json!({ "en": "Tools", "zh": "工具" });
    let rows = json!([{ "main": "tools", "title": title, "subs": [], "subjects": ["individual"] }]);
    let own = admin.put("/api/v1/gate", json!({ "mode": "enforce", "rows": rows })).await.is(200);
    assert_eq!((&own["preset"], &own["rows"]), (&Value::Null, &rows));
    assert_eq!(home.decides(&url, Action::Push), Err(Reason::NotEligible), "it is an enterprise's");
    admin.patch(path, json!({ "subject": "individual" })).await.is(200);
    assert_eq!(home.decides(&url, Action::Push), Ok(()));
    for (body, field) in [
        (json!({ "mode": "enforce", "preset": "no-such" }), "preset"),
        (json!({ "mode": "enforce", "preset": "seed", "rows": [] }), "rows"),
        (
            json!({ "mode": "off", "rows": [{ "main": "Tools!", "title": title, "subjects": [] }] }),
            "rows",
        ),
    ] {
        assert_eq!(admin.put("/api/v1/gate", body).await.refuses(400).1, field);
    }
    // It is the same after a restart.
    let home = home.restarted().await;
    let gate = home.admin().await.get("/api/v1/gate").await.is(200);
    assert_eq!((&gate["mode"], &gate["rows"]), (&json!("enforce"), &rows));
}

#[tokio::test]
async fn a_switch_holds_from_the_very_next_decision_on() {
    let home = Home::new("switches").await;
    home.account("7", "school.example.com").await;
    let url = push_url(&home, "7").await;
    let watch = "rtmp://play.school.example.com/live/room";
    let admin = home.admin().await;
    for (switch, push, play) in [
        ("service", Err(Reason::ServiceClosed), Err(Reason::ServiceClosed)),
        ("live_pusher", Err(Reason::PusherOff), Ok(())),
        ("live_player", Ok(()), Err(Reason::PlayerOff)),
    ] {
        admin.patch("/api/v1/accounts/7", json!({ switch: false })).await.is(200);
        assert_eq!(
            (home.decides(&url, Action::Push), home.decides(watch, Action::Play)),
            (push, play),
            "{switch}"
        );
        admin.patch("/api/v1/accounts/7", json!({ switch: true })).await.is(200);
        assert_eq!(
            (home.decides(&url, Action::Push), home.decides(watch, Action::Play)),
            (Ok(()), Ok(()))
        );
    }
}

#[tokio::test]
async fn who_closes_an_account_can_cut_what_is_live() {
    let home = Home::new("cut").await;
    home.account("7", "school.example.com").await;
    let seat = home.publish("7", "live", "room");
    let (viewer, other) = (home.watch("7", "live", "room", 9), home.watch("1", "live", "room", 9));
    let admin = home.admin().await;
    let close = json!({ "live_player": false });
    admin.patch("/api/v1/accounts/7", close).await.is(200);
    assert!(viewer.orders().away().is_none(), "nobody asked to cut");
    let cut = json!({ "cut": true });
    admin.patch("/api/v1/accounts/7", cut).await.is(200);
    assert!(viewer.orders().away().is_some() && other.orders().away().is_none());
    assert!(seat.must_leave().now_or_never().is_none(), "it may still push");
    let audit = admin.get("/api/v1/audit?account=7").await.is(200);
    assert_eq!(audit["entries"][0]["what"], "account.cut");
}

#[tokio::test]
async fn an_accounts_own_operator_has_its_switches_and_not_what_it_is() {
    let home = Home::new("own-operator").await;
    home.account("7", "school.example.com").await;
    let own = home.asker(Role::Operator, Some("7")).await;
    let path = "/api/v1/accounts/7";
    for change in [
        json!({ "live_pusher": false }),
        json!({ "live_player": false }),
        json!({ "live_pusher": true, "live_player": true }),
        json!({ "udp": false }),
        json!({ "name": "Another name" }),
        json!({ "addresses": { "rule": "except", "networks": ["10.0.0.0/8"] } }),
        json!({ "callback": { "url": "https://school.example.com/told", "key": "sesame" } }),
    ] {
        own.patch(path, change).await.is(200);
    }
    for change in [
        json!({ "subject": "government" }),
        json!({ "category": ONLINE_EDUCATION }),
        json!({ "service": true }),
        json!({ "profile": "vendor" }),
        json!({ "udp_viewers_max": 1 }),
        json!({ "old_api": true }),
        json!({ "live_pusher": false, "profile": "vendor" }),
    ] {
        own.patch(path, change).await.refuses(403);
    }
    assert_eq!(own.get(path).await.is(200)["live_pusher"], true);
    // The gate is for it as for everybody.
    home.admin()
        .await
        .patch(path, json!({ "category": { "main": "tools" }, "live_pusher": false }))
        .await
        .is(200);
    own.patch(path, json!({ "live_pusher": true })).await.refuses(409);
    own.patch(path, json!({ "bizid": "8" })).await.refuses(400);
}

#[tokio::test]
async fn whoever_changes_what_has_changed_reads_it_again() {
    let home = Home::new("version").await;
    let read = home.account("7", "school.example.com").await;
    let (admin, path) = (home.admin().await, "/api/v1/accounts/7");
    let version = read["version"].as_u64().unwrap();
    let change = |name: &str| json!({ "version": version, "name": name });
    let first = admin.patch(path, change("First")).await.is(200);
    assert!(first["version"].as_u64().unwrap() > version);
    assert_eq!(admin.patch(path, change("Second")).await.refuses(409).0, "conflict");
    assert_eq!(admin.get(path).await.is(200)["name"], "First");
}

#[tokio::test]
async fn twenty_changes_at_once_are_all_made() {
    let home = Home::new("at-once").await;
    home.account("7", "school.example.com").await;
    let admin = home.admin().await;
    let path = |n: usize| match n % 2 {
        0 => (
            "/api/v1/accounts/7/domains",
            json!({ "action": "play", "host": format!("p{n}.example.com") }),
        ),
        _ => ("/api/v1/accounts/7/revoke", json!({ "stream": format!("live/{n}"), "before": 1 })),
    };
    let changes = (0..20).map(path).map(|(path, body)| admin.post(path, body));
    assert!(join_all(changes).await.iter().all(|answer| answer.status < 300));
    let account = admin.get("/api/v1/accounts/7").await.is(200);
    let count = |field: &str| {
        account[field]
            .as_array()
            .map_or_else(|| account[field].as_object().unwrap().len(), Vec::len)
    };
    assert_eq!((count("domains"), count("revoked_streams")), (12, 10));
    let numbers =
        account["domains"].as_array().unwrap().iter().map(|d| d["number"].as_u64().unwrap());
    assert_eq!(numbers.collect::<Vec<_>>(), (1..=12).collect::<Vec<_>>());
    // It is what the store has, too.
    let kept = home.store.account("7").await.unwrap().unwrap();
    assert_eq!(json!(kept.version), account["version"]);
    assert_eq!((kept.domains.len(), kept.revoked_streams.len()), (12, 10));
}

#[tokio::test]
async fn an_account_goes_with_all_that_is_live_of_it_and_the_default_one_stays() {
    let home = Home::new("remove").await;
    home.account("7", "school.example.com").await;
    let url = push_url(&home, "7").await;
    let (_seat, viewer) = (home.publish("7", "live", "room"), home.watch("7", "live", "room", 9));
    let own = home.asker(Role::Operator, Some("7")).await;
    let admin = home.admin().await;
    admin.delete("/api/v1/accounts/7").await.is(204);
    assert!(viewer.orders().away().is_some());
    assert!(home.decides(&url, Action::Push).is_err());
    admin.get("/api/v1/accounts/7").await.refuses(404);
    admin.delete("/api/v1/accounts/7").await.refuses(404);
    own.get("/api/v1/session").await.refuses(401);
    assert_eq!(admin.delete("/api/v1/accounts/1").await.refuses(400).1, "bizid");
    let audit = admin.get("/api/v1/audit?account=7").await.is(200);
    assert_eq!(audit["entries"][0]["what"], "account.remove");
    // What it did is in the history: nobody else gets its number.
    let again = admin.post("/api/v1/accounts", json!({ "bizid": "7", "name": "Another" })).await;
    let (_, field, message) = again.refuses(400);
    assert!(field == "bizid" && message.contains("was removed"), "{message}");
}

#[tokio::test]
async fn an_account_that_cannot_be_read_is_left_out_and_told() {
    let home = Home::new("damaged").await;
    home.account("7", "school.example.com").await;
    home.account("8", "other.example.com").await;
    let url = push_url(&home, "8").await;
    home.tamper("UPDATE accounts SET api_key = callback_key WHERE bizid = '8'").await;
    let home = home.restarted().await;
    let admin = home.admin().await;
    admin.get("/api/v1/accounts/7").await.is(200);
    admin.get("/api/v1/accounts/8").await.refuses(404);
    assert!(home.decides(&url, Action::Push).is_err());
    let overview = admin.get("/api/v1/overview").await.is(200);
    assert_eq!(overview["problems"][0]["code"], "accounts-damaged");
    assert!(overview["problems"][0]["message"].as_str().unwrap().contains(": 8."));
    let of_seven = home.asker(Role::ReadOnly, Some("7")).await;
    assert_eq!(of_seven.get("/api/v1/overview").await.is(200)["problems"], json!([]));
    let again = json!({ "bizid": "8", "name": "Another" });
    assert_eq!(admin.post("/api/v1/accounts", again).await.refuses(400).1, "bizid");
}

#[tokio::test]
async fn whoever_may_only_look_sees_no_query_of_a_back_ends_url() {
    let home = Home::new("targets").await;
    home.account("7", "school.example.com").await;
    let [told, may] =
        ["told", "may"].map(|what| format!("https://school.example.com/{what}?key=sesame"));
    let urls = json!({ "callback": { "url": told }, "remote": { "url": may } });
    home.admin().await.patch("/api/v1/accounts/7", urls).await.is(200);
    for (role, account, sees) in [
        (Role::ReadOnly, None, false),
        (Role::ReadOnly, Some("7"), false),
        (Role::Operator, Some("7"), true),
        (Role::Admin, None, true),
    ] {
        let asker = home.asker(role, account).await;
        for path in ["/api/v1/accounts", "/api/v1/accounts/7"] {
            let text = asker.get(path).await.text;
            assert_eq!(text.contains("sesame"), sees, "{role:?} {account:?}: {text}");
            assert!(
                text.contains("school.example.com/told?")
                    && text.contains("school.example.com/may?")
            );
        }
    }
}

#[tokio::test]
async fn the_default_account_stays_the_default_one_over_restarts_whoever_is_added() {
    let home = Home::with("default", vec![new_account("8888")]).await;
    // A smaller number, and domains for every host as well.
    let wanted = json!({ "bizid": "7", "name": "A newcomer" });
    home.admin().await.post("/api/v1/accounts", wanted).await.is(201);
    let home = home.restarted().await;
    let policy = home.register.reader().get();
    assert_eq!(&*policy.default_account().bizid, "8888");
    assert_eq!(&*policy.account_of("nobodys.example.com").bizid, "8888");
}

#[tokio::test]
async fn of_callbacks_and_remote_authorisation_what_is_not_said_stays() {
    let home = Home::new("what-stays").await;
    home.account("7", "school.example.com").await;
    let (admin, path) = (home.admin().await, "/api/v1/accounts/7");
    // Nobody to ask, and yet to be asked: that would let in everybody, or nobody.
    for nobody in
        [json!({ "push": true }), json!({ "play": true }), json!({ "url": null, "push": true })]
    {
        let refused = admin.patch(path, json!({ "remote": nobody })).await.refuses(400);
        assert_eq!(refused.1, "remote");
    }
    let (may, told) = ("https://school.example.com/may", "https://school.example.com/told");
    admin.patch(path, json!({ "remote": { "url": may, "push": true } })).await.is(200);
    admin.patch(path, json!({ "callback": { "url": told } })).await.is(200);
    admin.patch(path, json!({ "remote": { "play": true } })).await.is(200);
    let account = admin.patch(path, json!({ "callback": { "anomalies": true } })).await.is(200);
    assert_eq!(
        account["remote"],
        json!({ "url": may, "push": true, "play": true, "play_if_unreachable": false })
    );
    assert_eq!(
        (&account["callback"]["url"], &account["callback"]["anomalies"]),
        (&json!(told), &json!(true))
    );
    // What could never be called is not taken.
    for url in ["http://user:word@school.example.com/", "http://school.example.com:0/", "http://"] {
        admin.patch(path, json!({ "callback": { "url": url } })).await.refuses(400);
    }
    let nobody = json!({ "url": null, "push": false, "play": false });
    let account = admin.patch(path, json!({ "remote": nobody })).await.is(200);
    assert_eq!(account["remote"]["url"], Value::Null);
}
