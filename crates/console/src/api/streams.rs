//! Streams: what is live, and what may not be.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use thalweg_hub::{AudioInfo, Protocol, PublisherSnapshot, StreamKey, StreamSnapshot, VideoInfo};
use utoipa::{IntoParams, ToSchema};

use crate::api::ApiError;
use crate::api::accounts::find;
use crate::api::body::Body;
use crate::api::error::{Answer, Refusal};
use crate::api::guard::{Operator, Reader};
use crate::api::lists::{Paging, Path, searched};
use crate::clock::moment;
use crate::console::{Console, now_unix_s};
use crate::graphs::Second;
use crate::model::{self, StreamId};

/// Streams, in the order of their names.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Streams {
    streams: Vec<Stream>,
    total: usize,
}

/// A stream, closely.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Detail {
    #[serde(flatten)]
    stream: Stream,
    /// The last five minutes, from when somebody first looked.
    seconds: Vec<Second>,
}

/// Until when a stream may not be published, and why.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct Until {
    until: u64,
    reason: String,
}

/// Streams that may not be published.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ForbiddenList {
    forbidden: Vec<Forbidden>,
}

/// A stream that may not be published.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Forbidden {
    account: String,
    app: String,
    name: String,
    until: u64,
    reason: String,
}

/// Which streams.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    account: Option<String>,
    /// Part of `app/name`.
    #[param(max_length = 100)]
    query: Option<String>,
    /// Only those that are published now, or only those that are not.
    live: Option<bool>,
}

/// Of which account.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Whose {
    account: Option<String>,
}

/// For how long, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Forbid {
    /// UNIX seconds; in 7 days if it is not said, in 90 at most.
    until: Option<u64>,
    #[schema(max_length = 200)]
    reason: Option<String>,
}

/// What came of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Dropped {
    /// Whether somebody published it.
    dropped: bool,
}

/// What came of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Resumed {
    /// Whether it was forbidden.
    resumed: bool,
}

/// Streams of this server, in the order of their names, waiting ones included.
#[utoipa::path(get, path = "/api/v1/streams", params(Which, Paging), responses(
    (status = 200, body = Streams), (status = 401, body = Refusal),
))]
pub(crate) async fn list(
    State(console): State<Console>,
    Reader(who): Reader,
    which: Result<Query<Which>, QueryRejection>,
    paging: Result<Query<Paging>, QueryRejection>,
) -> Answer<Streams> {
    let (Query(Which { account, query, live }), page) = (which?, paging?.page()?);
    let account = who.scope(account)?;
    let query = searched(query)?;
    let fits = |s: &StreamSnapshot| {
        account.as_deref().is_none_or(|a| a == &*s.key.account)
            && live.is_none_or(|live| live == s.publisher.is_some())
            && (query.is_empty()
                || format!("{}/{}", s.key.app, s.key.name).to_lowercase().contains(&query))
    };
    let mut found = console.inner.hub.snapshot(Instant::now()).streams;
    found.retain(fits);
    let total = found.len();
    let forbids = console.store().forbids(account.as_deref(), now_unix_s()).await;
    // What is live is shown whether the store works or not.
    let forbids: BTreeMap<_, _> =
        forbids.unwrap_or_default().into_iter().map(|f| (f.stream.key(), Until::of(f))).collect();
    let view = |s: StreamSnapshot| {
        let forbidden = forbids.get(&s.key).cloned();
        Stream { forbidden, ..Stream::from(s) }
    };
    let streams = page.of(found).into_iter().map(view).collect();
    Ok(Json(Streams { streams, total }))
}

/// One stream.
#[utoipa::path(get, path = "/api/v1/streams/{account}/{app}/{name}",
    params(("account" = String, Path), ("app" = String, Path), ("name" = String, Path)), responses(
    (status = 200, body = Detail), (status = 404, body = Refusal),
))]
pub(crate) async fn show(
    State(console): State<Console>,
    Reader(who): Reader,
    Path(path): Path<(String, String, String)>,
) -> Answer<Detail> {
    let id = StreamId::of(path);
    who.must_see(&id.account)?;
    let key = id.key();
    let stream = console.inner.hub.stream(&key, Instant::now()).map(Stream::from);
    let forbids = console.store().forbids(Some(&id.account), now_unix_s()).await?;
    let forbidden = forbids.into_iter().find(|f| f.stream == id).map(Until::of);
    // One that may not be published is worth a page, though it is not there.
    let stream = match (stream, &forbidden) {
        (Some(stream), _) => stream,
        (None, Some(_)) => Stream::absent(&key),
        (None, None) => return Err(ApiError::not_found(format!("stream {key} now"))),
    };
    let stream = Stream { forbidden, ..stream };
    Ok(Json(Detail { stream, seconds: console.inner.graphs.of(&key) }))
}

/// Sends a stream's publisher away. It may come back.
#[utoipa::path(post, path = "/api/v1/streams/{account}/{app}/{name}/drop",
    params(("account" = String, Path), ("app" = String, Path), ("name" = String, Path)), responses(
    (status = 200, body = Dropped), (status = 403, body = Refusal), (status = 404, body = Refusal),
))]
pub(crate) async fn drop_publisher(
    State(console): State<Console>,
    Operator(who): Operator,
    Path(path): Path<(String, String, String)>,
) -> Answer<Dropped> {
    let id = StreamId::of(path);
    who.must_see(&id.account)?;
    find(&console, &id.account)?;
    let dropped = drop_stream(&console, &id)?;
    console.note(&who, Some(&id.account), "stream.drop", id.key().to_string()).await;
    Ok(Json(Dropped { dropped }))
}

/// Sends a stream's publisher away, and lets nobody publish it for a time.
#[utoipa::path(post, path = "/api/v1/streams/{account}/{app}/{name}/forbid",
    params(("account" = String, Path), ("app" = String, Path), ("name" = String, Path)),
    request_body = Forbid, responses(
    (status = 200, body = Forbidden), (status = 400, body = Refusal), (status = 404, body = Refusal),
))]
pub(crate) async fn forbid(
    State(console): State<Console>,
    Operator(who): Operator,
    Path(path): Path<(String, String, String)>,
    body: Result<Body<Forbid>, ApiError>,
) -> Answer<Forbidden> {
    let (id, Body(Forbid { until, reason })) = (StreamId::of(path), body?);
    who.must_see(&id.account)?;
    find(&console, &id.account)?;
    let now = now_unix_s();
    let until = until.unwrap_or(now + FORBID_S_USUAL);
    if until <= now || until - now > FORBID_S_MAX {
        return Err(ApiError::bad("until", "a moment to come, in 90 days at most"));
    }
    let reason = reason.unwrap_or_default();
    if reason.chars().count() > REASON_CHARS_MAX {
        return Err(ApiError::bad("reason", format!("at most {REASON_CHARS_MAX} characters")));
    }
    forbid_stream(&console, &id, until, reason.clone()).await?;
    let detail = format!("{} until {}: {reason}", id.key(), moment(until));
    console.note(&who, Some(&id.account), "stream.forbid", detail).await;
    let StreamId { account, app, name } = id;
    Ok(Json(Forbidden { account, app, name, until, reason }))
}

/// Lets a stream be published again.
#[utoipa::path(post, path = "/api/v1/streams/{account}/{app}/{name}/resume",
    params(("account" = String, Path), ("app" = String, Path), ("name" = String, Path)), responses(
    (status = 200, body = Resumed), (status = 404, body = Refusal),
))]
pub(crate) async fn resume(
    State(console): State<Console>,
    Operator(who): Operator,
    Path(path): Path<(String, String, String)>,
) -> Answer<Resumed> {
    let id = StreamId::of(path);
    who.must_see(&id.account)?;
    find(&console, &id.account)?;
    let resumed = resume_stream(&console, &id).await?;
    console.note(&who, Some(&id.account), "stream.resume", id.key().to_string()).await;
    Ok(Json(Resumed { resumed }))
}

/// Streams that may not be published.
#[utoipa::path(get, path = "/api/v1/forbidden", params(Whose), responses(
    (status = 200, body = ForbiddenList), (status = 401, body = Refusal),
))]
pub(crate) async fn forbidden(
    State(console): State<Console>,
    Reader(who): Reader,
    whose: Result<Query<Whose>, QueryRejection>,
) -> Answer<ForbiddenList> {
    let account = who.scope(whose?.0.account)?;
    let forbids = console.store().forbids(account.as_deref(), now_unix_s()).await?;
    let view = |f: model::Forbid| {
        let model::Forbid { stream: StreamId { account, app, name }, until, reason } = f;
        Forbidden { account, app, name, until, reason }
    };
    Ok(Json(ForbiddenList { forbidden: forbids.into_iter().map(view).collect() }))
}

/// Sends a stream's publisher away. Answers whether there was one.
pub(crate) fn drop_stream(console: &Console, id: &StreamId) -> Result<bool, ApiError> {
    bar(console, &id.key(), Duration::ZERO)
}

/// Lets nobody publish a stream until a moment.
pub(crate) async fn forbid_stream(
    console: &Console,
    id: &StreamId,
    until: u64,
    reason: String,
) -> Result<(), ApiError> {
    let _turn = console.inner.forbids.lock().await;
    // Written down first: what was promised holds after a restart.
    let forbid = model::Forbid { stream: id.clone(), until, reason };
    console.store().put_forbid(&forbid).await?;
    let left = Duration::from_secs(until.saturating_sub(now_unix_s()));
    if let Err(why) = bar(console, &id.key(), left) {
        console.store().remove_forbid(id).await?;
        return Err(why);
    }
    Ok(())
}

/// Lets a stream be published again. Answers whether it was forbidden.
pub(crate) async fn resume_stream(console: &Console, id: &StreamId) -> Result<bool, ApiError> {
    let _turn = console.inner.forbids.lock().await;
    let was_written = console.store().remove_forbid(id).await?;
    let was_barred = console.inner.hub.unbar(&id.key());
    Ok(was_written || was_barred)
}

fn bar(console: &Console, key: &StreamKey, time: Duration) -> Result<bool, ApiError> {
    let kicked = console.inner.hub.kick(key, time, Instant::now());
    kicked.map_err(|why| ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too-many", why.to_string()))
}

impl StreamId {
    fn of((account, app, name): (String, String, String)) -> StreamId {
        StreamId { account, app, name }
    }

    /// As the hub knows it.
    pub(crate) fn key(&self) -> StreamKey {
        StreamKey::new(&self.account, &self.app, &self.name)
    }
}

/// A stream at one moment.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct Stream {
    account: String,
    app: String,
    name: String,
    live: bool,
    /// Null unless nobody may publish it.
    forbidden: Option<Until>,
    publisher: Option<Publisher>,
    video: Option<Video>,
    audio: Option<Audio>,
    /// By protocol.
    viewers: BTreeMap<&'static str, u64>,
    bytes_in: u64,
    /// By protocol.
    bytes_out: BTreeMap<&'static str, u64>,
    jumps: u64,
    frames_skipped: u64,
    log: Log,
}

impl Until {
    fn of(forbid: model::Forbid) -> Until {
        Until { until: forbid.until, reason: forbid.reason }
    }
}

impl Stream {
    /// One that is not there.
    fn absent(key: &StreamKey) -> Stream {
        Stream {
            account: key.account.to_string(),
            app: key.app.to_string(),
            name: key.name.to_string(),
            ..Stream::default()
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
struct Publisher {
    address: String,
    agent: String,
    epoch: u64,
    uptime_s: u64,
    silent_ms: u64,
}

#[derive(Debug, Serialize, ToSchema)]
struct Video {
    codec: Option<&'static str>,
    profile: Option<&'static str>,
    level: Option<f32>,
    width: Option<u32>,
    height: Option<u32>,
    fps: f32,
    bits_per_s: u64,
    gop_ms: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Audio {
    codec: Option<&'static str>,
    profile: Option<&'static str>,
    sample_rate: Option<u32>,
    channels: Option<u8>,
    bits_per_s: u64,
}

#[derive(Debug, Default, Serialize, ToSchema)]
struct Log {
    bytes: u64,
    frames: usize,
    ms: u64,
}

impl From<StreamSnapshot> for Stream {
    fn from(s: StreamSnapshot) -> Self {
        Stream {
            account: s.key.account.to_string(),
            app: s.key.app.to_string(),
            name: s.key.name.to_string(),
            live: s.publisher.is_some(),
            forbidden: None,
            publisher: s.publisher.map(Publisher::from),
            video: s.video.map(Video::from),
            audio: s.audio.map(Audio::from),
            viewers: by_name(s.viewers),
            bytes_in: s.bytes_in,
            bytes_out: by_name(s.bytes_out),
            jumps: s.jumps,
            frames_skipped: s.frames_skipped,
            log: Log { bytes: s.kept_bytes, frames: s.kept_frames, ms: s.kept_ms },
        }
    }
}

impl From<PublisherSnapshot> for Publisher {
    fn from(p: PublisherSnapshot) -> Self {
        Publisher {
            address: p.peer.to_string(),
            agent: p.agent,
            epoch: p.epoch,
            uptime_s: p.uptime.as_secs(),
            silent_ms: p.silent.as_millis() as u64,
        }
    }
}

impl From<VideoInfo> for Video {
    fn from(v: VideoInfo) -> Self {
        Video {
            codec: v.codec_name(),
            profile: v.config.map(|c| c.profile_name()),
            level: v.config.map(|c| f32::from(c.level) / 10.0),
            width: v.config.map(|c| c.width),
            height: v.config.map(|c| c.height),
            fps: (v.fps * 100.0).round() / 100.0,
            bits_per_s: v.bits_per_s,
            gop_ms: v.gop_ms,
        }
    }
}

impl From<AudioInfo> for Audio {
    fn from(a: AudioInfo) -> Self {
        Audio {
            codec: a.codec_name(),
            profile: a.config.map(|c| c.profile_name()),
            sample_rate: a.config.map(|c| c.sample_rate),
            channels: a.config.map(|c| c.channels),
            bits_per_s: a.bits_per_s,
        }
    }
}

fn by_name(counts: Vec<(Protocol, u64)>) -> BTreeMap<&'static str, u64> {
    counts.into_iter().map(|(protocol, n)| (protocol.name(), n)).collect()
}

const FORBID_S_USUAL: u64 = 7 * 86_400;
/// The vendor's.
const FORBID_S_MAX: u64 = 90 * 86_400;
const REASON_CHARS_MAX: usize = 200;
