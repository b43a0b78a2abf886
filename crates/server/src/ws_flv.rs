//! WS-FLV: FLV in WebSocket messages, to viewers, and from publishers that ask for the subprotocol
//! `flv-publish`. Accept, who is it, may it, hub, egress.

use std::borrow::Cow;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use data_encoding::BASE64;
use sha1::{Digest, Sha1};
use thalweg_access::{Action, Reason, Way};
use thalweg_hub::{Leave, Protocol};
use thalweg_wire::Error;
use thalweg_wire::error::Misbehaved;
use thalweg_wire::flv::Demuxer;
use thalweg_wire::rtmp::server::By;
use thalweg_wire::websocket::{self, Piece, Reader};
use tokio::sync::oneshot;

use crate::cause::Cause;
use crate::clock::now;
use crate::context::{Asking, Context, Denial};
use crate::drive::{Ended, with_scratch};
use crate::egress::{Done, End, Form, Handle, OnDone, Seat};
use crate::gate::Place;
use crate::http::{Answer, answer};
use crate::http_flv::{Granted, Watch, address, grant, hung_up};
use crate::http_head::{Head, Upgrade};
use crate::publishing::{Publishing, take_seat};
use crate::socket::{Socket, say_last, write_all};
use crate::viewing::Viewing;

/// A request for a WebSocket.
pub(crate) struct Request {
    pub(crate) socket: Arc<dyn Socket>,
    pub(crate) peer: SocketAddr,
    pub(crate) place: Place,
    pub(crate) head: Head,
    pub(crate) upgrade: Box<Upgrade>,
    /// What came after the head.
    pub(crate) early: Bytes,
}

/// Serves one request for a WebSocket on a bare socket.
pub(crate) async fn serve(ctx: Arc<Context>, request: Request) {
    let Upgrade { key, version, protocols, .. } = &*request.upgrade;
    if version != "13" || key.is_empty() || request.head.method != "GET" {
        return answer(&*request.socket, &Answer::upgrade_required()).await;
    }
    if protocols.iter().any(|p| p == PUBLISH) {
        // Apart: a viewer, who stays as long, is not to be as large.
        Box::pin(request.publish(ctx)).await;
    } else {
        request.play(ctx).await;
    }
}

impl Request {
    /// The answer that makes it a WebSocket.
    fn accepted(&self, protocol: Option<&str>) -> Vec<u8> {
        let proof = Sha1::new().chain_update(&self.upgrade.key).chain_update(GUID).finalize();
        Answer::switching(&BASE64.encode(&proof), protocol).to_bytes()
    }

    /// Says no. A page is not shown the status of an answer that makes no WebSocket, so for pages
    /// there is one, which is closed with the reason.
    async fn refuse(&self, ctx: &Context, action: Action, url: &str, denial: &Denial) {
        ctx.refused(action.name(), self.peer, Some(url), denial);
        if !self.upgrade.is_page {
            return answer(&*self.socket, &Answer::denial(denial)).await;
        }
        let protocol = (action == Action::Push).then_some(PUBLISH);
        let Farewell { code, words } = Farewell::no(denial);
        let bytes = [self.accepted(protocol), websocket::close(code, &words)].concat();
        say_last(&*self.socket, &bytes).await;
    }
}

/// Playing.
impl Request {
    async fn play(mut self, ctx: Arc<Context>) {
        // Its frames would be read from the middle of one.
        if !self.early.is_empty() {
            let words = "a WebSocket says nothing before it is answered";
            return answer(&*self.socket, &Answer::text(400, words)).await;
        }
        let peer = self.peer;
        let (granted, url) = tokio::select! {
            granted = grant(&ctx, peer, &mut self.place, &self.head, Protocol::WsFlv, true) => granted,
            () = hung_up(&*self.socket) => return,
        };
        let watch = match granted {
            Ok(Granted::Watch(watch)) => watch,
            Ok(Granted::Look) => return,
            Err(denial) => return self.refuse(&ctx, Action::Play, &url, &denial).await,
        };
        let Watch { permit, subscription, watching, terms } = *watch;
        let viewing = Viewing::new(&ctx, permit, watching);
        let (tell, over) = oneshot::channel();
        let seat = Seat {
            socket: Arc::clone(&self.socket),
            subscription,
            form: Form::WsFlv,
            greeting: self.accepted(None),
            depth: terms.depth,
            flush: terms.flush,
            watch_peer: false,
            orders: Some(viewing.orders()),
            done: OnDone::new(move |done| {
                let _ = tell.send(done);
            }),
        };
        // Of the request, a viewer keeps no more than it needs.
        let Request { socket, place, .. } = self;
        let handle = ctx.egress.seat(seat).await;
        let (done, farewell) = listen(&*socket, &handle, over).await;
        drop(handle);
        viewing.over(&ctx, done.as_ref());
        let Farewell { code, words } = match done.as_ref().map(|d| d.why) {
            Some(End::StreamEnded | End::Dismissed) if ctx.is_stopping() => {
                Farewell::new(1001, Reason::Stopping.sentence())
            }
            Some(End::StreamEnded) => Farewell::new(1000, "the stream has ended"),
            Some(End::SentAway(away)) => Farewell::no(&away.into()),
            Some(End::TooSlow) => Farewell::new(1013, "too slow: what is sent is not read in time"),
            _ => farewell,
        };
        // A message that was cut cannot be followed by another.
        if let Some(Done { unsaid: Some(mut unsaid), .. }) = done {
            unsaid.extend(websocket::close(code, &words));
            say_last(&*socket, &unsaid).await;
        }
        drop(place);
    }
}

/// Hears what a viewer says while a pump feeds it, until either ends it; and how to close then.
///
/// As with RTMP, who asks costs the pump some work, and is not read from for a moment after.
async fn listen(
    socket: &dyn Socket,
    handle: &Handle,
    mut over: oneshot::Receiver<Done>,
) -> (Option<Done>, Farewell) {
    let mut reader = Reader::default();
    loop {
        tokio::select! {
            biased;
            done = &mut over => return (done.ok(), Farewell::normal()),
            _ = poll_fn(|cx| socket.poll_readable(cx)) => {}
        }
        match with_scratch(|buf| hear(socket, &mut reader, buf)) {
            Heard::Nothing => continue,
            Heard::Pings(pongs) => handle.say(pongs).await,
            Heard::Close(farewell) => {
                handle.dismiss().await;
                return (over.await.ok(), farewell);
            }
            Heard::Gone => {
                handle.dismiss().await;
                let done = over.await.ok().map(|d| Done { why: End::PeerGone, unsaid: None, ..d });
                return (done, Farewell::normal());
            }
        }
        tokio::select! {
            done = &mut over => return (done.ok(), Farewell::normal()),
            () = tokio::time::sleep(ASKING_PAUSE) => {}
        }
    }
}

/// How a WebSocket is closed.
struct Farewell {
    code: u16,
    words: Cow<'static, str>,
}

impl Farewell {
    fn new(code: u16, words: &'static str) -> Farewell {
        Farewell { code, words: words.into() }
    }

    fn no(denial: &Denial) -> Farewell {
        let code = CODES_OF_OURS + denial.reason.http_status();
        let words = format!("{}: {}", denial.reason.code(), denial.words).into();
        Farewell { code, words }
    }

    fn normal() -> Farewell {
        Farewell::new(1000, "")
    }
}

/// What came of one read from a viewer.
enum Heard {
    Nothing,
    /// It asked whether we are there: the answers.
    Pings(Vec<u8>),
    /// It closes, or did something wrong: how to answer.
    Close(Farewell),
    Gone,
}

/// Reads once. What a viewer sends beside questions means nothing here.
fn hear(socket: &dyn Socket, reader: &mut Reader, buf: &mut [u8]) -> Heard {
    let n = match socket.try_read(buf) {
        Ok(0) => return Heard::Gone,
        Ok(n) => n,
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Heard::Nothing,
        Err(_) => return Heard::Gone,
    };
    let (mut input, mut pongs) = (&mut buf[..n], Vec::new());
    loop {
        match reader.next(&mut input) {
            Ok(Some(Piece::Ping(payload))) => pongs.extend(websocket::pong(&payload)),
            Ok(Some(Piece::Data(_) | Piece::Pong)) => {}
            Ok(Some(Piece::Close(_))) => return Heard::Close(Farewell::normal()),
            Ok(None) if pongs.is_empty() => return Heard::Nothing,
            Ok(None) => return Heard::Pings(pongs),
            Err(Misbehaved::WebSocket(flaw)) => {
                let (code, words) = (flaw.close_code(), flaw.to_string());
                return Heard::Close(Farewell { code, words: words.into() });
            }
            Err(_) => return Heard::Gone,
        }
    }
}

/// Publishing.
impl Request {
    async fn publish(mut self, ctx: Arc<Context>) {
        let agent = Context::agent(&self.head.agent);
        let url = format!("ws://{}{}", self.head.host, self.head.path);
        let (peer, page) = (self.peer.ip(), Some(self.head.page.as_str()));
        let granted = address(&self.head).and_then(|address| {
            let permit = ctx.decide(Action::Push, Way::Tcp, &address, peer, page)?;
            Ok((permit, address))
        });
        let granted = match granted {
            Ok((permit, address)) => {
                let asking = ctx.question(&permit, Action::Push, &address, peer, NAME);
                match self.answer(asking).await {
                    Some(said) => said.map(|()| (permit, address)),
                    None => return,
                }
            }
            Err(denial) => Err(denial),
        };
        let seated = granted.and_then(|(permit, address)| {
            Ok((take_seat(&ctx, &mut self.place, permit, self.peer, &agent)?, address))
        });
        let (publication, address) = match seated {
            Ok(seated) => seated,
            Err(denial) => return self.refuse(&ctx, Action::Push, &url, &denial).await,
        };
        self.place.let_in();
        let publishing = Publishing::new(&ctx, publication, NAME, self.peer, &agent, &address);
        let greeting = self.accepted(Some(PUBLISH));
        let greeted = write_all(&*self.socket, &greeting);
        let (cause, publishing, mut unsaid) =
            match tokio::time::timeout(GREETING_MAX, greeted).await {
                Ok(Ok(())) => self.run_publication(&ctx, publishing).await,
                Ok(Err(e)) => (Cause::Connection(e.into()), publishing, Vec::new()),
                Err(_) => (Cause::Connection(Ended::Closed), publishing, Vec::new()),
            };
        publishing.over(&cause);
        if let Cause::Connection(Ended::Protocol(_)) = cause {
            ctx.metrics.protocol_error();
        }
        if let Some(code) = close_code(&cause) {
            unsaid.extend(websocket::close(code, &cause.to_string()));
            say_last(&*self.socket, &unsaid).await;
        }
    }

    /// Waits for an answer, if one is asked for. `None` when the publisher goes away meanwhile; what
    /// it sends before it is answered is for the publication, as far as there is room.
    async fn answer(&mut self, asking: Option<Asking>) -> Option<Result<(), Denial>> {
        let Some(mut asking) = asking else { return Some(Ok(())) };
        let mut early = self.early.to_vec();
        let said = loop {
            let has_room = early.len() < EARLY_BYTES_MAX;
            tokio::select! {
                said = &mut asking => break Some(said),
                _ = poll_fn(|cx| self.socket.poll_readable(cx)), if has_room => {}
            }
            let room = EARLY_BYTES_MAX - early.len();
            let read = with_scratch(|buf| {
                let n = self.socket.try_read(&mut buf[..room])?;
                early.extend_from_slice(&buf[..n]);
                Ok::<_, io::Error>(n)
            });
            match read {
                Ok(0) => break None,
                Err(e) if e.kind() != io::ErrorKind::WouldBlock => break None,
                _ => {}
            }
        };
        self.early = early.into();
        said
    }

    /// Appends what comes until either side ends it. Answers also what was not yet sent.
    async fn run_publication(
        &self,
        ctx: &Context,
        publishing: Publishing,
    ) -> (Cause, Publishing, Vec<u8>) {
        let limits = ctx.config.get().session_limits();
        let mut must_leave = Box::pin(publishing.must_leave());
        let mut ingest = Ingest {
            publishing,
            reader: Reader::default(),
            demuxer: Demuxer::new(limits.message_bytes_max),
            unsent: Vec::new(),
            has_media: false,
        };
        let mut early = self.early.to_vec();
        let mut step = ingest.take(&mut early);
        let mut deadline = now() + limits.first_media_max;
        let mut timer = Box::pin(tokio::time::sleep_until(deadline.into()));
        loop {
            match step {
                Ok(Took::Frames) => deadline = now() + limits.publisher_silence_max,
                Ok(Took::NoFrame) => {}
                Err(cause) => return ingest.end(cause),
            }
            tokio::select! {
                biased;
                leave = &mut must_leave => return ingest.end(Cause::Seat(leave)),
                // Time first: a peer that never stops talking must not outlive its deadline.
                () = &mut timer => {
                    if deadline <= now() {
                        let why = if ingest.has_media { Misbehaved::Silent } else { Misbehaved::NoMedia };
                        return ingest.end(Cause::Connection(Ended::Protocol(why.into())));
                    }
                    timer.as_mut().reset(deadline.into());
                    step = Ok(Took::NoFrame);
                    continue;
                }
                _ = poll_fn(|cx| self.socket.poll_readable(cx)) => {}
            }
            step = ingest.read(&*self.socket);
        }
    }
}

/// Frames out of what a publisher sends.
struct Ingest {
    publishing: Publishing,
    reader: Reader,
    demuxer: Demuxer,
    /// Answers that the socket has not taken.
    unsent: Vec<u8>,
    has_media: bool,
}

/// Whether any frame came.
enum Took {
    Frames,
    NoFrame,
}

impl Ingest {
    fn read(&mut self, socket: &dyn Socket) -> Result<Took, Cause> {
        let took = with_scratch(|buf| match socket.try_read(buf) {
            Ok(0) => Err(Cause::Connection(Ended::Closed)),
            Ok(n) => self.take(&mut buf[..n]),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(Took::NoFrame),
            Err(e) => Err(Cause::Connection(e.into())),
        })?;
        let wrote = if self.unsent.is_empty() { Ok(0) } else { socket.try_write(&self.unsent) };
        if let Ok(n) = wrote {
            self.unsent.drain(..n);
            // What a socket keeps goes at the next read: they are answers to pings.
            let _ = socket.flush();
        }
        Ok(took)
    }

    fn take(&mut self, mut input: &mut [u8]) -> Result<Took, Cause> {
        let misbehaved = |e: Error| Cause::Connection(Ended::Protocol(e));
        let mut took = Took::NoFrame;
        while let Some(piece) = self.reader.next(&mut input).map_err(|e| misbehaved(e.into()))? {
            match piece {
                Piece::Data(bytes) => {
                    let fed = self.demuxer.handle_bytes(bytes);
                    // What came before the damage is good.
                    while let Some(frame) = self.demuxer.poll_frame() {
                        self.publishing.append(frame).map_err(Cause::Seat)?;
                        (took, self.has_media) = (Took::Frames, true);
                    }
                    fed.map_err(misbehaved)?;
                }
                // One that asks and does not read is answered when it has read.
                Piece::Ping(payload) if self.unsent.is_empty() => {
                    self.unsent = websocket::pong(&payload);
                }
                Piece::Ping(_) | Piece::Pong => {}
                Piece::Close(_) => return Err(Cause::Peer(By::CloseStream)),
            }
        }
        Ok(took)
    }

    fn end(self, cause: Cause) -> (Cause, Publishing, Vec<u8>) {
        (cause, self.publishing, self.unsent)
    }
}

/// How a publisher is told why it is over; `None` when it is gone.
fn close_code(cause: &Cause) -> Option<u16> {
    Some(match cause {
        Cause::Peer(_) => 1000,
        // A publisher is no stranger any more: nothing is too full for it.
        Cause::Connection(Ended::Closed | Ended::Io(_) | Ended::Full) => return None,
        Cause::Connection(Ended::Protocol(Error::Misbehaved(why))) => match why {
            Misbehaved::WebSocket(flaw) => flaw.close_code(),
            Misbehaved::MessageTooLong { .. } => 1009,
            Misbehaved::Silent | Misbehaved::NoMedia => 1008,
            _ => 1007,
        },
        Cause::Connection(Ended::Protocol(_)) => 1007,
        Cause::Seat(Leave::Stopping) => 1001,
        Cause::Seat(Leave::Kicked { .. } | Leave::Closed) => {
            CODES_OF_OURS + Reason::Barred.http_status()
        }
        Cause::Seat(Leave::Replaced { .. } | Leave::Gone) => {
            CODES_OF_OURS + Reason::InUse.http_status()
        }
    })
}

/// The subprotocol of publishers.
const PUBLISH: &str = "flv-publish";
/// What this way is called in the log.
const NAME: &str = "ws-flv";
/// What a publisher may send before it is answered that it may: a read.
const EARLY_BYTES_MAX: usize = 8 << 10;
/// What a server proves with that it has read a key (RFC 6455, section 1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// Close codes of applications begin here (section 7.4.2); ours add an HTTP status.
const CODES_OF_OURS: u16 = 4000;
/// How long a publisher may take to read that it is let in.
const GREETING_MAX: Duration = Duration::from_secs(5);
const ASKING_PAUSE: Duration = Duration::from_millis(50);
