//! Where frames to publish come from.

pub mod clock;
pub mod flv;
