//! `thalweg play`

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use thalweg_client::{Error, Player};
use thalweg_wire::flv;
use thalweg_wire::media::{Frame, Kind};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::cmds::serve::told_to_stop;
use crate::progress::Progress;
use crate::show;

/// Watch a stream: into a file, onto standard output, or as a line of statistics.
///
/// `thalweg play URL -o - | ffplay -` shows it; `thalweg play URL -o FILE.flv` keeps it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Play URL, rtmp:// or http://, in quotes: a shell would cut it at the first &.
    url: String,
    /// Where to write FLV: a file, or `-` for standard output. Without this nothing is kept.
    #[arg(long, short, value_name = "FILE")]
    output: Option<String>,
    /// Stop after so long.
    #[arg(long, value_parser = humantime::parse_duration, value_name = "TIME")]
    duration: Option<Duration>,
    /// Print no statistics.
    #[arg(long, short)]
    quiet: bool,
}

type Sink = Box<dyn AsyncWrite + Unpin + Send>;

pub(crate) async fn run(args: Args) -> Result<ExitCode> {
    let mut player = Player::connect(&args.url).await?;
    let mut writer = match &args.output {
        Some(path) => Some(Writer::new(open(path).await?)),
        None => None,
    };
    let mut progress = Progress::start("playing", args.quiet);
    let over = async {
        match args.duration {
            Some(time) => tokio::time::sleep(time).await,
            None => std::future::pending().await,
        }
    };
    let (mut over, mut told) = (std::pin::pin!(over), std::pin::pin!(told_to_stop()));
    let ended = loop {
        let frame = tokio::select! {
            frame = player.next_frame() => frame,
            () = &mut over => break None,
            () = &mut told => break None,
        };
        match frame {
            Ok(frame) => {
                progress.count(&frame);
                if let Some(writer) = &mut writer
                    && !writer.write(frame).await?
                {
                    break None;
                }
            }
            Err(error @ (Error::Ended(_) | Error::Closed)) => break Some(error),
            Err(error) => return Err(error.into()),
        }
    };
    if let Some(writer) = writer {
        writer.finish().await?;
    }
    progress.finish();
    if let Some(error) = ended {
        show::note(error);
    }
    Ok(ExitCode::SUCCESS)
}

async fn open(path: &str) -> Result<Sink> {
    if path == "-" {
        if std::io::stdout().is_terminal() {
            bail!("a terminal cannot show FLV: pipe it somewhere, as in `| ffplay -`");
        }
        return Ok(Box::new(tokio::io::stdout()));
    }
    let file = tokio::fs::File::create(path).await.with_context(|| path.to_owned())?;
    Ok(Box::new(tokio::io::BufWriter::new(file)))
}

/// Writes FLV. The file's flags say which kinds there are, so the first frames are held back until
/// the first that is media.
struct Writer {
    sink: Sink,
    held: Vec<Frame>,
    begun: bool,
}

impl Writer {
    fn new(sink: Sink) -> Writer {
        Writer { sink, held: Vec::new(), begun: false }
    }

    /// Writes a frame; false when nobody reads any more.
    async fn write(&mut self, frame: Frame) -> Result<bool> {
        if !self.begun && !frame.is_media() && self.held.len() < HELD_MAX {
            self.held.push(frame);
            return Ok(true);
        }
        let mut out = Vec::new();
        if !self.begun {
            self.begun = true;
            let seen = |kind| self.held.iter().chain([&frame]).any(|f| f.kind == kind);
            out.extend_from_slice(&flv::file_header(seen(Kind::Audio), seen(Kind::Video)));
        }
        self.held.drain(..).for_each(|held| flv::write_tag(&mut out, &held));
        flv::write_tag(&mut out, &frame);
        match self.sink.write_all(&out).await {
            Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
            other => Ok(other.map(|()| true)?),
        }
    }

    async fn finish(mut self) -> Result<()> {
        match self.sink.shutdown().await {
            Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            other => Ok(other?),
        }
    }
}

/// Headers of a stream are three; more are some other thing's.
const HELD_MAX: usize = 16;
