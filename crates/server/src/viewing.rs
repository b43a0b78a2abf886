//! A play in the log and in the counts, from its beginning to its end.

use std::net::SocketAddr;
use std::time::Instant;

use thalweg_hub::{Protocol, StreamKey};

use crate::clock::now;
use crate::context::{Context, Permit};
use crate::egress::{Done, End};
use crate::sessions::Session;

/// A play that goes on.
#[derive(Debug)]
pub(crate) struct Viewing {
    stream: StreamKey,
    protocol: Protocol,
    peer: SocketAddr,
    began: Instant,
    /// Its part of what its URL allows, if that says how much.
    session: Option<Box<Session>>,
}

impl Viewing {
    /// A play begins.
    pub(crate) fn new(
        ctx: &Context,
        permit: Permit,
        protocol: Protocol,
        peer: SocketAddr,
        agent: &str,
    ) -> Self {
        ctx.metrics.play_began(protocol);
        let Permit { key: stream, class, session, .. } = permit;
        let (protocol_name, mode) = (protocol.name(), class.name());
        tracing::info!(%stream, %peer, protocol = protocol_name, mode, agent, "play begins");
        Viewing { stream, protocol, peer, began: now(), session }
    }

    /// And ends, as its pump says; or with its pump.
    pub(crate) fn over(self, ctx: &Context, done: Option<&Done>) {
        self.ended(ctx, done.map(|d| d.why), done.map_or(0, |d| d.bytes));
    }

    /// And ends, with so many bytes sent.
    pub(crate) fn ended(self, ctx: &Context, why: Option<End>, bytes: u64) {
        let cause = match why {
            Some(End::StreamEnded | End::Dismissed) if ctx.is_stopping() => {
                "the server is stopping"
            }
            Some(End::TooSlow) => "the viewer read too slowly",
            Some(End::StreamEnded) => "the stream ended",
            Some(End::Dismissed) => "the viewer stopped",
            Some(End::PeerGone) => "the viewer left",
            None => "lost to a bug",
        };
        let Viewing { stream, peer, protocol, began, session } = self;
        drop(session);
        let (protocol, seconds) = (protocol.name(), began.elapsed().as_secs());
        tracing::info!(%stream, %peer, protocol, seconds, bytes, cause, "play ends");
    }
}
