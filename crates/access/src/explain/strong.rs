//! The same for a strong signature.

use super::{Look, Verdict, span};
use crate::keys::Key;
use crate::policy::{Account, Domain};
use crate::strong::{BadToken, Purpose, StrongSignature, Subject, Token};

impl Look<'_> {
    pub(super) fn malformed(&mut self, why: BadToken) {
        let sig = self.request.query.get("sig").unwrap_or_default();
        let is_hex = sig.len() == 64 && sig.bytes().all(|b| b.is_ascii_hexdigit());
        let hint = match why {
            BadToken::Signature if is_hex => ": it is hexadecimal",
            BadToken::Signature if sig.contains(['+', '/', '%']) => {
                ": base64url has - and _ where base64 has + and /"
            }
            BadToken::Signature if sig.ends_with('=') => ": leave the = out",
            _ => "",
        };
        self.say(self.flaw(), format!("{why}{hint}"));
    }

    pub(super) fn strong(&mut self, signature: &StrongSignature<'_>, now_unix_s: u64) {
        let (token, bizid) = (&signature.token, &self.account.bizid);
        let Some((domain, is_backup)) = self.signer(signature) else {
            let text = format!("the signature does not fit: {}", self.guess_strong(signature));
            return self.say(self.flaw(), text);
        };
        let (which, name) = (if is_backup { "backup " } else { "" }, domain.action.name());
        let text = format!("the signature, a tw, fits the {which}{name} key of account {bizid}");
        let validity_s = domain.validity_s;
        self.say(Verdict::Good, text);
        self.purpose(token);
        self.times(token, validity_s, now_unix_s);
        self.network(token);
        if let Some(max) = token.sessions_max {
            let text = format!(
                "the URL may be used {max} times at once; how often it is just now, only the \
                 server knows"
            );
            self.say(Verdict::Good, text);
        }
        self.revoked(token.not_before_unix_s, now_unix_s);
    }

    /// The domain whose key made a signature, and whether it was the backup key.
    fn signer(&self, signature: &StrongSignature<'_>) -> Option<(&Domain, bool)> {
        let subject = self.request.subject(&self.account.bizid);
        let domains = self.account.domains_for(signature.token.purpose.action(), self.host);
        let signer = domains.into_iter().find(|d| signature.is_by_either(&d.keys, subject))?;
        Some((signer, !signature.is_by(&signer.keys.main, subject)))
    }

    fn purpose(&mut self, token: &Token) {
        let (asked, purpose) = (self.request.action, token.purpose);
        if purpose.action() != asked {
            let (made, asked) = (purpose.name(), asked.name());
            return self
                .say(self.flaw(), format!("it is signed for {made}, and this is a {asked}"));
        }
        let has_bizid = self.request.query.get("bizid").is_some_and(|id| !id.is_empty());
        match purpose {
            Purpose::Push => {}
            Purpose::Udp => self.say(Verdict::Good, "it is signed for udp: RTC mode"),
            Purpose::Play if self.request.is_udp_play() => {
                self.say(self.flaw(), "it is signed for play: over UDP, tw says udp");
            }
            Purpose::Play if has_bizid => {
                let text = "bizid does not ask for RTC mode here: tw says play, and would say udp";
                self.say(Verdict::Odd, text);
            }
            Purpose::Play => self.say(Verdict::Good, "it is signed for play: live mode"),
        }
    }

    fn times(&mut self, token: &Token, validity_s: u64, now_unix_s: u64) {
        let wait_s = token.not_before_unix_s.map_or(0, |n| n.saturating_sub(now_unix_s));
        if token.expires_unix_s < now_unix_s {
            let late_s = now_unix_s - token.expires_unix_s;
            let is_usual = late_s <= validity_s;
            let hint = if is_usual { "; the domain's validity_s does not extend a tw" } else { "" };
            let text = format!("the URL expired {} ago{hint}", span(late_s));
            self.say(self.flaw(), text);
        } else if wait_s > 0 {
            self.say(self.flaw(), format!("the URL begins to be good in {}", span(wait_s)));
        } else {
            let left = span(token.expires_unix_s - now_unix_s);
            self.say(Verdict::Good, format!("the URL is good for {left} more"));
        }
    }

    fn network(&mut self, token: &Token) {
        let Some(network) = token.from else { return };
        let Some(peer) = self.request.peer else {
            let text =
                format!("the URL is good only from {network}: nobody said from where it comes");
            return self.say(Verdict::Odd, text);
        };
        let is_inside = network.contains(peer);
        let verdict = if is_inside { Verdict::Good } else { self.flaw() };
        let whether = if is_inside { "is" } else { "is not" };
        let text = format!("the URL is good only from {network}: {peer} {whether} there");
        self.say(verdict, text);
    }

    /// Tries the likeliest mistakes, so that a person learns which one was made.
    fn guess_strong(&self, signature: &StrongSignature<'_>) -> String {
        let here = self.account.domains_for(signature.token.purpose.action(), self.host);
        let named = here.iter().flat_map(|d| d.keys.iter()).find(|k| k.id() == signature.kid);
        match named {
            Some(key) => self.guess_subject(signature, key),
            None => self.guess_key(signature),
        }
    }

    /// The right key; so it was another text.
    fn guess_subject(&self, signature: &StrongSignature<'_>, key: &Key) -> String {
        let bizid = &self.account.bizid;
        let subject = self.request.subject(bizid);
        let fits = |subject: Subject<'_>| signature.is_by(key, subject);
        let Subject { app, stream, .. } = subject;
        if fits(Subject { stream: &format!("{stream}.flv"), ..subject }) {
            return "it was made over the name with .flv; the suffix is not signed".to_owned();
        }
        let without_prefix = stream.split_once('_').map(|(_, rest)| rest);
        if without_prefix.is_some_and(|stream| fits(Subject { stream, ..subject })) {
            let words = "it was made over the name without its number; the whole name is signed";
            return words.to_owned();
        }
        let mut apps = ["live", ""].into_iter().chain(app.split('/'));
        if let Some(other) = apps.find(|app| fits(Subject { app, ..subject })) {
            return format!("it was made for app {other:?}, and this is {app:?}");
        }
        let said = self.request.query.get("bizid").unwrap_or_default();
        let mut numbers = self.policy.accounts().iter().map(|a| &*a.bizid).chain([said, ""]);
        if let Some(other) = numbers.find(|account| fits(Subject { account, ..subject })) {
            return format!("it was made for account {other:?}, and the host is {bizid}'s");
        }
        "another app or stream name, or a changed character".to_owned()
    }

    /// None of the right keys is named.
    fn guess_key(&self, signature: &StrongSignature<'_>) -> String {
        let (kid, purpose) = (signature.kid, signature.token.purpose);
        let Some((owner, domain, _)) = self.every_key().find(|(.., key)| key.id() == kid) else {
            return format!("this server has no key whose id is {kid}");
        };
        let (bizid, name) = (&self.account.bizid, domain.action.name());
        if owner.bizid != *bizid {
            let owner = &owner.bizid;
            format!("it was made with a {name} key of account {owner}, and the host is {bizid}'s")
        } else if domain.action == purpose.action() {
            format!("it was made with the {name} key of another of the account's domains")
        } else {
            let (purpose, wanted) = (purpose.name(), purpose.action().name());
            format!(
                "tw says {purpose}, which takes the {wanted} key; it was made with the {name} key"
            )
        }
    }

    /// Every key of the server, and whose it is.
    fn every_key(&self) -> impl Iterator<Item = (&Account, &Domain, &Key)> {
        let domains =
            self.policy.accounts().iter().flat_map(|a| a.domains.iter().map(move |d| (a, d)));
        domains.flat_map(|(a, d)| d.keys.iter().map(move |key| (a, d, key)))
    }
}
