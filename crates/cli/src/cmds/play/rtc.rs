//! `thalweg play --mode rtc`

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use thalweg_client::rtc::fallback::{self, Memory, Way};
use thalweg_client::rtc::{Due, Event, Options, Player};
use thalweg_client::source::clock;
use thalweg_client::{Error, Trust};
use thalweg_wire::media::{Frame, Kind};

use super::Writer;
use crate::outlet;
use crate::progress::Progress;
use crate::show;

/// Connects over UDP, or over TCP where that does not do; says which.
pub(super) async fn connect(
    url: &str,
    trust: &Trust,
    options: &Options,
    memory: &mut Memory,
) -> Result<Way, Error> {
    let way = fallback::connect(url, trust, options, memory).await?;
    tell(&way);
    Ok(way)
}

/// Goes on with a play that has broken off, in the place of its session; tries so often.
pub(super) async fn again(
    url: &str,
    trust: &Trust,
    options: &Options,
    memory: &mut Memory,
    session: Option<String>,
) -> Result<Way, Error> {
    let mut tries = 1;
    loop {
        let error = match fallback::again(url, trust, options, memory, session.clone()).await {
            Ok(way) => {
                tell(&way);
                return Ok(way);
            }
            Err(error) => error,
        };
        if !error.may_pass() || tries == TRIES {
            return Err(error);
        }
        show::note(format_args!("{error}; trying again ({tries} of {})", TRIES - 1));
        tries += 1;
        tokio::time::sleep(PAUSE).await;
    }
}

fn tell(way: &Way) {
    if let Way::Tcp(.., why) = way {
        show::note(format_args!("not over UDP: {why}; watching over TCP"));
    }
}

/// Watches until the stream, or whoever reads what is written, ends.
pub(super) async fn watch(
    player: &mut Player,
    writer: &mut Option<Writer>,
    progress: &mut Progress,
    reading: &mut Reading,
) -> Result<()> {
    loop {
        let due = match player.next().await? {
            Event::Due(due) => due,
            Event::Status(status) => {
                show::note(status.description);
                continue;
            }
            Event::Reconnect(_) => {
                show::note("the server asks to connect anew");
                continue;
            }
        };
        reading.read(&due);
        let Due { arrived, .. } = due;
        progress.tell(|| reading.line(player));
        progress.count(&arrived.frame);
        if let Some(writer) = writer
            && !writer.write(arrived.frame).await?
        {
            return Ok(());
        }
    }
}

/// What the pictures of the test clock say.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// From what they show to the moment they were to be shown, ms.
    delays: Vec<u32>,
}

impl Reading {
    fn read(&mut self, due: &Due) {
        let frame: &Frame = &due.arrived.frame;
        if !due.show || frame.kind != Kind::Video || self.delays.len() >= READINGS_MAX {
            return;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        if let Some(delay) = clock::delay_of(frame, now) {
            self.delays.push(u32::try_from(delay.as_millis()).unwrap_or(u32::MAX));
        }
    }

    fn line(&self, player: &Player) -> String {
        let clock = self.delays.last().map(|ms| format!("clock {ms} ms behind  "));
        clock.unwrap_or_default() + &outlet::line(player.status())
    }

    /// Says what it came to.
    pub(super) fn finish(mut self, player: &Player) {
        show::note(outlet::line(player.status()));
        if self.delays.is_empty() {
            return;
        }
        self.delays.sort_unstable();
        let at = |part: usize| self.delays[(self.delays.len() - 1) * part / 100];
        let most = self.delays.last().copied().unwrap_or_default();
        show::note(format_args!(
            "the clock was behind by {} ms (median), {} ms (95 of 100), {most} ms (most)",
            at(50),
            at(95),
        ));
    }
}

/// The vendor's event: the connection is lost and made anew.
pub(super) const RECONNECTING: i32 = 2103;
/// How often a play that has broken off is tried, and how long to wait in between: as the vendor's players.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(3);
/// Pictures of the clock that are remembered: a day at 25 a second, 8 MiB.
const READINGS_MAX: usize = 25 * 86_400;
