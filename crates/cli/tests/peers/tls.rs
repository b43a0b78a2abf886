//! curl, OpenSSL and ffmpeg, by the URLs with TLS that `demo --lan` prints.

use serde_json::{Value, json};

use crate::lan::Room;
use crate::tools::{Probe, run, run_any, text};

#[test]
fn curl_and_openssl_believe_the_printed_authority() {
    let room = Room::open("room-curl");
    let (authority, file) = (room.authority(), room.folder.file("out.flv"));
    let flv = room.url("https://", "clock.flv");
    run_any("curl", &["-s", "--cacert", &authority, "--max-time", "4", "-o", &file, &flv]);
    Probe::of(&file).assert_clock(3);
    let distrusting = run_any("curl", &["-sS", "--max-time", "4", &flv]);
    assert_eq!(distrusting.status.code(), Some(60), "{}", text(&distrusting));

    let page = room.url("https://", "/demo/");
    let page = text(&run("curl", &["-sS", "--cacert", &authority, &page]));
    assert!(page.contains("<title>Thalweg demo</title>"), "{page}");
    let certificate = room.folder.file("downloaded.crt");
    run("curl", &["-sS", "-o", &certificate, &room.url("http://", "authority.crt")]);
    let fingerprint =
        text(&run("openssl", &["x509", "-noout", "-fingerprint", "-sha256", "-in", &certificate]));
    let fingerprint = fingerprint.trim().rsplit('=').next().unwrap();
    assert!(room.said.contains(fingerprint), "{fingerprint} is not the printed one");

    let rtmps = room.url("rtmps://", "clock");
    let at = rtmps.trim_start_matches("rtmps://").split('/').next().unwrap();
    let said = text(&run_any(
        "openssl",
        &["s_client", "-brief", "-verify_return_error", "-CAfile", &authority, "-connect", at],
    ));
    assert!(said.contains("TLSv1.3") && said.contains("Verification: OK"), "{said}");
    let old = ["s_client", "-brief", "-CAfile", &authority, "-tls1_2", "-connect", at];
    assert!(text(&run_any("openssl", &old)).contains("TLSv1.2"));
}

#[test]
fn a_page_finds_udp_with_and_without_tls() {
    let room = Room::open("room-ull");
    let [http, https] = [room.url("http://", "clock.flv"), room.url("https://", "clock.flv")]
        .map(|flv| flv.replace("/live/clock.flv", "/ull"));
    let plain = text(&run("curl", &["-sSi", "-H", "Origin: http://other", &http]));
    let (head, plain) = plain.split_once("\r\n\r\n").unwrap();
    assert!(head.to_lowercase().contains("access-control-allow-origin: *"), "{head}");
    let secure = text(&run("curl", &["-sS", "--cacert", &room.authority(), &https]));
    assert_eq!(plain, secure);

    let ull: Value = serde_json::from_str(plain).unwrap();
    let rtmp = room.url("rtmp://", "/live/clock");
    let at = format!("rtmp://{}:{}/", ull["host"].as_str().unwrap(), ull["udpPort"]);
    assert!(rtmp.starts_with(&at), "{rtmp} is elsewhere: {ull}");
    assert_eq!((&ull["path"], &ull["alpn"]), (&json!("/rtmp-udp/1"), &json!("rtmp-udp/1")));
    // A browser takes no authority of a room for UDP: it is told what the certificates are.
    let hashes = ull["certSha256"].as_array().unwrap();
    let is_hash = |h: &Value| h.as_str().unwrap().bytes().all(|b| b.is_ascii_hexdigit());
    assert!(hashes.len() == 2 && hashes.iter().all(is_hash), "{ull}");
    assert_eq!(hashes[0].as_str().unwrap().len(), 64);
}

#[test]
fn ffmpeg_watches_and_pushes() {
    let room = Room::open("room-ffmpeg");
    let authority = room.authority();
    let tls = ["-ca_file", authority.as_str(), "-tls_verify", "1"];
    let mut kept = String::new();
    for (begin, end) in [("rtmps://", "clock"), ("https://", "clock.flv")] {
        let url = room.url(begin, end);
        let file = room.folder.file(&format!("{}.flv", &begin[..5]));
        let mut args = vec!["-v", "error"];
        args.extend(tls);
        args.extend(["-i", &url, "-t", "4", "-c", "copy", &file]);
        run("ffmpeg", &args);
        Probe::of(&file).assert_clock(4);
        kept = file;
    }
    let push = room.url("rtmp://", "").replace("/live/clock", "/live/demo");
    let signed = room.said.split_whitespace().find(|w| w.contains("/live/demo?txSecret")).unwrap();
    let push = push.replace("rtmp://", "rtmps://") + signed.split_once("/live/demo").unwrap().1;
    let (watch, copy) = (room.url("http://", "demo.flv"), room.folder.file("copy.flv"));
    std::thread::scope(|s| {
        s.spawn(|| {
            let mut args = vec!["-v", "error", "-re", "-i", &kept, "-c", "copy", "-f", "flv"];
            args.extend(tls);
            args.push(&push);
            run("ffmpeg", &args);
        });
        run_any("curl", &["-s", "--max-time", "4", "-o", &copy, &watch]);
    });
    assert_eq!(Probe::of(&copy).video(), ("h264".to_owned(), 640, 360));
}
