//! May this request do this?
//!
//! [`decide`] takes a [`Policy`], a [`Request`] and the time, and answers [`Allow`] or a [`Reason`]
//! why not. It does nothing else: no file, no socket, no clock. Each reason has one RTMP status, one
//! HTTP status, one label in the metrics and one sentence for a person.
//!
//! One signature is the vendor's, byte for byte, so that an existing back end keeps working:
//!
//! ```
//! use thalweg_access::{Key, Scheme};
//!
//! let key = Key::new("e12c46f2612d5106e2034781ab261ca3");
//! let secret = key.sign(Scheme::Md5, "test", "5C271099");
//! assert_eq!(secret, "f85a2ab363fe4deaffef9754d79da6fe");
//! ```
//!
//! The other one, strong, is an HMAC over all of what is granted; see [`Token`].
//!
//! What depends on earlier requests is [`Spent`], which has the last word.

mod decision;
mod eligibility;
mod explain;
#[doc(hidden)]
pub mod fuzz;
mod handle;
mod keys;
mod lists;
mod network;
mod policy;
mod query;
mod reason;
mod sign;
mod spent;
mod strong;

pub use decision::{Allow, Class, Request, SessionCap, Way, decide};
pub use eligibility::{
    Category, CategoryRow, CategoryTable, Gate, Preset, Standing, Sub, SubjectType,
};
pub use explain::{Finding, Verdict, explain, fits_key};
pub use handle::{PolicyHandle, PolicyReader};
pub use keys::{Key, Keys};
pub use lists::{
    ADDRESSES_MAX, AddressList, BadPattern, ListRule, REFERERS_MAX, RefererList, RefererPattern,
};
pub use network::{BadNetwork, Network};
pub use policy::{
    Account, Action, Domain, Policy, PolicyError, Profile, RemoteAsk, Revoked, Schemes,
    UDP_VIEWERS_MAX, UDP_VIEWERS_USUAL,
};
pub use query::Query;
pub use reason::Reason;
pub use sign::{Expiry, Scheme, Signature, SignedQuery, TimeFormat};
pub use spent::{Mark, Spent};
pub use strong::{BadToken, Purpose, SESSIONS_MAX, Subject, Token};
