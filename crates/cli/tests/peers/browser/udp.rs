//! RTMP over UDP by WebTransport, with pages written from the specification alone.

use std::time::Duration;

use serde_json::{Value, json};
use thalweg_wire::rtmp_udp::Close;

use super::webdriver::{Browser, serve_pages};
use crate::common::Server;
use crate::lan::Room;
use crate::tools::{run, text};

#[test]
fn the_clock_arrives_for_half_a_minute() {
    let room = Room::open("room-udp-play");
    let browser = Browser::open("browser-udp-play");
    let (origin, url) = (room.http(), room.rtc_url());
    browser.go(&page("play", &[("origin", &origin), ("url", &url), ("seconds", "30")]));
    browser.wait_for(&["playing"], SOON);
    std::thread::sleep(HALF_WAY);
    browser.photograph("udp-play.png");
    let seen = browser.wait_for(&["done"], HALF_A_MINUTE);

    let pictures = Picture::all(&seen);
    let in_order = pictures.windows(2).filter(|pair| pair[1].follows(&pair[0])).count();
    assert!(in_order * 100 >= WANTED * 99, "{in_order} of {WANTED} in order");
    let read = pictures.iter().filter(|p| p.number.is_some()).count();
    assert_eq!(read, pictures.len(), "every bar code can be read");
    assert_eq!(seen["decoderErrors"], json!([]));
    let sounds = seen["sounds"].as_u64().unwrap();
    assert!(sounds.abs_diff(WANTED as u64 * 40 / 32) < 60, "{sounds} messages of sound");
    // It is one machine's clock that is asked and that is compared with.
    let offset = seen["clock"]["offset"].as_f64().unwrap() - seen["timeOrigin"].as_f64().unwrap();
    assert!(offset.abs() < 50.0, "the clocks differ by {offset} ms");

    let [behind, transit] = [|p: &Picture| p.behind_ms, |p: &Picture| p.transit_ms]
        .map(|of| Percentiles::of(pictures.iter().filter_map(of).collect()));
    println!("behind the wall clock: {behind}");
    println!("since the server had it: {transit}");
    println!(
        "connected after {:.0} ms, first picture after {:.0} ms, with {} caught up; {in_order} in order",
        seen["connectedAfter"].as_f64().unwrap(),
        seen["firstPictureAfter"].as_f64().unwrap(),
        seen["caughtUp"],
    );
    assert!(behind.p50 < 400.0, "the protocol's reason to be");
}

#[test]
fn a_page_is_told_why_it_may_not_watch() {
    let room = Room::open("room-udp-refusal");
    let browser = Browser::open("browser-udp-refusal");
    let origin = room.http();
    let expired = room.rtc_url().replace("txTime=", "txTime=1");
    let page = page("play", &[("origin", &origin), ("url", &expired)]);
    let told = (0..TRIES).any(|_| {
        browser.go(&page);
        let seen = browser.wait_for(&["refused"], SOON);
        assert_eq!(seen["statuses"][1], "onStatus NetStream.Play.Failed auth-bad", "{seen:#}");
        // As for the code of the close, Chromium itself forgets one in four.
        let closed = &seen["closed"];
        closed["closeCode"] == Close::Auth as u32
            && closed["reason"].as_str().unwrap().contains("signature")
    });
    assert!(told, "in {TRIES} tries");
}

#[test]
fn a_canvas_is_published_and_everybody_sees_it() {
    let more = "public_host = \"127.0.0.1\"\npublish.republish_wait_s = 1";
    let server = Server::with("browser-udp-publish", more);
    let urls = server.urls("canvas");
    let file = server.folder.file("canvas.flv");
    let seen = std::thread::scope(|s| {
        // It waits for the stream, and ends with it.
        s.spawn(|| run("curl", &["-sS", "--max-time", "30", "-o", &file, &urls.flv]));
        let browser = Browser::open("browser-udp-publisher");
        let origin = format!("http://127.0.0.1:{}", server.http_port);
        let parameters = [("origin", &*origin), ("url", &urls.push), ("watch", &urls.rtc)];
        browser.go(&page("publish", &parameters));
        browser.wait_for(&["publishing"], SOON);
        std::thread::sleep(SOME_OF_IT);
        browser.photograph("udp-publish.png");
        browser.wait_for(&["done"], SOON)
    });
    let number = |name: &str| seen[name].as_u64().unwrap();
    let drawn = number("drawn");
    assert_eq!((drawn, number("sent")), (8 * 20, 8 * 20), "{seen:#}");
    assert_eq!((&seen["encoderErrors"], &seen["streamErrors"]), (&json!([]), &json!([])));
    assert_eq!(seen["report"]["lost"], 0, "{seen:#}");

    // Whoever asks for a key frame is heard by the page, whose next picture is one.
    let asked: Vec<_> = seen["keyRequests"].as_array().unwrap().iter().collect();
    let keys = seen["keys"].as_array().unwrap();
    assert!(!asked.is_empty(), "{seen:#}");
    for drawn in asked {
        let next = drawn.as_u64().unwrap() + 1;
        assert!(keys.contains(&next.into()), "{next} is no key frame: {seen:#}");
    }

    let count = ["-v", "error", "-count_frames", "-select_streams", "v", "-of", "json"];
    let output = run("ffprobe", &[&count[..], &["-show_streams", &file]].concat());
    let probe: Value = serde_json::from_slice(&output.stdout).unwrap();
    let video = &probe["streams"][0];
    let size = (&video["codec_name"], &video["width"], &video["height"]);
    assert_eq!(size, (&json!("h264"), &seen["width"], &seen["height"]));
    let decoded: u64 = video["nb_read_frames"].as_str().unwrap().parse().unwrap();
    println!("{decoded} of {drawn} pictures decoded, key frames {}", seen["keys"]);
    assert!(decoded * 100 >= drawn * 95, "{decoded} of {drawn}");
    assert_eq!(text(&output), String::from_utf8_lossy(&output.stdout), "ffprobe has no complaint");

    // A browser that comes and goes is nothing that an operator is warned of.
    server.terminate();
    server.wait_for(|line| {
        assert_ne!(line["level"], "WARN", "{line}");
        line["message"] == "stopped"
    });
}

/// A page, with what it has to know.
fn page(name: &str, parameters: &[(&str, &str)]) -> String {
    // A signed URL has nothing else that would mean something here.
    let text = |(name, value): &(&str, &str)| format!("{name}={}", value.replace('&', "%26"));
    let parameters: Vec<_> = parameters.iter().map(text).collect();
    format!("{}/{name}.html?{}", serve_pages(), parameters.join("&"))
}

/// A picture that was shown.
struct Picture {
    seq: u64,
    timestamp_ms: u64,
    /// What its bar code says.
    number: Option<u64>,
    behind_ms: Option<f64>,
    transit_ms: Option<f64>,
}

impl Picture {
    fn all(seen: &Value) -> Vec<Picture> {
        let read = |p: &Value| Picture {
            seq: p[0].as_u64().unwrap(),
            timestamp_ms: p[1].as_u64().unwrap(),
            number: p[2].as_u64(),
            behind_ms: p[3].as_f64(),
            transit_ms: p[4].as_f64(),
        };
        seen["pictures"].as_array().unwrap().iter().map(read).collect()
    }

    /// By its number in the stream, its time, and what it shows.
    fn follows(&self, before: &Picture) -> bool {
        self.seq == before.seq + 1
            && self.timestamp_ms == before.timestamp_ms + 40
            && self.number == before.number.map(|n| (n + 1) % 1500)
    }
}

/// Times, ms.
struct Percentiles {
    p50: f64,
    p95: f64,
    max: f64,
}

impl Percentiles {
    fn of(mut times: Vec<f64>) -> Percentiles {
        times.sort_by(f64::total_cmp);
        let at = |percent: usize| times[(times.len() - 1) * percent / 100];
        Percentiles { p50: at(50), p95: at(95), max: at(100) }
    }
}

impl std::fmt::Display for Percentiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "p50 {:.1} ms, p95 {:.1} ms, max {:.1} ms", self.p50, self.p95, self.max)
    }
}

/// Pictures of half a minute.
const WANTED: usize = 750;
const TRIES: usize = 8;
const SOON: Duration = Duration::from_secs(15);
const SOME_OF_IT: Duration = Duration::from_secs(6);
const HALF_WAY: Duration = Duration::from_secs(15);
const HALF_A_MINUTE: Duration = Duration::from_secs(35);
