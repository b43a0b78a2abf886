//! `thalweg serve`

use std::process::ExitCode;

use anyhow::Result;
use thalweg_access::PolicyHandle;
use thalweg_server::{LoadError, Server};

use crate::files;
use crate::setup::{self, Setup};
use crate::signals::told_to_stop;

/// Run the server until it is told to stop.
///
/// Listens for RTMP on port 1935, for HTTP on port 8080, and for the operator on 127.0.0.1:8081,
/// unless the configuration says otherwise. The first start makes keys of its own, kept in
/// thalweg-data/keys.toml; `thalweg sign` makes URLs with them. SIGTERM or Ctrl-C stops: nobody is
/// let in any more, everyone inside is told, and given a few seconds.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) async fn run(_: Args, setup: &setup::Args) -> Result<ExitCode> {
    let setup = Setup::load(setup)?;
    if setup.keys.has_made() {
        tracing::info!(file = %setup.keys.path().display(), "made new keys");
    }
    let policy = PolicyHandle::new(setup.policy);
    let server = load(setup.config, &policy)?;
    run_server(server, told_to_stop()).await;
    Ok(ExitCode::SUCCESS)
}

/// Binds a server and says where.
pub(crate) fn load(
    config: thalweg_server::Config,
    policy: &PolicyHandle,
) -> Result<Server, LoadError> {
    raise_file_limit(config.limits.connections_max);
    Server::load(config, policy.reader())
}

/// Runs a server with its console until it is to stop.
pub(crate) async fn run_server(server: Server, stop: impl Future<Output = ()>) {
    let console = thalweg_console::router(server.hub().clone());
    server.run(console, stop).await;
    tracing::info!("stopped");
}

/// Each connection is a file. Asks for as many as are configured, and says if there are fewer.
fn raise_file_limit(connections_max: usize) {
    if let Err(files) = files::allow(connections_max as u64 + FILES_BESIDE_CONNECTIONS) {
        tracing::warn!(
            files,
            connections_max,
            "fewer files may be open than connections: raise the limit (ulimit -n), or lower \
             limits.connections_max"
        );
    }
}

const FILES_BESIDE_CONNECTIONS: u64 = 64;
