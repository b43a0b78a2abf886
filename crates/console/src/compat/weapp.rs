//! `/weapp/utils/*`: what the demo mini-program's *New* button asks. Only in a demo: it gives URLs to push to
//! whoever comes.

use std::net::IpAddr;
use std::sync::Arc;
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
    let demo = Demo { console, clock, limiter: Arc::new(Limiter::per_minute(PER_MINUTE)) };
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
    let live = demo.console.inner.hub.snapshot(Instant::now()).streams;
    let prefix = format!("{bizid}_{NAME}");
    let is_ours = |name: &str| name.starts_with(&prefix);
    if live.iter().filter(|s| s.publisher.is_some() && is_ours(&s.key.name)).count() >= LIVE_MAX {
        let words = format!("{LIVE_MAX} streams of this demo are live: wait until one ends");
        return Err(ApiError::too_many(words, 60));
    }
    let [a, b, c, d, e, f] = random::<6>()?;
    let name = format!("{prefix}{}_{}", HEXLOWER.encode(&[a, b, c, d]), HEXLOWER.encode(&[e, f]));
    let policy = demo.console.inner.register.reader().get();
    let signer = Signer { policy: &policy, places: &demo.console.inner.places };
    let wish = Wish { account: Some(bizid), ..Wish::new(&name, now_unix_s(), VALID) };
    let (push, play) = (signer.push(&wish)?, signer.play(&wish)?);
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

    fn take_turn(&self, peer: Option<IpAddr>) -> Result<(), ApiError> {
        self.limiter.take(&peer.map(address_of)).map_err(|seconds| {
            let words = format!("{PER_MINUTE} URLs a minute: the next one in {seconds} s");
            ApiError::too_many(words, seconds)
        })
    }
}

/// What follows the account's number in a name.
const NAME: &str = "user_";
/// How long the URLs are good.
const VALID: Duration = Duration::from_secs(3600);
/// URLs for one address.
const PER_MINUTE: u32 = 5;
/// Streams of the button's that are live at one time.
const LIVE_MAX: usize = 20;
