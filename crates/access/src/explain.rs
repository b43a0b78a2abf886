//! What is right and what is wrong with a URL, rule by rule, in words.

use crate::decision::{Allow, Request, Way, decide};
use crate::policy::{Account, Action, Domain, Policy, Profile, Schemes};
use crate::reason::Reason;
use crate::sign::{Expiry, Scheme, Signature, TimeFormat, Unsigned};
use crate::strong::StrongSignature;

mod lists;
mod strong;

/// One rule, and how the URL fares under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which rule, in a word.
    pub rule: &'static str,
    /// How it fares.
    pub verdict: Verdict,
    /// A sentence.
    pub text: String,
    /// Whether it is about RTMP over UDP only: nothing to a server that does not speak it.
    pub is_of_udp: bool,
}

/// How a URL fares under a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Fine.
    Good,
    /// Works, but is probably not what was meant.
    Odd,
    /// The URL would be refused for this.
    Bad,
}

/// Looks at every rule, and says at the end whether the request would be allowed.
pub fn explain(policy: &Policy, request: &Request<'_>, now_unix_s: u64) -> Vec<Finding> {
    let host = request.host();
    let account = policy.account_of(host);
    let domains = account.domains_for(request.action, host);
    let compulsory = request.is_signature_compulsory(account, host);
    let findings = Vec::new();
    let rule = "account";
    let mut look = Look { policy, request, host, account, domains, compulsory, rule, findings };
    look.account();
    look.rule = "standing";
    look.standing();
    look.rule = "lists";
    look.lists();
    look.rule = "bizid";
    look.bizid();
    look.rule = "signature";
    look.signature(now_unix_s);
    let decision = decide(policy, request, now_unix_s);
    look.rule = "remote";
    look.remote();
    look.rule = "udp";
    look.over_udp(&decision, now_unix_s);
    look.rule = "outcome";
    look.outcome(&decision);
    look.findings
}

/// Whether the vendor's signature in it was made with a key for what is asked.
pub fn fits_key(policy: &Policy, request: &Request<'_>) -> bool {
    let host = request.host();
    let domains = policy.account_of(host).domains_for(request.action, host);
    Signature::find(request.query)
        .is_ok_and(|signature| domains.iter().any(|d| d.keys.verify(request.stream, &signature)))
}

struct Look<'a> {
    policy: &'a Policy,
    request: &'a Request<'a>,
    host: &'a str,
    account: &'a Account,
    domains: Vec<&'a Domain>,
    compulsory: bool,
    /// The rule that is looked at.
    rule: &'static str,
    findings: Vec<Finding>,
}

impl<'a> Look<'a> {
    fn say(&mut self, verdict: Verdict, text: impl Into<String>) {
        let (rule, text) = (self.rule, text.into());
        self.findings.push(Finding { rule, verdict, text, is_of_udp: false });
    }

    /// What would be fatal if a signature were compulsory, and is only odd where it is not.
    fn flaw(&self) -> Verdict {
        if self.compulsory { Verdict::Bad } else { Verdict::Odd }
    }

    fn account(&mut self) {
        let (host, bizid) = (self.host, &self.account.bizid);
        let named = self.policy.owner_of(host).is_some();
        let how = if named { "belongs to" } else { "is not a known domain, so it counts as" };
        self.say(Verdict::Good, format!("host {host} {how} account {bizid}"));
        if self.policy.is_foreign(self.account, self.request.stream) {
            let stream = self.request.stream;
            let text = format!("stream {stream} begins with the number of another account");
            self.say(Verdict::Bad, text);
        }
    }

    fn bizid(&mut self) {
        let ours = &self.account.bizid;
        let Some(bizid) = self.request.query.get("bizid").filter(|b| *b != &**ours) else {
            return;
        };
        let text = format!("bizid={bizid} is not this account's {ours}; it never refuses, though");
        self.say(Verdict::Odd, text);
    }

    fn signature(&mut self, now_unix_s: u64) {
        let name = self.request.action.name();
        let needed = if self.compulsory { "compulsory" } else { "not asked" };
        self.say(Verdict::Good, format!("a signature is {needed} for a {name} here"));
        match StrongSignature::find(self.request.query) {
            Some(Ok(signature)) => return self.strong(&signature, now_unix_s),
            Some(Err(why)) => return self.malformed(why),
            None => {}
        }
        let signature = match Signature::find(self.request.query) {
            Ok(signature) => signature,
            Err(why) => return self.unsigned(why),
        };
        if self.domains.iter().all(|d| d.schemes == Schemes::Strong) {
            let text = "this domain takes only tw signatures, and this is the vendor's";
            return self.say(self.flaw(), text);
        }
        if self.request.query.get("txSecret").is_none() {
            let text = "txSecret is spelt txSerect: accepted, because the vendor's pages print it";
            self.say(Verdict::Odd, text);
        }
        if signature.scheme == Scheme::Sha256 {
            self.say(Verdict::Good, "the signature is SHA-256");
        }
        let Some(signer) = self.vendors_signer(&signature) else {
            let text = format!("the signature does not fit: {}", self.guess(&signature));
            return self.say(self.flaw(), text);
        };
        let (bizid, signer_name) = (&self.account.bizid, signer.action.name());
        let is_backup = signer.keys.is_backup(self.request.stream, &signature);
        let which = if is_backup { "backup " } else { "" };
        let text = format!("the signature fits the {which}{signer_name} key of account {bizid}");
        self.say(Verdict::Good, text);
        if signer.action != self.request.action {
            let text = "whoever has it to watch could push with it as well, until the first play: \
                        sign plays with the play key";
            self.say(Verdict::Odd, text);
        }
        self.expiry(&signature, signer.validity_s, now_unix_s);
        self.revoked(None, now_unix_s);
    }

    /// The domain whose key made a signature of the vendor's that counts here.
    fn vendors_signer(&self, signature: &Signature<'_>) -> Option<&'a Domain> {
        let takes_push_key = self.request.takes_push_key(self.account, self.compulsory);
        let others = match takes_push_key {
            true => self.account.domains_for(Action::Push, self.host),
            false => Vec::new(),
        };
        let is_signer = |d: &&Domain| {
            d.schemes == Schemes::Any && d.keys.verify(self.request.stream, signature)
        };
        self.domains.iter().copied().chain(others).find(is_signer)
    }

    fn unsigned(&mut self, why: Unsigned) {
        let text = match why {
            Unsigned::NoSecret => "there is no txSecret, nor a tw",
            Unsigned::NoTime => "there is no txTime",
            Unsigned::SecretMalformed => "txSecret is not 32 or 64 hexadecimal digits",
            Unsigned::TimeMalformed => "txTime is not a UNIX time, in hexadecimal or decimal",
        };
        let has = |name| self.request.query.get(name).is_some();
        let bare = !has("txSecret") && !has("txSerect") && !has("txTime");
        let verdict = if bare && !self.compulsory { Verdict::Good } else { self.flaw() };
        self.say(verdict, text);
    }

    /// Tries the likeliest mistakes, so that a person learns which one was made.
    fn guess(&self, signature: &Signature<'_>) -> String {
        let Request { action, app, stream, .. } = *self.request;
        let fits = |action: Action, stream: &str| {
            let domains = self.account.domains_for(action, self.host);
            domains.iter().any(|d| d.keys.verify(stream, signature))
        };
        let other = match action {
            Action::Push => Action::Play,
            Action::Play => Action::Push,
        };
        let without_prefix = stream.split_once('_').map(|(_, rest)| rest);
        if fits(other, stream) {
            let (made, asked) = (other.name(), action.name());
            let is_strict = self.account.profile == Profile::Strict && self.request.is_rtc();
            let why = if is_strict { "; the account's profile is strict" } else { "" };
            format!("it was made with the {made} key, not the {asked} key{why}")
        } else if fits(action, &format!("{stream}.flv")) {
            "it was made over the name with .flv; the suffix is not signed".to_owned()
        } else if fits(action, &format!("{app}/{stream}")) {
            "it was made over app/stream; only the stream is signed".to_owned()
        } else if without_prefix.is_some_and(|name| fits(action, name)) {
            "it was made over the name without its number; the whole name is signed".to_owned()
        } else {
            "another key, another stream name, or a changed character".to_owned()
        }
    }

    fn expiry(&mut self, signature: &Signature<'_>, validity_s: u64, now_unix_s: u64) {
        let form = match Expiry::format_of(signature.tx_time) {
            Some(TimeFormat::Decimal) => "decimal",
            _ => "hexadecimal",
        };
        let extra = match validity_s {
            0 => String::new(),
            s => format!(" and {s} s of validity"),
        };
        let end = signature.expiry.unix_s.saturating_add(validity_s);
        if end < now_unix_s {
            let ago = span(now_unix_s - end);
            self.say(self.flaw(), format!("txTime, {form}{extra}: the URL expired {ago} ago"));
        } else {
            let left = span(end - now_unix_s);
            let text = format!("txTime, {form}{extra}: the URL is good for {left} more");
            self.say(Verdict::Good, text);
        }
        if signature.expiry.unix_s > now_unix_s.saturating_add(FAR_S) {
            let text = "the URL is good for over a year: was txTime written in milliseconds?";
            self.say(Verdict::Odd, text);
        }
    }

    fn revoked(&mut self, made_unix_s: Option<u64>, now_unix_s: u64) {
        let Request { app, stream, .. } = *self.request;
        let Some(before) = self.account.revoked.before(app, stream) else { return };
        let then = match now_unix_s.checked_sub(before) {
            Some(ago) => format!("{} ago", span(ago)),
            None => format!("{} from now", span(before - now_unix_s)),
        };
        let what = format!("URLs of {app}/{stream} made before {before} ({then}) are revoked");
        match made_unix_s {
            None => {
                let text = format!("{what}, and this one does not say when it was made");
                self.say(self.flaw(), text);
            }
            Some(made) if made < before => {
                self.say(self.flaw(), format!("{what}: this one was made at {made}"));
            }
            Some(made) => self.say(Verdict::Good, format!("{what}; this one was made at {made}")),
        }
    }

    /// What would become of the same play over UDP. A refusal that is the same is not said twice.
    fn over_udp(&mut self, decision: &Result<Allow, Reason>, now_unix_s: u64) {
        let request = Request { way: Way::Udp, referer: None, ..*self.request };
        if !request.is_udp_play() || self.request.is_udp_play() {
            return;
        }
        let (verdict, text) = match decide(self.policy, &request, now_unix_s) {
            Ok(Allow { udp_viewers_max: max, .. }) => {
                (Verdict::Good, format!("over UDP it is good, for {max} viewers of a stream"))
            }
            Err(reason) if *decision == Err(reason) => return,
            Err(reason) => {
                let code = reason.code();
                (Verdict::Odd, format!("over UDP it would be refused, {code}: {reason}"))
            }
        };
        self.findings.push(Finding { rule: self.rule, verdict, text, is_of_udp: true });
    }

    fn outcome(&mut self, decision: &Result<Allow, Reason>) {
        let name = self.request.action.name();
        match decision {
            Ok(_) => self.say(Verdict::Good, format!("a {name} with this URL is allowed")),
            Err(reason) => {
                let code = reason.code();
                let is_said = self.findings.iter().any(|f| f.verdict == Verdict::Bad);
                let why = if is_said { String::new() } else { format!(": {reason}") };
                self.say(Verdict::Bad, format!("a {name} with this URL is refused, {code}{why}"));
            }
        }
    }
}

/// Seconds in words.
fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} minutes", seconds / 60),
        7200..172_800 => format!("{} hours", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

const FAR_S: u64 = 366 * 86_400;
