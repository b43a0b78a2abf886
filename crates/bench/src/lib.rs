//! What a viewer costs a server, measured from outside.
//!
//! | to ... | start at |
//! |---|---|
//! | say what load is wanted | [`Profile`] |
//! | put it on a server, and see what it came to | [`trial::run`] |
//! | know what the kernel alone would cost | [`floor::serve`] |
//! | put rounds into a table | [`report`] |
//! | see what a stream comes to on a bad path | [`lab`] |
//!
//! Publishers stamp every picture with the moment and a number, viewers read the stamps: delays,
//! losses and changes show, whatever the server. Both are in one process, so there is one clock.

mod crowd;
mod feed;
pub mod floor;
pub mod lab;
pub mod media;
pub mod process;
pub mod profile;
pub mod report;
mod stamp;
pub mod trial;
mod viewer;

pub use media::Media;
pub use profile::Profile;
pub use trial::{Outcome, Target};
