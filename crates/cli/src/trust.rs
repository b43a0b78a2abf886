//! Whose certificates the client side believes.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use thalweg_client::Trust;

/// More authorities than the system's.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// PEM file of one more authority to trust, as a server with a certificate of its own wants it.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

impl Args {
    pub(crate) fn trust(&self) -> Result<Trust> {
        let Some(path) = &self.ca else { return Ok(Trust::system()) };
        let pem = std::fs::read(path).with_context(|| path.display().to_string())?;
        let trust = Trust::system().and(&pem).map_err(|words| anyhow!(words));
        trust.with_context(|| path.display().to_string())
    }
}
