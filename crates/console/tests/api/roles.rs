//! Who may ask what, and what a stranger learns.

use std::collections::BTreeSet;
use std::net::{Ipv6Addr, SocketAddr};

use argon2::{Argon2, PasswordHasher};
use thalweg_console::model::{Account, Action, Category, Domain, Role, Secret};
use thalweg_hub::{Publication, Watching};

use crate::asking::{Answer, Asker};
use crate::home::{Home, delivery, new_account, now, number, token, user};
use crate::matrix::{ROWS, Row};
use crate::openapi::operations;

/// An account with something of everything, which nobody has asked about yet.
struct Thing {
    account: String,
    host: String,
    login: String,
    token: u64,
    delivery: u64,
    viewer: Watching,
    _seat: Publication,
}

impl Thing {
    async fn new(home: &Home, hash: &str) -> Thing {
        let (account, word) = (format!("7{:05}", number()), letters(number()));
        let (host, login) = (format!("{word}.example.com"), format!("anna-{word}"));
        home.register.add(account_of(&account, &host)).await.unwrap();
        home.store.put_user(&user(&login, Role::ReadOnly, None, hash)).await.unwrap();
        let token = token(&format!("of {account}"), Role::ReadOnly, Some(&account));
        Thing {
            token: home.store.add_token(&token).await.unwrap(),
            delivery: home.store.add_delivery(&delivery(&account)).await.unwrap(),
            viewer: home.watch(&account, "live", "room", 9),
            _seat: home.publish(&account, "live", "room"),
            account,
            host,
            login,
        }
    }

    /// Asks what a row says of it.
    async fn asked(&self, row: &Row, by: &Asker) -> Answer {
        let id = match row.path {
            p if p.contains("viewers") => self.viewer.id(),
            p if p.contains("callbacks") => self.delivery,
            _ => self.token,
        };
        ask(row, by, &self.account, &self.host, &self.login, id).await
    }
}

async fn ask(row: &Row, by: &Asker, account: &str, host: &str, login: &str, id: u64) -> Answer {
    let path = row
        .path
        .replace("{bizid}", account)
        .replace("{account}", account)
        .replace("{app}", "live")
        .replace("{name}", "room")
        .replace("{number}", "1")
        .replace("{address}", "192.0.2.9")
        .replace("{login}", login)
        .replace("{id}", &id.to_string());
    let fill = |text: &str| {
        text.replace("@account", account)
            .replace("@host", host)
            .replace("@login", login)
            .replace("@new", &format!("zoe-{}", number()))
            .replace("@number", &format!("5{:05}", number()))
    };
    let body = (!row.body.is_empty()).then(|| fill(row.body));
    by.ask(row.method, &(path + &fill(row.query)), body).await
}

#[tokio::test]
async fn each_role_may_do_what_the_table_says_and_nothing_else() {
    let home = Home::new("each-role").await;
    home.register.add(account_of("2", "stranger.example.com")).await.unwrap();
    let of_all = [
        Asker::nobody(&home.router),
        home.asker(Role::ReadOnly, None).await,
        home.asker(Role::Operator, None).await,
        home.asker(Role::Admin, None).await,
    ];
    let stranger = home.asker(Role::Operator, Some("2")).await;
    let (hash, mut wrong) = (hashed("long enough"), Vec::new());
    for row in ROWS {
        for (who, want) in row.answers.into_iter().enumerate() {
            let thing = Thing::new(&home, &hash).await;
            let own = Some(&*thing.account);
            let asker = match who {
                4 => &home.asker(Role::ReadOnly, own).await,
                5 => &home.asker(Role::Operator, own).await,
                6 => &stranger,
                _ => &of_all[who],
            };
            let answer = thing.asked(row, asker).await;
            if answer.status != want {
                let (method, path, got) = (row.method, row.path, answer.status);
                wrong.push(format!("{method} {path} as {}: {got}, not {want}", WHO[who]));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_table_has_every_operation() {
    let in_table: BTreeSet<_> =
        ROWS.iter().map(|row| (row.method.to_owned(), row.path.to_owned())).collect();
    assert_eq!(in_table, operations(), "add a row for it to tests/api/matrix.rs");
}

#[tokio::test]
async fn an_account_of_others_looks_like_one_that_does_not_exist() {
    let home = Home::new("others").await;
    home.register.add(account_of("2", "stranger.example.com")).await.unwrap();
    let stranger = home.asker(Role::Operator, Some("2")).await;
    let thing = Thing::new(&home, "").await;
    for row in ROWS.iter().filter(|row| row.answers[6] == 404) {
        let there = thing.asked(row, &stranger).await;
        let (account, id) = ("9999999", 9_999_999);
        let absent = ask(row, &stranger, account, "absent.example.com", "absent", id).await;
        let viewer = format!("viewer {}", thing.viewer.id());
        let callback = format!("callback {}", thing.delivery);
        let there_is = there.text.replace(&thing.account, "N");
        let there_is = there_is.replace(&viewer, "viewer N").replace(&callback, "callback N");
        assert_eq!((there.status, absent.status), (404, 404), "{} {}", row.method, row.path);
        assert_eq!(there_is, absent.text.replace(account, "N"), "{} {}", row.method, row.path);
    }
    // Lists of everything have nothing of it either.
    for path in ["streams", "viewers", "callbacks", "history", "forbidden", "audit", "accounts"] {
        let text = stranger.get(&format!("/api/v1/{path}")).await.text;
        assert!(!text.contains(&thing.account), "{path}: {text}");
    }
    let overview = stranger.get("/api/v1/overview").await.is(200);
    assert_eq!((&overview["streams"], &overview["accounts"]), (&0.into(), &1.into()));
}

#[tokio::test]
async fn a_token_that_is_taken_back_stops_at_once() {
    let home = Home::new("taken-back").await;
    let admin = home.admin().await;
    let wanted =
        serde_json::json!({ "name": "a program", "role": "operator", "expires": now() + 2 });
    let made = admin.post("/api/v1/tokens", wanted).await.is(201);
    let program = Asker::bearer(&home.router, made["token"].as_str().unwrap());
    program.get("/api/v1/streams").await.is(200);
    admin.delete(&format!("/api/v1/tokens/{}", made["id"])).await.is(204);
    assert_eq!(program.get("/api/v1/streams").await.refuses(401).0, "unauthorized");
    admin.delete(&format!("/api/v1/tokens/{}", made["id"])).await.refuses(404);
    // One that has run out.
    let old =
        thalweg_console::model::Token { expires: Some(now()), ..token("old", Role::Admin, None) };
    home.store.add_token(&old).await.unwrap();
    Asker::bearer(&home.router, "old").get("/api/v1/streams").await.refuses(401);
    // What a token is good for is shown once, and kept nowhere.
    let list = admin.get("/api/v1/tokens").await.text;
    assert!(!list.contains(made["token"].as_str().unwrap()));
}

#[tokio::test]
async fn what_is_no_request_at_all_is_refused_in_the_same_words() {
    let home = Home::new("no-request").await;
    let admin = home.admin().await;
    for (method, path, body, status) in [
        ("GET", "/api/v1/streams?page=0", "", 400),
        ("GET", "/api/v1/streams?page_size=301", "", 400),
        ("GET", "/api/v1/streams?live=perhaps", "", 400),
        ("GET", "/api/v1/statistics?from=10&to=5", "", 400),
        ("GET", "/api/v1/callbacks/first", "", 400),
        ("POST", "/api/v1/viewers/first/kick", r#"{"for": 1}"#, 400),
        ("PATCH", "/api/v1/accounts/1/domains/first", "{}", 400),
        ("POST", "/api/v1/accounts", "{", 400),
        ("POST", "/api/v1/accounts", "[]", 422),
        ("POST", "/api/v1/accounts", r#"{"bizid": "7", "nam": "x"}"#, 422),
        ("GET", "/api/v1/nothing", "", 404),
        ("DELETE", "/api/v1/overview", "", 405),
    ] {
        let body = (!body.is_empty()).then(|| body.to_owned());
        admin.ask(method, path, body).await.refuses(status);
    }
}

const WHO: [&str; 7] = [
    "nobody",
    "read-only",
    "operator",
    "admin",
    "read-only of the account",
    "operator of the account",
    "operator of another account",
];

/// An account that is admitted, with a domain to push more than it needs.
fn account_of(bizid: &str, host: &str) -> Account {
    let new = new_account(bizid);
    let mut domains = new.domains.clone();
    for domain in &mut domains {
        let action = if domain.action == Action::Push { "push" } else { "play" };
        domain.host = Some(format!("{action}.{host}"));
    }
    let more = Domain { number: 3, host: Some(format!("also.{host}")), ..domains[0].clone() };
    domains.push(Domain { main: Secret::new(format!("{:032}", number())), ..more });
    Account {
        category: Category {
            main: "education".to_owned(),
            sub: Some("online-education".to_owned()),
        },
        service: true,
        live_pusher: true,
        live_player: true,
        domains,
        ..new
    }
}

/// A number as a word without digits.
fn letters(number: u64) -> String {
    number.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect()
}

/// A password as the store has it; quicker to check than those that people get.
fn hashed(password: &str) -> String {
    let quick = argon2::Params::new(8, 1, 1, None).unwrap();
    let argon2 = Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, quick);
    argon2.hash_password_with_salt(password.as_bytes(), b"salt of a test").unwrap().to_string()
}

#[tokio::test]
async fn whoever_guesses_tokens_has_so_many_tries_a_minute_from_one_network() {
    let home = Home::new("guesses").await;
    // A household has 2^64 addresses.
    let from =
        |last: u16| SocketAddr::from((Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 1, 2, 3, last), 5000));
    let guess = |i: u16| Asker::bearer(&home.router, &format!("tw_guess-{i}")).from(from(i));
    for i in 0..30 {
        guess(i).get("/api/v1/overview").await.refuses(401);
    }
    guess(30).get("/api/v1/overview").await.refuses(429);
    // Others, and whoever has a right one, are not held up.
    let elsewhere = SocketAddr::from(([192, 0, 2, 1], 5000));
    Asker::bearer(&home.router, "tw_guess")
        .from(elsewhere)
        .get("/api/v1/overview")
        .await
        .refuses(401);
    home.admin().await.from(from(31)).get("/api/v1/overview").await.is(200);
}
