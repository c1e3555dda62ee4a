//! TLS for the server, from PEM files that may be replaced while it runs.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// The files are looked at this often at most, and only when a client comes.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The server's certificate chain and key. Where the files are replaced by others that fit each other, connections made
/// a second later get those.
///
/// # Errors
/// A file that cannot be read or holds something else, or a key that does not belong to the certificate.
pub fn server_config(certificate: &Path, key: &Path) -> anyhow::Result<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let files = Files { certificate: certificate.into(), key: key.into(), provider: Arc::clone(&provider) };
    let state = Mutex::new(State::new(&files)?);
    Ok(ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Reloading { files, state })))
}

/// Where certificate and key lie.
#[derive(Debug)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
    provider: Arc<CryptoProvider>,
}

/// What tells one version of a file from another: inode, length, and modification time in s and ns.
type Stamp = (u64, u64, i64, i64);

impl Files {
    /// Both files' stamps; none for one that is not there.
    fn stamps(&self) -> [Option<Stamp>; 2] {
        let stamp = |file: Metadata| (file.ino(), file.len(), file.mtime(), file.mtime_nsec());
        [&self.certificate, &self.key].map(|path| std::fs::metadata(path).ok().map(stamp))
    }

    fn load(&self) -> anyhow::Result<CertifiedKey> {
        let Files { certificate, key, provider } = self;
        let chain = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| anyhow::anyhow!("{error}"))
            .with_context(|| format!("http.tls_certificate_file {}", certificate.display()))?;
        anyhow::ensure!(
            !chain.is_empty(),
            "http.tls_certificate_file {} holds no certificate",
            certificate.display()
        );
        let private = PrivateKeyDer::from_pem_file(key)
            .map_err(|error| anyhow::anyhow!("{error}"))
            .with_context(|| format!("http.tls_key_file {}", key.display()))?;
        CertifiedKey::from_der(chain, private, provider)
            .with_context(|| format!("http.tls_key_file {} does not fit the certificate", key.display()))
    }
}

#[derive(Debug)]
struct State {
    current: Arc<CertifiedKey>,
    stamps: [Option<Stamp>; 2],
    /// What was told of files that cannot be used.
    told: Option<[Option<Stamp>; 2]>,
    looked: Instant,
}

impl State {
    fn new(files: &Files) -> anyhow::Result<Self> {
        // Stamps are taken before reading: what is written meanwhile changes them once more, and is read the next time.
        let stamps = files.stamps();
        Ok(State { current: Arc::new(files.load()?), stamps, told: None, looked: Instant::now() })
    }

    fn look(&mut self, files: &Files) {
        self.looked = Instant::now();
        let stamps = files.stamps();
        if stamps == self.stamps {
            return;
        }
        // What cannot be used is read again each time: rights that are given later change no stamp.
        match files.load() {
            Ok(loaded) => {
                (self.stamps, self.told) = (stamps, None);
                self.current = Arc::new(loaded);
                tracing::info!("the certificate was replaced, and is served from now on");
            }
            Err(error) => {
                if self.told.replace(stamps) != Some(stamps) {
                    tracing::warn!(
                        error = format!("{error:#}"),
                        "the certificate's files have changed, but cannot be used; the certificate before is served until they can"
                    );
                }
            }
        }
    }
}

/// Gives each client what the files hold.
#[derive(Debug)]
struct Reloading {
    files: Files,
    state: Mutex<State>,
}

impl ResolvesServerCert for Reloading {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked.elapsed() >= LOOK_EVERY {
            state.look(&self.files);
        }
        Some(Arc::clone(&state.current))
    }
}

#[cfg(test)]
mod tests {
    use openssl::asn1::Asn1Time;
    use openssl::bn::BigNum;
    use openssl::hash::MessageDigest;
    use openssl::pkey::PKey;
    use openssl::rsa::Rsa;
    use openssl::x509::X509Builder;

    use super::*;

    /// A certificate with a serial number, and its key, PEM.
    fn certificate(serial: u32) -> (Vec<u8>, Vec<u8>) {
        let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
        let mut builder = X509Builder::new().unwrap();
        builder.set_version(2).unwrap();
        builder.set_serial_number(&BigNum::from_u32(serial).unwrap().to_asn1_integer().unwrap()).unwrap();
        builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
        builder.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
        builder.set_pubkey(&key).unwrap();
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        (builder.build().to_pem().unwrap(), key.private_key_to_pem_pkcs8().unwrap())
    }

    #[test]
    fn files_that_fit_each_other_replace_what_is_served_and_others_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let (chain, key) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let files = Files { certificate: chain.clone(), key: key.clone(), provider };
        let (first, second) = (certificate(1), certificate(2));
        let write = |path: &Path, text: &[u8]| std::fs::write(path, text).unwrap();
        let der = |pem: &[u8]| CertificateDer::from_pem_slice(pem).unwrap();
        assert!(files.load().is_err(), "nothing is there");
        write(&chain, &first.0);
        write(&key, &first.1);
        let mut state = State::new(&files).unwrap();
        let mut served = || {
            state.look(&files);
            state.current.cert[0].clone()
        };
        assert_eq!(served(), der(&first.0));
        write(&chain, &second.0);
        assert_eq!(served(), der(&first.0), "its key has not come yet");
        write(&key, b"half");
        assert_eq!(served(), der(&first.0));
        write(&key, &second.1);
        assert_eq!(served(), der(&second.0));
        std::fs::remove_file(&chain).unwrap();
        assert_eq!(served(), der(&second.0));
        write(&chain, &first.0);
        write(&key, &vec![b'x'; first.1.len()]);
        assert_eq!(served(), der(&second.0));
        // As where rights to read it come later: nothing of the stamp changes.
        let modified = std::fs::metadata(&key).unwrap().modified().unwrap();
        write(&key, &first.1);
        std::fs::File::options().write(true).open(&key).unwrap().set_modified(modified).unwrap();
        assert_eq!(served(), der(&first.0));
    }
}
