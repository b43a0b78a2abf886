//! How many files this program may have open. Each connection is one.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Asks for so many, as far as the system lets a program ask.
///
/// # Errors
/// How many it is, if they are fewer.
pub(crate) fn allow(files: u64) -> Result<(), u64> {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|n| n >= files) {
        return Ok(());
    }
    limit.current = Some(limit.maximum.map_or(files, |max| max.min(files)));
    let _ = setrlimit(Resource::Nofile, limit);
    match getrlimit(Resource::Nofile).current {
        Some(n) if n < files => Err(n),
        _ => Ok(()),
    }
}
