//! nginx with its RTMP module: our client against somebody else's server.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::common::{Folder, Running, run_within, thalweg};
use crate::tools::{Probe, text};

fn nginx(folder: &Folder) -> (Running, u16) {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = folder.file("nginx.conf");
    let here = folder.path().display();
    let text = format!(
        "load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;\n\
         daemon off; master_process off; pid {here}/pid; error_log {here}/error.log;\n\
         events {{}}\n\
         rtmp {{ access_log off; server {{ listen 127.0.0.1:{port}; application live {{ live on; }} }} }}\n"
    );
    std::fs::write(&config, text).unwrap();
    let mut command = Command::new("nginx");
    command.args(["-c", &config, "-e"]).arg(folder.file("error.log"));
    let child = command.stderr(Stdio::null()).spawn().unwrap();
    for _ in 0..100 {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    (Running(child), port)
}

#[test]
fn takes_our_push_and_feeds_our_play() {
    let folder = Folder::new("nginx-rtmp");
    let (_nginx, port) = nginx(&folder);
    let url = format!("rtmp://127.0.0.1:{port}/live/clock");
    let push = thalweg().args(["push", "--quiet", &url, "clock"]).spawn().unwrap();
    let _push = Running(push);
    std::thread::sleep(Duration::from_secs(2));
    let file = folder.file("out.flv");
    let mut play = thalweg();
    play.args(["play", "--quiet", "--duration", "4s", "-o", &file, &url]);
    let output = run_within(&mut play, Duration::from_secs(20));
    assert!(output.status.success(), "{}", text(&output));
    let probe = Probe::of(&file);
    assert_eq!(probe.video(), ("h264".to_owned(), 640, 360));
    assert!(probe.frames("video") >= 60, "{}", probe.frames("video"));
}
