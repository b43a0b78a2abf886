//! People: the first one, their sessions and their passwords.

use futures_util::future::join_all;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use thalweg_console::model::{Role, Session};

use crate::asking::{Answer, Asker};
use crate::home::{Home, now};

/// A home with an administrator, `anna`, who has just begun.
async fn with_anna(name: &str) -> (Home, Answer) {
    let home = Home::empty(name).await;
    let token = home.console.setup_token().unwrap();
    let wanted = json!({ "token": token.reveal(), "login": "Anna ", "password": PASSWORD });
    let begun = nobody(&home).post("/api/v1/setup", wanted).await;
    begun.is(200);
    (home, begun)
}

fn nobody(home: &Home) -> Asker {
    Asker::nobody(&home.router)
}

async fn log_in(home: &Home, login: &str, password: &str) -> Answer {
    nobody(home).post("/api/v1/session", json!({ "login": login, "password": password })).await
}

#[tokio::test]
async fn the_first_administrator_is_made_once_and_with_the_printed_token_only() {
    let home = Home::empty("setup").await;
    let anyone = nobody(&home);
    assert_eq!(anyone.get("/api/v1/setup").await.is(200)["needed"], true);
    let with = |token: &str| json!({ "token": token, "login": "anna", "password": PASSWORD });
    assert_eq!(anyone.post("/api/v1/setup", with("guessed")).await.refuses(403).1, "token");
    let token = home.console.setup_token().unwrap();
    let short = json!({ "token": token.reveal(), "login": "anna", "password": "short" });
    assert_eq!(anyone.post("/api/v1/setup", short).await.refuses(400).1, "password");
    let begun = anyone.post("/api/v1/setup", with(token.reveal())).await;
    assert_eq!(begun.is(200)["user"], json!({ "login": "anna", "role": "admin", "account": null }));
    // That is a session.
    anyone.browser(&begun).get("/api/v1/users").await.is(200);
    anyone.post("/api/v1/setup", with(token.reveal())).await.refuses(404);
    assert_eq!(anyone.get("/api/v1/setup").await.is(200)["needed"], false);
    // Nor is there another one after a restart.
    let home = home.restarted().await;
    assert!(home.console.setup_token().is_none());
    nobody(&home).post("/api/v1/setup", with(token.reveal())).await.refuses(404);
}

#[tokio::test]
async fn of_twenty_who_are_first_at_once_one_is() {
    let home = Home::empty("setup-race").await;
    let token = home.console.setup_token().unwrap();
    let anyone = nobody(&home);
    let begin = |n: usize| {
        let login = format!("first-{n}");
        let wanted = json!({ "token": token.reveal(), "login": login, "password": PASSWORD });
        let anyone = anyone.clone();
        async move { anyone.post("/api/v1/setup", wanted).await.status }
    };
    let answers = join_all((0..20).map(begin)).await;
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|status| [200, 404, 409, 429].contains(status)), "{answers:?}");
    assert_eq!(home.store.users().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_page_of_another_site_cannot_have_a_browser_change_anything() {
    let (home, begun) = with_anna("other-site").await;
    let browser = nobody(&home).browser(&begun);
    let gate = json!({ "mode": "off" });
    for (name, value, status) in [
        ("sec-fetch-site", "same-origin", 200),
        ("sec-fetch-site", "cross-site", 403),
        ("sec-fetch-site", "same-site", 403),
        ("sec-fetch-site", "none", 403),
        ("origin", "http://console.example.com", 200),
        ("origin", "https://evil.example.com", 403),
        ("origin", "null", 403),
        ("content-type", "text/plain", 415),
        ("content-type", "application/x-www-form-urlencoded", 415),
    ] {
        let answer = browser.with(name, value).put("/api/v1/gate", gate.clone()).await;
        assert_eq!(answer.status, status, "{name}: {value}: {}", answer.text);
    }
    // What has no body is guarded as well; to look is free.
    let evil = browser.with("origin", "https://evil.example.com");
    assert_eq!(
        evil.post("/api/v1/accounts/1/api-key/reveal", json!({})).await.refuses(403).0,
        "foreign-site"
    );
    evil.delete("/api/v1/session").await.refuses(403);
    evil.get("/api/v1/gate").await.is(200);
    // Nor can it log somebody in.
    let wanted = json!({ "login": "anna", "password": PASSWORD });
    let evil = nobody(&home).with("sec-fetch-site", "cross-site");
    evil.post("/api/v1/session", wanted).await.refuses(403);
    // A token is not sent by a browser on its own.
    let program = home.admin().await.with("sec-fetch-site", "cross-site");
    program.put("/api/v1/gate", gate).await.is(200);
}

#[tokio::test]
async fn the_cookie_is_for_this_server_and_no_script() {
    let (_home, begun) = with_anna("cookie").await;
    let cookie = begun.headers["set-cookie"].to_str().unwrap();
    for part in ["thalweg_session=", "Path=/", "Max-Age=43200", "HttpOnly", "SameSite=Strict"] {
        assert!(cookie.contains(part), "{cookie}");
    }
}

#[tokio::test]
async fn who_logs_out_is_out_and_a_session_lasts_a_working_day() {
    let (home, begun) = with_anna("log-out").await;
    let browser = nobody(&home).browser(&begun);
    let session = browser.get("/api/v1/session").await.is(200);
    assert_eq!(
        (&session["user"]["login"], &session["public_host"]),
        (&"anna".into(), &"127.0.0.1".into())
    );
    let gone = browser.delete("/api/v1/session").await;
    gone.is(204);
    assert!(gone.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    browser.get("/api/v1/session").await.refuses(401);
    for (secret, expires, status) in [("old", now(), 401), ("young", now() + 100, 200)] {
        let hash = Sha256::digest(secret.as_bytes()).into();
        let session = Session { hash, login: "anna".to_owned(), expires };
        home.store.put_session(&session, 0).await.unwrap();
        let browser = nobody(&home).with("cookie", &format!("a=b; thalweg_session={secret}"));
        assert_eq!(browser.get("/api/v1/session").await.status, status, "{secret}");
    }
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions() {
    let (home, here) = with_anna("password").await;
    let there = log_in(&home, " ANNA", PASSWORD).await;
    there.is(200);
    let (here, there) = (nobody(&home).browser(&here), nobody(&home).browser(&there));
    let path = "/api/v1/session/password";
    let wrong = here.put(path, json!({ "old": "not the password", "new": BETTER })).await;
    assert_eq!(wrong.refuses(400).1, "old");
    here.put(path, json!({ "old": PASSWORD, "new": BETTER })).await.is(204);
    here.get("/api/v1/session").await.is(200);
    there.get("/api/v1/session").await.refuses(401);
    log_in(&home, "anna", PASSWORD).await.refuses(401);
    log_in(&home, "anna", BETTER).await.is(200);
}

#[tokio::test]
async fn whoever_loses_a_right_or_the_login_loses_it_at_once() {
    let (home, begun) = with_anna("rights").await;
    let anna = nobody(&home).browser(&begun);
    let bob = json!({ "login": "Bob", "password": PASSWORD, "role": "operator" });
    anna.post("/api/v1/users", bob.clone()).await.is(201);
    anna.post("/api/v1/users", bob).await.refuses(409);
    let session = log_in(&home, "bob", PASSWORD).await;
    let browser = nobody(&home).browser(&session);
    let reveal = "/api/v1/accounts/1/api-key/reveal";
    browser.post(reveal, json!({})).await.is(200);
    anna.patch("/api/v1/users/bob", json!({ "role": "read-only" })).await.is(200);
    browser.post(reveal, json!({})).await.refuses(403);
    // Another password from above ends sessions too.
    anna.patch("/api/v1/users/bob", json!({ "password": BETTER })).await.is(200);
    browser.get("/api/v1/session").await.refuses(401);
    let browser = nobody(&home).browser(&log_in(&home, "bob", BETTER).await);
    anna.delete("/api/v1/users/bob").await.is(204);
    browser.get("/api/v1/session").await.refuses(401);
    let users: Value = anna.get("/api/v1/users").await.is(200);
    assert_eq!(users["users"].as_array().unwrap().len(), 1);
    assert!(!users.to_string().contains("argon2"));
}

#[tokio::test]
async fn the_last_administrator_stays_one() {
    let (home, begun) = with_anna("last").await;
    let anna = nobody(&home).browser(&begun);
    for change in [json!({ "role": "operator" }), json!({ "role": "operator", "account": "1" })] {
        anna.patch("/api/v1/users/anna", change).await.refuses(409);
    }
    let of_one = anna.patch("/api/v1/users/anna", json!({ "account": "1" })).await.refuses(400);
    assert_eq!(of_one.1, "role");
    anna.delete("/api/v1/users/anna").await.refuses(409);
    for login in ["bob", "carl"] {
        let wanted = json!({ "login": login, "password": PASSWORD, "role": "admin" });
        anna.post("/api/v1/users", wanted).await.is(201);
    }
    // However many of them are removed at once.
    let paths = ["anna", "bob", "carl"].map(|login| format!("/api/v1/users/{login}"));
    let admin = home.asker(Role::Admin, None).await;
    let mut answers = join_all(paths.iter().map(|p| admin.delete(p))).await;
    answers.sort_by_key(|a| a.status);
    assert_eq!(answers.iter().map(|a| a.status).collect::<Vec<_>>(), [204, 204, 409]);
}

#[tokio::test]
async fn after_five_tries_a_login_has_to_wait_and_others_do_not() {
    let (home, _) = with_anna("tries").await;
    for _ in 0..5 {
        assert_eq!(
            log_in(&home, "anna", "not the password").await.refuses(401).0,
            "wrong-password"
        );
    }
    // The right one as well, or guessing would tell.
    let late = log_in(&home, "anna", PASSWORD).await;
    assert_eq!(late.refuses(429).0, "too-many");
    let wait: u64 = late.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    // One who is not there is refused in the same words.
    assert_eq!(log_in(&home, "nobody", PASSWORD).await.refuses(401).0, "wrong-password");
    // Of one address there are more.
    let mut tries = 0;
    while log_in(&home, &format!("guess-{tries}"), "x").await.status == 401 {
        tries += 1;
    }
    assert!((5..20).contains(&tries), "{tries}");
}

const PASSWORD: &str = "correct horse battery";
const BETTER: &str = "correct horse battery staple";
