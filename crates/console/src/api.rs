//! The API, one file a subject.

pub(crate) mod kick;
pub(crate) mod streams;
