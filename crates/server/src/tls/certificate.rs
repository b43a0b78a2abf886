//! Certificates from files: read, checked, and chosen by the name a peer asks for.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;

use super::Expired;
use crate::config::CertificateConfig;

/// What is wrong with a certificate, and in which file.
#[derive(Debug, thiserror::Error)]
#[error("{}: {fault}", path.display())]
pub struct CertificateError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a certificate or its key.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The file cannot be read.
    #[error("cannot read it: {0}")]
    Unreadable(io::Error),
    /// Not PEM, or damaged.
    #[error("this is no PEM file, or it is damaged: {0}")]
    NotPem(String),
    /// PEM, of something else.
    #[error("there is no certificate in it")]
    NoCertificate,
    /// PEM, of something else.
    #[error("there is no private key in it")]
    NoKey,
    /// Whoever started the server would have to be asked.
    #[error("the key in it is encrypted: decrypt it, as with `openssl pkey -in FILE -out NEW`")]
    Encrypted,
    /// A key of an unknown kind, or too short.
    #[error(
        "this kind of key cannot be used: take ECDSA (P-256, P-384), Ed25519, or RSA of 2048 bits or more"
    )]
    UnknownKey,
    /// Not to be read as a certificate.
    #[error("this certificate is damaged: {0}")]
    Damaged(String),
    /// The key is another certificate's.
    #[error("certificate and key do not fit together: {0}")]
    Unusable(rustls::Error),
    /// Its time is over.
    #[error("the certificate expired on {0}: renew it")]
    Expired(String),
    /// Its time is to come.
    #[error("the certificate is good only from {0} on")]
    NotYet(String),
}

/// A certificate that can be used.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) path: PathBuf,
    /// Names and addresses it is for, in lower case; a name may begin with `*.`.
    pub(super) names: Vec<String>,
    /// When it expires, for people.
    pub(super) until: String,
    is_expired: bool,
    /// When it begins to be good, for people, if that is to come.
    not_before: Option<String>,
    key: Arc<CertifiedKey>,
}

impl Loaded {
    pub(super) fn read(config: &CertificateConfig) -> Result<Loaded, CertificateError> {
        let of = |path: &Path| {
            let path = path.to_owned();
            move |fault| CertificateError { path: path.clone(), fault }
        };
        let (of_chain, of_key) = (of(&config.chain), of(&config.key));
        let chain = read_chain(&config.chain).map_err(&of_chain)?;
        let key = read_key(&config.key).map_err(&of_key)?;
        let key = any_supported_type(&key).map_err(|_| of_key(Fault::UnknownKey))?;
        let Described { names, until, is_expired, not_before } =
            describe(&chain[0]).map_err(&of_chain)?;
        let certified = CertifiedKey::new(chain, key);
        certified.keys_match().map_err(|e| of_key(Fault::Unusable(e)))?;
        let (path, key) = (config.chain.clone(), Arc::new(certified));
        Ok(Loaded { path, names, until, is_expired, not_before, key })
    }

    pub(super) fn check_time(&self, expired: Expired) -> Result<(), CertificateError> {
        let (path, until) = (self.path.clone(), self.until.clone());
        if let Some(from) = self.not_before.clone().filter(|_| expired == Expired::Refuse) {
            return Err(CertificateError { path, fault: Fault::NotYet(from) });
        }
        if self.is_expired && expired == Expired::Refuse {
            return Err(CertificateError { path, fault: Fault::Expired(until) });
        }
        if self.is_expired {
            let path = path.display();
            tracing::warn!("{path}: the certificate expired on {until}: renew it");
        }
        Ok(())
    }

    /// The certificate itself.
    pub(super) fn leaf(&self) -> &CertificateDer<'static> {
        &self.key.cert[0]
    }

    /// File, names and last day, for the log.
    pub(super) fn describe(&self) -> (String, String, String) {
        (self.path.display().to_string(), self.names.join(" "), self.until.clone())
    }

    fn is_for(&self, name: &str) -> bool {
        let wild = name.split_once('.').map(|(_, parent)| parent);
        self.names.iter().any(|n| {
            let is_parent = |wild: &str| n.strip_prefix("*.") == Some(wild);
            n == name || wild.is_some_and(is_parent)
        })
    }
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let certificates = CertificateDer::pem_file_iter(path).map_err(fault)?;
    let chain: Vec<_> = certificates.collect::<Result<_, _>>().map_err(fault)?;
    if chain.is_empty() { Err(absent(path, Fault::NoCertificate)) } else { Ok(chain) }
}

/// Why a file has nothing of what is looked for.
fn absent(path: &Path, otherwise: Fault) -> Fault {
    let bytes = std::fs::read(path).unwrap_or_default();
    let has = |words: &[u8]| bytes.windows(words.len()).any(|w| w == words);
    if has(b"BEGIN ENCRYPTED PRIVATE KEY") || has(b"Proc-Type: 4,ENCRYPTED") {
        Fault::Encrypted
    } else if !bytes.is_empty() && !has(b"-----BEGIN ") {
        Fault::NotPem(
            "it does not begin as one; a .der or .pfx file has to be converted".to_owned(),
        )
    } else {
        otherwise
    }
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, Fault> {
    PrivateKeyDer::from_pem_file(path).map_err(|e| match e {
        pem::Error::NoItemsFound => absent(path, Fault::NoKey),
        e => fault(e),
    })
}

fn fault(e: pem::Error) -> Fault {
    match e {
        pem::Error::Io(e) => Fault::Unreadable(e),
        // Its text would quote the file, which may be a key.
        _ => Fault::NotPem("a section is not closed, or not base64".to_owned()),
    }
}

/// What a certificate says of itself.
struct Described {
    names: Vec<String>,
    until: String,
    is_expired: bool,
    not_before: Option<String>,
}

fn describe(der: &CertificateDer<'_>) -> Result<Described, Fault> {
    let (_, certificate) =
        X509Certificate::from_der(der).map_err(|e| Fault::Damaged(e.to_string()))?;
    let names = certificate.subject_alternative_name();
    let names = names.map_err(|e| Fault::Damaged(e.to_string()))?;
    let names = names.iter().flat_map(|n| &n.value.general_names).filter_map(|n| match n {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        GeneralName::IPAddress(bytes) => address(bytes),
        _ => None,
    });
    let (from, until) = (certificate.validity().not_before, certificate.validity().not_after);
    let now = ASN1Time::now();
    Ok(Described {
        names: names.collect(),
        until: until.to_string(),
        is_expired: until < now,
        not_before: (from > now).then(|| from.to_string()),
    })
}

fn address(bytes: &[u8]) -> Option<String> {
    let v4 = <[u8; 4]>::try_from(bytes).map(|b| std::net::Ipv4Addr::from(b).to_string());
    let v6 = || <[u8; 16]>::try_from(bytes).map(|b| std::net::Ipv6Addr::from(b).to_string());
    v4.or_else(|_| v6()).ok()
}

/// Chooses by name; the first for whoever asks for none of them.
#[derive(Debug)]
pub(super) struct Chosen {
    all: Vec<Loaded>,
}

impl Chosen {
    pub(super) fn new(all: Vec<Loaded>) -> Chosen {
        Chosen { all }
    }
}

impl ResolvesServerCert for Chosen {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let asked = hello.server_name().map(str::to_ascii_lowercase);
        let fitting = asked.and_then(|name| self.all.iter().find(|l| l.is_for(&name)));
        fitting.or(self.all.first()).map(|l| Arc::clone(&l.key))
    }
}
