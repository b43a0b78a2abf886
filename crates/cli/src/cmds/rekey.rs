//! `thalweg rekey`

use std::process::ExitCode;

use anyhow::Result;
use thalweg_console::store;

use crate::{setup, show};

/// Encrypt the secrets in the store with a new key: after the old one may have been seen.
///
/// Stop the server first. Push keys, play keys and API keys stay the same, and every URL stays good; whoever
/// has seen those too needs new ones, which the console makes. The old key is kept beside it: backups
/// that were made without their key need it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    place: setup::PlaceArgs,
}

pub(crate) async fn run(args: &Args, setup: &setup::Args) -> Result<ExitCode> {
    let place = args.place.place(setup)?;
    let done = store::rekey(&place).await?;
    let file = place.key_file();
    show::line(format_args!("{} secrets, encrypted with a new {}", done.secrets, file.display()));
    show::note(format_args!(
        "the old key is {}: keep it for backups made before, elsewhere",
        done.old_key.display()
    ));
    Ok(ExitCode::SUCCESS)
}
