//! `thalweg backup`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use thalweg_console::store;

use crate::{setup, show};

/// Copy what the server remembers into one file: accounts, keys, people, history, counts.
///
/// The server may go on meanwhile: the copy is of one moment. It fits SQLite and PostgreSQL, whichever
/// it was made from. Only its owner can read the file.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The new file. One that is there already is not overwritten.
    file: PathBuf,
    /// Add the key that secrets are encrypted with, store.key of the data folder.
    ///
    /// Without it nobody can read push keys, play keys and API keys out of the file - nor can you,
    /// if that machine is lost, unless you have kept store.key elsewhere. With it the file is all
    /// that a new machine needs, and all that a thief needs.
    #[arg(long)]
    with_key: bool,
    #[command(flatten)]
    place: setup::PlaceArgs,
}

pub(crate) async fn run(args: &Args, setup: &setup::Args) -> Result<ExitCode> {
    let place = args.place.place(setup)?;
    let made = store::backup(&place, &args.file, args.with_key).await?;
    show::line(format_args!("{} rows in {}", made.rows, args.file.display()));
    if !made.has_key {
        show::note(format_args!(
            "its secrets can only be read with {}: keep that elsewhere, or add it with --with-key",
            place.key_file().display()
        ));
    }
    Ok(ExitCode::SUCCESS)
}
