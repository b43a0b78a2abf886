//! What a callback says, under the vendor's names, and how it is signed.
//!
//! An event is written down once, when it happens. What says until when a try is good, `t`, and what
//! proves who sent it, `sign`, is made anew with each try. `docs/ref/callbacks.md` is the contract.

use std::fmt;

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value, json};
use sha2::Sha256;
use thalweg_access::{Key, Scheme};

use crate::model::{Publication, PublicationEnd, Secret, StreamId};

/// The vendor's `event_type` of a publication's beginning.
pub const BEGAN: u32 = 1;
/// Of its end.
pub const ENDED: u32 = 0;
/// Of anomalies.
pub const ANOMALIES: u32 = 321;
/// The header of the strong signature.
pub const SIGNATURE: &str = "x-thalweg-signature";

/// One kind of anomaly of a publication, as it is reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Odd {
    /// The vendor's number, 1 to 11.
    pub kind: u8,
    /// How often it was seen.
    pub count: u64,
    /// When, UNIX ms, and how bad it was: of each one that was kept.
    pub seen: Vec<(u64, String)>,
}

/// The callback of a publication's beginning.
pub fn began(publication: &Publication, node: &str) -> Secret {
    let mut body = common(publication, node);
    body.insert("event_type".to_owned(), BEGAN.into());
    body.insert("event_time".to_owned(), (publication.began_ms / 1000).into());
    body.insert("errcode".to_owned(), 0.into());
    body.insert("errmsg".to_owned(), "ok".into());
    secret(body)
}

/// The callback of its end.
pub fn ended(publication: &Publication, end: &PublicationEnd, node: &str) -> Secret {
    let mut body = common(publication, node);
    let duration_ms = end.at_ms.saturating_sub(publication.began_ms);
    body.insert("event_type".to_owned(), ENDED.into());
    body.insert("event_time".to_owned(), (end.at_ms / 1000).into());
    body.insert("push_duration".to_owned(), duration_ms.to_string().into());
    body.insert("errcode".to_owned(), end.errcode.into());
    body.insert("errmsg".to_owned(), end.cause.as_str().into());
    secret(body)
}

/// The callback of what was odd about it in an interval.
pub fn anomalies(
    stream: &StreamId,
    host: &str,
    at_ms: u64,
    interval_ms: u64,
    list: &[Odd],
) -> Secret {
    let events: Vec<Value> = list.iter().map(odd).collect();
    secret(Map::from_iter([
        ("event_type".to_owned(), ANOMALIES.into()),
        ("appid".to_owned(), appid(&stream.account)),
        ("domain".to_owned(), host.into()),
        ("path".to_owned(), stream.app.as_str().into()),
        ("stream_id".to_owned(), stream.name.as_str().into()),
        ("data_time".to_owned(), at_ms.into()),
        ("report_interval".to_owned(), interval_ms.into()),
        ("abnormal_event".to_owned(), events.into()),
    ]))
}

/// A body as one try sends it, and its signature's header. Without a key nothing is signed: a hash
/// that anybody can make would only look like a proof.
pub fn signed(body: &str, key: &str, now: u64) -> serde_json::Result<(String, Option<String>)> {
    let mut body: Map<String, Value> = serde_json::from_str(body)?;
    let t = now + GOOD_FOR_S;
    body.insert("t".to_owned(), t.into());
    if key.is_empty() {
        return Ok((serde_json::to_string(&body)?, None));
    }
    body.insert("sign".to_owned(), sign(key, t).into());
    let text = serde_json::to_string(&body)?;
    let header = strong(key, t, &text);
    Ok((text, Some(header)))
}

/// The vendor's signature: lower-case hex of MD5(key ++ t).
pub fn sign(key: &str, t: impl fmt::Display) -> String {
    Key::new(key).sign(Scheme::Md5, "", &t.to_string())
}

/// The strong one, which covers the body too: `t=..., v1=` and HMAC-SHA256(key, t "." body) in hex.
fn strong(key: &str, t: u64, body: &str) -> String {
    // HMAC takes a key of any length; the type says it might not.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else { return String::new() };
    mac.update(t.to_string().as_bytes());
    mac.update(b".");
    mac.update(body.as_bytes());
    format!("t={t}, v1={}", HEXLOWER.encode(&mac.finalize().into_bytes()))
}

/// What the callbacks of beginning and end share.
fn common(publication: &Publication, node: &str) -> Map<String, Value> {
    let Publication { sequence, stream, peer, host, params, .. } = publication;
    Map::from_iter([
        ("appid".to_owned(), appid(&stream.account)),
        ("app".to_owned(), host.as_str().into()),
        ("appname".to_owned(), stream.app.as_str().into()),
        ("stream_id".to_owned(), stream.name.as_str().into()),
        ("channel_id".to_owned(), stream.name.as_str().into()),
        ("sequence".to_owned(), sequence.as_str().into()),
        ("node".to_owned(), node.into()),
        ("user_ip".to_owned(), peer.as_str().into()),
        ("stream_param".to_owned(), params.as_ref().map_or("", Secret::reveal).into()),
    ])
}

/// A number, as the vendor's. One that a number cannot say is a text: leading zeros, or too long.
pub(crate) fn appid(bizid: &str) -> Value {
    let number = bizid.parse::<u64>().ok().filter(|n| n.to_string() == bizid);
    number.map_or_else(|| bizid.into(), Value::from)
}

fn odd(odd: &Odd) -> Value {
    let detail = |(at_ms, text): &(u64, String)| json!({ "desc": text, "occur_time": at_ms });
    let [cn, en] = describe(odd.kind);
    json!({
        "type": odd.kind,
        "count": odd.count,
        "detail": odd.seen.iter().map(detail).collect::<Vec<_>>(),
        "type_desc_cn": cn,
        "type_desc_en": en,
    })
}

/// What the vendor's numbers mean, in both languages.
fn describe(kind: u8) -> [&'static str; 2] {
    match kind {
        1 => ["视频时间戳回退", "video timestamps went back"],
        2 => ["音频时间戳回退", "audio timestamps went back"],
        3 => ["视频时间戳跳变超过 1 秒", "video timestamps leapt by more than 1 s"],
        4 => ["音频时间戳跳变超过 1 秒", "audio timestamps leapt by more than 1 s"],
        5 => ["RTMP 块大小超过 8192 字节", "the RTMP chunk size is over 8192 bytes"],
        6 => ["超过 3 秒没有视频帧", "no video frame for more than 3 s"],
        7 => ["超过 3 秒没有音频帧", "no audio frame for more than 3 s"],
        8 => ["视频编码格式发生变化", "the video codec changed"],
        9 => ["音频编码格式发生变化", "the audio codec changed"],
        10 => ["视频帧先于视频头到达", "a video frame came before its codec's header"],
        11 => ["音频帧先于音频头到达", "an audio frame came before its codec's header"],
        _ => ["其他", "other"],
    }
}

fn secret(body: Map<String, Value>) -> Secret {
    Secret::new(Value::Object(body).to_string())
}

/// How long a try may be believed: the vendor's ten minutes.
const GOOD_FOR_S: u64 = 600;

#[cfg(test)]
mod tests {
    use super::*;

    fn publication() -> Publication {
        Publication {
            sequence: "4611686018427387904".to_owned(),
            stream: StreamId {
                account: "3891".to_owned(),
                app: "live".to_owned(),
                name: "3891_room".to_owned(),
            },
            peer: "203.0.113.9".to_owned(),
            host: "push.example.com".to_owned(),
            agent: "obs".to_owned(),
            protocol: "rtmp".to_owned(),
            params: Some(Secret::new("txSecret=abc&txTime=5F000000&user=7")),
            began_ms: 1_705_300_864_250,
            end: None,
        }
    }

    fn value(body: &Secret) -> Value {
        serde_json::from_str(body.reveal()).unwrap()
    }

    #[test]
    fn the_vendors_samples_are_signed_the_same() {
        for (key, t, want) in [
            ("5d41402abc4b2a76b9719d911017c592", 1_471_850_187, "b17971b51ba0fe5916ddcd96692e9fb3"),
            ("5d41402abc4b2a76b9719d911017c592", 1_626_839_220, "5ee8ca6c28cbe415b40352969cdf8249"),
            ("40328529ca4381a80c6ecf2e6aa57438", 1_490_858_347, "7f29ed83c61b77de1b0d66936fd4fd44"),
            ("9f86d081884c7d659a2feaa0c55ad015", 1_705_300_864, "499a0f8bfc13b2308c5c71adca8d027e"),
            ("callbackkey", 1_705_301_464, "58a39efefad9611d99f266ce8713bf5b"),
        ] {
            assert_eq!(sign(key, t), want, "{key} {t}");
        }
    }

    #[test]
    fn a_beginning_has_every_field() {
        let want = json!({
            "event_type": 1, "appid": 3891, "app": "push.example.com", "appname": "live",
            "stream_id": "3891_room", "channel_id": "3891_room", "event_time": 1_705_300_864,
            "sequence": "4611686018427387904", "node": "here", "user_ip": "203.0.113.9",
            "stream_param": "txSecret=abc&txTime=5F000000&user=7", "errcode": 0, "errmsg": "ok",
        });
        assert_eq!(value(&began(&publication(), "here")), want);
    }

    #[test]
    fn an_end_says_how_long_and_why() {
        let (at_ms, cause) = (1_705_300_924_750, "the publisher deleted its stream".to_owned());
        let end = PublicationEnd { at_ms, errcode: 1, cause, bytes_in: Some(7) };
        let body = value(&ended(&publication(), &end, "here"));
        for (field, want) in [
            ("event_type", json!(0)),
            ("event_time", json!(1_705_300_924)),
            ("push_duration", json!("60500")),
            ("errcode", json!(1)),
            ("errmsg", json!("the publisher deleted its stream")),
            ("sequence", json!("4611686018427387904")),
        ] {
            assert_eq!(body[field], want, "{field}");
        }
    }

    #[test]
    fn anomalies_are_listed() {
        let seen = vec![(1_705_300_870_001, "back by 40 ms".to_owned())];
        let list = [Odd { kind: 1, count: 12, seen }];
        let stream = publication().stream;
        let body = value(&anomalies(&stream, "push.example.com", 1_705_300_880_000, 5000, &list));
        let want = json!({
            "event_type": 321, "appid": 3891, "domain": "push.example.com", "path": "live",
            "stream_id": "3891_room", "data_time": 1_705_300_880_000_u64, "report_interval": 5000,
            "abnormal_event": [{
                "type": 1, "count": 12,
                "detail": [{ "desc": "back by 40 ms", "occur_time": 1_705_300_870_001_u64 }],
                "type_desc_cn": "视频时间戳回退", "type_desc_en": "video timestamps went back",
            }],
        });
        assert_eq!(body, want);
    }

    #[test]
    fn each_try_is_signed_anew() {
        let body = r#"{"event_type":1,"sequence":"7"}"#;
        let (first, header) = signed(body, "callbackkey", 1_705_300_864).unwrap();
        let want = r#"{"event_type":1,"sequence":"7","sign":"58a39efefad9611d99f266ce8713bf5b","t":1705301464}"#;
        assert_eq!(first, want);
        assert_eq!(header.unwrap(), WORKED_EXAMPLE);
        let (second, _) = signed(body, "callbackkey", 1_705_300_924).unwrap();
        assert_ne!(first, second);
        let (unsigned, header) = signed(body, "", 1_705_300_864).unwrap();
        assert_eq!((header, unsigned.contains("sign")), (None, false));
    }

    #[test]
    fn an_account_is_a_number_if_it_can_be() {
        assert_eq!(appid("3891"), json!(3891));
        assert_eq!(appid("007"), json!("007"));
        assert_eq!(appid("99999999999999999999"), json!("99999999999999999999"));
    }

    /// `printf '%s' "1705301464.$BODY" | openssl dgst -sha256 -hmac callbackkey`
    const WORKED_EXAMPLE: &str =
        "t=1705301464, v1=164ec1ade5595ee99d24a0401c87b49b6ef62937e231c8d43f09672a7f56ec3b";
}
