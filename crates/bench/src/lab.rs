//! A bad path, and what a stream comes to on it.
//!
//! | to ... | start at |
//! |---|---|
//! | say what a path does to packets | [`Path`], or a named [`Cell`] |
//! | put one between two programs | [`Namespaces`] with a [`Bridge`]; without the right, a [`Relay`] of UDP |
//! | publish made media, and watch it | [`ends::publish`], [`ends::view`] |
//! | have a greedy flow beside it | [`beside::send`], [`beside::take`] |
//! | put runs into a table | [`report`] |
//!
//! Chance has a seed and a generator of its own in each direction, so a run can be had again.

pub mod beside;
mod bridge;
mod cell;
mod dice;
pub mod ends;
mod impair;
mod line;
mod namespaces;
mod relay;
pub mod report;
mod schedule;
mod score;
mod tun;
mod way;

pub use bridge::Bridge;
pub use cell::{Cell, Goal};
pub use impair::{Bottleneck, Direction, Fate, Impairment, Loss, Path};
pub use line::Carried;
pub use namespaces::{Namespaces, NoRight, Side};
pub use relay::Relay;
pub use report::Run;
pub use schedule::{Schedule, Window};
pub use score::{Came, Delays, Figures, Score};
pub use way::{Cc, Way};
