//! `thalweg serve`

use std::process::ExitCode;

use anyhow::Result;
use thalweg_access::PolicyHandle;
use thalweg_console::demo::Demo;
use thalweg_server::{LoadError, Pages, Reloader, Server};

use crate::files;
use crate::setup::{self, Setup};
use crate::signals::{Hangups, told_to_stop};

/// Run the server until it is told to stop.
///
/// Listens for RTMP on port 1935, for HTTP on port 8080, and for the operator on 127.0.0.1:8081,
/// unless the configuration says otherwise. The first start makes keys of its own, kept in
/// thalweg-data/keys.toml; `thalweg sign` makes URLs with them. With a certificate in the
/// configuration it speaks TLS as well: RTMPS on the RTMP port, HTTPS on 8443.
///
/// SIGHUP reads configuration, keys and certificates again, and drops nobody. SIGTERM or Ctrl-C
/// stops: nobody is let in any more, everyone inside is told, and given a few seconds.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) async fn run(_: Args, args: &setup::Args) -> Result<ExitCode> {
    let hangups = Hangups::new();
    let setup = Setup::load(args)?;
    if setup.keys.has_made() {
        tracing::info!(file = %setup.keys.path().display(), "made new keys");
    }
    let policy = PolicyHandle::new(setup.policy);
    let server = load(setup.config, &policy)?;
    let reloader = server.reloader();
    let reloads = hangups.each(|| match reload(args, &policy, &reloader) {
        Ok(waiting) if waiting.is_empty() => tracing::info!("configuration read again"),
        Ok(waiting) => {
            let waiting = waiting.join(" ");
            tracing::warn!(waiting, "configuration read again; these hold from the next start on");
        }
        Err(error) => {
            let error = format!("{error:#}");
            tracing::error!(error, "configuration not read again: everything stays as it was");
        }
    });
    tokio::select! {
        () = run_server(server, None, told_to_stop()) => {}
        () = reloads => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads the files again, and puts all of it in place or nothing. Answers what has to wait.
fn reload(
    args: &setup::Args,
    policy: &PolicyHandle,
    reloader: &Reloader,
) -> Result<Vec<&'static str>> {
    let Setup { config, policy: new, .. } = Setup::load(args)?;
    let waiting = reloader.reload(config)?;
    policy.replace(new);
    Ok(waiting)
}

/// Binds a server and says where.
pub(crate) fn load(
    config: thalweg_server::Config,
    policy: &PolicyHandle,
) -> Result<Server, LoadError> {
    raise_file_limit(config.limits.connections_max);
    Server::load(config, policy.reader())
}

/// Runs a server with its console, and the demo's page if there is one, until it is to stop.
pub(crate) async fn run_server(
    server: Server,
    demo: Option<&Demo>,
    stop: impl Future<Output = ()>,
) {
    let operator = thalweg_console::router(server.hub().clone());
    let public = demo.map(thalweg_console::demo::router).unwrap_or_default();
    server.run(Pages { public, operator }, stop).await;
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
