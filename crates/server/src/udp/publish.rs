//! A publisher over UDP: streams of media, and hub.

use std::sync::Arc;
use std::time::{Duration, Instant};

use thalweg_access::Action;
use thalweg_hub::Leave;
use thalweg_quic::{Inflow, Lost};
use thalweg_wire::error::Misbehaved;
use thalweg_wire::media::{Frame, Kind};
use thalweg_wire::rtmp::address::{Address, BadAddress};
use thalweg_wire::rtmp::command::{Status, code};
use thalweg_wire::rtmp::message;
use thalweg_wire::rtmp::server::By;
use thalweg_wire::rtmp_udp::Close;
use thalweg_wire::rtmp_udp::control::{Message, Report, types};
use thalweg_wire::rtmp_udp::receiver::{Counts, Purpose, Receiver};
use thalweg_wire::rtmp_udp::server::{Event, REPORT_PAUSE};
use tokio::time::MissedTickBehavior;

use super::peer::{NAME, Over, Peer};
use crate::cause::Cause;
use crate::clock::now;
use crate::drive::Ended;
use crate::publishing::{Publishing, take_seat};

/// What a publication has brought.
struct Ingest {
    inflow: Inflow,
    began: Instant,
    last_media: Option<Instant>,
    /// When a key frame was asked for last.
    key_asked: Option<Instant>,
    reported: Counts,
}

impl Peer {
    pub(super) async fn publish(&mut self, address: Result<Address, BadAddress>) -> Over {
        let (granted, url) = self.ask(Action::Push, address);
        let granted = match granted {
            Ok((permit, address)) => match self.ask_remote(Action::Push, &permit, &address).await {
                Ok(said) => said.map(|()| (permit, address)),
                Err(over) => return over,
            },
            Err(denial) => Err(denial),
        };
        let (publication, address) = match granted.and_then(|(permit, address)| {
            let seat = take_seat(&self.ctx, &mut self.place, permit, self.address, &self.agent);
            Ok((seat?, address))
        }) {
            Ok(seated) => seated,
            Err(denial) => return self.refuse(Action::Push, &url, denial),
        };
        self.let_in();
        if let Err(error) = self.talk.accept(&self.name) {
            return error.into();
        }
        self.connection.let_in_publisher();
        let (ctx, agent) = (Arc::clone(&self.ctx), self.agent.clone());
        let mut publishing =
            Publishing::new(&ctx, publication, NAME, self.address, &agent, &address);
        let (over, cause) = self.run_publication(&mut publishing).await;
        publishing.over(&cause);
        over
    }

    /// Appends what comes until either side ends it.
    async fn run_publication(&mut self, publishing: &mut Publishing) -> (Over, Cause) {
        let body_bytes_max = self.ctx.config.get().limits.message_bytes_max;
        let receiver = Receiver::new(Purpose::Ingest, body_bytes_max);
        let mut ingest = Ingest {
            inflow: Inflow::new(self.connection.clone(), receiver, body_bytes_max),
            began: now(),
            last_media: None,
            key_asked: None,
            reported: Counts::default(),
        };
        let mut must_leave = std::pin::pin!(publishing.must_leave());
        let mut tick = tokio::time::interval(REPORT_PAUSE);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let over = loop {
            let happened = tokio::select! {
                biased;
                leave = &mut must_leave => return (dismissed(leave), Cause::Seat(leave)),
                arrived = ingest.inflow.next() => match arrived {
                    Ok(arrived) => {
                        ingest.last_media = Some(now());
                        let appended = bare(arrived.frame).map(|f| publishing.append(f));
                        if let Some(Err(leave)) = appended {
                            return (dismissed(leave), Cause::Seat(leave));
                        }
                        Ok(())
                    }
                    Err(lost) => Err(lost.into()),
                },
                event = self.next_event() => event.and_then(|e| self.on_ingest_event(&mut ingest, e)),
                () = publishing.key_wanted() => {
                    self.ask_key(&mut ingest);
                    Ok(())
                }
                _ = tick.tick() => self.look_after_ingest(&mut ingest),
            };
            if let Err(over) = happened {
                break over;
            }
        };
        let cause = cause_of(&over);
        (over, cause)
    }

    fn on_ingest_event(&mut self, ingest: &mut Ingest, event: Event) -> Result<(), Over> {
        match event {
            Event::Config(message) => ingest.inflow.receiver().handle_config(message, now())?,
            Event::ClockRequest { id, asked_us } => self.answer_clock(id, asked_us),
            Event::Ended => return Err(Over::Done),
            // A publisher has nothing else to say that means anything here.
            Event::Connect(_)
            | Event::Publish(_)
            | Event::Play(_)
            | Event::Pause(_)
            | Event::Receive(..)
            | Event::KeyRequest
            | Event::Report(_) => {}
        }
        Ok(())
    }

    /// Twice a second: a report, and whether anything comes at all.
    fn look_after_ingest(&mut self, ingest: &mut Ingest) -> Result<(), Over> {
        let config = self.ctx.config.get();
        let limits = config.session_limits();
        let silent = |since| now().saturating_duration_since(since);
        match ingest.last_media {
            None if silent(ingest.began) >= limits.first_media_max => {
                return Err(thalweg_wire::Error::from(Misbehaved::NoMedia).into());
            }
            Some(last) if silent(last) >= limits.publisher_silence_max => {
                return Err(thalweg_wire::Error::from(Misbehaved::Silent).into());
            }
            _ => {}
        }
        let srtt = self.connection.path().srtt;
        let receiver = ingest.inflow.receiver();
        receiver.handle_patience((3 * srtt).clamp(REORDER_MIN, REORDER_MAX));
        let (counts, wants_key) = (receiver.counts(), receiver.wants_key());
        let bytes = counts.bytes - ingest.reported.bytes;
        let kbit_per_s = bytes * 8 / REPORT_PAUSE.as_millis() as u64;
        let report = Report {
            video_seq_max: counts.video_seq_max,
            video_received: counts.video_received,
            video_lost: counts.video_lost,
            audio_received: counts.audio_received,
            audio_lost: counts.audio_lost,
            kbit_per_s: u32::try_from(kbit_per_s).unwrap_or(u32::MAX),
            ..Report::default()
        };
        ingest.reported = counts;
        self.talk.say(&report.to_message());
        if wants_key {
            self.ask_key(ingest);
        }
        Ok(())
    }

    /// Once a second at most, however many viewers want one.
    fn ask_key(&mut self, ingest: &mut Ingest) {
        let asked = ingest.key_asked;
        if asked.is_none_or(|at| now().saturating_duration_since(at) >= KEY_PAUSE) {
            ingest.key_asked = Some(now());
            self.talk.say(&Message::new(types::KEY_REQUEST, Vec::new()));
        }
    }
}

/// A frame as viewers get it: without what instructs the server, as it is over TCP.
fn bare(frame: Frame) -> Option<Frame> {
    let Frame { kind, dts, payload, .. } = frame;
    let payload = match kind {
        Kind::Data => message::unwrap_data_frame(payload)?,
        Kind::Audio | Kind::Video => Some(payload).filter(|p| !p.is_empty())?,
    };
    Some(Frame::new(kind, dts, payload))
}

/// Sends a publisher away.
fn dismissed(leave: Leave) -> Over {
    let (close, code) = match leave {
        Leave::Replaced { .. } => (Close::None, code::PUBLISH_REPLACED),
        Leave::Stopping => (Close::GoingAway, code::CONNECT_APP_SHUTDOWN),
        Leave::Gone => (Close::None, code::PUBLISH_FAILED),
        Leave::Kicked { .. } | Leave::Closed => (Close::Auth, code::PUBLISH_FAILED),
    };
    Over::Told(close, Status::error(code, leave.to_string()))
}

/// Why a publication ended that the hub did not end.
fn cause_of(over: &Over) -> Cause {
    match over {
        Over::Done => Cause::Peer(By::DeleteStream),
        Over::Lost(Lost::Closed { .. } | Lost::Here) => Cause::Connection(Ended::Closed),
        Over::Lost(lost) => Cause::Connection(Ended::Io(std::io::Error::other(lost.to_string()))),
        Over::Fault(error) => Cause::Connection(Ended::Protocol(error.clone())),
        Over::Told(_, status) => {
            Cause::Connection(Ended::Io(std::io::Error::other(status.description.clone())))
        }
        Over::Refused(_, words) => {
            Cause::Connection(Ended::Io(std::io::Error::other(words.clone())))
        }
    }
}

/// How long a publisher's missing frame is waited for: everyone who watches waits with it.
const REORDER_MIN: Duration = Duration::from_millis(150);
const REORDER_MAX: Duration = Duration::from_millis(500);
const KEY_PAUSE: Duration = Duration::from_secs(1);
