//! Where the log goes: standard error, as text or as JSON.

use clap::ValueEnum;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

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
    /// How it is written.
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

/// Starts logging.
pub(crate) fn start(args: &Args) {
    // Libraries have their say only when something is wrong.
    let targets = Targets::new()
        .with_default(LevelFilter::WARN.min(args.log))
        .with_target("thalweg", args.log);
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    let registry = tracing_subscriber::registry().with(targets);
    match args.log_format {
        Format::Text => {
            use std::io::IsTerminal;
            registry.with(layer.with_ansi(std::io::stderr().is_terminal())).init();
        }
        Format::Json => registry.with(layer.json().flatten_event(true)).init(),
    }
}
