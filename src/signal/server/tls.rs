//! TLS from certificate files, which are read again when they change.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use thiserror::Error;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

/// Why a server can't speak TLS.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file can't be read.
    #[error("can't read {path}: {error}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A file doesn't hold what it should, in PEM.
    #[error("{path} has no {what} in PEM form")]
    Pem {
        /// Which.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// The certificate and the key don't belong together, or can't be used.
    #[error("{path} can't be used: {error}")]
    Unusable {
        /// The certificate's file.
        path: PathBuf,
        /// Why.
        error: rustls::Error,
    },
}

/// A certificate and its key.
pub struct Tls {
    cert: PathBuf,
    key: PathBuf,
    current: RwLock<Loaded>,
}

#[derive(Clone)]
struct Loaded {
    /// What the files held: they may be replaced within the same second, or through links that don't change.
    files: (Vec<u8>, Vec<u8>),
    config: Arc<ServerConfig>,
}

impl Tls {
    /// Reads a certificate chain and its private key from files in PEM form.
    ///
    /// # Errors
    /// If they can't be read, or aren't a certificate and its key.
    pub fn load(cert: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Result<Self, TlsError> {
        let (cert, key) = (cert.into(), key.into());
        let files = (read(&cert)?, read(&key)?);
        let config = configure(&cert, &key, &files)?;
        Ok(Self { cert, key, current: RwLock::new(Loaded { files, config }) })
    }

    /// Reads the files again; says whether they have changed. If they can't be used, what was read before stays in use.
    ///
    /// # Errors
    /// As [`Tls::load`].
    pub fn reload(&self) -> Result<bool, TlsError> {
        let files = (read(&self.cert)?, read(&self.key)?);
        if self.current.read().unwrap_or_else(PoisonError::into_inner).files == files {
            return Ok(false);
        }
        let config = configure(&self.cert, &self.key, &files)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Loaded { files, config };
        Ok(true)
    }

    pub(super) fn config(&self) -> Arc<ServerConfig> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).config.clone()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|error| TlsError::Read { path: path.to_owned(), error })
}

fn configure(cert: &Path, key: &Path, files: &(Vec<u8>, Vec<u8>)) -> Result<Arc<ServerConfig>, TlsError> {
    let pem = |path: &Path, what| TlsError::Pem { path: path.to_owned(), what };
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(&files.0).collect::<Result<_, _>>().map_err(|_| pem(cert, "certificate"))?;
    if chain.is_empty() {
        return Err(pem(cert, "certificate"));
    }
    let private = PrivateKeyDer::from_pem_slice(&files.1).map_err(|_| pem(key, "private key"))?;
    let unusable = |error| TlsError::Unusable { path: cert.to_owned(), error };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(unusable)?;
    // HTTP/2 for the pages. Browsers open their WebSockets on connections of HTTP/1.1 beside it.
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
