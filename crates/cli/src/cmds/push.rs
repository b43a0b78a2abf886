//! `thalweg push`

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use thalweg_client::source::flv::{self, Reader};
use thalweg_client::{Error, Pace, Publisher};
use thalweg_wire::media::Frame;
use thalweg_wire::time::Dts;
use tokio::io::AsyncRead;

use crate::cmds::demo::publish_clock;
use crate::progress::Progress;
use crate::show;

/// Push a stream: an FLV file, standard input, or the test clock.
///
/// A file is sent at the pace it was recorded at. Standard input is sent as it comes, because
/// whoever writes it has a pace of its own: `ffmpeg ... -f flv - | thalweg push URL -`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Push URL, in quotes: a shell would cut it at the first &.
    url: String,
    /// An FLV file, `-` for standard input, or `clock`.
    source: String,
    /// Begin a file anew when it ends, time going on.
    #[arg(long = "loop")]
    repeat: bool,
    /// Send as fast as the server takes it.
    #[arg(long)]
    no_pace: bool,
    /// How often to try again when the connection fails.
    #[arg(long, default_value_t = 3, value_name = "TIMES")]
    retries: u32,
    /// How long to wait before trying again.
    #[arg(long, default_value = "3s", value_parser = humantime::parse_duration, value_name = "TIME")]
    retry_wait: Duration,
    /// Print no statistics.
    #[arg(long, short)]
    quiet: bool,
}

pub(crate) async fn run(args: Args) -> Result<ExitCode> {
    let mut tries = 0;
    loop {
        let began = Instant::now();
        let Err(error) = push(&args).await else {
            return Ok(ExitCode::SUCCESS);
        };
        let may_pass = error.downcast_ref::<Error>().is_some_and(Error::may_pass);
        // A connection that held for a while has earned its tries again.
        tries = if began.elapsed() > STEADY { 0 } else { tries };
        if !may_pass || tries == args.retries || args.source == "-" {
            return Err(error);
        }
        tries += 1;
        show::note(format_args!("{error:#}; trying again ({tries} of {})", args.retries));
        tokio::time::sleep(args.retry_wait).await;
    }
}

async fn push(args: &Args) -> Result<()> {
    match args.source.as_str() {
        "clock" => {
            show::note("pushing the test clock; Ctrl-C ends it");
            Ok(publish_clock(&args.url).await?)
        }
        "-" => {
            let mut sender = Sender::connect(args, false).await?;
            sender.send_all(Reader::new(tokio::io::stdin())).await.context("standard input")?;
            sender.close().await
        }
        path => {
            // Opened first: a wrong name should not begin a stream.
            let mut file = tokio::fs::File::open(path).await.with_context(|| path.to_owned())?;
            let mut sender = Sender::connect(args, !args.no_pace).await?;
            loop {
                sender.send_all(Reader::new(file)).await.with_context(|| path.to_owned())?;
                if !args.repeat {
                    return sender.close().await;
                }
                sender.continue_time();
                file = tokio::fs::File::open(path).await.with_context(|| path.to_owned())?;
            }
        }
    }
}

struct Sender {
    publisher: Publisher,
    pace: Option<Pace>,
    progress: Progress,
    /// Added to a frame's time, and the latest time sent.
    offset: Dts,
    latest: Dts,
}

impl Sender {
    async fn connect(args: &Args, paced: bool) -> Result<Sender> {
        let publisher = Publisher::connect(&args.url).await?;
        let progress = Progress::start("pushing", args.quiet);
        Ok(Sender { publisher, pace: paced.then(Pace::new), progress, offset: 0, latest: 0 })
    }

    async fn send_all<R: AsyncRead + Unpin>(&mut self, mut reader: Reader<R>) -> Result<()> {
        loop {
            match reader.next_frame().await {
                Ok(Some(frame)) => self.send(frame).await?,
                Ok(None) => return Ok(()),
                // What came before the cut is sent; the rest never was.
                Err(error @ flv::Error::Cut) => {
                    show::note(error);
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
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
                pace.wait(frame.dts).await;
            }
        }
        self.latest = self.latest.max(frame.dts);
        self.publisher.send(&frame).await?;
        self.progress.count(&frame);
        Ok(())
    }

    /// The next frames follow on the last.
    fn continue_time(&mut self) {
        self.offset = self.latest + FRAME_MS;
    }

    async fn close(self) -> Result<()> {
        self.progress.finish();
        Ok(self.publisher.close().await?)
    }
}

const STEADY: Duration = Duration::from_secs(30);
/// Between the end of a file and its beginning.
const FRAME_MS: Dts = 40;
