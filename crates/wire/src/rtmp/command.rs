//! Commands and their answers (RTMP 1.0 section 7.2).

use crate::amf0::{Decoder, Value};
use crate::error::{Error, Misbehaved};

/// A command message: a name, a transaction, and values, the first of which is the command object.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// `connect`, `_result`, `onStatus` ...
    pub name: String,
    /// Pairs an answer with its question; 0 wants none.
    pub transaction: f64,
    /// What follows, the command object first.
    pub values: Vec<Value>,
}

impl Command {
    /// A command whose command object is null.
    pub fn new<const N: usize>(name: &str, transaction: f64, arguments: [Value; N]) -> Command {
        let values = std::iter::once(Value::Null).chain(arguments).collect();
        Command { name: name.to_owned(), transaction, values }
    }

    /// An `onStatus` event.
    pub fn on_status(status: &Status) -> Command {
        Command::new("onStatus", 0.0, [status.to_value()])
    }

    /// Reads a command. A transaction that is missing counts as 0: some encoders leave it out of
    /// commands that want no answer.
    ///
    /// # Errors
    /// [`Misbehaved`] when the body is not AMF0 or has no name.
    pub fn decode(body: &[u8]) -> Result<Command, Error> {
        let mut d = Decoder::new(body);
        let Some(Value::String(name)) = d.next_value()? else {
            return Err(Misbehaved::NoCommand.into());
        };
        let transaction = match d.next_value()? {
            Some(Value::Number(n)) => n,
            Some(Value::Null | Value::Undefined) | None => 0.0,
            Some(_) => return Err(Misbehaved::NoCommand.into()),
        };
        let mut values = Vec::new();
        while let Some(value) = d.next_value()? {
            values.push(value);
        }
        Ok(Command { name, transaction, values })
    }

    /// The message body.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(128);
        crate::amf0::encode_str(&self.name, &mut out);
        Value::Number(self.transaction).encode(&mut out);
        self.values.iter().for_each(|v| v.encode(&mut out));
        out
    }

    /// The argument after the command object, by position.
    pub fn argument(&self, i: usize) -> Option<&Value> {
        self.values.get(i + 1)
    }

    /// An argument that is text; empty when it is missing or something else.
    pub fn text(&self, i: usize) -> &str {
        self.argument(i).and_then(Value::as_str).unwrap_or_default()
    }

    /// A property of the command object that is text; empty when missing.
    pub fn object_text(&self, name: &str) -> &str {
        self.values.first().and_then(|o| o.property(name)?.as_str()).unwrap_or_default()
    }

    /// The status of an `onStatus`, `_result` or `_error`: the first value that has a code.
    pub fn status(&self) -> Option<Status> {
        let info = self.values.iter().find(|v| v.property("code").is_some())?;
        let text = |name| info.property(name).and_then(Value::as_str).unwrap_or_default();
        Some(Status {
            level: if text("level") == "error" { Level::Error } else { Level::Status },
            code: text("code").to_owned().into(),
            description: text("description").to_owned(),
            reason: info.property("reason").and_then(Value::as_str).map(|s| s.to_owned().into()),
        })
    }
}

/// What an `onStatus` or an `_error` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Whether something failed.
    pub level: Level,
    /// One of [`code`].
    pub code: Text,
    /// Words for the person at the encoder.
    pub description: String,
    /// A word for the program at the encoder: `auth-expired`, `in-use` ...
    pub reason: Option<Text>,
}

/// A fixed word of ours, or a peer's.
pub type Text = std::borrow::Cow<'static, str>;

/// The level of a status. Warnings count as plain status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// All is well.
    Status,
    /// What was asked for will not happen.
    Error,
}

impl Status {
    /// News.
    pub fn ok(code: &'static str, description: impl Into<String>) -> Status {
        let (code, description) = (code.into(), description.into());
        Status { level: Level::Status, code, description, reason: None }
    }

    /// A failure.
    pub fn error(code: &'static str, description: impl Into<String>) -> Status {
        Status { level: Level::Error, ..Status::ok(code, description) }
    }

    /// Adds the word for programs.
    #[must_use]
    pub fn with_reason(self, reason: &'static str) -> Status {
        Status { reason: Some(reason.into()), ..self }
    }

    /// The information object.
    pub fn to_value(&self) -> Value {
        Value::Object(self.properties())
    }

    /// What the information object is made of, in the customary order.
    pub(crate) fn properties(&self) -> Vec<(String, Value)> {
        let level = match self.level {
            Level::Status => "status",
            Level::Error => "error",
        };
        let reason = self.reason.as_ref().map(|r| ("reason", r.as_ref()));
        [("level", level), ("code", &self.code), ("description", &self.description)]
            .into_iter()
            .chain(reason)
            .map(|(name, text)| (name.to_owned(), Value::string(text)))
            .collect()
    }
}

/// Status codes.
#[expect(missing_docs, reason = "named as Flash Media Server names them")]
pub mod code {
    pub const CONNECT_SUCCESS: &str = "NetConnection.Connect.Success";
    pub const CONNECT_REJECTED: &str = "NetConnection.Connect.Rejected";
    pub const CONNECT_APP_SHUTDOWN: &str = "NetConnection.Connect.AppShutdown";
    pub const CONNECT_CLOSED: &str = "NetConnection.Connect.Closed";
    pub const CONNECT_RECONNECT_REQUEST: &str = "NetConnection.Connect.ReconnectRequest";
    pub const CALL_FAILED: &str = "NetConnection.Call.Failed";
    pub const PUBLISH_START: &str = "NetStream.Publish.Start";
    pub const PUBLISH_BAD_NAME: &str = "NetStream.Publish.BadName";
    pub const PUBLISH_DENIED: &str = "NetStream.Publish.Denied";
    pub const PUBLISH_FAILED: &str = "NetStream.Publish.Failed";
    pub const PUBLISH_REPLACED: &str = "NetStream.Publish.Replaced";
    pub const UNPUBLISH_SUCCESS: &str = "NetStream.Unpublish.Success";
    pub const PLAY_RESET: &str = "NetStream.Play.Reset";
    pub const PLAY_START: &str = "NetStream.Play.Start";
    pub const PLAY_STOP: &str = "NetStream.Play.Stop";
    pub const PLAY_INSUFFICIENT_BW: &str = "NetStream.Play.InsufficientBW";
    pub const PLAY_FAILED: &str = "NetStream.Play.Failed";
    pub const PLAY_STREAM_NOT_FOUND: &str = "NetStream.Play.StreamNotFound";
    pub const PLAY_UNPUBLISH_NOTIFY: &str = "NetStream.Play.UnpublishNotify";
    pub const PAUSE_NOTIFY: &str = "NetStream.Pause.Notify";
    pub const UNPAUSE_NOTIFY: &str = "NetStream.Unpause.Notify";
    pub const SEEK_FAILED: &str = "NetStream.Seek.Failed";
}
