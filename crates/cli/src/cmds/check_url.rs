//! `thalweg check-url`

use std::net::IpAddr;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use thalweg_access::{Action, Finding, Query, Request, Token, Verdict, Way, explain};
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
    /// for what their tw says.
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

pub(crate) fn run(args: &Args, setup: &setup::Args) -> Result<ExitCode> {
    let setup = Setup::load_existing(setup)?;
    let (address, usual) = parse(args.url.trim())?;
    let action = match args.action {
        Some(ActionArg::Push) => Action::Push,
        Some(ActionArg::Play) => Action::Play,
        None => usual,
    };
    let request = Request {
        action,
        way: Way::Tcp,
        host: &address.host,
        app: &address.app,
        stream: &address.stream,
        query: Query::new(&address.query),
        peer: args.from,
    };
    let mut findings = explain(&setup.policy, &request, show::now_unix_s());
    if !setup.config.udp.enabled {
        // What it would be over UDP is nothing to a server that does not speak it.
        findings.retain(|f| !f.is_of_udp);
    }
    if !setup.config.udp.enabled && may_go_over_udp(args.url.trim()) {
        let (verdict, text) = (Verdict::Odd, UDP_IS_OFF.to_owned());
        findings.insert(0, Finding { verdict, text, is_of_udp: true });
    }
    let (name, Address { app, stream, .. }) = (action.name(), &address);
    let hint = match (args.action, action) {
        (None, Action::Push) => " (--as play asks about a play)",
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

/// The stream a URL names, and what such URLs are usually for.
fn parse(url: &str) -> Result<(Address, Action)> {
    let after = |schemes: [&str; 2]| schemes.iter().find_map(|s| strip_scheme(url, s));
    let (rtmp, http, ws) = (["rtmp://", "rtmps://"], ["http://", "https://"], ["ws://", "wss://"]);
    // The same parts in the same places, but for the suffix.
    let Some(rest) = after(rtmp).or(after(http)).or(after(ws)) else {
        bail!("the URL should begin with rtmp://, http:// or ws://, or these with an s: rtmps://");
    };
    let address = Address::from_url(&format!("rtmp://{rest}")).with_context(|| no_query(url))?;
    let of_token = Token::of(Query::new(&address.query)).map(|t| t.purpose.action());
    if after(rtmp).is_some() {
        return Ok((address, of_token.unwrap_or(Action::Push)));
    }
    let Some(stream) = address.stream.strip_suffix(".flv").map(str::to_owned) else {
        bail!("an HTTP or WebSocket URL should end in .flv before the question mark");
    };
    // Over HTTP there is only play; a WebSocket can be either.
    let action = if after(ws).is_some() { of_token } else { None };
    Ok((Address { stream, ..address }, action.unwrap_or(Action::Play)))
}

/// RTMP's URLs are those of RTMP over UDP as well.
fn may_go_over_udp(url: &str) -> bool {
    ["rtmp://", "rtmps://"].iter().any(|scheme| strip_scheme(url, scheme).is_some())
}

/// A URL without what may be secret in it.
fn no_query(url: &str) -> String {
    url.split('?').next().unwrap_or_default().to_owned()
}

const UDP_IS_OFF: &str = "RTMP over UDP is off in this configuration (udp.enabled): --mode rtc does not \
                          push, and plays over TCP";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_both_kinds() {
        let (a, action) = parse("http://h:8080/a/b/room.flv?txTime=1").unwrap();
        assert_eq!((a.app.as_str(), a.stream.as_str(), action), ("a/b", "room", Action::Play));
        assert_eq!(parse("rtmp://h/live/room").unwrap().1, Action::Push);
        let secure = parse("wss://h:8443/live/room.flv").unwrap();
        assert_eq!((secure.0.stream.as_str(), secure.1), ("room", Action::Play));
        assert_eq!(parse("rtmps://h:1935/live/room").unwrap().1, Action::Push);
        let pushed = "ws://h/live/room.flv?tw=1.01234567.push.1800000000";
        assert_eq!(parse(pushed).unwrap().1, Action::Push);
        let signed = "rtmp://h/live/room?tw=1.01234567.udp.1800000000";
        assert_eq!(parse(signed).unwrap().1, Action::Play);
        for (url, words) in [
            ("room", "should begin with"),
            ("http://h/live/room?txSecret=abc", "should end in .flv"),
            ("rtmp://h/live?txSecret=abc", "/app/stream"),
        ] {
            let error = format!("{:#}", parse(url).unwrap_err());
            assert!(error.contains(words) && !error.contains("abc"), "{error}");
        }
    }
}
