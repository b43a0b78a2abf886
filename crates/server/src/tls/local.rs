//! A certificate authority of one's own, for the machines of one room.
//!
//! A browser gives camera and fast transports to secure pages only, and a machine in a room has no
//! name that a public authority would vouch for. Whoever installs this one's certificate trusts
//! whatever its key signs: the key stays in a file that only its owner can read.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sha2::{Digest, Sha256};

use crate::config::CertificateConfig;

/// The authority, in a folder.
#[derive(Debug)]
pub struct Authority {
    folder: PathBuf,
    certificate: String,
    fingerprint: String,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The authority's certificate is none.
    #[error("{} is damaged: delete its folder to have a new authority made", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
    },
    /// A key or a certificate cannot be made, or the authority's key is damaged.
    #[error("the authority in {}: {error}: delete that folder to have a new one made", folder.display())]
    Crypto {
        /// Where it is.
        folder: PathBuf,
        /// What the library said.
        error: rcgen::Error,
    },
}

impl Authority {
    /// The authority of a folder; made if there is none yet.
    ///
    /// # Errors
    /// [`Error`].
    pub fn open(folder: &Path) -> Result<Authority, Error> {
        let path = folder.join(CA_CERTIFICATE);
        if !path.exists() {
            make(folder)?;
        }
        let certificate = read(&path)?;
        let der = CertificateDer::from_pem_slice(certificate.as_bytes())
            .map_err(|_| Error::Damaged { path })?;
        let fingerprint =
            Sha256::digest(&der).iter().map(|b| format!("{b:02X}")).collect::<Vec<_>>();
        let fingerprint = fingerprint.join(":");
        Ok(Authority { folder: folder.to_owned(), certificate, fingerprint })
    }

    /// The file to install where it is to be trusted.
    pub fn path(&self) -> PathBuf {
        self.folder.join(CA_CERTIFICATE)
    }

    /// The certificate, PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// SHA-256 of the certificate, as browsers show it: pairs of hexadecimal digits with colons.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Makes a certificate for a machine, and answers where it is.
    ///
    /// # Errors
    /// [`Error`].
    pub fn issue(&self, names: &[String]) -> Result<CertificateConfig, Error> {
        let crypto = |error| Error::Crypto { folder: self.folder.clone(), error };
        let key = KeyPair::from_pem(&read(&self.folder.join(CA_KEY))?).map_err(crypto)?;
        let params = authority_params();
        let issuer = Issuer::from_params(&params, key);
        let mut params = CertificateParams::new(names.to_vec()).map_err(crypto)?;
        params.distinguished_name = named("Thalweg on this machine");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        params.not_before = (SystemTime::now() - DAY).into();
        params.not_after = (SystemTime::now() + MACHINE_VALIDITY).into();
        let own = KeyPair::generate().map_err(crypto)?;
        let certificate = params.signed_by(&own, &issuer).map_err(crypto)?;
        let (chain, key) = (self.folder.join("machine.pem"), self.folder.join("machine.key"));
        write(&chain, &(certificate.pem() + &self.certificate))?;
        write(&key, &own.serialize_pem())?;
        Ok(CertificateConfig { chain, key })
    }
}

/// Names that a certificate for this machine should have: `host`, and the machine itself.
pub fn names_for(host: &str) -> Vec<String> {
    let mut names = vec![host, "localhost", "127.0.0.1", "::1"];
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(str::to_owned).collect()
}

fn make(folder: &Path) -> Result<(), Error> {
    let crypto = |error| Error::Crypto { folder: folder.to_owned(), error };
    let file = |error| Error::File { path: folder.to_owned(), error };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(file)?;
    let key = KeyPair::generate().map_err(crypto)?;
    let mut params = authority_params();
    // A day back: clocks in a room differ.
    params.not_before = (SystemTime::now() - DAY).into();
    params.not_after = (SystemTime::now() + AUTHORITY_VALIDITY).into();
    let certificate = params.self_signed(&key).map_err(crypto)?;
    // The key first: a certificate without one would look like an authority.
    write(&folder.join(CA_KEY), &key.serialize_pem())?;
    write(&folder.join(CA_CERTIFICATE), &certificate.pem())
}

fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named("Thalweg local authority");
    // No constraint of names: the machine's address changes from room to room, and the authority stays.
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn named(name: &str) -> DistinguishedName {
    let mut named = DistinguishedName::new();
    named.push(DnType::CommonName, name);
    named
}

fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|error| Error::File { path: path.to_owned(), error })
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    write_private(path, text).map_err(|error| Error::File { path: path.to_owned(), error })
}

/// Writes a file that only its owner can read.
pub(crate) fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

const CA_CERTIFICATE: &str = "authority.pem";
const CA_KEY: &str = "authority.key";
const DAY: Duration = Duration::from_secs(86_400);
const AUTHORITY_VALIDITY: Duration = Duration::from_secs(10 * 365 * 86_400);
/// Phones refuse certificates for longer than 825 days. One is made at every start.
const MACHINE_VALIDITY: Duration = Duration::from_secs(90 * 86_400);
