//! `thalweg serve`

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use thalweg_access::PolicyHandle;
use thalweg_server::Server;
use tokio::signal::unix::{SignalKind, signal};

use crate::setup::Setup;

/// Run the server until it is told to stop.
///
/// The first start makes keys of its own; `thalweg sign` makes URLs with them. SIGTERM or Ctrl-C
/// stops: nobody is let in any more, everyone inside is told, and given a few seconds.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) async fn run(_: Args, config: Option<&Path>) -> Result<ExitCode> {
    let setup = Setup::load(config)?;
    if setup.keys.is_new() {
        tracing::info!(file = %setup.keys.path().display(), "made new keys");
    }
    let policy = PolicyHandle::new(setup.policy);
    let server = load(setup.config, &policy)?;
    run_server(server).await;
    Ok(ExitCode::SUCCESS)
}

/// Binds a server and says where.
pub(crate) fn load(config: thalweg_server::Config, policy: &PolicyHandle) -> Result<Server> {
    raise_file_limit(config.limits.connections_max);
    let server = Server::load(config, policy.reader())?;
    tracing::info!(
        rtmp = %server.rtmp_address()?,
        http = %server.http_address()?,
        operator = %server.operator_address()?,
        "listening"
    );
    Ok(server)
}

/// Runs a server with its console until a signal.
pub(crate) async fn run_server(server: Server) {
    let console = thalweg_console::router(server.hub().clone());
    server.run(console, told_to_stop()).await;
}

/// Waits for SIGTERM or SIGINT. A second one ends the program at once.
pub(crate) async fn told_to_stop() {
    let (Ok(mut term), Ok(mut int)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::warn!("no signals on this system: end the program to stop the server");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    tokio::spawn(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        tracing::warn!("told twice: stopping at once");
        std::process::exit(1);
    });
}

/// Each connection is a file. Asks for as many as are configured, and says if there are fewer.
fn raise_file_limit(connections_max: usize) {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let want = connections_max as u64 + FILES_BESIDE_CONNECTIONS;
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|n| n >= want) {
        return;
    }
    limit.current = Some(limit.maximum.map_or(want, |max| max.min(want)));
    let _ = setrlimit(Resource::Nofile, limit);
    if let Some(files) = getrlimit(Resource::Nofile).current.filter(|&n| n < want) {
        tracing::warn!(
            files,
            connections_max,
            "fewer files may be open than connections: raise the limit (ulimit -n), or lower \
             limits.connections_max"
        );
    }
}

const FILES_BESIDE_CONNECTIONS: u64 = 64;
