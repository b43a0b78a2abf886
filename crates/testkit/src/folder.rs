//! A folder that goes away with the test.

use std::fs;
use std::path::{Path, PathBuf};

/// A folder of this process, empty at first, under the system's folder for such things.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// A folder of a name that no other test of the program has.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("thalweg-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A path in it, as text.
    ///
    /// # Panics
    /// When the system's folder has a name that is no text.
    pub fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
