//! The list of streams, as an operator's program reads it.
#![allow(clippy::unwrap_used)]

use std::time::Instant;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use thalweg_hub::{Hub, InProcess, Lag, Limits, Protocol, Publisher, StreamKey};
use thalweg_testkit::media::Recipe;
use tower::ServiceExt;

async fn get(hub: &Hub, path: &str) -> (StatusCode, Value) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = thalweg_console::router(hub.clone()).oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn a_stream_is_described() {
    let hub = Hub::new(Limits::default(), InProcess::default());
    let (status, empty) = get(&hub, "/api/v1/streams").await;
    assert_eq!((status, &empty["streams"]), (StatusCode::OK, &Value::Array(vec![])));

    let key = StreamKey::new("1", "live", "room");
    let now = Instant::now();
    let publisher = Publisher {
        peer: "192.0.2.1:5000".parse().unwrap(),
        credential: None,
        agent: "obs".to_owned(),
    };
    let mut publication = hub.publish(&key, publisher, now).unwrap();
    for frame in Recipe::default().frames_for(3000) {
        publication.append(frame, now).unwrap();
    }
    let _viewer = hub.subscribe(&key, Protocol::HttpFlv, Lag::LIVE, now).unwrap();
    let (_, list) = get(&hub, "/api/v1/streams").await;
    let stream = &list["streams"][0];
    for (pointer, want) in [
        ("/account", "1".into()),
        ("/app", "live".into()),
        ("/name", "room".into()),
        ("/live", true.into()),
        ("/publisher/address", "192.0.2.1:5000".into()),
        ("/publisher/agent", "obs".into()),
        ("/video/codec", "h264".into()),
        ("/video/width", 640.into()),
        ("/video/height", 360.into()),
        ("/video/gop_ms", 1000.into()),
        ("/audio/codec", "aac".into()),
        ("/audio/sample_rate", 32_000.into()),
        ("/audio/channels", 1.into()),
        ("/viewers/http-flv", 1.into()),
        ("/viewers/rtmp", 0.into()),
        ("/jumps", 0.into()),
    ] {
        assert_eq!(stream.pointer(pointer), Some::<&Value>(&want), "{pointer} of {stream:#}");
    }
}
