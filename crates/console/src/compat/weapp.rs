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
use thalweg_hub::address_of;

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
    /// Streams of the button's that may still be pushed, and until when their URLs are good.
    given: Arc<Mutex<BTreeMap<String, u64>>>,
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
    let bizid = demo.bizid();
    let prefix = format!("{bizid}_{NAME}");
    let [a, b, c, d, e, f] = random::<6>()?;
    let name = format!("{prefix}{}_{}", HEXLOWER.encode(&[a, b, c, d]), HEXLOWER.encode(&[e, f]));
    let policy = demo.console.inner.register.reader().get();
    let signer = Signer { policy: &policy, places: &demo.console.inner.places };
    let now = now_unix_s();
    let wish = |valid| Wish { account: Some(bizid.clone()), ..Wish::new(&name, now, valid) };
    let (push, play) = (signer.push(&wish(PUSH_VALID))?, signer.play(&wish(VALID))?);
    demo.give(&prefix, &name, now, push.until_unix_s)?;
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
    let wish = Wish { account: Some(demo.bizid()), ..Wish::new(demo.clock, now_unix_s(), VALID) };
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
    fn bizid(&self) -> String {
        self.console.books().accounts.first().map(|a| a.bizid.clone()).unwrap_or_default()
    }

    /// Counts a stream among those that are live, or may be by a URL that is good.
    fn give(&self, prefix: &str, name: &str, now: u64, until: u64) -> Result<(), ApiError> {
        let live = self.console.inner.hub.snapshot(Instant::now()).streams;
        let live = live.iter().filter(|s| s.publisher.is_some()).map(|s| &*s.key.name);
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        given.retain(|_, until| *until > now);
        let others = live.filter(|name| name.starts_with(prefix) && !given.contains_key(*name));
        if others.count() + given.len() >= LIVE_MAX {
            let words = format!(
                "{LIVE_MAX} streams of this demo are live, or may be by a URL that is still good: wait \
                 until one is over"
            );
            return Err(ApiError::too_many(words, 60));
        }
        given.insert(name.to_owned(), until);
        Ok(())
    }

    fn take_turn(&self, peer: Option<IpAddr>) -> Result<(), ApiError> {
        self.limiter.take(&peer.map(address_of)).map_err(|seconds| {
            let words = format!("{PER_MINUTE} URLs a minute: the next one in {seconds} s");
            ApiError::too_many(words, seconds)
        })
    }
}

/// What follows the account's number in a name.
const NAME: &str = "user_";
/// How long the URLs to watch with are good.
const VALID: Duration = Duration::from_secs(3600);
/// And how long one may begin to push: each URL that is good takes the place of a stream.
const PUSH_VALID: Duration = Duration::from_secs(600);
/// URLs for one address.
const PER_MINUTE: u32 = 5;
/// Streams of the button's that are live at one time, or may be.
const LIVE_MAX: usize = 20;
