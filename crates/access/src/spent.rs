//! Which signatures have been shown to watch, and so are spent for pushing.
//!
//! In the vendor's profile a URL to watch may be signed with the push key, and the vendor's
//! signature does not say what it is for: whoever may watch could push, and take the stream over
//! from its publisher. So what was shown once on a play is remembered until it expires: a push that
//! shows it is refused, and one that shows another of the vendor's signatures disturbs no publisher
//! of that stream. What a strong signature is for it says itself; it is never remembered.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::decision::Allow;
use crate::policy::Action;
use crate::reason::Reason;

/// The memory. One program has one, and asks it about everything that was decided.
#[derive(Default)]
pub struct Spent {
    /// One for each account, so that none can fill another's. Only the vendor's profile makes one.
    accounts: HashMap<Arc<str>, Memory>,
}

/// By what a signature of the vendor's is known that would let push.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    signature: Print,
    stream: Print,
    ends_unix_s: u64,
}

/// Fingerprints, and the last second that each counts.
#[derive(Default)]
struct Memory {
    ends_unix_s: HashMap<Print, u64>,
    swept_unix_s: u64,
}

impl Spent {
    /// Has the last word on what was allowed: remembers what a play has shown, and refuses to a push
    /// what a play has shown before, or at least the take-over.
    ///
    /// # Errors
    /// [`Reason::WrongAction`] to a push. [`Reason::Full`] to a play whose signature there is no
    /// room to remember: letting it in would give the protection up.
    pub fn judge(
        &mut self,
        action: Action,
        mut allow: Allow,
        now_unix_s: u64,
    ) -> Result<Allow, Reason> {
        let Some(mark) = allow.mark else { return Ok(allow) };
        if action == Action::Play {
            let memory = self.accounts.entry(Arc::clone(&allow.account)).or_default();
            return memory.remember(mark, now_unix_s).map(|()| allow);
        }
        let Some(memory) = self.accounts.get(&allow.account) else { return Ok(allow) };
        if memory.holds(mark.signature, now_unix_s) {
            return Err(Reason::WrongAction);
        }
        allow.takes_over &= !memory.holds(mark.stream, now_unix_s);
        Ok(allow)
    }
}

impl Memory {
    fn remember(&mut self, mark: Mark, now_unix_s: u64) -> Result<(), Reason> {
        if !self.has_room(mark) {
            self.sweep(now_unix_s);
        }
        if !self.has_room(mark) {
            return Err(Reason::Full);
        }
        for print in [mark.signature, mark.stream] {
            let ends = self.ends_unix_s.entry(print).or_default();
            *ends = mark.ends_unix_s.max(*ends);
        }
        Ok(())
    }

    fn holds(&self, print: Print, now_unix_s: u64) -> bool {
        self.ends_unix_s.get(&print).is_some_and(|ends| *ends >= now_unix_s)
    }

    fn has_room(&self, mark: Mark) -> bool {
        let is_new = |print: &Print| !self.ends_unix_s.contains_key(print);
        let new = usize::from(is_new(&mark.signature)) + usize::from(is_new(&mark.stream));
        self.ends_unix_s.len() + new <= PRINTS_MAX
    }

    /// Forgets what has expired: once a second at most, because it looks at everything.
    fn sweep(&mut self, now_unix_s: u64) {
        if self.swept_unix_s < now_unix_s {
            self.swept_unix_s = now_unix_s;
            self.ends_unix_s.retain(|_, ends| *ends >= now_unix_s);
        }
    }
}

impl Mark {
    /// The mark of a signature with this digest. It lets push until `ends_unix_s`.
    ///
    /// The text that was hashed stands in the URL as a name and a time, and could be cut between
    /// them elsewhere; the digest is the same. The app is not signed.
    pub(crate) fn new(digest: &[u8], stream: &str, ends_unix_s: u64) -> Mark {
        let signature = print("signature\n", digest);
        Mark { signature, stream: print("stream\n", stream.as_bytes()), ends_unix_s }
    }
}

/// A piece of a hash: a signature is a secret, and a name may be long.
type Print = [u8; PRINT_BYTES];

fn print(kind: &str, of: &[u8]) -> Print {
    let hash = Sha256::new().chain_update(kind).chain_update(of).finalize();
    let mut print = [0; PRINT_BYTES];
    print.copy_from_slice(&hash[..PRINT_BYTES]);
    print
}

impl fmt::Debug for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prints: usize = self.accounts.values().map(|m| m.ends_unix_s.len()).sum();
        write!(f, "Spent({prints} of {} accounts)", self.accounts.len())
    }
}

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mark(of a signature)")
    }
}

/// Nobody finds a second text of a print of 128 bits.
const PRINT_BYTES: usize = 16;
/// What is remembered of an account: each signature, and each stream that has one. A new one takes
/// the key; who has only URLs cannot make more of them. One a second, for two days, of one stream.
///
/// In a table of 2^18 places of 25 bytes that is 6.5 MB, and half of that again while it grows.
const PRINTS_MAX: usize = 200_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Class;

    const NOW: u64 = 1_700_000_000;

    fn allow(account: &str, mark: Mark) -> Allow {
        Allow {
            account: Arc::from(account),
            credential: Some(format!("account {account}")),
            takes_over: true,
            class: Class::Rtc,
            session: None,
            udp_viewers_max: 10,
            mark: Some(mark),
            ask_remote: false,
        }
    }

    fn mark(n: u64, stream: &str, ends_unix_s: u64) -> Mark {
        Mark::new(&n.to_be_bytes(), stream, ends_unix_s)
    }

    #[test]
    fn a_full_memory_refuses_plays_until_something_expires_and_only_those_of_its_account() {
        let mut spent = Spent::default();
        let mut play =
            |account, mark, now| spent.judge(Action::Play, allow(account, mark), now).map(|_| ());
        for n in 0..PRINTS_MAX as u64 - 2 {
            play("1", mark(n, "room", NOW + n % 2), NOW).unwrap();
        }
        // What is known already takes no room, and one more takes what is left.
        play("1", mark(0, "room", NOW), NOW).unwrap();
        play("1", mark(u64::MAX, "room", u64::MAX), NOW).unwrap();
        let one_more = mark(u64::MAX - 1, "room", NOW + 9);
        assert_eq!(play("1", one_more, NOW), Err(Reason::Full));
        assert_eq!(play("1", one_more, NOW), Err(Reason::Full), "however often");
        play("2", one_more, NOW).unwrap();
        // Half of them are over, and leave their places.
        play("1", one_more, NOW + 1).unwrap();
        assert_eq!(spent.accounts["1"].ends_unix_s.len(), PRINTS_MAX / 2 + 2);
        // What does not expire is kept through that.
        let push = allow("1", mark(u64::MAX, "room", u64::MAX));
        assert_eq!(spent.judge(Action::Push, push, NOW + 1), Err(Reason::WrongAction));
    }
}
