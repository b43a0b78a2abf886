//! Sending in RTC mode.

use std::time::{Duration, Instant};

use thalweg_quic::Outflow;
use thalweg_wire::media::{Frame, Kind};
use thalweg_wire::rtmp::client::Purpose;
use thalweg_wire::rtmp::command::Status;
use thalweg_wire::rtmp_udp::client::Event as Said;
use thalweg_wire::rtmp_udp::control::Report;
use thalweg_wire::rtmp_udp::sender::{Action, Sender};

use super::link::{Link, Options};
use super::status::{NetStatus, quality};
use crate::error::Error;
use crate::transport::Trust;

/// A publication that the server has accepted.
#[derive(Debug)]
pub struct Publisher {
    link: Link,
    outflow: Outflow,
    rate: Rate,
    look_at: Instant,
    report: Report,
    status: NetStatus,
}

/// What the server has to say to a publisher.
#[derive(Debug)]
pub enum News {
    /// It wants a key frame, within one frame.
    KeyWanted,
    /// The path is too narrow for the stream: what the server says it gets of it.
    TooNarrow {
        /// In its last half second.
        kbit_per_s: u32,
    },
    /// Anything else.
    Status(Status),
}

/// What is sent, by kind, since a moment.
#[derive(Debug, Clone, Copy)]
struct Rate {
    since: Instant,
    video_bytes: u64,
    audio_bytes: u64,
    pictures: u64,
}

impl Publisher {
    /// Connects to a push URL.
    ///
    /// # Errors
    /// [`Error::Refused`] when the server says no, with its reason; otherwise what went wrong on the
    /// way there.
    pub async fn connect(url: &str, trust: &Trust, options: &Options) -> Result<Publisher, Error> {
        let dialed = Link::dial(url, trust, options).await?;
        let link = Link::ask(dialed, Purpose::Publish, options).await?;
        let outflow = Outflow::new(link.connection().clone(), Sender::new(false));
        let now = Instant::now();
        let (rate, look_at) = (Rate::new(now), now + RATE_SPAN);
        let (report, status) = (Report::default(), NetStatus::default());
        Ok(Publisher { link, outflow, rate, look_at, report, status })
    }

    /// How the session fares.
    pub fn status(&self) -> &NetStatus {
        &self.status
    }

    /// Gives a frame to the network. It never waits: what the network is too slow for is given up,
    /// oldest and least first. Nothing moves but while [`next`](Self::next) is waited for.
    pub fn send(&mut self, frame: &Frame) {
        self.rate.count(frame);
        self.outflow.look_at_path();
        self.outflow.sender().push(frame, None, Instant::now());
    }

    /// Works until the server has something to say. Cancelling loses nothing.
    ///
    /// # Errors
    /// When the server ended the stream, with its reason, or the connection failed.
    pub async fn next(&mut self) -> Result<News, Error> {
        loop {
            let look_at = self.look_at;
            tokio::select! {
                action = self.outflow.next() => match action? {
                    Action::Say(message) => self.link.say(&message),
                    Action::TooNarrow => {
                        return Ok(News::TooNarrow { kbit_per_s: self.report.kbit_per_s });
                    }
                    // Streams are the outflow's affair.
                    Action::Reset(..) => {}
                },
                said = self.link.next_event() => match said? {
                    Said::KeyRequest => return Ok(News::KeyWanted),
                    Said::Status(status) => return Ok(News::Status(status)),
                    Said::Report(report) => self.report = report,
                    Said::Refused(status) => return Err(Error::Refused(status)),
                    Said::Ended(status) => return Err(Error::Ended(status)),
                    // Meant for viewers.
                    _ => {}
                },
                () = tokio::time::sleep_until(look_at.into()) => self.look(),
            }
        }
    }

    /// Works for a while, or until there is news, for whoever cannot make a key frame: that one is
    /// wanted is kept from it.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub async fn run_until(&mut self, at: Instant) -> Result<Option<News>, Error> {
        let news = async {
            loop {
                match self.next().await? {
                    News::KeyWanted => {}
                    news => return Ok(Some(news)),
                }
            }
        };
        tokio::select! {
            // The work first: what can go out at once does.
            biased;
            news = news => news,
            () = tokio::time::sleep_until(at.into()) => Ok(None),
        }
    }

    /// Ends the stream politely, once the server has the last of it, after a second at most.
    pub async fn close(mut self) {
        let drained = async {
            loop {
                tokio::select! {
                    action = self.outflow.drain() => match action {
                        Ok(Some(Action::Say(message))) => self.link.say(&message),
                        Ok(Some(_)) => {}
                        Ok(None) | Err(_) => return,
                    },
                    // The control stream goes on meanwhile.
                    said = self.link.next_event() => if said.is_err() { return },
                }
            }
        };
        let _ = tokio::time::timeout(DRAIN_MAX, drained).await;
        self.link.close().await;
    }

    /// What was sent of late, and how that fares.
    fn look(&mut self) {
        let now = Instant::now();
        self.look_at = now + RATE_SPAN;
        let vitals = self.link.connection().vitals();
        let sender = self.outflow.sender();
        let (stats, queued, gated) = (sender.stats(now), sender.queued_frames(), sender.is_gated());
        let Rate { since, video_bytes, audio_bytes, pictures } =
            std::mem::replace(&mut self.rate, Rate::new(now));
        let seconds = now.saturating_duration_since(since).as_secs_f64();
        let kbit = |bytes: u64| (bytes as f64 * 8.0 / 1000.0 / seconds) as u32;
        self.link.connection().set_bitrate(u64::from(kbit(video_bytes + audio_bytes)) * 1000);
        let lost = u64::from(self.report.video_lost) + u64::from(self.report.audio_lost);
        let received =
            u64::from(self.report.video_received) + u64::from(self.report.audio_received);
        self.status = NetStatus {
            video_bitrate: kbit(video_bytes),
            audio_bitrate: kbit(audio_bytes),
            video_fps: (pictures as f64 / seconds) as f32,
            net_speed: self.report.kbit_per_s,
            net_quality_level: quality(lost, received, 0),
            video_cache: queued.1,
            audio_cache: queued.0,
            v_sum_cache_size: queued.0 + queued.1,
            round_trip: vitals.path.srtt,
            clock_offset_us: self.link.clock.offset_us(),
            rate: 1.0,
            received,
            lost,
            repairs: vitals.packets_lost,
            dropped: stats.dropped.iter().sum(),
            gated,
            ..NetStatus::default()
        };
    }
}

impl Rate {
    fn new(since: Instant) -> Rate {
        Rate { since, video_bytes: 0, audio_bytes: 0, pictures: 0 }
    }

    fn count(&mut self, frame: &Frame) {
        let bytes = frame.payload.len() as u64;
        match frame.kind {
            Kind::Video => {
                self.video_bytes += bytes;
                self.pictures += u64::from(frame.is_media());
            }
            Kind::Audio => self.audio_bytes += bytes,
            Kind::Data => {}
        }
    }
}

/// The bit rate is a mean over so long: key frames come once in it.
const RATE_SPAN: Duration = Duration::from_secs(2);
const DRAIN_MAX: Duration = Duration::from_secs(1);
