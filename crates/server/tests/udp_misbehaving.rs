//! Peers over UDP that lie, flood, or just sit there: each ends in the right code, costs little, and
//! takes nothing from anybody else.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use common::udp::{
    Raw, VIAS, bare_config, connect, connect_bare, is_picture, message, soon, until, until_arrived,
};
use common::{Folder, TestServer, send};
use thalweg_client::Publisher;
use thalweg_client::rtc::Via;
use thalweg_quic::quinn::{self, Endpoint, VarInt};
use thalweg_quic::{Control, Lost, Session};
use thalweg_testkit::media::Recipe;
use thalweg_wire::media::Frame;
use thalweg_wire::rtmp::client::Purpose;
use thalweg_wire::rtmp_udp::client::{Event, Wishes};
use thalweg_wire::rtmp_udp::control::{Message, Preamble, types};
use thalweg_wire::rtmp_udp::{ALPN, Close};
use web_transport_quinn::proto::ConnectError as BadAnswer;
use web_transport_quinn::{ClientError, ConnectError, http};

/// A server with a stream `room`.
async fn with_room() -> (TestServer, Publisher) {
    let server = TestServer::start();
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(500)).await;
    (server, publisher)
}

/// What a server answers to bytes on the control stream that are not asked for.
async fn told(server: &TestServer, via: Via, bytes: &[u8]) -> Lost {
    let (session, _endpoint) = connect(server, via).await;
    let mut control = Control::open(&session).await.unwrap();
    assert!(control.push(bytes));
    let _ = control.flush().await;
    soon("a close", session.closed()).await
}

fn control(message_type: u8, len: u32, body: &[u8]) -> Vec<u8> {
    let mut out = Preamble::OURS.encode().to_vec();
    out.extend_from_slice(&[message_type, 0, 0, 0, 0, 0, 0, 0]);
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(body);
    out
}

#[tokio::test]
async fn lies_on_the_control_stream() {
    let (server, _publisher) = with_room().await;
    let mut flood = Preamble::OURS.encode().to_vec();
    for _ in 0..300 {
        Message::new(types::KEY_REQUEST, Vec::new()).encode(&mut flood);
    }
    let mut media = Preamble::OURS.encode().to_vec();
    Message::config(thalweg_wire::media::Kind::Video, 0, 1, 0, vec![0; 5]).encode(&mut media);
    let cases: [(&str, Vec<u8>, Close); 8] = [
        ("not RTMU", b"GET /live/room HTTP/1.1\r\n\r\n".to_vec(), Close::Version),
        ("a version of none", b"RTMU\0\0\0\0".to_vec(), Close::Version),
        (
            "a message longer than may be",
            control(types::COMMAND_AMF0, 65_537, b""),
            Close::Protocol,
        ),
        ("a length of four gigabytes", control(0xFE, u32::MAX, &[0; 64]), Close::Protocol),
        ("a command that is none", control(types::COMMAND_AMF0, 4, &[0xFF; 4]), Close::Protocol),
        ("a report cut short", control(types::REPORT, 3, &[0; 3]), Close::Protocol),
        ("configuration before publish", media, Close::Protocol),
        ("feedback without end", flood, Close::Protocol),
    ];
    for via in VIAS {
        for (name, bytes, close) in &cases {
            let lost = told(&server, via, bytes).await;
            assert_eq!(lost.close(), Some(*close), "{name} by {via:?}: {lost:?}");
        }
    }
    let errors = server.metric("thalweg_protocol_errors_total").await;
    assert_eq!(errors, Some(2 * cases.len() as u64));
    server.still_serves("room").await;
}

#[tokio::test]
async fn a_viewer_that_floods_with_feedback_is_cut() {
    let (server, _publisher) = with_room().await;
    for via in VIAS {
        let mut viewer = Raw::let_in(&server, via, Purpose::Play, "room").await;
        let mut flood = Vec::new();
        for _ in 0..250 {
            Message::new(types::KEY_REQUEST, Vec::new()).encode(&mut flood);
        }
        viewer.say(&flood).await;
        let (status, lost) = viewer.hear_the_end().await;
        assert!(status.unwrap().description.contains("in a second"), "{via:?}");
        assert_eq!(lost.close(), Some(Close::Protocol), "{via:?}: {lost:?}");
    }
    server.still_serves("room").await;
}

#[tokio::test]
async fn there_is_one_control_stream() {
    let (server, _publisher) = with_room().await;
    for via in VIAS {
        for purpose in [Purpose::Play, Purpose::Publish] {
            let stream = if purpose == Purpose::Play { "room" } else { "other" };
            let peer = Raw::let_in(&server, via, purpose, stream).await;
            let mut second = Control::open(&peer.session).await.unwrap();
            assert!(second.push(&Preamble::OURS.encode()));
            second.flush().await.unwrap();
            let (status, lost) = peer.hear_the_end().await;
            assert!(status.unwrap().description.contains("second control"), "{via:?}");
            assert_eq!(lost.close(), Some(Close::Protocol), "{via:?}: {lost:?}");
        }
    }
    server.still_serves("room").await;
}

#[tokio::test]
async fn a_viewer_sends_no_media() {
    let (server, _publisher) = with_room().await;
    let key = Recipe::default().frames().find(is_picture).unwrap();
    let viewer = Raw::let_in(&server, Via::Native, Purpose::Play, "room").await;
    viewer.send(1, 1, &key).await;
    let (status, lost) = viewer.hear_the_end().await;
    assert!(status.unwrap().description.contains("media from a viewer"));
    assert_eq!(lost.close(), Some(Close::Protocol), "{lost:?}");
    server.still_serves("room").await;
}

#[tokio::test]
async fn media_that_cannot_be() {
    let server = TestServer::start();
    let key = Recipe::default().frames().find(is_picture).unwrap();
    let long = Frame { payload: vec![0x17; (4 << 20) + 1].into(), ..key.clone() };
    let mut of_no_kind = message(1, 1, &key);
    of_no_kind[0] = 77;
    let cases: [(&str, Vec<u8>); 5] = [
        ("a header cut short", message(1, 1, &key)[..20].to_vec()),
        ("no kind of media", of_no_kind),
        ("a key frame of another GOP", message(7, 3, &key)),
        ("a number far ahead", message(1 << 20, 1 << 20, &key)),
        ("longer than may be", message(1, 1, &long)),
    ];
    for (name, bytes) in &cases {
        let publisher = Raw::let_in(&server, Via::Native, Purpose::Publish, "room").await;
        let mut stream = publisher.session.connection().open_uni().await.unwrap();
        let listening = tokio::spawn(publisher.hear_the_end());
        // It may be cut before it has said everything.
        let _ = stream.write_all(bytes).await;
        let _ = stream.finish();
        let (_, lost) = soon(name, listening).await.unwrap();
        assert_eq!(lost.close(), Some(Close::Protocol), "{name}: {lost:?}");
        server.until_vacant("room").await;
    }
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(500)).await;
    server.still_serves("room").await;
}

#[tokio::test]
async fn streams_that_never_end_cost_so_much_and_no_more() {
    let server = TestServer::start();
    let before = resident(&server).await;
    let publisher = Raw::let_in(&server, Via::Native, Purpose::Publish, "room").await;
    let key = Recipe::default().frames().find(is_picture).unwrap();
    let long = Frame { payload: vec![0x17; 1 << 20].into(), ..key };
    let connection = publisher.session.connection().clone();
    let listening = tokio::spawn(publisher.hear_the_end());
    let mut begun = Vec::new();
    let filled = soon("a limit", async {
        // 64 MiB of pictures that lack their last byte.
        for n in 1..=64 {
            let mut stream = connection.open_uni().await?;
            let bytes = message(n, n, &long);
            stream.write_all(&bytes[..bytes.len() - 1]).await?;
            begun.push(stream);
        }
        Ok::<_, quinn::WriteError>(())
    })
    .await;
    assert!(filled.is_err(), "all of it was taken");
    let (status, lost) = soon("a close", listening).await.unwrap();
    assert!(status.unwrap().description.contains("unfinished"), "{lost:?}");
    assert_eq!(lost.close(), Some(Close::Protocol), "{lost:?}");
    // Ours and the server's: one process.
    let grown = resident(&server).await.saturating_sub(before);
    assert!(grown < 80 << 20, "{grown} bytes");
    server.until_vacant("room").await;
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(500)).await;
    server.still_serves("room").await;
}

async fn resident(server: &TestServer) -> u64 {
    server.metric("thalweg_resident_bytes").await.unwrap()
}

#[tokio::test]
async fn who_says_nothing_for_five_seconds_is_cut() {
    let (server, _publisher) = with_room().await;
    let key = Recipe { video_bytes: 200_000, ..Recipe::default() };
    let key = key.frames().find(is_picture).unwrap();
    let mut silent = Vec::new();
    for via in VIAS {
        // Nothing at all; the preamble and no more; and media instead of a word.
        let (session, endpoint) = connect(&server, via).await;
        silent.push(("nothing", session, endpoint, None));
        let (session, endpoint) = connect(&server, via).await;
        let mut control = Control::open(&session).await.unwrap();
        assert!(control.push(&Preamble::OURS.encode()));
        control.flush().await.unwrap();
        silent.push(("a preamble", session, endpoint, Some(control)));
    }
    let (session, endpoint) = connect(&server, Via::Native).await;
    let mut stream = session.connection().open_uni().await.unwrap();
    let (bytes, mut sent) = (message(1, 1, &key), 0);
    let moment = Duration::from_millis(200);
    while let Ok(n) = tokio::time::timeout(moment, stream.write(&bytes[sent..])).await {
        sent += n.unwrap();
    }
    assert!(sent <= 64 << 10, "a stranger has a window of 64 KiB, not of {sent} bytes");
    silent.push(("media", session, endpoint, None));
    for (name, session, _endpoint, _control) in &silent {
        let lost = soon("a close", session.closed()).await;
        assert_eq!(lost.close(), Some(Close::Timeout), "{name} by {session:?}: {lost:?}");
    }
    server.until_metric("thalweg_connections", |n| n == Some(1)).await;
    server.still_serves("room").await;
}

#[tokio::test]
async fn a_peer_that_speaks_something_else_is_refused_by_tls() {
    let folder = Folder::new("udp-alpn");
    let (server, trust) = TestServer::secure(&folder);
    for alpn in [&b"rtmp-udp/2"[..], b"h2", b""] {
        let transport = quinn::TransportConfig::default();
        match connect_bare(&server, &trust, alpn, transport).await.map(drop) {
            // TLS alert 120, no_application_protocol, as a QUIC code.
            Err(quinn::ConnectionError::ConnectionClosed(close)) => {
                assert_eq!(u64::from(close.error_code), 0x178, "{close:?}");
            }
            other => panic!("{alpn:?}: {other:?}"),
        }
    }
    let connected = connect_bare(&server, &trust, ALPN, quinn::TransportConfig::default()).await;
    connected.unwrap();
}

#[tokio::test]
async fn a_browser_that_asks_for_another_path_gets_404() {
    let folder = Folder::new("udp-path");
    let (server, trust) = TestServer::secure(&folder);
    let h3 = web_transport_quinn::ALPN.as_bytes();
    for (path, want) in [("/rtmp-udp/1", None), ("/", Some(404)), ("/rtmp-udp/2", Some(404))] {
        let transport = quinn::TransportConfig::default();
        let (connection, _endpoint) = connect_bare(&server, &trust, h3, transport).await.unwrap();
        let url = format!("https://localhost:{}{path}", server.rtmp.port());
        let url = url::Url::parse(&url).unwrap();
        let asked = web_transport_quinn::Session::connect(connection, url);
        let status = match soon("an answer", asked).await {
            Ok(_) => None,
            Err(ClientError::HttpError(ConnectError::ProtoError(BadAnswer::WrongStatus(
                status,
            )))) => status,
            Err(other) => panic!("{path}: {other:?}"),
        };
        assert_eq!(status, want.map(|s| http::StatusCode::from_u16(s).unwrap()), "{path}");
    }
}

/// A viewer on a transport of its own making, let in.
async fn bare_viewer(
    server: &TestServer,
    trust: &thalweg_client::Trust,
    transport: quinn::TransportConfig,
) -> Raw {
    let (connection, endpoint) = connect_bare(server, trust, ALPN, transport).await.unwrap();
    let (session, wishes) = (Session::raw(connection), Wishes::default());
    let mut raw = Raw::on(session, endpoint, Purpose::Play, &server.udp_url("room"), &wishes).await;
    assert!(matches!(raw.next().await, Some(Event::Started)));
    raw
}

/// Publishes large pictures for a while, and answers how many.
async fn publish_much(publisher: &mut Publisher, from_ms: i64, ms: i64) -> u64 {
    let recipe = Recipe { video_bytes: 40_000, start: from_ms, ..Recipe::default() };
    let began = Instant::now();
    let frames = recipe.frames_for(ms);
    for frame in &frames {
        let at = began + Duration::from_millis((frame.dts - from_ms) as u64);
        tokio::time::sleep_until(at.into()).await;
        publisher.send(frame).await.unwrap();
    }
    frames.iter().map(|f| f.payload.len() as u64).sum()
}

#[tokio::test]
async fn a_viewer_that_takes_nothing_costs_so_much_and_no_more() {
    let folder = Folder::new("udp-credit");
    let (server, trust) = TestServer::secure(&folder);
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(500)).await;
    let mut transport = quinn::TransportConfig::default();
    transport.max_concurrent_uni_streams(VarInt::from_u32(0));
    let no_credit = bare_viewer(&server, &trust, transport).await;
    let mut transport = quinn::TransportConfig::default();
    transport.max_concurrent_uni_streams(VarInt::from_u32(1024));
    transport.receive_window(VarInt::from_u32(256 << 10));
    // It has the streams, and never reads one.
    let no_reading = bare_viewer(&server, &trust, transport).await;
    let before = resident(&server).await;
    let sent = publish_much(&mut publisher, 500, 3000).await;
    let late = "thalweg_udp_frames_dropped_total{cause=\"late\"}";
    server.until_metric(late, |n| n > Some(0)).await;
    let grown = resident(&server).await.saturating_sub(before);
    assert!(grown < 2 * sent + (16 << 20), "{grown} bytes for a stream of {sent}");
    // Its pictures are held back, up to the next key frame each time.
    for session in [1, 2] {
        let of = format!("{{stream=\"1/live/room\",session=\"{session}\"}}");
        server.until_metric(&format!("thalweg_udp_session_gated_ms{of}"), |ms| ms > Some(0)).await;
    }
    drop((no_credit, no_reading));
    let options = thalweg_client::rtc::Options::default();
    let url = server.udp_url("room");
    let mut good = thalweg_client::rtc::Player::connect(&url, &trust, &options).await.unwrap();
    until_arrived(&mut good, is_picture).await;
}

#[tokio::test]
async fn a_viewer_whose_address_changes_goes_on_watching() {
    let folder = Folder::new("udp-moves");
    let (server, trust) = TestServer::secure(&folder);
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(500)).await;
    let mut transport = quinn::TransportConfig::default();
    transport.max_concurrent_uni_streams(VarInt::from_u32(1024));
    let mut viewer = bare_viewer(&server, &trust, transport).await;
    let connection = viewer.session.connection().clone();
    soon("media", connection.accept_uni()).await.unwrap();
    let old = viewer.endpoint.local_addr().unwrap();
    let elsewhere = std::net::UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    viewer.endpoint.rebind(elsewhere).unwrap();
    assert_ne!(viewer.endpoint.local_addr().unwrap(), old);
    viewer.talk.ask_clock(1, 0);
    while !matches!(viewer.next().await, Some(Event::Clock(_))) {}
    let last = Recipe { start: 500, ..Recipe::default() }.frames_for(500);
    send(&mut publisher, &last).await;
    let payload = last.iter().rfind(|f| is_picture(f)).unwrap().payload.clone();
    soon("a picture sent after it moved", async {
        loop {
            let mut stream = connection.accept_uni().await.unwrap();
            if stream.read_to_end(1 << 20).await.unwrap().ends_with(&payload) {
                return;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn handshakes_that_are_never_finished_keep_nobody_out() {
    let folder = Folder::new("udp-half-open");
    let (server, trust) = TestServer::secure(&folder);
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(500)).await;
    // Eight from each address, none of which says any more: with more than a hundred of them in all,
    // everyone has to show that it is where it says.
    let mut answers = Vec::new();
    let mut sockets = Vec::new();
    for n in 0..110u8 {
        let socket =
            tokio::net::UdpSocket::bind((Ipv4Addr::new(127, 0, 1, n / 8), 0)).await.unwrap();
        answers.push(answer(&server, &socket, &first_datagram(&trust).await).await);
        sockets.push(socket);
    }
    assert!(answers[..101].iter().all(|kind| *kind == INITIAL), "{answers:?}");
    assert!(answers[101..].iter().all(|kind| *kind == RETRY), "{answers:?}");
    // And what is no packet of anybody's: the keys of a first packet are those of its number.
    let mut forged = first_datagram(&trust).await;
    for n in 0..200u8 {
        forged[6] = n;
        sockets[0].send_to(&forged, server.rtmp).await.unwrap();
    }
    let options = thalweg_client::rtc::Options::default();
    let url = server.udp_url("room");
    let good = thalweg_client::rtc::Player::connect(&url, &trust, &options);
    let mut good = soon("a good viewer", good).await.unwrap();
    until_arrived(&mut good, is_picture).await;
}

/// What kind of packet the server answers to a first one.
async fn answer(server: &TestServer, socket: &tokio::net::UdpSocket, packet: &[u8]) -> u8 {
    socket.connect(server.rtmp).await.unwrap();
    socket.send(packet).await.unwrap();
    let mut answer = vec![0; 2048];
    soon("an answer", socket.recv(&mut answer)).await.unwrap();
    answer[0] >> 4 & 0b11
}

/// Kinds of packets with a long header (RFC 9000 section 17.2).
const INITIAL: u8 = 0;
const RETRY: u8 = 3;

/// What a client says first.
async fn first_datagram(trust: &thalweg_client::Trust) -> Vec<u8> {
    let socket = tokio::net::UdpSocket::bind(("127.0.0.1", 0)).await.unwrap();
    let endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let config = bare_config(trust, ALPN, quinn::TransportConfig::default());
    let at = socket.local_addr().unwrap();
    let _connecting = endpoint.connect_with(config, at, "localhost").unwrap();
    let mut packet = vec![0; 2048];
    let n = soon("a packet", socket.recv(&mut packet)).await.unwrap();
    packet.truncate(n);
    packet
}

#[tokio::test]
async fn a_crowd_of_one_address_has_to_show_that_it_is_there() {
    let folder = Folder::new("udp-retry");
    let (server, trust) = TestServer::secure(&folder);
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(500)).await;
    // Each begins, and then neither hears nor answers.
    let (mut answers, mut sockets) = (Vec::new(), Vec::new());
    for _ in 0..12 {
        let socket = tokio::net::UdpSocket::bind(("127.0.0.1", 0)).await.unwrap();
        answers.push(answer(&server, &socket, &first_datagram(&trust).await).await);
        sockets.push(socket);
    }
    assert!(answers[..9].iter().all(|kind| *kind == INITIAL), "{answers:?}");
    assert!(answers[9..].iter().all(|kind| *kind == RETRY), "{answers:?}");
    // A real client answers that, and is let in.
    let options = thalweg_client::rtc::Options::default();
    let url = server.udp_url("room");
    let good = thalweg_client::rtc::Player::connect(&url, &trust, &options);
    let mut good = soon("a good viewer", good).await.unwrap();
    until_arrived(&mut good, is_picture).await;
    // Who never goes on is forgotten: handshakes begin without a Retry again.
    until("they are forgotten", async || {
        let socket = tokio::net::UdpSocket::bind(("127.0.0.1", 0)).await.unwrap();
        let kind = answer(&server, &socket, &first_datagram(&trust).await).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        kind == INITIAL
    })
    .await;
}
