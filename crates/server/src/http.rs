//! HTTP: reads a request's head, and gives the connection to media or to the HTTP library.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use axum::Router;
use bytes::{Buf, Bytes};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::context::{Context, Denial};
use crate::gate::Place;
use crate::http_flv;
use crate::http_head::{HEAD_BYTES_MAX, Head, Parsed, parse};
use crate::socket::say_last;

/// Serves one connection to the public listener.
pub(crate) async fn serve(
    ctx: Arc<Context>,
    stream: TcpStream,
    peer: SocketAddr,
    place: Place,
    router: Router,
) {
    let read = tokio::time::timeout(HEAD_MAX, read_head(&stream)).await;
    let (bytes, head) = match read {
        Ok(Ok(read)) => read,
        Ok(Err(NoHead::Closed)) => return,
        Ok(Err(why)) => return answer(&stream, &Answer::text(400, why.words())).await,
        Err(_) => return answer(&stream, &Answer::text(408, "the request took too long")).await,
    };
    if http_flv::is_media(&head) {
        return http_flv::serve(ctx, stream, peer, place, head).await;
    }
    if let Some(reason) = place.refusal() {
        let denial = reason.into();
        ctx.refused("http", peer, None, &denial);
        return answer(&stream, &Answer::denial(&denial)).await;
    }
    // One request a connection: the next one might ask for media, which this library must not see.
    let io = TokioIo::new(Rewound { head: bytes, stream });
    let _ =
        library().keep_alive(false).serve_connection(io, TowerToHyperService::new(router)).await;
}

/// Serves one connection to the operator's listener.
pub(crate) async fn serve_operator(ctx: Arc<Context>, stream: TcpStream, router: Router) {
    let io = TokioIo::new(stream);
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

async fn read_head(stream: &TcpStream) -> Result<(Bytes, Head), NoHead> {
    let mut bytes = Vec::new();
    loop {
        stream.readable().await.map_err(|_| NoHead::Closed)?;
        let mut part = [0; 2048];
        let room = part.len().min(HEAD_BYTES_MAX + 1 - bytes.len().min(HEAD_BYTES_MAX));
        match stream.try_read(&mut part[..room]) {
            Ok(0) => return Err(NoHead::Closed),
            Ok(n) => bytes.extend_from_slice(&part[..n]),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => continue,
            Err(_) => return Err(NoHead::Closed),
        }
        match parse(&bytes) {
            Parsed::Complete(head) => return Ok((bytes.into(), head)),
            Parsed::Partial => {}
            Parsed::Bad if bytes.first() == Some(&0x16) => return Err(NoHead::Tls),
            Parsed::Bad => return Err(NoHead::NotHttp),
        }
    }
}

/// A short answer of our own, after which the connection closes.
#[derive(Debug)]
pub(crate) struct Answer {
    status: u16,
    headers: &'static str,
    body: String,
}

impl Answer {
    /// The head before a stream of FLV, which ends when the connection does.
    pub(crate) fn media_head() -> Answer {
        let headers = "Content-Type: video/x-flv\r\nCache-Control: no-store\r\n";
        Answer { status: 200, headers, body: String::new() }
    }

    /// What a browser asks before it lets a page ask.
    pub(crate) fn options() -> Answer {
        let headers = "Access-Control-Allow-Methods: GET, HEAD, OPTIONS\r\n\
                       Access-Control-Allow-Headers: *\r\n\
                       Access-Control-Max-Age: 86400\r\n\
                       Content-Length: 0\r\n";
        Answer { status: 204, headers, body: String::new() }
    }

    pub(crate) fn method_not_allowed() -> Answer {
        let headers = "Allow: GET, HEAD, OPTIONS\r\nContent-Length: 0\r\n";
        Answer { status: 405, headers, body: String::new() }
    }

    /// A refusal, as JSON.
    pub(crate) fn denial(denial: &Denial) -> Answer {
        let body = serde_json::json!({ "error": denial.reason.code(), "message": denial.words });
        let headers = "Content-Type: application/json\r\nCache-Control: no-store\r\n";
        Answer { status: denial.reason.http_status(), headers, body: body.to_string() }
    }

    /// The same, as a HEAD request wants it.
    pub(crate) fn without_body(self) -> Answer {
        Answer { body: String::new(), ..self }
    }

    fn text(status: u16, words: &str) -> Answer {
        let headers = "Content-Type: text/plain; charset=utf-8\r\n";
        Answer { status, headers, body: format!("{words}\n") }
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
        format!(
            "HTTP/1.1 {status} {phrase}\r\n{headers}{length}\
             Access-Control-Allow-Origin: *\r\n\
             X-Content-Type-Options: nosniff\r\n\
             Connection: close\r\n\r\n{body}"
        )
        .into_bytes()
    }
}

/// Sends an answer and closes once the peer has read it, or after a moment.
pub(crate) async fn answer(stream: &TcpStream, answer: &Answer) {
    say_last(stream, &answer.to_bytes()).await;
}

/// A connection whose first bytes have been read already.
#[derive(Debug)]
struct Rewound {
    head: Bytes,
    stream: TcpStream,
}

impl AsyncRead for Rewound {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.head.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let n = self.head.len().min(buf.remaining());
        buf.put_slice(&self.head[..n]);
        self.head.advance(n);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Rewound {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// From the first byte of a request's head to its last.
const HEAD_MAX: Duration = Duration::from_secs(5);
/// The library wants at least this.
const LIBRARY_BUFFER_MIN: usize = 16 << 10;
