//! A viewer over UDP: hub, and streams of media.

use std::sync::Arc;
use std::time::{Duration, Instant};

use thalweg_access::{Action, Reason};
use thalweg_hub::{
    Batch, Bell, Depth, Filter, Orders, Protocol, Seq, Stream, Subscription, Watching,
};
use thalweg_quic::{Outflow, Vitals};
use thalweg_wire::media::{Frame, Kind};
use thalweg_wire::rtmp::address::{Address, BadAddress};
use thalweg_wire::rtmp::command::{Status, code};
use thalweg_wire::rtmp_udp::Close;
use thalweg_wire::rtmp_udp::control::ServerStat;
use thalweg_wire::rtmp_udp::sender::{Action as Wish, Sender, Start, Stats};
use thalweg_wire::rtmp_udp::server::Event;
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;

use super::board;
use super::peer::{Over, Peer, close_of, unix_us};
use super::seats::Seat;
use crate::clock::now;
use crate::context::{Denial, Permit};
use crate::egress::End;
use crate::viewing::Viewing;

/// What the viewer gets, and where it is.
struct Watch {
    outflow: Outflow,
    subscription: Subscription,
    /// Whether it was sent away.
    orders: Orders,
    batch: Batch,
    /// Rings for each frame.
    news: Arc<Notify>,
    bell: Arc<Bell>,
    /// How the viewer wants to begin.
    begin: Start,
    started: bool,
    paused: bool,
    filter: Filter,
    seat: Seat,
    entry: board::Entry,
    /// When the viewer was heard last, and how many datagrams had come by then.
    heard: (Instant, u64),
    /// What was counted as sent.
    sent: u64,
}

impl Peer {
    pub(super) async fn play(&mut self, address: Result<Address, BadAddress>) -> Over {
        let (granted, url) = self.ask(Action::Play, address);
        let granted = match self.place.refusal() {
            Some(reason) => Err(Denial::from(reason)),
            None => granted,
        };
        let granted = match granted {
            Ok((permit, address)) => match self.ask_remote(Action::Play, &permit, &address).await {
                Ok(said) => said.map(|()| permit),
                Err(over) => return over,
            },
            Err(denial) => Err(denial),
        };
        let mut permit = match granted {
            Ok(permit) => permit,
            Err(denial) => return self.refuse(Action::Play, &url, denial),
        };
        self.let_in();
        let resume = self.wishes.resume.take();
        let max = permit.udp_viewers_max;
        let seat = self.ctx.udp.seats.take(&permit.key, &self.name, resume.as_deref(), max);
        let mut seat = match seat {
            Ok(seat) => seat,
            Err(reason) => return self.refuse(Action::Play, &url, reason.into()),
        };
        let (subscription, watching) = match self.subscribe(&mut permit, &mut seat).await {
            Ok(Ok(subscribed)) => subscribed,
            Ok(Err(denial)) => {
                drop(permit);
                return self.refuse(Action::Play, &url, denial);
            }
            Err(over) => return over,
        };
        if let Err(error) = self.talk.accept(&self.name) {
            return error.into();
        }
        self.watch(permit, subscription, watching, seat).await
    }

    /// Waits until the stream is live, as long as is configured, or until the viewer goes away.
    async fn subscribe(
        &mut self,
        permit: &mut Permit,
        seat: &mut Seat,
    ) -> Result<Result<(Subscription, Watching), Denial>, Over> {
        let (ctx, connection) = (Arc::clone(&self.ctx), self.connection.clone());
        let agent = self.agent.clone();
        let subscribed = ctx.subscribe(permit, Protocol::RtmpUdp, self.address, &agent);
        let mut subscribed = std::pin::pin!(subscribed);
        loop {
            tokio::select! {
                subscription = &mut subscribed => return Ok(subscription),
                () = ctx.stopped() => return Ok(Err(Reason::Stopping.into())),
                // What is said meanwhile is kept for later: nothing is heard but that it goes away.
                event = self.next_event() => drop(event?),
                lost = connection.media_from_viewer() => return Err(lost.into()),
                () = seat.replaced() => return Err(replaced()),
            }
        }
    }

    async fn watch(
        &mut self,
        permit: Permit,
        subscription: Subscription,
        watching: Watching,
        seat: Seat,
    ) -> Over {
        let max = permit.udp_viewers_max;
        let stream = Arc::clone(subscription.stream());
        let entry = self.ctx.udp.board.enter(stream.key().to_string(), max);
        let viewing = Viewing::new(&self.ctx, permit, watching);
        let mut watch = Watch::new(self, subscription, viewing.orders(), seat, entry);
        stream.hang(Arc::clone(&watch.bell));
        let over = self.run_watch(&mut watch).await;
        stream.take_down(&watch.bell);
        // What came since the last tick.
        watch.count(&self.connection.vitals());
        let end = match &over {
            Over::Told(Close::Auth, _) => watch.orders.away().map_or(End::PeerGone, End::SentAway),
            Over::Told(Close::TooSlow, _) => End::TooSlow,
            Over::Told(Close::None | Close::GoingAway, _) => End::StreamEnded,
            Over::Done => End::Dismissed,
            _ => End::PeerGone,
        };
        viewing.ended(&self.ctx, Some(end), self.connection.vitals().bytes_sent);
        over
    }

    async fn run_watch(&mut self, watch: &mut Watch) -> Over {
        let connection = self.connection.clone();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut ticks, ctx) = (0u32, Arc::clone(&self.ctx));
        loop {
            // Its streams end with a server that stops: what is told is the cause of both.
            if ctx.is_stopping() {
                let words = Reason::Stopping.sentence();
                let status = Status::error(code::CONNECT_APP_SHUTDOWN, words);
                return Over::Told(Close::GoingAway, status);
            }
            if let Some(over) = watch.feed() {
                return over;
            }
            let news = Arc::clone(&watch.news);
            let happened = tokio::select! {
                () = news.notified() => Ok(()),
                wish = watch.outflow.next() => wish.map_err(Over::from).map(|w| self.grant(w)),
                event = self.next_event() => event.and_then(|e| self.on_event(watch, &e)),
                _ = tick.tick() => {
                    ticks = ticks.wrapping_add(1);
                    self.look_after(watch, ticks)
                }
                lost = connection.media_from_viewer() => Err(lost.into()),
                () = watch.seat.replaced() => Err(replaced()),
                () = ctx.stopped() => Ok(()),
            };
            if let Err(over) = happened {
                return over;
            }
        }
    }

    /// Says what the sender has to say.
    fn grant(&mut self, wish: Wish) {
        match wish {
            Wish::Say(message) => self.talk.say(&message),
            Wish::TooNarrow => {
                let words = "the path is too narrow for this stream";
                self.talk.status(&Status::ok(code::PLAY_INSUFFICIENT_BW, words));
            }
            // Streams are the outflow's affair.
            Wish::Reset(..) => {}
        }
    }

    fn on_event(&mut self, watch: &mut Watch, event: &Event) -> Result<(), Over> {
        match *event {
            Event::Pause(pause) => watch.pause(pause),
            Event::Receive(kind, wanted) => watch.want(kind, wanted),
            Event::KeyRequest => {
                watch.outflow.sender().handle_key_request();
                watch.subscription.stream().ask_key();
            }
            Event::Report(ref report) => watch.entry.report(report),
            Event::ClockRequest { id, asked_us } => self.answer_clock(id, asked_us),
            Event::Ended => return Err(Over::Done),
            // A viewer has nothing else to say that means anything here.
            Event::Connect(_) | Event::Publish(_) | Event::Play(_) | Event::Config(_) => {}
        }
        Ok(())
    }

    /// Twice a second: what the path is like, and whether the viewer is still there.
    fn look_after(&mut self, watch: &mut Watch, ticks: u32) -> Result<(), Over> {
        let vitals = self.connection.vitals();
        let (at, datagrams) = watch.heard;
        if vitals.datagrams_received != datagrams {
            watch.heard = (now(), vitals.datagrams_received);
        } else if now().saturating_duration_since(at) >= SILENCE_MAX {
            let words = format!("the viewer has been silent for {} s", SILENCE_MAX.as_secs());
            return Err(Over::Told(Close::Timeout, Status::error(code::CONNECT_CLOSED, words)));
        }
        if let Some(away) = watch.orders.look(vitals.bytes_sent) {
            let denial = Denial::from(away);
            return Err(Over::Told(close_of(denial.reason), denial.to_status(Action::Play)));
        }
        let stream = watch.subscription.stream();
        let snapshot = stream.snapshot(now());
        let audio = snapshot.audio.map_or(0, |a| a.bits_per_s);
        let video = snapshot.video.map_or(0, |v| v.bits_per_s);
        self.connection.set_bitrate(audio + video);
        let stats = watch.count(&vitals);
        if ticks.is_multiple_of(TICKS_A_STAT) {
            let us = |time: Duration| u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
            let count = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
            let stat = ServerStat {
                srtt_us: us(vitals.path.srtt),
                min_rtt_us: us(vitals.min_rtt),
                cwnd: count(vitals.path.window),
                packets_lost: count(vitals.packets_lost),
                frames_dropped: count(stats.dropped.iter().sum()),
                viewers: u16::try_from(watch.seat.viewers()).unwrap_or(u16::MAX),
                gated: watch.outflow.sender().is_gated(),
            };
            self.talk.say(&stat.to_message());
        }
        Ok(())
    }
}

impl Watch {
    fn new(
        peer: &Peer,
        subscription: Subscription,
        orders: Orders,
        seat: Seat,
        entry: board::Entry,
    ) -> Watch {
        let news = Arc::new(Notify::new());
        let ring = Arc::clone(&news);
        let vitals = peer.connection.vitals();
        let sender = Sender::new(peer.wishes.conceal);
        Watch {
            outflow: Outflow::new(peer.connection.clone(), sender),
            subscription,
            orders,
            batch: Batch::default(),
            news,
            bell: Arc::new(Bell::new(move || ring.notify_one())),
            begin: peer.wishes.start,
            started: false,
            paused: false,
            filter: Filter::ALL,
            seat,
            entry,
            heard: (now(), vitals.datagrams_received),
            sent: vitals.bytes_sent,
        }
    }

    /// Counts what has been sent, and how that went.
    fn count(&mut self, vitals: &Vitals) -> Stats {
        let bytes = vitals.bytes_sent.saturating_sub(self.sent);
        self.sent = vitals.bytes_sent;
        self.subscription.stream().count_sent(Protocol::RtmpUdp, bytes);
        let stats = self.outflow.sender().stats(now());
        self.entry.sending(&stats, vitals);
        stats
    }

    /// Gives the sender what the stream has brought.
    fn feed(&mut self) -> Option<Over> {
        self.bell.wind();
        self.outflow.look_at_path();
        loop {
            let stream = Arc::clone(self.subscription.stream());
            if stream.is_ended() {
                let words = "the stream has ended";
                let status = Status::ok(code::PLAY_UNPUBLISH_NOTIFY, words);
                return Some(Over::Told(Close::None, status));
            }
            if self.paused || !self.started && !self.start(&stream) {
                return None;
            }
            let skipped = self.subscription.next_batch(
                &mut self.batch,
                Seq::MAX,
                FRAMES_A_TURN,
                BYTES_A_TURN,
            );
            let sender = self.outflow.sender();
            if let Some(skipped) = skipped {
                sender.skip(now());
                let configs = skipped.configs.iter().flat_map(|c| c.frames());
                configs.for_each(|config| sender.push(config, None, now()));
            }
            if self.batch.frames.is_empty() && self.batch.end == self.subscription.next() {
                return None;
            }
            for (frame, ingest_us) in stamped(&stream, &self.batch) {
                sender.push(&frame, ingest_us, now());
            }
            self.subscription.advance(self.batch.end);
            if sender.is_too_slow(now()) {
                let words = "the viewer reads less than the stream brings";
                let status = Status::error(code::CONNECT_CLOSED, words);
                return Some(Over::Told(Close::TooSlow, status));
            }
        }
    }

    /// Begins, once there is something to begin with: answers whether there was.
    fn start(&mut self, stream: &Arc<Stream>) -> bool {
        let Some(opening) = self.subscription.start(Depth::Newest) else { return false };
        // The run from the newest key frame is bounded by the log; a turn of the ordinary kind
        // would cut it.
        self.subscription.next_batch(&mut self.batch, Seq::MAX, usize::MAX, usize::MAX);
        let configs = opening.configs.frames().iter().map(|config| (config.clone(), None));
        let frames: Vec<_> = configs.chain(stamped(stream, &self.batch)).collect();
        self.outflow.sender().start(&frames, self.begin, now());
        self.subscription.advance(self.batch.end);
        self.started = true;
        true
    }

    fn pause(&mut self, pause: bool) {
        if self.paused && !pause {
            // Back at the live edge: what was between is nobody's loss.
            self.subscription.to_live();
            self.outflow.sender().skip(now());
        }
        self.paused = pause;
    }

    fn want(&mut self, kind: Kind, wanted: bool) {
        match kind {
            Kind::Audio => self.filter.audio = wanted,
            Kind::Video => self.filter.video = wanted,
            Kind::Data => return,
        }
        if !wanted {
            self.outflow.sender().turn_off(kind, now());
        }
        self.subscription.set_filter(self.filter);
    }
}

/// The same viewer has come back.
fn replaced() -> Over {
    let words = "the viewer goes on in another connection";
    Over::Told(Close::None, Status::ok(code::PLAY_STOP, words))
}

/// Frames with the moment, UNIX microseconds, at which each came to this server.
fn stamped(stream: &Stream, batch: &Batch) -> Vec<(Frame, Option<u64>)> {
    let (now, now_us) = (now(), unix_us());
    let ingest = |seq| {
        let age = now.saturating_duration_since(stream.came_at(seq)?);
        now_us.checked_sub(age.as_micros() as u64)
    };
    batch.frames.iter().map(|(seq, frame)| (frame.clone(), ingest(*seq))).collect()
}

const TICK: Duration = Duration::from_millis(500);
/// SERVER_STAT goes out once a second.
const TICKS_A_STAT: u32 = 2;
/// A viewer that is not heard for so long gives its seat up.
const SILENCE_MAX: Duration = Duration::from_secs(6);
/// Frames taken from the log at one time, and their bytes.
const FRAMES_A_TURN: usize = 256;
const BYTES_A_TURN: usize = 4 << 20;
