//! One load on one server, once.

use std::io;
use std::net::ToSocketAddrs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use thalweg_client::rustls::ClientConfig;
use thalweg_client::rustls::pki_types::ServerName;
use thalweg_client::{Target as Place, Trust};

use crate::crowd::{Crowd, Member, Plan, Role, Seat};
use crate::feed::Feed;
use crate::media::Media;
use crate::process::Usage;
use crate::profile::{Profile, Protocol};

/// A server under load.
#[derive(Debug, Clone, Default)]
pub struct Target {
    /// What it is called in tables.
    pub name: String,
    /// Where to push; `{n}` stands for the number of a stream. `None` for one that makes its own.
    pub push: Option<String>,
    /// Where to watch by RTMP.
    pub rtmp: Option<String>,
    /// Where to watch by HTTP-FLV.
    pub http_flv: Option<String>,
    /// Where to watch by WS-FLV.
    pub ws_flv: Option<String>,
    /// Where to watch by RTMPS.
    pub rtmps: Option<String>,
    /// Where to watch by HTTPS-FLV.
    pub https_flv: Option<String>,
    /// Whose certificates are good.
    pub trust: Trust,
    /// Its process, if it is on this machine.
    pub pid: Option<u32>,
}

/// What a trial came to.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Outcome {
    /// Of whom.
    pub server: String,
    /// How they watched.
    pub protocol: &'static str,
    /// Streams, and viewers of all of them.
    pub streams: usize,
    /// Who was to come.
    pub viewers: usize,
    /// Who was there at the end.
    pub playing: usize,
    /// Why others were not, and how many.
    pub fates: Vec<(String, usize)>,
    /// Publishers that were refused or cut.
    pub publishers_failed: usize,
    /// Seconds measured.
    pub seconds: f64,
    /// Payload and framing, Mbit/s, to all viewers.
    pub mbit_per_s: f64,
    /// Processor seconds that the server used for 1000 viewers in a second. `None` without a pid.
    pub cpu_s_per_1000_viewer_s: Option<f64>,
    /// Per cent of that in its own code.
    pub user_percent: Option<f64>,
    /// Bytes of memory before any viewer came.
    pub memory_before_bytes: Option<u64>,
    /// Bytes more for each viewer.
    pub memory_bytes_per_viewer: Option<f64>,
    /// Writes to one viewer in a second, as probes see them.
    pub writes_per_s: f64,
    /// From the publisher's write to a probe's read, ms.
    pub delay_ms: Spread,
    /// From connecting to the first picture, ms.
    pub first_picture_ms: Spread,
    /// Pictures seen, by viewers that read as they should.
    pub pictures: u64,
    /// Pictures missing between two that came.
    pub lost: u64,
    /// Pictures that came after a later one.
    pub reordered: u64,
    /// Pictures that probes found whole, and changed.
    pub whole: u64,
    /// Pictures that came changed.
    pub damaged: u64,
    /// Viewers without media for over half a second.
    pub stalled: usize,
    /// Longest time without media, ms.
    pub longest_gap_ms: f64,
}

/// Half of the values are below the first, 99 of 100 below the second.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Spread {
    /// Median.
    pub p50: f64,
    /// 99th of a hundred.
    pub p99: f64,
}

/// Why there is no outcome.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A URL is missing or cannot be used.
    #[error("{0}")]
    Url(String),
    /// Publishers did not get through.
    #[error("{failed} of {streams} publishers failed: is the push URL right, and signed?")]
    Publishers {
        /// Who did not.
        failed: usize,
        /// Of how many.
        streams: usize,
    },
    /// The system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Puts a profile's load of some media on a server, and sees what it comes to. `step` is called some times a
/// second with what is being done and how far it is, 0 to 1.
///
/// # Errors
/// [`Error`], when it could not even begin.
pub fn run(
    profile: &Profile,
    media: &Media,
    protocol: Protocol,
    target: &Target,
    step: &mut dyn FnMut(&str, f64),
) -> Result<Outcome, Error> {
    let feed = start_feed(profile.streams, media, target, step)?;
    let storm = match (&target.push, profile.publish_storm) {
        (Some(push), n @ 1..) => {
            let urls = (0..n).map(|i| url_of(push, &format!("storm{i}"))).collect();
            Some(Feed::start(urls, media, &target.trust, Some(STORM_EACH))?)
        }
        _ => None,
    };
    pass(SETTLE, "letting it settle", step);
    let before = target.pid.and_then(Usage::of);
    let crowd = Crowd::start(plan(profile, media, protocol, target)?)?;
    let seating = profile.all() as f64 / f64::from(profile.ramp_per_s);
    pass(Duration::from_secs_f64(seating), "seating viewers", step);
    pass(Duration::from_secs(profile.warm_s), "warming up", step);

    crowd.measure();
    let (began, usage) = (Instant::now(), target.pid.and_then(Usage::of));
    let half = Duration::from_secs(profile.duration_s) / 2;
    pass(half, "measuring", step);
    crowd.storm();
    pass(half, "measuring on", step);
    let seconds = began.elapsed().as_secs_f64();
    let after = target.pid.and_then(Usage::of);
    let members = crowd.finish();

    let publishers_failed =
        feed.as_ref().map_or(0, Feed::failures) + storm.as_ref().map_or(0, Feed::failures);
    let sums = Outcome {
        server: target.name.clone(),
        protocol: protocol.name(),
        streams: profile.streams,
        viewers: profile.all() + profile.join_storm,
        publishers_failed,
        seconds,
        ..count(&members, seconds)
    };
    Ok(match (before, usage, after) {
        (Some(before), Some(from), Some(to)) => sums.with_usage(before, from, to),
        _ => sums,
    })
}

fn start_feed(
    streams: usize,
    media: &Media,
    target: &Target,
    step: &mut dyn FnMut(&str, f64),
) -> Result<Option<Feed>, Error> {
    let Some(push) = &target.push else { return Ok(None) };
    let urls = (0..streams).map(|n| url_of(push, &n.to_string())).collect();
    let feed = Feed::start(urls, media, &target.trust, None)?;
    let began = Instant::now();
    while feed.live() < streams {
        if feed.failures() > 0 || began.elapsed() > PUBLISH_MAX {
            return Err(Error::Publishers { failed: streams - feed.live(), streams });
        }
        step("publishing", feed.live() as f64 / streams as f64);
        std::thread::sleep(STEP);
    }
    Ok(Some(feed))
}

/// A URL with the name of a stream.
fn url_of(pattern: &str, name: &str) -> String {
    pattern.replace("{n}", name)
}

fn plan(
    profile: &Profile,
    media: &Media,
    protocol: Protocol,
    target: &Target,
) -> Result<Plan, Error> {
    let pattern = match protocol {
        Protocol::Rtmp => target.rtmp.as_ref(),
        Protocol::HttpFlv => target.http_flv.as_ref(),
        Protocol::WsFlv => target.ws_flv.as_ref(),
        Protocol::Rtmps => target.rtmps.as_ref(),
        Protocol::HttpsFlv => target.https_flv.as_ref(),
    };
    let tls = match protocol.is_secure() {
        true => Some(target.trust.config().map_err(|e| Error::Url(e.to_string()))?),
        false => None,
    };
    let missing = || Error::Url(format!("no {} URL of {}", protocol.name(), target.name));
    let pattern = pattern.ok_or_else(missing)?;
    let tick = Duration::from_millis(profile.tick_ms);
    let half_rate = Role::Slow(media.kbps() as usize * profile.tick_ms.max(1) as usize / 16);
    let role_of = |i: usize| match i {
        i if i < profile.probes => Role::Probe,
        i if i < profile.probes + profile.stalled => Role::Stalled,
        i if i < profile.probes + profile.stalled + profile.half_rate => half_rate,
        _ => Role::Ordinary,
    };
    let mut seats = Vec::new();
    for i in 0..profile.all() {
        seats.push(seat(protocol, pattern, tls.as_ref(), i % profile.streams, role_of(i))?);
    }
    let mut joiners = Vec::new();
    for i in 0..profile.join_storm {
        joiners.push(seat(protocol, pattern, tls.as_ref(), i % profile.streams, Role::Joiner)?);
    }
    Ok(Plan { seats, joiners, ramp_per_s: profile.ramp_per_s, tick })
}

fn seat(
    protocol: Protocol,
    pattern: &str,
    tls: Option<&Arc<ClientConfig>>,
    n: usize,
    role: Role,
) -> Result<Seat, Error> {
    let url = url_of(pattern, &n.to_string());
    let bad =
        |words: String| Error::Url(format!("{}: {words}", url.split('?').next().unwrap_or("")));
    let place = Place::parse(&url).map_err(|e| bad(e.to_string()))?;
    let (host, port, secure) = match (&place, protocol) {
        (Place::Rtmp(rtmp), Protocol::Rtmp | Protocol::Rtmps) => {
            (&rtmp.address.host, rtmp.address.port, rtmp.secure)
        }
        (Place::Http(http), Protocol::HttpFlv | Protocol::HttpsFlv)
        | (Place::WebSocket(http), Protocol::WsFlv) => (&http.host, http.port, http.secure),
        _ => return Err(bad(format!("this is no URL for {}", protocol.name()))),
    };
    if secure != protocol.is_secure() {
        return Err(bad(format!("this is no URL for {}", protocol.name())));
    }
    let name = ServerName::try_from(host.clone()).map_err(|e| bad(e.to_string()))?;
    let found = (host.as_str(), port).to_socket_addrs()?.next();
    let to = found.ok_or_else(|| bad("no such host".to_owned()))?;
    let tls = tls.map(|config| (Arc::clone(config), name));
    Ok(Seat { to, place, role, tls })
}

/// Lets time pass, and says so.
fn pass(time: Duration, what: &str, step: &mut dyn FnMut(&str, f64)) {
    let began = Instant::now();
    while began.elapsed() < time {
        step(what, began.elapsed().as_secs_f64() / time.as_secs_f64());
        std::thread::sleep(STEP.min(time - began.elapsed().min(time)));
    }
}

fn count(members: &[Member], seconds: f64) -> Outcome {
    let is_good = |m: &&Member| matches!(m.role, Role::Ordinary | Role::Probe | Role::Joiner);
    let is_playing =
        |m: &&Member| m.fate.is_none() && (m.seen.pictures > 0 || m.role == Role::Stalled);
    // Those who came in the storm cannot have been there all the time.
    let is_old = |m: &&Member| matches!(m.role, Role::Ordinary | Role::Probe);
    let probes = || members.iter().filter(|m| m.role == Role::Probe);
    let mut fates: Vec<(String, usize)> = Vec::new();
    for fate in members.iter().filter_map(|m| m.fate.as_ref()) {
        match fates.iter_mut().find(|(words, _)| words == fate) {
            Some((_, n)) => *n += 1,
            None => fates.push((fate.clone(), 1)),
        }
    }
    let sum = |of: fn(&Member) -> u64| members.iter().filter(is_good).map(of).sum::<u64>();
    let gaps = || members.iter().filter(is_old).map(|m| m.seen.longest_gap_ms);
    let reads: u64 = probes().map(|m| m.seen.reads).sum();
    Outcome {
        playing: members.iter().filter(is_playing).count(),
        fates,
        mbit_per_s: members.iter().map(|m| m.seen.bytes).sum::<u64>() as f64 * 8e-6 / seconds,
        writes_per_s: reads as f64 / seconds / probes().count().max(1) as f64,
        delay_ms: Spread::of(probes().flat_map(|m| m.seen.delays_ms.iter().copied()).collect()),
        first_picture_ms: Spread::of(
            members.iter().filter(is_good).filter_map(|m| m.seen.first_picture_ms).collect(),
        ),
        pictures: sum(|m| m.seen.pictures),
        lost: sum(|m| m.seen.lost),
        reordered: sum(|m| m.seen.reordered),
        whole: sum(|m| m.seen.whole),
        damaged: sum(|m| m.seen.damaged),
        stalled: gaps().filter(|ms| *ms > STALL_MS).count(),
        longest_gap_ms: gaps().fold(0.0, f64::max),
        ..Outcome::default()
    }
}

impl Outcome {
    fn with_usage(self, before: Usage, from: Usage, to: Usage) -> Outcome {
        let used = to.since(from);
        let all = (used.user + used.system).as_secs_f64();
        let viewers = self.playing.max(1) as f64;
        let more = to.resident_bytes.saturating_sub(before.resident_bytes);
        Outcome {
            cpu_s_per_1000_viewer_s: Some(all * 1000.0 / viewers / self.seconds),
            user_percent: Some(100.0 * used.user.as_secs_f64() / all.max(1e-9)),
            memory_before_bytes: Some(before.resident_bytes),
            memory_bytes_per_viewer: Some(more as f64 / viewers),
            ..self
        }
    }
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Spread {
        values.sort_by(f64::total_cmp);
        let at = |share| percentile(&values, share).unwrap_or_default();
        Spread { p50: at(0.5), p99: at(0.99) }
    }
}

/// The value that this share, 0 to 1, of sorted values does not exceed.
pub(crate) fn percentile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * share).round() as usize).copied()
}

const STEP: Duration = Duration::from_millis(100);
/// Between the first publisher and the first viewer, so that there are key frames to start with.
const SETTLE: Duration = Duration::from_millis(2500);
const PUBLISH_MAX: Duration = Duration::from_secs(30);
const STORM_EACH: Duration = Duration::from_secs(1);
const STALL_MS: f64 = 500.0;
