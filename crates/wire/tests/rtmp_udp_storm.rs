//! RTMP-UDP over a path whose weather changes all the time: whatever happens, [`Link`]'s checks hold,
//! and when the sky clears everything flows again.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use thalweg_testkit::camera::Camera;
use thalweg_testkit::lossy::{Link, Loss, Random, Weather};
use thalweg_testkit::media::Recipe;
use thalweg_wire::media::{Frame, Kind};
use thalweg_wire::rtmp_udp::receiver::Purpose;

const STORM: u64 = 10_000;
const END: u64 = 16_000;
const SEEDS: u64 = 60;

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Weather that the seed makes up.
fn weather(random: &mut Random, camera: &Camera) -> Weather {
    let percent = 1 + random.below(40);
    let loss = match random.below(6) {
        0 => Loss::No,
        1 | 2 => Loss::Random(percent),
        3 | 4 => Loss::Bursts(percent, 1 + random.below(20)),
        _ => Loss::All,
    };
    let bits_per_s = match random.below(4) {
        0 => camera.bits_per_s() * u64::from(20 + random.below(200)) / 100,
        _ => 0,
    };
    let credit = [1024, 100, 1 + random.below(20) as usize][random.below(3) as usize];
    Weather { loss, bits_per_s, credit, ..Weather::default() }
}

/// Ten seconds of storm, and six of sun.
fn story(seed: u64) -> Link {
    let mut random = Random(seed);
    let purposes =
        [Purpose::Play { conceal: false }, Purpose::Play { conceal: true }, Purpose::Ingest];
    let camera = Camera { disposable: random.below(2) == 0, ..Camera::default() };
    let purpose = purposes[random.below(3) as usize];
    let mut link = Link::new(seed, Weather::default(), purpose, camera.bits_per_s());
    let headers = [(640, 360), (1280, 720)]
        .map(|size| Recipe { size, ..Recipe::default() }.configuration().remove(1));
    for frame in camera.frames(0, END as i64) {
        link.run_until(ms(frame.dts as u64));
        if frame.dts as u64 >= STORM {
            link.weather = Weather::default();
        } else if random.below(20) == 0 {
            link.weather = weather(&mut random, &camera);
        }
        if frame.key {
            // Now and then another configuration.
            let header = &headers[random.below(2) as usize];
            link.push(&Frame { dts: frame.dts, ..header.clone() });
        }
        match random.below(400) {
            0 => link.sender.handle_key_request(),
            // A frame is passed over before it comes here, and what it was does not matter.
            1 if (frame.dts as u64) < STORM => {
                let now = link.now();
                link.sender.skip(now);
                continue;
            }
            _ => {}
        }
        link.push(&frame);
    }
    link.run_until(ms(END + 4000));
    link
}

#[test]
fn whatever_the_weather_everything_flows_again_when_it_clears() {
    for seed in 0..SEEDS {
        // Says which story it was that broke off.
        eprintln!("seed {seed}");
        let link = story(seed);
        let late = |kind| {
            link.of(kind).filter(|s| s.arrived.frame.dts as u64 >= STORM + 3000).collect::<Vec<_>>()
        };
        let (pictures, sounds) = (late(Kind::Video), late(Kind::Audio));
        assert_eq!(pictures.len(), 90, "seed {seed}");
        assert!(sounds.len() >= 130, "seed {seed}: {}", sounds.len());
        let slowest = pictures.iter().chain(&sounds).map(|s| s.delay).max().unwrap();
        assert!(slowest < ms(200), "seed {seed}: {slowest:?}");
        assert_eq!(link.sender.queued_bytes(), 0, "seed {seed}: nothing stays behind");
        assert_eq!(link.receiver.held_bytes(), 0, "seed {seed}");
        assert!(!link.receiver.wants_key() && !link.sender.is_gated(), "seed {seed}");
    }
}
