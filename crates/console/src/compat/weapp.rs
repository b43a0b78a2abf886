//! `/weapp/utils/*`: what the demo mini-program's *New* button asks. Only in a demo: it gives URLs to push to
//! whoever comes.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use data_encoding::HEXLOWER;
use serde::Serialize;
use thalweg_access::Reason;
use thalweg_hub::{StreamSnapshot, address_of};

use crate::api::ApiError;
use crate::api::guard::Peer;
use crate::auth::random;
use crate::console::{Console, now_unix_s};
use crate::limiter::Limiter;
use crate::urls::{Signer, Wish};

/// The demo's paths; `clock` is the name of the stream that shows the time.
pub(crate) fn router(console: Console, clock: &'static str) -> Router {
    let demo = Demo {
        console,
        clock,
        limiter: Arc::new(Limiter::per_minute(PER_MINUTE)),
        given: Arc::default(),
    };
    Router::new()
        .route("/weapp/utils/get_test_pushurl", get(push_url))
        .route("/weapp/utils/get_test_rtmpaccurl", get(acc_url))
        .with_state(demo)
}

#[derive(Clone)]
struct Demo {
    console: Console,
    clock: &'static str,
    limiter: Arc<Limiter<Option<IpAddr>>>,
    /// Streams of the button's that may begin at any moment, and until when their places are kept.
    given: Arc<Mutex<BTreeMap<String, u64>>>,
}

/// The streams of the button's that are live: no more of them begin than there is room for.
#[derive(Debug)]
pub struct DemoRoom {
    console: Console,
}

impl DemoRoom {
    /// The room of a console's demo.
    pub fn new(console: &Console) -> DemoRoom {
        DemoRoom { console: console.clone() }
    }

    /// Whether a stream may begin.
    ///
    /// # Errors
    /// [`Reason::Full`] when it is one of the button's, and twenty are live.
    pub fn may_begin(&self, account: &str, name: &str) -> Result<(), Reason> {
        let bizid = bizid(&self.console);
        let prefix = prefix(&bizid);
        let is_one = account == bizid && name.starts_with(&prefix);
        match is_one && live(&self.console, &prefix).len() >= LIVE_MAX {
            true => Err(Reason::Full),
            false => Ok(()),
        }
    }
}

/// A URL to push to and those to watch it, as the vendor's demo names them. HLS is not served, and so not
/// printed.
#[derive(Debug, Serialize)]
struct TestUrls {
    url_push: String,
    url_play_flv: String,
    url_play_rtmp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    url_play_acc: Option<String>,
}

/// A URL of the clock for RTC mode.
#[derive(Debug, Serialize)]
struct AccUrl {
    url_rtmpacc: String,
}

async fn push_url(State(demo): State<Demo>, Peer(peer): Peer) -> Result<Response, ApiError> {
    demo.take_turn(peer)?;
    let bizid = bizid(&demo.console);
    let prefix = prefix(&bizid);
    let [a, b, c, d, e, f] = random::<6>()?;
    let name = format!("{prefix}{}_{}", HEXLOWER.encode(&[a, b, c, d]), HEXLOWER.encode(&[e, f]));
    let policy = demo.console.inner.register.reader().get();
    let signer = Signer { policy: &policy, places: &demo.console.inner.places };
    let now = now_unix_s();
    let wish = |valid| Wish { account: Some(bizid.clone()), ..Wish::new(&name, now, valid) };
    let (push, play) = (signer.push(&wish(VALID))?, signer.play(&wish(VALID))?);
    demo.give(&prefix, &name, now)?;
    Ok(answer(TestUrls {
        url_push: push.rtmp,
        url_play_flv: play.flv,
        url_play_rtmp: play.rtmp,
        url_play_acc: play.rtc.map(|rtc| rtc.url),
    }))
}

async fn acc_url(State(demo): State<Demo>, Peer(peer): Peer) -> Result<Response, ApiError> {
    demo.take_turn(peer)?;
    let policy = demo.console.inner.register.reader().get();
    let signer = Signer { policy: &policy, places: &demo.console.inner.places };
    let wish =
        Wish { account: Some(bizid(&demo.console)), ..Wish::new(demo.clock, now_unix_s(), VALID) };
    let rtc = signer.play(&wish)?.rtc;
    let rtc = rtc.ok_or_else(|| ApiError::not_found("URL for RTC mode: UDP is off here"))?;
    Ok(answer(AccUrl { url_rtmpacc: rtc.url }))
}

/// Mini-programs and pages of other hosts may ask, as they may ask the vendor's demo.
fn answer(body: impl Serialize) -> Response {
    let headers = [(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"), (header::CACHE_CONTROL, "no-store")];
    (StatusCode::OK, headers, Json(body)).into_response()
}

impl Demo {
    /// Keeps a place for a stream, if there is one.
    fn give(&self, prefix: &str, name: &str, now: u64) -> Result<(), ApiError> {
        let live = live(&self.console, prefix);
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        given.retain(|name, until| {
            *until > now && !live.iter().any(|live| *live.key.name == **name)
        });
        if live.len() + given.len() >= LIVE_MAX {
            let words = format!(
                "{LIVE_MAX} streams of this demo are live, or about to be: wait until one is over"
            );
            return Err(ApiError::too_many(words, KEPT_S));
        }
        given.insert(name.to_owned(), now + KEPT_S);
        Ok(())
    }

    fn take_turn(&self, peer: Option<IpAddr>) -> Result<(), ApiError> {
        self.limiter.take(&peer.map(address_of)).map_err(|seconds| {
            let words = format!("{PER_MINUTE} URLs a minute: the next one in {seconds} s");
            ApiError::too_many(words, seconds)
        })
    }
}

/// The demo's account.
fn bizid(console: &Console) -> String {
    console.books().accounts.first().map(|a| a.bizid.clone()).unwrap_or_default()
}

/// How names of the button's begin.
fn prefix(bizid: &str) -> String {
    format!("{bizid}_{NAME}")
}

/// Those of the button's that are live.
fn live(console: &Console, prefix: &str) -> Vec<StreamSnapshot> {
    let mut streams = console.inner.hub.snapshot(Instant::now()).streams;
    streams.retain(|s| s.publisher.is_some() && s.key.name.starts_with(prefix));
    streams
}

/// What follows the account's number in a name.
const NAME: &str = "user_";
/// How long the URLs are good.
const VALID: Duration = Duration::from_secs(3600);
/// How long a place is kept for a URL that nobody has used yet, s. Who comes later finds one, or is told that it is full.
const KEPT_S: u64 = 60;
/// URLs for one address.
const PER_MINUTE: u32 = 5;
/// Streams of the button's that are live at one time.
const LIVE_MAX: usize = 20;
