//! Every seed and every find, through the bodies of the fuzz targets.

use thalweg_testkit::corpus::replay;
use thalweg_wire::fuzz;
use thalweg_wire::rtmp_udp::fuzz as rtmp_udp;

#[test]
fn replay_the_corpus() {
    for (target, body) in [
        ("amf0", fuzz::amf0 as fn(&[u8])),
        ("flv", fuzz::flv),
        ("websocket", fuzz::websocket),
        ("handshake", fuzz::handshake),
        ("chunk", fuzz::chunk),
        ("message", fuzz::message),
        ("address", fuzz::address),
        ("codec", fuzz::codec),
        ("server_session", fuzz::server_session),
        ("client_session", fuzz::client_session),
        ("rtmp_udp_control", rtmp_udp::control),
        ("rtmp_udp_media", rtmp_udp::media),
        ("rtmp_udp_session", rtmp_udp::session),
    ] {
        assert!(replay(target, body) > 0);
    }
}
