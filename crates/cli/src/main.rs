//! `thalweg`: a live-streaming system in one program.

mod clock;
mod cmds;
mod files;
mod keyfile;
mod log;
mod outlet;
mod progress;
mod setup;
mod show;
mod signals;
mod trust;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A live-streaming system in one program: publishers push RTMP, viewers watch RTMP or FLV.
///
/// New here? `thalweg demo` starts a server with a running clock and prints URLs to watch and to
/// push to. Everything it does, `thalweg serve` does for good.
#[derive(Debug, Parser)]
#[command(name = "thalweg", version, arg_required_else_help = true)]
struct Args {
    #[command(flatten)]
    setup: setup::Args,
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
    Backup(cmds::backup::Args),
    Restore(cmds::restore::Args),
    Rekey(cmds::rekey::Args),
    Bench(cmds::bench::Args),
    Lab(cmds::lab::Args),
    #[command(hide = true)]
    LabEnd(cmds::lab::end::Args),
}

fn main() -> ExitCode {
    let Args { setup, log, command } = Args::parse();
    let _log = log::start(&log);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return show::failure(&error.into()),
    };
    let ran = runtime.block_on(async {
        match command {
            Command::Serve(args) => cmds::serve::run(args, &setup).await,
            Command::Demo(args) => cmds::demo::run(args, &setup).await,
            Command::Push(args) => cmds::push::run(args).await,
            Command::Play(args) => cmds::play::run(args).await,
            Command::Sign(args) => cmds::sign::run(&args, &setup).await,
            Command::CheckUrl(args) => cmds::check_url::run(&args, &setup).await,
            Command::Backup(args) => cmds::backup::run(&args, &setup).await,
            Command::Restore(args) => cmds::restore::run(&args, &setup).await,
            Command::Rekey(args) => cmds::rekey::run(&args, &setup).await,
            Command::Bench(args) => cmds::bench::run(args),
            Command::Lab(args) => cmds::lab::run(args).await,
            Command::LabEnd(args) => cmds::lab::end::run(args, &setup).await,
        }
    });
    // A read of standard input that nobody waits for any more must not keep the program.
    runtime.shutdown_background();
    match ran {
        Ok(code) => code,
        Err(error) => show::failure(&error),
    }
}
