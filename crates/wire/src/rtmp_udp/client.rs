//! The client's side of the control stream (section 3).
//!
//! Everything is asked in one flight - preamble, `connect`, `createStream`, `publish` or `play` - so
//! that the first media is one round trip behind the handshake.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::control::{
    ClockResponse, Message, Preamble, Reader, Report, ServerStat, clock_request,
    decode_clock_request, types,
};
use super::sender::Start;
use super::server::{KEEP_ALIVE, REPORT_PAUSE};
use crate::amf0::Value;
use crate::error::{Error, Misbehaved};
use crate::media::Kind;
use crate::rtmp::address::Address;
use crate::rtmp::client::Purpose;
use crate::rtmp::command::{Command, Level, Status, code};

/// One control stream to a server.
#[derive(Debug)]
pub struct Session {
    purpose: Purpose,
    phase: Phase,
    preamble: Vec<u8>,
    reader: Reader,
    out: Vec<u8>,
    events: VecDeque<Event>,
    deadline: Option<Instant>,
    /// The server's name for this session.
    name: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Preamble,
    Asking,
    Running,
    Over,
}

/// How a viewer wants to be served.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wishes {
    /// How it starts.
    pub start: Start,
    /// Whether its decoder hides missing pictures.
    pub conceal: bool,
    /// The session whose place this one takes: the viewer's network changed.
    pub resume: Option<String>,
}

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// The server accepted.
    Started,
    /// The server refused, and says why. The session is over.
    Refused(Status),
    /// Metadata or a sequence header.
    Config(Message),
    /// The server says something without ending anything.
    Status(Status),
    /// How the server fares with what we publish.
    Report(Report),
    /// The server wants a key frame.
    KeyRequest,
    /// What the path looks like from the server.
    Stat(ServerStat),
    /// The server's clock.
    Clock(ClockResponse),
    /// The server asks for our clock: answer with [`Session::answer_clock`].
    ClockRequest {
        /// Which question.
        id: u32,
        /// The server's clock when it asked, microseconds.
        asked_us: u64,
    },
    /// The server wants us elsewhere: at this URL, or here again.
    Reconnect(Option<String>),
    /// The server ended the stream. The session is over.
    Ended(Status),
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
    /// A session that asks at once.
    pub fn new(purpose: Purpose, address: &Address, wishes: &Wishes, now: Instant) -> Self {
        let mut session = Session {
            purpose,
            phase: Phase::Preamble,
            preamble: Vec::new(),
            reader: Reader::default(),
            out: Preamble::OURS.encode().to_vec(),
            events: VecDeque::new(),
            deadline: Some(now + ANSWER_MAX),
            name: None,
        };
        session.ask(address, wishes);
        session
    }

    /// What the server calls this session: to come back under.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Whether the server has accepted and not ended.
    pub fn is_running(&self) -> bool {
        self.phase == Phase::Running
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
    /// Takes bytes of the server.
    ///
    /// # Errors
    /// What the server did wrong; the session is then over.
    pub fn handle_bytes(&mut self, mut input: &[u8]) -> Result<(), Error> {
        if self.phase == Phase::Preamble && !self.read_preamble(&mut input)? {
            return Ok(());
        }
        // What was on its way when it ended says nothing more.
        while self.phase != Phase::Over
            && let Some(message) = self.reader.read(&mut input)?
        {
            self.message(message)?;
        }
        Ok(())
    }

    /// Says that the time of the last [`Output::Timeout`] has come.
    ///
    /// # Errors
    /// When the server was too slow to answer.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        match self.deadline {
            Some(at) if at <= now => Err(Misbehaved::SlowAnswer.into()),
            _ => Ok(()),
        }
    }

    fn read_preamble(&mut self, input: &mut &[u8]) -> Result<bool, Error> {
        let missing = Preamble::BYTES - self.preamble.len();
        let (take, rest) = input.split_at(missing.min(input.len()));
        self.preamble.extend_from_slice(take);
        *input = rest;
        let Some(bytes) = self.preamble.first_chunk() else { return Ok(false) };
        let theirs = Preamble::decode(*bytes)?;
        if theirs != Preamble::OURS {
            return Err(Misbehaved::NoCommonVersion(theirs.version).into());
        }
        self.phase = Phase::Asking;
        Ok(true)
    }
}

/// What the application wants.
impl Session {
    /// Says a message: configuration, or feedback.
    pub fn say(&mut self, message: &Message) {
        message.encode(&mut self.out);
    }

    /// Asks for a key frame.
    pub fn ask_key(&mut self) {
        self.say(&Message::new(types::KEY_REQUEST, Vec::new()));
    }

    /// Asks for the server's clock.
    pub fn ask_clock(&mut self, id: u32, our_us: u64) {
        self.say(&clock_request(id, our_us));
    }

    /// Answers [`Event::ClockRequest`] with our wall clock, microseconds.
    pub fn answer_clock(&mut self, id: u32, asked_us: u64, now_us: u64) {
        let (came_us, answered_us) = (now_us, now_us);
        self.say(&ClockResponse { id, asked_us, came_us, answered_us }.to_message());
    }

    /// Pauses a play, or goes on with it.
    pub fn pause(&mut self, pause: bool) {
        let arguments = [Value::Boolean(pause), Value::Number(0.0)];
        self.command(&Command::new("pause", 0.0, arguments));
    }

    /// Wants this kind of media, or not.
    pub fn receive(&mut self, kind: Kind, wanted: bool) {
        let name = match kind {
            Kind::Audio => "receiveAudio",
            Kind::Video => "receiveVideo",
            Kind::Data => return,
        };
        self.command(&Command::new(name, 0.0, [Value::Boolean(wanted)]));
    }

    /// Ends the stream politely.
    pub fn close(&mut self) {
        if self.phase != Phase::Over {
            self.command(&Command::new("deleteStream", 0.0, [Value::Number(1.0)]));
            self.over();
        }
    }

    fn ask(&mut self, address: &Address, wishes: &Wishes) {
        let mut ull = vec![
            ("ver".to_owned(), Value::Number(1.0)),
            ("targetMs".to_owned(), Value::Number(300.0)),
            ("reportMs".to_owned(), Value::Number(REPORT_PAUSE.as_millis() as f64)),
            ("keepaliveMs".to_owned(), Value::Number(KEEP_ALIVE.as_millis() as f64)),
            ("conceal".to_owned(), Value::Boolean(wishes.conceal)),
        ];
        let start = match wishes.start {
            Start::Gop => "gop",
            Start::Key => "key",
        };
        ull.push(("start".to_owned(), Value::string(start)));
        if let Some(session) = &wishes.resume {
            ull.push(("resume".to_owned(), Value::string(session)));
        }
        let object = Value::object([
            ("app", Value::string(&address.app)),
            ("tcUrl", Value::string(&address.tc_url())),
            ("flashVer", Value::string("Thalweg")),
            ("objectEncoding", Value::Number(0.0)),
            ("fourCcList", Value::StrictArray(vec![Value::string("*")])),
            ("videoFourCcInfoMap", Value::object([("*", Value::Number(CAN_FORWARD))])),
            ("audioFourCcInfoMap", Value::object([("*", Value::Number(CAN_FORWARD))])),
            ("capsEx", Value::Number(CAN_RECONNECT)),
            ("ull", Value::Object(ull)),
        ]);
        let (name, transaction) = ("connect".to_owned(), 1.0);
        self.command(&Command { name, transaction, values: vec![object] });
        self.command(&Command::new("createStream", 2.0, []));
        let stream = Value::string(&address.name_and_query());
        self.command(&match self.purpose {
            Purpose::Publish => Command::new("publish", 0.0, [stream, Value::string("live")]),
            // -2: live if there is one.
            Purpose::Play => Command::new("play", 0.0, [stream, Value::Number(-2.0)]),
        });
    }

    fn command(&mut self, command: &Command) {
        self.say(&Message::new(types::COMMAND_AMF0, command.encode()));
    }
}

/// Messages, one by one.
impl Session {
    fn message(&mut self, message: Message) -> Result<(), Error> {
        let short = || Error::from(Misbehaved::FeedbackTooShort(message.message_type));
        let body = &message.body;
        let event = match message.message_type {
            types::COMMAND_AMF0 => return self.on_command(&Command::decode(body)?),
            types::REPORT => Event::Report(Report::decode(body).ok_or_else(short)?),
            types::KEY_REQUEST => Event::KeyRequest,
            types::CLOCK_RESPONSE => Event::Clock(ClockResponse::decode(body).ok_or_else(short)?),
            types::CLOCK_REQUEST => {
                let (id, asked_us) = decode_clock_request(body).ok_or_else(short)?;
                Event::ClockRequest { id, asked_us }
            }
            types::SERVER_STAT => Event::Stat(ServerStat::decode(body).ok_or_else(short)?),
            other if Kind::from_type(other).is_some() && message.config => Event::Config(message),
            _ => return Ok(()),
        };
        self.events.push_back(event);
        Ok(())
    }

    fn on_command(&mut self, c: &Command) -> Result<(), Error> {
        match (c.name.as_str(), c.status()) {
            ("_result", Some(_)) if c.transaction == 1.0 => {
                let ull = c.values.iter().find_map(|v| v.property("ull"));
                let session = ull.and_then(|u| u.property("session")?.as_str());
                self.name = session.map(str::to_owned);
            }
            ("_error", status) if c.transaction <= 2.0 => {
                let none = || Status::error(code::CONNECT_REJECTED, "the server gave no reason");
                self.end(Event::Refused(status.unwrap_or_else(none)));
            }
            ("onStatus", Some(status)) => self.on_status(c, status),
            _ => {}
        }
        Ok(())
    }

    fn on_status(&mut self, c: &Command, status: Status) {
        let started = match self.purpose {
            Purpose::Publish => code::PUBLISH_START,
            Purpose::Play => code::PLAY_START,
        };
        if status.code == code::CONNECT_RECONNECT_REQUEST {
            let info = c.values.iter().find(|v| v.property("code").is_some());
            let url = info.and_then(|v| v.property("tcUrl")?.as_str()).map(str::to_owned);
            self.events.push_back(Event::Reconnect(url));
        } else if self.phase != Phase::Running && status.code == started {
            self.phase = Phase::Running;
            self.deadline = None;
            self.events.push_back(Event::Started);
        } else if self.phase != Phase::Running && status.level == Level::Error {
            self.end(Event::Refused(status));
        } else if status.level == Level::Error && status.code != code::PLAY_INSUFFICIENT_BW
            || ENDING.contains(&status.code.as_ref())
        {
            self.end(Event::Ended(status));
        } else {
            self.events.push_back(Event::Status(status));
        }
    }

    fn end(&mut self, event: Event) {
        self.over();
        self.events.push_back(event);
    }

    fn over(&mut self) {
        self.phase = Phase::Over;
        self.deadline = None;
    }
}

/// Servers keep viewers waiting for streams that have not begun: ours up to 300 s.
const ANSWER_MAX: Duration = Duration::from_secs(330);
/// E-RTMP `capsEx`: the server may ask us to connect elsewhere.
const CAN_RECONNECT: f64 = 1.0;
/// E-RTMP FourCC capability: what is sent is handed on as it is.
const CAN_FORWARD: f64 = 4.0;
/// Statuses that end a stream although their level is not "error".
const ENDING: [&str; 4] = [
    code::PLAY_UNPUBLISH_NOTIFY,
    code::PUBLISH_REPLACED,
    code::UNPUBLISH_SUCCESS,
    code::CONNECT_APP_SHUTDOWN,
];
