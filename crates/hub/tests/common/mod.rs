//! A hub with a clock that is turned by hand.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub, reason = "each file uses its part")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use thalweg_hub::{
    Batch, Credential, Depth, Hub, InProcess, Lag, Limits, Protocol, Publication, PublishError,
    Publisher, Skipped, StreamKey, Subscription,
};
use thalweg_testkit::media::Recipe;
use thalweg_wire::media::Frame;

pub struct World {
    pub hub: Hub,
    pub now: Instant,
    pub key: StreamKey,
}

impl World {
    pub fn new() -> Self {
        World::with(Limits::default())
    }

    pub fn with(limits: Limits) -> Self {
        let hub = Hub::new(limits, InProcess::default());
        World { hub, now: Instant::now(), key: StreamKey::new("1", "live", "room") }
    }

    pub fn wait(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
        self.hub.sweep(self.now);
    }

    pub fn publish(&self) -> Publication {
        self.try_publish(1, Some("key")).unwrap()
    }

    /// A push from port `port` with a credential.
    pub fn try_publish(
        &self,
        port: u16,
        credential: Option<&str>,
    ) -> Result<Publication, PublishError> {
        let of_key = |c: &str| Credential { of: c.to_owned(), takes_over: true };
        self.publish_with(port, credential.map(of_key))
    }

    pub fn publish_with(
        &self,
        port: u16,
        credential: Option<Credential>,
    ) -> Result<Publication, PublishError> {
        let publisher = Publisher {
            peer: SocketAddr::from(([192, 0, 2, 1], port)),
            credential,
            agent: "test".to_owned(),
        };
        self.hub.publish(&self.key, publisher, self.now)
    }

    /// Publishes `ms` of a recipe in its own time, beginning where it starts.
    pub fn play_out(&mut self, publication: &mut Publication, recipe: &Recipe, ms: i64) {
        for frame in recipe.frames_for(ms) {
            self.append_at(publication, &frame, recipe.start);
        }
    }

    fn append_at(&mut self, publication: &mut Publication, frame: &Frame, start: i64) {
        let at = self.now + Duration::from_millis((frame.dts - start) as u64);
        publication.append(frame.clone(), at).unwrap();
    }

    pub fn subscribe(&self) -> Subscription {
        self.subscribe_with(Lag::LIVE)
    }

    pub fn subscribe_with(&self, lag: Lag) -> Subscription {
        self.hub.subscribe(&self.key, Protocol::Rtmp, lag, self.now).unwrap()
    }
}

/// Starts a newcomer; answers its subscription's configuration as frames.
pub fn start(subscription: &mut Subscription, depth: Depth) -> Vec<Frame> {
    subscription.start(depth).unwrap().configs.frames().to_vec()
}

/// Everything a viewer gets until it is level, and what it lost on the way.
pub fn read_all(subscription: &mut Subscription) -> (Vec<Frame>, Vec<Skipped>) {
    let (mut frames, mut skips, mut batch) = (Vec::new(), Vec::new(), Batch::default());
    loop {
        skips.extend(subscription.next_batch(&mut batch, u64::MAX, 16, 1 << 20));
        frames.extend(batch.frames.drain(..).map(|(_, frame)| frame));
        if batch.end == subscription.next() {
            return (frames, skips);
        }
        subscription.advance(batch.end);
    }
}

pub fn times(frames: &[Frame]) -> Vec<i64> {
    frames.iter().map(|f| f.dts).collect()
}

pub fn rises(times: &[i64]) -> bool {
    times.windows(2).all(|w| w[0] <= w[1])
}
