//! Domains and their keys: changed, shown, and otherwise kept to oneself.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use thalweg_access::{Action, Reason};

use crate::asking::Asker;
use crate::home::Home;

const DOMAINS: &str = "/api/v1/accounts/7/domains";

/// A URL to push to account 7, good for a day, signed with its main key.
async fn signed(admin: &Asker, scheme: &str) -> String {
    let wanted = json!({ "account": "7", "name": "room", "only": "push", "scheme": scheme });
    let urls = admin.post("/api/v1/sign", wanted).await.is(200);
    urls["push"]["rtmp"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn domains_come_and_go_and_one_of_each_action_stays() {
    let home = Home::new("domains").await;
    home.account("7", "school.example.com").await;
    let admin = home.admin().await;
    let wanted = json!({ "action": "push", "host": " More.Example.COM ", "validity_s": 60, "schemes": "strong" });
    let account = admin.post(DOMAINS, wanted).await.is(201);
    let third = &account["domains"][2];
    for (field, want) in [
        ("number", json!(3)),
        ("host", json!("more.example.com")),
        ("auth", json!(true)),
        ("validity_s", json!(60)),
        ("schemes", json!("strong")),
        ("has_backup", json!(false)),
    ] {
        assert_eq!(third[field], want, "{field}");
    }
    assert_eq!(third["main_hint"].as_str().unwrap().len(), 4);
    let change = json!({ "host": null, "auth": false, "schemes": "any" });
    let account = admin.patch(&format!("{DOMAINS}/3"), change).await.is(200);
    assert_eq!(
        (&account["domains"][2]["host"], &account["domains"][2]["auth"]),
        (&Value::Null, &json!(false))
    );
    admin.delete(&format!("{DOMAINS}/3")).await.is(200);
    admin.delete(&format!("{DOMAINS}/3")).await.refuses(404);
    for number in [1, 2] {
        let refused = admin.delete(&format!("{DOMAINS}/{number}")).await.refuses(400);
        assert_eq!(refused.1, "domains");
    }
    assert_eq!(
        admin.get("/api/v1/accounts/7").await.is(200)["domains"].as_array().unwrap().len(),
        2
    );
}

#[tokio::test]
async fn a_host_is_one_accounts_and_one_domains() {
    let home = Home::new("host-twice").await;
    home.account("7", "school.example.com").await;
    home.account("8", "bank.example.com").await;
    let admin = home.admin().await;
    for (action, host, field) in [
        ("push", "push.school.example.com", "host"),
        ("push", "PUSH.BANK.example.com", "host"),
        ("play", "play.bank.example.com", "host"),
        ("play", "no host", "host"),
        ("play", "http://x", "host"),
    ] {
        let refused = admin.post(DOMAINS, json!({ "action": action, "host": host })).await;
        assert_eq!(refused.refuses(400).1, field, "{action} {host}");
        assert!(!refused.text.contains('8'), "whose it is is nobody's business: {}", refused.text);
    }
    let taken = json!({ "host": "push.bank.example.com" });
    assert_eq!(admin.patch(&format!("{DOMAINS}/1"), taken).await.refuses(400).1, "host");
    // The other action of the same host is fine.
    admin
        .post(DOMAINS, json!({ "action": "play", "host": "push.school.example.com" }))
        .await
        .is(201);
    for (key, words) in
        [("short", "shorter"), ("not good!", "letters"), (&"a".repeat(129), "at most")]
    {
        let wanted = json!({ "action": "play", "host": "k.example.com", "key": key });
        let refused = admin.post(DOMAINS, wanted).await.refuses(400);
        assert!(refused.1 == "key" && refused.2.contains(words), "{refused:?}");
    }
    let wanted = json!({ "action": "play", "host": "k.example.com", "validity_s": 31_622_401 });
    assert_eq!(admin.post(DOMAINS, wanted).await.refuses(400).1, "validity_s");
}

#[tokio::test]
async fn with_a_backup_old_urls_stay_good_and_without_they_do_not() {
    let home = Home::new("rotate").await;
    home.account("7", "school.example.com").await;
    let admin = home.admin().await;
    let path = format!("{DOMAINS}/1/rotate");
    for scheme in ["md5", "sha256", "strong"] {
        let first = signed(&admin, scheme).await;
        let before = admin.post(&format!("{DOMAINS}/1/reveal"), json!({})).await.is(200);
        let keys = admin.post(&path, json!({ "keep_backup": true })).await.is(200);
        assert_eq!(keys["backup"], before["main"]);
        let second = signed(&admin, scheme).await;
        assert_ne!(first, second);
        assert_eq!([&first, &second].map(|url| home.decides(url, Action::Push)), [Ok(()), Ok(())]);
        admin.delete(&format!("{DOMAINS}/1/backup")).await.is(200);
        assert_eq!(home.decides(&first, Action::Push), Err(Reason::AuthBad), "{scheme}");
        assert_eq!(home.decides(&second, Action::Push), Ok(()));
        let keys = admin.post(&path, json!({ "keep_backup": false })).await.is(200);
        assert_eq!(keys["backup"], Value::Null);
        assert_eq!(home.decides(&second, Action::Push), Err(Reason::AuthBad), "{scheme}");
    }
    let chosen = json!({ "keep_backup": false, "key": "0123456789abcdef" });
    assert_eq!(admin.post(&path, chosen).await.is(200)["main"], "0123456789abcdef");
    admin.post(&path, json!({ "keep_backup": false, "key": "short" })).await.refuses(400);
    admin.post(&format!("{DOMAINS}/9/rotate"), json!({ "keep_backup": true })).await.refuses(404);
}

#[tokio::test]
async fn urls_are_revoked_by_account_and_by_stream_and_that_is_taken_back() {
    let home = Home::new("revoke").await;
    home.account("7", "school.example.com").await;
    let admin = home.admin().await;
    let url = signed(&admin, "strong").await;
    let path = "/api/v1/accounts/7/revoke";
    let later = crate::home::now() + 10;
    let is_good = || home.decides(&url, Action::Push);
    for (revoke, want) in [
        (json!({ "before": later }), Err(Reason::Revoked)),
        (json!({ "before": null, "undo": true }), Ok(())),
        (json!({ "before": later, "stream": "live/room" }), Err(Reason::Revoked)),
        (json!({ "stream": "live/room", "undo": true }), Ok(())),
        (json!({ "before": later, "stream": "live/other" }), Ok(())),
        (json!({ "before": 1 }), Ok(())),
    ] {
        admin.post(path, revoke.clone()).await.is(200);
        assert_eq!(is_good(), want, "{revoke}");
    }
    let account = admin.get("/api/v1/accounts/7").await.is(200);
    assert_eq!(
        (&account["revoked_before"], &account["revoked_streams"]),
        (&json!(1), &json!({ "live/other": later }))
    );
    assert_eq!(admin.post(path, json!({ "stream": "room" })).await.refuses(400).1, "stream");
}

#[tokio::test]
async fn an_api_key_is_shown_and_replaced() {
    let home = Home::new("api-key").await;
    home.account("7", "school.example.com").await;
    let admin = home.admin().await;
    let path = |what: &str| format!("/api/v1/accounts/7/api-key/{what}");
    let old = admin.post(&path("reveal"), json!({})).await.is(200);
    let new = admin.post(&path("rotate"), json!({})).await.is(200);
    assert_ne!(old, new);
    assert_eq!(admin.post(&path("reveal"), json!({})).await.is(200), new);
}

#[tokio::test]
async fn a_secret_is_shown_when_somebody_asks_for_it_and_that_is_written_down() {
    let log = Log::default();
    let subscriber =
        tracing_subscriber::fmt().with_writer(log.clone()).with_max_level(LEVEL).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let home = Home::new("secrets").await;
    home.account("7", "school.example.com").await;
    let admin = home.admin().await;
    let key = "0123sesamesesamesesame";
    let rotate = json!({ "keep_backup": false, "key": key });
    admin.post(&format!("{DOMAINS}/1/rotate"), rotate).await.is(200);
    let rotate = json!({ "keep_backup": true, "key": format!("{key}2") });
    admin.post(&format!("{DOMAINS}/1/rotate"), rotate).await.is(200);
    let callback = json!({ "url": "https://school.example.com/told", "key": "sesame-callback" });
    let change = json!({ "callback": callback });
    admin.patch("/api/v1/accounts/7", change).await.is(200);
    let user = json!({ "login": "bob", "password": "sesame-password", "role": "admin" });
    admin.post("/api/v1/users", user).await.is(201);
    let program =
        admin.post("/api/v1/tokens", json!({ "name": "p", "role": "admin" })).await.is(201);
    let token = program["token"].as_str().unwrap();
    Asker::bearer(&home.router, token).get("/api/v1/users").await.is(200);
    Asker::nobody(&home.router)
        .post("/api/v1/session", json!({ "login": "bob", "password": "sesame-wrong" }))
        .await
        .refuses(401);
    let url = signed(&admin, "md5").await;
    let signature = url.split("txSecret=").nth(1).unwrap().split('&').next().unwrap();
    admin.post("/api/v1/check-url", json!({ "url": url })).await.is(200);
    let api_key = admin.post("/api/v1/accounts/7/api-key/reveal", json!({})).await.is(200);
    let api_key = api_key["api_key"].as_str().unwrap();
    let keys = admin.post(&format!("{DOMAINS}/1/reveal"), json!({})).await.is(200);
    assert_eq!(keys, json!({ "main": format!("{key}2"), "backup": key }));

    let mut said = vec![log.text(), format!("{:?} {:?}", home.console, home.register)];
    for path in [
        "accounts",
        "accounts/7",
        "users",
        "tokens",
        "audit?page_size=300",
        "streams",
        "overview",
        "gate",
        "callbacks",
        "history",
        "viewers",
        "forbidden",
        "statistics",
        "session",
    ] {
        said.push(admin.get(&format!("/api/v1/{path}")).await.text);
    }
    assert!(said[0].contains("domain.reveal"), "what is done is in the log: {}", said[0]);
    for text in &said {
        for secret in ["sesame", token, signature, api_key] {
            assert!(!text.contains(secret), "{secret} is in {text}");
        }
    }
    let audit = admin.get("/api/v1/audit?account=7").await.is(200);
    let entries = audit["entries"].as_array().unwrap();
    let what: Vec<_> = entries.iter().map(|entry| entry["what"].as_str().unwrap()).collect();
    for wanted in
        ["domain.reveal", "api-key.reveal", "urls.sign", "account.change", "domain.rotate"]
    {
        assert!(what.contains(&wanted), "{wanted}: {what:?}");
    }
    assert!(entries.iter().all(|entry| entry["who"].as_str().unwrap().starts_with("token:")));
}

/// What is logged.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl tracing_subscriber::fmt::MakeWriter<'_> for Log {
    type Writer = Log;

    fn make_writer(&self) -> Log {
        self.clone()
    }
}

const LEVEL: tracing::level_filters::LevelFilter = tracing::level_filters::LevelFilter::TRACE;

#[tokio::test]
async fn who_hangs_up_does_not_leave_a_change_half_made() {
    let home = Home::new("hang-up").await;
    home.account("7", "school.example.com").await;
    let admin = home.admin().await;
    let old = signed(&admin, "md5").await;
    let path = format!("{DOMAINS}/1/rotate");
    let asked = admin.post(&path, json!({ "keep_backup": false }));
    // It begins, and is not waited for.
    let hangs_up = tokio::time::timeout(Duration::ZERO, asked).await;
    assert!(hangs_up.is_err(), "it takes the disk a moment");
    for _ in 0..500 {
        let audits = admin.get("/api/v1/audit").await.is(200);
        if audits["entries"][0]["what"] == "domain.rotate" {
            assert_eq!(home.decides(&old, Action::Push), Err(Reason::AuthBad));
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the change was given up half-way");
}
