//! TLS: good peers, bad peers, and certificates that change.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use common::{Folder, TestServer, exchange, read, send};
use thalweg_client::{Error, Player, Trust};
use thalweg_server::config::CertificateConfig;
use thalweg_server::tls::local::{Authority, names_for};
use thalweg_server::{Config, LoadError, Server};
use thalweg_testkit::media::Recipe;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What a server answers to bytes, until it closes.
async fn answer(to: std::net::SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
    answer
}

#[tokio::test]
async fn a_peer_that_does_not_trust_us_says_so_itself() {
    let folder = Folder::new("untrusted");
    let (server, trust) = TestServer::secure(&folder);
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(1000)).await;
    for (scheme, url) in server.play_urls("room").split_off(3) {
        let error = Player::connect(&url).await.unwrap_err();
        assert!(matches!(error, Error::Tls { .. }), "{scheme}: {error}");
        let mut trusting = Player::connect_with(&url, &trust).await.unwrap();
        assert_eq!(read(&mut trusting, 5).await.len(), 5, "{scheme}");
    }
}

#[tokio::test]
async fn plain_bytes_on_a_tls_port_and_tls_bytes_on_a_plain_one_are_told_so() {
    let folder = Folder::new("mixed");
    let (server, trust) = TestServer::secure(&folder);
    let plain = exchange(server.https.unwrap(), b"GET /live/room.flv HTTP/1.1\r\n\r\n").await;
    assert!(plain.starts_with("HTTP/1.1 400") && plain.contains("https://"), "{plain}");
    let url = format!("https://{}/live/room.flv", server.http);
    let error = Player::connect_with(&url, &trust).await.unwrap_err();
    assert!(matches!(error, Error::Tls { .. }), "{error}");
    let without = TestServer::start();
    let url = format!("rtmps://{}/live/room", without.rtmp);
    assert!(matches!(Player::connect(&url).await.unwrap_err(), Error::Tls { .. }));
}

#[tokio::test]
async fn handshakes_that_stall_break_off_or_make_no_sense_cost_nobody_else_anything() {
    let folder = Folder::new("stall");
    let (server, trust) = TestServer::secure(&folder);
    let https = server.https.unwrap();
    // A first record that never ends, one that is cut, and nonsense.
    let mut stalled = TcpStream::connect(https).await.unwrap();
    stalled.write_all(&[22, 3, 1, 0x3f, 0xff, 1]).await.unwrap();
    drop(TcpStream::connect(https).await.unwrap());
    let empty_hello = answer(https, &[22, 3, 1, 0, 4, 1, 0, 0, 0]).await;
    assert_eq!(empty_hello.first(), Some(&21), "an alert");
    answer(https, &[[22, 3, 1, 0, 40].as_slice(), &[0xff; 40]].concat()).await;
    let huge = answer(server.rtmp, &[22, 3, 1, 0xff, 0xff, 1, 0xff, 0xff, 0xff]).await;
    assert_eq!(huge.first(), Some(&21), "an alert");
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(1000)).await;
    let url = format!("https://{https}/live/room.flv");
    let mut player = Player::connect_with(&url, &trust).await.unwrap();
    assert_eq!(read(&mut player, 5).await.len(), 5);
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(10), stalled.read_to_end(&mut rest));
    ended.await.expect("cut after five seconds").unwrap();
}

#[tokio::test]
async fn the_operators_pages_are_there_by_tls_as_well() {
    let folder = Folder::new("operator");
    let (server, _) = TestServer::secure(&folder);
    let ca = folder.path().join("authority.pem");
    for (version, want) in [("--http2", "2"), ("--http1.1", "1.1")] {
        let url = format!("https://{}/healthz", server.operator);
        let curl = tokio::process::Command::new("curl")
            .args(["-sS", "--cacert", ca.to_str().unwrap(), version, &url])
            .args(["-w", "%{http_version}"])
            .output();
        let output = curl.await.unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(said, format!("ok\n{want}"), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert!(exchange(server.operator, b"GET /healthz HTTP/1.0\r\n\r\n").await.contains("ok"));
}

fn certificate(folder: &Path) -> CertificateConfig {
    Authority::open(folder).unwrap().issue(&names_for("localhost")).unwrap()
}

fn load(certificate: CertificateConfig) -> String {
    let mut config = Config { certificates: vec![certificate], ..Config::default() };
    let any = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    (config.rtmp.listen, config.http.listen) = (Some(any), Some(any));
    (config.https.listen, config.operator.listen) = (Some(any), any);
    let policy = thalweg_access::PolicyHandle::new(common::policy(false));
    match Server::load(config, policy.reader()) {
        Err(LoadError::Certificate(e)) => e.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_certificate_is_said_with_its_file() {
    let folder = Folder::new("certificates");
    let good = certificate(&folder.path().join("one"));
    let other = certificate(&folder.path().join("two"));
    let file = |name: &str, text: &str| -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let (good, chain, key) = (|| good.clone(), good.chain.clone(), good.key.clone());
    for (certificate, file, words) in [
        (CertificateConfig { chain: "no.pem".into(), ..good() }, "no.pem", "cannot read"),
        (CertificateConfig { chain: file("empty", ""), ..good() }, "empty", "no certificate"),
        (CertificateConfig { chain: key.clone(), ..good() }, "machine.key", "no certificate"),
        (CertificateConfig { key: chain.clone(), ..good() }, "machine.pem", "no private key"),
        (CertificateConfig { key: other.key.clone(), ..good() }, "machine.key", "not fit"),
        (
            CertificateConfig { chain: file("cut", "-----BEGIN CERTIFICATE-----\nAAAA"), ..good() },
            "cut",
            "damaged",
        ),
        (
            CertificateConfig {
                chain: file(
                    "noise",
                    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                ),
                ..good()
            },
            "noise",
            "damaged",
        ),
    ] {
        let error = load(certificate);
        assert!(error.contains(file) && error.contains(words), "{error}");
        assert!(!error.contains("AAAA"), "nothing of a file is quoted: {error}");
    }
}

/// A certificate that is good between two moments, in days from now.
fn certificate_between(folder: &Path, from: i64, until: i64) -> CertificateConfig {
    let day = |n: i64| {
        let days = Duration::from_secs(86_400 * n.unsigned_abs());
        if n < 0 { SystemTime::now() - days } else { SystemTime::now() + days }
    };
    let mut params = rcgen::CertificateParams::new(names_for("localhost")).unwrap();
    (params.not_before, params.not_after) = (day(from).into(), day(until).into());
    let key = rcgen::KeyPair::generate().unwrap();
    let (chain_file, key_file) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&chain_file, params.self_signed(&key).unwrap().pem()).unwrap();
    std::fs::write(&key_file, key.serialize_pem()).unwrap();
    CertificateConfig { chain: chain_file, key: key_file }
}

#[tokio::test]
async fn a_reload_takes_no_certificate_whose_time_is_over_or_to_come() {
    let folder = Folder::new("time");
    let (server, trust) = TestServer::secure(&folder);
    for (from, until, words) in [(-2, -1, "expired on"), (1, 2, "good only from")] {
        let certificates = vec![certificate_between(folder.path(), from, until)];
        let error = server.reloader.reload(Config { certificates, ..Config::default() });
        let error = error.unwrap_err().to_string();
        assert!(error.contains("cert.pem") && error.contains(words), "{error}");
    }
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(500)).await;
    let url = format!("https://{}/live/room.flv", server.https.unwrap());
    Player::connect_with(&url, &trust).await.expect("the old certificate stays");

    // At the start there is nothing better; and one that is in use does not block other changes.
    let expired = certificate_between(folder.path(), -2, -1);
    let server = TestServer::with(|c| c.certificates = vec![expired.clone()]);
    let config = Config { certificates: vec![expired], ..Config::default() };
    server.reloader.reload(config).unwrap();
    // Whether there is TLS at all was decided at the start.
    assert!(server.reloader.reload(Config::default()).unwrap().contains(&"certificate"));
    let mut hello = TcpStream::connect(server.https.unwrap()).await.unwrap();
    hello.write_all(&[22, 3, 1, 0, 4, 1, 0, 0, 0]).await.unwrap();
    let mut answer = [0; 1];
    hello.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, [21], "still an alert, not a plain answer");
}

#[tokio::test]
async fn a_reload_changes_the_certificate_for_newcomers_or_nothing() {
    let folder = Folder::new("reload");
    let (server, trust) = TestServer::secure(&folder);
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(1000)).await;
    let url = format!("https://{}/live/room.flv", server.https.unwrap());
    let mut old_viewer = Player::connect_with(&url, &trust).await.unwrap();
    read(&mut old_viewer, 5).await;

    let broken = CertificateConfig { chain: "gone.pem".into(), key: "gone.key".into() };
    let config = Config { certificates: vec![broken], ..Config::default() };
    assert!(server.reloader.reload(config).unwrap_err().to_string().contains("gone.pem"));
    Player::connect_with(&url, &trust).await.expect("the old certificate stays");

    let renewed = certificate(&folder.path().join("another authority"));
    let authority = Authority::open(&folder.path().join("another authority")).unwrap();
    let config = Config { certificates: vec![renewed], ..Config::default() };
    let waiting = server.reloader.reload(config.clone()).unwrap();
    assert!(waiting.contains(&"rtmp.listen"), "ports change at the next start: {waiting:?}");
    assert_eq!(server.reloader.reload(config).unwrap(), waiting, "and still do");
    let now_trusted = Trust::system().and(authority.certificate().as_bytes()).unwrap();
    assert!(matches!(Player::connect_with(&url, &trust).await, Err(Error::Tls { .. })));
    Player::connect_with(&url, &now_trusted).await.expect("the new one");
    let rest: Vec<_> =
        Recipe::default().frames_for(1400).split_off(Recipe::default().frames_for(1000).len());
    send(&mut publisher, &rest).await;
    read(&mut old_viewer, 5).await;
}

#[tokio::test]
async fn a_reload_changes_bounds_and_ways_of_watching() {
    let server = TestServer::start();
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(4500)).await;
    let url = server.flv_url("room");
    let first =
        |frames: &[thalweg_wire::media::Frame]| frames.iter().find(|f| f.is_media()).unwrap().dts;
    let mut before = Player::connect(&url).await.unwrap();
    assert_eq!(first(&read(&mut before, 5).await), 3000);
    let mut config = Config::default();
    config.play.cache_ms = 0;
    config.limits.streams_max = 1;
    server.reloader.reload(config).unwrap();
    let mut after = Player::connect(&url).await.unwrap();
    assert_eq!(first(&read(&mut after, 5).await), 4000);
    let error = thalweg_client::Publisher::connect(&server.push_url("other")).await.unwrap_err();
    assert!(error.to_string().contains("server-full"), "{error}");
    read(&mut before, 5).await;
}

#[tokio::test]
async fn peers_that_say_nothing_do_not_keep_the_operator_out() {
    let folder = Folder::new("silent");
    let (server, _) = TestServer::secure(&folder);
    let mut silent = Vec::new();
    for n in 0..300 {
        let mut stream = TcpStream::connect(server.operator).await.unwrap();
        if n % 2 == 0 {
            stream.write_all(b"POST /api HTTP/1.1\r\nHost: localhost\r\n").await.unwrap();
        }
        silent.push(stream);
    }
    let asked = async {
        // Full at first: who comes is not even heard.
        while !exchange(server.operator, b"GET /healthz HTTP/1.0\r\n\r\n").await.contains("ok") {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), asked).await.expect("room after ten seconds");
}

#[tokio::test]
async fn a_page_of_another_site_changes_nothing() {
    let server = TestServer::start();
    let at = format!("127.0.0.1:{}", server.operator.port());
    for (host, origin, refused) in [
        (at.as_str(), "", false),
        ("localhost:8081", "", false),
        ("rebound.example:8081", "", true),
        ("", "", true),
        (at.as_str(), "Origin: https://page.example\r\n", true),
        (at.as_str(), &format!("Origin: http://{at}\r\n"), false),
    ] {
        let request =
            format!("POST /healthz HTTP/1.1\r\nHost: {host}\r\n{origin}Connection: close\r\n\r\n");
        let answer = exchange(server.operator, request.as_bytes()).await;
        let want = if refused { "HTTP/1.1 403" } else { "HTTP/1.1 405" };
        assert!(answer.starts_with(want), "{host} {origin}: {answer}");
    }
    let list = exchange(
        server.operator,
        b"GET /healthz HTTP/1.1\r\nHost: any\r\nConnection: close\r\n\r\n",
    );
    assert!(list.await.contains("ok"), "looking is free");
}
