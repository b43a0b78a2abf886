//! Stories of RTMP-UDP's media over paths that lose packets: seeded, in virtual time.
//!
//! [`Link`] checks each frame that comes out: once, in order, with its configuration and everything it
//! refers to. The stories say how much comes out, and when. Their bounds leave room: what matters is
//! that a rule holds, not the seed's exact figure.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use thalweg_testkit::camera::Camera;
use thalweg_testkit::lossy::{Link, Loss, Seen, Weather};
use thalweg_testkit::media::Recipe;
use thalweg_wire::media::{Frame, Kind};
use thalweg_wire::rtmp_udp::Reset;
use thalweg_wire::rtmp_udp::receiver::Purpose;
use thalweg_wire::rtmp_udp::sender::Start;

const PLAY: Purpose = Purpose::Play { conceal: false };
const CONCEAL: Purpose = Purpose::Play { conceal: true };
/// Each story is told with each of these.
const SEEDS: [u64; 5] = [1, 2, 3, 4, 5];

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// The time of a frame in its stream.
fn dts(frame: &Frame) -> Duration {
    ms(frame.dts as u64)
}

/// Half a minute of a camera over a path.
fn watch(seed: u64, weather: Weather, camera: &Camera) -> Link {
    watch_as(PLAY, seed, weather, camera)
}

fn watch_as(purpose: Purpose, seed: u64, weather: Weather, camera: &Camera) -> Link {
    let mut link = Link::new(seed, weather, purpose, camera.bits_per_s());
    link.play(&camera.frames(0, 30_000));
    link.run_until(ms(34_000));
    link
}

fn losing(loss: Loss) -> Weather {
    Weather { loss, ..Weather::default() }
}

#[test]
fn without_loss_every_frame_comes_after_one_way() {
    let link = watch(1, Weather::default(), &Camera::default());
    assert_eq!((link.missing(Kind::Video), link.missing(Kind::Audio)), (0, 0));
    assert_eq!(link.of(Kind::Video).count(), 900);
    assert!(link.seen.iter().all(|s| s.delay == ms(25)));
    assert_eq!(link.sender.stats(link.now()).dropped, [0; Reset::ALL.len()]);
    assert_eq!((link.sender.queued_bytes(), link.receiver.held_bytes()), (0, 0));
}

#[test]
fn at_ten_percent_and_a_round_trip_of_50_ms_almost_everything_comes_in_400_ms() {
    for seed in SEEDS {
        let link = watch(seed, losing(Loss::Random(10)), &Camera::default());
        let (lost, unheard) = (link.missing(Kind::Video), link.missing(Kind::Audio));
        assert!(lost <= 30 && unheard <= 10, "seed {seed}: {lost} of 900, {unheard} of 1300");
        for kind in [Kind::Video, Kind::Audio] {
            let p99 = link.delay(kind, 99);
            assert!(p99 < ms(400), "seed {seed}: {kind:?} {p99:?}");
        }
        assert!(link.delay(Kind::Video, 50) < ms(150), "seed {seed}");
        assert!(link.too_narrow.is_empty(), "seed {seed}: loss by chance is no narrow path");
    }
}

#[test]
fn at_twice_the_round_trip_it_still_flows() {
    for seed in SEEDS {
        let weather = Weather { one_way: ms(50), ..losing(Loss::Random(10)) };
        let link = watch(seed, weather, &Camera::default());
        let (lost, p99) = (link.missing(Kind::Video), link.delay(Kind::Video, 99));
        assert!(lost <= 180, "seed {seed}: {lost} of 900");
        assert!(p99 < ms(800), "seed {seed}: {p99:?}");
    }
}

#[test]
fn after_an_outage_of_a_second_pictures_resume_within_a_gop_and_sound_at_once() {
    for seed in SEEDS {
        // A quarter of a second of GOP apart each time.
        let from = 5000 + 250 * seed;
        let mut link = Link::new(seed, Weather::default(), PLAY, Camera::default().bits_per_s());
        let frames = Camera::default().frames(0, 15_000);
        let (before, later) = frames.split_at(frames.partition_point(|f| dts(f) < ms(from)));
        let (during, after) = later.split_at(later.partition_point(|f| dts(f) < ms(from + 1000)));
        link.play(before);
        link.weather.loss = Loss::All;
        link.play(during);
        link.weather.loss = Loss::No;
        link.play(after);
        link.run_until(ms(18_000));

        let first = link.of(Kind::Video).find(|s| s.at > ms(from + 1000)).unwrap();
        assert!(first.arrived.flags.key && first.arrived.flags.start, "seed {seed}");
        let pause = link.longest_pause(Kind::Video);
        assert!(pause >= ms(1000) && pause < ms(1000 + 1000 + 300), "seed {seed}: {pause:?}");
        let pause = link.longest_pause(Kind::Audio);
        assert!(pause < ms(1000 + 300), "seed {seed}: {pause:?} without sound");
        let healthy = link
            .seen
            .iter()
            .filter(|s| dts(&s.arrived.frame) >= ms(from + 2300))
            .collect::<Vec<_>>();
        assert!(healthy.iter().all(|s| s.delay < ms(60)), "seed {seed}: as before");
        let all_after = after.iter().filter(|f| dts(f) >= ms(from + 2300)).count();
        assert_eq!(healthy.len(), all_after, "seed {seed}: and nothing is missing");
    }
}

#[test]
fn over_half_the_bitrate_pictures_are_held_back_and_sound_keeps_flowing() {
    for seed in SEEDS {
        let camera = Camera::default();
        let bits_per_s = camera.bits_per_s() / 2;
        let link = watch(seed, Weather { bits_per_s, ..losing(Loss::Random(1)) }, &camera);
        let stats = link.sender.stats(link.now());
        assert!(stats.gatings > 3 && stats.gated > ms(3000), "seed {seed}: {stats:?}");
        assert!(!link.too_narrow.is_empty(), "seed {seed}: and the viewer is told");
        let keys = link.of(Kind::Video).filter(|s| s.arrived.flags.key).count();
        assert!(keys >= 10, "seed {seed}: {keys} key frames of 30");
        let (unheard, p95) = (link.missing(Kind::Audio), link.delay(Kind::Audio, 95));
        assert!(unheard < 130 && p95 < ms(400), "seed {seed}: {unheard} of 1300, {p95:?}");
        let p95 = link.delay(Kind::Video, 95);
        assert!(p95 < ms(1200), "seed {seed}: what comes is not old: {p95:?}");
    }
}

#[test]
fn a_path_that_gets_wide_again_is_used_again() {
    let camera = Camera::default();
    let narrow = Weather { bits_per_s: camera.bits_per_s() / 2, ..Weather::default() };
    let mut link = Link::new(1, narrow, PLAY, camera.bits_per_s());
    let frames = camera.frames(0, 20_000);
    let (narrow, wide) = frames.split_at(frames.partition_point(|f| dts(f) < ms(10_000)));
    link.play(narrow);
    link.weather.bits_per_s = 0;
    link.play(wide);
    link.run_until(ms(22_000));
    let late: Vec<_> = link.seen.iter().filter(|s| dts(&s.arrived.frame) >= ms(13_000)).collect();
    assert_eq!(late.len(), wide.iter().filter(|f| dts(f) >= ms(13_000)).count());
    assert!(late.iter().all(|s| s.delay < ms(100)));
}

/// A viewer who joins `age` ms after the first key frame.
fn join(camera: &Camera, weather: Weather, age: u64) -> Link {
    let mut link = Link::new(1, weather, PLAY, camera.bits_per_s());
    link.run_until(ms(age));
    link.start(&camera.frames(0, age as i64), Start::Gop);
    let later = camera.frames(age as i64, age as i64 + 12_000);
    link.play(&later[3..]);
    link.run_until(ms(age + 15_000));
    link
}

#[test]
fn a_late_viewer_gets_a_picture_at_once_whatever_the_gop() {
    let lossy = Loss::Random(5);
    for (gop_s, ages, loss) in [
        (1, [40, 500, 999], Loss::No),
        (1, [40, 500, 999], lossy),
        (3, [100, 1500, 2900], Loss::No),
        (3, [100, 1500, 2900], lossy),
        (8, [100, 2000, 3900], Loss::No),
        (8, [100, 1000, 2000], lossy),
    ] {
        for age in ages {
            let camera = Camera { gop: 30 * gop_s, ..Camera::default() };
            let link = join(&camera, losing(loss), age);
            let first = link.of(Kind::Video).next().unwrap();
            let took = first.at - ms(age);
            assert!(first.arrived.flags.key && first.arrived.flags.start);
            assert!(took < ms(400), "GOP {gop_s} s at {age}: {took:?}");
            let shown = link.of(Kind::Video).find(|s| !s.arrived.flags.catchup).unwrap();
            let behind = ms(age) - dts(&shown.arrived.frame).min(ms(age));
            assert!(behind <= ms(34), "GOP {gop_s} s at {age}: the first shown is the newest");
            assert!(shown.at - ms(age) < ms(700), "GOP {gop_s} s at {age}: {:?}", shown.at);
            let pause = link.longest_pause(Kind::Video);
            assert!(pause < ms(700), "GOP {gop_s} s at {age}: {pause:?}");
            let old = link.of(Kind::Audio).map(|s| dts(&s.arrived.frame)).min().unwrap();
            assert!(old + ms(300) >= ms(age) - ms(34), "sound of {old:?} in a burst at {age}");
        }
    }
}

#[test]
fn a_viewer_who_joins_late_in_a_long_gop_gets_a_still_picture_until_the_next() {
    for age in [4200, 7900] {
        let camera = Camera { gop: 240, ..Camera::default() };
        let link = join(&camera, Weather::default(), age);
        let mut pictures = link.of(Kind::Video);
        let still = pictures.next().unwrap();
        assert!(still.arrived.flags.start && !still.arrived.flags.catchup);
        assert!(still.at - ms(age) < ms(150), "{:?}", still.at);
        let next = pictures.next().unwrap();
        assert!(next.arrived.flags.key && next.arrived.flags.start);
        assert_eq!(dts(&next.arrived.frame), ms(8000), "no picture of the GOP in between");
        let sound = link.of(Kind::Audio).next().unwrap();
        assert!(sound.at - ms(age) < ms(60), "sound does not wait");
        assert_eq!(link.longest_pause(Kind::Audio), ms(23));
    }
}

#[test]
fn a_burst_of_more_than_two_megabytes_is_a_still_picture() {
    let camera = Camera { gop: 120, delta_bytes: 40_000, ..Camera::default() };
    let link = join(&camera, Weather::default(), 3000);
    assert!(link.of(Kind::Video).all(|s| !s.arrived.flags.catchup));
    let second = link.of(Kind::Video).nth(1).unwrap();
    assert_eq!(dts(&second.arrived.frame), ms(4000));
}

#[test]
fn a_decoder_that_conceals_stands_still_less_often() {
    let mut stops = [0, 0];
    for seed in SEEDS {
        for (n, purpose) in [PLAY, CONCEAL].into_iter().enumerate() {
            let link = watch_as(purpose, seed, losing(Loss::Bursts(20, 5)), &Camera::default());
            let times = || link.of(Kind::Video).map(|s| s.at);
            stops[n] += times().zip(times().skip(1)).filter(|(a, b)| *b - *a > ms(200)).count();
        }
    }
    assert!(stops[1] <= stops[0], "{stops:?}");
}

#[test]
fn pictures_that_nobody_refers_to_are_lost_first_and_harm_nobody() {
    for seed in SEEDS {
        let camera = Camera { disposable: true, ..Camera::default() };
        let link = watch(seed, losing(Loss::Random(15)), &camera);
        let pictures = link.of(Kind::Video).count();
        assert!(pictures >= 720, "seed {seed}: {pictures} of 900");
        let missed = link.of(Kind::Video).filter(|s| s.arrived.flags.after_disposable == 1);
        assert!(missed.count() >= 300, "seed {seed}");
    }
}

#[test]
fn bursts_of_loss_and_a_credit_of_100_streams_at_60_pictures_a_second() {
    for seed in SEEDS {
        let camera = Camera { fps: 60, gop: 60, delta_bytes: 3500, ..Camera::default() };
        let weather = Weather { credit: 100, ..losing(Loss::Bursts(20, 5)) };
        let link = watch(seed, weather, &camera);
        assert!(link.open_max <= 100);
        let (lost, unheard) = (link.missing(Kind::Video), link.missing(Kind::Audio));
        assert!(lost < 900, "seed {seed}: {lost} of 1800");
        assert!(unheard < 130, "seed {seed}: {unheard} of 1300");
        let p95 = link.delay(Kind::Audio, 95);
        assert!(p95 < ms(400), "seed {seed}: {p95:?}");
        let last = link.of(Kind::Video).last().unwrap();
        assert!(last.at > ms(29_000), "seed {seed}: it goes on to the end: {:?}", last.at);
        assert_eq!(link.sender.queued_bytes(), 0, "and nothing stays behind");
        assert_eq!(link.receiver.held_bytes(), 0);
    }
}

#[test]
fn with_hardly_any_credit_sound_goes_first() {
    for seed in SEEDS {
        let weather = Weather { credit: 3, ..losing(Loss::Random(10)) };
        let link = watch(seed, weather, &Camera::default());
        assert!(link.open_max <= 3);
        let unheard = link.missing(Kind::Audio);
        assert!(unheard < 130, "seed {seed}: {unheard} of 1300");
        assert!(link.delay(Kind::Audio, 95) < ms(400), "seed {seed}");
        assert!(link.of(Kind::Video).last().unwrap().at > ms(25_000), "seed {seed}");
    }
}

#[test]
fn configuration_that_changes_all_the_time_is_always_there_before_its_pictures() {
    for seed in SEEDS {
        // A new one with each key frame, five a second: generations go round once.
        let camera = Camera { gop: 6, key_bytes: 6000, delta_bytes: 1500, ..Camera::default() };
        let headers = [(640, 360), (1280, 720)]
            .map(|size| Recipe { size, ..Recipe::default() }.configuration().remove(1));
        let mut frames = Vec::new();
        for frame in camera.frames(0, 60_000) {
            if frame.key {
                let header = &headers[frame.dts as usize / 200 % 2];
                frames.push(Frame { dts: frame.dts, ..header.clone() });
            }
            frames.push(frame);
        }
        let mut link = Link::new(seed, losing(Loss::Random(10)), PLAY, camera.bits_per_s());
        link.play(&frames);
        link.run_until(ms(63_000));
        let (seen, lost) = (link.of(Kind::Video).count(), link.missing(Kind::Video));
        assert!(lost < seen / 10, "seed {seed}: {lost} of {}", seen + lost);
    }
}

#[test]
fn a_server_that_takes_in_a_publication_goes_on_at_the_next_key_frame() {
    for seed in SEEDS {
        let link = watch_as(Purpose::Ingest, seed, losing(Loss::Bursts(10, 5)), &Camera::default());
        assert!(link.longest_pause(Kind::Video) < ms(3500), "seed {seed}");
        assert!(link.missing(Kind::Video) < 450, "seed {seed}: {}", link.missing(Kind::Video));
        assert!(link.of(Kind::Video).last().unwrap().at > ms(29_000), "seed {seed}");
    }
}

#[test]
fn a_publisher_that_makes_key_frames_on_request_is_soon_seen_again() {
    for seed in SEEDS {
        // One key frame in the whole story, unless somebody wants another.
        let camera = Camera { gop: 900, ..Camera::default() };
        let mut link =
            Link::new(seed, losing(Loss::Random(2)), Purpose::Ingest, camera.bits_per_s());
        for (n, frame) in camera.frames(0, 15_000).into_iter().enumerate() {
            link.run_until(dts(&frame));
            let outage = ms(5000)..ms(5700);
            link.weather.loss =
                if outage.contains(&dts(&frame)) { Loss::All } else { Loss::Random(2) };
            let wanted = link.receiver.wants_key() || link.sender.is_gated();
            if frame.kind == Kind::Video && !frame.key && wanted && !outage.contains(&dts(&frame)) {
                link.push(&camera.key_frame(n as i64, frame.dts));
            } else {
                link.push(&frame);
            }
        }
        link.run_until(ms(18_000));
        let pause = link.longest_pause(Kind::Video);
        assert!(pause > ms(700) && pause < ms(1300), "seed {seed}: {pause:?}");
        assert!(link.of(Kind::Video).last().unwrap().at > ms(14_900), "seed {seed}");
    }
}

#[test]
fn a_story_is_the_same_each_time_it_is_told() {
    let tell = |seed| {
        let link = watch(seed, losing(Loss::Bursts(20, 5)), &Camera::default());
        let seen = |s: &Seen| (s.at, s.arrived.frame.kind, s.arrived.seq);
        link.seen.iter().map(seen).collect::<Vec<_>>()
    };
    assert_eq!(tell(1), tell(1));
    assert_ne!(tell(1), tell(2));
}
