//! Errors, named after the one at fault.

use crate::{amf0, websocket};

/// Why a session ended. A session that has answered one is of no more use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The peer broke the protocol, lied about a length, or took too long.
    #[error("peer misbehaved: {0}")]
    Misbehaved(#[from] Misbehaved),
    /// The peer asked, rightly, for something this implementation does not do.
    #[error("peer wants what is not supported: {0}")]
    Unsupported(#[from] Unsupported),
    /// The caller called at the wrong time: a bug on our side.
    #[error("session misused: {0}")]
    Misused(&'static str),
}

/// What the peer did wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's text says it")]
pub enum Misbehaved {
    #[error("the first byte is {0}, not RTMP's 3: is another protocol talking to this port?")]
    NotRtmp(u8),
    #[error("this is an HTTP request on an RTMP port")]
    HttpOnRtmp,
    #[error("this is a TLS handshake on a plain RTMP port")]
    TlsOnRtmp,
    #[error("the bytes are not FLV")]
    NotFlv,
    #[error("the FLV is damaged: there is no tag at byte {0}, where one should begin")]
    FlvDamaged(u64),
    #[error("a second FLV header at byte {0}: a file that begins anew needs a new connection")]
    FlvTwice(u64),
    #[error("WebSocket: {0}")]
    WebSocket(websocket::Flaw),
    #[error("message of {len} bytes, the limit is {max}")]
    MessageTooLong { len: usize, max: usize },
    #[error("more than {0} bytes of unfinished messages over all streams")]
    TooManyUnfinished(usize),
    #[error("more than {0} chunk streams on one connection")]
    TooManyChunkStreams(usize),
    #[error("chunk size {0}, the least is {1}")]
    ChunkSize(u32, u32),
    #[error("chunk stream {0} continues a message that was never begun")]
    NothingToContinue(u32),
    #[error("chunk stream {0} begins a message before the last one is whole")]
    MessageNotWhole(u32),
    #[error("protocol control message of type {0} is cut short")]
    ControlTooShort(u8),
    #[error(transparent)]
    Amf(#[from] amf0::Error),
    #[error("command without a name or transaction")]
    NoCommand,
    #[error("aggregate message whose parts do not fit its length")]
    Aggregate,
    #[error("{0} before connect")]
    BeforeConnect(&'static str),
    #[error("connect a second time")]
    ConnectTwice,
    #[error("more than {0} streams created on one connection")]
    TooManyStreams(usize),
    #[error("media before publish was accepted")]
    MediaBeforePublish,
    #[error("handshake not finished in time")]
    SlowHandshake,
    #[error("no connect, publish or play in time")]
    SlowCommand,
    #[error("no answer to connect, publish or play in time")]
    SlowAnswer,
    #[error("no media in time after publish was accepted")]
    NoMedia,
    #[error("publisher silent for too long")]
    Silent,
    #[error("the control stream does not begin with RTMU")]
    NotRtmpUdp,
    #[error("no version that both know: the peer's highest is {0}, the lowest here is 1")]
    NoCommonVersion(u8),
    #[error("control message of {len} bytes, the limit is {max}")]
    ControlTooLong { len: usize, max: usize },
    #[error("feedback of type {0:#x} is cut short")]
    FeedbackTooShort(u8),
    #[error("more than {0} control messages in a second")]
    ControlFlood(u32),
    #[error("a second control stream")]
    SecondControlStream,
    #[error("a media header that cannot be: its kind, number or GOP")]
    MediaHeader,
    #[error("a media stream that ends in the middle of a message")]
    MediaCut,
    #[error("media number {seq}, when {next} is due and {ahead} more may be ahead of it")]
    MediaSeq { seq: u32, next: u32, ahead: u32 },
    #[error("more than {0} tracks in one session")]
    TooManyTracks(usize),
    #[error("media from a viewer")]
    MediaFromViewer,
    #[error("too many commands waiting for an answer")]
    TooManyCommands,
}

/// What the peer may ask for elsewhere but not here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's text says it")]
pub enum Unsupported {
    #[error("RTMPE, RTMP's own encryption (version {0}); use rtmps or nothing")]
    Rtmpe(u8),
    #[error("shared objects")]
    SharedObject,
}

impl From<amf0::Error> for Error {
    fn from(e: amf0::Error) -> Self {
        Error::Misbehaved(e.into())
    }
}
