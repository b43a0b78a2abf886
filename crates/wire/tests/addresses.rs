//! What a peer means by its URL: one table of how clients cut it.
#![allow(clippy::unwrap_used)]

use thalweg_testkit::corpus;
use thalweg_wire::rtmp::Address;
use thalweg_wire::rtmp::address::{BadAddress, host_of};

/// One signed URL, `rtmp://push.example.com/live/room?txSecret=ab&txTime=5C`, as everyone cuts it.
#[test]
fn every_client_cuts_the_url_its_own_way() {
    let q = "txSecret=ab&txTime=5C";
    for (client, tc_url, app, name, want) in [
        ("ffmpeg", "rtmp://h:1935/live", "live", "room?Q", "live room Q"),
        ("ffmpeg, default port left out", "rtmp://h/live", "live", "room?Q", "live room Q"),
        ("ffmpeg, app of two segments", "rtmp://h/a/b", "a/b", "room?Q", "a/b room Q"),
        ("ffmpeg, path of four", "rtmp://h/a/b", "a/b", "c/room?Q", "a/b/c room Q"),
        ("OBS, query in the key", "rtmp://h/live", "live", "room?Q", "live room Q"),
        ("OBS, empty key", "rtmp://h/live/room?Q", "live/room?Q", "", "live room Q"),
        ("OBS, query in the server", "rtmp://h/live?Q", "live?Q", "room", "live room Q"),
        ("OBS, slash after the server", "rtmp://h/live/", "live/", "room?Q", "live room Q"),
        ("OBS, multitrack", "rtmp://h/live/room?Q", "live/room?Q", "?Q", "live room Q"),
        ("GStreamer rtmp2sink", "rtmp://h:1935/live", "live", "room?Q", "live room Q"),
        ("GStreamer rtmpsink", "rtmp://h/live", "live", "room?Q", "live room Q"),
        ("librtmp, recorded name", "rtmp://h/live", "live", "flv:room?Q", "live room Q"),
        (
            "librtmp, the type written twice",
            "rtmp://h/live",
            "live",
            "flv:flv:room?Q",
            "live room Q",
        ),
        ("librtmp, mp4 name", "rtmp://h/live", "live", "mp4:room.mp4", "live room.mp4 "),
        ("live-pusher", "rtmp://h/live", "live", "room?bizid=8&Q", "live room bizid=8&Q"),
        ("query only in tcUrl", "rtmp://h/live?Q", "live", "room", "live room Q"),
        ("all of it in the name", "rtmp://h", "", "live/room?Q", "live room Q"),
        ("leading slash", "rtmp://h/live", "/live", "/room?Q", "live room Q"),
        ("a quote that got into tcUrl", "'rtmp://h/live", "live", "room?Q", "live room Q"),
        ("second question mark", "rtmp://h/live", "live", "room?a=1?Q", "live room a=1&Q"),
        ("the query twice, and more", "rtmp://h/live", "live?Q", "room?Q&a=1", "live room Q&a=1"),
        ("the name's parameters win", "rtmp://h/l", "l?x=2", "r?x=1", "l r x=1&x=2"),
    ] {
        let (tc_url, app) = (tc_url.replace('Q', q), app.replace('Q', q));
        let name = name.replace('Q', q);
        corpus::holds("address", client, format!("{tc_url}\n{app}\n{name}").as_bytes());
        let got = Address::from_parts(&tc_url, &app, &name).unwrap();
        let got_text = format!("{} {} {}", got.app, got.stream, got.query);
        assert_eq!(got_text, want.replace('Q', q), "{client}");
        assert_eq!((got.host.as_str(), got.port), ("h", 1935), "{client}");
    }
}

#[test]
fn hosts_and_ports() {
    for (tc_url, want) in [
        ("rtmp://push.example.com:19350/live", ("push.example.com", 19350)),
        ("rtmp://[::1]/live", ("::1", 1935)),
        ("rtmp://[::1]:19350/live", ("::1", 19350)),
        ("rtmp://h:what/live", ("", 1935)),
        ("", ("", 1935)),
    ] {
        let got = Address::from_parts(tc_url, "live", "s").unwrap();
        assert_eq!((got.host.as_str(), got.port), want, "{tc_url}");
    }
}

#[test]
fn what_is_no_address() {
    let long = "x".repeat(257);
    for (app, name, want) in [
        ("", "", BadAddress::NoPath),
        ("live", "", BadAddress::NoStream),
        ("", "room", BadAddress::NoStream),
        ("live", "flv:", BadAddress::NoStream),
        ("live", "room/flv:", BadAddress::NoStream),
        ("live", "..", BadAddress::Dots),
        ("../etc", "passwd", BadAddress::Dots),
        ("live", "a\\b", BadAddress::Character('\\')),
        ("live", "a b", BadAddress::Character(' ')),
        ("live", "a%2fb", BadAddress::Character('%')),
        ("live", "a\0b", BadAddress::Character('\0')),
        ("live", "<script>", BadAddress::Character('<')),
        ("live", &long, BadAddress::TooLong),
    ] {
        assert_eq!(Address::from_parts("rtmp://h/x", app, name), Err(want), "{app} {name}");
    }
}

#[test]
fn urls_that_people_paste() {
    let a = Address::from_url("rtmp://h:19350/a/b/room?txSecret=1&txTime=2").unwrap();
    assert_eq!((a.app.as_str(), a.stream.as_str(), a.port), ("a/b", "room", 19350));
    assert_eq!(a.tc_url(), "rtmp://h:19350/a/b");
    assert_eq!(a.name_and_query(), "room?txSecret=1&txTime=2");
    assert_eq!(a.to_string(), "rtmp://h:19350/a/b/room", "no secrets in a log");
    for (url, want) in [
        ("http://h/a/b", BadAddress::Scheme("rtmp://")),
        ("rtmp:///a/b", BadAddress::Host),
        ("rtmp://h:99999/a/b", BadAddress::Host),
        ("rtmp://h/a", BadAddress::NoStream),
        ("rtmp://h", BadAddress::NoPath),
    ] {
        assert_eq!(Address::from_url(url), Err(want), "{url}");
    }
}

#[test]
fn hosts_as_operators_write_them() {
    for (text, want) in [
        ("live.example.com", Some("live.example.com")),
        ("Live.Example.COM", Some("live.example.com")),
        ("直播.example", Some("直播.example")),
        ("192.0.2.7", Some("192.0.2.7")),
        ("2001:db8::1", Some("2001:db8::1")),
        ("[2001:db8::1]", Some("2001:db8::1")),
        ("", None),
        ("[]", None),
        ("[live.example.com]", None),
        ("live.example.com:1936", None),
        ("rtmp://live.example.com", None),
        ("live.example.com/live", None),
        ("ex ample", None),
    ] {
        assert_eq!(host_of(text).ok().as_deref(), want, "{text}");
    }
}
