//! The same for what an account is, and for its lists.

use super::{Look, Verdict};
use crate::lists::ListRule;
use crate::policy::Action;

impl Look<'_> {
    pub(super) fn standing(&mut self) {
        let (standing, action) = (&self.account.standing, self.request.action);
        let (subject, category) = (standing.subject.name(), &standing.category);
        if !self.policy.gate().admits(standing) {
            let text = format!(
                "category {category} of an {subject} account is not in the table of those that may \
                 stream live: the owner has to declare one that is, or the operator to change the \
                 table"
            );
            self.say(Verdict::Bad, text);
        }
        if !standing.service {
            self.say(
                Verdict::Bad,
                "live streaming is not open to the account: the operator opens it",
            );
        }
        if !standing.is_on(action) {
            let (switch, what) = match action {
                Action::Push => ("live-pusher", "publishes"),
                Action::Play => ("live-player", "watches"),
            };
            let text =
                format!("its switch {switch} is off, so nobody {what}: the owner turns it on");
            self.say(Verdict::Bad, text);
        }
    }

    pub(super) fn lists(&mut self) {
        let (addresses, referers) = (&self.account.addresses, &self.account.referers);
        let n = addresses.networks.len();
        match (rule(addresses.rule), self.request.peer) {
            (None, _) => {}
            (Some(rule), None) => {
                let text =
                    format!("the account lets in {rule} {n} networks: from which one is asked");
                self.say(Verdict::Good, text);
            }
            (Some(rule), Some(peer)) => {
                let is_in = addresses.admits(peer);
                let verdict = if is_in { Verdict::Good } else { Verdict::Bad };
                let not = if is_in { "" } else { "not " };
                let text = format!("the account lets in {rule} {n} networks, and so {not}{peer}");
                self.say(verdict, text);
            }
        }
        let n = referers.patterns.len();
        let empty =
            if referers.allow_empty { "" } else { ", and nobody who does not say his page" };
        match (rule(referers.rule), self.request.referer) {
            (None, _) => {}
            (Some(rule), None) => {
                let text = format!(
                    "over HTTP, WebSocket and WebTransport the account lets in {rule} {n} pages{empty}"
                );
                self.say(Verdict::Good, text);
            }
            (Some(rule), Some(page)) => {
                let is_in = referers.admits(page);
                let verdict = if is_in { Verdict::Good } else { Verdict::Bad };
                let not = if is_in { "" } else { "not " };
                let text = format!(
                    "the account lets in {rule} {n} pages{empty}, and so {not}this one: {page:?}"
                );
                self.say(verdict, text);
            }
        }
    }

    pub(super) fn remote(&mut self) {
        if self.account.remote.is_asked(self.request.action) {
            let text = "if all else is good, the account's own back end is asked; what it says, only \
                        the server learns";
            self.say(Verdict::Good, text);
        }
    }
}

/// What goes before the number of entries.
fn rule(rule: ListRule) -> Option<&'static str> {
    match rule {
        ListRule::Off => None,
        ListRule::Only => Some("only"),
        ListRule::Except => Some("all but"),
    }
}
