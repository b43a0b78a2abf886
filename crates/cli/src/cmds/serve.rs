//! `thalweg serve`

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result};
use thalweg_access::{Action, PolicyHandle, Reason};
use thalweg_console::clock::SystemClock;
use thalweg_console::demo::Demo;
use thalweg_console::hooks::post::{Client, Post};
use thalweg_console::hooks::target::Allow;
use thalweg_console::remote::{self, Remote};
use thalweg_console::{Console, DemoRoom, Parts, Tasks};
use thalweg_server::remote::{Question, RemoteAuth};
use thalweg_server::{More, Pages, Reloader, Server};

use crate::setup::{self, Books, Setup};
use crate::signals::{Hangups, told_to_stop};
use crate::{files, show};

/// Run the server until it is told to stop.
///
/// Listens for RTMP on port 1935, for HTTP on port 8080, and for the operator on 127.0.0.1:8081,
/// unless the configuration says otherwise. The first start makes an account with keys of its own, kept in
/// thalweg-data, and prints where the console's first administrator begins; `thalweg sign` makes URLs with
/// the keys. With a certificate in the
/// configuration it speaks TLS as well: RTMPS on the RTMP port, HTTPS on 8443.
///
/// SIGHUP reads configuration and certificates again, and drops nobody. SIGTERM or Ctrl-C
/// stops: nobody is let in any more, everyone inside is told, and given a few seconds.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) async fn run(_: Args, args: &setup::Args) -> Result<ExitCode> {
    let hangups = Hangups::new();
    let setup = Setup::load_to_serve(args).await?;
    if let Some(path) = &setup.made_in {
        tracing::info!(path = %path.display(), "made new keys");
    }
    let house = House::new(setup).await?;
    let reloader = house.server.reloader();
    let policy = house.policy.clone();
    let reloads = hangups.each(|| match reload(args, policy.as_deref(), &reloader) {
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
    if let Some(url) = house.setup_url() {
        // Not in the log, which others may read: whoever has this URL is the administrator.
        show::line(format_args!("Nobody can log in to the console yet. Begin here: {url}"));
    }
    tokio::select! {
        () = house.run(None, told_to_stop()) => {}
        () = reloads => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads the files again, and puts all of it in place or nothing. Answers what has to wait.
fn reload(
    args: &setup::Args,
    policy: Option<&PolicyHandle>,
    reloader: &Reloader,
) -> Result<Vec<&'static str>> {
    let config = Setup::config(args)?;
    // Accounts of a store are not read again: whoever changed them changed what holds.
    let Some(policy) = policy else { return Ok(reloader.reload(config)?) };
    let new = Setup::policy_of_file(&config)?;
    let waiting = reloader.reload(config)?;
    policy.replace(new);
    Ok(waiting)
}

/// A server, and its console if it has one.
pub(crate) struct House {
    pub(crate) server: Server,
    /// With the ports that are bound.
    pub(crate) setup: Setup,
    /// What changes the accounts, where they are the configuration's.
    policy: Option<Arc<PolicyHandle>>,
    console: Option<(Console, Tasks)>,
    /// Filled in when it is a demo that runs.
    room: Arc<OnceLock<DemoRoom>>,
}

impl House {
    /// Binds a server, and opens its console.
    pub(crate) async fn new(mut setup: Setup) -> Result<House> {
        raise_file_limit(setup.config.limits.connections_max);
        let Some(books) = setup.books.clone() else {
            let policy = PolicyHandle::new((*setup.policy).clone());
            let server = Server::load(setup.config.clone(), policy.reader())?;
            setup.bind(&server)?;
            let (policy, console, room) = (Some(Arc::new(policy)), None, Arc::default());
            return Ok(House { server, setup, policy, console, room });
        };
        let allow = Allow::parse(&setup.config.console.callback_allow);
        let allow = allow.context("in console.callback_allow of the configuration")?;
        let post: Arc<dyn Post> = Arc::new(Client::new(allow));
        let server = Server::load(setup.config.clone(), books.register.reader())?;
        let (hub, node) = (server.hub().clone(), server.hub().events().node());
        let remote = Remote::new(Arc::clone(&post), Arc::new(SystemClock), &node);
        books.register.tell(remote.clone());
        let room = Arc::<OnceLock<DemoRoom>>::default();
        let asks = Asks { remote: remote.clone(), room: Arc::clone(&room) };
        let server = server.with_remote(Arc::new(asks));
        setup.bind(&server)?;
        let Books { store, register } = books;
        let counts_waiting_max = setup.config.limits.counts_waiting_max;
        let places = setup.places();
        let parts = Parts { hub, store, register, places, post, remote, counts_waiting_max };
        let console = Console::new(parts).await.context("in the store of accounts")?;
        Ok(House { server, setup, policy: None, console: Some(console), room })
    }

    /// Where the first administrator begins, while there is none.
    pub(crate) fn setup_url(&self) -> Option<String> {
        let (console, _) = self.console.as_ref()?;
        let token = console.setup_token()?;
        Some(format!("{}#/setup?token={}", self.console_url()?, token.reveal()))
    }

    /// Where the console is.
    pub(crate) fn console_url(&self) -> Option<String> {
        self.console.as_ref()?;
        let operator = self.setup.config.operator.listen;
        let ip = if operator.ip().is_unspecified() { LOOPBACK } else { operator.ip() };
        Some(format!("http://{}/console/", SocketAddr::new(ip, operator.port())))
    }

    /// Runs until it is to stop; the demo's page is there if there is one.
    pub(crate) async fn run(self, demo: Option<&Demo>, stop: impl Future<Output = ()>) {
        let House { server, console, room, .. } = self;
        let public = demo.map(thalweg_console::demo::router).unwrap_or_default();
        let public = public.merge(thalweg_console::sdk_router());
        match console {
            None => server.run(Pages { public, ..Pages::default() }, stop).await,
            Some((console, tasks)) => {
                let operator = thalweg_console::router(&console);
                let counted = console.clone();
                let metrics: More = Arc::new(move || {
                    let console = counted.clone();
                    Box::pin(async move { console.metrics().await })
                });
                let public = public.merge(thalweg_console::public_router(&console));
                let public = match demo {
                    Some(_) => {
                        let _ = room.set(DemoRoom::new(&console));
                        public.merge(thalweg_console::demo_router(&console, CLOCK))
                    }
                    None => public,
                };
                let (over, is_over) = tokio::sync::oneshot::channel::<()>();
                // What the last publications came to is written down after they have ended.
                let tasks = tokio::spawn(tasks.run(async { _ = is_over.await }));
                server.run(Pages { public, operator, metrics: Some(metrics) }, stop).await;
                drop(over);
                let _ = tasks.await;
            }
        }
        tracing::info!("stopped");
    }
}

/// Asks accounts' own back ends, for the server: neither it nor the console knows the other.
#[derive(Debug)]
struct Asks {
    remote: Remote,
    /// Of a demo, whose streams are anybody's.
    room: Arc<OnceLock<DemoRoom>>,
}

impl RemoteAuth for Asks {
    fn ask(
        &self,
        question: Question,
    ) -> Pin<Box<dyn Future<Output = Result<(), Reason>> + Send + 'static>> {
        let Question { action, account, app, stream, query, peer, protocol } = question;
        if let Some(room) = self.room.get()
            && action == Action::Push
            && let Err(reason) = room.may_begin(&account, &stream)
        {
            return Box::pin(std::future::ready(Err(reason)));
        }
        self.remote.ask(&remote::Question { action, account, app, stream, query, peer, protocol })
    }
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
/// The stream that a demo shows the time on.
pub(crate) const CLOCK: &str = "clock";
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
