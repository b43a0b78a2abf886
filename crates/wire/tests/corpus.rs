//! Every seed and every find, through the bodies of the fuzz targets.

use thalweg_testkit::corpus::replay;
use thalweg_wire::fuzz;

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
    ] {
        assert!(replay(target, body) > 0);
    }
}
