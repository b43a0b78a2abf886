//! `thalweg push`

use std::pin::{Pin, pin};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use thalweg_client::source::flv::{self, Reader};
use thalweg_client::{Error, Pace};
use thalweg_wire::error::Misbehaved;
use thalweg_wire::media::Frame;
use thalweg_wire::time::Dts;
use tokio::io::AsyncRead;

use crate::clock;
use crate::outlet::{self, Mode, Outlet, Route};
use crate::progress::Progress;
use crate::show;
use crate::signals::told_to_stop;
use crate::trust;

/// Push a stream: an FLV file, standard input, or the test clock.
///
/// A file is sent at the pace it was recorded at. Standard input is sent as it comes, because
/// whoever writes it has a pace of its own: `ffmpeg ... -f flv - | thalweg push URL -`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Push URL, rtmp:// or ws://, or one of these with TLS: rtmps:// or wss://. In quotes: a shell would
    /// cut it at the first &.
    url: String,
    /// An FLV file, `-` for standard input, or `clock`.
    source: String,
    /// Begin a file anew when it ends, time going on.
    #[arg(long = "loop")]
    repeat: bool,
    /// Send as fast as the server takes it.
    #[arg(long)]
    no_pace: bool,
    /// How often to try again when the connection fails. A refusal is final, and so is the end of
    /// standard input.
    #[arg(long, default_value_t = 3, value_name = "TIMES")]
    retries: u32,
    /// How long to wait before trying again.
    #[arg(long, default_value = "3s", value_parser = show::time, value_name = "TIME")]
    retry_wait: Duration,
    /// Print no statistics.
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    rtc: outlet::Args,
    #[command(flatten)]
    trust: trust::Args,
}

pub(crate) async fn run(args: Args) -> Result<ExitCode> {
    if args.source == "clock" {
        show::note("pushing the test clock; Ctrl-C ends it");
    }
    let (mut tries, mut stop) = (0, pin!(told_to_stop()));
    loop {
        let began = Instant::now();
        let Err(error) = push(&args, stop.as_mut()).await else {
            return Ok(ExitCode::SUCCESS);
        };
        let may_pass = error.downcast_ref::<Error>().is_some_and(Error::may_pass);
        // A connection that held for a while has earned its tries again.
        tries = if began.elapsed() > STEADY { 0 } else { tries };
        let is_rtc = args.rtc.mode == Mode::Rtc;
        if may_pass && tries > 0 && tries == args.retries && is_rtc {
            return Err(error.context(format!("{tries} tries are used up (code {GIVEN_UP})")));
        }
        if !may_pass || tries == args.retries || args.source == STDIN {
            return Err(error);
        }
        tries += 1;
        let code = if is_rtc { format!(", code {RECONNECTING}") } else { String::new() };
        show::note(format_args!("{error:#}; trying again ({tries} of {}{code})", args.retries));
        tokio::select! {
            () = tokio::time::sleep(args.retry_wait) => {}
            () = &mut stop => return Ok(ExitCode::SUCCESS),
        }
    }
}

/// Pushes until the source ends, or until told to stop: either way the server hears of it.
async fn push(args: &Args, mut stop: Pin<&mut impl Future<Output = ()>>) -> Result<()> {
    let (trust, options) = (args.trust.trust()?, args.rtc.options());
    let route = Route { url: args.url.clone(), mode: args.rtc.mode, trust, options };
    if args.source == "clock" {
        return Ok(clock::publish(&route, stop).await?);
    }
    // Opened first: a wrong name should not begin a stream.
    let input = open(&args.source).await?;
    let mut sender = tokio::select! {
        sender = Sender::connect(args, &route) => sender?,
        () = &mut stop => return Ok(()),
    };
    let sent = tokio::select! {
        sent = sender.send_all(args, input) => sent,
        () = stop => Ok(()),
    };
    match sent {
        // The connection is no more.
        Err(error) if error.downcast_ref::<Error>().is_some() => Err(error),
        // What came before a fault in the source has been sent, and is a stream.
        sent => sender.close().await.and(sent),
    }
}

type Input = Box<dyn AsyncRead + Unpin>;

async fn open(source: &str) -> Result<Input> {
    if source == STDIN {
        return Ok(Box::new(tokio::io::stdin()));
    }
    Ok(Box::new(tokio::fs::File::open(source).await.with_context(|| source.to_owned())?))
}

struct Sender {
    outlet: Outlet,
    pace: Option<Pace>,
    progress: Progress,
    /// Added to a frame's time, and the latest time sent.
    offset: Dts,
    latest: Dts,
}

impl Sender {
    async fn connect(args: &Args, route: &Route) -> Result<Sender> {
        let outlet = Outlet::connect(route).await?;
        let progress = Progress::start("pushing", args.quiet);
        let paced = args.source != STDIN && !args.no_pace;
        Ok(Sender { outlet, pace: paced.then(Pace::new), progress, offset: 0, latest: 0 })
    }

    /// Sends the source once, or again and again.
    async fn send_all(&mut self, args: &Args, mut input: Input) -> Result<()> {
        loop {
            self.send_once(args, Reader::new(input)).await?;
            if !args.repeat || args.source == STDIN {
                return Ok(());
            }
            // The next frames follow on the last.
            self.offset = self.latest + FRAME_MS;
            input = open(&args.source).await?;
        }
    }

    async fn send_once(&mut self, args: &Args, mut reader: Reader<Input>) -> Result<()> {
        loop {
            let next = tokio::select! {
                next = reader.next_frame() => next,
                // A source may be silent for so long that the server gives up.
                over = self.outlet.over() => return Err(over.into()),
            };
            match next {
                Ok(Some(frame)) => self.send(frame).await?,
                Ok(None) => return Ok(()),
                Err(error) => return Err(explain(&args.source, &error)),
            }
        }
    }

    async fn send(&mut self, mut frame: Frame) -> Result<(), Error> {
        if frame.config {
            // Headers are stamped 0 in a file, wherever in time they are repeated.
            frame.dts = frame.dts.saturating_add(self.offset).max(self.latest);
        } else {
            frame.dts = frame.dts.saturating_add(self.offset);
            if let Some(pace) = &mut self.pace {
                let due = pace.due(frame.dts, Instant::now());
                self.outlet.rest_until(due).await?;
            }
        }
        self.latest = self.latest.max(frame.dts);
        self.outlet.send(&frame).await?;
        let status = self.outlet.status();
        self.progress.tell(|| status.map(outlet::line).unwrap_or_default());
        self.progress.count(&frame);
        Ok(())
    }

    async fn close(self) -> Result<()> {
        self.progress.finish();
        Ok(self.outlet.close().await?)
    }
}

/// What is wrong with a source, and what may help.
fn explain(source: &str, error: &flv::Error) -> anyhow::Error {
    let name = if source == STDIN { "standard input" } else { source };
    match error {
        flv::Error::Bad(Misbehaved::NotFlv) if source != STDIN => anyhow::anyhow!(
            "{name}: {error}; ffmpeg makes FLV of most files: \
             ffmpeg -re -i FILE -c copy -f flv - | thalweg push URL -"
        ),
        _ => anyhow::anyhow!("{name}: {error}"),
    }
}

/// The vendor's events: the connection is lost and made anew; it could not be.
const RECONNECTING: i32 = 1102;
const GIVEN_UP: i32 = -1307;
/// A source's name for standard input.
const STDIN: &str = "-";
const STEADY: Duration = Duration::from_secs(30);
/// Between the end of a file and its beginning.
const FRAME_MS: Dts = 40;
