//! `thalweg restore`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use thalweg_console::store;

use crate::{setup, show};

/// Bring back what a backup has: all of it, or nothing.
///
/// Stop the server first: what it has read already it would not read again. The file is checked before
/// anything is changed. Also the way from SQLite to PostgreSQL: back up without --database, restore
/// with it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What `thalweg backup` has made. If it was made without --with-key, store.key of that server
    /// has to be in the data folder.
    file: PathBuf,
    /// Overwrite what is there. Another store.key that is there is kept as store.key.old.
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    place: setup::PlaceArgs,
}

pub(crate) async fn run(args: &Args, setup: &setup::Args) -> Result<ExitCode> {
    let place = args.place.place(setup)?;
    let restored = store::restore(&place, &args.file, args.replace).await?;
    let made = show::moment(restored.made);
    show::line(format_args!("{} rows, as they were at {made}", restored.rows));
    Ok(ExitCode::SUCCESS)
}
