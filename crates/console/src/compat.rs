//! What an existing back end of the vendor's customers asks: the same paths and names, another host.

pub(crate) mod old_api;
pub(crate) mod weapp;
