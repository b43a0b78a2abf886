//! Files that get their names when they are whole, and keep them after a power cut.

use std::fs::{self, File};
use std::io::{ErrorKind, Result};
use std::path::Path;

/// Gives a whole file its name, and takes away the one it had.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`] when something has that name, however late it came.
pub(super) fn name(unfinished: &Path, file: &Path) -> Result<()> {
    match fs::hard_link(unfinished, file) {
        Ok(()) => {
            fs::remove_file(unfinished)?;
            sync_folder(file)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let _ = fs::remove_file(unfinished);
            Err(error)
        }
        // A file system that knows no second name, as that of a memory stick.
        Err(_) if !file.exists() => replace(unfinished, file),
        Err(error) => Err(error),
    }
}

/// Gives a whole file its name, whatever had it.
pub(super) fn replace(unfinished: &Path, file: &Path) -> Result<()> {
    fs::rename(unfinished, file)?;
    sync_folder(file)
}

/// The name too has to be there after a power cut.
pub(super) fn sync_folder(file: &Path) -> Result<()> {
    let folder = file.parent().filter(|f| !f.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
