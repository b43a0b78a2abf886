//! Fuzz corpora: written from the tables of the tests, replayed by them.
//!
//! `UPDATE_CORPUS=1 cargo test` writes the seeds anew. What a fuzzer found is added to the same
//! folders by hand, under a name that says what it was.

use std::fs;
use std::path::PathBuf;

/// Checks that the corpus of `target` holds `seed` under `name`, or writes it if asked to.
///
/// # Panics
/// When the file is missing or differs.
pub fn holds(target: &str, name: &str, seed: &[u8]) {
    let file: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let path = folder(target).join(file.to_lowercase());
    if std::env::var_os("UPDATE_CORPUS").is_some() {
        fs::create_dir_all(folder(target)).unwrap();
        fs::write(&path, seed).unwrap();
    }
    let kept = fs::read(&path).unwrap_or_default();
    assert!(
        kept == seed,
        "{} is not what the table says: UPDATE_CORPUS=1 writes it",
        path.display()
    );
}

/// Runs `body` on every file of a target's corpus; answers how many there were.
///
/// # Panics
/// When there are none, or when the body does.
pub fn replay(target: &str, body: fn(&[u8])) -> usize {
    let mut files: Vec<PathBuf> = fs::read_dir(folder(target))
        .unwrap_or_else(|e| panic!("corpus of {target}: {e}"))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "the corpus of {target} is empty");
    for path in &files {
        // Seen only when the body panics: which file it was.
        eprintln!("{}", path.display());
        body(&fs::read(path).unwrap());
    }
    files.len()
}

fn folder(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target)
}
