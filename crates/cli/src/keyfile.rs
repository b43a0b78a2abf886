//! Keys made at first start, kept in a file that only its owner can read.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use thalweg_access::{Action, Key};

/// The keys of a data folder.
#[derive(Debug)]
pub(crate) struct KeyFile {
    path: PathBuf,
    entries: Entries,
    lacking: Lacking,
    has_made: bool,
}

/// What is done about a key that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lacking {
    /// One is made, and kept in the file.
    Make,
    /// One is made for a store, which keeps it: the file is only read.
    MakeForStore,
    /// Nothing: whoever asks would be misled by keys that are new.
    Refuse,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entries {
    #[serde(default, rename = "key")]
    keys: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    bizid: String,
    action: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    key: String,
}

impl KeyFile {
    /// Reads the keys of a folder, if there are any yet. Those that lack are made, or not.
    pub(crate) fn open(folder: &Path, lacking: Lacking) -> Result<KeyFile> {
        let path = folder.join("keys.toml");
        let has_made = false;
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Ok(KeyFile { path, entries: Entries::default(), lacking, has_made });
            }
            Err(e) => return Err(e).with_context(|| format!("cannot read {}", path.display())),
        };
        let mode = fs::metadata(&path)?.permissions().mode();
        if mode & 0o077 != 0 {
            tracing::warn!("{} can be read by others: chmod 600 it", path.display());
        }
        // The error's text would quote a line, and with it a key.
        let entries = toml::from_str(&text)
            .map_err(|e: toml::de::Error| anyhow::anyhow!("{}", e.message()))
            .with_context(|| format!("{} is damaged", path.display()))?;
        Ok(KeyFile { path, entries, lacking, has_made })
    }

    /// The key for an account, an action and a host; made and kept if there is none.
    pub(crate) fn key(&mut self, bizid: &str, action: Action, host: Option<&str>) -> Result<Key> {
        let fits =
            |e: &&Entry| e.bizid == bizid && e.action == action.name() && e.host.as_deref() == host;
        if let Some(entry) = self.entries.keys.iter().find(fits) {
            return Ok(Key::new(&entry.key));
        }
        if self.lacking == Lacking::Refuse {
            let (action, path) = (action.name(), self.path.display());
            bail!(
                "there is no {action} key in {path}: name the server's configuration with \
                 --config, or its key folder with --data-dir"
            );
        }
        let mut bits = [0; 16];
        getrandom::fill(&mut bits)
            .map_err(|e| anyhow::anyhow!("the system has no random numbers: {e}"))?;
        let key = Key::from_random(bits);
        if self.lacking == Lacking::MakeForStore {
            return Ok(key);
        }
        self.entries.keys.push(Entry {
            bizid: bizid.to_owned(),
            action: action.name().to_owned(),
            host: host.map(str::to_owned),
            key: key.reveal().to_owned(),
        });
        self.write()?;
        self.has_made = true;
        Ok(key)
    }

    /// Whether keys have been made just now.
    pub(crate) fn has_made(&self) -> bool {
        self.has_made
    }

    /// Whether there is such a file.
    pub(crate) fn is_there(&self) -> bool {
        !self.entries.keys.is_empty()
    }

    /// Where the keys are.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a new file and puts it in place of the old one, so that no crash leaves half a file.
    fn write(&self) -> Result<()> {
        let path = &self.path;
        let folder = path.parent().unwrap_or(Path::new("."));
        let write = || -> Result<()> {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            let new = path.with_extension("toml.new");
            let _ = fs::remove_file(&new);
            let mut file =
                fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
            file.write_all(HEADER.as_bytes())?;
            file.write_all(toml::to_string(&self.entries)?.as_bytes())?;
            file.sync_all()?;
            Ok(fs::rename(&new, path)?)
        };
        write().with_context(|| format!("cannot write the keys to {}", path.display()))
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Entry({} {})", self.bizid, self.action)
    }
}

const HEADER: &str = "# Made by thalweg. Whoever has these keys can push and watch: keep them secret.\n\
                      # To rotate one, write it into the configuration as backup_key and delete it here.\n\n";

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("thalweg-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    #[test]
    fn keys_are_made_once_and_kept_from_others() {
        let folder = folder("keys");
        let mut first = KeyFile::open(&folder, Lacking::Make).unwrap();
        let push = first.key("1", Action::Push, None).unwrap();
        let play = first.key("1", Action::Play, None).unwrap();
        assert!(first.has_made() && push != play && push.reveal().len() == 32);
        let mode = fs::metadata(first.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        let mut again = KeyFile::open(&folder, Lacking::Make).unwrap();
        assert_eq!(again.key("1", Action::Push, None).unwrap(), push);
        assert!(!again.has_made());
        assert_ne!(again.key("1", Action::Push, Some("h")).unwrap(), push);
        assert!(!format!("{again:?}").contains(push.reveal()));
        let mut reader = KeyFile::open(&folder, Lacking::Refuse).unwrap();
        assert_eq!(reader.key("1", Action::Push, None).unwrap(), push);
        assert!(reader.key("2", Action::Push, None).is_err(), "whoever only reads makes none");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_damaged_file_is_named_and_not_quoted() {
        let folder = folder("damaged");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("keys.toml"), "[[key]]\nkey = secret").unwrap();
        let error = format!("{:#}", KeyFile::open(&folder, Lacking::Make).unwrap_err());
        assert!(error.contains("keys.toml is damaged") && !error.contains("secret"), "{error}");
        fs::remove_dir_all(&folder).unwrap();
    }
}
