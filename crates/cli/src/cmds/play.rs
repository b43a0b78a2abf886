//! `thalweg play`

use std::io::IsTerminal;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use thalweg_client::rtc::fallback::{Memory, Way};
use thalweg_client::{Error, Player, Trust};
use thalweg_wire::media::Frame;
use thalweg_wire::rtmp::command::code;
use thalweg_wire::rtmp_udp::Close;

use crate::outlet::{self, Mode};
use crate::progress::Progress;
use crate::show;
use crate::signals::told_to_stop;
use crate::trust;

mod rtc;
mod writer;

use writer::{Sink, Writer};

/// Watch a stream: into a file, onto standard output, or as a line of statistics.
///
/// `thalweg play URL -o - | ffplay -` shows it; `thalweg play URL -o FILE.flv` keeps it. With `--mode rtc`
/// it comes over UDP, in under 400 ms, and the line shows how late it is; the URL has to be signed for
/// that.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Play URL, rtmp://, http:// or ws://, or one of these with TLS: rtmps://, https:// or wss://. In
    /// quotes: a shell would cut it at the first &.
    url: String,
    /// Where to write FLV: a file, or `-` for standard output. Without this nothing is kept.
    #[arg(long, short, value_name = "FILE")]
    output: Option<String>,
    /// Write over a file that is there already.
    #[arg(long)]
    overwrite: bool,
    /// Stop after so long.
    #[arg(long, value_parser = show::time, value_name = "TIME")]
    duration: Option<Duration>,
    /// Print no statistics.
    #[arg(long, short)]
    quiet: bool,
    /// RTC mode: give up where UDP does not do, instead of watching over TCP.
    #[arg(long)]
    no_fallback: bool,
    #[command(flatten)]
    rtc: outlet::Args,
    #[command(flatten)]
    trust: trust::Args,
}

pub(crate) async fn run(args: Args) -> Result<ExitCode> {
    let trust = args.trust.trust()?;
    let mut stop = pin!(told_to_stop());
    // Opened first: a wrong name should not take a seat.
    let mut writer = match &args.output {
        Some(path) => Some(Writer::new(open(path, args.overwrite).await?)),
        None => None,
    };
    let mut memory = Memory::default();
    let mut player = tokio::select! {
        player = connect(&args, &trust, &mut memory) => player?,
        () = &mut stop => return Ok(ExitCode::SUCCESS),
    };
    let mut reading = rtc::Reading::default();
    let mut progress = Progress::start("playing", args.quiet);
    let watching =
        watch(&args, &trust, &mut player, &mut writer, &mut progress, &mut reading, &mut memory);
    let watched = tokio::select! {
        watched = watching => watched,
        () = after(args.duration) => Ok(()),
        () = &mut stop => Ok(()),
    };
    // What came before an error is kept.
    if let Some(writer) = writer {
        writer.finish().await?;
    }
    progress.finish();
    if let Watched::Udp(mut player) = player {
        if !watched.as_ref().is_err_and(|error| error.downcast_ref().is_some_and(is_end)) {
            player.stall();
        }
        if !args.quiet {
            reading.finish(&player);
        }
        // A server that is not told keeps the seat for a while.
        player.close().await;
    }
    match watched.map_err(anyhow::Error::downcast::<Error>) {
        Ok(()) => {}
        Err(Ok(over)) if is_end(&over) => show::note(over),
        Err(Ok(error)) => return Err(error.into()),
        Err(Err(error)) => return Err(error),
    }
    Ok(ExitCode::SUCCESS)
}

/// Watches until the stream ends. A play over UDP that breaks off goes on as it began, over UDP or TCP.
async fn watch(
    args: &Args,
    trust: &Trust,
    player: &mut Watched,
    writer: &mut Option<Writer>,
    progress: &mut Progress,
    reading: &mut rtc::Reading,
    memory: &mut Memory,
) -> Result<()> {
    loop {
        let Err(error) = player.watch(writer, progress, reading).await else { return Ok(()) };
        let broken_off = error.downcast_ref().filter(|error: &&Error| error.is_broken_off());
        let (Watched::Udp(udp), Some(why)) = (&mut *player, broken_off) else { return Err(error) };
        if args.no_fallback {
            return Err(error);
        }
        udp.stall();
        show::note(format_args!("{why}; connecting anew (code {})", rtc::RECONNECTING));
        let session = udp.session().map(str::to_owned);
        let options = args.rtc.options();
        let way = rtc::again(&args.url, trust, &options, memory, session).await?;
        *player = Watched::from(way);
        if let Some(writer) = writer {
            writer.go_on();
        }
    }
}

/// Whether that is how a stream ends, and no failure.
fn is_end(error: &Error) -> bool {
    match error {
        Error::Ended(status) => status.code != code::CONNECT_CLOSED,
        Error::Closed | Error::WebSocketClosed { .. } => true,
        Error::Udp(lost) => lost.close() == Some(Close::None),
        _ => false,
    }
}

/// What is watched.
enum Watched {
    /// With what came before it was chosen.
    Tcp(Box<Player>, Vec<Frame>),
    Udp(Box<thalweg_client::rtc::Player>),
}

/// Connects; says so when that takes long, because the stream has not begun.
async fn connect(args: &Args, trust: &Trust, memory: &mut Memory) -> Result<Watched, Error> {
    let mut connecting = pin!(connect_in_mode(args, trust, memory));
    tokio::select! {
        player = &mut connecting => return player,
        () = tokio::time::sleep(PATIENCE) => {}
    }
    show::note("no answer yet: a server keeps a viewer waiting for a stream that has not begun");
    connecting.await
}

async fn connect_in_mode(
    args: &Args,
    trust: &Trust,
    memory: &mut Memory,
) -> Result<Watched, Error> {
    if args.rtc.mode == Mode::Live {
        let player = Player::connect_with(&args.url, trust).await?;
        return Ok(Watched::Tcp(Box::new(player), Vec::new()));
    }
    let options = args.rtc.options();
    if args.no_fallback {
        let player = thalweg_client::rtc::Player::connect(&args.url, trust, &options).await?;
        return Ok(Watched::Udp(Box::new(player)));
    }
    Ok(rtc::connect(&args.url, trust, &options, memory).await?.into())
}

async fn after(duration: Option<Duration>) {
    match duration {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

impl From<Way> for Watched {
    fn from(way: Way) -> Watched {
        match way {
            Way::Udp(player) => Watched::Udp(player),
            Way::Tcp(player, frames, _) => Watched::Tcp(player, frames),
        }
    }
}

impl Watched {
    /// Watches until the stream, or whoever reads what is written, ends.
    async fn watch(
        &mut self,
        writer: &mut Option<Writer>,
        progress: &mut Progress,
        reading: &mut rtc::Reading,
    ) -> Result<()> {
        let (player, early) = match self {
            Watched::Tcp(player, early) => (player, early),
            Watched::Udp(player) => return rtc::watch(player, writer, progress, reading).await,
        };
        let mut early = std::mem::take(early).into_iter();
        loop {
            let frame = match early.next() {
                Some(frame) => frame,
                None => player.next_frame().await?,
            };
            progress.count(&frame);
            if let Some(writer) = writer
                && !writer.write(frame).await?
            {
                return Ok(());
            }
        }
    }
}

async fn open(path: &str, overwrite: bool) -> Result<Sink> {
    if path == "-" {
        if std::io::stdout().is_terminal() {
            bail!("a terminal cannot show FLV: pipe it somewhere, as in `| ffplay -`");
        }
        return Ok(Box::new(tokio::io::stdout()));
    }
    // A pipe or a device holds nothing that could be lost.
    let is_special = tokio::fs::metadata(path).await.is_ok_and(|m| !m.is_file());
    let mut options = tokio::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).create_new(!overwrite && !is_special);
    match options.open(path).await {
        Ok(file) => Ok(Box::new(tokio::io::BufWriter::new(file))),
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
            bail!("{path} is there already: give another name, or --overwrite")
        }
        Err(e) => Err(e).with_context(|| path.to_owned()),
    }
}

/// An answer takes no longer, but for streams that have not begun.
const PATIENCE: Duration = Duration::from_secs(2);
