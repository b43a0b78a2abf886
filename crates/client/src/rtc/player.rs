//! Watching in RTC mode.

use std::time::{Duration, Instant};

use thalweg_quic::{Inflow, sleep_until};
use thalweg_wire::flv::body;
use thalweg_wire::media::Kind;
use thalweg_wire::rtmp::client::Purpose;
use thalweg_wire::rtmp::command::Status;
use thalweg_wire::rtmp_udp::client::Event as Said;
use thalweg_wire::rtmp_udp::control::{Report, ServerStat};
use thalweg_wire::rtmp_udp::receiver::{self, Arrived, Receiver};
use thalweg_wire::rtmp_udp::server::REPORT_PAUSE;

use super::link::{Dialed, Link, Options, unix_us};
use super::playout::{Due, Next, Playout};
use super::status::{NetStatus, quality};
use crate::error::Error;
use crate::transport::Trust;

/// A play that the server has accepted.
#[derive(Debug)]
pub struct Player {
    link: Link,
    inflow: Inflow,
    playout: Playout,
    report_at: Instant,
    key_asked: Option<Instant>,
    meter: Meter,
    stat: ServerStat,
}

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// The moment of a frame has come.
    Due(Due),
    /// The server says something.
    Status(Status),
    /// The server wants us elsewhere: at this URL, or here again.
    Reconnect(Option<String>),
}

/// What is measured of what comes.
#[derive(Debug, Default)]
struct Meter {
    /// At the report before: counts and when.
    before: Option<(Instant, receiver::Counts, Kinds)>,
    kinds: Kinds,
    size: (u32, u32),
    last_key_ms: Option<i64>,
    gop_ms: i64,
    /// The latest of each kind that came, and that was due.
    came: [Option<i64>; 2],
    due: [Option<i64>; 2],
    delay: Option<Duration>,
    status: NetStatus,
}

/// Frames and bytes, by kind.
#[derive(Debug, Clone, Copy, Default)]
struct Kinds {
    video_bytes: u64,
    audio_bytes: u64,
    pictures: u64,
}

impl Player {
    /// Connects to the URL of a play, signed for RTC mode.
    ///
    /// # Errors
    /// [`Error::Refused`] when the server says no, with its reason; otherwise what went wrong on the
    /// way there. [`Error::may_fall_back`] says whether TCP may do.
    pub async fn connect(url: &str, trust: &Trust, options: &Options) -> Result<Player, Error> {
        Player::ask(Link::dial(url, trust, options).await?, options).await
    }

    /// Asks a server that has been reached.
    pub(super) async fn ask(dialed: Dialed, options: &Options) -> Result<Player, Error> {
        let link = Link::ask(dialed, Purpose::Play, options).await?;
        let purpose = receiver::Purpose::Play { conceal: options.wishes.conceal };
        let receiver = Receiver::new(purpose, MESSAGE_BYTES_MAX);
        let inflow = Inflow::new(link.connection().clone(), receiver, MESSAGE_BYTES_MAX);
        Ok(Player {
            link,
            inflow,
            playout: Playout::new(),
            report_at: Instant::now() + REPORT_PAUSE,
            key_asked: None,
            meter: Meter::default(),
            stat: ServerStat::default(),
        })
    }

    /// The server's name for this session: to come back under, with [`fallback::again`](super::fallback::again).
    pub fn session(&self) -> Option<&str> {
        self.link.talk.name()
    }

    /// How the session fares.
    pub fn status(&self) -> &NetStatus {
        &self.meter.status
    }

    /// Nothing comes any more: the picture that has stood still since then counts as a freeze.
    pub fn stall(&mut self) {
        self.playout.end(Instant::now());
        self.meter.status.freezes = self.playout.stats().freezes;
    }

    /// What came and what did not.
    pub fn counts(&mut self) -> receiver::Counts {
        self.inflow.receiver().counts()
    }

    /// Pauses, or goes on at the live edge.
    pub fn pause(&mut self, pause: bool) {
        self.link.talk.pause(pause);
    }

    /// Wants this kind of media, or not.
    pub fn receive(&mut self, kind: Kind, wanted: bool) {
        self.link.talk.receive(kind, wanted);
    }

    /// The next frame at its moment, or what the server says. Cancelling loses nothing.
    ///
    /// # Errors
    /// [`Error::Ended`] or [`Error::Udp`] when the stream is over; otherwise what failed.
    pub async fn next(&mut self) -> Result<Event, Error> {
        loop {
            let now = Instant::now();
            let wait_until = match self.playout.poll(now) {
                Next::Due(due) => {
                    self.note_due(&due);
                    return Ok(Event::Due(due));
                }
                Next::Wait(until) => until,
            };
            tokio::select! {
                happened = self.step() => match happened? {
                    Happened::Arrived(arrived) => self.playout.push(arrived, Instant::now()),
                    Happened::Said(event) => return Ok(event),
                    Happened::Nothing => {}
                },
                () = sleep_until(wait_until) => {}
            }
        }
    }

    /// The next frame as soon as it can be decoded, without a jitter buffer. Cancelling loses nothing.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub async fn next_arrived(&mut self) -> Result<Arrived, Error> {
        loop {
            if let Happened::Arrived(arrived) = self.step().await? {
                self.playout.learn(&arrived, Instant::now());
                return Ok(arrived);
            }
        }
    }

    /// Ends the play politely.
    pub async fn close(self) {
        drop(self.inflow);
        self.link.close().await;
    }

    async fn step(&mut self) -> Result<Happened, Error> {
        let report_at = self.report_at;
        tokio::select! {
            arrived = self.inflow.next() => {
                let arrived = arrived?;
                self.meter.note_arrival(&arrived);
                Ok(Happened::Arrived(arrived))
            }
            said = self.link.next_event() => self.on_said(said?),
            () = sleep_until(Some(report_at)) => {
                self.report();
                Ok(Happened::Nothing)
            }
        }
    }

    fn on_said(&mut self, said: Said) -> Result<Happened, Error> {
        let event = match said {
            Said::Config(message) => {
                self.inflow.receiver().handle_config(message, Instant::now())?;
                return Ok(Happened::Nothing);
            }
            Said::Stat(stat) => {
                self.stat = stat;
                return Ok(Happened::Nothing);
            }
            Said::Status(status) => Event::Status(status),
            Said::Reconnect(url) => Event::Reconnect(url),
            Said::Refused(status) => return Err(Error::Refused(status)),
            Said::Ended(status) => return Err(Error::Ended(status)),
            Said::Started
            | Said::Report(_)
            | Said::KeyRequest
            | Said::Clock(_)
            | Said::ClockRequest { .. } => return Ok(Happened::Nothing),
        };
        Ok(Happened::Said(event))
    }

    /// Twice a second: tells the server how it goes, and how long to wait for what is missing.
    fn report(&mut self) {
        let now = Instant::now();
        self.report_at = now + REPORT_PAUSE;
        let round_trip = self.link.connection().path().srtt;
        // A repair takes a round trip or two: less patience gives up what is on its way.
        let patience = self.playout.patience().max(PATIENCE_MIN).max(2 * round_trip + REPAIR_MORE);
        let receiver = self.inflow.receiver();
        receiver.handle_patience(patience);
        let (counts, wants_key) = (receiver.counts(), receiver.wants_key());
        let pause_over =
            self.key_asked.is_none_or(|at| now.saturating_duration_since(at) >= KEY_PAUSE);
        if wants_key && pause_over {
            self.key_asked = Some(now);
            self.link.talk.ask_key();
        }
        let offset = self.link.clock.offset_us();
        self.meter.tell(now, counts, &self.playout, &self.stat, round_trip, offset);
        let status = &self.meter.status;
        let short = |n: u32| u16::try_from(n).unwrap_or(u16::MAX);
        let delay_ms = status.delay.map_or(0, |d| d.as_millis() as u32);
        let report = Report {
            video_seq_max: counts.video_seq_max,
            video_received: counts.video_received,
            video_lost: counts.video_lost,
            audio_received: counts.audio_received,
            audio_lost: counts.audio_lost,
            kbit_per_s: status.net_speed,
            buffer_ms: short(status.video_cache.max(status.audio_cache)),
            delay_ms: short(delay_ms),
            decode_queue: short(status.v_dec_cache_size),
            freezes: short(status.freezes),
        };
        self.link.say(&report.to_message());
    }

    fn note_due(&mut self, due: &Due) {
        let arrived = &due.arrived;
        if !arrived.frame.is_media() || !due.show {
            return;
        }
        let slot = usize::from(arrived.frame.kind == Kind::Video);
        self.meter.due[slot] = Some(arrived.frame.dts);
        if let (Some(ingest), Some(offset)) = (arrived.ingest_us, self.link.clock.offset_us()) {
            let server_now = unix_us().saturating_add_signed(offset);
            self.meter.delay = server_now.checked_sub(ingest).map(Duration::from_micros);
        }
    }
}

enum Happened {
    Arrived(Arrived),
    Said(Event),
    Nothing,
}

impl Meter {
    fn note_arrival(&mut self, arrived: &Arrived) {
        let frame = &arrived.frame;
        let bytes = frame.payload.len() as u64;
        if frame.config {
            if let Some(config) = body::avc_config(&frame.payload) {
                self.size = (config.width, config.height);
            }
            return;
        }
        match frame.kind {
            Kind::Video => {
                self.kinds.video_bytes += bytes;
                self.kinds.pictures += 1;
                self.came[1] = Some(frame.dts);
            }
            Kind::Audio => {
                self.kinds.audio_bytes += bytes;
                self.came[0] = Some(frame.dts);
            }
            Kind::Data => {}
        }
        if frame.key
            && let Some(last) = self.last_key_ms.replace(frame.dts)
        {
            self.gop_ms = frame.dts.saturating_sub(last);
        }
    }

    /// Puts together how the session fares.
    fn tell(
        &mut self,
        now: Instant,
        counts: receiver::Counts,
        playout: &Playout,
        stat: &ServerStat,
        round_trip: Duration,
        offset: Option<i64>,
    ) {
        let (at, then, kinds) = self.before.unwrap_or((now, counts, self.kinds));
        let seconds = now.saturating_duration_since(at).as_secs_f64().max(0.001);
        if seconds >= STATUS_PAUSE.as_secs_f64() || self.before.is_none() {
            self.before = Some((now, counts, self.kinds));
        }
        let kbit = |now: u64, then: u64| ((now - then) as f64 * 8.0 / 1000.0 / seconds) as u32;
        let apart = |of: [Option<i64>; 2]| match of {
            [Some(audio), Some(video)] => (video.saturating_sub(audio)) as i32,
            _ => 0,
        };
        let received = u64::from(counts.video_received) + u64::from(counts.audio_received);
        let lost = u64::from(counts.video_lost) + u64::from(counts.audio_lost);
        let before = u64::from(then.video_received) + u64::from(then.audio_received);
        let before_lost = u64::from(then.video_lost) + u64::from(then.audio_lost);
        let jitter = playout.target().as_millis() as u32;
        let millis = |kind| playout.buffered(kind).as_millis() as u32;
        self.status = NetStatus {
            video_bitrate: kbit(self.kinds.video_bytes, kinds.video_bytes),
            audio_bitrate: kbit(self.kinds.audio_bytes, kinds.audio_bytes),
            video_fps: ((self.kinds.pictures - kinds.pictures) as f64 / seconds) as f32,
            video_gop: self.gop_ms as f32 / 1000.0,
            net_speed: kbit(counts.bytes, then.bytes),
            net_jitter: jitter,
            net_quality_level: quality(lost - before_lost, received - before, jitter),
            video_width: self.size.0,
            video_height: self.size.1,
            video_cache: millis(Kind::Video),
            audio_cache: millis(Kind::Audio),
            v_dec_cache_size: 0,
            v_sum_cache_size: playout.waiting() as u32,
            av_play_interval: apart(self.due),
            av_recv_interval: apart(self.came),
            audio_cache_threshold: jitter + RUN_ABOVE_MS,
            delay: self.delay,
            clock_offset_us: offset,
            round_trip,
            rate: playout.rate(),
            received,
            lost,
            undecodable: counts.video_undecodable.into(),
            repairs: stat.packets_lost.into(),
            freezes: playout.stats().freezes,
            dropped: stat.frames_dropped.into(),
            gated: stat.gated,
        };
    }
}

/// A client trusts its server with more than a server does its clients.
const MESSAGE_BYTES_MAX: usize = 16 << 20;
const KEY_PAUSE: Duration = Duration::from_secs(1);
const PATIENCE_MIN: Duration = Duration::from_millis(150);
const REPAIR_MORE: Duration = Duration::from_millis(50);
/// Rates are means over so long at least.
const STATUS_PAUSE: Duration = Duration::from_secs(1);
/// The first step of running faster, above the target.
const RUN_ABOVE_MS: u32 = 30;
