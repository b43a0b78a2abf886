//! A play in the log, in the counts and among the events, from its beginning to its end.

use std::borrow::Cow;
use std::time::SystemTime;

use thalweg_hub::events::{PlayBegan, PlayEnded};
use thalweg_hub::{Orders, Watching, What};

use crate::context::{Context, Permit};
use crate::egress::{Done, End};
use crate::sessions::Session;

/// A play that goes on.
#[derive(Debug)]
pub(crate) struct Viewing {
    watching: Watching,
    /// Its part of what its URL allows, if that says how much.
    session: Option<Box<Session>>,
}

impl Viewing {
    /// A play begins.
    pub(crate) fn new(ctx: &Context, permit: Permit, watching: Watching) -> Self {
        let (protocol, peer, agent) = (watching.protocol(), watching.peer(), watching.agent());
        ctx.metrics.play_began(protocol);
        let Permit { class, session, .. } = permit;
        let (stream, mode) = (watching.key(), class.name());
        tracing::info!(%stream, %peer, protocol = protocol.name(), mode, agent, "play begins");
        let (id, key, agent) = (watching.id(), stream.clone(), agent.into());
        let began = PlayBegan { id, key, peer, agent, protocol };
        ctx.hub.events().push(SystemTime::now(), What::PlayBegan(began));
        Viewing { watching, session }
    }

    /// What whoever feeds the viewer looks at.
    pub(crate) fn orders(&self) -> Orders {
        self.watching.orders()
    }

    /// And ends, as its pump says; or with its pump.
    pub(crate) fn over(self, ctx: &Context, done: Option<&Done>) {
        self.ended(ctx, done.map(|d| d.why), done.map_or(0, |d| d.bytes));
    }

    /// And ends, with so many bytes sent.
    pub(crate) fn ended(self, ctx: &Context, why: Option<End>, bytes: u64) {
        let cause = match why {
            Some(End::StreamEnded | End::Dismissed) if ctx.is_stopping() => {
                Cow::Borrowed("the server is stopping")
            }
            Some(End::TooSlow) => "the viewer read too slowly".into(),
            Some(End::StreamEnded) => "the stream ended".into(),
            Some(End::Dismissed) => "the viewer stopped".into(),
            Some(End::PeerGone) => "the viewer left".into(),
            Some(End::SentAway(away)) => away.to_string().into(),
            None => "lost to a bug".into(),
        };
        let Viewing { watching, session } = self;
        drop(session);
        let (protocol, duration) = (watching.protocol(), watching.since().elapsed());
        let (stream, peer, seconds) = (watching.key(), watching.peer(), duration.as_secs());
        let name = protocol.name();
        tracing::info!(%stream, %peer, protocol = name, seconds, bytes, cause = &*cause, "play ends");
        let (id, key, cause) = (watching.id(), stream.clone(), cause.into_owned());
        let ended = PlayEnded { id, key, peer, protocol, duration, bytes, cause };
        ctx.hub.events().push(SystemTime::now(), What::PlayEnded(ended));
    }
}
