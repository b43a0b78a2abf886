//! What a play has shown is worth nothing to a push, where plays are signed with the push key.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{PLAY_KEY, PUSH_KEY, TestServer, read, send, signature, strong, vendor_policy};
use thalweg_access::Purpose;
use thalweg_client::{Error, Player, Publisher};
use thalweg_testkit::media::Recipe;

/// Why a push is refused.
fn reason(result: Result<Publisher, Error>) -> String {
    match result {
        Err(Error::Refused(status)) => status.reason.unwrap_or_default().into_owned(),
        other => panic!("{other:?}"),
    }
}

/// Watches once with a URL, over RTMP or HTTP.
async fn watch(url: &str, query: &str) {
    let mut player = Player::connect(&format!("{url}?bizid=1&{query}")).await.unwrap();
    read(&mut player, 5).await;
}

#[tokio::test]
async fn what_let_watch_once_lets_nobody_push() {
    for over_http in [false, true] {
        let server = TestServer::start();
        server.policy.replace(vendor_policy());
        let push = |query: String| {
            let url = format!("{}?{query}", server.rtmp_url("room"));
            async move { Publisher::connect(&url).await }
        };
        let shown = signature(PUSH_KEY, "room", 60);
        let mut publisher = server.publish("room").await;
        send(&mut publisher, &Recipe::default().frames_for(500)).await;
        let url = if over_http { server.flv_url("room") } else { server.rtmp_url("room") };
        watch(&url, &shown).await;
        assert_eq!(reason(push(shown.clone()).await), "wrong-action");

        // Another of the vendor's signatures is refused nothing but to take the stream over.
        let another = signature(PUSH_KEY, "room", 61);
        assert_eq!(reason(push(another.clone()).await), "in-use");
        send(&mut publisher, &Recipe::default().frames_for(500)).await;
        publisher.close().await.unwrap();
        server.until_vacant("room").await;
        let mut second = push(another).await.unwrap();
        send(&mut second, &Recipe::default().frames_for(500)).await;
        assert_eq!(reason(push(shown.clone()).await), "wrong-action");

        // Nobody who may watch can have made a strong one: it takes over from whoever is there.
        let mut third = push(strong(PUSH_KEY, "room", Purpose::Push, |_| {})).await.unwrap();
        send(&mut third, &Recipe::default().frames_for(500)).await;
        assert_eq!(server.stream("room").publisher.unwrap().epoch, 3);
        // And of a stream that nobody watched with its push key nothing is remembered.
        let mut other = server.publish("other").await;
        send(&mut other, &Recipe::default().frames_for(500)).await;
        server.publish("other").await;
    }
}

#[tokio::test]
async fn a_strict_account_has_nothing_to_remember() {
    let server = TestServer::start();
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(500)).await;
    // The play is open: it is let in, and the push key buys it nothing.
    let by_push = signature(PUSH_KEY, "room", 60);
    watch(&server.rtmp_url("room"), &by_push).await;
    let url = |query: &str| format!("{}?{query}", server.rtmp_url("room"));
    let mut second = Publisher::connect(&url(&by_push)).await.unwrap();
    send(&mut second, &Recipe::default().frames_for(500)).await;
    // And what the play key signs never lets push.
    let by_play = signature(PLAY_KEY, "room", 60);
    watch(&server.rtmp_url("room"), &by_play).await;
    assert_eq!(reason(Publisher::connect(&url(&by_play)).await), "auth-bad");
}
