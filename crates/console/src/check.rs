//! What a pasted URL means.

use thalweg_access::{Action, Policy, Query, Request, Token, fits_key};
use thalweg_wire::rtmp::Address;
use thalweg_wire::rtmp::address::{BadAddress, strip_scheme};

/// Why a text is no URL of a stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    /// It begins like none.
    #[error("the URL should begin with rtmp://, http:// or ws://, or these with an s: rtmps://")]
    Scheme,
    /// It names no stream.
    #[error("{0}: {1}")]
    Address(String, BadAddress),
    /// It does not end like one of FLV.
    #[error("an HTTP or WebSocket URL should end in .flv before the question mark")]
    Suffix,
}

/// The stream a URL names, and what such URLs are usually for.
///
/// # Errors
/// [`BadUrl`], without what may be secret in it.
pub fn parse(url: &str) -> Result<(Address, Action), BadUrl> {
    let after = |schemes: [&str; 2]| schemes.iter().find_map(|s| strip_scheme(url, s));
    let (rtmp, http, ws) = (["rtmp://", "rtmps://"], ["http://", "https://"], ["ws://", "wss://"]);
    // The same parts in the same places, but for the suffix.
    let Some(rest) = after(rtmp).or(after(http)).or(after(ws)) else {
        return Err(BadUrl::Scheme);
    };
    let address = Address::from_url(&format!("rtmp://{rest}"))
        .map_err(|why| BadUrl::Address(no_query(url), why))?;
    let of_token = Token::of(Query::new(&address.query)).map(|t| t.purpose.action());
    if after(rtmp).is_some() {
        return Ok((address, of_token.unwrap_or(Action::Push)));
    }
    let Some(stream) = address.stream.strip_suffix(".flv").map(str::to_owned) else {
        return Err(BadUrl::Suffix);
    };
    // Over HTTP there is only play; a WebSocket can be either.
    let action = if after(ws).is_some() { of_token } else { None };
    Ok((Address { stream, ..address }, action.unwrap_or(Action::Play)))
}

/// What a URL of RTMP is for whose owner did not say: what the key is for that signed it, else what `request` says,
/// which is what such URLs usually are.
pub fn action_of(policy: &Policy, request: &Request<'_>) -> Action {
    let play = Request { action: Action::Play, ..*request };
    let is_play =
        request.action == Action::Push && !fits_key(policy, request) && fits_key(policy, &play);
    if is_play { Action::Play } else { request.action }
}

/// A URL without what may be secret in it.
fn no_query(url: &str) -> String {
    url.split('?').next().unwrap_or_default().to_owned()
}

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
            let error = parse(url).unwrap_err().to_string();
            assert!(error.contains(words) && !error.contains("abc"), "{error}");
        }
    }
}
