//! Where the log goes: standard error, as text or as JSON.

use std::io::IsTerminal;

use clap::ValueEnum;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

use crate::show;

/// What is logged, and how.
#[derive(Debug, clap::Args)]
#[group(id = "logging")]
pub(crate) struct Args {
    /// How much is logged: error, warn, info, debug or trace.
    #[arg(
        long,
        global = true,
        env = "THALWEG_LOG",
        default_value = "info",
        value_name = "LEVEL",
        help_heading = "For every command"
    )]
    log: LevelFilter,
    /// How the log is written: text for people, or json, an object a line, for programs.
    #[arg(
        long,
        global = true,
        env = "THALWEG_LOG_FORMAT",
        default_value = "text",
        value_name = "FORMAT",
        help_heading = "For every command"
    )]
    log_format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// The log while the program runs. Dropping it writes what is still to be written.
#[derive(Debug)]
pub(crate) struct Log {
    _writer: WorkerGuard,
    lost: ErrorCounter,
}

impl Drop for Log {
    fn drop(&mut self) {
        let lost = self.lost.dropped_lines();
        if lost > 0 {
            show::note(format_args!("{lost} lines of the log were lost: nobody read them in time"));
        }
    }
}

/// Starts logging.
///
/// A thread of its own writes: whoever serves peers must not wait for whoever reads the log.
pub(crate) fn start(args: &Args) -> Log {
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(LINES_MAX)
        .thread_name("log")
        .finish(std::io::stderr());
    let lost = writer.error_counter();
    // Libraries have their say only when something is wrong.
    let targets = Targets::new()
        .with_default(LevelFilter::WARN.min(args.log))
        // It warns of what strangers say, as often as they say it.
        .with_target("web_transport", LevelFilter::ERROR.min(args.log))
        .with_target("thalweg", args.log);
    let layer = tracing_subscriber::fmt::layer().with_writer(writer).with_target(false);
    let registry = tracing_subscriber::registry().with(targets);
    match args.log_format {
        Format::Text => {
            registry.with(layer.with_ansi(std::io::stderr().is_terminal())).init();
        }
        Format::Json => registry.with(layer.json().flatten_event(true)).init(),
    }
    Log { _writer: guard, lost }
}

/// Lines that may wait to be written: some two megabytes.
const LINES_MAX: usize = 8192;
