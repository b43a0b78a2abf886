//! The configuration file. Every key has a default; a key nobody knows is an error with its line.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use thalweg_access::{Action, Profile, Schemes, UDP_VIEWERS_MAX, UDP_VIEWERS_USUAL};
use thalweg_wire::rtmp;

use crate::gate::GateLimits;

mod read;

use read::{
    address, bizid, host, moment, some_address, some_host, some_moment, some_port, stream, within,
};

/// Everything an operator may set. `docs/ref/config.md` is its manual.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Host in every printed URL. Default: 127.0.0.1.
    #[serde(deserialize_with = "host")]
    pub public_host: String,
    /// Where keys made at first start are kept. Default: `thalweg-data`.
    pub data_dir: PathBuf,
    /// RTMP.
    pub rtmp: Listen,
    /// Public HTTP: media.
    pub http: Listen,
    /// Public HTTP over TLS, where there is a certificate.
    pub https: Listen,
    /// Certificates for everything that speaks TLS; the first is for whoever asks for no name, or for
    /// one that none of them has.
    #[serde(rename = "certificate")]
    pub certificates: Vec<CertificateConfig>,
    /// RTMP over UDP.
    pub udp: Udp,
    /// The operator's HTTP: metrics and API.
    pub operator: Operator,
    /// Accounts, keys and the rest of the console.
    pub console: Console,
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
    /// Address and port. Default: every address, port 1935 for RTMP, 8080 for HTTP, 8443 for
    /// HTTPS.
    #[serde(deserialize_with = "some_address")]
    pub listen: Option<SocketAddr>,
    /// Port in printed URLs, if it is not the one listened on.
    #[serde(deserialize_with = "some_port")]
    pub public_port: Option<u16>,
}

/// A certificate, as an operator writes it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateConfig {
    /// PEM file of the certificate, and of those that lead to a public authority.
    pub chain: PathBuf,
    /// PEM file of its private key.
    pub key: PathBuf,
}

/// RTMP over UDP.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Udp {
    /// Whether it is served at all. Default: yes.
    pub enabled: bool,
    /// Address and port. Default: those of RTMP, whose number players expect.
    #[serde(deserialize_with = "some_address")]
    pub listen: Option<SocketAddr>,
    /// Port that players are told, if it is not the one listened on.
    #[serde(deserialize_with = "some_port")]
    pub public_port: Option<u16>,
    /// How it decides how much may be in flight. Default: live.
    pub congestion: CongestionConfig,
    /// What it shows to prove who it is. Default: the operator's certificate where there is one.
    pub certificate: UdpCertificate,
}

/// How a sender decides how much may be in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CongestionConfig {
    /// By queues; moderate loss is ignored.
    #[default]
    Live,
    /// By bandwidth and round trips.
    Bbr,
    /// By loss: for comparison.
    Cubic,
}

/// What the UDP endpoint shows to prove who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UdpCertificate {
    /// The operator's `[[certificate]]`; its own while there is none.
    #[default]
    Operator,
    /// Its own, which pages know by its hash: also beside a certificate that only this room trusts.
    SelfSigned,
}

impl From<CongestionConfig> for thalweg_quic::Congestion {
    fn from(c: CongestionConfig) -> Self {
        match c {
            CongestionConfig::Live => thalweg_quic::Congestion::Live,
            CongestionConfig::Bbr => thalweg_quic::Congestion::Bbr,
            CongestionConfig::Cubic => thalweg_quic::Congestion::Cubic,
        }
    }
}

/// The operator's listener.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Operator {
    /// Address and port. Default: 127.0.0.1:8081.
    #[serde(deserialize_with = "address")]
    pub listen: SocketAddr,
}

/// The console: accounts in a store instead of this file, their API and pages.
#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Console {
    /// Whether there is one. Without it accounts are those of this file. Default: yes.
    pub enabled: bool,
    /// A PostgreSQL database, `postgres://user:password@host/name`. Default: SQLite in `data_dir`.
    pub store: Option<String>,
    /// Networks that are nobody else's, and that callbacks and remote authorisation may go to all the
    /// same. Default: none.
    pub callback_allow: Vec<String>,
}

/// Publishing.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Publish {
    /// When a second push replaces the first.
    pub takeover: TakeOver,
    /// Seconds that viewers wait for a publisher that left. Default 30, 0 to 3600.
    #[serde(deserialize_with = "within::<_, _, 0, 3600>")]
    pub republish_wait_s: u64,
    /// Seconds of silence after which a publisher is cut. Default 70, 5 to 3600.
    #[serde(deserialize_with = "within::<_, _, 5, 3600>")]
    pub silence_max_s: u64,
    /// Seconds from accepted publish to first media. Default 30, 1 to 3600.
    #[serde(deserialize_with = "within::<_, _, 1, 3600>")]
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
    #[serde(deserialize_with = "within::<_, _, 0, 300>")]
    pub wait_s: u64,
    /// Media ms behind the live edge at which a viewer starts, unless its URL says `?cache=`.
    /// Default 1000, 0 to 5000.
    #[serde(deserialize_with = "within::<_, _, 0, CACHE_MS_MAX>")]
    pub cache_ms: u64,
    /// Deepest start that `?cache=` may ask for, media ms. Default 5000, 0 to 5000. A stream keeps so
    /// much, a second more and a GOP: less takes less memory.
    #[serde(deserialize_with = "within::<_, _, 0, CACHE_MS_MAX>")]
    pub cache_max_ms: u64,
    /// Ms over which a viewer's writes are gathered. Default 100, 0 to 500. Less costs more.
    #[serde(deserialize_with = "within::<_, _, 0, FLUSH_MS_MAX>")]
    pub flush_ms: u64,
}

/// Bounds.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Connections at one time. Default 10 000.
    #[serde(deserialize_with = "within::<_, _, 1, 10_000_000>")]
    pub connections_max: usize,
    /// Connections of one address that have not yet been let in to anything. Default 1024.
    #[serde(deserialize_with = "within::<_, _, 1, 10_000_000>")]
    pub strangers_per_address_max: usize,
    /// Bytes of unfinished messages that all of those together may make us keep. Default 16 MiB.
    #[serde(deserialize_with = "within::<_, _, 0x1_0000, 0x4000_0000>")]
    pub strangers_bytes_max: usize,
    /// Streams at one time. Default 10 000.
    #[serde(deserialize_with = "within::<_, _, 1, 1_000_000>")]
    pub streams_max: usize,
    /// Longest RTMP message, bytes. Default 4 MiB, 64 KiB to 16 MiB.
    #[serde(deserialize_with = "within::<_, _, 0x1_0000, 0x100_0000>")]
    pub message_bytes_max: usize,
    /// Payload bytes that a stream's log keeps. Default 32 MiB.
    #[serde(deserialize_with = "within::<_, _, 0x10_0000, 0x1_0000_0000>")]
    pub stream_bytes_max: u64,
    /// Bytes a second that a viewer with something to read must read, mean of 20 s. Default 1024.
    #[serde(deserialize_with = "within::<_, _, 0, 0x4000_0000>")]
    pub viewer_bytes_per_s_min: u64,
    /// Streams named in the metrics; the rest are summed up. Default 200.
    #[serde(deserialize_with = "within::<_, _, 0, 10_000>")]
    pub metrics_streams_max: usize,
    /// Counts of a stream's minute that wait in memory while the store does not work; 200 bytes each.
    /// What is more is lost, and the time marked. Default 50 000.
    #[serde(deserialize_with = "within::<_, _, 1000, 10_000_000>")]
    pub counts_waiting_max: usize,
    /// Seconds that a stop waits for peers to be told. Default 5, 0 to 600.
    #[serde(deserialize_with = "within::<_, _, 0, 600>")]
    pub stop_wait_s: u64,
}

/// An account, as an operator writes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountConfig {
    /// Its number.
    #[serde(deserialize_with = "bizid")]
    pub bizid: String,
    /// Its domains. None: one for push and one for play, for every host.
    #[serde(default, rename = "domain")]
    pub domains: Vec<DomainConfig>,
    /// UNIX seconds: signed URLs made before are refused.
    #[serde(default, deserialize_with = "some_moment")]
    pub revoked_before: Option<u64>,
    /// The same for single streams.
    #[serde(default)]
    pub revoked: Vec<RevokedConfig>,
    /// Whose key signs a play over UDP. Default: strict.
    #[serde(default)]
    pub profile: ProfileConfig,
    /// How many may watch a stream over UDP at the same time. Default 10, 0 to 1000; 0 is nobody.
    #[serde(default = "udp_viewers", deserialize_with = "within::<_, _, 0, UDP_VIEWERS_MOST>")]
    pub udp_viewers_max: u32,
}

/// Whose key signs a play over UDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProfileConfig {
    /// The play key.
    #[default]
    Strict,
    /// The push key, as the vendor has it, or the play key.
    Vendor,
}

impl From<ProfileConfig> for Profile {
    fn from(p: ProfileConfig) -> Self {
        match p {
            ProfileConfig::Strict => Profile::Strict,
            ProfileConfig::Vendor => Profile::Vendor,
        }
    }
}

/// A stream whose URLs are revoked, as an operator writes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokedConfig {
    /// App and name: `live/room`.
    #[serde(deserialize_with = "stream")]
    pub stream: String,
    /// UNIX seconds: those made before are refused.
    #[serde(deserialize_with = "moment")]
    pub before: u64,
}

/// A domain, as an operator writes it.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DomainConfig {
    /// `push` or `play`.
    pub action: ActionConfig,
    /// Host name; none for every host that no other domain names.
    #[serde(default, deserialize_with = "some_host")]
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
    /// Seconds a URL stays good after its `txTime`. Default 0, to a year.
    #[serde(default, deserialize_with = "within::<_, _, 0, VALIDITY_S_MAX>")]
    pub validity_s: u64,
    /// Which signatures count. Default: any.
    #[serde(default)]
    pub schemes: SchemesConfig,
}

/// Which signatures a domain takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SchemesConfig {
    /// The vendor's and the strong one.
    #[default]
    Any,
    /// The strong one, `tw`.
    Strong,
}

impl From<SchemesConfig> for Schemes {
    fn from(s: SchemesConfig) -> Self {
        match s {
            SchemesConfig::Any => Schemes::Any,
            SchemesConfig::Strong => Schemes::Strong,
        }
    }
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

/// What is wrong with a configuration: not TOML, an unknown key, or a value of the wrong type or
/// out of its range. The text shows the line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

impl Default for Config {
    fn default() -> Self {
        Config {
            public_host: "127.0.0.1".to_owned(),
            data_dir: PathBuf::from("thalweg-data"),
            rtmp: Listen::default(),
            http: Listen::default(),
            https: Listen::default(),
            udp: Udp::default(),
            certificates: Vec::new(),
            operator: Operator::default(),
            console: Console::default(),
            publish: Publish::default(),
            play: Play::default(),
            limits: Limits::default(),
            accounts: Vec::new(),
        }
    }
}

impl Default for Udp {
    fn default() -> Self {
        Udp {
            enabled: true,
            listen: None,
            public_port: None,
            congestion: CongestionConfig::default(),
            certificate: UdpCertificate::default(),
        }
    }
}

impl Default for Operator {
    fn default() -> Self {
        Operator { listen: SocketAddr::new(IpAddr::from([127, 0, 0, 1]), OPERATOR_PORT) }
    }
}

impl Default for Console {
    fn default() -> Self {
        Console { enabled: true, store: None, callback_allow: Vec::new() }
    }
}

/// The URL of a database has a password in it.
impl std::fmt::Debug for Console {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Console { enabled, store, callback_allow } = self;
        let kind = if store.is_some() { "PostgreSQL" } else { "SQLite" };
        write!(f, "Console({enabled}, {kind}, callback_allow {callback_allow:?})")
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
        Play { wait_s: 10, cache_ms: 1000, cache_max_ms: CACHE_MS_MAX, flush_ms: 100 }
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
            counts_waiting_max: 50_000,
            stop_wait_s: 5,
        }
    }
}

impl Config {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// [`ConfigError`], with the line.
    pub fn parse(text: &str) -> Result<Config, ConfigError> {
        toml::from_str(text).map_err(|e| ConfigError(e.to_string().trim_end().to_owned()))
    }

    /// Port in printed RTMP URLs.
    pub fn public_rtmp_port(&self) -> u16 {
        self.rtmp.public(rtmp::PORT)
    }

    /// Port that players are to be told for UDP, where it is not RTMP's.
    pub fn other_udp_port(&self) -> Option<u16> {
        let port = self.udp.public_port.or(self.udp.listen.map(|l| l.port()));
        port.filter(|port| *port != self.public_rtmp_port())
    }

    /// Port in printed HTTP URLs.
    pub fn public_http_port(&self) -> u16 {
        self.http.public(HTTP_PORT)
    }

    /// Port in printed HTTPS URLs.
    pub fn public_https_port(&self) -> u16 {
        self.https.public(HTTPS_PORT)
    }

    /// Whether UDP shows certificates of its own.
    pub(crate) fn has_own_udp_certificate(&self) -> bool {
        !self.has_certificate() || self.udp.certificate == UdpCertificate::SelfSigned
    }

    /// Whether there is anything to speak TLS with.
    pub fn has_certificate(&self) -> bool {
        !self.certificates.is_empty()
    }

    pub(crate) fn session_limits(&self) -> rtmp::Limits {
        rtmp::Limits {
            message_bytes_max: self.limits.message_bytes_max,
            first_media_max: Duration::from_secs(self.publish.first_media_max_s),
            publisher_silence_max: Duration::from_secs(self.publish.silence_max_s),
            ..rtmp::Limits::default()
        }
    }

    pub(crate) fn gate_limits(&self) -> GateLimits {
        GateLimits {
            connections_max: self.limits.connections_max,
            strangers_max: self.limits.strangers_per_address_max,
            strangers_bytes_max: self.limits.strangers_bytes_max,
        }
    }

    pub(crate) fn hub_limits(&self) -> thalweg_hub::Limits {
        thalweg_hub::Limits {
            streams_max: self.limits.streams_max,
            retain: thalweg_hub::Retain {
                bytes_max: self.limits.stream_bytes_max,
                want_ms: self.play.cache_max_ms.max(self.play.cache_ms) + SLOW_MS,
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

impl AccountConfig {
    /// An account that nothing is said about.
    pub fn new(bizid: impl Into<String>) -> AccountConfig {
        AccountConfig {
            bizid: bizid.into(),
            domains: Vec::new(),
            revoked_before: None,
            revoked: Vec::new(),
            profile: ProfileConfig::default(),
            udp_viewers_max: udp_viewers(),
        }
    }
}

fn udp_viewers() -> u32 {
    UDP_VIEWERS_USUAL
}

impl Listen {
    fn public(&self, usual: u16) -> u16 {
        self.public_port.or(self.listen.map(|l| l.port())).unwrap_or(usual)
    }
}

/// Default port of public HTTP.
pub const HTTP_PORT: u16 = 8080;
/// Default port of public HTTPS.
pub const HTTPS_PORT: u16 = 8443;
/// Default port of the operator's listener.
pub const OPERATOR_PORT: u16 = 8081;
/// Deepest start, of the configuration and of `?cache=`.
pub const CACHE_MS_MAX: u64 = 5000;
/// Media time kept beside the deepest start, for viewers who are a little slow.
const SLOW_MS: u64 = 1000;
/// Longest gathering of writes.
pub const FLUSH_MS_MAX: u64 = 500;
const UDP_VIEWERS_MOST: u64 = UDP_VIEWERS_MAX as u64;
/// Longest that a URL may stay good after its `txTime`: a year.
const VALIDITY_S_MAX: u64 = 366 * 86_400;
