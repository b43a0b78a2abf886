//! One command, one file, one `Args`, one `run`.

pub(crate) mod backup;
pub(crate) mod bench;
pub(crate) mod check_url;
pub(crate) mod demo;
pub(crate) mod lab;
pub(crate) mod play;
pub(crate) mod push;
pub(crate) mod rekey;
pub(crate) mod restore;
pub(crate) mod serve;
pub(crate) mod sign;
