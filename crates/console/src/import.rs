//! Accounts of a configuration file, as a store begins with them.

use thalweg_access as access;

use crate::auth::{NoHash, new_key};
use crate::model::{Account, Action, Category, Domain, Profile, Schemes, Secret};

/// The system has no random numbers.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the system has no random numbers")]
pub struct NoRandom;

/// An account that was a configuration's, as it is to be from now on.
///
/// # Errors
/// [`NoRandom`]: there is no API key for it.
pub fn account(a: &access::Account, now: u64) -> Result<Account, NoRandom> {
    let new = Account::new(&a.bizid, now, new_key).map_err(|NoHash| NoRandom)?;
    let standing = &a.standing;
    let numbered = a.domains.iter().zip(1..).map(|(d, number)| domain(d, number, now));
    Ok(Account {
        name: format!("Account {}", a.bizid),
        subject: standing.subject.into(),
        category: Category {
            main: standing.category.main.to_string(),
            sub: standing.category.sub.as_deref().map(str::to_owned),
        },
        service: standing.service,
        live_pusher: standing.live_pusher,
        live_player: standing.live_player,
        profile: match a.profile {
            access::Profile::Strict => Profile::Strict,
            access::Profile::Vendor => Profile::Vendor,
        },
        udp: a.udp_viewers_max > 0,
        udp_viewers_max: a.udp_viewers_max,
        revoked_before: a.revoked.before_unix_s,
        revoked_streams: a.revoked.streams.clone(),
        domains: numbered.collect(),
        ..new
    })
}

fn domain(d: &access::Domain, number: u32, now: u64) -> Domain {
    let secret = |key: &access::Key| Secret::new(key.reveal());
    Domain {
        number,
        action: match d.action {
            access::Action::Push => Action::Push,
            access::Action::Play => Action::Play,
        },
        host: d.host.clone(),
        main: secret(&d.keys.main),
        backup: d.keys.backup.as_ref().map(secret),
        auth: d.auth,
        validity_s: d.validity_s,
        schemes: match d.schemes {
            access::Schemes::Any => Schemes::Any,
            access::Schemes::Strong => Schemes::Strong,
        },
        rotated: now,
    }
}
