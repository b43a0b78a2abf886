//! RTMP-UDP's sender: what goes first, and what is given up when.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::{Duration, Instant};

use bytes::Bytes;
use thalweg_testkit::media::Recipe;
use thalweg_wire::media::{Frame, Kind};
use thalweg_wire::rtmp_udp::Reset;
use thalweg_wire::rtmp_udp::media::{BURST, Header, StreamReader};
use thalweg_wire::rtmp_udp::sender::{Action, Id, Outgoing, Path, Sender, Start};

const QUIET: Path = Path { srtt: ms(50), window: 100_000 };
/// So narrow that a key frame takes some round trips.
const NARROW: Path = Path { srtt: ms(100), window: 5 };

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A sender, its clock in milliseconds, and the number of the next picture.
struct Origin {
    sender: Sender,
    start: Instant,
    ms: u64,
}

impl Origin {
    fn new() -> Self {
        Origin::over(QUIET, false)
    }

    fn over(path: Path, conceal: bool) -> Self {
        let mut sender = Sender::new(conceal);
        sender.handle_path(path);
        Origin { sender, start: Instant::now(), ms: 0 }
    }

    fn now(&self) -> Instant {
        self.start + ms(self.ms)
    }

    /// Turns the clock, keeping every appointment on the way.
    fn at(&mut self, until: u64) {
        assert!(until >= self.ms);
        while let Some(at) = self.sender.poll_timeout()
            && at <= self.start + ms(until)
        {
            self.sender.handle_timeout(at);
            assert_ne!(self.sender.poll_timeout(), Some(at), "it would spin");
        }
        self.ms = until;
    }

    fn pushes(&mut self, first: u8, nal: u8) {
        let body = if first == 0xaf {
            vec![0xaf, 1, nal]
        } else {
            vec![first, 1, 0, 0, 0, 0, 0, 0, 2, nal, 0]
        };
        let kind = if first == 0xaf { Kind::Audio } else { Kind::Video };
        let frame = Frame::new(kind, self.ms as i64, body.into());
        self.sender.push(&frame, None, self.now());
    }

    fn key(&mut self) {
        self.pushes(0x17, 0x65);
    }

    fn delta(&mut self) {
        self.pushes(0x27, 0x41);
    }

    fn disposable(&mut self) {
        self.pushes(0x27, 0x01);
    }

    fn sound(&mut self) {
        self.pushes(0xaf, 0);
    }

    /// Opens a stream for everything that waits.
    fn opens(&mut self) -> Vec<(Id, Header)> {
        let now = self.now();
        std::iter::from_fn(|| self.sender.next_stream(now)).map(|o| (o.id, header(&o))).collect()
    }

    fn seqs(&mut self) -> Vec<u32> {
        self.opens().iter().map(|(_, h)| h.seq).collect()
    }

    /// Opens what waits, and the peer has it at once.
    fn delivers(&mut self) -> Vec<Header> {
        let sent = self.opens();
        sent.iter().for_each(|(id, _)| self.sender.handle_done(*id));
        sent.into_iter().map(|(_, header)| header).collect()
    }

    fn resets(&mut self) -> Vec<(Id, Reset)> {
        self.actions()
            .into_iter()
            .filter_map(|a| match a {
                Action::Reset(id, why) => Some((id, why)),
                Action::Say(_) | Action::TooNarrow => None,
            })
            .collect()
    }

    fn actions(&mut self) -> Vec<Action> {
        std::iter::from_fn(|| self.sender.poll_action()).collect()
    }

    fn dropped(&self, why: Reset) -> u64 {
        self.sender.stats(self.now()).dropped[why.index()]
    }
}

fn header(outgoing: &Outgoing) -> Header {
    Header::decode(outgoing.chunks[0][..].try_into().unwrap()).unwrap()
}

/// The messages of one stream, a burst or not.
fn messages(outgoing: &Outgoing) -> Vec<(Header, Bytes)> {
    let mut reader = StreamReader::new(8 << 20);
    let mut out = Vec::new();
    for chunk in &outgoing.chunks {
        let mut input = &chunk[..];
        while let Some(message) = reader.read(&mut input).unwrap() {
            out.push(message);
        }
    }
    out.extend(reader.finish().unwrap());
    out
}

#[test]
fn sound_goes_before_key_frames_and_those_before_other_pictures() {
    let mut origin = Origin::new();
    origin.key();
    origin.delivers();
    origin.disposable();
    origin.delta();
    origin.key();
    let data = Frame::new(Kind::Data, 0, Bytes::from_static(b"\x02\0\x05onCue"));
    origin.sender.push(&data, None, origin.now());
    origin.sound();
    origin.delta();
    origin.sound();
    let now = origin.now();
    let sent: Vec<_> = std::iter::from_fn(|| origin.sender.next_stream(now))
        .map(|o| (o.priority, header(&o).kind, header(&o).seq))
        .collect();
    let (audio, video) = (Kind::Audio, Kind::Video);
    assert!(sent.is_sorted_by(|a, b| a.0 > b.0), "no two alike, for the transport: {sent:?}");
    assert_eq!(
        sent.iter().map(|(_, kind, seq)| (*kind, *seq)).collect::<Vec<_>>(),
        [(audio, 1), (audio, 2), (video, 4), (Kind::Data, 1), (video, 3), (video, 5), (video, 2)]
    );
}

#[test]
fn what_the_peer_has_is_no_longer_queued() {
    let mut origin = Origin::new();
    origin.key();
    origin.delta();
    assert_eq!(origin.sender.queued_bytes(), 2 * (Header::BYTES + 11));
    assert!(origin.sender.is_waiting());
    let sent = origin.opens();
    assert!(!origin.sender.is_waiting());
    assert_eq!(origin.sender.queued_bytes(), 2 * (Header::BYTES + 11), "until it has come");
    sent.iter().for_each(|(id, _)| origin.sender.handle_done(*id));
    assert_eq!((origin.sender.queued_bytes(), origin.sender.poll_timeout()), (0, None));
    origin.sender.handle_done(77);
}

#[test]
fn a_viewer_that_takes_nothing_is_too_slow_at_four_megabytes() {
    let mut origin = Origin::over(Path { window: 64 << 20, ..QUIET }, false);
    let big = |first| Frame::new(Kind::Video, 0, vec![first; 1 << 20].into());
    origin.sender.push(&big(0x17), None, origin.now());
    for _ in 0..2 {
        origin.sender.push(&big(0x27), None, origin.now());
    }
    assert!(!origin.sender.is_too_slow(origin.now()));
    origin.sender.push(&big(0x27), None, origin.now());
    assert!(origin.sender.is_too_slow(origin.now()));
}

#[test]
fn a_viewer_that_has_had_nothing_for_ten_seconds_is_too_slow_however_little_waits() {
    let mut origin = Origin::new();
    origin.sound();
    origin.delivers();
    for second in 1..12 {
        origin.at(second * 1000);
        origin.sound();
        assert_eq!(origin.sender.is_too_slow(origin.now()), second == 12);
    }
    origin.at(12_000);
    assert!(origin.sender.is_too_slow(origin.now()));
    origin.delivers();
    origin.sound();
    origin.delivers();
    assert!(!origin.sender.is_too_slow(origin.now()));
}

#[test]
fn each_class_has_its_time() {
    for (rtt, key, delta) in [(50, 1500, 800), (150, 1800, 1200)] {
        for (name, deadline, push) in [
            ("sound", 400, Origin::sound as fn(&mut Origin)),
            ("disposable", 250, Origin::disposable),
            ("delta", delta, Origin::delta),
            ("key", key, Origin::key),
        ] {
            let mut origin = Origin::over(Path { srtt: ms(rtt), ..QUIET }, false);
            origin.key();
            origin.delivers();
            push(&mut origin);
            let [(id, _)] = origin.opens()[..] else { panic!("one stream") };
            origin.at(deadline - 1);
            assert_eq!(origin.resets(), [], "{name}");
            origin.at(deadline);
            assert_eq!(origin.resets(), [(id, Reset::Late)], "{name}");
            assert_eq!((origin.dropped(Reset::Late), origin.sender.queued_bytes()), (1, 0));
        }
    }
}

#[test]
fn what_never_had_a_stream_is_given_up_without_a_reset() {
    let mut origin = Origin::new();
    origin.sound();
    origin.at(400);
    assert_eq!((origin.resets(), origin.dropped(Reset::Late)), (vec![], 1));
    assert_eq!(origin.seqs(), []);
}

#[test]
fn sound_that_is_late_harms_nothing_else() {
    let mut origin = Origin::new();
    origin.key();
    origin.sound();
    origin.delivers();
    origin.sound();
    origin.opens();
    origin.at(400);
    origin.sound();
    origin.delta();
    assert_eq!(origin.seqs(), [3, 2]);
}

#[test]
fn a_key_frame_supersedes_what_is_old_of_the_gop_before() {
    let mut origin = Origin::new();
    origin.key();
    origin.delivers();
    origin.delta();
    let old = origin.opens()[0].0;
    origin.at(151);
    origin.key();
    assert_eq!(origin.resets(), [(old, Reset::Superseded)]);
    let key = origin.opens()[0].1;
    assert!(key.flags.key && key.flags.start, "the decoder begins anew");
}

#[test]
fn a_key_frame_leaves_alone_what_is_young_of_the_gop_before() {
    let mut origin = Origin::new();
    origin.key();
    origin.delivers();
    origin.delta();
    origin.opens();
    origin.at(150);
    origin.key();
    assert_eq!(origin.resets(), []);
    assert!(!origin.opens()[0].1.flags.start);
}

#[test]
fn young_pictures_that_depend_on_a_superseded_one_go_with_it() {
    let mut origin = Origin::new();
    origin.key();
    origin.delivers();
    origin.delta();
    origin.at(140);
    origin.delta();
    let sent: Vec<Id> = origin.opens().iter().map(|(id, _)| *id).collect();
    origin.at(160);
    origin.key();
    let resets: Vec<Id> = origin.resets().iter().map(|(id, _)| *id).collect();
    assert_eq!(resets, sent);
}

#[test]
fn pictures_are_held_back_when_the_oldest_is_too_old_and_sound_is_not() {
    for (path, patience) in [(QUIET, 450), (Path { srtt: ms(150), ..QUIET }, 750)] {
        let mut origin = Origin::over(path, false);
        origin.key();
        origin.opens();
        origin.at(patience);
        origin.delta();
        assert!(!origin.sender.is_gated(), "{path:?}");
        assert_eq!(origin.seqs(), [2]);
        origin.at(patience + 1);
        origin.delta();
        origin.sound();
        assert!(origin.sender.is_gated(), "{path:?}");
        assert_eq!(origin.seqs(), [1], "the sound");
        assert!(origin.dropped(Reset::Gated) >= 1);
        assert_eq!(origin.resets(), [], "what is on its way may still come");
        origin.at(patience + 300);
        origin.key();
        assert!(!origin.sender.is_gated());
        let sent = origin.opens();
        assert!(sent.len() == 1 && sent[0].1.flags.start, "{sent:?}");
        assert_eq!(origin.sender.stats(origin.now()).gated, ms(299));
    }
}

#[test]
fn nothing_is_held_back_from_a_viewer_that_is_gone() {
    let mut origin = Origin::over(QUIET, false);
    origin.key();
    origin.delivers();
    origin.at(33);
    // From here on nobody acknowledges anything.
    for s in 1..=10 {
        for picture in 0..30 {
            origin.at(s * 1000 + picture * 33);
            if picture == 0 {
                origin.key();
            } else {
                origin.delta();
            }
            origin.opens();
        }
    }
    let gated = origin.sender.stats(origin.now()).gated;
    assert!(gated <= ms(450), "{gated:?} of 10 s");
}

#[test]
fn time_that_is_still_being_held_back_counts() {
    let mut origin = Origin::over(QUIET, false);
    origin.key();
    origin.opens();
    origin.at(451);
    origin.delta();
    origin.at(651);
    assert_eq!(origin.sender.stats(origin.now()).gated, ms(200));
}

#[test]
fn on_a_narrow_path_only_key_frames_are_sent_and_one_at_a_time() {
    let mut origin = Origin::over(QUIET, false);
    origin.key();
    origin.at(33);
    origin.delta();
    let [(key, _), (delta, _)] = origin.opens()[..] else { panic!("two streams") };
    origin.sender.handle_path(NARROW);
    origin.at(66);
    origin.delta();
    origin.sound();
    assert!(origin.sender.is_gated());
    assert_eq!(origin.resets(), [(delta, Reset::Gated)], "the key frame goes on");
    assert_eq!(origin.seqs(), [1], "and so does sound");
    origin.at(1000);
    origin.key();
    assert_eq!(origin.seqs(), [], "a new key frame would only delay the one before");
    origin.sender.handle_done(key);
    origin.at(1400);
    origin.key();
    assert!(!origin.sender.is_gated());
    let sent = origin.opens();
    assert!(sent.len() == 1 && sent[0].1.flags.start, "{sent:?}");
}

#[test]
fn the_rest_of_a_gop_is_not_sent_when_one_of_its_pictures_was_given_up() {
    let mut origin = Origin::new();
    origin.key();
    origin.delivers();
    origin.delta();
    let lost = origin.opens()[0].0;
    origin.at(400);
    origin.delta();
    let rest = origin.opens()[0].0;
    origin.at(420);
    origin.delta();
    origin.at(800);
    assert_eq!(origin.resets(), [(lost, Reset::Late), (rest, Reset::Late)]);
    origin.delta();
    assert_eq!(origin.seqs(), [], "neither what waits nor what comes");
    origin.key();
    let sent = origin.opens();
    assert!(sent.len() == 1 && sent[0].1.seq == 6 && sent[0].1.flags.start);
}

#[test]
fn a_peer_that_conceals_gets_the_rest_of_a_gop() {
    let mut origin = Origin::over(QUIET, true);
    origin.key();
    origin.delivers();
    origin.delta();
    let lost = origin.opens()[0].0;
    origin.at(400);
    origin.delta();
    origin.delivers();
    origin.at(800);
    assert_eq!(origin.resets(), [(lost, Reset::Late)]);
    origin.delta();
    assert_eq!(origin.seqs(), [4]);
}

#[test]
fn disposable_pictures_are_given_up_alone() {
    let mut origin = Origin::new();
    origin.key();
    origin.delivers();
    origin.disposable();
    origin.disposable();
    origin.opens();
    origin.delta();
    origin.delivers();
    origin.at(250);
    assert_eq!(origin.resets().len(), 2);
    origin.delta();
    let sent = origin.delivers();
    assert_eq!((sent.len(), sent[0].flags.after_disposable), (1, 0));
}

#[test]
fn a_picture_says_how_many_disposable_ones_come_right_before_it() {
    let mut origin = Origin::new();
    origin.key();
    for n in 0..6 {
        (0..n).for_each(|_| origin.disposable());
        origin.delta();
    }
    let sent = origin.opens();
    let said: Vec<u8> = sent
        .iter()
        .filter(|(_, h)| !h.flags.disposable && !h.flags.key)
        .map(|(_, h)| h.flags.after_disposable)
        .collect();
    assert_eq!(said, [0, 1, 2, 3, 3, 3]);
}

#[test]
fn pictures_before_the_first_key_frame_are_not_sent() {
    let mut origin = Origin::new();
    origin.delta();
    origin.sound();
    origin.key();
    let sent = origin.opens();
    assert_eq!(sent.iter().map(|(_, h)| h.seq).collect::<Vec<_>>(), [1, 2]);
    assert!(sent[1].1.flags.start);
}

#[test]
fn a_path_that_is_too_narrow_is_told_after_more_than_three_gatings_in_ten_seconds() {
    let mut origin = Origin::new();
    let mut told = Vec::new();
    for second in 0..9u64 {
        origin.at(second * 1000);
        origin.key();
        origin.opens();
        origin.at(second * 1000 + 460);
        origin.delta();
        if origin.actions().contains(&Action::TooNarrow) {
            told.push(second);
        }
    }
    assert_eq!(told, [3, 7], "each time anew");
    let mut origin = Origin::new();
    for second in (0..60u64).step_by(4) {
        origin.at(second * 1000);
        origin.key();
        origin.opens();
        origin.at(second * 1000 + 460);
        origin.delta();
        assert!(!origin.actions().contains(&Action::TooNarrow), "three in ten seconds");
    }
}

#[test]
fn a_key_frame_that_was_asked_for_begins_anew() {
    let mut origin = Origin::new();
    origin.key();
    origin.sound();
    origin.delta();
    origin.delivers();
    origin.sender.handle_key_request();
    origin.delta();
    origin.key();
    origin.sound();
    let sent: Vec<_> = origin.delivers().iter().map(|h| (h.kind, h.seq, h.flags.start)).collect();
    let (sound, picture) = (Kind::Audio, Kind::Video);
    assert_eq!(sent, [(sound, 2, false), (picture, 4, true), (picture, 3, false)]);
}

#[test]
fn frames_that_were_passed_over_leave_a_hole_and_a_new_beginning() {
    let mut origin = Origin::new();
    origin.key();
    origin.sound();
    origin.delivers();
    origin.sender.skip(origin.now());
    origin.delta();
    origin.sound();
    origin.key();
    let sent: Vec<_> = origin.delivers().iter().map(|h| (h.kind, h.seq, h.flags.start)).collect();
    assert_eq!(sent, [(Kind::Audio, 3, false), (Kind::Video, 4, true)]);
}

/// The run of a stream of 25 pictures a second that a viewer joins `ms` after its key frame.
fn run(ms: i64, video_bytes: usize) -> Vec<(Frame, Option<u64>)> {
    let recipe = Recipe { gop: 1000, video_bytes, ..Recipe::default() };
    recipe.frames_for(ms).into_iter().map(|frame| (frame, Some(7))).collect()
}

#[test]
fn a_viewer_gets_a_short_run_as_one_burst_and_sees_its_newest_picture() {
    for span in [40, 1000, 3000, 4000] {
        let mut origin = Origin::new();
        origin.sender.start(&run(span, 400), Start::Gop, origin.now());
        let said = origin.actions();
        assert_eq!(said.len(), 3, "metadata and both headers: {said:?}");
        let burst = origin.sender.next_stream(origin.now()).unwrap();
        assert_eq!((burst.priority >> 27, burst.chunks[0][0]), (4, BURST));
        let all = messages(&burst);
        let pictures: Vec<&Header> =
            all.iter().map(|(h, _)| h).filter(|h| h.kind == Kind::Video).collect();
        assert_eq!(pictures.len() as i64, (span + 39) / 40);
        assert!(pictures[0].flags.key && pictures[0].flags.start);
        let newest = pictures.last().unwrap();
        let from = all.iter().position(|(h, _)| h == *newest).unwrap();
        assert!(all.iter().enumerate().all(|(n, (h, _))| h.flags.catchup == (n < from)));
        assert!(pictures.iter().enumerate().all(|(n, h)| h.seq == n as u32 + 1 && h.gop == 1));
        assert!(all.iter().all(|(h, _)| h.ingest_us == Some(7) && !h.flags.start || h.seq == 1));
        let end = i64::from(newest.timestamp);
        let sound: Vec<&Header> =
            all.iter().map(|(h, _)| h).filter(|h| h.kind == Kind::Audio).collect();
        assert!(sound.iter().all(|h| i64::from(h.timestamp) >= end - 300));
        assert!(sound.iter().enumerate().all(|(n, h)| h.seq == n as u32 + 1), "without a hole");
        assert!(sound.len() <= 11);
        assert!(origin.sender.next_stream(origin.now()).is_none());
        origin.delta();
        assert_eq!(origin.seqs(), [pictures.len() as u32 + 1], "and then it goes on");
    }
}

#[test]
fn a_viewer_gets_the_key_frame_of_a_long_run_and_moves_on_at_the_next() {
    let short = (run(2000, 400), Start::Key);
    for (frames, start) in [(run(4500, 400), Start::Gop), (run(3000, 40_000), Start::Gop), short] {
        let mut origin = Origin::new();
        origin.sender.start(&frames, start, origin.now());
        let sent = origin.delivers();
        assert_eq!(sent.len(), 1, "{sent:?}");
        assert!(sent[0].flags.key && sent[0].flags.start && !sent[0].flags.catchup);
        assert!(origin.sender.is_gated());
        assert_eq!(origin.sender.stats(origin.now()).gatings, 0, "for no fault of the path");
        origin.delta();
        origin.sound();
        assert_eq!(origin.delivers().iter().map(|h| h.kind).collect::<Vec<_>>(), [Kind::Audio]);
        origin.key();
        origin.delta();
        let sent = origin.delivers();
        assert!(sent[0].flags.start, "after a gap that we made");
        assert_eq!(sent.iter().map(|h| h.seq).collect::<Vec<_>>(), [3, 4]);
    }
}

#[test]
fn a_viewer_of_sound_alone_gets_the_newest_of_it() {
    let frames: Vec<_> =
        Recipe::audio_only().frames_for(2000).into_iter().map(|f| (f, None)).collect();
    let mut origin = Origin::new();
    origin.sender.start(&frames, Start::Gop, origin.now());
    let burst = origin.sender.next_stream(origin.now()).expect("what is not older than 300 ms");
    assert_eq!((burst.priority >> 27, burst.chunks[0][0]), (5, BURST));
    let all = messages(&burst);
    assert!((5..=11).contains(&all.len()));
    assert!(all.iter().enumerate().all(|(n, (h, _))| h.seq == n as u32 + 1));
    origin.sound();
    assert_eq!(origin.seqs(), [all.len() as u32 + 1]);
}

#[test]
fn a_viewer_of_a_stream_that_has_not_begun_starts_with_its_first_key_frame() {
    let mut origin = Origin::new();
    origin.sender.start(&[], Start::Gop, origin.now());
    origin.sender.start(&run(0, 400), Start::Gop, origin.now());
    origin.delta();
    origin.key();
    let sent = origin.delivers();
    assert_eq!((sent.len(), sent[0].seq, sent[0].flags.start), (1, 2, true));
}

#[test]
fn configuration_is_said_before_the_media_that_needs_it_and_once() {
    let frames = Recipe::default().frames_for(80);
    let mut origin = Origin::new();
    for frame in frames.iter().chain(&frames[..3]) {
        origin.sender.push(frame, None, origin.now());
    }
    let said: Vec<(u8, u8)> = origin
        .actions()
        .into_iter()
        .map(|a| match a {
            Action::Say(m) => (m.message_type, m.cfg),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(said, [(18, 1), (9, 1), (8, 1)]);
    assert!(origin.delivers().iter().all(|h| h.cfg == 1));
    let changed = Recipe { size: (1280, 720), ..Recipe::default() }.configuration();
    origin.sender.push(&changed[1], None, origin.now());
    origin.key();
    origin.sound();
    let cfgs: Vec<_> = origin.delivers().iter().map(|h| (h.kind, h.cfg)).collect();
    assert_eq!(cfgs, [(Kind::Audio, 1), (Kind::Video, 2)]);
}

#[test]
fn a_seventeenth_track_is_not_sent() {
    let mut origin = Origin::new();
    for track in 0..20 {
        let body = Bytes::from_static(&[0xaf, 1, 0]);
        let frame = Frame { track, ..Frame::new(Kind::Audio, 0, body) };
        origin.sender.push(&frame, None, origin.now());
    }
    assert_eq!(origin.seqs().len(), 16);
}

#[test]
fn what_the_peer_has_turned_off_is_given_up_and_pictures_come_back_with_a_key_frame() {
    let mut origin = Origin::new();
    origin.key();
    let sent = origin.opens()[0].0;
    origin.delta();
    origin.sound();
    assert_eq!(origin.sender.queued_frames(), (1, 2));
    origin.sender.turn_off(Kind::Video, origin.now());
    assert_eq!(origin.resets(), [(sent, Reset::TrackOff)]);
    assert_eq!((origin.sender.queued_frames(), origin.dropped(Reset::TrackOff)), ((1, 0), 2));
    origin.delta();
    origin.key();
    let sent: Vec<_> = origin.delivers().iter().map(|h| (h.kind, h.seq, h.flags.start)).collect();
    assert_eq!(sent, [(Kind::Audio, 1, true), (Kind::Video, 4, true)]);
    origin.sound();
    origin.sender.turn_off(Kind::Audio, origin.now());
    origin.delta();
    assert_eq!(origin.seqs(), [5], "without sound pictures go on");
}
