//! The configuration file. Every key has a default; a key nobody knows is an error with its line.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use thalweg_access::Action;
use thalweg_wire::rtmp;

/// Everything an operator may set. `docs/ref/config.md` is its manual.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Host in every printed URL. Default: 127.0.0.1.
    pub public_host: String,
    /// Where keys made at first start are kept. Default: `thalweg-data`.
    pub data_dir: PathBuf,
    /// RTMP.
    pub rtmp: Listen,
    /// Public HTTP: media.
    pub http: Listen,
    /// The operator's HTTP: metrics and API.
    pub operator: Operator,
    /// Publishing.
    pub publish: Publish,
    /// Watching.
    pub play: Play,
    /// Bounds.
    pub limits: Limits,
    /// Accounts, the first of which is the default. None: one account, number 1, with keys made
    /// at first start.
    #[serde(rename = "account")]
    pub accounts: Vec<AccountConfig>,
}

/// Where to listen, and what to print.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Listen {
    /// Address and port. Default: every address, port 1935 for RTMP and 8080 for HTTP.
    pub listen: Option<SocketAddr>,
    /// Port in printed URLs, if it is not the one listened on.
    pub public_port: Option<u16>,
}

/// The operator's listener.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Operator {
    /// Address and port. Default: 127.0.0.1:8081.
    pub listen: SocketAddr,
}

/// Publishing.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Publish {
    /// When a second push replaces the first.
    pub takeover: TakeOver,
    /// Seconds that viewers wait for a publisher that left. Default 30, 0 to 3600.
    pub republish_wait_s: u64,
    /// Seconds of silence after which a publisher is cut. Default 70, 5 to 3600.
    pub silence_max_s: u64,
    /// Seconds from accepted publish to first media. Default 30, 1 to 3600.
    pub first_media_max_s: u64,
}

/// When a second push replaces the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TakeOver {
    /// At once, when both are signed for the same account.
    #[default]
    SameCredential,
    /// Only when the first has sent nothing for five seconds.
    StaleOnly,
    /// Not at all.
    Never,
}

/// Watching.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Play {
    /// Seconds that a player waits for a publisher to come. Default 10, 0 to 300.
    pub wait_s: u64,
    /// Media ms behind the live edge at which a viewer starts, unless its URL says `?cache=`.
    /// Default 1000, 0 to 5000.
    pub cache_ms: u64,
    /// Ms over which a viewer's writes are gathered. Default 100, 0 to 500. Less costs more.
    pub flush_ms: u64,
}

/// Bounds.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Connections at one time. Default 10 000.
    pub connections_max: usize,
    /// Connections of one address that have not yet been let in to anything. Default 1024.
    pub strangers_per_address_max: usize,
    /// Bytes of unfinished messages that all of those together may make us keep. Default 16 MiB.
    pub strangers_bytes_max: usize,
    /// Streams at one time. Default 10 000.
    pub streams_max: usize,
    /// Longest RTMP message, bytes. Default 4 MiB, 64 KiB to 16 MiB.
    pub message_bytes_max: usize,
    /// Payload bytes that a stream's log keeps. Default 32 MiB.
    pub stream_bytes_max: u64,
    /// Bytes a second that a viewer with something to read must read, mean of 20 s. Default 1024.
    pub viewer_bytes_per_s_min: u64,
    /// Streams named in the metrics; the rest are summed up. Default 200.
    pub metrics_streams_max: usize,
    /// Seconds that a stop waits for peers to be told. Default 5, 0 to 600.
    pub stop_wait_s: u64,
}

/// An account, as an operator writes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountConfig {
    /// Its number.
    pub bizid: String,
    /// Its domains. None: one for push and one for play, for every host.
    #[serde(default, rename = "domain")]
    pub domains: Vec<DomainConfig>,
}

/// A domain, as an operator writes it.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DomainConfig {
    /// `push` or `play`.
    pub action: ActionConfig,
    /// Host name; none for every host that no other domain names.
    #[serde(default)]
    pub host: Option<String>,
    /// Main key; none for one made at first start.
    #[serde(default)]
    pub key: Option<String>,
    /// Backup key.
    #[serde(default)]
    pub backup_key: Option<String>,
    /// Whether a signature is compulsory. Default: for push yes, for play no.
    #[serde(default)]
    pub auth: Option<bool>,
    /// Seconds a URL stays good after its `txTime`. Default 0.
    #[serde(default)]
    pub validity_s: u64,
}

/// `push` or `play`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum ActionConfig {
    Push,
    Play,
}

impl From<ActionConfig> for Action {
    fn from(a: ActionConfig) -> Self {
        match a {
            ActionConfig::Push => Action::Push,
            ActionConfig::Play => Action::Play,
        }
    }
}

impl std::fmt::Debug for DomainConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let DomainConfig { action, host, auth, .. } = self;
        write!(f, "DomainConfig({action:?}, {host:?}, auth {auth:?}, keys secret)")
    }
}

/// What is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Not TOML, an unknown key, or a value of the wrong type. The text shows the line.
    #[error("{0}")]
    Syntax(String),
    /// A number out of its range.
    #[error("{key} = {value} is out of range: {least} to {most}")]
    Range {
        /// Where it stands.
        key: &'static str,
        /// What was set.
        value: u64,
        /// The least it may be.
        least: u64,
        /// The most it may be.
        most: u64,
    },
}

impl Default for Config {
    fn default() -> Self {
        Config {
            public_host: "127.0.0.1".to_owned(),
            data_dir: PathBuf::from("thalweg-data"),
            rtmp: Listen::default(),
            http: Listen::default(),
            operator: Operator::default(),
            publish: Publish::default(),
            play: Play::default(),
            limits: Limits::default(),
            accounts: Vec::new(),
        }
    }
}

impl Default for Operator {
    fn default() -> Self {
        Operator { listen: SocketAddr::new(IpAddr::from([127, 0, 0, 1]), OPERATOR_PORT) }
    }
}

impl Default for Publish {
    fn default() -> Self {
        Publish {
            takeover: TakeOver::default(),
            republish_wait_s: 30,
            silence_max_s: 70,
            first_media_max_s: 30,
        }
    }
}

impl Default for Play {
    fn default() -> Self {
        Play { wait_s: 10, cache_ms: 1000, flush_ms: 100 }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections_max: 10_000,
            strangers_per_address_max: 1024,
            strangers_bytes_max: 16 << 20,
            streams_max: 10_000,
            message_bytes_max: 4 << 20,
            stream_bytes_max: 32 << 20,
            viewer_bytes_per_s_min: 1024,
            metrics_streams_max: 200,
            stop_wait_s: 5,
        }
    }
}

impl Config {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// [`ConfigError`], with the line where there is one.
    pub fn parse(text: &str) -> Result<Config, ConfigError> {
        let config: Config =
            toml::from_str(text).map_err(|e| ConfigError::Syntax(e.to_string()))?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let (publish, play, limits) = (&self.publish, &self.play, &self.limits);
        for (key, value, least, most) in [
            ("publish.republish_wait_s", publish.republish_wait_s, 0, 3600),
            ("publish.silence_max_s", publish.silence_max_s, 5, 3600),
            ("publish.first_media_max_s", publish.first_media_max_s, 1, 3600),
            ("play.wait_s", play.wait_s, 0, 300),
            ("play.cache_ms", play.cache_ms, 0, CACHE_MS_MAX),
            ("play.flush_ms", play.flush_ms, 0, FLUSH_MS_MAX),
            ("limits.connections_max", limits.connections_max as u64, 1, 10_000_000),
            (
                "limits.strangers_per_address_max",
                limits.strangers_per_address_max as u64,
                1,
                10_000_000,
            ),
            ("limits.strangers_bytes_max", limits.strangers_bytes_max as u64, 64 << 10, 1 << 30),
            ("limits.streams_max", limits.streams_max as u64, 1, 1_000_000),
            ("limits.message_bytes_max", limits.message_bytes_max as u64, 64 << 10, 16 << 20),
            ("limits.stream_bytes_max", limits.stream_bytes_max, 1 << 20, 1 << 32),
            ("limits.viewer_bytes_per_s_min", limits.viewer_bytes_per_s_min, 0, 1 << 30),
            ("limits.metrics_streams_max", limits.metrics_streams_max as u64, 0, 10_000),
            ("limits.stop_wait_s", limits.stop_wait_s, 0, 600),
        ] {
            if !(least..=most).contains(&value) {
                return Err(ConfigError::Range { key, value, least, most });
            }
        }
        Ok(())
    }

    /// Port in printed RTMP URLs.
    pub fn public_rtmp_port(&self) -> u16 {
        self.rtmp.public(rtmp::PORT)
    }

    /// Port in printed HTTP URLs.
    pub fn public_http_port(&self) -> u16 {
        self.http.public(HTTP_PORT)
    }

    pub(crate) fn session_limits(&self) -> rtmp::Limits {
        rtmp::Limits {
            message_bytes_max: self.limits.message_bytes_max,
            first_media_max: Duration::from_secs(self.publish.first_media_max_s),
            publisher_silence_max: Duration::from_secs(self.publish.silence_max_s),
            ..rtmp::Limits::default()
        }
    }

    pub(crate) fn hub_limits(&self) -> thalweg_hub::Limits {
        thalweg_hub::Limits {
            streams_max: self.limits.streams_max,
            retain: thalweg_hub::Retain {
                bytes_max: self.limits.stream_bytes_max,
                ..thalweg_hub::Retain::default()
            },
            republish_wait: Duration::from_secs(self.publish.republish_wait_s),
            take_over: match self.publish.takeover {
                TakeOver::SameCredential => thalweg_hub::TakeOver::SameCredential,
                TakeOver::StaleOnly => thalweg_hub::TakeOver::StaleOnly,
                TakeOver::Never => thalweg_hub::TakeOver::Never,
            },
        }
    }
}

impl Listen {
    fn public(&self, usual: u16) -> u16 {
        self.public_port.or(self.listen.map(|l| l.port())).unwrap_or(usual)
    }
}

/// Default port of public HTTP.
pub const HTTP_PORT: u16 = 8080;
/// Default port of the operator's listener.
pub const OPERATOR_PORT: u16 = 8081;
/// Deepest start, of the configuration and of `?cache=`.
pub const CACHE_MS_MAX: u64 = 5000;
/// Longest gathering of writes.
pub const FLUSH_MS_MAX: u64 = 500;
