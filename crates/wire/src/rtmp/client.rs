//! The client's session: publish one stream, or watch one.
//!
//! ```text
//! handshake -> connect -> createStream -> publish -> publishing
//!                                      -> play    -> playing
//! ```

use std::collections::VecDeque;
use std::time::Instant;

use super::Limits;
use super::address::Address;
use super::command::{Command, Level, Status, code};
use super::handshake::{self, Style};
use super::link::{Incoming, Link, WINDOW_BYTES};
use super::message::{self, Control, UserControl, types};
use crate::amf0::Value;
use crate::error::{Error, Misbehaved};
use crate::media::{Frame, Kind};
use crate::time::Unwrapper;

/// One connection to a server.
#[derive(Debug)]
pub struct Session {
    link: Link,
    purpose: Purpose,
    address: Address,
    phase: Phase,
    stream_id: u32,
    clock: Unwrapper,
    events: VecDeque<Event>,
    /// Everything up to the first answer to `publish` shares one deadline; the answer to `play` has
    /// another.
    deadline: Option<Instant>,
    play_deadline: Instant,
}

/// What the connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Send media.
    Publish,
    /// Receive media.
    Play,
}

#[derive(Debug)]
enum Phase {
    Handshake(Box<handshake::Client>),
    Connecting,
    CreatingStream,
    Asking,
    Running,
    Over,
}

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// The server accepted: frames may be sent, or will come.
    Started,
    /// The server refused, and says why. The session is over.
    Refused(Status),
    /// Media of the stream.
    Frame(Frame),
    /// The server says something about the running stream, without ending it.
    Status(Status),
    /// The server ended the stream. The session is over.
    Ended(Status),
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
    /// A session for a connection that has just been made.
    pub fn new(
        purpose: Purpose,
        address: Address,
        style: Style,
        limits: &Limits,
        seed: u64,
        now: Instant,
    ) -> Self {
        let mut link = Link::new(limits.message_bytes_max);
        let handshake = handshake::Client::new(style, seed, link.out());
        Session {
            link,
            purpose,
            address,
            phase: Phase::Handshake(Box::new(handshake)),
            stream_id: 0,
            clock: Unwrapper::default(),
            events: VecDeque::new(),
            deadline: Some(now + limits.handshake_max + 2 * limits.command_max),
            play_deadline: now + limits.answer_max,
        }
    }

    /// Whether the server has accepted and not ended.
    pub fn is_running(&self) -> bool {
        matches!(self.phase, Phase::Running)
    }

    /// Whether the server has refused or ended.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }
}

/// What came from the network or the clock.
impl Session {
    /// Takes bytes of the server.
    ///
    /// # Errors
    /// What the server did wrong; the session is then over.
    pub fn handle_bytes(&mut self, mut input: &[u8]) -> Result<(), Error> {
        if let Phase::Handshake(handshake) = &mut self.phase {
            if !handshake.handle_bytes(&mut input, self.link.out())? {
                return Ok(());
            }
            self.connect();
        }
        while let Some(message) = self.link.receive(&mut input)? {
            self.message(message)?;
        }
        Ok(())
    }

    /// Says that the time of the last [`Output::Timeout`] has come.
    ///
    /// # Errors
    /// When the server was too slow to answer.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        if self.deadline.is_none_or(|at| at > now) {
            return Ok(());
        }
        Err(match self.phase {
            Phase::Handshake(_) => Misbehaved::SlowHandshake,
            _ => Misbehaved::SlowAnswer,
        }
        .into())
    }
}

/// What the application wants.
impl Session {
    /// Sends one frame of a publication.
    ///
    /// # Errors
    /// [`Error::Misused`] when the server has not accepted.
    pub fn send(&mut self, frame: &Frame) -> Result<(), Error> {
        if !self.is_running() || self.purpose != Purpose::Publish {
            return Err(Error::Misused("a frame sent while not publishing"));
        }
        if frame.kind == Kind::Data && frame.config {
            let mut body = Vec::with_capacity(16 + frame.payload.len());
            crate::amf0::encode_str("@setDataFrame", &mut body);
            body.extend_from_slice(&frame.payload);
            let frame = Frame { payload: body.into(), ..frame.clone() };
            self.link.frame(self.stream_id, &frame);
        } else {
            self.link.frame(self.stream_id, frame);
        }
        Ok(())
    }

    /// Ends the stream politely. The connection may be closed once the output is sent.
    pub fn close(&mut self) {
        if matches!(self.phase, Phase::Running | Phase::Asking) {
            if self.purpose == Purpose::Publish {
                let name = Value::string(&self.address.name_and_query());
                self.link.command(0, &Command::new("FCUnpublish", 6.0, [name]));
            }
            let id = Value::Number(f64::from(self.stream_id));
            self.link.command(0, &Command::new("deleteStream", 0.0, [id]));
        }
        self.phase = Phase::Over;
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
            Output::Timeout(self.deadline)
        }
    }
}

/// Messages, one by one.
impl Session {
    fn connect(&mut self) {
        self.link.use_long_chunks();
        let object = Value::object([
            ("app", Value::string(&self.address.app)),
            ("type", Value::string("nonprivate")),
            ("flashVer", Value::string("FMLE/3.0 (compatible; Thalweg)")),
            ("tcUrl", Value::string(&self.address.tc_url())),
            ("objectEncoding", Value::Number(0.0)),
        ]);
        let (name, transaction) = ("connect".to_owned(), CONNECT);
        self.link.command(0, &Command { name, transaction, values: vec![object] });
        self.phase = Phase::Connecting;
    }

    fn message(&mut self, m: Incoming) -> Result<(), Error> {
        match m.message_type {
            types::COMMAND_AMF0 => self.command(&Command::decode(&m.body)?),
            types::COMMAND_AMF3 => self.command(&Command::decode(&message::unwrap_amf3(m.body))?),
            types::AGGREGATE => {
                for (kind, time, body) in message::split_aggregate(m.timestamp, &m.body)? {
                    self.media(kind, time, body);
                }
            }
            kind => self.media(kind, m.timestamp, m.body),
        }
        Ok(())
    }

    fn media(&mut self, kind: u8, time: u32, body: bytes::Bytes) {
        let Some(kind) = Kind::from_type(kind).filter(|_| !body.is_empty()) else {
            return;
        };
        if crate::amf0::first_string(&body) == Some(b"|RtmpSampleAccess") && kind == Kind::Data {
            return;
        }
        let dts = self.clock.unwrap(time);
        self.events.push_back(Event::Frame(Frame::new(kind, dts, body)));
    }

    fn command(&mut self, c: &Command) {
        match (c.name.as_str(), &self.phase) {
            ("_result", Phase::Connecting) if c.transaction == CONNECT => self.create_stream(),
            ("_result", Phase::CreatingStream) if c.transaction == CREATE_STREAM => {
                self.stream_id = c.argument(0).and_then(Value::as_f64).map_or(1, |n| n as u32);
                self.ask();
            }
            // Servers may not know releaseStream or FCPublish; that is no refusal.
            ("_error", Phase::Connecting) if c.transaction == CONNECT => self.refused(c),
            ("_error", Phase::CreatingStream) if c.transaction == CREATE_STREAM => self.refused(c),
            ("onStatus", phase) => {
                let Some(status) = c.status() else {
                    return;
                };
                match phase {
                    Phase::Asking | Phase::Connecting | Phase::CreatingStream => {
                        self.on_answer(status);
                    }
                    Phase::Running => self.on_status(status),
                    Phase::Handshake(_) | Phase::Over => {}
                }
            }
            _ => {}
        }
    }

    fn create_stream(&mut self) {
        if self.purpose == Purpose::Publish {
            let name = Value::string(&self.address.name_and_query());
            self.link.command(0, &Command::new("releaseStream", 2.0, [name.clone()]));
            self.link.command(0, &Command::new("FCPublish", 3.0, [name]));
        } else {
            self.link.control(Control::WindowAckSize(WINDOW_BYTES));
        }
        self.link.command(0, &Command::new("createStream", CREATE_STREAM, []));
        self.phase = Phase::CreatingStream;
    }

    fn ask(&mut self) {
        let name = Value::string(&self.address.name_and_query());
        match self.purpose {
            Purpose::Publish => {
                let command = Command::new("publish", 5.0, [name, Value::string("live")]);
                self.link.command(self.stream_id, &command);
            }
            Purpose::Play => {
                // -2: live if there is one.
                let command = Command::new("play", 0.0, [name, Value::Number(-2.0)]);
                self.link.command(self.stream_id, &command);
                let buffer = UserControl::SetBufferLength(self.stream_id, PLAY_BUFFER_MS);
                self.link.control(Control::User(buffer));
                self.deadline = Some(self.play_deadline);
            }
        }
        self.phase = Phase::Asking;
    }

    fn on_answer(&mut self, status: Status) {
        let started = match self.purpose {
            Purpose::Publish => status.code == code::PUBLISH_START,
            Purpose::Play => status.code == code::PLAY_START,
        };
        if started {
            self.phase = Phase::Running;
            self.deadline = None;
            self.events.push_back(Event::Started);
        } else if status.level == Level::Error {
            self.over(Event::Refused(status));
        } else {
            self.events.push_back(Event::Status(status));
        }
    }

    fn on_status(&mut self, status: Status) {
        let ends = status.level == Level::Error && status.code != code::SEEK_FAILED
            || ENDING.contains(&status.code.as_ref());
        if ends {
            self.over(Event::Ended(status));
        } else {
            self.events.push_back(Event::Status(status));
        }
    }

    fn refused(&mut self, c: &Command) {
        let status = c.status().unwrap_or_else(|| {
            Status::error(code::CONNECT_REJECTED, "the server refused and gave no reason")
        });
        self.over(Event::Refused(status));
    }

    fn over(&mut self, event: Event) {
        self.phase = Phase::Over;
        self.deadline = None;
        self.events.push_back(event);
    }
}

const CONNECT: f64 = 1.0;
const CREATE_STREAM: f64 = 4.0;
const PLAY_BUFFER_MS: u32 = 1000;
/// Statuses that end a stream although their level is not "error".
const ENDING: [&str; 5] = [
    code::PLAY_UNPUBLISH_NOTIFY,
    code::PLAY_STOP,
    code::PUBLISH_REPLACED,
    code::UNPUBLISH_SUCCESS,
    code::CONNECT_APP_SHUTDOWN,
];
