//! `thalweg check-url`

use std::net::IpAddr;
use std::process::ExitCode;

use anyhow::Result;
use clap::ValueEnum;
use thalweg_access::{Action, Finding, Query, Request, Verdict, Way, explain};
use thalweg_console::check;
use thalweg_wire::rtmp::Address;
use thalweg_wire::rtmp::address::strip_scheme;

use crate::setup::{self, Setup};
use crate::show;

/// Say which rule a URL breaks, in words.
///
/// Checks a pasted URL against this server's configuration and keys, without connecting anywhere. What
/// would be good over TCP and not over UDP is marked "odd".
/// The exit code is 0 when it would be let in, 1 when not.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The URL, in quotes: a shell would cut it at the first &.
    url: String,
    /// What it is to be used for. Without this, http URLs are for play and rtmp URLs for push, or
    /// for what their tw says, or for play if it is the play key that signed them.
    #[arg(long = "as", value_name = "ACTION")]
    action: Option<ActionArg>,
    /// IP address of who will use it: a URL may be good only from some.
    #[arg(long, value_name = "ADDRESS")]
    from: Option<IpAddr>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ActionArg {
    Push,
    Play,
}

pub(crate) async fn run(args: &Args, setup: &setup::Args) -> Result<ExitCode> {
    let setup = Setup::load_existing(setup).await?;
    let (address, usual) = check::parse(args.url.trim())?;
    let mut request = Request {
        action: match args.action {
            Some(ActionArg::Push) => Action::Push,
            Some(ActionArg::Play) => Action::Play,
            None => usual,
        },
        way: Way::Tcp,
        host: &address.host,
        app: &address.app,
        stream: &address.stream,
        query: Query::new(&address.query),
        peer: args.from,
        referer: None,
    };
    if args.action.is_none() {
        request.action = check::action_of(&setup.policy, &request);
    }
    let action = request.action;
    let mut findings = explain(&setup.policy, &request, show::now_unix_s());
    if !setup.config.udp.enabled {
        // What it would be over UDP is nothing to a server that does not speak it.
        findings.retain(|f| !f.is_of_udp);
    }
    if !setup.config.udp.enabled && may_go_over_udp(args.url.trim()) {
        let (verdict, text) = (Verdict::Odd, UDP_IS_OFF.to_owned());
        findings.insert(0, Finding { rule: "udp", verdict, text, is_of_udp: true });
    }
    let (name, Address { app, stream, .. }) = (action.name(), &address);
    let hint = match (args.action, action) {
        (None, Action::Push) => " (--as play asks about a play)",
        (None, Action::Play) if usual == Action::Push => {
            ", whose key signed it (--as push asks about a push)"
        }
        _ => "",
    };
    show::line(format_args!("as a {name}{hint}, app {app}, stream {stream}:"));
    for finding in &findings {
        let mark = match finding.verdict {
            Verdict::Good => " ok ",
            Verdict::Odd => "odd ",
            Verdict::Bad => "BAD ",
        };
        show::line(format_args!("{mark} {}", finding.text));
    }
    let bad = findings.iter().any(|f| f.verdict == Verdict::Bad);
    Ok(if bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// RTMP's URLs are those of RTMP over UDP as well.
fn may_go_over_udp(url: &str) -> bool {
    ["rtmp://", "rtmps://"].iter().any(|scheme| strip_scheme(url, scheme).is_some())
}

const UDP_IS_OFF: &str = "RTMP over UDP is off in this configuration (udp.enabled): --mode rtc does not \
                          push, and plays over TCP";
