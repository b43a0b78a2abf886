//! From what is remembered to what decisions are made of.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thalweg_access as access;
use thalweg_access::{
    AddressList, CategoryTable, Gate, Network, Preset, RefererList, RefererPattern,
};
use utoipa::ToSchema;

use crate::model::{self, Account, AddressRules, Domain, ListRule, RefererRules, SubjectType};

/// The gate, as an operator sets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GateSetting {
    /// Whether categories count.
    pub mode: GateMode,
    /// The preset whose rows these are; `None`: they are the operator's own.
    #[serde(default)]
    pub preset: Option<String>,
    /// The categories that are admitted.
    #[serde(default)]
    pub rows: Vec<GateRow>,
}

/// Whether categories count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum GateMode {
    #[default]
    Enforce,
    Off,
}

/// A main category that is admitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GateRow {
    /// Its id.
    pub main: String,
    /// What people call it.
    pub title: Title,
    /// Which of its sub-categories are admitted. None: all.
    #[serde(default)]
    pub subs: Vec<GateSub>,
    /// Whose accounts are.
    pub subjects: Vec<SubjectType>,
}

/// A sub-category.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GateSub {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub title: Title,
}

/// A name in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Title {
    pub en: String,
    pub zh: String,
}

impl GateSetting {
    /// The table of a preset, enforced.
    pub fn of_preset(preset: Preset) -> GateSetting {
        let rows = rows(&preset.table());
        GateSetting { mode: GateMode::Enforce, preset: Some(preset.name().to_owned()), rows }
    }

    /// Whether an account passes.
    pub fn admits(&self, subject: SubjectType, category: &model::Category) -> bool {
        self.to_access().admits(&access::Standing {
            subject: subject.into(),
            category: category_of(category),
            ..access::Standing::eligible()
        })
    }

    fn to_access(&self) -> Gate {
        match self.mode {
            GateMode::Off => Gate::Off,
            GateMode::Enforce => {
                Gate::Enforce(CategoryTable { rows: self.rows.iter().map(Into::into).collect() })
            }
        }
    }
}

/// A table's rows, as an operator sees them.
pub(crate) fn rows(table: &CategoryTable) -> Vec<GateRow> {
    let title = |en: &str, zh: &str| Title { en: en.to_owned(), zh: zh.to_owned() };
    let row = |row: &access::CategoryRow| GateRow {
        main: row.main.to_string(),
        title: title(&row.main_en, &row.main_zh),
        subs: row
            .subs
            .iter()
            .map(|s| GateSub { id: s.id.to_string(), title: title(&s.en, &s.zh) })
            .collect(),
        subjects: row.subjects.iter().map(|s| (*s).into()).collect(),
    };
    table.rows.iter().map(row).collect()
}

impl From<&GateRow> for access::CategoryRow {
    fn from(row: &GateRow) -> Self {
        let sub = |s: &GateSub| access::Sub {
            id: Arc::from(s.id.as_str()),
            zh: Arc::from(s.title.zh.as_str()),
            en: Arc::from(s.title.en.as_str()),
        };
        access::CategoryRow {
            main: Arc::from(row.main.as_str()),
            main_zh: Arc::from(row.title.zh.as_str()),
            main_en: Arc::from(row.title.en.as_str()),
            subs: row.subs.iter().map(sub).collect(),
            subjects: row.subjects.iter().map(|s| (*s).into()).collect(),
        }
    }
}

/// What is wrong with a field of an account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BadField {
    /// Which, as the API names it.
    pub field: &'static str,
    /// What, in words.
    pub message: String,
}

impl BadField {
    pub(crate) fn new(field: &'static str, message: impl Into<String>) -> BadField {
        BadField { field, message: message.into() }
    }
}

/// The policy of all accounts.
///
/// # Errors
/// [`BadField`]: two accounts claim the same, or one cannot work.
pub fn policy<'a>(
    accounts: impl IntoIterator<Item = &'a Account>,
    gate: &GateSetting,
) -> Result<access::Policy, BadField> {
    let accounts: Result<Vec<_>, _> = accounts.into_iter().map(account).collect();
    access::Policy::with_gate(accounts?, gate.to_access())
        .map_err(|why| BadField::new(field_of(&why), why.to_string()))
}

/// Which field of an account an error is about.
fn field_of(why: &access::PolicyError) -> &'static str {
    use access::PolicyError as E;
    match why {
        E::HostTwice(_) => "host",
        E::NoDomain(..) => "domains",
        E::ShortKey(_) | E::KnownKey(_) => "key",
        E::UdpViewers(_) => "udp_viewers_max",
        E::Category(_) => "category",
        E::Addresses(_) => "addresses",
        E::Referers(_) => "referers",
        E::NoAccount | E::BizidMalformed(_) | E::BizidTwice(_) => "bizid",
    }
}

fn account(a: &Account) -> Result<access::Account, BadField> {
    let streams = a.revoked_streams.clone();
    Ok(access::Account {
        bizid: Arc::from(a.bizid.as_str()),
        domains: a.domains.iter().map(domain).collect(),
        revoked: access::Revoked { before_unix_s: a.revoked_before, streams },
        profile: match a.profile {
            model::Profile::Strict => access::Profile::Strict,
            model::Profile::Vendor => access::Profile::Vendor,
        },
        udp_viewers_max: if a.udp { a.udp_viewers_max } else { 0 },
        standing: access::Standing {
            subject: a.subject.into(),
            category: category_of(&a.category),
            service: a.service,
            live_pusher: a.live_pusher,
            live_player: a.live_player,
        },
        addresses: addresses(&a.addresses)?,
        referers: referers(&a.referers)?,
        remote: access::RemoteAsk {
            push: a.remote.url.is_some() && a.remote.push,
            play: a.remote.url.is_some() && a.remote.play,
        },
    })
}

/// What the gate is asked about. An account that is of no category yet is one that no table has.
fn category_of(category: &model::Category) -> access::Category {
    let main = if category.main.is_empty() { NO_CATEGORY } else { &category.main };
    access::Category::new(main, category.sub.as_deref())
}

fn addresses(rules: &AddressRules) -> Result<AddressList, BadField> {
    let network = |text: &String| {
        Network::parse(text).map_err(|why| BadField::new("addresses", format!("{text}: {why}")))
    };
    let networks: Result<_, _> = rules.networks.iter().map(network).collect();
    Ok(AddressList { rule: rules.rule.into(), networks: networks? })
}

fn referers(rules: &RefererRules) -> Result<RefererList, BadField> {
    let pattern = |text: &String| {
        RefererPattern::parse(text)
            .map_err(|why| BadField::new("referers", format!("{text}: {why}")))
    };
    let patterns: Result<_, _> = rules.patterns.iter().map(pattern).collect();
    let (rule, allow_empty) = (rules.rule.into(), rules.allow_empty);
    Ok(RefererList { rule, allow_empty, patterns: patterns? })
}

fn domain(d: &Domain) -> access::Domain {
    let key = |secret: &model::Secret| access::Key::new(secret.reveal());
    access::Domain {
        action: d.action.into(),
        host: d.host.clone(),
        keys: access::Keys { main: key(&d.main), backup: d.backup.as_ref().map(key) },
        auth: d.auth,
        validity_s: d.validity_s,
        schemes: match d.schemes {
            model::Schemes::Any => access::Schemes::Any,
            model::Schemes::Strong => access::Schemes::Strong,
        },
    }
}

impl From<model::Action> for access::Action {
    fn from(action: model::Action) -> Self {
        match action {
            model::Action::Push => access::Action::Push,
            model::Action::Play => access::Action::Play,
        }
    }
}

impl From<SubjectType> for access::SubjectType {
    fn from(subject: SubjectType) -> Self {
        match subject {
            SubjectType::Individual => access::SubjectType::Individual,
            SubjectType::Enterprise => access::SubjectType::Enterprise,
            SubjectType::Government => access::SubjectType::Government,
        }
    }
}

impl From<access::SubjectType> for SubjectType {
    fn from(subject: access::SubjectType) -> Self {
        match subject {
            access::SubjectType::Individual => SubjectType::Individual,
            access::SubjectType::Enterprise => SubjectType::Enterprise,
            access::SubjectType::Government => SubjectType::Government,
        }
    }
}

impl From<ListRule> for access::ListRule {
    fn from(rule: ListRule) -> Self {
        match rule {
            ListRule::Off => access::ListRule::Off,
            ListRule::Only => access::ListRule::Only,
            ListRule::Except => access::ListRule::Except,
        }
    }
}

pub(crate) const NO_CATEGORY: &str = "none";
