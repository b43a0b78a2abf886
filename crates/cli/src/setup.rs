//! Configuration and keys, as every command that needs them reads them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use thalweg_access::{Account, Action, Domain, Key, Keys, Policy, Revoked};
use thalweg_console::register::Register;
use thalweg_console::store::{self, Claim, Place, Store};
use thalweg_console::urls::{Places, UdpPlace};
use thalweg_console::{import, model};
use thalweg_server::config::{
    AccountConfig, ActionConfig, DomainConfig, ProfileConfig, SchemesConfig,
};
use thalweg_server::{Config, Server};

use crate::keyfile::{KeyFile, Lacking};
use crate::show;

/// A configuration, and the accounts of its server.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) config: Config,
    pub(crate) policy: Arc<Policy>,
    /// Where accounts and keys have been made just now, if they have.
    pub(crate) made_in: Option<PathBuf>,
    /// The accounts, where they are in a store.
    pub(crate) books: Option<Books>,
    /// That the store is this server's, where there is one and this is a server.
    #[expect(dead_code, reason = "what counts is that it is held")]
    pub(crate) claim: Option<Claim>,
}

/// Accounts in a store.
#[derive(Debug, Clone)]
pub(crate) struct Books {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) register: Arc<Register>,
}

/// Where they are.
#[derive(Debug, clap::Args)]
#[group(id = "setup")]
pub(crate) struct Args {
    /// Configuration file. Without one, thalweg.toml in this folder if it is there, else the
    /// defaults.
    #[arg(
        long,
        global = true,
        env = "THALWEG_CONFIG",
        value_name = "FILE",
        help_heading = "For every command"
    )]
    config: Option<PathBuf>,
    /// Folder of the keys, if it is not the configured one.
    #[arg(
        long,
        global = true,
        env = "THALWEG_DATA_DIR",
        value_name = "FOLDER",
        help_heading = "For every command"
    )]
    data_dir: Option<PathBuf>,
}

/// Where what the server remembers is.
#[derive(Debug, clap::Args)]
pub(crate) struct PlaceArgs {
    /// PostgreSQL database, as postgres://user:password@host/name; else the configured one, or thalweg.db
    /// in the data folder. Better set by the environment: arguments can be seen by everybody on the machine.
    #[arg(long, env = "THALWEG_DATABASE", value_name = "URL", hide_env_values = true)]
    database: Option<String>,
}

impl PlaceArgs {
    pub(crate) fn place(&self, args: &Args) -> Result<Place> {
        let place = place(&Setup::config(args)?);
        Ok(Place { url: self.database.clone().or(place.url), ..place })
    }
}

impl Setup {
    /// Reads the configuration file, if there is one, and the accounts; makes the keys that lack.
    pub(crate) async fn load(args: &Args) -> Result<Setup> {
        Setup::read(Setup::config(args)?, ProfileConfig::Strict).await
    }

    /// The same for a server, which has its store for itself.
    pub(crate) async fn load_to_serve(args: &Args) -> Result<Setup> {
        Setup::claimed(args, ProfileConfig::Strict).await
    }

    /// The same for the demo: where no account is configured, the one that everyone starts with
    /// takes URLs as the vendor's back ends sign them.
    pub(crate) async fn load_for_demo(args: &Args) -> Result<Setup> {
        Setup::claimed(args, ProfileConfig::Vendor).await
    }

    /// The same for those who would be misled by accounts and keys that are new: it makes none.
    pub(crate) async fn load_existing(args: &Args) -> Result<Setup> {
        let config = Setup::config(args)?;
        if !config.console.enabled {
            return Setup::of_file(config, ProfileConfig::Strict, Lacking::Refuse);
        }
        let place = place(&config);
        if !place.exists() {
            bail!(
                "there are no accounts in {}: name the server's configuration with --config, or its \
                 data folder with --data-dir",
                config.data_dir.display()
            );
        }
        Setup::of_store(config, ProfileConfig::Strict).await
    }

    /// What the accounts of a configuration are now, where there is no store.
    pub(crate) fn policy_of_file(config: &Config) -> Result<Policy> {
        let mut keys = KeyFile::open(&config.data_dir, Lacking::Make)?;
        policy(&config.accounts, ProfileConfig::Strict, &mut keys)
    }

    /// Puts the ports that a server got in place of those it was to have: port 0 asks for any.
    pub(crate) fn bind(&mut self, server: &Server) -> Result<()> {
        let config = &mut self.config;
        config.rtmp.listen = Some(server.rtmp_address()?);
        config.http.listen = Some(server.http_address()?);
        config.https.listen = server.https_address()?.or(config.https.listen);
        config.operator.listen = server.operator_address()?;
        Ok(())
    }

    /// The configuration alone.
    pub(crate) fn config(args: &Args) -> Result<Config> {
        let mut config = read_config(args.config.as_deref())?;
        if let Some(folder) = &args.data_dir {
            config.data_dir.clone_from(folder);
        }
        Ok(config)
    }

    async fn claimed(args: &Args, usual: ProfileConfig) -> Result<Setup> {
        let config = Setup::config(args)?;
        // Before anything in it is looked at.
        let claim = match config.console.enabled {
            true => Some(store::claim(&place(&config)).await.context(IN_STORE)?),
            false => None,
        };
        let setup = Setup::read(config, usual).await?;
        Ok(Setup { claim, ..setup })
    }

    async fn read(config: Config, usual: ProfileConfig) -> Result<Setup> {
        match config.console.enabled {
            true => Setup::of_store(config, usual).await,
            false => Setup::of_file(config, usual, Lacking::Make),
        }
    }

    /// Accounts of the configuration file.
    fn of_file(config: Config, usual: ProfileConfig, lacking: Lacking) -> Result<Setup> {
        let mut keys = KeyFile::open(&config.data_dir, lacking)?;
        let policy = Arc::new(policy(&config.accounts, usual, &mut keys)?);
        let made_in = keys.has_made().then(|| keys.path().to_owned());
        Ok(Setup { config, policy, made_in, books: None, claim: None })
    }

    /// Accounts of the store, which has those of the file when it is new.
    async fn of_store(config: Config, usual: ProfileConfig) -> Result<Setup> {
        let store = store::open(&place(&config)).await.context(IN_STORE)?;
        let mut is_new = false;
        let first = || {
            is_new = true;
            first_accounts(&config, usual)
        };
        let register = Register::open(Arc::clone(&store), first).await?;
        if !is_new && !config.accounts.is_empty() {
            tracing::info!(
                "the accounts are in the store: those of the configuration were taken over at the first \
                 start, and are not read any more"
            );
        }
        let policy = register.reader().get();
        let made_in = is_new.then(|| config.data_dir.clone());
        let books = Some(Books { store, register: Arc::new(register) });
        Ok(Setup { config, policy, made_in, books, claim: None })
    }

    /// Where the server is reached, as its URLs say it.
    pub(crate) fn places(&self) -> Places {
        let config = &self.config;
        Places {
            host: config.public_host.clone(),
            rtmp_port: config.public_rtmp_port(),
            http_port: config.public_http_port(),
            https_port: config.has_certificate().then(|| config.public_https_port()),
            udp: config.udp.enabled.then(|| UdpPlace { other_port: config.other_udp_port() }),
        }
    }
}

/// Where the accounts are kept.
pub(crate) fn place(config: &Config) -> Place {
    Place { data_dir: config.data_dir.clone(), url: config.console.store.clone() }
}

/// The accounts that a new store begins with: those of the configuration, with the keys they have had so
/// far.
fn first_accounts(config: &Config, usual: ProfileConfig) -> Result<Vec<model::Account>> {
    let mut keys = KeyFile::open(&config.data_dir, Lacking::MakeForStore)?;
    let policy = policy(&config.accounts, usual, &mut keys)?;
    if keys.is_there() {
        let file = keys.path().display();
        tracing::warn!(%file, "its keys are in the store now, and it is not read any more: delete it");
    }
    let now = show::now_unix_s();
    let imported = policy.accounts().iter().map(|a| import::account(a, now));
    imported.collect::<Result<_, _>>().context("the system has no random numbers")
}

fn read_config(path: Option<&Path>) -> Result<Config> {
    let usual = Path::new(USUAL_FILE);
    let path = match path {
        Some(path) => path,
        None if usual.exists() => usual,
        None => return Ok(Config::default()),
    };
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the configuration {}", path.display()))?;
    let mut config =
        Config::parse(&text).with_context(|| format!("in the configuration {}", path.display()))?;
    // Wherever the program is started, the files beside this one are the same.
    if let Some(folder) = path.parent() {
        config.data_dir = folder.join(config.data_dir);
        for certificate in &mut config.certificates {
            certificate.chain = folder.join(&certificate.chain);
            certificate.key = folder.join(&certificate.key);
        }
    }
    Ok(config)
}

/// The accounts of a configuration, or the one that everyone starts with, whose profile is `usual`.
fn policy(accounts: &[AccountConfig], usual: ProfileConfig, keys: &mut KeyFile) -> Result<Policy> {
    let usual = [AccountConfig { profile: usual, ..AccountConfig::new(USUAL_BIZID) }];
    let accounts = if accounts.is_empty() { &usual } else { accounts };
    let accounts: Result<Vec<Account>> = accounts.iter().map(|a| account(a, keys)).collect();
    Policy::new(accounts?).context("in the accounts of the configuration")
}

fn account(config: &AccountConfig, keys: &mut KeyFile) -> Result<Account> {
    let usual = [ActionConfig::Push, ActionConfig::Play].map(|action| DomainConfig {
        action,
        host: None,
        key: None,
        backup_key: None,
        auth: None,
        validity_s: 0,
        schemes: SchemesConfig::Any,
    });
    let mut domains = Vec::new();
    // An account that sets up only one of the two has the usual one for the other.
    for usual in usual {
        let set: Vec<_> = config.domains.iter().filter(|d| d.action == usual.action).collect();
        let of_action = if set.is_empty() { vec![&usual] } else { set };
        for d in of_action {
            domains.push(domain(&config.bizid, d, keys)?);
        }
    }
    Ok(Account {
        revoked: revoked(config),
        profile: config.profile.into(),
        udp_viewers_max: config.udp_viewers_max,
        ..Account::new(&config.bizid, domains)
    })
}

fn revoked(config: &AccountConfig) -> Revoked {
    let mut revoked = Revoked { before_unix_s: config.revoked_before, ..Revoked::default() };
    for r in &config.revoked {
        // Of two entries for a stream the later moment says all that the other does.
        let before = revoked.streams.entry(r.stream.clone()).or_default();
        *before = r.before.max(*before);
    }
    revoked
}

fn domain(bizid: &str, config: &DomainConfig, keys: &mut KeyFile) -> Result<Domain> {
    let action = Action::from(config.action);
    let host = config.host.clone();
    let main = match &config.key {
        Some(key) => Key::new(key),
        None => keys.key(bizid, action, host.as_deref())?,
    };
    Ok(Domain {
        action,
        host,
        keys: Keys { main, backup: config.backup_key.as_ref().map(Key::new) },
        auth: config.auth.unwrap_or(action == Action::Push),
        validity_s: config.validity_s,
        schemes: config.schemes.into(),
    })
}

const IN_STORE: &str = "in the store of accounts";
const USUAL_FILE: &str = "thalweg.toml";
const USUAL_BIZID: &str = "1";

#[cfg(test)]
mod tests {
    use thalweg_access::Profile;
    use thalweg_testkit::folder::Folder;

    use super::*;

    fn policy_of(name: &str, accounts: &str, usual: ProfileConfig) -> Policy {
        let folder = Folder::new(name);
        let config = Config::parse(accounts).unwrap();
        let mut keys = KeyFile::open(folder.path(), Lacking::Make).unwrap();
        policy(&config.accounts, usual, &mut keys).unwrap()
    }

    #[test]
    fn every_account_is_born_with_keys_of_its_own_for_push_and_for_play() {
        let accounts = "[[account]]\nbizid = \"1\"\n\
                        [[account.domain]]\naction = \"push\"\nhost = \"push.example.com\"\n\
                        [[account]]\nbizid = \"2\"";
        let mut keys = Vec::new();
        for (name, accounts) in [("born-two", accounts), ("born-alone", ""), ("born-again", "")] {
            let policy = policy_of(name, accounts, ProfileConfig::Strict);
            for account in policy.accounts() {
                let of = |action| account.signing_domain(action, "h").unwrap().keys.main.clone();
                keys.extend([of(Action::Push), of(Action::Play)]);
            }
        }
        assert_eq!(keys.len(), 8);
        for (i, key) in keys.iter().enumerate() {
            assert_eq!(key.reveal().len(), 32, "128 bits");
            assert!(!keys[..i].contains(key), "each is another");
        }
    }

    #[test]
    fn accounts_are_strict_but_for_the_demos_own() {
        let strict = "[[account]]\nbizid = \"1\"";
        let vendor = "[[account]]\nbizid = \"1\"\nprofile = \"vendor\"\nudp_viewers_max = 0";
        for (accounts, usual, want) in [
            ("", ProfileConfig::Strict, (Profile::Strict, 10)),
            ("", ProfileConfig::Vendor, (Profile::Vendor, 10)),
            (strict, ProfileConfig::Vendor, (Profile::Strict, 10)),
            (vendor, ProfileConfig::Strict, (Profile::Vendor, 0)),
        ] {
            let policy = policy_of("profile", accounts, usual);
            let account = policy.default_account();
            assert_eq!((account.profile, account.udp_viewers_max), want, "{accounts}");
        }
    }
}
