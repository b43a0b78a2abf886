//! The server's session: in which order a publisher or a viewer may speak.
//!
//! ```text
//! handshake -> connect -> deciding -> ready -> publish -> deciding -> publishing -> ready
//!                                           -> play    -> deciding -> playing    -> ready
//! ```
//!
//! Asking leave is a state. A `connect`, `publish` or `play` becomes an [`Event`], and the session
//! does nothing more until it is told [`accept`](Session::accept) or [`reject`](Session::reject).
//! One connection carries one publication or one play at a time.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;

use super::Limits;
use super::address::{Address, BadAddress};
use super::command::{Command, Status, code};
use super::handshake;
use super::link::{Incoming, Link, WINDOW_BYTES};
use super::message::{self, Control, UserControl, types};
use crate::amf0::Value;
use crate::error::{Error, Misbehaved, Unsupported};
use crate::media::{Frame, Kind};
use crate::time::Unwrapper;

/// One peer's connection.
#[derive(Debug)]
pub struct Session {
    link: Link,
    limits: Limits,
    phase: Phase,
    connect: Option<Box<Connect>>,
    streams_created: u32,
    fc_publish: bool,
    events: VecDeque<Event>,
    /// Bytes that came while a question was open.
    held: Vec<u8>,
    deadline: Option<Deadline>,
}

#[derive(Debug)]
enum Phase {
    Handshake(Box<handshake::Server>),
    AwaitingConnect,
    Deciding(Question),
    Ready,
    Publishing(Publishing),
    Playing { stream_id: u32 },
}

/// What the peer asked leave for, and where the answer goes.
#[derive(Debug)]
enum Question {
    Connect { transaction: f64 },
    Publish { stream_id: u32 },
    Play { stream_id: u32, reset: bool },
}

#[derive(Debug)]
struct Publishing {
    stream_id: u32,
    clock: Unwrapper,
    last_media: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Deadline {
    at: Instant,
    then: fn() -> Misbehaved,
}

/// What `connect` says, as it came. `Debug` leaves out what may hold a query, and secrets in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Connect {
    /// Path, and perhaps query, up to the stream.
    pub app: String,
    /// The URL up to the stream.
    pub tc_url: String,
    /// The encoder's or player's name for itself.
    pub flash_ver: String,
}

impl std::fmt::Debug for Connect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let app = self.app.split('?').next();
        f.debug_struct("Connect").field("app", &app).finish_non_exhaustive()
    }
}

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// The peer wants to connect. Accept or reject.
    Connect(Connect),
    /// The peer wants to publish. Accept or reject.
    Publish(Result<Address, BadAddress>),
    /// The peer wants to watch. Accept or reject.
    Play(Result<Address, BadAddress>),
    /// Media of an accepted publication.
    Frame(Frame),
    /// The viewer paused (true) or goes on (false).
    Pause(bool),
    /// The viewer wants this kind of media, or not.
    Receive(Kind, bool),
    /// The peer ended its publication or play; the connection stays.
    Ended(By),
    /// A command or message that means nothing here, by name.
    Ignored(String),
}

/// The command that ended a publication or play.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// `deleteStream`, or `FCUnpublish` before it.
    DeleteStream,
    /// `closeStream`.
    CloseStream,
}

/// What to do next.
#[derive(Debug)]
pub enum Output {
    /// Bytes to send.
    Transmit(Vec<u8>),
    /// Something happened.
    Event(Event),
    /// Nothing until more bytes come, or until this time.
    Timeout(Option<Instant>),
}

/// Making a session, and asking it.
impl Session {
    /// A session for a peer that has just connected. `seed` makes the handshake's random bytes.
    pub fn new(limits: Limits, seed: u64, now: Instant) -> Self {
        let deadline =
            Deadline { at: now + limits.handshake_max, then: || Misbehaved::SlowHandshake };
        Session {
            link: Link::new(limits.stranger_bytes_max),
            limits,
            phase: Phase::Handshake(Box::new(handshake::Server::new(seed))),
            connect: None,
            streams_created: 0,
            fc_publish: false,
            events: VecDeque::new(),
            held: Vec::new(),
            deadline: Some(deadline),
        }
    }

    /// Whether a question is open. More bytes are kept, up to a bound, but not acted upon.
    pub fn is_deciding(&self) -> bool {
        matches!(self.phase, Phase::Deciding(_))
    }

    /// Whether the peer publishes.
    pub fn is_publishing(&self) -> bool {
        matches!(self.phase, Phase::Publishing(_))
    }

    /// The message stream on which the peer plays: frames written to it carry this id.
    pub fn playing(&self) -> Option<u32> {
        match self.phase {
            Phase::Playing { stream_id } => Some(stream_id),
            _ => None,
        }
    }

    /// The chunk size that the peer has announced, in bytes.
    pub fn peer_chunk_bytes(&self) -> u32 {
        u32::try_from(self.link.peer_chunk_bytes()).unwrap_or(u32::MAX)
    }

    /// Bytes allocated for messages that are not whole, and for those that wait for a decision.
    pub fn held_bytes(&self) -> usize {
        self.link.reserved_bytes() + self.held.capacity()
    }
}

/// What came from the network or the clock.
impl Session {
    /// Takes bytes of the peer.
    ///
    /// # Errors
    /// What the peer did wrong; the session is then over, but what it has to say may still be polled.
    pub fn handle_bytes(&mut self, now: Instant, mut input: &[u8]) -> Result<(), Error> {
        loop {
            match &mut self.phase {
                Phase::Handshake(handshake) => {
                    if !handshake.handle_bytes(&mut input, self.link.out())? {
                        return Ok(());
                    }
                    self.phase = Phase::AwaitingConnect;
                    self.expect_command(now);
                }
                Phase::Deciding(_) => return self.hold(input),
                _ => match self.link.receive(&mut input)? {
                    Some(message) => self.message(now, message)?,
                    None => return Ok(()),
                },
            }
        }
    }

    /// Says that the time of the last [`Output::Timeout`] has come.
    ///
    /// # Errors
    /// When the peer was too slow.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        let Some(deadline) = self.deadline.filter(|d| d.at <= now) else {
            return Ok(());
        };
        // The deadline of a running publication is set once and moved only when it fires.
        if let Phase::Publishing(Publishing { last_media: Some(last), .. }) = &self.phase {
            let at = *last + self.limits.publisher_silence_max;
            if at > now {
                self.deadline = Some(Deadline { at, then: || Misbehaved::Silent });
                return Ok(());
            }
            return Err(Misbehaved::Silent.into());
        }
        Err((deadline.then)().into())
    }

    fn hold(&mut self, input: &[u8]) -> Result<(), Error> {
        if self.held.len() + input.len() > self.limits.stranger_bytes_max {
            return Err(Misbehaved::TooManyCommands.into());
        }
        self.held.extend_from_slice(input);
        Ok(())
    }
}

/// What the application decides.
impl Session {
    /// Grants what was asked.
    ///
    /// # Errors
    /// [`Error::Misused`] when nothing was asked; otherwise what the bytes held meanwhile bring.
    pub fn accept(&mut self, now: Instant) -> Result<(), Error> {
        match self.take_question()? {
            Question::Connect { transaction } => {
                self.welcome(transaction);
                self.expect_command(now);
            }
            Question::Publish { stream_id } => self.start_publishing(now, stream_id),
            Question::Play { stream_id, reset } => self.start_playing(stream_id, reset),
        }
        self.handle_held(now)
    }

    /// Refuses what was asked, and says why. The peer may ask for something else.
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    pub fn reject(&mut self, now: Instant, why: &Status) -> Result<(), Error> {
        match self.take_question()? {
            Question::Connect { transaction } => {
                self.link.command(0, &Command::new("_error", transaction, [why.to_value()]));
                self.phase = Phase::AwaitingConnect;
                self.connect = None;
            }
            Question::Publish { stream_id, .. } | Question::Play { stream_id, .. } => {
                self.link.command(stream_id, &Command::on_status(why));
            }
        }
        self.expect_command(now);
        self.handle_held(now)
    }

    /// Ends the publication or play from our side, and says why. The connection stays.
    pub fn end(&mut self, now: Instant, why: &Status) {
        match self.phase {
            Phase::Publishing(Publishing { stream_id, .. }) => {
                self.link.command(stream_id, &Command::on_status(why));
            }
            Phase::Playing { stream_id } => {
                self.link.control(Control::User(UserControl::StreamEof(stream_id)));
                self.link.command(stream_id, &Command::on_status(why));
            }
            Phase::Handshake(_) => return,
            _ => self.link.command(0, &Command::on_status(why)),
        }
        self.phase = Phase::Ready;
        self.expect_command(now);
    }

    fn take_question(&mut self) -> Result<Question, Error> {
        match std::mem::replace(&mut self.phase, Phase::Ready) {
            Phase::Deciding(question) => Ok(question),
            other => {
                self.phase = other;
                Err(Error::Misused("accept or reject without a question"))
            }
        }
    }

    fn handle_held(&mut self, now: Instant) -> Result<(), Error> {
        let held = std::mem::take(&mut self.held);
        self.handle_bytes(now, &held)
    }

    fn welcome(&mut self, transaction: f64) {
        self.link.control(Control::WindowAckSize(WINDOW_BYTES));
        self.link.control(Control::SetPeerBandwidth(WINDOW_BYTES, 2));
        self.link.use_long_chunks();
        let server = Value::object([
            ("fmsVer", Value::string("FMS/3,5,7,7009")),
            ("capabilities", Value::Number(31.0)),
        ]);
        let mut info = Status::ok(code::CONNECT_SUCCESS, "Connection succeeded.").properties();
        info.push(("objectEncoding".to_owned(), Value::Number(0.0)));
        let values = vec![server, Value::Object(info)];
        self.link.command(0, &Command { name: "_result".to_owned(), transaction, values });
    }

    fn start_publishing(&mut self, now: Instant, stream_id: u32) {
        self.link.set_message_bytes_max(self.limits.message_bytes_max);
        let status = Status::ok(code::PUBLISH_START, "publishing");
        if std::mem::take(&mut self.fc_publish) {
            let command = Command::new("onFCPublish", 0.0, [status.to_value()]);
            self.link.command(stream_id, &command);
        }
        self.link.command(stream_id, &Command::on_status(&status));
        let clock = Unwrapper::default();
        self.phase = Phase::Publishing(Publishing { stream_id, clock, last_media: None });
        self.deadline =
            Some(Deadline { at: now + self.limits.first_media_max, then: || Misbehaved::NoMedia });
    }

    fn start_playing(&mut self, stream_id: u32, reset: bool) {
        self.link.control(Control::User(UserControl::StreamBegin(stream_id)));
        if reset {
            let status = Status::ok(code::PLAY_RESET, "playing and resetting");
            self.link.command(stream_id, &Command::on_status(&status));
        }
        let status = Status::ok(code::PLAY_START, "playing");
        self.link.command(stream_id, &Command::on_status(&status));
        // Flash players may read samples only after this.
        let mut access = Vec::new();
        crate::amf0::encode_str("|RtmpSampleAccess", &mut access);
        Value::Boolean(true).encode(&mut access);
        Value::Boolean(true).encode(&mut access);
        self.link.data(stream_id, &access);
        self.phase = Phase::Playing { stream_id };
        self.deadline = None;
    }
}

/// What the caller must now do.
impl Session {
    /// The next thing to do. Ask until it answers [`Output::Timeout`].
    pub fn poll_output(&mut self) -> Output {
        if let Some(bytes) = self.link.take_output() {
            Output::Transmit(bytes)
        } else if let Some(event) = self.events.pop_front() {
            Output::Event(event)
        } else {
            Output::Timeout(self.deadline.map(|d| d.at))
        }
    }
}

/// Messages, one by one.
impl Session {
    fn message(&mut self, now: Instant, m: Incoming) -> Result<(), Error> {
        match m.message_type {
            types::COMMAND_AMF0 => self.command(now, m.stream_id, &Command::decode(&m.body)?),
            types::COMMAND_AMF3 => {
                let body = message::unwrap_amf3(m.body);
                self.command(now, m.stream_id, &Command::decode(&body)?)
            }
            types::AUDIO | types::VIDEO | types::DATA_AMF0 => {
                self.media(now, m.message_type, m.timestamp, m.body)
            }
            types::DATA_AMF3 => {
                let body = message::unwrap_amf3(m.body);
                self.media(now, types::DATA_AMF0, m.timestamp, body)
            }
            types::AGGREGATE => {
                for (message_type, timestamp, body) in
                    message::split_aggregate(m.timestamp, &m.body)?
                {
                    self.media(now, message_type, timestamp, body)?;
                }
                Ok(())
            }
            types::SHARED_OBJECT_AMF0 | types::SHARED_OBJECT_AMF3 => {
                Err(Unsupported::SharedObject.into())
            }
            other => {
                self.events.push_back(Event::Ignored(format!("message of type {other}")));
                Ok(())
            }
        }
    }

    fn media(&mut self, now: Instant, kind: u8, time: u32, body: Bytes) -> Result<(), Error> {
        let Some(kind) = Kind::from_type(kind) else {
            return Ok(());
        };
        let Phase::Publishing(publishing) = &mut self.phase else {
            // Encoders keep sending for a moment after they have unpublished.
            return match (&self.phase, self.connect.is_some()) {
                (Phase::Ready, true) if self.streams_created > 0 => Ok(()),
                (_, true) if kind == Kind::Data => Ok(()),
                _ => Err(Misbehaved::MediaBeforePublish.into()),
            };
        };
        let body = if kind == Kind::Data { message::unwrap_data_frame(body) } else { Some(body) };
        let Some(body) = body.filter(|b| !b.is_empty()) else {
            return Ok(());
        };
        publishing.last_media = Some(now);
        let dts = publishing.clock.unwrap(time);
        self.events.push_back(Event::Frame(Frame::new(kind, dts, body)));
        Ok(())
    }

    fn command(&mut self, now: Instant, stream_id: u32, c: &Command) -> Result<(), Error> {
        if self.connect.is_none() && c.name != "connect" {
            return Err(Misbehaved::BeforeConnect("a command").into());
        }
        match c.name.as_str() {
            "connect" => return self.on_connect(c),
            "createStream" => return self.on_create_stream(c),
            "publish" => self.on_publish(stream_id, c),
            "play" => self.on_play(stream_id, c),
            "releaseStream" | "_checkbw" | "checkBandwidth" => self.answer(c, Value::Undefined),
            "FCPublish" => {
                self.fc_publish = true;
                self.answer(c, Value::Undefined);
            }
            "FCSubscribe" => {
                let status = Status::ok(code::PLAY_START, "subscribed");
                self.link.command(0, &Command::new("onFCSubscribe", 0.0, [status.to_value()]));
            }
            "FCUnpublish" => self.on_fc_unpublish(now, c),
            "closeStream" => self.on_close(now, stream_id, By::CloseStream),
            "deleteStream" => {
                let id = c.argument(0).and_then(Value::as_f64).map_or(stream_id, |n| n as u32);
                self.on_close(now, id, By::DeleteStream);
            }
            "pause" | "pauseRaw" => self.on_pause(c),
            "receiveAudio" => self.on_receive(Kind::Audio, c),
            "receiveVideo" => self.on_receive(Kind::Video, c),
            "seek" => {
                let status = Status::error(code::SEEK_FAILED, "a live stream cannot be sought");
                self.link.command(stream_id, &Command::on_status(&status));
            }
            "getStreamLength" => self.answer(c, Value::Number(0.0)),
            // Answers to commands we never sent, and talk between Flash applications.
            "_result" | "_error" | "onStatus" => {}
            other => {
                self.events.push_back(Event::Ignored(other.chars().take(64).collect()));
                self.refuse_call(c);
            }
        }
        Ok(())
    }

    fn on_connect(&mut self, c: &Command) -> Result<(), Error> {
        if self.connect.is_some() {
            return Err(Misbehaved::ConnectTwice.into());
        }
        let connect = Connect {
            app: c.object_text("app").to_owned(),
            tc_url: c.object_text("tcUrl").to_owned(),
            flash_ver: c.object_text("flashVer").to_owned(),
        };
        self.connect = Some(Box::new(connect.clone()));
        self.ask(Question::Connect { transaction: c.transaction }, Event::Connect(connect));
        Ok(())
    }

    fn on_create_stream(&mut self, c: &Command) -> Result<(), Error> {
        if self.streams_created == STREAMS_MAX {
            return Err(Misbehaved::TooManyStreams(STREAMS_MAX as usize).into());
        }
        self.streams_created += 1;
        self.answer(c, Value::Number(f64::from(self.streams_created)));
        Ok(())
    }

    fn on_publish(&mut self, stream_id: u32, c: &Command) {
        if self.is_busy() {
            let status = Status::error(code::PUBLISH_FAILED, ONE_AT_A_TIME);
            return self.link.command(stream_id, &Command::on_status(&status));
        }
        let address = self.address(c.text(0));
        self.ask(Question::Publish { stream_id }, Event::Publish(address));
    }

    fn on_play(&mut self, stream_id: u32, c: &Command) {
        if self.is_busy() {
            let status = Status::error(code::PLAY_FAILED, ONE_AT_A_TIME);
            return self.link.command(stream_id, &Command::on_status(&status));
        }
        let address = self.address(c.text(0));
        let reset = c.argument(3).and_then(Value::as_bool).unwrap_or(true);
        self.ask(Question::Play { stream_id, reset }, Event::Play(address));
    }

    fn on_fc_unpublish(&mut self, now: Instant, c: &Command) {
        let status = Status::ok(code::UNPUBLISH_SUCCESS, "unpublished");
        self.link.command(0, &Command::new("onFCUnpublish", 0.0, [status.to_value()]));
        self.answer(c, Value::Undefined);
        if let Phase::Publishing(Publishing { stream_id, .. }) = self.phase {
            self.on_close(now, stream_id, By::DeleteStream);
        }
    }

    fn on_close(&mut self, now: Instant, id: u32, by: By) {
        match self.phase {
            Phase::Publishing(Publishing { stream_id, .. }) if stream_id == id => {
                let status = Status::ok(code::UNPUBLISH_SUCCESS, "unpublished");
                self.link.command(stream_id, &Command::on_status(&status));
            }
            Phase::Playing { stream_id } if stream_id == id => {
                self.link.control(Control::User(UserControl::StreamEof(stream_id)));
                let status = Status::ok(code::PLAY_STOP, "stopped");
                self.link.command(stream_id, &Command::on_status(&status));
            }
            _ => return,
        }
        self.phase = Phase::Ready;
        self.expect_command(now);
        self.events.push_back(Event::Ended(by));
    }

    fn on_pause(&mut self, c: &Command) {
        let Phase::Playing { stream_id } = self.phase else {
            return;
        };
        let pause = c.argument(0).and_then(Value::as_bool).unwrap_or(true);
        let status = if pause {
            Status::ok(code::PAUSE_NOTIFY, "paused")
        } else {
            Status::ok(code::UNPAUSE_NOTIFY, "going on at the live edge")
        };
        self.link.command(stream_id, &Command::on_status(&status));
        self.events.push_back(Event::Pause(pause));
    }

    fn on_receive(&mut self, kind: Kind, c: &Command) {
        let wanted = c.argument(0).and_then(Value::as_bool).unwrap_or(true);
        self.events.push_back(Event::Receive(kind, wanted));
    }

    fn answer(&mut self, c: &Command, value: Value) {
        if c.transaction != 0.0 {
            self.link.command(0, &Command::new("_result", c.transaction, [value]));
        }
    }

    fn refuse_call(&mut self, c: &Command) {
        if c.transaction != 0.0 {
            let status = Status::error(code::CALL_FAILED, "no such command");
            self.link.command(0, &Command::new("_error", c.transaction, [status.to_value()]));
        }
    }

    fn ask(&mut self, question: Question, event: Event) {
        self.phase = Phase::Deciding(question);
        self.deadline = None;
        self.events.push_back(event);
    }

    fn is_busy(&self) -> bool {
        matches!(self.phase, Phase::Publishing(_) | Phase::Playing { .. })
    }

    fn address(&self, name: &str) -> Result<Address, BadAddress> {
        let (tc_url, app) =
            self.connect.as_ref().map_or(("", ""), |c| (c.tc_url.as_str(), c.app.as_str()));
        Address::from_parts(tc_url, app, name)
    }

    fn expect_command(&mut self, now: Instant) {
        let at = now + self.limits.command_max;
        self.deadline = Some(Deadline { at, then: || Misbehaved::SlowCommand });
    }
}

impl Event {
    /// Whether the session waits for [`Session::accept`] or [`Session::reject`].
    pub fn is_question(&self) -> bool {
        matches!(self, Event::Connect(_) | Event::Publish(_) | Event::Play(_))
    }
}

const ONE_AT_A_TIME: &str = "one publication or play a connection: open another connection";
/// Players make one, some encoders one for each attempt.
const STREAMS_MAX: u32 = 64;
