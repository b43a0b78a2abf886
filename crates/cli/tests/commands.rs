//! Every command, as a person types it.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use common::{Demo, Folder, Running, Server, demo_in, kill, run_within, thalweg, wait_child};
use thalweg_wire::media::{Frame, Kind};

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn help_is_there_for_every_command() {
    let help = out(&thalweg().arg("--help").output().unwrap());
    for command in [
        "serve",
        "demo",
        "push",
        "play",
        "sign",
        "check-url",
        "backup",
        "restore",
        "rekey",
        "bench",
        "lab",
    ] {
        assert!(help.contains(command), "{help}");
        let help = out(&thalweg().args([command, "--help"]).output().unwrap());
        assert!(help.contains("Usage: thalweg"), "{help}");
    }
}

/// What a server on this machine answers, head and body.
fn fetch(url: &str) -> String {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut socket = std::net::TcpStream::connect(host).unwrap();
    let ask = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    socket.write_all(ask.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_demo_prints_urls_that_work() {
    let folder = Folder::new("demo");
    let Demo { process: demo, said, mut stdout } = demo_in(&folder);
    let is_url = |word: &&str| word.starts_with("rtmp://") || word.starts_with("http://");
    let urls: Vec<String> = said.lines().map(str::trim).filter(is_url).map(str::to_owned).collect();
    let [clock_rtmp, clock_flv, clock_rtc, push, yours_rtmp, _yours_flv, ..] = &urls[..] else {
        panic!("{urls:?}");
    };
    let pages = urls.iter().find(|url| url.ends_with("/demo/")).unwrap();
    assert!(fetch(pages).contains("<title>Thalweg demo</title>"), "{pages}");
    let mut play = thalweg();
    play.args(["play", "--mode", "rtc", "--no-fallback", "--duration", "2s", clock_rtc]);
    let output = run_within(&mut play, Duration::from_secs(20));
    assert!(output.status.success(), "{}", err(&output));
    assert!(err(&output).contains("the clock was behind by "), "{}", err(&output));
    for (url, name) in [(clock_rtmp, "rtmp.flv"), (clock_flv, "http.flv")] {
        let file = folder.file(name);
        let mut play = thalweg();
        play.args(["play", "-o", &file, "--duration", "2s", url]);
        let output = run_within(&mut play, Duration::from_secs(20));
        assert!(output.status.success(), "{}", err(&output));
        assert!(std::fs::metadata(&file).unwrap().len() > 20_000);
    }
    let file = folder.file("rtmp.flv");
    let (push, yours) = (push.clone(), yours_rtmp.clone());
    std::thread::scope(|s| {
        s.spawn(|| {
            let mut command = thalweg();
            command.args(["push", "--quiet", &push, &file]);
            assert!(run_within(&mut command, Duration::from_secs(20)).status.success());
        });
        let mut play = thalweg();
        play.args(["play", "--duration", "1s", &yours]);
        let output = run_within(&mut play, Duration::from_secs(20));
        let words = err(&output);
        let count = words.split(" pictures").next().and_then(|s| s.rsplit(' ').next());
        assert!(count.and_then(|n| n.parse::<u64>().ok()) > Some(10), "{words}");
    });
    for file in ["store.key", "thalweg.db"] {
        let file = folder.path().join("thalweg-data").join(file);
        let permissions = std::fs::metadata(file).unwrap().permissions();
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&permissions) & 0o777, 0o600);
    }
    drop(demo);
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
}

#[test]
fn a_busy_port_is_named() {
    let folder = Folder::new("busy");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let config = folder.file("thalweg.toml");
    std::fs::write(&config, format!("rtmp.listen = \"127.0.0.1:{port}\"")).unwrap();
    let mut serve = thalweg();
    serve.args(["serve", "--config", &config]).current_dir(folder.path());
    let output = run_within(&mut serve, Duration::from_secs(10));
    assert!(!output.status.success());
    let words = format!("port {port} for RTMP is in use");
    assert!(
        err(&output).contains(&words) && err(&output).contains("rtmp.listen"),
        "{}",
        err(&output)
    );
}

#[test]
fn configurations_that_are_wrong_say_where() {
    let folder = Folder::new("config");
    let config = folder.file("thalweg.toml");
    let wrong = [
        ("[rtmp]\nlissten = \"0.0.0.0:1\"", vec!["line 2", "lissten", "unknown field"]),
        ("[play]\nflush_ms = 501", vec!["line 2", "501 is out of range: 0 to 500"]),
        ("[play]\nflush_ms = -1", vec!["line 2", "-1 is out of range: 0 to 500"]),
        ("[play]\nflush_ms = \"soon\"", vec!["line 2", "expected a whole number, 0 to 500"]),
        ("rtmp.listen = 1935", vec!["line 1", "expected an IP address and a port, as"]),
        ("rtmp.listen = \"localhost\"", vec!["line 1", "expected an IP address and a port, as"]),
        ("\nrtmp.public_port = 0", vec!["line 2", "0 is out of range: 1 to 65535"]),
        ("public_host = \"http://a:80\"", vec!["line 1", "is no host", "public_port"]),
        (
            "rtmp.listen = \"127.0.0.1:7\"\nhttp.listen = \"0.0.0.0:7\"",
            vec!["port 7 is wanted twice, by rtmp.listen and by http.listen"],
        ),
        ("[[account]]\nbizid = \"abc\"", vec!["bizid \"abc\" must be 1 to 20 digits"]),
        (
            "[[account]]\nbizid = \"1\"\nrevoked_before = 1732290000000",
            vec!["line 3", "out of range"],
        ),
        (
            "[[account]]\nbizid = \"1\"\n[[account.revoked]]\nstream = \"room\"\nbefore = 1",
            vec!["line 4", "should be app/stream"],
        ),
        (
            "[[account]]\nbizid = \"1\"\nudp_viewers_max = 1001",
            vec!["line 3", "1001 is out of range: 0 to 1000"],
        ),
        ("[[account]]\nbizid = \"1\"\nprofile = \"lax\"", vec!["line 3", "strict", "vendor"]),
        ("publish.takeover = \"always\"", vec!["same-credential", "stale-only", "never"]),
        (
            "[[account]]\nbizid = \"1\"\n[[account.domain]]\naction = \"push\"\nkey = \"somestring\"",
            vec!["a key of account 1 is printed in a manual"],
        ),
    ];
    for (i, (text, words)) in wrong.into_iter().enumerate() {
        std::fs::write(&config, text).unwrap();
        let mut serve = thalweg();
        // Each is a first start.
        serve.args([
            "serve",
            "--config",
            &config,
            "--data-dir",
            &folder.file(&format!("data-{i}")),
        ]);
        let output = run_within(&mut serve, Duration::from_secs(10));
        assert!(!output.status.success());
        for word in words {
            assert!(err(&output).contains(word), "{word}: {}", err(&output));
        }
    }
}

#[test]
fn the_sample_configuration_loads() {
    let manual = include_str!("../../../docs/ref/config.md");
    let samples: Vec<&str> =
        manual.split("```toml\n").skip(1).map(|s| s.split("```").next().unwrap()).collect();
    assert!(!samples.is_empty());
    for sample in samples {
        if let Err(error) = thalweg_server::Config::parse(sample) {
            panic!("{error}\n{sample}");
        }
    }
}

#[test]
fn the_manuals_defaults_are_the_programs() {
    let manual = include_str!("../../../docs/ref/config.md");
    let sample = manual.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let (sample, usual) =
        (thalweg_server::Config::parse(sample).unwrap(), thalweg_server::Config::default());
    assert_eq!((&sample.public_host, &sample.data_dir), (&usual.public_host, &usual.data_dir));
    assert_eq!(sample.operator.listen, usual.operator.listen);
    assert_eq!(sample.public_rtmp_port(), usual.public_rtmp_port());
    assert_eq!(sample.public_http_port(), usual.public_http_port());
    let debug = |c: &thalweg_server::Config| format!("{:?}{:?}{:?}", c.publish, c.play, c.limits);
    assert_eq!(debug(&sample), debug(&usual));
}

#[test]
fn sign_and_check_url_agree() {
    let server = Server::start("sign");
    let urls = server.urls("room");
    let check = |url: &str| server.run(&["check-url", url]);
    assert!(check(&urls.push).status.success());
    assert!(check(&urls.flv).status.success());
    let wrong = check(&urls.push.replace("/room?", "/other?"));
    assert!(!wrong.status.success() && out(&wrong).contains("BAD"), "{}", out(&wrong));
    let no_time = server.run(&["sign", "room", "--expires", "0s"]);
    assert!(!no_time.status.success() && err(&no_time).contains("1s"), "{}", err(&no_time));
    let person = out(&server.run(&["sign", "room"]));
    for word in
        ["push   rtmp://", "Server      rtmp://", "Stream Key  room?txSecret=", "play   rtmp://"]
    {
        assert!(person.contains(word), "{person}");
    }
    let sha = server.run(&["sign", "room", "--scheme", "sha256", "--sign-play", "--json"]);
    let json: Value = serde_json::from_slice(&sha.stdout).unwrap();
    assert!(check(json["push"].as_str().unwrap()).status.success());
    assert_eq!(json["play_is_signed"], true);
    let bad = server.run(&["sign", "a b"]);
    assert!(!bad.status.success() && err(&bad).contains("' ' cannot stand in"), "{}", err(&bad));
}

#[test]
fn strong_urls_say_more_and_check_url_reads_it() {
    let more = "[[account]]\nbizid = \"1\"\n\
                [[account.revoked]]\nstream = \"live/leaked\"\nbefore = 1732290000";
    let server = Server::with("strong", more);
    let json = |args: &[&str]| -> Value {
        let output = server.run(&[&["sign", "--json"], args].concat());
        assert!(output.status.success(), "{}", err(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let text = |sheet: &Value, at: &str| sheet.pointer(at).unwrap().as_str().unwrap().to_owned();
    let plain = json(&["room", "--scheme", "hmac"]);
    assert!(text(&plain, "/push").contains("/live/room?tw=1."), "{plain}");
    assert_eq!(
        (&plain["play_is_signed"], plain["not_before_unix_s"].is_u64()),
        (&false.into(), true)
    );
    assert!(server.run(&["check-url", &text(&plain, "/push")]).status.success());

    let sheet =
        json(&["room", "--from", "192.0.2.0/24", "--max", "3", "--rtc", "--app", "/lesson/a/"]);
    let (push, flv) = (text(&sheet, "/push"), text(&sheet, "/play/http_flv"));
    assert!(push.contains(".push.") && push.contains(".a192-0-2-0_24&sig="), "{push}");
    assert!(flv.contains(".udp.") && flv.contains(".a192-0-2-0_24.m3&sig="), "{flv}");
    for (url, from, ok, words) in [
        (push.clone(), "192.0.2.7", true, "192.0.2.7 is there"),
        (push.clone(), "203.0.113.1", false, "203.0.113.1 is not there"),
        (push.replace("/room?", "/other?"), "192.0.2.7", false, "another app or stream name"),
        (text(&sheet, "/play/rtmp"), "192.0.2.7", true, "as a play, app lesson/a"),
        (flv.clone(), "192.0.2.7", true, "may be used 3 times at once"),
        (flv.clone(), "192.0.2.7", true, "udp: RTC mode"),
    ] {
        let output = server.run(&["check-url", &url, "--from", from]);
        assert_eq!(output.status.success(), ok, "{words}: {}", out(&output));
        assert!(out(&output).contains(words), "{words}: {}", out(&output));
    }
    let nobody = server.run(&["check-url", &push]);
    assert!(nobody.status.success() && out(&nobody).contains("odd "), "{}", out(&nobody));

    let early = server.run(&["sign", "room", "--not-before", "1h"]);
    assert!(err(&early).contains("asks for no signature"), "{}", err(&early));
    assert!(out(&early).contains("good from 20"), "{}", out(&early));
    let early = text(&json(&["room", "--not-before", "1h"]), "/push");
    let early = server.run(&["check-url", &early]);
    assert!(
        !early.status.success() && out(&early).contains("begins to be good in"),
        "{}",
        out(&early)
    );

    // Where the vendor's signature would be refused, the other one is made unasked.
    let leaked = text(&json(&["leaked"]), "/push");
    assert!(leaked.contains("?tw=1."), "{leaked}");
    assert!(server.run(&["check-url", &leaked]).status.success());
    for (args, words) in [
        (vec!["leaked", "--scheme", "md5"], "are revoked"),
        (vec!["room", "--scheme", "sha256", "--max", "2"], "--scheme hmac"),
        (vec!["room", "--max", "0"], "1..=10000"),
        (vec!["room", "--from", "192.0.2.7/24"], "they must be zero"),
        (vec!["room", "--not-before", "24h"], "over before they begin"),
    ] {
        let output = server.run(&[&["sign"], &args[..]].concat());
        assert!(!output.status.success() && err(&output).contains(words), "{}", err(&output));
    }
}

#[test]
fn a_url_for_low_delay_is_always_signed_and_by_the_play_key() {
    let accounts = "[[account]]\nbizid = \"1\"\nprofile = \"vendor\"\n\
                    [[account]]\nbizid = \"2\"\nudp_viewers_max = 0\n\
                    [[account.domain]]\naction = \"push\"\nhost = \"push.two.example\"\n\
                    [[account.domain]]\naction = \"play\"\nhost = \"play.two.example\"\n\
                    [[account]]\nbizid = \"3\"\nudp_viewers_max = 3\n\
                    [[account.domain]]\naction = \"push\"\nhost = \"push.three.example\"\n\
                    [[account.domain]]\naction = \"play\"\nhost = \"play.three.example\"\n\
                    schemes = \"strong\"";
    let server = Server::with("low-delay", accounts);
    let rtc = |args: &[&str]| -> Value {
        let output = server.run(&[&["sign", "room", "--json"], args].concat());
        assert!(output.status.success(), "{}", err(&output));
        let sheet: Value = serde_json::from_slice(&output.stdout).unwrap();
        sheet["play"]["rtc"].clone()
    };
    for (args, words) in [
        (&[][..], "/live/room?bizid=1&txSecret="),
        (&["--scheme", "sha256"], "/live/room?bizid=1&txSecret="),
        (&["--scheme", "hmac"], ".udp."),
        (&["--account", "3"], "rtmp://play.three.example"),
        (&["--account", "3"], ".udp."),
    ] {
        let url = rtc(args);
        let url = url.as_str().unwrap();
        assert!(url.starts_with("rtmp://") && url.contains(words), "{url}");
        let check = out(&server.run(&["check-url", "--as", "play", url]));
        assert!(check.contains("play key of account"), "{check}");
        assert!(check.contains(" ok  over UDP it is good"), "{check}");
    }
    check_url_says_what_fails_over_udp(&server);
    // Nobody may watch so; or not with such a signature.
    assert!(rtc(&["--account", "2"]).is_null());
    assert!(rtc(&["--account", "3", "--scheme", "md5"]).is_null());
    let person = out(&server.run(&["sign", "room"]));
    for words in
        ["rtc    rtmp://", "over UDP, 10 viewers at most", "thalweg play --mode rtc \"rtmp"]
    {
        assert!(person.contains(words), "{person}");
    }
    let off = out(&server.run(&["sign", "room", "--account", "2"]));
    assert!(!off.contains("rtc"), "{off}");
}

fn check_url_says_what_fails_over_udp(server: &Server) {
    let urls = server.urls("room");
    let output = server.run(&["check-url", "--as", "play", &urls.rtmp]);
    let check = out(&output);
    assert!(output.status.success(), "over TCP it is good: {check}");
    assert!(check.contains("odd  over UDP it would be refused, auth-missing"), "{check}");
}

#[test]
fn check_url_knows_that_udp_is_off() {
    let server = Server::with("udp-off", "[udp]\nenabled = false");
    let sheet = server.run(&["sign", "--json", "room"]);
    let sheet: Value = serde_json::from_slice(&sheet.stdout).unwrap();
    let url = |at: &str| sheet.pointer(at).unwrap().as_str().unwrap();
    for (action, url) in [("play", url("/play/rtmp")), ("push", url("/push"))] {
        let output = server.run(&["check-url", "--as", action, url]);
        let check = out(&output);
        assert!(output.status.success(), "{check}");
        assert!(check.contains("odd  RTMP over UDP is off"), "{check}");
        assert!(!check.contains("over UDP it"), "{check}");
    }
    let check = out(&server.run(&["check-url", url("/play/http_flv")]));
    assert!(!check.contains("is off"), "HTTP has no part in it: {check}");
}

#[test]
fn a_play_into_a_file_can_be_pushed_again() {
    let server = Server::start("again");
    let _clock = server.push_clock("clock");
    let file = server.folder.file("clock.flv");
    let url = server.urls("clock").flv;
    let mut play = thalweg();
    play.args(["play", "-o", &file, "--duration", "2s", &url]);
    assert!(run_within(&mut play, Duration::from_secs(20)).status.success());
    let urls = server.urls("copy");
    let push = thalweg().args(["push", "--quiet", "--loop", &urls.push, &file]).spawn().unwrap();
    let _push = Running(push);
    server.wait_for(|line| line["message"] == "publish begins" && line["stream"] == "1/live/copy");
    let copy = server.folder.file("copy.flv");
    let mut play = thalweg();
    play.args(["play", "-o", &copy, "--duration", "5s", &urls.rtmp]);
    let output = run_within(&mut play, Duration::from_secs(20));
    assert!(output.status.success(), "{}", err(&output));
    let length = |path: &str| std::fs::metadata(path).unwrap().len();
    assert!(length(&copy) > length(&file), "more than the file: it is looped");
}

#[test]
fn refusals_are_told_in_words_and_errors_have_exit_codes() {
    let server = Server::with("words", "play.wait_s = 0");
    for (args, words) in [
        (
            vec!["push", "--quiet", "rtmp://127.0.0.1:PORT/live/room", "clock"],
            "the URL is not signed",
        ),
        (vec!["push", "http://127.0.0.1/live/room", "clock"], "a push URL begins with rtmp://"),
        (vec!["push", "rtmp://127.0.0.1/live", "clock"], "should end in /app/stream"),
        (vec!["push", "rtmp://127.0.0.1:PORT/live/room", "nofile.flv"], "nofile.flv: No such file"),
        (vec!["play", "rtmp://127.0.0.1:PORT/live/room"], "nobody publishes this stream"),
        (vec!["push", "--retries", "0", "rtmp://127.0.0.1:1/live/x", "clock"], "cannot connect"),
    ] {
        let port = server.rtmp_port.to_string();
        let args: Vec<String> = args.iter().map(|a| a.replace("PORT", &port)).collect();
        let output = run_within(thalweg().args(&args), Duration::from_secs(20));
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert!(err(&output).contains(words), "{args:?}: {}", err(&output));
    }
}

#[test]
fn serve_stops_when_it_is_told_and_tells() {
    let server = Server::start("stops");
    let push_url = server.urls("clock").push;
    let mut push = thalweg()
        .args(["push", "--quiet", "--retries", "0", &push_url, "clock"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    server.wait_for(|line| line["message"] == "publish begins");
    server.terminate();
    let status = wait_child(&mut push, Duration::from_secs(10));
    let mut words = String::new();
    push.stderr.take().unwrap().read_to_string(&mut words).unwrap();
    assert_eq!(status.code(), Some(1));
    assert!(words.contains("the server is stopping"), "{words}");
    assert!(server.wait().success());
}

#[test]
fn logs_have_no_secrets() {
    let folder = Folder::new("secrets");
    let config = folder.file("thalweg.toml");
    let text = "rtmp.listen = \"127.0.0.1:0\"\nhttp.listen = \"127.0.0.1:0\"\n\
                operator.listen = \"127.0.0.1:0\"\nplay.wait_s = 0";
    std::fs::write(&config, text).unwrap();
    let mut child = thalweg()
        .args(["serve", "--log", "trace", "--config", &config])
        .current_dir(folder.path())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut log = String::new();
    while !log.contains("listening") {
        assert!(stderr.read_line(&mut log).unwrap() > 0);
    }
    let port = |name: &str| -> String {
        let after = log.split(&format!("\"{name}\":\"127.0.0.1:")).nth(1).unwrap();
        after.split('"').next().unwrap().to_owned()
    };
    let secret = "0123456789abcdef0123456789abcdef";
    let query = format!("txSecret={secret}&txTime=7FFFFFFF&token=hush");
    let rtmp = format!("rtmp://127.0.0.1:{}/live/room?{query}", port("rtmp"));
    let http = format!("http://127.0.0.1:{}/live/room.flv?{query}", port("http"));
    run_within(thalweg().args(["push", "--quiet", &rtmp, "clock"]), Duration::from_secs(10));
    run_within(thalweg().args(["play", "--duration", "1s", &rtmp]), Duration::from_secs(20));
    run_within(thalweg().args(["play", "--duration", "1s", &http]), Duration::from_secs(20));
    kill(&child);
    stderr.read_to_string(&mut log).unwrap();
    let _ = child.wait();
    assert!(log.contains("refused"), "{log}");
    assert!(!log.contains(secret) && !log.contains("hush"), "{log}");
}

#[test]
fn a_demo_whose_port_is_taken_says_which_option_to_use() {
    let folder = Folder::new("busy-demo");
    let taken = std::net::TcpListener::bind("[::]:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let mut demo = thalweg();
    demo.args(["demo", "--rtmp-port", "0", "--operator-port", "0", "--http-port", &port])
        .current_dir(folder.path());
    let output = run_within(&mut demo, Duration::from_secs(10));
    assert!(!output.status.success());
    let words = format!("port {port} for HTTP is in use");
    let err = err(&output);
    assert!(err.contains(&words) && err.contains("--http-port"), "{err}");
}

#[test]
fn check_url_makes_no_accounts_and_says_where_they_are_missing() {
    let folder = Folder::new("keyless");
    let mut check = thalweg();
    check.args(["check-url", "rtmp://127.0.0.1/live/room"]).current_dir(folder.path());
    let output = run_within(&mut check, Duration::from_secs(10));
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("no accounts in thalweg-data"), "{}", err(&output));
    assert!(!folder.path().join("thalweg-data").exists(), "whoever asks makes no accounts");
}

#[test]
fn sign_makes_no_url_that_its_server_refuses() {
    // Both accounts have a domain of their own, but there is a host that only the second knows.
    let accounts = "[[account]]\nbizid = \"1\"\n\
                    [[account]]\nbizid = \"2\"\n\
                    [[account.domain]]\naction = \"push\"\nhost = \"push.two.example\"\n\
                    [[account.domain]]\naction = \"play\"\nhost = \"play.two.example\"";
    let server = Server::with("accounts", accounts);
    let second = out(&server.run(&["sign", "room", "--account", "2"]));
    assert!(second.contains("rtmp://push.two.example"), "{second}");
    assert!(second.contains("rtmp://play.two.example"), "{second}");
    let push = second.lines().next().unwrap().split_whitespace().last().unwrap();
    assert!(server.run(&["check-url", push]).status.success());
    let nobody = server.run(&["sign", "room", "--account", "3"]);
    assert!(!nobody.status.success() && err(&nobody).contains('3'), "{}", err(&nobody));
    let reserved = server.run(&["sign", "room", "--app", "api"]);
    assert!(!reserved.status.success() && err(&reserved).contains("api"), "{}", err(&reserved));
}

#[test]
fn what_is_no_good_flv_is_said_after_what_was_good_has_been_sent() {
    let server = Server::start("damaged");
    let _clock = server.push_clock("clock");
    let file = server.folder.file("good.flv");
    let mut play = thalweg();
    play.args(["play", "--quiet", "-o", &file, "--duration", "2s", &server.urls("clock").flv]);
    assert!(run_within(&mut play, Duration::from_secs(20)).status.success());
    let good = std::fs::read(&file).unwrap();
    let mut damaged = good.clone();
    damaged.splice(good.len() / 2.., [0xff; 1000]);
    let cases: [(&[u8], &str); 4] = [
        (b"", "there is nothing in it"),
        (b"\0\0\0\x18ftypmp42 and so on", "ffmpeg"),
        (&good[..good.len() - 7], "in the middle of a tag"),
        (&damaged, "damaged"),
    ];
    for (bytes, words) in cases {
        let file = server.folder.file("input.flv");
        std::fs::write(&file, bytes).unwrap();
        let url = server.urls("copy").push;
        let output = run_within(
            thalweg().args(["push", "--quiet", "--retries", "0", &url, &file]),
            Duration::from_secs(20),
        );
        assert_eq!(output.status.code(), Some(1), "{words}");
        assert!(err(&output).contains(words), "{words}: {}", err(&output));
    }
}

#[test]
fn the_log_has_the_vendors_number_of_a_pushs_end() {
    let server = Server::with("errcode", "limits.message_bytes_max = 65536");
    let file = server.folder.file("long.flv");
    let frame = |n: usize| {
        let body = [&[0x17, 1, 0, 0, 0][..], &vec![7; n]].concat();
        Frame::new(Kind::Video, 0, body.into())
    };
    let mut flv = thalweg_wire::flv::file_header(false, true).to_vec();
    for n in [1000, 100_000] {
        thalweg_wire::flv::write_tag(&mut flv, &frame(n));
        std::fs::write(&file, &flv).unwrap();
        let url = server.urls("room").push;
        run_within(
            thalweg().args(["push", "--quiet", "--retries", "0", &url, &file]),
            Duration::from_secs(20),
        );
        let end = server.wait_for(|line| line["message"] == "publish ends");
        let want = if n > 65_536 { 7 } else { 1 };
        assert_eq!(end["errcode"], want, "{end}");
    }
}

#[test]
fn a_source_that_falls_silent_hears_why_it_was_cut() {
    let server = Server::with("silent", "publish.first_media_max_s = 1");
    let mut push = thalweg()
        .args(["push", "--quiet", &server.urls("room").push, "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stdin = push.stdin.take();
    let status = wait_child(&mut push, Duration::from_secs(10));
    let mut words = String::new();
    push.stderr.take().unwrap().read_to_string(&mut words).unwrap();
    assert_eq!(status.code(), Some(1));
    assert!(words.contains("no media"), "{words}");
    drop(stdin);
}

#[test]
fn bench_measures_a_server_of_its_own_and_the_floor() {
    let folder = Folder::new("bench");
    let json = folder.file("rounds.jsonl");
    let mut bench = thalweg();
    bench.args(["bench", "--viewers", "20", "--duration", "1s", "--floor", "--json", &json]);
    let output = run_within(&mut bench, Duration::from_secs(50));
    assert!(output.status.success(), "{}\n{}", out(&output), err(&output));
    let table = out(&output);
    let rows: Vec<&str> = table.lines().skip(2).filter(|l| l.starts_with("| ")).collect();
    assert_eq!(rows.len(), 3, "{table}");
    for line in std::fs::read_to_string(&json).unwrap().lines() {
        let outcome: Value = serde_json::from_str(line).unwrap();
        for zero in ["lost", "reordered", "damaged", "publishers_failed"] {
            assert_eq!(outcome[zero], 0, "{line}");
        }
        assert_eq!(outcome["playing"], 20, "{line}");
        assert!(outcome["whole"].as_u64().unwrap() > 100, "{line}");
        assert!(outcome["memory_before_bytes"].as_u64().unwrap() > 1 << 20, "{line}");
    }
    let mut unknown = thalweg();
    let output = run_within(unknown.args(["bench", "fan-in"]), Duration::from_secs(10));
    assert!(err(&output).contains("--list"), "{}", err(&output));
}

#[test]
fn bench_can_publish_a_recording() {
    let server = Server::start("recording");
    let _clock = server.push_clock("clock");
    let file = server.folder.file("clock.flv");
    let mut play = thalweg();
    play.args(["play", "--quiet", "-o", &file, "--duration", "3s", &server.urls("clock").flv]);
    assert!(run_within(&mut play, Duration::from_secs(20)).status.success());
    let mut bench = thalweg();
    bench.args(["bench", "--viewers", "10", "--duration", "1s", "--floor", "--file", &file]);
    let output = run_within(&mut bench, Duration::from_secs(50));
    assert!(output.status.success(), "{}\n{}", out(&output), err(&output));
    std::fs::write(&file, b"FLV\x01\x05\0\0\0\x09\0\0\0\0").unwrap();
    let mut empty = thalweg();
    let output = run_within(empty.args(["bench", "--file", &file]), Duration::from_secs(10));
    assert!(err(&output).contains("no H.264 picture"), "{}", err(&output));
}

#[test]
fn sighup_reads_everything_again_and_drops_nobody() {
    // Without a console the accounts are the file's.
    let server = Server::with("hangup", "console.enabled = false");
    let _clock = server.push_clock("clock");
    let file = server.folder.file("watched.flv");
    let mut play = thalweg();
    play.args(["play", "--quiet", "-o", &file, "--duration", "4s", &server.urls("clock").flv]);
    let mut watching = Running(play.spawn().unwrap());
    server.wait_for(|line| line["message"] == "play begins");

    let first = server.folder.path().join("first.toml");
    let good = std::fs::read_to_string(&first).unwrap();
    std::fs::write(&first, format!("{good}play.cash_ms = 1\n")).unwrap();
    server.hang_up();
    let line =
        server.wait_for(|line| line["message"].as_str().is_some_and(|m| m.contains("again")));
    assert!(
        line["level"] == "ERROR" && line["error"].as_str().unwrap().contains("cash_ms"),
        "{line}"
    );

    let account =
        "[[account]]\nbizid = \"77\"\n[[account.domain]]\naction = \"push\"\nauth = false\n";
    std::fs::write(&first, format!("{good}{account}")).unwrap();
    server.hang_up();
    let line =
        server.wait_for(|line| line["message"].as_str().is_some_and(|m| m.contains("again")));
    assert_eq!(line["level"], "INFO", "{line}");
    let unsigned = format!("rtmp://127.0.0.1:{}/live/new", server.rtmp_port);
    let _push = Running(thalweg().args(["push", "--quiet", &unsigned, "clock"]).spawn().unwrap());
    let began = server.wait_for(|line| line["message"] == "publish begins");
    assert_eq!(began["stream"], "77/live/new");

    assert!(wait_child(&mut watching.0, Duration::from_secs(20)).success());
    let ended = server.wait_for(|line| line["message"] == "play ends");
    assert_eq!(
        (ended["stream"].as_str(), ended["cause"].as_str()),
        (Some("1/live/clock"), Some("the viewer left"))
    );
}

#[test]
fn an_operator_forbids_a_stream_and_allows_it_again() {
    let server = Server::start("forbid");
    let console = server.console();
    let clock = server.push_clock("clock");
    let stream = "/api/v1/streams/1/live/clock";
    let (status, detail) = console.get(stream);
    assert_eq!((status, &detail["live"]), (200, &Value::Bool(true)), "{detail}");
    let (status, forbidden) =
        console.post(&format!("{stream}/forbid"), &json!({ "reason": "not now" }));
    assert_eq!((status, &forbidden["reason"]), (200, &json!("not now")), "{forbidden}");
    let ended = server.wait_for(|line| line["message"] == "publish ends");
    assert_eq!(ended["errcode"], 106, "{ended}");
    let refused = server.wait_for(|line| line["message"] == "refused");
    assert_eq!(refused["reason"], "barred", "{refused}");
    drop(clock);
    let (status, resumed) = console.post(&format!("{stream}/resume"), &json!({}));
    assert_eq!((status, &resumed["resumed"]), (200, &Value::Bool(true)), "{resumed}");
    let _again = server.push_clock("clock");
}
