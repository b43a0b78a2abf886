//! A publication in the log, in the counts and among the events, from its beginning to its end.

use std::net::SocketAddr;
use std::time::{Instant, SystemTime};

use thalweg_access::Reason;
use thalweg_hub::events::{PublishBegan, PublishEnded};
use thalweg_hub::{Events, Leave, Publication, What};
use thalweg_wire::media::Frame;
use thalweg_wire::rtmp::Address;

use crate::cause::Cause;
use crate::clock::now;
use crate::context::{Context, Denial, Permit};
use crate::gate::Place;

/// A publication that goes on.
#[derive(Debug)]
pub(crate) struct Publishing {
    publication: Publication,
    events: Events,
    peer: SocketAddr,
    began: Instant,
}

/// Takes the publisher's seat, and a place on a server that is full otherwise.
pub(crate) fn take_seat(
    ctx: &Context,
    place: &mut Place,
    permit: Permit,
    peer: SocketAddr,
    agent: &str,
) -> Result<Publication, Denial> {
    // The places kept for publishers are for those who have shown that they are.
    if place.refusal().is_some() && !(permit.is_signed() && place.take_reserved()) {
        return Err(place.refusal().unwrap_or(Reason::Full).into());
    }
    ctx.publish(permit, peer, agent)
}

impl Publishing {
    /// A publication begins.
    pub(crate) fn new(
        ctx: &Context,
        publication: Publication,
        protocol: &'static str,
        peer: SocketAddr,
        agent: &str,
        address: &Address,
    ) -> Self {
        let (stream, epoch) = (publication.stream().key(), publication.epoch());
        tracing::info!(%stream, %peer, protocol, agent, epoch, "publish begins");
        ctx.metrics.publish_began();
        let (key, agent) = (stream.clone(), agent.into());
        let (host, query) = (address.host.as_str().into(), address.query.as_str().into());
        let began = PublishBegan { key, epoch, peer, agent, protocol, host, query };
        let events = ctx.hub.events();
        events.push(SystemTime::now(), What::PublishBegan(began));
        Publishing { publication, events, peer, began: now() }
    }

    /// Appends a frame.
    pub(crate) fn append(&mut self, frame: Frame) -> Result<(), Leave> {
        let appended = self.publication.append(frame, now());
        self.say_what_is_odd(false);
        appended
    }

    /// Takes note of the chunk size that the publisher has announced.
    pub(crate) fn note_chunk_bytes(&mut self, bytes: u32) {
        self.publication.note_chunk_bytes(bytes, now());
    }

    /// Waits until the publisher must leave. May be polled while frames are appended.
    pub(crate) fn must_leave(&self) -> impl Future<Output = Leave> + Send + use<> {
        self.publication.must_leave()
    }

    /// Waits until a viewer asks for a key frame.
    pub(crate) async fn key_wanted(&self) {
        self.publication.key_wanted().await;
    }

    /// And ends.
    pub(crate) fn over(mut self, cause: &Cause) {
        self.say_what_is_odd(true);
        let Publishing { publication, events, peer, began } = self;
        let (key, epoch) = (publication.stream().key().clone(), publication.epoch());
        let bytes_in = publication.bytes();
        publication.close(now());
        let (duration, errcode, cause) = (began.elapsed(), cause.errcode(), cause.to_string());
        let seconds = duration.as_secs();
        tracing::info!(stream = %key, %peer, epoch, seconds, errcode, cause, "publish ends");
        let ended = PublishEnded { key, epoch, peer, duration, errcode, cause, bytes_in };
        events.push(SystemTime::now(), What::PublishEnded(ended));
    }

    fn say_what_is_odd(&mut self, is_end: bool) {
        // A clock is read only when there is something to say.
        if !self.publication.is_odd() {
            return;
        }
        let at = SystemTime::now();
        if let Some(anomalies) = self.publication.anomalies(is_end, now(), at) {
            self.events.push(at, What::Anomalies(anomalies));
        }
    }
}
