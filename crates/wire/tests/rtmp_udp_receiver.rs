//! RTMP-UDP's receiver: what is waited for, what is given up, and what is handed out instead.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::{Duration, Instant};

use bytes::Bytes;
use thalweg_wire::media::Kind;
use thalweg_wire::rtmp_udp::control::Message;
use thalweg_wire::rtmp_udp::media::{Flags, Header};
use thalweg_wire::rtmp_udp::receiver::{Arrived, Purpose, Receiver};

const PLAY: Purpose = Purpose::Play { conceal: false };
const CONCEAL: Purpose = Purpose::Play { conceal: true };
/// How long a receiver of these tests waits for a hole.
const PATIENCE: u64 = 100;

/// A receiver, and its clock in milliseconds.
struct Peer {
    receiver: Receiver,
    start: Instant,
    ms: u64,
}

impl Peer {
    fn new(purpose: Purpose) -> Self {
        let mut receiver = Receiver::new(purpose, 1 << 20);
        receiver.handle_patience(Duration::from_millis(PATIENCE));
        Peer { receiver, start: Instant::now(), ms: 0 }
    }

    /// Turns the clock, keeping every appointment on the way.
    fn at(&mut self, ms: u64) {
        assert!(ms >= self.ms);
        let until = self.start + Duration::from_millis(ms);
        for _ in 0..1000 {
            match self.receiver.poll_timeout() {
                Some(at) if at <= until => {
                    self.receiver.handle_timeout(at);
                    assert_ne!(self.receiver.poll_timeout(), Some(at), "it would spin");
                }
                _ => break,
            }
        }
        self.ms = ms;
    }

    fn now(&self) -> Instant {
        self.start + Duration::from_millis(self.ms)
    }

    fn takes(&mut self, headers: &[Header]) {
        for header in headers {
            let body = Bytes::copy_from_slice(&[0x27, 1, 0, 0, 0, header.seq as u8]);
            self.receiver.handle_media(*header, body, self.now()).unwrap();
        }
    }

    fn loses(&mut self, header: Header) {
        self.receiver.handle_reset(&header, self.now()).unwrap();
    }

    fn learns(&mut self, kind: Kind, cfg: u8) {
        let first = if kind == Kind::Video { 0x17 } else { 0xaf };
        let message = Message::config(kind, 0, cfg, 0, vec![first, 0, 0, 0, 0, cfg]);
        self.receiver.handle_config(message, self.now()).unwrap();
    }

    fn handed_out(&mut self) -> Vec<Arrived> {
        std::iter::from_fn(|| self.receiver.poll_frame()).collect()
    }

    /// The numbers of what was handed out.
    fn seqs(&mut self) -> Vec<u32> {
        self.handed_out().iter().map(|a| a.seq).collect()
    }

    /// The same, a configuration being its generation, negative.
    fn steps(&mut self) -> Vec<i64> {
        let step = |a: &Arrived| match a.frame.config {
            true => -i64::from(a.frame.payload[5]),
            false => i64::from(a.seq),
        };
        self.handed_out().iter().map(step).collect()
    }
}

fn sound(seq: u32) -> Header {
    let flags = Flags::default();
    let timestamp = seq * 20;
    Header { kind: Kind::Audio, flags, track: 0, cfg: 0, seq, gop: 0, timestamp, ingest_us: None }
}

fn picture(seq: u32, gop: u32) -> Header {
    let flags = Flags { key: seq == gop, ..Flags::default() };
    Header { kind: Kind::Video, flags, gop, ..sound(seq) }
}

fn key(seq: u32) -> Header {
    picture(seq, seq)
}

fn start(seq: u32) -> Header {
    Header { flags: Flags { key: true, start: true, ..Flags::default() }, ..key(seq) }
}

fn disposable(seq: u32, gop: u32) -> Header {
    Header { flags: Flags { disposable: true, ..Flags::default() }, ..picture(seq, gop) }
}

fn after(disposable: u8, header: Header) -> Header {
    Header { flags: Flags { after_disposable: disposable, ..header.flags }, ..header }
}

fn needing(cfg: u8, header: Header) -> Header {
    Header { cfg, ..header }
}

#[test]
fn what_comes_in_order_is_handed_out_at_once() {
    for purpose in [PLAY, CONCEAL, Purpose::Ingest] {
        let mut peer = Peer::new(purpose);
        peer.takes(&[key(1), sound(1), picture(2, 1), sound(2), key(3)]);
        assert_eq!(peer.seqs(), [1, 1, 2, 2, 3]);
        assert_eq!(peer.receiver.poll_timeout(), None, "there is nothing to wait for");
        assert_eq!(peer.receiver.held_bytes(), 0);
        assert!(!peer.receiver.wants_key());
    }
}

#[test]
fn what_comes_in_any_order_is_put_back_into_that_of_its_numbers() {
    let mut peer = Peer::new(PLAY);
    peer.takes(&[picture(3, 1), picture(2, 1), picture(5, 1)]);
    assert_eq!(peer.seqs(), []);
    peer.takes(&[key(1)]);
    assert_eq!(peer.seqs(), [1, 2, 3]);
    peer.takes(&[picture(4, 1)]);
    assert_eq!(peer.seqs(), [4, 5]);
    let counts = peer.receiver.counts();
    assert_eq!((counts.video_received, counts.video_lost, counts.video_seq_max), (5, 0, 5));
}

#[test]
fn kinds_do_not_wait_for_each_other() {
    let mut peer = Peer::new(PLAY);
    peer.takes(&[picture(2, 1), sound(1), sound(2)]);
    assert_eq!(peer.seqs(), [1, 2], "sound goes on while pictures wait");
}

#[test]
fn sound_goes_on_without_what_is_missing_when_patience_is_over() {
    let mut peer = Peer::new(PLAY);
    peer.takes(&[sound(1), sound(3), sound(4)]);
    peer.at(PATIENCE - 1);
    assert_eq!(peer.seqs(), [1]);
    peer.at(PATIENCE);
    assert_eq!(peer.seqs(), [3, 4]);
    assert_eq!(peer.receiver.counts().audio_lost, 1);
    peer.takes(&[sound(2)]);
    assert_eq!(peer.seqs(), [], "too late");
}

#[test]
fn holes_that_follow_each_other_are_waited_for_side_by_side() {
    for purpose in [PLAY, Purpose::Ingest] {
        let mut peer = Peer::new(purpose);
        let mut slowest = Duration::ZERO;
        // Every other message never comes.
        for n in 0..200 {
            peer.at(u64::from(n) * 40);
            peer.takes(&[sound(2 * n + 1)]);
            let now = peer.now();
            let late = peer.handed_out().iter().map(|a| now - a.came).max();
            slowest = slowest.max(late.unwrap_or_default());
        }
        assert!(slowest <= Duration::from_millis(PATIENCE + 40), "{slowest:?}");
    }
}

#[test]
fn sound_that_is_repaired_in_time_loses_nothing() {
    let mut peer = Peer::new(PLAY);
    peer.takes(&[sound(1), sound(3)]);
    peer.at(PATIENCE - 1);
    peer.takes(&[sound(2)]);
    peer.at(10 * PATIENCE);
    assert_eq!(peer.seqs(), [1, 2, 3]);
    assert_eq!(peer.receiver.counts().audio_lost, 0);
}

#[test]
fn pictures_stand_still_until_the_next_key_frame_is_whole() {
    let mut peer = Peer::new(PLAY);
    peer.takes(&[key(1), picture(2, 1), picture(4, 1)]);
    peer.at(5 * PATIENCE);
    assert_eq!(peer.seqs(), [1, 2], "4 cannot be decoded without 3");
    peer.takes(&[key(6)]);
    let came = peer.handed_out();
    assert_eq!((came.len(), came[0].seq), (1, 6));
    assert!(came[0].flags.start, "the decoder begins anew");
    let counts = peer.receiver.counts();
    assert_eq!((counts.video_lost, counts.video_undecodable, counts.jumps), (2, 1, 1));
    peer.takes(&[picture(3, 1), picture(5, 1), picture(7, 6)]);
    assert_eq!(peer.seqs(), [7]);
}

#[test]
fn pictures_do_not_jump_before_patience_is_over() {
    let mut peer = Peer::new(PLAY);
    peer.takes(&[key(1), picture(3, 1), key(4)]);
    peer.at(PATIENCE - 1);
    assert_eq!(peer.seqs(), [1]);
    peer.at(PATIENCE);
    assert_eq!(peer.seqs(), [4]);
}

#[test]
fn a_repair_before_the_jump_brings_everything_back() {
    let mut peer = Peer::new(PLAY);
    peer.takes(&[key(1), picture(3, 1), picture(4, 1)]);
    peer.at(15 * PATIENCE);
    peer.takes(&[picture(2, 1)]);
    assert_eq!(peer.seqs(), [1, 2, 3, 4]);
    let counts = peer.receiver.counts();
    assert_eq!((counts.video_lost, counts.video_undecodable, counts.jumps), (0, 0, 0));
}

#[test]
fn a_key_frame_that_begins_anew_is_not_kept_waiting() {
    let mut peer = Peer::new(PLAY);
    peer.takes(&[key(1), picture(2, 1), start(5), picture(6, 5)]);
    assert_eq!(peer.seqs(), [1, 2, 5, 6], "its sender has given up what is missing");
    assert_eq!(peer.receiver.counts().video_lost, 2);
}

#[test]
fn a_still_picture_of_two_seconds_is_not_brought_back() {
    let mut peer = Peer::new(PLAY);
    peer.takes(&[key(1), picture(3, 1)]);
    peer.at(1999);
    assert!(peer.receiver.held_bytes() > 0);
    peer.at(2000);
    assert_eq!(peer.seqs(), [1]);
    assert!(peer.receiver.wants_key());
    assert_eq!(peer.receiver.held_bytes(), 0);
    peer.takes(&[picture(4, 1), key(5)]);
    assert_eq!(peer.seqs(), [5]);
    assert!(!peer.receiver.wants_key());
}

#[test]
fn a_publication_is_waited_for_no_longer_than_patience_and_then_wants_a_key_frame() {
    let mut peer = Peer::new(Purpose::Ingest);
    peer.takes(&[key(1), picture(3, 1)]);
    peer.at(PATIENCE - 1);
    assert!(!peer.receiver.wants_key());
    peer.at(PATIENCE);
    assert_eq!(peer.seqs(), [1]);
    assert!(peer.receiver.wants_key());
    peer.takes(&[picture(4, 1), key(5), picture(6, 5)]);
    assert_eq!(peer.seqs(), [5, 6]);
    assert!(!peer.receiver.wants_key());
    let counts = peer.receiver.counts();
    assert_eq!((counts.video_lost, counts.video_undecodable), (1, 2));
}

#[test]
fn a_decoder_that_conceals_goes_on_without_what_is_missing() {
    let mut peer = Peer::new(CONCEAL);
    peer.takes(&[key(1), picture(3, 1), picture(4, 1)]);
    peer.at(PATIENCE);
    assert_eq!(peer.seqs(), [1, 3, 4]);
    assert!(!peer.receiver.wants_key());
    assert_eq!(peer.receiver.counts().video_lost, 1);
}

#[test]
fn a_key_frame_that_is_missing_is_waited_for_because_nothing_conceals_it() {
    let mut peer = Peer::new(CONCEAL);
    peer.takes(&[key(1), picture(2, 1), picture(4, 3), picture(5, 3)]);
    peer.at(10 * PATIENCE);
    assert_eq!(peer.seqs(), [1, 2], "4 and 5 refer to what is not there");
    peer.takes(&[key(3)]);
    assert_eq!(peer.seqs(), [3, 4, 5]);
    assert_eq!(peer.receiver.counts().video_lost, 0);
}

#[test]
fn a_key_frame_that_never_came_is_wanted_anew_even_by_a_decoder_that_conceals() {
    for reset in [true, false] {
        let mut peer = Peer::new(CONCEAL);
        peer.takes(&[key(1), picture(2, 1)]);
        if reset {
            peer.loses(key(3));
        }
        peer.takes(&[picture(4, 3), picture(5, 3)]);
        peer.at(2000);
        assert_eq!(peer.seqs(), [1, 2]);
        assert!(peer.receiver.wants_key());
        peer.takes(&[key(6), picture(7, 6)]);
        assert_eq!(peer.seqs(), [6, 7]);
        assert!(!peer.receiver.wants_key());
    }
}

#[test]
fn disposable_pictures_that_are_missing_are_missed_by_nobody() {
    let mut peer = Peer::new(PLAY);
    peer.takes(&[key(1), after(2, picture(4, 1)), picture(5, 1)]);
    assert_eq!(peer.seqs(), [1], "they may still come");
    peer.at(PATIENCE);
    assert_eq!(peer.seqs(), [4, 5]);
    peer.takes(&[after(1, key(7)), after(3, picture(11, 7))]);
    peer.at(3 * PATIENCE);
    assert_eq!(peer.seqs(), [7, 11]);
    let counts = peer.receiver.counts();
    assert_eq!((counts.jumps, counts.video_undecodable, counts.video_lost), (0, 0, 6));
}

#[test]
fn one_missing_picture_more_than_those_that_were_disposable_is_missed() {
    for purpose in [PLAY, Purpose::Ingest] {
        let mut peer = Peer::new(purpose);
        peer.takes(&[key(1), after(1, picture(4, 1))]);
        peer.at(PATIENCE);
        assert_eq!(peer.seqs(), [1]);
        peer.takes(&[key(5)]);
        assert_eq!(peer.seqs(), [5]);
    }
}

#[test]
fn what_its_sender_has_given_up_is_not_waited_for() {
    let mut peer = Peer::new(PLAY);
    peer.takes(&[sound(1), sound(3)]);
    peer.loses(sound(2));
    assert_eq!(peer.seqs(), [1, 3]);
    peer.takes(&[key(1), picture(3, 1)]);
    peer.loses(disposable(2, 1));
    assert_eq!(peer.seqs(), [1, 3]);
    peer.loses(picture(4, 1));
    peer.takes(&[picture(5, 1)]);
    assert!(peer.receiver.wants_key(), "5 needs 4");
    peer.takes(&[key(6)]);
    assert_eq!(peer.seqs(), [6]);
}

#[test]
fn what_was_reset_may_have_come_whole_before_or_after() {
    let mut peer = Peer::new(PLAY);
    peer.takes(&[sound(2)]);
    peer.loses(sound(2));
    peer.loses(sound(3));
    peer.takes(&[sound(3), sound(1)]);
    assert_eq!(peer.seqs(), [1, 2, 3]);
}

#[test]
fn sound_behind_what_was_given_up_is_still_waited_for() {
    let mut peer = Peer::new(PLAY);
    peer.takes(&[sound(1), sound(4)]);
    peer.loses(sound(2));
    peer.at(PATIENCE - 1);
    peer.takes(&[sound(3)]);
    assert_eq!(peer.seqs(), [1, 3, 4]);
    assert_eq!(peer.receiver.counts().audio_lost, 1);
}

#[test]
fn a_key_frame_behind_what_was_given_up_is_still_waited_for() {
    // The rest of a GOP is superseded; the next key frame is long, and what follows it is short.
    for purpose in [PLAY, CONCEAL, Purpose::Ingest] {
        for reset_is_first in [true, false] {
            let mut peer = Peer::new(purpose);
            peer.takes(&[key(1), picture(2, 1)]);
            if reset_is_first {
                peer.loses(picture(3, 1));
            }
            peer.takes(&[picture(5, 4), picture(6, 4)]);
            if !reset_is_first {
                peer.loses(picture(3, 1));
            }
            peer.at(PATIENCE - 1);
            peer.takes(&[start(4)]);
            assert_eq!(peer.seqs(), [1, 2, 4, 5, 6], "{purpose:?}, {reset_is_first}");
            assert_eq!(peer.receiver.counts().video_undecodable, 0);
        }
    }
}

#[test]
fn a_picture_behind_a_disposable_one_that_was_given_up_is_missed() {
    let mut peer = Peer::new(PLAY);
    peer.takes(&[key(1), picture(4, 1)]);
    peer.loses(disposable(2, 1));
    assert_eq!(peer.seqs(), [1], "3 is what 4 refers to");
    peer.at(PATIENCE - 1);
    peer.takes(&[after(1, picture(3, 1))]);
    assert_eq!(peer.seqs(), [3, 4]);
}

#[test]
fn disposable_pictures_may_be_missing_and_given_up_in_one_run() {
    let mut peer = Peer::new(PLAY);
    peer.takes(&[key(1), after(2, picture(4, 1))]);
    peer.loses(disposable(3, 1));
    peer.at(PATIENCE);
    assert_eq!(peer.seqs(), [1, 4]);
}

#[test]
fn configuration_is_handed_out_right_before_the_first_frame_that_needs_it() {
    let mut peer = Peer::new(PLAY);
    peer.learns(Kind::Video, 1);
    peer.learns(Kind::Video, 2);
    assert_eq!(peer.steps(), []);
    peer.takes(&[needing(1, key(1)), needing(1, picture(2, 1))]);
    assert_eq!(peer.steps(), [-1, 1, 2]);
    peer.takes(&[needing(2, key(4))]);
    assert_eq!(peer.steps(), []);
    peer.takes(&[needing(1, picture(3, 1))]);
    assert_eq!(peer.steps(), [3, -2, 4]);
    peer.takes(&[needing(2, picture(5, 4))]);
    assert_eq!(peer.steps(), [5], "once");
}

#[test]
fn metadata_waits_for_nothing() {
    let mut peer = Peer::new(PLAY);
    let body = b"\x02\0\x0aonMetaData\x08\0\0\0\0\0\0\x09".to_vec();
    let metadata = Message::config(Kind::Data, 0, 1, 0, body);
    peer.receiver.handle_config(metadata, peer.now()).unwrap();
    let came = peer.handed_out();
    assert!(came.len() == 1 && came[0].frame.config);
}

#[test]
fn media_that_overtakes_its_configuration_is_held_for_half_a_second_at_most() {
    let mut peer = Peer::new(PLAY);
    peer.takes(&[needing(1, key(1)), needing(1, picture(2, 1))]);
    peer.at(499);
    assert_eq!(peer.seqs(), []);
    peer.learns(Kind::Video, 1);
    assert_eq!(peer.steps(), [-1, 1, 2]);
}

#[test]
fn media_whose_configuration_never_comes_is_let_go_of_in_its_turn() {
    for purpose in [PLAY, CONCEAL, Purpose::Ingest] {
        let mut peer = Peer::new(purpose);
        for seq in 1..=25 {
            peer.at(u64::from(seq) * 40);
            peer.takes(&[needing(1, picture(seq, 1)), needing(1, sound(seq))]);
        }
        // Those of the last half second are still held: 13 of either kind.
        assert!(peer.receiver.held_bytes() <= 2 * 13 * 6, "{}", peer.receiver.held_bytes());
        peer.at(1500);
        assert_eq!((peer.seqs(), peer.receiver.held_bytes()), (vec![], 0));
        assert!(peer.receiver.wants_key());
        let counts = peer.receiver.counts();
        assert_eq!((counts.video_lost, counts.audio_lost), (25, 25));
        peer.learns(Kind::Video, 1);
        peer.takes(&[needing(1, picture(26, 1)), needing(1, key(27))]);
        assert_eq!(peer.steps(), [-1, 27]);
    }
}

#[test]
fn generations_go_round() {
    let mut peer = Peer::new(PLAY);
    for (n, cfg) in (1..=255).chain(1..=255).chain(1..=3u8).enumerate() {
        let seq = n as u32 + 1;
        peer.at(u64::from(seq) * 40);
        // Half of the time the picture is first.
        if cfg % 2 == 0 {
            peer.takes(&[needing(cfg, key(seq))]);
            assert_eq!(peer.steps(), [], "{cfg} is not known yet");
            peer.learns(Kind::Video, cfg);
        } else {
            peer.learns(Kind::Video, cfg);
            peer.takes(&[needing(cfg, key(seq))]);
        }
        assert_eq!(peer.steps(), [-i64::from(cfg), i64::from(seq)]);
    }
}

#[test]
fn a_frame_of_an_older_generation_is_not_kept_waiting() {
    let mut peer = Peer::new(PLAY);
    peer.learns(Kind::Video, 255);
    peer.learns(Kind::Video, 1);
    peer.takes(&[needing(255, key(1)), needing(1, key(2))]);
    assert_eq!(peer.steps(), [-255, 1, -1, 2]);
}

#[test]
fn data_goes_on_without_what_is_missing() {
    let mut peer = Peer::new(PLAY);
    let data = |seq| Header { kind: Kind::Data, ..sound(seq) };
    peer.takes(&[data(1), data(3)]);
    peer.at(PATIENCE);
    assert_eq!(peer.seqs(), [1, 3]);
}

#[test]
fn time_is_unwrapped_over_all_kinds() {
    let mut peer = Peer::new(PLAY);
    let at = |timestamp, header| Header { timestamp, ..header };
    peer.takes(&[at(u32::MAX - 9, key(1)), at(u32::MAX, sound(1)), at(10, picture(2, 1))]);
    let times: Vec<i64> = peer.handed_out().iter().map(|a| a.frame.dts).collect();
    assert_eq!(times, [0xffff_fff6, 0xffff_ffff, 0x1_0000_000a]);
}
