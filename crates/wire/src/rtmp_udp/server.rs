//! The server's side of the control stream: in which order a publisher or a viewer may speak
//! (section 3).
//!
//! ```text
//! preamble -> connect -> deciding -> createStream -> publish -> deciding -> publishing
//!                                                 -> play    -> deciding -> playing
//! ```
//!
//! Asking leave is a state, as it is over TCP: after [`Event::Connect`], [`Event::Publish`] or
//! [`Event::Play`] nothing happens until [`accept`](Session::accept) or [`reject`](Session::reject).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::control::{
    ClockResponse, Message, Preamble, Reader, Report, decode_clock_request, types,
};
use super::sender::Start;
use crate::amf0::Value;
use crate::error::{Error, Misbehaved};
use crate::media::Kind;
use crate::rtmp::address::{Address, BadAddress};
use crate::rtmp::command::{Command, Status, code};
use crate::rtmp::message::{Control, UserControl};

/// One peer's control stream.
#[derive(Debug)]
pub struct Session {
    phase: Phase,
    preamble: Vec<u8>,
    reader: Reader,
    /// Bytes that came while a question was open, a second's together, and when.
    held: VecDeque<(Instant, Vec<u8>)>,
    connect: Option<Connect>,
    out: Vec<u8>,
    events: VecDeque<Event>,
    deadline: Option<Instant>,
    flood: Flood,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Preamble,
    AwaitingConnect,
    Deciding(Question),
    Ready,
    Publishing,
    Playing,
    Over,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    Connect,
    Publish,
    Play,
}

/// What `connect` says. `Debug` leaves out what may hold secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Connect {
    /// Path up to the stream.
    pub app: String,
    /// The URL up to the stream.
    pub tc_url: String,
    /// The player's or encoder's name for itself.
    pub flash_ver: String,
    /// How a viewer wants to start.
    pub start: Start,
    /// Whether its decoder hides missing pictures.
    pub conceal: bool,
    /// The session whose place this one takes.
    pub resume: Option<String>,
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
    /// A publisher's configuration.
    Config(Message),
    /// The viewer paused (true) or goes on (false).
    Pause(bool),
    /// The viewer wants this kind of media, or not.
    Receive(Kind, bool),
    /// The viewer cannot go on without a key frame.
    KeyRequest,
    /// How the viewer fares.
    Report(Report),
    /// The peer asks for our clock: answer with [`Session::answer_clock`].
    ClockRequest {
        /// Which question.
        id: u32,
        /// The peer's clock when it asked, microseconds.
        asked_us: u64,
    },
    /// The peer ended its publication or play.
    Ended,
}

/// What to do next.
#[derive(Debug)]
pub enum Output {
    /// Bytes for the control stream.
    Transmit(Vec<u8>),
    /// Something happened.
    Event(Event),
    /// Nothing until more bytes come, or until this time.
    Timeout(Option<Instant>),
}

impl Session {
    /// A session for a connection that has just been made.
    pub fn new(now: Instant) -> Self {
        Session {
            phase: Phase::Preamble,
            preamble: Vec::new(),
            reader: Reader::default(),
            held: VecDeque::new(),
            connect: None,
            out: Vec::new(),
            events: VecDeque::new(),
            deadline: Some(now + COMMAND_MAX),
            flood: Flood::default(),
        }
    }

    /// Bytes kept of what is not whole, or waits for a decision.
    pub fn held_bytes(&self) -> usize {
        let held: usize = self.held.iter().map(|(_, bytes)| bytes.capacity()).sum();
        self.reader.held_bytes() + held
    }

    /// The next thing to do. Ask until it answers [`Output::Timeout`].
    pub fn poll_output(&mut self) -> Output {
        if !self.out.is_empty() {
            Output::Transmit(std::mem::take(&mut self.out))
        } else if let Some(event) = self.events.pop_front() {
            Output::Event(event)
        } else {
            Output::Timeout(self.deadline)
        }
    }
}

/// What came from the network or the clock.
impl Session {
    /// Takes bytes of the peer.
    ///
    /// # Errors
    /// What the peer did wrong. The session is then over, but what it has to say may still be polled.
    pub fn handle_bytes(&mut self, now: Instant, mut input: &[u8]) -> Result<(), Error> {
        while !input.is_empty() {
            match self.phase {
                Phase::Preamble => self.read_preamble(&mut input)?,
                Phase::Deciding(_) => return self.hold(now, input),
                // What was on its way when it ended is nobody's fault.
                Phase::Over => return Ok(()),
                _ => match self.reader.read(&mut input)? {
                    Some(message) => {
                        self.flood.count(now)?;
                        self.message(message)?;
                    }
                    None => return Ok(()),
                },
            }
        }
        Ok(())
    }

    /// Says that the time of the last [`Output::Timeout`] has come.
    ///
    /// # Errors
    /// When the peer was too slow.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        match self.deadline {
            Some(at) if at <= now => Err(Misbehaved::SlowCommand.into()),
            _ => Ok(()),
        }
    }

    fn read_preamble(&mut self, input: &mut &[u8]) -> Result<(), Error> {
        let missing = Preamble::BYTES - self.preamble.len();
        let (take, rest) = input.split_at(missing.min(input.len()));
        self.preamble.extend_from_slice(take);
        *input = rest;
        if let Some(bytes) = self.preamble.first_chunk() {
            Preamble::decode(*bytes)?;
            // The highest that both know: there is one so far.
            self.out.extend_from_slice(&Preamble::OURS.encode());
            self.phase = Phase::AwaitingConnect;
        }
        Ok(())
    }

    fn hold(&mut self, now: Instant, input: &[u8]) -> Result<(), Error> {
        let held: usize = self.held.iter().map(|(_, bytes)| bytes.len()).sum();
        if held + input.len() > HELD_BYTES_MAX {
            return Err(Misbehaved::TooManyCommands.into());
        }
        match self.held.back_mut() {
            Some((at, bytes)) if now.saturating_duration_since(*at) < FLOOD_SPAN => {
                bytes.extend_from_slice(input);
            }
            _ => self.held.push_back((now, input.to_vec())),
        }
        Ok(())
    }
}

/// What the application decides and says.
impl Session {
    /// Grants what was asked. `session` names this one, for a viewer that comes back.
    ///
    /// # Errors
    /// [`Error::Misused`] when nothing was asked; otherwise what the bytes held meanwhile bring.
    pub fn accept(&mut self, session: &str) -> Result<(), Error> {
        match self.take_question()? {
            Question::Connect => self.welcome(session),
            Question::Publish => {
                self.phase = Phase::Publishing;
                self.deadline = None;
                self.status(&Status::ok(code::PUBLISH_START, "publishing"));
            }
            Question::Play => {
                self.phase = Phase::Playing;
                self.deadline = None;
                self.user_control(UserControl::StreamBegin(STREAM_ID));
                self.status(&Status::ok(code::PLAY_START, "playing"));
            }
        }
        self.handle_held()
    }

    /// Refuses what was asked, and says why: then the session is over.
    ///
    /// # Errors
    /// [`Error::Misused`] when nothing was asked.
    pub fn reject(&mut self, why: &Status) -> Result<(), Error> {
        match self.take_question()? {
            Question::Connect => {
                let values = [why.to_value()];
                self.command(&Command::new("_error", CONNECT, values));
            }
            Question::Publish | Question::Play => self.status(why),
        }
        self.over();
        Ok(())
    }

    /// Ends the publication or play from our side, and says why.
    pub fn end(&mut self, why: &Status) {
        if self.phase == Phase::Playing {
            self.user_control(UserControl::StreamEof(STREAM_ID));
        }
        if self.phase != Phase::Preamble {
            self.status(why);
        }
        self.over();
    }

    /// Says something without ending anything.
    pub fn status(&mut self, status: &Status) {
        self.command(&Command::on_status(status));
    }

    /// Says a message: configuration, or feedback.
    pub fn say(&mut self, message: &Message) {
        message.encode(&mut self.out);
    }

    /// Answers [`Event::ClockRequest`] with the server's wall clock, microseconds: when the question
    /// came, and now.
    pub fn answer_clock(&mut self, id: u32, asked_us: u64, came_us: u64, now_us: u64) {
        let answered_us = now_us.max(came_us);
        self.say(&ClockResponse { id, asked_us, came_us, answered_us }.to_message());
    }

    fn take_question(&mut self) -> Result<Question, Error> {
        match self.phase {
            Phase::Deciding(question) => {
                self.phase = Phase::Ready;
                Ok(question)
            }
            _ => Err(Error::Misused("accept or reject without a question")),
        }
    }

    /// As when it came: who waited for minutes and reported all the while has not flooded.
    fn handle_held(&mut self) -> Result<(), Error> {
        let held = std::mem::take(&mut self.held);
        held.into_iter().try_for_each(|(at, bytes)| self.handle_bytes(at, &bytes))
    }

    fn welcome(&mut self, session: &str) {
        let server = Value::object([("fmsVer", Value::string("FMS/3,5,7,7009"))]);
        let ull = Value::object([
            ("ver", Value::Number(f64::from(Preamble::OURS.version))),
            ("session", Value::string(session)),
            ("reportMs", Value::Number(REPORT_PAUSE.as_millis() as f64)),
            ("keepaliveMs", Value::Number(KEEP_ALIVE.as_millis() as f64)),
        ]);
        let mut info = Status::ok(code::CONNECT_SUCCESS, "Connection succeeded.").properties();
        info.push(("objectEncoding".to_owned(), Value::Number(0.0)));
        info.push(("ull".to_owned(), ull));
        let (name, values) = ("_result".to_owned(), vec![server, Value::Object(info)]);
        self.command(&Command { name, transaction: CONNECT, values });
    }

    fn command(&mut self, command: &Command) {
        self.say(&Message::new(types::COMMAND_AMF0, command.encode()));
    }

    fn user_control(&mut self, control: UserControl) {
        self.say(&Message::new(types::USER_CONTROL, Control::User(control).encode()));
    }

    fn over(&mut self) {
        self.phase = Phase::Over;
        self.deadline = None;
        self.reader = Reader::default();
        self.held = VecDeque::new();
    }
}

/// Messages, one by one.
impl Session {
    fn message(&mut self, message: Message) -> Result<(), Error> {
        let short = || Error::from(Misbehaved::FeedbackTooShort(message.message_type));
        match message.message_type {
            types::COMMAND_AMF0 => return self.on_command(&Command::decode(&message.body)?),
            types::REPORT => {
                let report = Report::decode(&message.body).ok_or_else(short)?;
                self.events.push_back(Event::Report(report));
            }
            types::KEY_REQUEST => self.events.push_back(Event::KeyRequest),
            // Nobody asked.
            types::CLOCK_RESPONSE => drop(ClockResponse::decode(&message.body).ok_or_else(short)?),
            types::CLOCK_REQUEST => {
                let (id, asked_us) = decode_clock_request(&message.body).ok_or_else(short)?;
                self.events.push_back(Event::ClockRequest { id, asked_us });
            }
            other if Kind::from_type(other).is_some() => {
                if self.phase != Phase::Publishing {
                    return Err(Misbehaved::MediaBeforePublish.into());
                }
                if !message.config || message.cfg == 0 {
                    return Err(Misbehaved::MediaHeader.into());
                }
                self.events.push_back(Event::Config(message));
            }
            // Types of versions to come, and those of RTMP that say nothing here.
            _ => {}
        }
        Ok(())
    }

    fn on_command(&mut self, c: &Command) -> Result<(), Error> {
        if self.phase == Phase::AwaitingConnect && c.name != "connect" {
            return Err(Misbehaved::BeforeConnect("another command").into());
        }
        match c.name.as_str() {
            "connect" if self.phase != Phase::AwaitingConnect => {
                return Err(Misbehaved::ConnectTwice.into());
            }
            "connect" => {
                let connect = Connect::read(c);
                self.connect = Some(connect.clone());
                self.ask(Question::Connect, Event::Connect(connect));
            }
            "createStream" if c.transaction != 0.0 => {
                let id = Value::Number(f64::from(STREAM_ID));
                self.command(&Command::new("_result", c.transaction, [id]));
            }
            "publish" | "play" if self.phase != Phase::Ready => {
                return Err(Misbehaved::TooManyStreams(1).into());
            }
            "publish" => {
                let address = self.address(c.text(0));
                self.ask(Question::Publish, Event::Publish(address));
            }
            "play" => {
                let address = self.address(c.text(0));
                self.ask(Question::Play, Event::Play(address));
            }
            "pause" if self.phase == Phase::Playing => {
                let pause = c.argument(0).and_then(Value::as_bool).unwrap_or(true);
                let code = if pause { code::PAUSE_NOTIFY } else { code::UNPAUSE_NOTIFY };
                self.status(&Status::ok(code, if pause { "paused" } else { "going on" }));
                self.events.push_back(Event::Pause(pause));
            }
            "receiveAudio" if self.phase == Phase::Playing => self.receive(Kind::Audio, c),
            "receiveVideo" if self.phase == Phase::Playing => self.receive(Kind::Video, c),
            "closeStream" | "deleteStream" | "FCUnpublish" => self.on_end(),
            _ => {}
        }
        Ok(())
    }

    fn receive(&mut self, kind: Kind, c: &Command) {
        let wanted = c.argument(0).and_then(Value::as_bool).unwrap_or(true);
        self.events.push_back(Event::Receive(kind, wanted));
    }

    fn on_end(&mut self) {
        if matches!(self.phase, Phase::Publishing | Phase::Playing) {
            self.over();
            self.events.push_back(Event::Ended);
        }
    }

    fn ask(&mut self, question: Question, event: Event) {
        self.phase = Phase::Deciding(question);
        // From `connect` on, how long an answer takes is the server's affair; `play` and `publish`
        // have to come in the time that began with the connection.
        if question != Question::Connect {
            self.deadline = None;
        }
        self.events.push_back(event);
    }

    fn address(&self, name: &str) -> Result<Address, BadAddress> {
        let (tc_url, app) =
            self.connect.as_ref().map_or(("", ""), |c| (c.tc_url.as_str(), c.app.as_str()));
        Address::from_parts(tc_url, app, name)
    }
}

impl Connect {
    fn read(c: &Command) -> Connect {
        let ull = c.values.first().and_then(|o| o.property("ull"));
        let of = |name| ull.and_then(|u| u.property(name));
        let start = match of("start").and_then(Value::as_str) {
            Some("key") => Start::Key,
            _ => Start::Gop,
        };
        Connect {
            app: c.object_text("app").to_owned(),
            tc_url: c.object_text("tcUrl").to_owned(),
            flash_ver: c.object_text("flashVer").to_owned(),
            start,
            conceal: of("conceal").and_then(Value::as_bool).unwrap_or_default(),
            resume: of("resume").and_then(Value::as_str).map(str::to_owned),
        }
    }
}

/// How many messages came in the second that goes on.
#[derive(Debug, Default)]
struct Flood {
    since: Option<Instant>,
    messages: u32,
}

impl Flood {
    fn count(&mut self, now: Instant) -> Result<(), Misbehaved> {
        let since = *self.since.get_or_insert(now);
        if now.saturating_duration_since(since) >= FLOOD_SPAN {
            *self = Flood { since: Some(now), messages: 0 };
        }
        self.messages += 1;
        if self.messages > MESSAGES_PER_S_MAX {
            return Err(Misbehaved::ControlFlood(MESSAGES_PER_S_MAX));
        }
        Ok(())
    }
}

/// How often a receiver of media reports.
pub const REPORT_PAUSE: Duration = Duration::from_millis(500);
/// How often a peer with nothing to say shows that it is there.
pub const KEEP_ALIVE: Duration = Duration::from_secs(2);
/// The one stream of a connection.
const STREAM_ID: u32 = 1;
/// Transaction of `connect`.
const CONNECT: f64 = 1.0;
/// From the connection to `publish` or `play`.
const COMMAND_MAX: Duration = Duration::from_secs(5);
/// What a client may send on while it waits to be let in: commands of a few hundred bytes.
const HELD_BYTES_MAX: usize = 64 << 10;
/// What is said in so long a time counts together.
const FLOOD_SPAN: Duration = Duration::from_secs(1);
/// Two reports, a question about the clock and a wish or two are what a second brings.
const MESSAGES_PER_S_MAX: u32 = 200;
