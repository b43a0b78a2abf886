//! HTTP: reads a request's head, and gives the connection to media or to the HTTP library.

use std::borrow::Cow;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use bytes::Bytes;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;

use crate::context::{Context, Denial};
use crate::doors::known;
use crate::gate::Place;
use crate::http_head::{HEAD_BYTES_MAX, Head, Parsed, parse};
use crate::socket::{Duplex, Socket, say_last};
use crate::tls::HANDSHAKE_RECORD;
use crate::{http_flv, ws_flv};

/// Serves one connection to the public listener.
pub(crate) async fn serve(
    ctx: Arc<Context>,
    socket: Arc<dyn Socket>,
    peer: SocketAddr,
    place: Place,
    router: Router,
) {
    let read = tokio::time::timeout(HEAD_MAX, read_head(&*socket)).await;
    let (before, mut head) = match read {
        Ok(Ok(read)) => read,
        Ok(Err(NoHead::Closed)) => return,
        Ok(Err(why)) => {
            tracing::info!(%peer, words = why.words(), "no HTTP");
            return answer(&*socket, &Answer::text(400, why.words())).await;
        }
        Err(_) => return answer(&*socket, &Answer::text(408, "the request took too long")).await,
    };
    if http_flv::is_media(&head) {
        if let Some(upgrade) = head.upgrade.take() {
            let early = before.slice(head.bytes..);
            let request = ws_flv::Request { socket, peer, place, head, upgrade, early };
            // Apart, like all that is no viewer of HTTP-FLV: of those there are many.
            return Box::pin(ws_flv::serve(ctx, request)).await;
        }
        return http_flv::serve(ctx, socket, peer, place, head).await;
    }
    if let Some(reason) = place.refusal() {
        let denial = reason.into();
        ctx.refused("http", peer, None, &denial);
        return answer(&*socket, &Answer::denial(&denial)).await;
    }
    // One request a connection: the next one might ask for media, which this library must not see.
    let io = TokioIo::new(Duplex { before, socket });
    let mut library = library();
    let router = known(router, peer);
    let connection =
        library.keep_alive(false).serve_connection(io, TowerToHyperService::new(router));
    let _ = Box::pin(connection).await;
}

/// Tells a peer that speaks plain HTTP, or anything else, where TLS is spoken.
pub(crate) async fn serve_insecure(socket: &dyn Socket, peer: SocketAddr) {
    let words = "this port speaks TLS: use https://, not http://";
    tracing::info!(%peer, words, "no TLS");
    answer(socket, &Answer::text(400, words)).await;
}

/// Serves one connection to the operator's listener by HTTP/1.
pub(crate) async fn serve_operator(ctx: Arc<Context>, socket: Arc<dyn Socket>, router: Router) {
    let io = TokioIo::new(Duplex { before: Bytes::new(), socket });
    // Whoever comes while the server stops is still answered, once.
    let keep_alive = !ctx.is_stopping();
    let mut library = library();
    let connection =
        library.keep_alive(keep_alive).serve_connection(io, TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // A peer that breaks off is no news.
        _ = connection.as_mut() => {}
        () = ctx.stopped(), if keep_alive => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

/// The same by HTTP/2. A connection is told to end after some time, because one that does nothing but
/// answer pings cannot be told from one that waits.
pub(crate) async fn serve_operator_http2(
    ctx: Arc<Context>,
    socket: Arc<dyn Socket>,
    router: Router,
) {
    let io = TokioIo::new(Duplex { before: Bytes::new(), socket });
    let mut library = http2::Builder::new(TokioExecutor::new());
    library
        .timer(TokioTimer::new())
        .max_concurrent_streams(REQUESTS_MAX)
        .keep_alive_interval(HTTP2_KEEP_ALIVE);
    let connection = library.serve_connection(io, TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = ctx.stopped() => {}
        () = tokio::time::sleep(HTTP2_MAX) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(HEAD_MAX, connection).await;
}

/// How the library is to serve a connection.
fn library() -> http1::Builder {
    let mut library = http1::Builder::new();
    library
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_MAX)
        .max_buf_size(HEAD_BYTES_MAX.max(LIBRARY_BUFFER_MIN));
    library
}

/// Why no head was read.
enum NoHead {
    Closed,
    Tls,
    NotHttp,
}

impl NoHead {
    fn words(&self) -> &'static str {
        match self {
            NoHead::Closed => "",
            NoHead::Tls => "this is a plain HTTP port: use http://, not https://",
            NoHead::NotHttp => "this is not an HTTP/1.1 request, or its head is over 8 KiB",
        }
    }
}

async fn read_head(socket: &dyn Socket) -> Result<(Bytes, Head), NoHead> {
    let mut bytes = Vec::new();
    loop {
        poll_fn(|cx| socket.poll_readable(cx)).await.map_err(|_| NoHead::Closed)?;
        let mut part = [0; 2048];
        let room = part.len().min(HEAD_BYTES_MAX + 1 - bytes.len().min(HEAD_BYTES_MAX));
        match socket.try_read(&mut part[..room]) {
            Ok(0) => return Err(NoHead::Closed),
            Ok(n) => bytes.extend_from_slice(&part[..n]),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => continue,
            Err(_) => return Err(NoHead::Closed),
        }
        match parse(&bytes) {
            Parsed::Complete(head) => return Ok((bytes.into(), head)),
            Parsed::Partial => {}
            Parsed::Bad if bytes.first() == Some(&HANDSHAKE_RECORD) => return Err(NoHead::Tls),
            Parsed::Bad => return Err(NoHead::NotHttp),
        }
    }
}

/// A short answer of our own, after which the connection closes.
#[derive(Debug)]
pub(crate) struct Answer {
    status: u16,
    headers: Cow<'static, str>,
    body: String,
}

impl Answer {
    /// The head before a stream of FLV, which ends when the connection does.
    pub(crate) fn media_head() -> Answer {
        let headers = "Content-Type: video/x-flv\r\nCache-Control: no-store\r\n";
        Answer { status: 200, headers: headers.into(), body: String::new() }
    }

    /// What a browser asks before it lets a page ask.
    pub(crate) fn options() -> Answer {
        let headers = "Access-Control-Allow-Methods: GET, HEAD, OPTIONS\r\n\
                       Access-Control-Allow-Headers: *\r\n\
                       Access-Control-Max-Age: 86400\r\n\
                       Content-Length: 0\r\n";
        Answer { status: 204, headers: headers.into(), body: String::new() }
    }

    /// The answer that makes a connection a WebSocket.
    pub(crate) fn switching(proof: &str, protocol: Option<&str>) -> Answer {
        let protocol =
            protocol.map_or(String::new(), |p| format!("Sec-WebSocket-Protocol: {p}\r\n"));
        let headers = format!(
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {proof}\r\n{protocol}"
        );
        Answer { status: 101, headers: headers.into(), body: String::new() }
    }

    /// To a request for a WebSocket that is none.
    pub(crate) fn upgrade_required() -> Answer {
        let headers = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nContent-Length: 0\r\n";
        Answer { status: 426, headers: headers.into(), body: String::new() }
    }

    pub(crate) fn method_not_allowed() -> Answer {
        let headers = "Allow: GET, HEAD, OPTIONS\r\nContent-Length: 0\r\n";
        Answer { status: 405, headers: headers.into(), body: String::new() }
    }

    /// A refusal, as JSON.
    pub(crate) fn denial(denial: &Denial) -> Answer {
        let body = serde_json::json!({ "error": denial.reason.code(), "message": denial.words });
        let headers = "Content-Type: application/json\r\nCache-Control: no-store\r\n";
        Answer {
            status: denial.reason.http_status(),
            headers: headers.into(),
            body: body.to_string(),
        }
    }

    /// The same, as a HEAD request wants it.
    pub(crate) fn without_body(self) -> Answer {
        Answer { body: String::new(), ..self }
    }

    pub(crate) fn text(status: u16, words: &str) -> Answer {
        let headers = "Content-Type: text/plain; charset=utf-8\r\n";
        Answer { status, headers: headers.into(), body: format!("{words}\n") }
    }

    /// The bytes on the wire.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let Answer { status, headers, body } = self;
        let phrase = hyper::StatusCode::from_u16(*status)
            .ok()
            .and_then(|s| s.canonical_reason())
            .unwrap_or_default();
        let length = match body.len() {
            0 => String::new(),
            n => format!("Content-Length: {n}\r\n"),
        };
        let close = match *status {
            101 => "",
            426 => "Connection: Upgrade, close\r\n",
            _ => "Connection: close\r\n",
        };
        format!(
            "HTTP/1.1 {status} {phrase}\r\n{headers}{length}\
             Access-Control-Allow-Origin: *\r\n\
             X-Content-Type-Options: nosniff\r\n\
             {close}\r\n{body}"
        )
        .into_bytes()
    }
}

/// Sends an answer and closes once the peer has read it, or after a moment.
pub(crate) async fn answer(socket: &dyn Socket, answer: &Answer) {
    say_last(socket, &answer.to_bytes()).await;
}

/// From the first byte of a request's head to its last.
const HEAD_MAX: Duration = Duration::from_secs(5);
/// Requests of one connection at the same time. With 256 connections and bodies of 16 KiB: 64 MiB.
const REQUESTS_MAX: u32 = 16;
const HTTP2_MAX: Duration = Duration::from_secs(600);
/// A peer that does not answer for so long, and as long again, is gone.
const HTTP2_KEEP_ALIVE: Duration = Duration::from_secs(20);
/// The library wants at least this.
const LIBRARY_BUFFER_MIN: usize = 16 << 10;
