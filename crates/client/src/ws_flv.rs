//! FLV in the messages of a WebSocket, either way.

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use thalweg_wire::flv::{self, Demuxer};
use thalweg_wire::media::Frame;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::error::Error;
use crate::target::HttpTarget;
use crate::transport::{Transport, Trust, connect};

/// A WebSocket that FLV goes through.
#[derive(Debug)]
pub(crate) struct WebSocket {
    socket: WebSocketStream<Transport>,
    demuxer: Demuxer,
    has_begun: bool,
}

impl WebSocket {
    /// Opens one to watch.
    pub(crate) async fn play(target: &HttpTarget, trust: &Trust) -> Result<Self, Error> {
        WebSocket::open(target, trust, None).await
    }

    /// Opens one to publish.
    pub(crate) async fn publish(target: &HttpTarget, trust: &Trust) -> Result<Self, Error> {
        WebSocket::open(target, trust, Some("flv-publish")).await
    }

    async fn open(
        target: &HttpTarget,
        trust: &Trust,
        protocol: Option<&'static str>,
    ) -> Result<Self, Error> {
        let scheme = if target.secure { "wss" } else { "ws" };
        let url = format!("{scheme}://{}{}", target.authority, target.path);
        let mut request = url.into_client_request().map_err(failure)?;
        request.headers_mut().insert("User-Agent", HeaderValue::from_static("Thalweg"));
        if let Some(protocol) = protocol {
            let protocol = HeaderValue::from_static(protocol);
            request.headers_mut().insert("Sec-WebSocket-Protocol", protocol);
        }
        let trust = target.secure.then_some(trust);
        let stream = connect(&target.host, target.port, trust).await?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX));
        let (socket, _) =
            client_async_with_config(request, stream, Some(config)).await.map_err(|error| {
                match error {
                    tungstenite::Error::HttpFormat(_) | tungstenite::Error::Protocol(_) => {
                        Error::NotHttp { to: format!("{}:{}", target.host, target.port) }
                    }
                    error => failure(error),
                }
            })?;
        Ok(WebSocket { socket, demuxer: Demuxer::new(MESSAGE_BYTES_MAX), has_begun: false })
    }

    /// The next frame. Cancelling loses nothing.
    pub(crate) async fn next_frame(&mut self) -> Result<Frame, Error> {
        loop {
            if let Some(frame) = self.demuxer.poll_frame() {
                return Ok(frame);
            }
            if let Message::Binary(bytes) = self.next_message().await? {
                self.demuxer.handle_bytes(&bytes)?;
            }
        }
    }

    /// Sends one frame, in a message of its own.
    pub(crate) async fn send(&mut self, frame: &Frame) -> Result<(), Error> {
        let mut bytes = Vec::with_capacity(flv::tag_bytes(frame) + FILE_HEADER_ROOM);
        if !self.has_begun {
            self.has_begun = true;
            bytes.extend_from_slice(&flv::file_header(true, true));
        }
        flv::write_tag(&mut bytes, frame);
        match self.socket.send(Message::Binary(Bytes::from(bytes))).await {
            Ok(()) => Ok(()),
            // Why, it has said before it closed.
            Err(error) => Err(self.last_words().await.unwrap_or_else(|| failure(error))),
        }
    }

    /// Listens until the server closes, and answers how. Cancelling loses nothing.
    pub(crate) async fn over(&mut self) -> Error {
        loop {
            if let Err(error) = self.next_message().await {
                return error;
            }
        }
    }

    /// Closes.
    pub(crate) async fn close(mut self) -> Result<(), Error> {
        self.socket.close(None).await.map_err(failure)?;
        let _ = tokio::time::timeout(CLOSING, self.over()).await;
        Ok(())
    }

    async fn next_message(&mut self) -> Result<Message, Error> {
        match self.socket.next().await {
            Some(Ok(Message::Close(Some(frame)))) => Err(Error::WebSocketClosed {
                code: frame.code.into(),
                reason: frame.reason.to_string(),
            }),
            Some(Ok(Message::Close(None))) | None => Err(Error::Closed),
            Some(Ok(message)) => Ok(message),
            Some(Err(error)) => Err(failure(error)),
        }
    }

    async fn last_words(&mut self) -> Option<Error> {
        let words = tokio::time::timeout(CLOSING, self.over()).await.ok()?;
        matches!(words, Error::WebSocketClosed { .. }).then_some(words)
    }
}

fn failure(error: tungstenite::Error) -> Error {
    match error {
        tungstenite::Error::Http(response) => {
            let (status, body) = (response.status().as_u16(), response.into_body());
            let body = String::from_utf8_lossy(&body.unwrap_or_default())
                .trim()
                .chars()
                .take(500)
                .collect();
            Error::Http { status, body }
        }
        tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed => Error::Closed,
        tungstenite::Error::Io(error) => error.into(),
        tungstenite::Error::Url(_) => {
            Error::Scheme("the URL has a character that a URL may not have")
        }
        error => Error::WebSocket(error.to_string()),
    }
}

/// A client trusts its server with more than a server does its clients.
const MESSAGE_BYTES_MAX: usize = 16 << 20;
/// How long a server may take to close.
const CLOSING: std::time::Duration = std::time::Duration::from_secs(2);
const FILE_HEADER_ROOM: usize = 13;
