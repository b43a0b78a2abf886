//! The UDP endpoint's own certificates (`docs/ref/rtmp-udp.md`, section 2).
//!
//! A browser takes a certificate that no authority vouches for if the page knows its hash, and if it is
//! good for no more than two weeks. So there are two at any time, made by ourselves: the current one
//! and the next. A page that knows both hashes outlives a rotation; both are kept in files, so that
//! it outlives a restart as well.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use crate::tls::local::{names_for, write_private};

/// The certificates, in a folder.
#[derive(Debug)]
pub(crate) struct OwnCertificates {
    folder: PathBuf,
    host: String,
    pair: RwLock<Pair>,
}

#[derive(Debug, Clone)]
struct Pair {
    current: Certificate,
    next: Certificate,
}

#[derive(Debug, Clone)]
struct Certificate {
    key: Arc<CertifiedKey>,
    /// SHA-256 of the certificate, in hexadecimal digits.
    hash: String,
    made: SystemTime,
    /// As it stands in its file: key, then certificate.
    pem: String,
}

/// Why there are none.
#[derive(Debug, thiserror::Error)]
pub enum OwnCertificateError {
    /// A file cannot be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A key or a certificate cannot be made.
    #[error("a certificate for RTMP over UDP cannot be made: {0}")]
    Make(String),
}

impl OwnCertificates {
    /// Those of a folder; made where there are none, or none that is still good.
    pub(crate) fn open(folder: PathBuf, host: &str) -> Result<Self, OwnCertificateError> {
        let file = |error| OwnCertificateError::File { path: folder.clone(), error };
        fs::create_dir_all(&folder).map_err(file)?;
        let kept = |name| Certificate::read(&folder.join(name));
        let kept = kept(CURRENT).zip(kept(NEXT)).map(|(current, next)| Pair { current, next });
        let pair = match kept.filter(|pair| pair.next.age() < AGE_MAX) {
            Some(pair) => pair,
            None => Pair { current: Certificate::make(host)?, next: Certificate::make(host)? },
        };
        let host = host.to_owned();
        let own = OwnCertificates { folder, host, pair: RwLock::new(pair) };
        own.save(&own.pair())?;
        own.rotate_if_due()?;
        Ok(own)
    }

    /// The hashes a page needs: of the current certificate and the next.
    pub(crate) fn hashes(&self) -> [String; 2] {
        let pair = self.pair();
        [pair.current.hash, pair.next.hash]
    }

    /// Puts the next in the place of the current one when its time has come. Cheap while it
    /// has not.
    pub(crate) fn rotate_if_due(&self) -> Result<(), OwnCertificateError> {
        let Pair { next, .. } = self.pair();
        if next.age() < ROTATION {
            return Ok(());
        }
        let pair = Pair { current: next, next: Certificate::make(&self.host)? };
        // What cannot be kept is not shown: pages would lose it with the next start.
        self.save(&pair)?;
        *self.pair.write().unwrap_or_else(PoisonError::into_inner) = pair;
        Ok(())
    }

    fn save(&self, pair: &Pair) -> Result<(), OwnCertificateError> {
        // The next one first: cut off in between, both files hold the same, and both are good.
        for (name, certificate) in [(NEXT, &pair.next), (CURRENT, &pair.current)] {
            let path = self.folder.join(name);
            let saved = write_private(&path, &certificate.pem);
            saved.map_err(|error| OwnCertificateError::File { path, error })?;
        }
        Ok(())
    }

    fn pair(&self) -> Pair {
        self.pair.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ResolvesServerCert for OwnCertificates {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.pair().current.key)
    }
}

impl Certificate {
    fn make(host: &str) -> Result<Certificate, OwnCertificateError> {
        Certificate::make_at(host, SystemTime::now())
    }

    fn make_at(host: &str, now: SystemTime) -> Result<Certificate, OwnCertificateError> {
        let wrong = |e: rcgen::Error| OwnCertificateError::Make(e.to_string());
        // rcgen's usual key is ECDSA P-256, the only kind that browsers take here.
        let key = KeyPair::generate().map_err(wrong)?;
        let mut params = CertificateParams::new(names_for(host)).map_err(wrong)?;
        params.not_before = (now - CLOCKS_DIFFER).into();
        params.not_after = (now - CLOCKS_DIFFER + VALIDITY).into();
        let certificate = params.self_signed(&key).map_err(wrong)?;
        let pem = key.serialize_pem() + &certificate.pem();
        let none = || OwnCertificateError::Make("it cannot be read back".to_owned());
        Certificate::parse(pem).ok_or_else(none)
    }

    /// `None` for a file that is not there or damaged: another is made.
    fn read(path: &Path) -> Option<Certificate> {
        Certificate::parse(fs::read_to_string(path).ok()?)
    }

    fn parse(pem: String) -> Option<Certificate> {
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).ok()?;
        let (_, parsed) = X509Certificate::from_der(&der).ok()?;
        let begins = u64::try_from(parsed.validity().not_before.timestamp()).ok()?;
        let made = UNIX_EPOCH + Duration::from_secs(begins) + CLOCKS_DIFFER;
        let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(&der));
        let certified = CertifiedKey::new(vec![der.clone()], any_supported_type(&key).ok()?);
        certified.keys_match().ok()?;
        Some(Certificate { key: Arc::new(certified), hash, made, pem })
    }

    /// Nothing is younger than new, whatever the clock has done.
    fn age(&self) -> Duration {
        SystemTime::now().duration_since(self.made).unwrap_or_default()
    }
}

const CURRENT: &str = "current.pem";
const NEXT: &str = "next.pem";
/// Browsers take no more than two weeks.
const VALIDITY: Duration = Duration::from_secs(13 * 86_400);
/// A browser's clock may be behind by so much.
const CLOCKS_DIFFER: Duration = Duration::from_secs(3600);
/// How long a certificate is the next, and then the current one: 12 of its 13 days in all.
const ROTATION: Duration = Duration::from_secs(6 * 86_400);
/// What may be left of the next one's time when it becomes the current one: a server that was off for
/// longer begins anew.
const AGE_MAX: Duration =
    VALIDITY.checked_sub(CLOCKS_DIFFER).unwrap().checked_sub(ROTATION).unwrap();

#[cfg(test)]
mod tests {
    use super::*;
    use thalweg_testkit::folder::Folder;

    fn open(folder: &Folder) -> OwnCertificates {
        OwnCertificates::open(folder.path().to_owned(), "live.example.com").unwrap()
    }

    #[test]
    fn a_restart_keeps_both() {
        let folder = Folder::new("udp-restart");
        let before = open(&folder).hashes();
        assert_ne!(before[0], before[1]);
        assert_eq!(open(&folder).hashes(), before);
    }

    #[test]
    fn the_next_takes_the_place_of_the_current_one_after_six_days() {
        let folder = Folder::new("udp-rotate");
        let own = open(&folder);
        let [_, next] = own.hashes();
        own.rotate_if_due().unwrap();
        assert_eq!(own.hashes()[1], next, "not yet");
        own.pair.write().unwrap().next.made -= ROTATION;
        own.rotate_if_due().unwrap();
        assert_eq!(own.hashes()[0], next);
        assert_eq!(open(&folder).hashes(), own.hashes());
    }

    #[test]
    fn what_would_expire_in_its_turn_is_made_anew() {
        for (age, kept) in [(AGE_MAX - Duration::from_secs(60), true), (AGE_MAX, false)] {
            let folder = Folder::new("udp-old");
            let before = open(&folder).hashes();
            let made = SystemTime::now() - age;
            for name in [CURRENT, NEXT] {
                let pem = Certificate::make_at("localhost", made).unwrap().pem;
                fs::write(folder.path().join(name), pem).unwrap();
            }
            let pair = open(&folder).pair();
            assert_eq!(pair.current.made < SystemTime::now() - ROTATION, kept);
            assert_ne!(open(&folder).hashes(), before);
            let (_, parsed) = X509Certificate::from_der(&pair.current.key.cert[0]).unwrap();
            let left = parsed.validity().not_after.timestamp()
                - SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
            assert!(left >= ROTATION.as_secs() as i64, "it outlives its turn: {left} s");
        }
    }

    #[test]
    fn damaged_files_are_replaced() {
        let folder = Folder::new("udp-damaged");
        let before = open(&folder).hashes();
        fs::write(folder.path().join(CURRENT), "no certificate").unwrap();
        let after = open(&folder).hashes();
        assert_ne!(before, after);
    }

    #[test]
    fn what_a_browser_asks_of_it() {
        let folder = Folder::new("udp-shape");
        let pair = open(&folder).pair();
        let (_, parsed) = X509Certificate::from_der(&pair.current.key.cert[0]).unwrap();
        let days = (parsed.validity().not_after.timestamp()
            - parsed.validity().not_before.timestamp())
            / 86_400;
        assert_eq!(days, 13);
        assert!(parsed.validity().is_valid());
        let curve = parsed.public_key().algorithm.parameters.as_ref().unwrap();
        assert_eq!(curve.as_oid().unwrap().to_id_string(), "1.2.840.10045.3.1.7", "P-256");
    }

    #[cfg(unix)]
    #[test]
    fn only_its_owner_reads_a_key() {
        use std::os::unix::fs::PermissionsExt;
        let folder = Folder::new("udp-mode");
        open(&folder);
        for name in [CURRENT, NEXT] {
            let mode = fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }
}
