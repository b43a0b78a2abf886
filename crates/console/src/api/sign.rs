//! URLs: made, and looked at.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use thalweg_access as access;
use thalweg_access::{Query, Request, Scheme, Verdict, Way, decide, explain};
use thalweg_wire::rtmp::address::name_of;
use utoipa::ToSchema;

use crate::api::ApiError;
use crate::api::accounts::find;
use crate::api::body::Body;
use crate::api::error::{Answer, Refusal};
use crate::api::guard::Reader;
use crate::check;
use crate::console::{Console, now_unix_s};
use crate::model::{Action, Role};
use crate::urls::{PlayUrls, PushUrls, Signer, Signing, Wish};

/// What URLs are wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sign {
    account: String,
    /// Usually `live`.
    #[serde(default)]
    app: Option<String>,
    /// The stream's.
    name: String,
    /// How long they are good, seconds; usually a day.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 315_576_000)]
    valid_s: Option<u64>,
    #[serde(default)]
    scheme: Option<SchemeName>,
    /// The host in them, if it is not the account's own or the server's.
    #[serde(default)]
    host: Option<String>,
    /// Only those to push, or to play.
    #[serde(default)]
    only: Option<Action>,
}

/// How URLs are signed.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SchemeName {
    Md5,
    Sha256,
    /// Or `hmac`, as the command line says.
    #[serde(alias = "hmac")]
    Strong,
}

/// URLs of a stream. What is not served is null.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Signed {
    account: String,
    app: String,
    name: String,
    /// `txTime` of the signatures, UNIX seconds.
    expires: u64,
    push: Option<Push>,
    play: Option<Play>,
    /// What to know about them.
    notes: Vec<String>,
}

/// URLs to push to.
#[derive(Debug, Serialize, ToSchema)]
struct Push {
    rtmp: String,
    rtmps: Option<String>,
    ws: String,
    wss: Option<String>,
    /// What OBS calls Server.
    server: String,
    /// What OBS calls Stream Key.
    key: String,
    /// When they are refused, UNIX seconds.
    until: u64,
}

/// URLs to watch with.
#[derive(Debug, Serialize, ToSchema)]
struct Play {
    rtmp: String,
    flv: String,
    ws: String,
    rtmps: Option<String>,
    https_flv: Option<String>,
    wss: Option<String>,
    /// For low delay, over UDP. Null where the server or the account has that switched off, and where there
    /// is no key to sign it with.
    rtc: Option<String>,
    /// Whether they would be refused without a signature.
    must_sign: bool,
}

/// A URL to look at.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckUrl {
    #[schema(max_length = 8192)]
    url: String,
    /// What it is to be used for; without this what the key is for that signed it, else what such URLs usually are.
    #[serde(default)]
    action: Option<Action>,
    /// How; without this by TCP.
    #[serde(default)]
    way: Option<WayName>,
}

/// How a request comes.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum WayName {
    Tcp,
    Udp,
}

/// What is right and what is wrong with a URL.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Checked {
    accepted: bool,
    action: &'static str,
    /// Why not, in a word and in a sentence.
    reason: Option<&'static str>,
    message: Option<&'static str>,
    findings: Vec<Finding>,
}

/// How it fares under one rule.
#[derive(Debug, Serialize, ToSchema)]
struct Finding {
    /// `account`, `standing`, `lists`, `bizid`, `signature`, `remote`, `udp`, and `outcome` at the end.
    rule: &'static str,
    /// `ok`, `note` or `wrong`.
    verdict: &'static str,
    words: String,
}

/// Makes the URLs of a stream: one to push to, and those to watch it.
#[utoipa::path(post, path = "/api/v1/sign", request_body = Sign, responses(
    (status = 200, body = Signed), (status = 400, body = Refusal), (status = 404, body = Refusal),
    (status = 409, body = Refusal, description = "they would be refused: a switch is off, or the gate"),
))]
pub(crate) async fn sign(
    State(console): State<Console>,
    Reader(who): Reader,
    body: Result<Body<Sign>, ApiError>,
) -> Answer<Signed> {
    let Body(Sign { account, app, name, valid_s, scheme, host, only }) = body?;
    who.must_see(&account)?;
    find(&console, &account)?;
    // A URL to push is as good as a key.
    if only != Some(Action::Play) && who.role < Role::Operator {
        return Err(ApiError::forbidden("to make URLs to push takes the role operator"));
    }
    let app = checked_app(app.as_deref().unwrap_or("live"), &name)?;
    let valid_s = valid_s.unwrap_or(VALID_S_USUAL);
    if !(1..=VALID_S_MAX).contains(&valid_s) {
        return Err(ApiError::bad("valid_s", format!("1 to {VALID_S_MAX} seconds")));
    }
    let host = host.map(|h| thalweg_wire::rtmp::address::host_of(h.trim())).transpose();
    let host = host.map_err(|why| ApiError::bad("host", why.to_string()))?;
    let now = now_unix_s();
    let wish = Wish {
        app: app.clone(),
        host,
        account: Some(account.clone()),
        signing: scheme.map(Signing::from),
        ..Wish::new(&name, now, Duration::from_secs(valid_s))
    };
    let policy = console.inner.register.reader().get();
    let signer = Signer { policy: &policy, places: &console.inner.places };
    let push = (only != Some(Action::Play)).then(|| signer.push(&wish)).transpose()?;
    let play = (only != Some(Action::Push)).then(|| signer.play(&wish)).transpose()?;
    if push.is_some() {
        console.note(&who, Some(&account), "urls.sign", format!("{app}/{name}")).await;
    }
    let notes = notes(play.as_ref());
    let (expires, push, play) = (wish.expires_unix_s, push.map(Push::from), play.map(Play::from));
    Ok(Json(Signed { account, app, name, expires, push, play, notes }))
}

/// Says which rules a URL keeps and which it breaks.
#[utoipa::path(post, path = "/api/v1/check-url", request_body = CheckUrl, responses(
    (status = 200, body = Checked), (status = 400, body = Refusal), (status = 404, body = Refusal),
))]
pub(crate) async fn check_url(
    State(console): State<Console>,
    Reader(who): Reader,
    body: Result<Body<CheckUrl>, ApiError>,
) -> Answer<Checked> {
    let Body(CheckUrl { url, action, way }) = body?;
    let (address, usual) =
        check::parse(url.trim()).map_err(|why| ApiError::bad("url", why.to_string()))?;
    let policy = console.inner.register.reader().get();
    let query = Query::new(&address.query);
    let host = query.get("vhost").filter(|h| !h.is_empty()).unwrap_or(&address.host);
    if !who.sees(&policy.account_of(host).bizid) {
        // Whose it is, and whether it is anybody's, is nobody else's business.
        return Err(ApiError::not_found("such host among this account's"));
    }
    let mut request = Request {
        action: action.map_or(usual, access::Action::from),
        way: match way {
            Some(WayName::Udp) => Way::Udp,
            Some(WayName::Tcp) | None => Way::Tcp,
        },
        host: &address.host,
        app: &address.app,
        stream: &address.stream,
        query,
        peer: None,
        referer: None,
    };
    if action.is_none() {
        request.action = check::action_of(&policy, &request);
    }
    let action = request.action;
    let now = now_unix_s();
    let reason = decide(&policy, &request, now).err();
    let finding = |f: access::Finding| Finding {
        rule: f.rule,
        verdict: match f.verdict {
            Verdict::Good => "ok",
            Verdict::Odd => "note",
            Verdict::Bad => "wrong",
        },
        words: f.text,
    };
    let findings = explain(&policy, &request, now).into_iter().map(finding).collect();
    Ok(Json(Checked {
        accepted: reason.is_none(),
        action: action.name(),
        reason: reason.map(access::Reason::code),
        message: reason.map(access::Reason::sentence),
        findings,
    }))
}

/// The app as a server reads it, if both can be names.
fn checked_app(app: &str, name: &str) -> Result<String, ApiError> {
    let in_app: Vec<&str> = app.split('/').filter(|s| !s.is_empty()).collect();
    if in_app.is_empty() {
        return Err(ApiError::bad("app", "an app has a name, such as live"));
    }
    if name.contains('/') || name.is_empty() {
        return Err(ApiError::bad("name", "a stream name has a character, and no slash"));
    }
    let parts = [&in_app[..], &[name]].concat();
    name_of(&parts).map(|(app, _)| app).map_err(|why| ApiError::bad("name", why.to_string()))
}

fn notes(play: Option<&PlayUrls>) -> Vec<String> {
    let Some(play) = play else { return Vec::new() };
    let mut notes = Vec::new();
    if !play.must_sign {
        notes.push("to watch, this account's play domain asks for no signature".to_owned());
    }
    match &play.rtc {
        Some(rtc) => {
            let max = rtc.viewers_max;
            notes.push(format!("over UDP {max} may watch a stream at the same time"));
        }
        None => notes
            .push("nobody may watch over UDP: it is off, or has no key to sign with".to_owned()),
    }
    notes
}

impl From<SchemeName> for Signing {
    fn from(name: SchemeName) -> Self {
        match name {
            SchemeName::Md5 => Signing::Vendors(Scheme::Md5),
            SchemeName::Sha256 => Signing::Vendors(Scheme::Sha256),
            SchemeName::Strong => Signing::Strong,
        }
    }
}

impl From<PushUrls> for Push {
    fn from(urls: PushUrls) -> Self {
        let PushUrls { rtmp, ws, rtmps, wss, server, key, until_unix_s: until, .. } = urls;
        Push { rtmp, rtmps, ws, wss, server, key, until }
    }
}

impl From<PlayUrls> for Play {
    fn from(urls: PlayUrls) -> Self {
        let PlayUrls { rtmp, flv, ws, rtmps, https_flv, wss, rtc, must_sign, .. } = urls;
        Play { rtmp, flv, ws, rtmps, https_flv, wss, rtc: rtc.map(|r| r.url), must_sign }
    }
}

const VALID_S_USUAL: u64 = 86_400;
/// Ten years.
const VALID_S_MAX: u64 = 3652 * 86_400 + 43_200;
