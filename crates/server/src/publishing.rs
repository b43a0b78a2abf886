//! A publication in the log and in the counts, from its beginning to its end.

use std::net::SocketAddr;
use std::time::Instant;

use thalweg_access::Reason;
use thalweg_hub::{Publication, StreamKey};

use crate::cause::Cause;
use crate::clock::now;
use crate::context::{Context, Denial, Permit};
use crate::gate::Place;

/// A publication that goes on.
#[derive(Debug)]
pub(crate) struct Publishing {
    stream: StreamKey,
    peer: SocketAddr,
    epoch: u64,
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
        publication: &Publication,
        protocol: &'static str,
        peer: SocketAddr,
        agent: &str,
    ) -> Self {
        let (stream, epoch) = (publication.stream().key().clone(), publication.epoch());
        tracing::info!(%stream, %peer, protocol, agent, epoch, "publish begins");
        ctx.metrics.publish_began();
        Publishing { stream, peer, epoch, began: now() }
    }

    /// And ends.
    pub(crate) fn over(self, cause: &Cause) {
        let Publishing { stream, peer, epoch, began } = self;
        let (seconds, errcode, words) =
            (began.elapsed().as_secs(), cause.errcode(), cause.to_string());
        tracing::info!(%stream, %peer, epoch, seconds, errcode, cause = words, "publish ends");
    }
}
