//! A console of a test's own: its store, its streams, its accounts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use axum::Router;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;
use thalweg_access::{Action, Query, Reason, Request, Way, decide};
use thalweg_console::clock::SystemClock;
use thalweg_console::hooks::post::{Message, Post, Undelivered};
use thalweg_console::model::{
    Account, Delivery, DeliveryState, Publication, Role, Secret, StreamId, Token, User,
};
use thalweg_console::register::NoChange;
use thalweg_console::remote::Remote;
use thalweg_console::store::{self, Place, Store};
use thalweg_console::urls::{Places, UdpPlace};
use thalweg_console::{Console, Parts, Register, Tasks};
use thalweg_hub::{Hub, InProcess, Limits, Protocol, Publication as Seat, Publisher, Watching};
use thalweg_hub::{StreamKey, Ticket};
use thalweg_testkit::folder::Folder;
use thalweg_testkit::media::Recipe;

use crate::asking::Asker;

/// A console and all that it knows. Account 1 is the default one.
pub(crate) struct Home {
    pub(crate) hub: Hub,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) register: Arc<Register>,
    pub(crate) console: Console,
    pub(crate) router: Router,
    pub(crate) remote: Remote,
    /// What goes on beside requests, where a story has it go on.
    pub(crate) tasks: Option<Tasks>,
    folder: Folder,
}

impl Home {
    /// One that has an administrator already, `root`, who cannot log in.
    pub(crate) async fn new(name: &str) -> Home {
        Home::with(name, vec![new_account("1")]).await
    }

    /// One that begins with these accounts.
    pub(crate) async fn with(name: &str, accounts: Vec<Account>) -> Home {
        let folder = Folder::new(&format!("api-{name}"));
        let store = open(&folder).await;
        store.put_user(&user("root", Role::Admin, None, "no hash")).await.unwrap();
        Home::of(folder, store, accounts).await
    }

    /// One that nobody can log in to yet.
    pub(crate) async fn empty(name: &str) -> Home {
        let folder = Folder::new(&format!("api-{name}"));
        let store = open(&folder).await;
        Home::of(folder, store, vec![new_account("1")]).await
    }

    /// The same after a restart: nothing is left but the store.
    pub(crate) async fn restarted(self) -> Home {
        let Home { folder, .. } = self;
        let store = open(&folder).await;
        Home::of(folder, store, vec![new_account("1")]).await
    }

    /// Does something to the database behind the store's back.
    pub(crate) async fn tamper(&self, sql: &'static str) {
        let url = format!("sqlite://{}", self.folder.path().join("data/thalweg.db").display());
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    }

    async fn of(folder: Folder, store: Arc<dyn Store>, first: Vec<Account>) -> Home {
        let hub = Hub::new(Limits::default(), InProcess::default());
        let first = || Ok::<_, NoChange>(first);
        let register = Arc::new(Register::open(Arc::clone(&store), first).await.unwrap());
        let remote = Remote::new(Arc::new(Nowhere), Arc::new(SystemClock), "local");
        let parts = Parts {
            hub: hub.clone(),
            store: Arc::clone(&store),
            register: Arc::clone(&register),
            places: places(),
            post: Arc::new(Nowhere),
            remote: remote.clone(),
            counts_waiting_max: 1000,
        };
        let (console, tasks) = Console::new(parts).await.unwrap();
        let router = thalweg_console::router(&console);
        Home { hub, store, register, console, router, remote, tasks: Some(tasks), folder }
    }

    /// Somebody with a token of a role, for one account or for all.
    pub(crate) async fn asker(&self, role: Role, account: Option<&str>) -> Asker {
        let text = format!("tw_test-{}", number());
        self.store.add_token(&token(&text, role, account)).await.unwrap();
        Asker::bearer(&self.router, &text)
    }

    pub(crate) async fn admin(&self) -> Asker {
        self.asker(Role::Admin, None).await
    }

    /// Makes an account by the API: of a category that is admitted, everything opened, and with hosts
    /// `push.ITS-HOST` and `play.ITS-HOST`.
    pub(crate) async fn account(&self, bizid: &str, host: &str) -> Value {
        let admin = self.admin().await;
        let wanted = json!({
            "bizid": bizid, "name": format!("School {host}"), "category": ONLINE_EDUCATION,
            "service": true, "live_pusher": true, "live_player": true,
        });
        admin.post("/api/v1/accounts", wanted).await.is(201);
        for (number, action) in [(1, "push"), (2, "play")] {
            let path = format!("/api/v1/accounts/{bizid}/domains/{number}");
            admin.patch(&path, json!({ "host": format!("{action}.{host}") })).await.is(200);
        }
        admin.get(&format!("/api/v1/accounts/{bizid}")).await.is(200)
    }

    /// What somebody who comes with a URL is told now.
    pub(crate) fn decides(&self, url: &str, action: Action) -> Result<(), Reason> {
        let (at, _) = thalweg_console::check::parse(url).unwrap();
        let query = Query::new(&at.query);
        let (host, app, stream) = (&*at.host, &*at.app, &*at.stream);
        let (way, peer, referer) = (Way::Tcp, None, None);
        let request = Request { action, way, host, app, stream, query, peer, referer };
        decide(&self.register.reader().get(), &request, now()).map(drop)
    }

    /// Somebody publishes three seconds of a stream and stays.
    pub(crate) fn publish(&self, account: &str, app: &str, name: &str) -> Seat {
        self.publish_for(account, app, name, 3000)
    }

    /// The same of one picture, where there are many.
    pub(crate) fn publish_a_little(&self, account: &str, app: &str, name: &str) -> Seat {
        self.publish_for(account, app, name, 1)
    }

    fn publish_for(&self, account: &str, app: &str, name: &str, ms: i64) -> Seat {
        let at = Instant::now();
        let key = StreamKey::new(account, app, name);
        let publisher = Publisher { peer: peer(7), credential: None, agent: "obs".to_owned() };
        let mut seat = self.hub.publish(&key, publisher, at).unwrap();
        for frame in Recipe::default().frames_for(ms) {
            seat.append(frame, at).unwrap();
        }
        seat
    }

    pub(crate) fn watch(&self, account: &str, app: &str, name: &str, from: u8) -> Watching {
        let key = StreamKey::new(account, app, name);
        let ticket: Ticket = self.hub.ticket();
        let (protocol, at) = (Protocol::HttpFlv, Instant::now());
        self.hub.enter(&key, peer(from), "player", protocol, ticket, at).unwrap()
    }
}

pub(crate) const ONLINE_EDUCATION: Category = Category("education", "online-education");

/// A category, as it is written in a request.
#[derive(serde::Serialize)]
#[serde(into = "Value")]
pub(crate) struct Category(&'static str, &'static str);

impl Clone for Category {
    fn clone(&self) -> Self {
        Category(self.0, self.1)
    }
}

impl From<Category> for Value {
    fn from(Category(main, sub): Category) -> Value {
        json!({ "main": main, "sub": sub })
    }
}

pub(crate) fn peer(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], 5000))
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A number that no other thing of the test has.
pub(crate) fn number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Relaxed)
}

pub(crate) fn user(login: &str, role: Role, account: Option<&str>, hash: &str) -> User {
    User {
        login: login.to_owned(),
        password_hash: Secret::new(hash),
        role,
        account: account.map(str::to_owned),
        created: 1,
        last_login: None,
    }
}

pub(crate) fn token(text: &str, role: Role, account: Option<&str>) -> Token {
    Token {
        id: 0,
        hash: Sha256::digest(text.as_bytes()).into(),
        name: "a test".to_owned(),
        role,
        account: account.map(str::to_owned),
        created: now(),
        expires: None,
        last_used: None,
    }
}

pub(crate) fn stream(account: &str, app: &str, name: &str) -> StreamId {
    StreamId { account: account.to_owned(), app: app.to_owned(), name: name.to_owned() }
}

pub(crate) fn publication(stream: StreamId, began_ms: u64) -> Publication {
    Publication {
        sequence: format!("{:020}", number()),
        stream,
        peer: "192.0.2.7".to_owned(),
        host: "push.example.com".to_owned(),
        agent: "obs".to_owned(),
        protocol: "rtmp".to_owned(),
        params: Some(Secret::new("txSecret=0123abcd&txTime=65A5F1C0&room=7")),
        began_ms,
        end: None,
    }
}

/// A callback that was given up.
pub(crate) fn delivery(account: &str) -> Delivery {
    let body = json!({ "event_type": 1, "stream_param": "txSecret=0123abcd&room=7" });
    Delivery {
        id: 0,
        account: account.to_owned(),
        event: 1,
        stream: "live/room".to_owned(),
        body: Some(Secret::new(body.to_string())),
        state: DeliveryState::Failed,
        tries: 12,
        due_ms: now() * 1000,
        outcome: "500".to_owned(),
        made_ms: now() * 1000,
    }
}

pub(crate) fn new_account(bizid: &str) -> Account {
    let new_key = || Ok::<_, ()>(Secret::new(format!("{:032}", number())));
    Account { name: "The first".to_owned(), ..Account::new(bizid, now(), new_key).unwrap() }
}

async fn open(folder: &Folder) -> Arc<dyn Store> {
    store::open(&Place::folder(folder.path().join("data"))).await.unwrap()
}

fn places() -> Places {
    Places {
        host: "127.0.0.1".to_owned(),
        rtmp_port: 1935,
        http_port: 8080,
        https_port: None,
        udp: Some(UdpPlace { other_port: None }),
    }
}

/// Takes callbacks and brings them to nobody.
#[derive(Debug)]
struct Nowhere;

#[async_trait]
impl Post for Nowhere {
    async fn post(&self, _: &Message) -> Result<u16, Undelivered> {
        Ok(200)
    }
}
