//! Which accounts may use live streaming at all: their category, and their switches.
//!
//! The vendor opens the two tags to listed categories only, and then by switches that the owner
//! turns himself. The list has changed over the years; so it is data, and four of its states are
//! [`Preset`]s.

use std::sync::Arc;

use crate::policy::Action;
use crate::reason::Reason;

mod presets;

pub use presets::Preset;

/// What kind of owner an account has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum SubjectType {
    Individual,
    Enterprise,
    Government,
}

impl SubjectType {
    /// All of them.
    pub const ALL: [SubjectType; 3] =
        [SubjectType::Individual, SubjectType::Enterprise, SubjectType::Government];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            SubjectType::Individual => "individual",
            SubjectType::Enterprise => "enterprise",
            SubjectType::Government => "government",
        }
    }

    /// The kind of a word.
    pub fn parse(text: &str) -> Option<Self> {
        SubjectType::ALL.into_iter().find(|s| s.name() == text)
    }
}

/// What an account is for, as its owner has declared it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Category {
    /// Id of the main category: lower-case letters, digits and hyphens, such as `education`.
    pub main: Arc<str>,
    /// Id of the sub-category, if one is declared, such as `online-education`.
    pub sub: Option<Arc<str>>,
}

impl Category {
    /// A category of its two ids.
    pub fn new(main: &str, sub: Option<&str>) -> Category {
        Category { main: Arc::from(main), sub: sub.map(Arc::from) }
    }

    /// Whether both ids are written as ids are.
    pub fn is_well_formed(&self) -> bool {
        is_slug(&self.main) && self.sub.as_deref().is_none_or(is_slug)
    }
}

/// `education`, or `education/online-education`.
impl std::fmt::Display for Category {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.sub {
            Some(sub) => write!(f, "{}/{sub}", self.main),
            None => f.write_str(&self.main),
        }
    }
}

/// Where an account stands: what it is, and which of its switches are on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Who owns it.
    pub subject: SubjectType,
    /// What it is for.
    pub category: Category,
    /// Whether the live service is open to it. The operator opens it.
    pub service: bool,
    /// Whether it may publish. Its owner turns this.
    pub live_pusher: bool,
    /// Whether its streams may be watched. Its owner turns this.
    pub live_player: bool,
}

impl Standing {
    /// That of the account made at the first start: an enterprise in a category that every preset
    /// admits, and everything open.
    pub fn eligible() -> Standing {
        Standing {
            subject: SubjectType::Enterprise,
            category: Category::new("social", Some("live")),
            service: true,
            live_pusher: true,
            live_player: true,
        }
    }

    /// Whether the switch for an action is on.
    pub fn is_on(&self, action: Action) -> bool {
        match action {
            Action::Push => self.live_pusher,
            Action::Play => self.live_player,
        }
    }

    /// Why an account that stands so may not do this: category first, because nobody needs to turn a
    /// switch that would not help.
    pub(crate) fn judge(&self, gate: &Gate, action: Action) -> Result<(), Reason> {
        if !gate.admits(self) {
            return Err(Reason::NotEligible);
        }
        if !self.service {
            return Err(Reason::ServiceClosed);
        }
        match (self.is_on(action), action) {
            (true, _) => Ok(()),
            (false, Action::Push) => Err(Reason::PusherOff),
            (false, Action::Play) => Err(Reason::PlayerOff),
        }
    }
}

/// Whether categories count.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Gate {
    /// They do not.
    #[default]
    Off,
    /// Only accounts of a category in the table publish or are watched.
    Enforce(CategoryTable),
}

impl Gate {
    /// Whether an account that stands so passes.
    pub fn admits(&self, standing: &Standing) -> bool {
        match self {
            Gate::Off => true,
            Gate::Enforce(table) => table.admits(standing.subject, &standing.category),
        }
    }
}

/// The categories that are eligible.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CategoryTable {
    /// One a main category. Of two for the same one, either may admit.
    pub rows: Vec<CategoryRow>,
}

/// A main category, and who may be in it with which sub-categories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CategoryRow {
    /// Its id.
    pub main: Arc<str>,
    /// What it is called in Chinese.
    pub main_zh: Arc<str>,
    /// What it is called in English.
    pub main_en: Arc<str>,
    /// Its eligible sub-categories. None listed: all of them.
    pub subs: Vec<Sub>,
    /// The owners that may be in it.
    pub subjects: Vec<SubjectType>,
}

/// A sub-category.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sub {
    /// Its id.
    pub id: Arc<str>,
    /// What it is called in Chinese.
    pub zh: Arc<str>,
    /// What it is called in English.
    pub en: Arc<str>,
}

impl CategoryTable {
    /// Whether an account of this owner and category is eligible.
    pub fn admits(&self, subject: SubjectType, category: &Category) -> bool {
        self.rows.iter().any(|row| row.admits(subject, category))
    }
}

impl CategoryRow {
    fn admits(&self, subject: SubjectType, category: &Category) -> bool {
        let has_sub = || self.subs.iter().any(|s| Some(&s.id) == category.sub.as_ref());
        self.main == category.main
            && self.subjects.contains(&subject)
            && (self.subs.is_empty() || has_sub())
    }
}

/// Whether a text is an id: `online-education`.
fn is_slug(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=ID_CHARS_MAX).contains(&text.len()) && text.bytes().all(fits)
}

/// Twice the longest id of the presets.
const ID_CHARS_MAX: usize = 64;
