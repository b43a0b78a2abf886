//! RTMP-UDP's sessions, ours against ours, in memory, with a clock turned by hand.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::{Duration, Instant};

use thalweg_testkit::udp_pair::{SESSION, UdpPair};
use thalweg_testkit::{corpus, cut};
use thalweg_wire::error::Misbehaved;
use thalweg_wire::media::Kind;
use thalweg_wire::rtmp::Address;
use thalweg_wire::rtmp::client::Purpose;
use thalweg_wire::rtmp::command::{Command, Status, code};
use thalweg_wire::rtmp_udp::client::{self, Event as ClientEvent, Wishes};
use thalweg_wire::rtmp_udp::clock::Clock;
use thalweg_wire::rtmp_udp::control::{Message, Report, ServerStat, clock_request, types};
use thalweg_wire::rtmp_udp::sender::Start;
use thalweg_wire::rtmp_udp::server::{self, Event as ServerEvent};

fn playing() -> UdpPair {
    let mut pair = UdpPair::accepted(Purpose::Play);
    pair.client_events.clear();
    pair.server_events.clear();
    pair
}

fn publishing() -> UdpPair {
    let mut pair = UdpPair::accepted(Purpose::Publish);
    assert!(pair.client.is_running());
    pair.client_events.clear();
    pair.server_events.clear();
    pair
}

#[test]
fn a_viewer_asks_twice_and_plays() {
    let mut pair = UdpPair::accepted(Purpose::Play);
    let [ServerEvent::Connect(connect), ServerEvent::Play(Ok(address))] =
        pair.server_events.make_contiguous()
    else {
        panic!("{:?}", pair.server_events);
    };
    assert_eq!((connect.app.as_str(), connect.tc_url.as_str()), ("live", "rtmp://host/live"));
    assert_eq!((address.app.as_str(), address.stream.as_str()), ("live", "room"));
    assert_eq!(address.query, "q=1");
    assert!(matches!(pair.client_events.pop_front(), Some(ClientEvent::Started)));
    assert!(pair.client.is_running());
    assert_eq!(pair.client.name(), Some(SESSION));
}

#[test]
fn a_publisher_asks_twice_and_publishes() {
    let mut pair = UdpPair::accepted(Purpose::Publish);
    let [ServerEvent::Connect(_), ServerEvent::Publish(Ok(address))] =
        pair.server_events.make_contiguous()
    else {
        panic!("{:?}", pair.server_events);
    };
    assert_eq!(address.name_and_query(), "room?q=1");
    assert!(matches!(pair.client_events.pop_front(), Some(ClientEvent::Started)));
    assert!(pair.client.is_running());
}

#[test]
fn a_viewers_wishes_reach_the_server() {
    let resume = Some(SESSION.to_owned());
    for wishes in [
        Wishes::default(),
        Wishes { start: Start::Key, conceal: true, resume: None },
        Wishes { resume, ..Wishes::default() },
    ] {
        let mut pair = UdpPair::wishing(Purpose::Play, &wishes);
        pair.drive().unwrap();
        let Some(ServerEvent::Connect(connect)) = pair.server_events.pop_front() else {
            panic!("no connect");
        };
        let server::Connect { start, conceal, resume, .. } = connect;
        assert_eq!(Wishes { start, conceal, resume }, wishes);
    }
}

#[test]
fn what_connect_says_is_not_in_the_log() {
    let url = "rtmp://host/live?secret=1/room";
    let address = Address::from_parts(url, "live?secret=1", "room?secret=2").unwrap();
    let mut client = client::Session::new(
        Purpose::Play,
        &address,
        &Wishes { resume: Some("secret".into()), ..Wishes::default() },
        Instant::now(),
    );
    let client::Output::Transmit(bytes) = client.poll_output() else { panic!("silent") };
    let mut server = server::Session::new(Instant::now());
    server.handle_bytes(Instant::now(), &bytes).unwrap();
    while let output @ (server::Output::Transmit(_) | server::Output::Event(_)) =
        server.poll_output()
    {
        if let server::Output::Event(event) = output {
            assert!(!format!("{event:?}").contains("secret"), "{event:?}");
        }
    }
}

#[test]
fn everything_is_asked_in_one_flight_before_anything_is_answered() {
    for purpose in [Purpose::Play, Purpose::Publish] {
        let mut pair = UdpPair::new(purpose);
        let client::Output::Transmit(flight) = pair.client.poll_output() else {
            panic!("silent");
        };
        assert!(matches!(pair.client.poll_output(), client::Output::Timeout(Some(_))));
        pair.server.handle_bytes(pair.now, &flight).unwrap();
        pair.drive().unwrap();
        assert_eq!(pair.server_events.len(), 1, "one question at a time");
        pair.server.accept(SESSION).unwrap();
        pair.server.accept(SESSION).unwrap();
        pair.drive().unwrap();
        assert!(pair.client.is_running());
        assert!(pair.sent.is_empty(), "and nothing was said after it");
    }
}

#[test]
fn a_publishers_configuration_may_come_before_publish_is_accepted() {
    let mut pair = UdpPair::new(Purpose::Publish);
    let config = Message::config(Kind::Video, 0, 1, 0, vec![0x17, 0, 0, 0, 0]);
    pair.client.say(&config);
    pair.drive().unwrap();
    pair.server.accept(SESSION).unwrap();
    pair.drive().unwrap();
    assert!(matches!(pair.server_events.back(), Some(ServerEvent::Publish(_))));
    pair.server.accept(SESSION).unwrap();
    pair.drive().unwrap();
    let came = pair.server_events.pop_back();
    assert!(matches!(came, Some(ServerEvent::Config(message)) if message == config));
}

#[test]
fn a_refusal_reaches_the_client_with_its_reason() {
    for purpose in [Purpose::Play, Purpose::Publish] {
        let mut pair = UdpPair::new(purpose);
        pair.drive().unwrap();
        pair.server.accept(SESSION).unwrap();
        pair.drive().unwrap();
        let why = Status::error(code::PLAY_FAILED, "ten watch already").with_reason("viewer-limit");
        pair.server.reject(&why).unwrap();
        pair.drive().unwrap();
        let refused = pair.client_events.pop_back();
        assert!(matches!(refused, Some(ClientEvent::Refused(status)) if status == why));
        assert!(!pair.client.is_running());
    }
}

#[test]
fn a_refused_connect_says_why_and_nothing_that_follows_it_is_heard() {
    let mut pair = UdpPair::new(Purpose::Play);
    pair.drive().unwrap();
    let why = Status::error(code::CONNECT_REJECTED, "stopping").with_reason("not-allowed");
    pair.server.reject(&why).unwrap();
    pair.drive().unwrap();
    let refused = pair.client_events.pop_back();
    assert!(matches!(refused, Some(ClientEvent::Refused(status)) if status == why));
    pair.server_events.clear();
    pair.client.ask_key();
    pair.drive().unwrap();
    assert!(pair.server_events.is_empty(), "{:?}", pair.server_events);
}

/// The rest of a flight that was cut in the middle of a message.
#[test]
fn what_comes_after_a_refusal_is_ignored_wherever_the_flight_was_cut() {
    let mut pair = UdpPair::new(Purpose::Play);
    let client::Output::Transmit(flight) = pair.client.poll_output() else { panic!("silent") };
    let now = pair.now;
    let serve = |parts: &[&[u8]]| {
        let mut session = server::Session::new(now);
        let mut said = Vec::new();
        for part in parts {
            session.handle_bytes(now, part)?;
            loop {
                match session.poll_output() {
                    server::Output::Transmit(bytes) => said.extend_from_slice(&bytes),
                    server::Output::Timeout(_) => break,
                    server::Output::Event(ServerEvent::Connect(_)) => {
                        session.reject(&Status::error(code::CONNECT_REJECTED, "no")).unwrap();
                    }
                    server::Output::Event(other) => panic!("{other:?}"),
                }
            }
        }
        assert_eq!(session.held_bytes(), 0, "of what nobody will read");
        Ok::<_, thalweg_wire::Error>(said)
    };
    let whole = serve(&[&flight]).unwrap();
    assert!(!whole.is_empty());
    cut::every_way(&flight, |parts| serve(parts));
}

#[test]
fn a_client_that_has_closed_hears_nothing_more() {
    let mut pair = UdpPair::new(Purpose::Play);
    pair.drive().unwrap();
    pair.client.close();
    pair.server.accept(SESSION).unwrap();
    pair.server.accept(SESSION).unwrap();
    pair.drive().unwrap();
    assert!(pair.client_events.is_empty(), "{:?}", pair.client_events);
    assert!(!pair.client.is_running());
    assert!(matches!(pair.server_events.back(), Some(ServerEvent::Ended)));
}

#[test]
fn a_client_hears_one_refusal() {
    let mut pair = UdpPair::new(Purpose::Play);
    pair.drive().unwrap();
    let refusal = Command::on_status(&Status::error(code::PLAY_FAILED, "no")).encode();
    for _ in 0..2 {
        pair.server.say(&Message::new(types::COMMAND_AMF0, refusal.clone()));
    }
    pair.drive().unwrap();
    assert_eq!(pair.client_events.len(), 1, "{:?}", pair.client_events);
}

#[test]
fn configuration_reaches_a_viewer() {
    let mut pair = playing();
    let config = Message::config(Kind::Audio, 3, 255, 77, vec![0xaf, 0, 0x12, 0x88]);
    pair.server.say(&config);
    pair.drive().unwrap();
    let came = pair.client_events.pop_front();
    assert!(matches!(came, Some(ClientEvent::Config(message)) if message == config));
}

#[test]
fn either_side_learns_the_others_clock() {
    let mut pair = playing();
    let mut clock = Clock::new(pair.now);
    let id = clock.poll_question(pair.now).unwrap();
    pair.client.ask_clock(id, 1000);
    pair.drive().unwrap();
    let Some(ServerEvent::ClockRequest { id, asked_us }) = pair.server_events.pop_front() else {
        panic!("no question");
    };
    // The way takes 25 ms each time, and the server's clock is a second ahead.
    pair.server.answer_clock(id, asked_us, 1_026_000, 1_026_500);
    pair.drive().unwrap();
    let Some(ClientEvent::Clock(response)) = pair.client_events.pop_front() else {
        panic!("no answer");
    };
    clock.handle_response(response, 51_500, pair.now);
    assert_eq!(clock.offset_us(), Some(1_000_000));

    // Our server does not ask; another may.
    pair.server.say(&clock_request(9, 5));
    pair.drive().unwrap();
    let Some(ClientEvent::ClockRequest { id, asked_us }) = pair.client_events.pop_front() else {
        panic!("no question back");
    };
    pair.client.answer_clock(id, asked_us, 7);
    pair.drive().unwrap();
    assert!(pair.server_events.is_empty(), "an answer that nobody asked for is skipped");
}

#[test]
fn feedback_and_wishes_reach_the_other_side() {
    let mut pair = playing();
    let report = Report { video_received: 25, buffer_ms: 80, ..Report::default() };
    let stat = ServerStat { srtt_us: 50_000, gated: true, ..ServerStat::default() };
    pair.client.say(&report.to_message());
    pair.client.ask_key();
    pair.client.pause(true);
    pair.client.receive(Kind::Video, false);
    pair.client.pause(false);
    pair.server.say(&stat.to_message());
    pair.drive().unwrap();
    let [
        ServerEvent::Report(came),
        ServerEvent::KeyRequest,
        ServerEvent::Pause(true),
        ServerEvent::Receive(Kind::Video, false),
        ServerEvent::Pause(false),
    ] = pair.server_events.make_contiguous()
    else {
        panic!("{:?}", pair.server_events);
    };
    assert_eq!(*came, report);
    let [ClientEvent::Stat(came), ClientEvent::Status(paused), ClientEvent::Status(on)] =
        pair.client_events.make_contiguous()
    else {
        panic!("{:?}", pair.client_events);
    };
    assert_eq!(*came, stat);
    assert_eq!((&*paused.code, &*on.code), (code::PAUSE_NOTIFY, code::UNPAUSE_NOTIFY));
}

#[test]
fn a_publisher_is_told_how_it_fares_and_when_a_key_frame_is_wanted() {
    let mut pair = publishing();
    let report = Report { video_lost: 1, ..Report::default() };
    pair.server.say(&report.to_message());
    pair.server.say(&Message::new(types::KEY_REQUEST, vec![]));
    pair.drive().unwrap();
    let [ClientEvent::Report(came), ClientEvent::KeyRequest] = pair.client_events.make_contiguous()
    else {
        panic!("{:?}", pair.client_events);
    };
    assert_eq!(*came, report);
}

#[test]
fn a_client_that_closes_is_noticed() {
    for mut pair in [playing(), publishing()] {
        pair.client.close();
        pair.client.close();
        pair.drive().unwrap();
        assert!(matches!(pair.server_events.make_contiguous(), [ServerEvent::Ended]));
        assert!(!pair.client.is_running());
    }
}

#[test]
fn a_server_that_ends_says_why() {
    for (mut pair, why) in [
        (playing(), Status::ok(code::PLAY_UNPUBLISH_NOTIFY, "the stream ended")),
        (publishing(), Status::ok(code::PUBLISH_REPLACED, "a newer push took over")),
    ] {
        pair.server.end(&why);
        pair.drive().unwrap();
        let ended = pair.client_events.pop_front();
        assert!(matches!(ended, Some(ClientEvent::Ended(status)) if status == why));
        assert!(!pair.client.is_running());
        // What was on its way meanwhile is nobody's fault.
        pair.client.ask_key();
        pair.client.say(&Message::config(Kind::Video, 0, 2, 0, vec![0x17, 0]));
        assert_eq!(pair.drive(), Ok(()));
        assert!(pair.server_events.is_empty());
    }
}

#[test]
fn news_does_not_end_a_play() {
    let mut pair = playing();
    pair.server.status(&Status::error(code::PLAY_INSUFFICIENT_BW, "the path is too narrow"));
    pair.drive().unwrap();
    assert!(matches!(pair.client_events.pop_front(), Some(ClientEvent::Status(_))));
    assert!(pair.client.is_running());
}

#[test]
fn a_server_that_stops_asks_its_viewers_to_go_elsewhere() {
    let mut pair = playing();
    pair.server.status(&Status::ok(code::CONNECT_RECONNECT_REQUEST, "stopping"));
    pair.drive().unwrap();
    assert!(matches!(pair.client_events.pop_front(), Some(ClientEvent::Reconnect(None))));
    assert!(pair.client.is_running(), "until it leaves");
}

#[test]
fn a_client_may_be_silent_for_less_than_five_seconds() {
    let seconds = Duration::from_secs;
    let mut pair = UdpPair::new(Purpose::Play);
    assert_eq!(pair.wait(seconds(4)), Ok(()));
    assert_eq!(pair.wait(seconds(1)), Err(Misbehaved::SlowCommand.into()));
}

#[test]
fn a_client_that_connects_has_five_seconds_to_say_what_it_wants() {
    let mut pair = UdpPair::new(Purpose::Play);
    let client::Output::Transmit(flight) = pair.client.poll_output() else { panic!("silent") };
    // All but the last message, `play`.
    let before_play = flight.len()
        - 12
        - Command::new(
            "play",
            0.0,
            [
                thalweg_wire::amf0::Value::string("room?q=1"),
                thalweg_wire::amf0::Value::Number(-2.0),
            ],
        )
        .encode()
        .len();
    pair.server.handle_bytes(pair.now, &flight[..before_play]).unwrap();
    pair.server.accept(SESSION).unwrap();
    pair.drive().unwrap();
    assert_eq!(pair.wait(Duration::from_secs(4)), Ok(()));
    assert_eq!(pair.wait(Duration::from_secs(1)), Err(Misbehaved::SlowCommand.into()));
}

#[test]
fn how_long_play_is_decided_is_the_servers_affair() {
    let mut pair = UdpPair::new(Purpose::Play);
    pair.drive().unwrap();
    pair.server.accept(SESSION).unwrap();
    pair.drive().unwrap();
    // A stream that has not begun yet.
    assert_eq!(pair.wait(Duration::from_secs(300)), Ok(()));
    pair.server.accept(SESSION).unwrap();
    pair.drive().unwrap();
    assert!(pair.client.is_running());
    assert_eq!(pair.wait(Duration::from_secs(3600)), Ok(()), "and then there is no deadline");
}

#[test]
fn a_server_that_never_answers_is_given_up() {
    let mut pair = UdpPair::new(Purpose::Play);
    pair.now += Duration::from_secs(329);
    assert_eq!(pair.client.handle_timeout(pair.now), Ok(()));
    pair.now += Duration::from_secs(1);
    assert_eq!(pair.client.handle_timeout(pair.now), Err(Misbehaved::SlowAnswer.into()));
}

/// A whole talk of either purpose.
fn transcript(purpose: Purpose) -> UdpPair {
    let mut pair = UdpPair::accepted(purpose);
    pair.client.say(&Report::default().to_message());
    pair.client.ask_clock(1, 99);
    pair.server.say(&ServerStat::default().to_message());
    pair.server.answer_clock(1, 99, 100, 100);
    let config = Message::config(Kind::Audio, 0, 1, 0, vec![0xaf, 0, 0x12, 0x88]);
    if purpose == Purpose::Publish {
        pair.client.say(&config);
        pair.server.say(&Message::new(types::KEY_REQUEST, vec![]));
    } else {
        pair.server.say(&config);
        pair.client.pause(true);
        pair.server.status(&Status::ok(code::CONNECT_RECONNECT_REQUEST, "stopping"));
    }
    pair.drive().unwrap();
    pair.client.close();
    pair.drive().unwrap();
    pair
}

fn server_events(parts: &[&[u8]]) -> Vec<String> {
    let now = Instant::now();
    let mut session = server::Session::new(now);
    let mut events = Vec::new();
    for part in parts {
        session.handle_bytes(now, part).unwrap();
        loop {
            match session.poll_output() {
                server::Output::Transmit(_) => {}
                server::Output::Timeout(_) => break,
                server::Output::Event(event) => {
                    events.push(format!("{event:?}"));
                    let (ServerEvent::Connect(_) | ServerEvent::Play(_) | ServerEvent::Publish(_)) =
                        event
                    else {
                        continue;
                    };
                    session.accept(SESSION).unwrap();
                }
            }
        }
    }
    events
}

fn client_events(purpose: Purpose, parts: &[&[u8]]) -> Vec<String> {
    let address = Address::from_url("rtmp://host/live/room?q=1").unwrap();
    let mut session = client::Session::new(purpose, &address, &Wishes::default(), Instant::now());
    let mut events = Vec::new();
    for part in parts {
        session.handle_bytes(part).unwrap();
        loop {
            match session.poll_output() {
                client::Output::Transmit(_) => {}
                client::Output::Timeout(_) => break,
                client::Output::Event(event) => events.push(format!("{event:?}")),
            }
        }
    }
    events
}

#[test]
fn a_talk_cut_anywhere() {
    for purpose in [Purpose::Play, Purpose::Publish] {
        let pair = transcript(purpose);
        assert_eq!(server_events(&[&pair.sent]).last().unwrap(), "Ended");
        cut::every_way(&pair.sent, server_events);
        cut::every_way(&pair.answered, |parts| client_events(purpose, parts));
    }
}

#[test]
fn talks_are_in_the_corpus() {
    for (name, purpose) in [("publish", Purpose::Publish), ("play", Purpose::Play)] {
        let pair = transcript(purpose);
        let of_client = if purpose == Purpose::Publish { 0xc0 } else { 0x40 };
        corpus::holds("rtmp_udp_control", &format!("{name} sent"), &pair.sent);
        corpus::holds("rtmp_udp_control", &format!("{name} answered"), &pair.answered);
        for (what, choice) in [("", 0x1f), (" refused", 0x9f)] {
            let seed = [&[choice], &pair.sent[..]].concat();
            corpus::holds("rtmp_udp_session", &format!("{name}{what}"), &seed);
        }
        let seed = [&[of_client | 0x1f], &pair.answered[..]].concat();
        corpus::holds("rtmp_udp_session", &format!("{name} answered"), &seed);
    }
}
