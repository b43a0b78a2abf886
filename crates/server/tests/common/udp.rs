//! RTMP over UDP: our own client as the peer, and raw sessions for peers that lie.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use thalweg_client::rtc::{self, News, Options, Via};
use thalweg_client::{Error, Trust};
use thalweg_quic::quinn::{self, Endpoint};
use thalweg_quic::{Congestion, Control, Lost, Session, Verify};
use thalweg_wire::flv::body;
use thalweg_wire::media::{Frame, Kind};
use thalweg_wire::rtmp::address::Address;
use thalweg_wire::rtmp::client::Purpose;
use thalweg_wire::rtmp::command::Status;
use thalweg_wire::rtmp_udp::client::{self, Event, Output, Wishes};
use thalweg_wire::rtmp_udp::control::Message;
use thalweg_wire::rtmp_udp::media::{Flags, Header};
use thalweg_wire::time::to_wire;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{PLAY_KEY, PUSH_KEY, TestServer, exchange, signature};

/// Both ways to go.
pub const VIAS: [Via; 2] = [Via::Native, Via::WebTransport];

impl TestServer {
    /// Where to watch over UDP, signed.
    pub fn udp_url(&self, stream: &str) -> String {
        format!("{}?{}", self.rtmp_url(stream), signature(PLAY_KEY, stream, 3600))
    }

    /// What a page gets to know.
    pub async fn ull(&self) -> String {
        self.http("GET /ull HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await
    }

    /// Hashes of the certificates, as a page gets to know them: the current one and the next.
    pub async fn hashes(&self) -> [[u8; 32]; 2] {
        let answer = self.ull().await;
        let (_, json) = answer.split_once("\r\n\r\n").unwrap();
        let json: serde_json::Value = serde_json::from_str(json).expect(json);
        let hash = |n: usize| {
            let hex = json["certSha256"][n].as_str().expect("a hash");
            data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap().try_into().unwrap()
        };
        [hash(0), hash(1)]
    }

    /// How to go there, believing what `/ull` says.
    pub async fn options(&self, via: Via) -> Options {
        Options { pin: Some(self.hashes().await[0]), via, ..Options::default() }
    }

    /// Watches over UDP.
    pub async fn watch(&self, stream: &str, via: Via) -> rtc::Player {
        let options = self.options(via).await;
        rtc::Player::connect(&self.udp_url(stream), &Trust::system(), &options).await.unwrap()
    }

    /// Watches over UDP from now on: the player comes once the stream has begun.
    pub async fn watch_later(&self, stream: &str, via: Via) -> JoinHandle<rtc::Player> {
        let (url, options) = (self.udp_url(stream), self.options(via).await);
        let before = self.viewers(stream);
        let waiting = tokio::spawn(async move {
            rtc::Player::connect(&url, &Trust::system(), &options).await.unwrap()
        });
        self.until_viewers(stream, before + 1).await;
        waiting
    }

    /// Publishes over UDP.
    pub async fn film(&self, stream: &str, via: Via) -> Camera {
        let options = self.options(via).await;
        let url = self.push_url(stream);
        let publisher = rtc::Publisher::connect(&url, &Trust::system(), &options).await.unwrap();
        Camera::new(publisher)
    }

    /// Viewers of a stream, by whatever protocol.
    pub fn viewers(&self, stream: &str) -> u64 {
        let all = self.hub.snapshot(Instant::now()).streams;
        let of = all.into_iter().filter(|s| &*s.key.name == stream);
        of.flat_map(|s| s.viewers).map(|(_, n)| n).sum()
    }

    pub async fn until_viewers(&self, stream: &str, n: u64) {
        until(&format!("{n} viewers of {stream}"), async || self.viewers(stream) == n).await;
    }

    /// Waits until a stream keeps as many frames as were sent.
    pub async fn until_kept(&self, stream: &str, frames: &[Frame]) {
        let media = frames.iter().filter(|f| f.is_media()).count();
        self.until(stream, |s| s.kept_frames >= media).await;
    }

    pub async fn metrics(&self) -> String {
        let ask = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        exchange(self.operator, ask).await
    }

    /// What a metric says, if it is there: its name, and the labels as they are written.
    pub async fn metric(&self, name: &str) -> Option<u64> {
        let all = self.metrics().await;
        let value = all.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(' '));
        value.map(|v| v.parse().unwrap())
    }

    pub async fn until_metric(&self, name: &str, holds: impl Fn(Option<u64>) -> bool) {
        until(name, async || holds(self.metric(name).await)).await;
    }

    /// Whether a good viewer is served: what a bad one did is its own affair.
    pub async fn still_serves(&self, stream: &str) {
        let mut viewer = self.watch(stream, Via::Native).await;
        until_arrived(&mut viewer, is_picture).await;
        viewer.close().await;
    }
}

/// Waits for something that has to happen soon.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let within = tokio::time::timeout(Duration::from_secs(15), future).await;
    within.unwrap_or_else(|_| panic!("{what} within 15 seconds"))
}

/// Looks until something holds.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    soon(what, async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

pub fn is_picture(frame: &Frame) -> bool {
    frame.kind == Kind::Video && frame.is_media()
}

/// The frames that arrive up to the first of which something holds, and that.
pub async fn until_arrived(player: &mut rtc::Player, holds: impl Fn(&Frame) -> bool) -> Vec<Frame> {
    let mut frames = Vec::new();
    soon("a certain frame", async {
        loop {
            let frame = player.next_arrived().await.unwrap().frame;
            let is_last = holds(&frame);
            frames.push(frame);
            if is_last {
                return;
            }
        }
    })
    .await;
    frames
}

/// The next frames that arrive: so many of media, and the configuration among them.
pub async fn arrived(player: &mut rtc::Player, media: usize) -> Vec<Frame> {
    let mut frames = Vec::new();
    let what = format!("{media} frames");
    soon(&what, async {
        while frames.iter().filter(|f: &&Frame| f.is_media()).count() < media {
            frames.push(player.next_arrived().await.unwrap().frame);
        }
    })
    .await;
    frames
}

/// Watches to the end, and answers how it was.
pub async fn to_the_end(player: &mut rtc::Player) -> Error {
    soon("the end", async {
        loop {
            if let Err(error) = player.next_arrived().await {
                return error;
            }
        }
    })
    .await
}

/// Kind and payload of media, sound apart from pictures: between the two there is no order.
pub fn lanes(frames: &[Frame]) -> [Vec<(u32, Bytes)>; 2] {
    [Kind::Audio, Kind::Video].map(|kind| {
        let of = frames.iter().filter(|f| f.kind == kind && f.is_media());
        of.map(|f| (to_wire(f.dts), f.payload.clone())).collect()
    })
}

/// The frames up to the first picture, and the rest.
pub fn up_to_a_picture(frames: &[Frame]) -> (&[Frame], &[Frame]) {
    frames.split_at(1 + frames.iter().position(is_picture).unwrap())
}

/// A publisher over UDP, at work until dropped.
pub struct Camera {
    frames: Option<mpsc::UnboundedSender<Frame>>,
    news: mpsc::UnboundedReceiver<Result<News, Error>>,
    task: JoinHandle<()>,
}

impl Camera {
    pub fn new(mut publisher: rtc::Publisher) -> Camera {
        let (frames, mut to_send) = mpsc::unbounded_channel::<Frame>();
        let (tell, news) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            loop {
                tokio::select! {
                    frame = to_send.recv() => match frame {
                        Some(frame) => publisher.send(&frame),
                        None => return publisher.close().await,
                    },
                    said = publisher.next() => {
                        let is_over = said.is_err();
                        if tell.send(said).is_err() || is_over {
                            return;
                        }
                    }
                }
            }
        });
        Camera { frames: Some(frames), news, task }
    }

    pub fn send(&self, frames: &[Frame]) {
        let to = self.frames.as_ref().unwrap();
        frames.iter().for_each(|frame| drop(to.send(frame.clone())));
    }

    /// The next thing the server says.
    pub async fn news(&mut self) -> Result<News, Error> {
        soon("news", self.news.recv()).await.expect("a publisher at work")
    }

    /// What the server has said already.
    pub fn said(&mut self) -> Vec<Result<News, Error>> {
        std::iter::from_fn(|| self.news.try_recv().ok()).collect()
    }

    /// Ends politely.
    pub async fn close(mut self) {
        drop(self.frames.take());
        soon("the last of a publication", &mut self.task).await.unwrap();
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A client's session that says only what it is told to.
pub struct Raw {
    pub session: Session,
    pub endpoint: Endpoint,
    pub control: Control,
    pub talk: client::Session,
}

impl Raw {
    /// Connects, and does not yet say anything.
    pub async fn connect(server: &TestServer, via: Via, purpose: Purpose, url: &str) -> Raw {
        Raw::wishing(server, via, purpose, url, &Wishes::default()).await
    }

    pub async fn wishing(
        server: &TestServer,
        via: Via,
        purpose: Purpose,
        url: &str,
        wishes: &Wishes,
    ) -> Raw {
        let (session, endpoint) = connect(server, via).await;
        Raw::on(session, endpoint, purpose, url, wishes).await
    }

    pub async fn on(
        session: Session,
        endpoint: Endpoint,
        purpose: Purpose,
        url: &str,
        wishes: &Wishes,
    ) -> Raw {
        let control = soon("a control stream", Control::open(&session)).await.unwrap();
        let address = Address::from_url(url).unwrap();
        let talk = client::Session::new(purpose, &address, wishes, Instant::now());
        Raw { session, endpoint, control, talk }
    }

    /// Connects, asks, and is let in.
    pub async fn let_in(server: &TestServer, via: Via, purpose: Purpose, stream: &str) -> Raw {
        let url = match purpose {
            Purpose::Publish => server.push_url(stream),
            Purpose::Play => server.udp_url(stream),
        };
        let mut raw = Raw::connect(server, via, purpose, &url).await;
        match raw.next().await {
            Some(Event::Started) => raw,
            other => panic!("it is not let in: {other:?}"),
        }
    }

    /// The next thing the server says; `None` when it has said its last.
    pub async fn next(&mut self) -> Option<Event> {
        soon("a word of the server's", self.event()).await
    }

    async fn event(&mut self) -> Option<Event> {
        loop {
            match self.talk.poll_output() {
                Output::Transmit(bytes) => assert!(self.control.push(&bytes)),
                Output::Event(event) => return Some(event),
                Output::Timeout(_) => match self.control.exchange().await {
                    Ok(Some(bytes)) => self.talk.handle_bytes(&bytes).unwrap(),
                    Ok(None) | Err(_) => return None,
                },
            }
        }
    }

    /// Goes on for a while, and answers what the server said.
    pub async fn listen(&mut self, time: Duration) -> Vec<Event> {
        let mut events = Vec::new();
        let _ = tokio::time::timeout(time, async {
            while let Some(event) = self.event().await {
                events.push(event);
            }
        })
        .await;
        events
    }

    /// Says bytes on the control stream, whatever they mean.
    pub async fn say(&mut self, bytes: &[u8]) {
        while let Output::Transmit(before) = self.talk.poll_output() {
            assert!(self.control.push(&before));
        }
        assert!(self.control.push(bytes));
        // Whoever is cut meanwhile finds out when it listens.
        let _ = self.control.flush().await;
    }

    /// Says a configuration.
    pub async fn configure(&mut self, cfg: u8, frame: &Frame) {
        let (at, payload) = (to_wire(frame.dts), frame.payload.to_vec());
        let mut bytes = Vec::new();
        Message::config(frame.kind, 0, cfg, at, payload).encode(&mut bytes);
        self.say(&bytes).await;
    }

    /// Sends a frame on a stream of its own.
    pub async fn send(&self, seq: u32, gop: u32, frame: &Frame) {
        let mut stream = self.session.connection().open_uni().await.unwrap();
        stream.write_all(&message(seq, gop, frame)).await.unwrap();
        stream.finish().unwrap();
    }

    /// Listens to the end: the last status that was said, and how the connection was closed.
    pub async fn hear_the_end(mut self) -> (Option<Status>, Lost) {
        let mut last = None;
        while let Some(event) = self.next().await {
            if let Event::Refused(status) | Event::Ended(status) | Event::Status(status) = event {
                last = Some(status);
            }
        }
        (last, soon("a close", self.session.closed()).await)
    }
}

/// A frame as it stands on a stream of media, of generation 1.
pub fn message(seq: u32, gop: u32, frame: &Frame) -> Vec<u8> {
    let flags = Flags {
        key: frame.key,
        disposable: body::is_disposable(&frame.payload) && !frame.key,
        ..Flags::default()
    };
    let (kind, timestamp, ingest_us) = (frame.kind, to_wire(frame.dts), None);
    let header = Header { kind, flags, track: 0, cfg: 1, seq, gop, timestamp, ingest_us };
    [&header.encode()[..], &frame.payload].concat()
}

/// A connection, believing what `/ull` says.
pub async fn connect(server: &TestServer, via: Via) -> (Session, Endpoint) {
    let verify = Verify::Pin(server.hashes().await[0]);
    let host = server.rtmp.ip().to_string();
    let (at, congestion) = ([server.rtmp], Congestion::default());
    let connecting = thalweg_quic::connect::connect(&host, &at, via, &verify, congestion);
    let client = soon("a handshake", connecting).await.unwrap();
    (client.session, client.endpoint)
}

/// A connection of quinn's own making, with a server that has an operator's certificate.
pub async fn connect_bare(
    server: &TestServer,
    trust: &Trust,
    alpn: &[u8],
    transport: quinn::TransportConfig,
) -> Result<(quinn::Connection, Endpoint), quinn::ConnectionError> {
    let endpoint = Endpoint::client(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let config = bare_config(trust, alpn, transport);
    let connecting = endpoint.connect_with(config, server.rtmp, "localhost").unwrap();
    let connection = soon("a handshake", connecting).await?;
    Ok((connection, endpoint))
}

pub fn bare_config(
    trust: &Trust,
    alpn: &[u8],
    transport: quinn::TransportConfig,
) -> quinn::ClientConfig {
    let mut tls = (*trust.config().unwrap()).clone();
    tls.alpn_protocols = if alpn.is_empty() { Vec::new() } else { vec![alpn.to_vec()] };
    let tls = quinn::crypto::rustls::QuicClientConfig::try_from(tls).unwrap();
    let mut config = quinn::ClientConfig::new(Arc::new(tls));
    config.transport_config(Arc::new(transport));
    config
}

/// A path for one client, which may go dead.
pub struct Path {
    pub port: u16,
    task: JoinHandle<()>,
}

impl Path {
    pub async fn to(server: SocketAddr) -> Path {
        let any = (IpAddr::from([127, 0, 0, 1]), 0);
        let front = UdpSocket::bind(any).await.unwrap();
        let back = UdpSocket::bind(any).await.unwrap();
        back.connect(server).await.unwrap();
        let port = front.local_addr().unwrap().port();
        let task = tokio::spawn(async move {
            let (mut up, mut down) = (vec![0; 65_536], vec![0; 65_536]);
            let mut client = None;
            loop {
                tokio::select! {
                    Ok((n, from)) = front.recv_from(&mut up) => {
                        client = Some(from);
                        let _ = back.send(&up[..n]).await;
                    }
                    Ok(n) = back.recv(&mut down) => {
                        if let Some(client) = client {
                            let _ = front.send_to(&down[..n], client).await;
                        }
                    }
                }
            }
        });
        Path { port, task }
    }

    /// From now on nothing gets through, and nobody is told.
    pub fn cut(self) {
        self.task.abort();
    }
}

/// Signs a play with the key of pushes, as the vendor has it.
pub fn by_push_key(server: &TestServer, stream: &str) -> String {
    format!("{}?bizid=1&{}", server.rtmp_url(stream), signature(PUSH_KEY, stream, 60))
}
