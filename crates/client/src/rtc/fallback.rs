//! Where UDP does not get through, TCP does (`docs/ref/rtmp-udp.md`, section 11).
//!
//! UDP is tried first. When it has not shaken hands after a second, TCP is tried beside it, and the
//! first that brings a key frame wins. A refusal that plain play may survive - the signature, the cap
//! of viewers - goes to TCP at once, where the policy for plain play decides. A play that breaks off goes
//! on in the same way.

use std::time::{Duration, Instant};

use thalweg_wire::media::Frame;
use thalweg_wire::rtmp_udp::client::Wishes;

use super::link::{Dialed, Link, Options};
use super::player::Player;
use crate::error::Error;
use crate::play;
use crate::transport::Trust;

/// How the stream comes.
#[derive(Debug)]
pub enum Way {
    /// Over UDP.
    Udp(Box<Player>),
    /// Over TCP, and what came before it was chosen; why not over UDP.
    Tcp(Box<play::Player>, Vec<Frame>, Why),
}

/// Why it does not come over UDP.
#[derive(Debug)]
pub struct Why(pub Error);

impl Why {
    /// The vendor's event code: -2302, the accelerated URL is of no use, where the server has refused
    /// the URL or its cap is reached; none where UDP did not get through, or there is no stream.
    pub fn code(&self) -> Option<i32> {
        let Error::Refused(status) = &self.0 else { return None };
        let is_of_url = !matches!(status.reason.as_deref(), Some("not-found" | "stopping"));
        is_of_url.then_some(-2302)
    }
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.code() {
            Some(code) => write!(f, "{} (code {code})", self.0),
            None => self.0.fmt(f),
        }
    }
}

/// When UDP was last found of no use: it is not tried again for a minute.
#[derive(Debug, Default)]
pub struct Memory {
    blocked_at: Option<Instant>,
    /// When a play over UDP broke off last.
    broke_at: Option<Instant>,
}

/// Connects over UDP, or over TCP where that does not do.
///
/// # Errors
/// What TCP says, when neither does.
pub async fn connect(
    url: &str,
    trust: &Trust,
    options: &Options,
    memory: &mut Memory,
) -> Result<Way, Error> {
    if options.pin.is_some() {
        // Over plain TCP nobody would show the certificate that was asked for.
        return Ok(Way::Udp(Box::new(Player::connect(url, trust, options).await?)));
    }
    if memory.blocked_at.is_some_and(|at| at.elapsed() < BLOCKED_PAUSE) {
        return over_tcp(url, trust, Error::UdpBlocked).await;
    }
    let mut dialing = std::pin::pin!(Link::dial(url, trust, options));
    let early = match tokio::time::timeout(HANDSHAKE_PATIENCE, &mut dialing).await {
        // UDP gets through: how long the answer takes is the server's affair.
        Ok(Ok(dialed)) => Player::ask(dialed, options).await,
        Ok(Err(error)) => Err(error),
        Err(_) => return race(dialing, url, trust, options, memory).await,
    };
    match early {
        Ok(player) => Ok(Way::Udp(Box::new(player))),
        Err(error) if !error.may_fall_back() => Err(error),
        Err(error) => {
            memory.note(&error);
            over_tcp(url, trust, error).await
        }
    }
}

/// Goes on with a play over UDP that has [broken off](Error::is_broken_off): as at the start, in the
/// place of the `session` that is gone, because the viewer's network may only have changed. One that
/// breaks off again within a minute goes over TCP.
///
/// # Errors
/// As [`connect`].
pub async fn again(
    url: &str,
    trust: &Trust,
    options: &Options,
    memory: &mut Memory,
    session: Option<String>,
) -> Result<Way, Error> {
    let before = memory.broke_at.replace(Instant::now());
    if before.is_some_and(|at| at.elapsed() < BLOCKED_PAUSE) {
        memory.blocked_at = memory.broke_at;
    }
    let wishes = Wishes { resume: session, ..options.wishes.clone() };
    connect(url, trust, &Options { wishes, ..options.clone() }, memory).await
}

/// Both, and the first that brings a picture wins.
async fn race(
    dialing: impl Future<Output = Result<Dialed, Error>>,
    url: &str,
    trust: &Trust,
    options: &Options,
    memory: &mut Memory,
) -> Result<Way, Error> {
    let mut udp = std::pin::pin!(async { Player::ask(dialing.await?, options).await });
    let mut tcp = std::pin::pin!(first_key(url, trust));
    tokio::select! {
        udp = &mut udp => match udp {
            Ok(player) => Ok(Way::Udp(Box::new(player))),
            Err(error) if !error.may_fall_back() => Err(error),
            Err(error) => {
                memory.note(&error);
                let (player, frames) = tcp.await?;
                Ok(Way::Tcp(Box::new(player), frames, Why(error)))
            }
        },
        tcp = &mut tcp => match tcp {
            Ok((player, frames)) => {
                memory.blocked_at = Some(Instant::now());
                Ok(Way::Tcp(Box::new(player), frames, Why(Error::UdpBlocked)))
            }
            // UDP may still get through; what TCP said counts when it does not.
            Err(over_tcp) => match udp.await {
                Ok(player) => Ok(Way::Udp(Box::new(player))),
                Err(_) => Err(over_tcp),
            },
        },
    }
}

async fn over_tcp(url: &str, trust: &Trust, why: Error) -> Result<Way, Error> {
    let player = play::Player::connect_with(url, trust).await?;
    Ok(Way::Tcp(Box::new(player), Vec::new(), Why(why)))
}

/// A player over TCP, with what it brought up to its first key frame.
async fn first_key(url: &str, trust: &Trust) -> Result<(play::Player, Vec<Frame>), Error> {
    let mut player = play::Player::connect_with(url, trust).await?;
    let mut frames = Vec::new();
    while frames.len() < BEFORE_KEY_MAX {
        let frame = player.next_frame().await?;
        let is_key = frame.key;
        frames.push(frame);
        if is_key {
            break;
        }
    }
    Ok((player, frames))
}

impl Memory {
    fn note(&mut self, error: &Error) {
        if !matches!(error, Error::Refused(_)) {
            self.blocked_at = Some(Instant::now());
        }
    }
}

/// A handshake takes two round trips; at 20 % loss one in some takes longer than this.
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(1);
const BLOCKED_PAUSE: Duration = Duration::from_secs(60);
/// Headers, and sound before the first picture.
const BEFORE_KEY_MAX: usize = 256;
