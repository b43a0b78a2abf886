//! What the UDP endpoint shows to prove who it is, what a page is told of it, and whom a client takes
//! for its server.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::udp::{VIAS, connect, is_picture, until_arrived};
use common::{Folder, TestServer, send};
use sha2::{Digest, Sha256};
use thalweg_client::rtc::{Options, Player, Via};
use thalweg_client::{Error, Publisher, Trust};
use thalweg_server::Config;
use thalweg_server::config::{CongestionConfig, UdpCertificate};
use thalweg_testkit::media::Recipe;

async fn room(server: &TestServer) -> Publisher {
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(500)).await;
    publisher
}

async fn json_of(server: &TestServer) -> serde_json::Value {
    let answer = server.ull().await;
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// A rtmps:// URL of the room, by a name that the certificate has.
fn secure_url(server: &TestServer) -> String {
    server.udp_url("room").replacen("rtmp://127.0.0.1", "rtmps://localhost", 1)
}

#[tokio::test]
async fn a_page_is_told_where_to_go_and_which_certificates_to_believe() {
    let server = TestServer::start();
    let answer = server.ull().await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let head = answer.to_ascii_lowercase();
    assert!(head.contains("access-control-allow-origin: *"), "{answer}");
    assert!(!head.contains("access-control-allow-credentials"), "{answer}");
    let json = json_of(&server).await;
    assert_eq!(json["udpPort"], server.rtmp.port());
    assert_eq!(json["path"], "/rtmp-udp/1");
    assert_eq!(json["alpn"], "rtmp-udp/1");
    assert_eq!(json["maxViewers"], 10);
    let [current, next] = server.hashes().await;
    assert_ne!(current, next);
    for via in VIAS {
        let (session, _endpoint) = connect(&server, via).await;
        let shown = session.connection().peer_identity().unwrap();
        let shown = shown.downcast::<Vec<rustls::pki_types::CertificateDer<'static>>>().unwrap();
        assert_eq!(<[u8; 32]>::from(Sha256::digest(&shown[0])), current, "{via:?}");
    }
}

#[tokio::test]
async fn a_restart_keeps_both_certificates() {
    let folder = Folder::new("udp-kept");
    let start = || TestServer::with(|c| folder.path().clone_into(&mut c.data_dir));
    let mut server = start();
    let before = server.hashes().await;
    server.stop().await.unwrap();
    let again = start();
    assert_eq!(again.hashes().await, before);
    let _publisher = room(&again).await;
    // A page that knew the hash before goes on with it.
    let options = Options { pin: Some(before[0]), via: Via::WebTransport, ..Options::default() };
    let url = again.udp_url("room");
    let mut viewer = Player::connect(&url, &Trust::system(), &options).await.unwrap();
    until_arrived(&mut viewer, is_picture).await;
}

#[tokio::test]
async fn a_wrong_pin_never_connects_and_nothing_is_done_without() {
    let server = TestServer::start();
    let _publisher = room(&server).await;
    let [_, next] = server.hashes().await;
    for via in VIAS {
        for pin in [[7; 32], next] {
            let options = Options { pin: Some(pin), via, ..Options::default() };
            let url = server.udp_url("room");
            match Player::connect(&url, &Trust::system(), &options).await {
                Err(error @ Error::Tls { .. }) => {
                    assert!(!error.may_fall_back(), "{error}");
                    assert!(!error.may_pass(), "{error}");
                }
                other => panic!("{via:?}: {other:?}"),
            }
        }
    }
    let mut memory = thalweg_client::rtc::fallback::Memory::default();
    let options = Options { pin: Some([7; 32]), ..Options::default() };
    let (url, trust) = (server.udp_url("room"), Trust::system());
    let fallen = thalweg_client::rtc::fallback::connect(&url, &trust, &options, &mut memory).await;
    assert!(matches!(fallen, Err(Error::Tls { .. })), "{fallen:?}");
}

#[tokio::test]
async fn rtmp_takes_whoever_answers_and_rtmps_and_browsers_do_not() {
    let server = TestServer::start();
    let _publisher = room(&server).await;
    let (plain, native) = (server.udp_url("room"), Options::default());
    let trust = Trust::system();
    let mut viewer = Player::connect(&plain, &trust, &native).await.unwrap();
    until_arrived(&mut viewer, is_picture).await;
    // Its own certificate is nobody's to vouch for.
    let browser = Options { via: Via::WebTransport, ..Options::default() };
    for (url, options) in [(secure_url(&server), &native), (plain, &browser)] {
        match Player::connect(&url, &trust, options).await {
            Err(error @ Error::Tls { .. }) => assert!(!error.may_fall_back(), "{error}"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn an_operators_certificate_is_shown_and_needs_no_hash() {
    let folder = Folder::new("udp-operator");
    let (server, trust) = TestServer::secure(&folder);
    let _publisher = room(&server).await;
    let json = json_of(&server).await;
    assert!(json.get("certSha256").is_none(), "{json}");
    assert_eq!(json["udpPort"], server.rtmp.port());
    for via in VIAS {
        let options = Options { via, ..Options::default() };
        let mut viewer = Player::connect(&secure_url(&server), &trust, &options).await.unwrap();
        until_arrived(&mut viewer, is_picture).await;
        let elsewhere = Player::connect(&secure_url(&server), &Trust::system(), &options).await;
        assert!(matches!(elsewhere, Err(Error::Tls { .. })), "{via:?}: {elsewhere:?}");
    }
}

#[tokio::test]
async fn beside_an_operators_certificate_there_may_be_its_own() {
    let folder = Folder::new("udp-beside");
    let authority = thalweg_server::tls::local::Authority::open(folder.path()).unwrap();
    let names = thalweg_server::tls::local::names_for("localhost");
    let certificate = authority.issue(&names).unwrap();
    let server = TestServer::with(|c| {
        c.certificates = vec![certificate];
        c.udp.certificate = UdpCertificate::SelfSigned;
    });
    let _publisher = room(&server).await;
    for via in VIAS {
        let mut viewer = server.watch("room", via).await;
        until_arrived(&mut viewer, is_picture).await;
    }
}

#[tokio::test]
async fn what_cannot_change_while_it_runs_is_named() {
    let mut started = Config::default();
    let server = TestServer::with(|c| started = c.clone());
    assert!(server.reloader.reload(started.clone()).unwrap().is_empty());
    let mut other = started.clone();
    other.udp.enabled = false;
    other.udp.listen = Some("127.0.0.1:1".parse().unwrap());
    other.udp.congestion = CongestionConfig::Bbr;
    other.udp.certificate = UdpCertificate::SelfSigned;
    other.udp.public_port = Some(443);
    let mut waiting = server.reloader.reload(other).unwrap();
    waiting.sort_unstable();
    assert_eq!(waiting, ["udp.certificate", "udp.congestion", "udp.enabled", "udp.listen"]);
    // What a page is told changes at once.
    assert_eq!(json_of(&server).await["udpPort"], 443);
    assert!(server.reloader.reload(started).unwrap().is_empty());
}
