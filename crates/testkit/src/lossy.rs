//! A path that loses packets, in virtual time: what a `Sender` of RTMP-UDP says, as its `Receiver`
//! hears it.
//!
//! The path does what QUIC and a bad network do between them, in its simplest form: streams are cut
//! into packets, the best stream's first; as much is in flight as congestion control "live" allows;
//! a packet that is lost is noticed after a round trip and 25 ms and sent again; streams that are
//! reset are sent no more. A seed gives the same story each time.
//!
//! What comes out is checked on the way: each frame once and in order, after the configuration that
//! it needs, and pictures with everything they refer to.

mod truth;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use thalweg_wire::media::{Frame, Kind};
use thalweg_wire::rtmp_udp::congestion::Live;
use thalweg_wire::rtmp_udp::control::Message;
use thalweg_wire::rtmp_udp::media::StreamReader;
use thalweg_wire::rtmp_udp::receiver::{Arrived, Purpose, Receiver};
use thalweg_wire::rtmp_udp::sender::{Action, Id, Path, Sender, Start};

use truth::Truth;

/// What the path is like. May be changed while a story goes on.
#[derive(Debug, Clone)]
pub struct Weather {
    /// How long a packet takes, either way.
    pub one_way: Duration,
    /// Which packets do not come. Acknowledgements all do.
    pub loss: Loss,
    /// The narrowest link; 0 for one that is never full.
    pub bits_per_s: u64,
    /// How long a packet waits there at most; one that would wait longer is lost.
    pub queue_max: Duration,
    /// Streams that may be open at one time.
    pub credit: usize,
}

/// Which packets are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// None.
    No,
    /// So many in a hundred, each by chance.
    Random(u32),
    /// So many in a hundred, in runs of so many.
    Bursts(u32, u32),
    /// All.
    All,
}

impl Default for Weather {
    /// A round trip of 50 ms, nothing lost, never full.
    fn default() -> Self {
        Weather {
            one_way: Duration::from_millis(25),
            loss: Loss::No,
            bits_per_s: 0,
            queue_max: Duration::from_millis(300),
            credit: 1024,
        }
    }
}

/// A frame that was handed out.
#[derive(Debug, Clone)]
pub struct Seen {
    /// When, since the story began.
    pub at: Duration,
    /// How long after it entered.
    pub delay: Duration,
    /// What the receiver says of it.
    pub arrived: Arrived,
}

/// A sender, a receiver, and what lies between them.
#[derive(Debug)]
pub struct Link {
    /// The sender's side.
    pub sender: Sender,
    /// The receiver's side.
    pub receiver: Receiver,
    /// What the path is like now.
    pub weather: Weather,
    /// Media that was handed out, in order.
    pub seen: Vec<Seen>,
    /// When the sender said that the path is too narrow.
    pub too_narrow: Vec<Duration>,
    /// Most streams that were open at one time.
    pub open_max: usize,
    start: Instant,
    now: Instant,
    random: Random,
    live: Live,
    srtt: Duration,
    acked_at: Instant,
    in_flight: u64,
    free_at: Instant,
    in_burst: bool,
    streams: BTreeMap<Id, Stream>,
    /// What is to be sent, best first.
    pending: BTreeSet<(Reverse<i32>, Id, usize)>,
    events: BTreeMap<(Instant, u64), Event>,
    next_event: u64,
    said: u64,
    heard: u64,
    configs: BTreeMap<u64, Message>,
    truth: Truth,
}

/// A stream on its way.
#[derive(Debug)]
struct Stream {
    priority: i32,
    data: Vec<u8>,
    arrived: Vec<bool>,
    acked: usize,
    /// Packets that were read at the other side.
    read: usize,
    reader: Option<StreamReader>,
    is_reset: bool,
}

#[derive(Debug)]
enum Event {
    Arrive(Id, usize),
    Ack {
        id: Id,
        packet: usize,
        sent: Instant,
    },
    Lost {
        id: Id,
        packet: usize,
    },
    /// Small things that have to come: sent again until they do.
    Try(Signal),
    Come(Signal),
    Closed(Id),
}

#[derive(Debug, Clone)]
enum Signal {
    Config(u64, Message),
    Reset(Id),
}

impl Link {
    /// A path of this weather, for a stream of `bits_per_s`.
    pub fn new(seed: u64, weather: Weather, purpose: Purpose, bits_per_s: u64) -> Self {
        let now = Instant::now();
        let conceal = purpose == Purpose::Play { conceal: true };
        let mut live = Live::new(PACKET_BYTES as u16);
        live.set_bitrate(bits_per_s);
        Link {
            sender: Sender::new(conceal),
            receiver: Receiver::new(purpose, BODY_BYTES_MAX),
            weather,
            seen: Vec::new(),
            too_narrow: Vec::new(),
            open_max: 0,
            start: now,
            now,
            random: Random(seed ^ 0x9e37_79b9_7f4a_7c15),
            live,
            srtt: Duration::from_millis(100),
            acked_at: now,
            in_flight: 0,
            free_at: now,
            in_burst: false,
            streams: BTreeMap::new(),
            pending: BTreeSet::new(),
            events: BTreeMap::new(),
            next_event: 0,
            said: 0,
            heard: 0,
            configs: BTreeMap::new(),
            truth: Truth::new(conceal),
        }
    }

    /// The time since the story began.
    pub fn time(&self) -> Duration {
        self.now - self.start
    }

    /// The time, as the sender and the receiver are told it.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// A frame enters.
    pub fn push(&mut self, frame: &Frame) {
        self.truth.enter(frame, self.now);
        self.sender.push(frame, None, self.now);
        self.settle();
    }

    /// Frames enter each at its time, counted from the beginning of the story.
    pub fn play(&mut self, frames: &[Frame]) {
        for frame in frames {
            self.run_until(Duration::from_millis(frame.dts as u64));
            self.push(frame);
        }
    }

    /// A viewer starts, with what there is.
    pub fn start(&mut self, frames: &[Frame], start: Start) {
        frames.iter().for_each(|frame| self.truth.enter(frame, self.now));
        let frames: Vec<_> = frames.iter().map(|frame| (frame.clone(), None)).collect();
        self.sender.start(&frames, start, self.now);
        self.settle();
    }

    /// Lets time pass.
    pub fn run_until(&mut self, until: Duration) {
        let until = self.start + until;
        loop {
            self.settle();
            let event = self.events.keys().next().map(|(at, _)| *at);
            let timers = [event, self.sender.poll_timeout(), self.receiver.poll_timeout()];
            let Some(at) = timers.into_iter().flatten().min().filter(|at| *at <= until) else {
                break;
            };
            self.now = self.now.max(at);
            self.sender.handle_timeout(self.now);
            self.receiver.handle_timeout(self.now);
            while let Some(entry) = self.events.first_entry()
                && entry.key().0 <= self.now
            {
                let event = entry.remove();
                self.happens(event);
            }
        }
        self.now = self.now.max(until);
    }

    /// What was handed out of a kind.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = &Seen> {
        self.seen.iter().filter(move |s| s.arrived.frame.kind == kind)
    }

    /// How many of a kind entered and were not handed out.
    pub fn missing(&self, kind: Kind) -> usize {
        self.truth.count(kind) - self.of(kind).count()
    }

    /// The delay that so many in a hundred of a kind stay below.
    pub fn delay(&self, kind: Kind, percent: usize) -> Duration {
        let mut delays: Vec<Duration> = self.of(kind).map(|s| s.delay).collect();
        delays.sort_unstable();
        delays.get((delays.len() * percent / 100).min(delays.len() - 1)).copied().unwrap()
    }

    /// The longest time between two of a kind, since the beginning.
    pub fn longest_pause(&self, kind: Kind) -> Duration {
        let times = || self.of(kind).map(|s| s.at);
        times().zip(times().skip(1)).map(|(a, b)| b - a).max().unwrap_or_default()
    }
}

/// The sender's end of the path.
impl Link {
    /// Everything that can be done without time passing.
    fn settle(&mut self) {
        while let Some(action) = self.sender.poll_action() {
            match action {
                Action::Say(message) => {
                    self.happens_at(self.now, Event::Try(Signal::Config(self.said, message)));
                    self.said += 1;
                }
                Action::Reset(id, _) => self.reset(id),
                Action::TooNarrow => self.too_narrow.push(self.time()),
            }
        }
        while self.streams.len() < self.weather.credit
            && let Some(outgoing) = self.sender.next_stream(self.now)
        {
            let data = outgoing.chunks.concat();
            let packets = data.len().div_ceil(PACKET_BYTES);
            let priority = outgoing.priority;
            (0..packets).for_each(|n| _ = self.pending.insert((Reverse(priority), outgoing.id, n)));
            let stream = Stream {
                priority,
                data,
                arrived: vec![false; packets],
                acked: 0,
                read: 0,
                reader: Some(StreamReader::new(BODY_BYTES_MAX)),
                is_reset: false,
            };
            assert!(self.streams.insert(outgoing.id, stream).is_none(), "a number twice");
            self.open_max = self.open_max.max(self.streams.len());
        }
        self.transmit();
        while let Some(arrived) = self.receiver.poll_frame() {
            let entered = self.truth.hand_out(&arrived);
            if let Some(entered) = entered {
                let (at, delay) = (self.time(), self.now - entered);
                self.seen.push(Seen { at, delay, arrived });
            }
        }
    }

    fn transmit(&mut self) {
        while let Some(&(priority, id, packet)) = self.pending.first() {
            let stream = &self.streams[&id];
            let bytes = stream.packet(packet).len() as u64;
            if self.in_flight + bytes > self.live.window() {
                return;
            }
            self.pending.remove(&(priority, id, packet));
            if self.in_flight == 0 {
                // Nobody owed an acknowledgement until now.
                self.acked_at = self.now;
            }
            self.in_flight += bytes;
            let sent = self.now;
            match self.passes(bytes) {
                Some(arrives) => {
                    self.happens_at(arrives, Event::Arrive(id, packet));
                    let acked = arrives + self.weather.one_way;
                    self.happens_at(acked, Event::Ack { id, packet, sent });
                }
                None => {
                    let noticed = sent + self.round_trip() + NOTICE;
                    self.happens_at(noticed, Event::Lost { id, packet });
                }
            }
        }
    }

    /// When a packet arrives that is sent now, if it does.
    fn passes(&mut self, bytes: u64) -> Option<Instant> {
        let begins = self.free_at.max(self.now);
        if begins - self.now > self.weather.queue_max {
            return None;
        }
        let bits_per_s = self.weather.bits_per_s;
        let micros = (bytes * 8 * 1_000_000).checked_div(bits_per_s).unwrap_or_default();
        self.free_at = begins + Duration::from_micros(micros);
        (!self.is_lost()).then_some(self.free_at + self.weather.one_way)
    }

    fn is_lost(&mut self) -> bool {
        match self.weather.loss {
            Loss::No => false,
            Loss::All => true,
            Loss::Random(percent) => self.random.below(100) < percent,
            Loss::Bursts(percent, run) => {
                // Of a burst's packets one in `run` is its last.
                self.in_burst = if self.in_burst {
                    self.random.below(run) > 0
                } else {
                    self.random.below(run * (100 - percent)) < percent
                };
                self.in_burst
            }
        }
    }

    fn reset(&mut self, id: Id) {
        // One that has just landed needs no reset.
        let Some(stream) = self.streams.get_mut(&id) else { return };
        stream.is_reset = true;
        self.pending.retain(|(_, of, _)| *of != id);
        self.happens_at(self.now, Event::Try(Signal::Reset(id)));
    }

    fn round_trip(&self) -> Duration {
        self.srtt.max(2 * self.weather.one_way)
    }

    fn happens_at(&mut self, at: Instant, event: Event) {
        self.events.insert((at, self.next_event), event);
        self.next_event += 1;
    }
}

/// What happens on the way and at the other end.
impl Link {
    fn happens(&mut self, event: Event) {
        match event {
            Event::Arrive(id, packet) => self.arrives(id, packet),
            Event::Ack { id, packet, sent } => self.acked(id, packet, sent),
            Event::Lost { id, packet } => self.lost(id, packet),
            Event::Try(signal) if self.is_lost() => {
                self.happens_at(self.now + self.round_trip() + NOTICE, Event::Try(signal));
            }
            Event::Try(signal) => {
                self.happens_at(self.now + self.weather.one_way, Event::Come(signal));
            }
            Event::Come(Signal::Config(n, message)) => {
                self.configs.insert(n, message);
                while let Some(message) = self.configs.remove(&self.heard) {
                    self.heard += 1;
                    self.receiver.handle_config(message, self.now).unwrap();
                }
            }
            Event::Come(Signal::Reset(id)) => {
                let reader = self.streams.get_mut(&id).and_then(|s| s.reader.take());
                if let Some(header) = reader.and_then(|r| r.header()) {
                    self.receiver.handle_reset(&header, self.now).unwrap();
                }
                self.happens_at(self.now + self.weather.one_way, Event::Closed(id));
            }
            Event::Closed(id) => _ = self.streams.remove(&id),
        }
    }

    fn arrives(&mut self, id: Id, packet: usize) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        stream.arrived[packet] = true;
        let Some(mut reader) = stream.reader.take() else { return };
        let mut messages = Vec::new();
        while stream.arrived.get(stream.read) == Some(&true) {
            let mut input = stream.packet(stream.read);
            while let Some(message) = reader.read(&mut input).unwrap() {
                messages.push(message);
            }
            stream.read += 1;
        }
        if stream.read == stream.arrived.len() {
            messages.extend(reader.finish().unwrap());
        } else {
            stream.reader = Some(reader);
        }
        for (header, body) in messages {
            self.receiver.handle_media(header, body, self.now).unwrap();
        }
    }

    fn acked(&mut self, id: Id, packet: usize, sent: Instant) {
        let app_limited = self.pending.is_empty();
        self.acked_at = self.now;
        let sample = self.now - sent;
        self.srtt = (self.srtt * 7 + sample) / 8;
        let bytes = PACKET_BYTES as u64;
        let Some(stream) = self.streams.get_mut(&id) else {
            self.in_flight = self.in_flight.saturating_sub(bytes);
            return;
        };
        let bytes = stream.packet(packet).len() as u64;
        self.in_flight = self.in_flight.saturating_sub(bytes);
        self.live.handle_ack(self.now, sent, bytes, app_limited, self.srtt);
        self.live.handle_acks_end(self.now);
        self.sender.handle_path(Path { srtt: self.srtt, window: self.live.window() });
        stream.acked += 1;
        if stream.acked == stream.arrived.len() && !stream.is_reset {
            self.streams.remove(&id);
            self.sender.handle_done(id);
        }
    }

    fn lost(&mut self, id: Id, packet: usize) {
        let bytes = self.streams.get(&id).map_or(PACKET_BYTES, |s| s.packet(packet).len()) as u64;
        self.in_flight = self.in_flight.saturating_sub(bytes);
        let silent = self.now - self.acked_at;
        self.live.handle_loss(self.now, bytes, silent > 3 * (2 * self.srtt + NOTICE));
        let Some(stream) = self.streams.get(&id) else { return };
        if !stream.is_reset {
            self.pending.insert((Reverse(stream.priority), id, packet));
        }
    }
}

impl Stream {
    fn packet(&self, n: usize) -> &[u8] {
        self.data.chunks(PACKET_BYTES).nth(n).unwrap_or_default()
    }
}

/// Numbers by chance, the same for the same seed.
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    /// A number below `n`.
    pub fn below(&mut self, n: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let x = (self.0 ^ (self.0 >> 29)) >> 24;
        (x % u64::from(n.max(1))) as u32
    }
}

const PACKET_BYTES: usize = 1200;
const BODY_BYTES_MAX: usize = 4 << 20;
/// A loss is noticed so long after the acknowledgement that did not come.
const NOTICE: Duration = Duration::from_millis(25);
