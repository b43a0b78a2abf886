//! `thalweg`: a live-streaming system in one program.

mod cmds;
mod keyfile;
mod log;
mod progress;
mod setup;
mod show;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A live-streaming system in one program: publishers push RTMP, viewers watch RTMP or HTTP-FLV.
///
/// New here? `thalweg demo` starts a server with a running clock and prints URLs to watch and to
/// push to. Everything it does, `thalweg serve` does for good.
#[derive(Debug, Parser)]
#[command(name = "thalweg", version, arg_required_else_help = true)]
struct Args {
    /// Configuration file. Without one, thalweg.toml in this folder if it is there, else the
    /// defaults.
    #[arg(
        long,
        global = true,
        env = "THALWEG_CONFIG",
        value_name = "FILE",
        help_heading = "For every command"
    )]
    config: Option<PathBuf>,
    #[command(flatten)]
    log: log::Args,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(cmds::serve::Args),
    Demo(cmds::demo::Args),
    Push(cmds::push::Args),
    Play(cmds::play::Args),
    Sign(cmds::sign::Args),
    CheckUrl(cmds::check_url::Args),
}

fn main() -> ExitCode {
    let Args { config, log, command } = Args::parse();
    log::start(&log);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return show::failure(&error.into()),
    };
    let ran = runtime.block_on(async {
        match command {
            Command::Serve(args) => cmds::serve::run(args, config.as_deref()).await,
            Command::Demo(args) => cmds::demo::run(args, config.as_deref()).await,
            Command::Push(args) => cmds::push::run(args).await,
            Command::Play(args) => cmds::play::run(args).await,
            Command::Sign(args) => cmds::sign::run(&args, config.as_deref()),
            Command::CheckUrl(args) => cmds::check_url::run(&args, config.as_deref()),
        }
    });
    // A read of standard input that nobody waits for any more must not keep the program.
    runtime.shutdown_background();
    match ran {
        Ok(code) => code,
        Err(error) => show::failure(&error),
    }
}
