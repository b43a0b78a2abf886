//! Whole transcripts, cut everywhere: the events must not change.
#![allow(clippy::unwrap_used)]

use std::time::Instant;

use thalweg_testkit::media::Recipe;
use thalweg_testkit::pair::Pair;
use thalweg_testkit::{corpus, cut};
use thalweg_wire::rtmp::client::{self, Purpose};
use thalweg_wire::rtmp::handshake::Style;
use thalweg_wire::rtmp::{Address, Limits, server};

/// A second of a stream, small enough to be cut at every byte.
fn transcript(purpose: Purpose, style: Style) -> Pair {
    let mut pair = Pair::new(purpose, style);
    pair.drive_accepting();
    if purpose == Purpose::Publish {
        let recipe = Recipe { start: 0xff_ff00, video_bytes: 150, ..Recipe::default() };
        recipe.frames_for(200).iter().for_each(|f| pair.client.send(f).unwrap());
        pair.drive().unwrap();
        pair.client.close();
        pair.drive().unwrap();
    }
    pair
}

fn server_events(parts: &[&[u8]]) -> Vec<String> {
    let now = Instant::now();
    let mut session = server::Session::new(Limits::default(), 2, now);
    let mut events = Vec::new();
    for part in parts {
        session.handle_bytes(now, part).unwrap();
        loop {
            match session.poll_output() {
                server::Output::Transmit(_) => {}
                server::Output::Timeout(_) => break,
                server::Output::Event(event) => {
                    events.push(format!("{event:?}"));
                    if event.is_question() {
                        session.accept(now).unwrap();
                    }
                }
            }
        }
    }
    events
}

fn client_events(purpose: Purpose, parts: &[&[u8]]) -> Vec<String> {
    let address = Address::from_url("rtmp://host/live/room?q=1").unwrap();
    let (limits, now) = (Limits::default(), Instant::now());
    let mut session = client::Session::new(purpose, address, Style::Simple, &limits, 1, now);
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
fn a_publisher_cut_anywhere() {
    for style in [Style::Simple, Style::DigestFirst, Style::DigestSecond] {
        let sent = transcript(Purpose::Publish, style).sent;
        cut::every_way(&sent, server_events);
    }
}

#[test]
fn a_viewer_cut_anywhere() {
    cut::every_way(&transcript(Purpose::Play, Style::Simple).sent, server_events);
}

#[test]
fn a_server_cut_anywhere() {
    for purpose in [Purpose::Publish, Purpose::Play] {
        let answered = transcript(purpose, Style::Simple).answered;
        cut::every_way(&answered, |parts| client_events(purpose, parts));
    }
}

#[test]
fn the_first_command_may_come_with_the_end_of_the_handshake() {
    let pair = transcript(Purpose::Publish, Style::Simple);
    let (handshake, rest) = pair.sent.split_at(1 + 1536);
    let c2_and_all = rest;
    let events = server_events(&[handshake, c2_and_all]);
    assert!(events[0].starts_with("Connect"), "{events:?}");
}

#[test]
fn transcripts_are_in_the_corpus() {
    const HANDSHAKE: usize = 1 + 2 * 1536;
    for (name, purpose) in [("publish", Purpose::Publish), ("play", Purpose::Play)] {
        let pair = transcript(purpose, Style::Simple);
        let choice = if purpose == Purpose::Publish { 0x80 } else { 0 };
        corpus::holds("server_session", name, &[&[0x1f], &pair.sent[HANDSHAKE..]].concat());
        corpus::holds(
            "server_session",
            &format!("{name} refused"),
            &[&[0x9f], &pair.sent[HANDSHAKE..]].concat(),
        );
        corpus::holds("client_session", name, &[&[choice], &pair.answered[HANDSHAKE..]].concat());
    }
    for style in [Style::Simple, Style::DigestFirst, Style::DigestSecond] {
        let pair = transcript(Purpose::Publish, style);
        corpus::holds("handshake", &format!("{style:?} sent"), &pair.sent[..HANDSHAKE]);
        corpus::holds("handshake", &format!("{style:?} answered"), &pair.answered[..HANDSHAKE]);
    }
}
