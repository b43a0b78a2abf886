//! `/common_access`: the vendor's old API, with its names, codes and signature.
//!
//! `docs/ref/old-api.md` is its manual. The signature covers neither the parameters nor what is asked, only
//! a moment: so an account has to want it, the moment is ten minutes ahead at most, nothing of another
//! account is ever answered, and each call is in the audit.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use thalweg_hub::StreamSnapshot;

use crate::api::guard::Peer;
use crate::api::streams;
use crate::console::{Console, now_unix_s};
use crate::hooks::body::sign;
use crate::model::{Account, Point, Secret, StreamId};
use crate::store::StoreError;

mod statistics;

/// The one path there is.
pub(crate) fn router(console: Console) -> Router {
    Router::new().route("/common_access", get(common_access)).with_state(console)
}

/// A refusal: HTTP status, `ret` and `message`.
#[derive(Debug)]
struct Refusal(StatusCode, u32, String);

type Output = Result<Value, Refusal>;

/// A request that is signed.
struct Call<'a> {
    console: &'a Console,
    account: Arc<Account>,
    /// `Param.s.*` and `Param.n.*`, without their kind.
    params: HashMap<&'a str, &'a str>,
}

async fn common_access(
    State(console): State<Console>,
    Peer(peer): Peer,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    // Done to its end also when whoever asked hangs up: a stream is not half forbidden, and the audit knows.
    let call = tokio::spawn(async move { called(&console, peer, &query).await });
    match call.await.unwrap_or_else(|_| Err(internal())) {
        Ok(output) => Json(json!({ "ret": 0, "message": "ok", "output": output })).into_response(),
        Err(Refusal(status, ret, message)) => {
            (status, Json(json!({ "ret": ret, "message": message, "output": null })))
                .into_response()
        }
    }
}

async fn called(
    console: &Console,
    peer: Option<IpAddr>,
    query: &HashMap<String, String>,
) -> Output {
    let text = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    let bizid = query.get("appid").or(query.get("cmd")).map(String::as_str).unwrap_or_default();
    let tokens = &console.inner.tokens;
    tokens.take(peer).map_err(slow_down)?;
    let account = console.books().account(bizid).cloned().filter(|a| a.old_api);
    // Whether there is such an account is nobody's business: one that there is not has a key as well, which
    // nobody knows.
    let nobodys = tokens.nobodys_key();
    let key = account.as_ref().map_or(nobodys, |a| &a.api_key);
    let signed = check_signature(key, text("t"), text("sign"), now_unix_s());
    let account = match (signed, account) {
        (Ok(()), Some(account)) => account,
        (signed, account) => {
            let refusal = signed.err().unwrap_or_else(|| forbidden("sign invalid"));
            tokens.take_wrong(peer).map_err(slow_down)?;
            if tokens.take_note(peer).is_ok() {
                let of = account.as_ref().map(|a| a.bizid.as_str());
                let detail =
                    format!("{} of {}: {}", shown(text("interface")), shown(bizid), refusal.2);
                console.note_of("old-api", peer, of, "old-api.refused", detail).await;
            }
            return Err(refusal);
        }
    };
    let mut params = HashMap::new();
    for (name, value) in query {
        let name = name.strip_prefix("Param.s.").or_else(|| name.strip_prefix("Param.n."));
        if let Some(name) = name {
            params.insert(name, value.as_str());
        }
    }
    let interface = text("interface");
    let call = Call { console, account, params };
    let output = call.answer(interface).await;
    let outcome = match &output {
        Ok(_) => "ok",
        Err(Refusal(_, _, message)) => message,
    };
    let channel = call.params.get("channel_id").or(call.params.get("stream_id")).unwrap_or(&"");
    let who = format!("old-api:{bizid}");
    let words = [shown(interface), shown(channel), call.deed()];
    let words: Vec<String> = words.into_iter().filter(|word| !word.is_empty()).collect();
    let detail = format!("{}: {outcome}", words.join(" "));
    console.note_of(&who, peer, Some(bizid), "old-api", detail).await;
    output
}

/// What somebody wrote, for a line of the audit.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(64).collect()
}

fn slow_down(seconds: u64) -> Refusal {
    let words = format!("too many requests: the next one in {seconds} s");
    Refusal(StatusCode::TOO_MANY_REQUESTS, TOO_MANY, words)
}

/// The vendor's: `sign` is MD5 of key and `t`, and `t` the moment after which it is no good.
fn check_signature(key: &Secret, t: &str, shown: &str, now: u64) -> Result<(), Refusal> {
    let moment: u64 = t.parse().map_err(|_| forbidden("time expired"))?;
    if moment < now {
        return Err(forbidden("time expired"));
    }
    if moment > now + AHEAD_S_MAX {
        return Err(forbidden("t is more than 10 minutes ahead"));
    }
    let right = sign(key.reveal(), t);
    match bool::from(right.as_bytes().ct_eq(shown.to_ascii_lowercase().as_bytes())) {
        true => Ok(()),
        false => Err(forbidden("sign invalid")),
    }
}

impl Call<'_> {
    /// What is done to a channel, for the audit.
    fn deed(&self) -> String {
        let status = self.params.get("status").map(|status| match *status {
            "0" => "forbid".to_owned(),
            "1" => "allow".to_owned(),
            "2" => "drop".to_owned(),
            other => format!("status {}", shown(other)),
        });
        let action = self.params.get("action").map(|action| shown(action));
        let until = self.params.get("abstime_end").map(|until| format!("until {}", shown(until)));
        [status, action, until].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    async fn answer(&self, interface: &str) -> Output {
        match interface {
            "Live_Channel_GetStatus" => self.status().await,
            "Live_Channel_SetStatus" => self.set_status().await,
            "channel_manager" => self.manage().await,
            "Live_Channel_GetLiveChannelList" => Ok(self.live_list()),
            "Get_LiveStat" => self.stat(true, true).await,
            "Get_LivePushStat" => self.stat(true, false).await,
            "Get_LivePlayStat" => self.stat(false, true).await,
            "Get_LivePushStatHistory" => self.history(|p| p.bytes_in, |p| p.streams_max).await,
            "Get_LivePlayStatHistory" => self.history(|p| p.bytes_out, |p| p.viewers_max).await,
            _ => Err(Refusal(StatusCode::NOT_FOUND, NO_INTERFACE, "cmd is invalid".to_owned())),
        }
    }

    /// `Live_Channel_GetStatus`: 0 off, 1 on, 3 forbidden.
    async fn status(&self) -> Output {
        let id = self.channel()?;
        let store = self.console.store();
        let forbids = store.forbids(Some(&id.account), now_unix_s()).await?;
        let status = if forbids.iter().any(|f| f.stream == id) {
            3
        } else if self.console.inner.hub.is_live(&id.key()) {
            1
        } else if store.was_published(&id).await? {
            0
        } else {
            let words = "this stream was never pushed".to_owned();
            return Err(Refusal(StatusCode::OK, NEVER_PUSHED, words));
        };
        // One picture quality, by RTMP and FLV.
        Ok(json!([{ "rate_type": 0, "recv_type": 1, "status": status }]))
    }

    /// `Live_Channel_SetStatus`: 0 forbid, 1 allow, 2 drop.
    async fn set_status(&self) -> Output {
        let id = self.channel()?;
        match self.number("status")? {
            Some(0) => self.forbid(&id, now_unix_s() + WEEK_S).await,
            Some(1) => self.resume(&id).await,
            Some(2) => {
                streams::drop_stream(self.console, &id).map_err(|_| internal())?;
                Ok(json!([]))
            }
            _ => Err(bad("Param.n.status is 0, 1 or 2")),
        }
    }

    /// `channel_manager`: forbid until a moment, or resume.
    async fn manage(&self) -> Output {
        let id = self.channel()?;
        match self.params.get("action").copied() {
            Some("resume") => self.resume(&id).await,
            Some("forbid") => {
                let now = now_unix_s();
                let until = self.number("abstime_end")?.unwrap_or(now + WEEK_S);
                if until <= now || until > now + QUARTER_S {
                    return Err(bad(
                        "Param.n.abstime_end is a moment to come, in 3 months at most",
                    ));
                }
                self.forbid(&id, until).await
            }
            _ => Err(bad("Param.s.action is forbid or resume")),
        }
    }

    async fn forbid(&self, id: &StreamId, until: u64) -> Output {
        let forbidden = streams::forbid_stream(self.console, id, until, "old API".to_owned()).await;
        forbidden.map(|()| json!([])).map_err(|_| internal())
    }

    async fn resume(&self, id: &StreamId) -> Output {
        streams::resume_stream(self.console, id).await.map_err(|_| internal())?;
        Ok(json!([]))
    }

    fn live_list(&self) -> Value {
        let list: Vec<_> = self.live().map(|s| json!({ "channel_id": &*s.key.name })).collect();
        json!({ "all_count": list.len(), "channel_list": list })
    }

    /// The stream that `channel_id` means: of the account, whatever its app. One that is not live is of
    /// `path`, usually `live`.
    fn channel(&self) -> Result<StreamId, Refusal> {
        let name = self.params.get("channel_id").copied().filter(|n| !n.is_empty());
        let name = name.ok_or_else(|| bad("Param.s.channel_id is missing"))?;
        let app = self.params.get("path").copied().filter(|p| !p.is_empty());
        let said = StreamId {
            account: self.account.bizid.clone(),
            app: app.unwrap_or(USUAL_APP).to_owned(),
            name: name.to_owned(),
        };
        // All others are looked at only when it is not where it usually is.
        if app.is_some() || self.console.inner.hub.is_live(&said.key()) {
            return Ok(said);
        }
        let elsewhere = self.live().find(|s| &*s.key.name == name);
        Ok(elsewhere.map_or(said, |live| StreamId::from(&live)))
    }

    /// The account's streams that are published now.
    fn live(&self) -> impl Iterator<Item = StreamSnapshot> + use<> {
        let bizid = self.account.bizid.clone();
        let all = self.console.inner.hub.snapshot(Instant::now()).streams;
        all.into_iter().filter(move |s| *s.key.account == *bizid && s.publisher.is_some())
    }

    fn number(&self, name: &str) -> Result<Option<u64>, Refusal> {
        let number = self.params.get(name).map(|text| text.parse());
        number.transpose().map_err(|_| bad(&format!("Param.n.{name} is a number")))
    }
}

impl From<&StreamSnapshot> for StreamId {
    fn from(s: &StreamSnapshot) -> Self {
        let [account, app, name] =
            [&s.key.account, &s.key.app, &s.key.name].map(ToString::to_string);
        StreamId { account, app, name }
    }
}

impl From<StoreError> for Refusal {
    fn from(why: StoreError) -> Self {
        tracing::error!(%why, "the store failed");
        internal()
    }
}

fn forbidden(words: &str) -> Refusal {
    Refusal(StatusCode::FORBIDDEN, FORBIDDEN, words.to_owned())
}

fn bad(words: &str) -> Refusal {
    Refusal(StatusCode::OK, BAD_PARAM, words.to_owned())
}

fn internal() -> Refusal {
    Refusal(StatusCode::OK, INTERNAL, "internal error".to_owned())
}

/// The vendor's codes.
const NEVER_PUSHED: u32 = 20601;
const BAD_PARAM: u32 = 1204;
const INTERNAL: u32 = 1201;
const NO_DATA: u32 = 10003;
const NOT_LIVE: u32 = 1301;
/// Ours, for what the vendor answers with an HTTP status alone.
const FORBIDDEN: u32 = 403;
const NO_INTERFACE: u32 = 404;
const TOO_MANY: u32 = 429;
const USUAL_APP: &str = "live";
/// How far ahead a signature may be good.
const AHEAD_S_MAX: u64 = 600;
const WEEK_S: u64 = 7 * 86_400;
/// The vendor's three months.
const QUARTER_S: u64 = 92 * 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    /// Signatures of the vendor's manuals, and the same key a digit later.
    #[test]
    fn the_vendors_samples_are_taken_and_nothing_else() {
        for (key, t, right) in [
            ("5d41402abc4b2a76b9719d911017c592", 1_471_850_187, "b17971b51ba0fe5916ddcd96692e9fb3"),
            ("5d41402abc4b2a76b9719d911017c592", 1_626_839_220, "5ee8ca6c28cbe415b40352969cdf8249"),
            ("40328529ca4381a80c6ecf2e6aa57438", 1_490_858_347, "7f29ed83c61b77de1b0d66936fd4fd44"),
            ("9f86d081884c7d659a2feaa0c55ad015", 1_705_300_864, "499a0f8bfc13b2308c5c71adca8d027e"),
        ] {
            let key = Secret::new(key);
            let check = |t: u64, sign: &str, now| {
                check_signature(&key, &t.to_string(), sign, now).map_err(|r| r.2)
            };
            assert_eq!(check(t, right, t), Ok(()));
            assert_eq!(check(t, &right.to_uppercase(), t - 600), Ok(()));
            assert_eq!(check(t, right, t + 1), Err("time expired".to_owned()));
            let ahead = "t is more than 10 minutes ahead".to_owned();
            assert_eq!(check(t, right, t - 601), Err(ahead));
            assert_eq!(check(t + 1, right, t), Err("sign invalid".to_owned()));
            assert_eq!(check(t, "", t), Err("sign invalid".to_owned()));
        }
    }
}
