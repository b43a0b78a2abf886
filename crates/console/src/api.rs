//! The API, one file a subject.

pub(crate) mod streams;
