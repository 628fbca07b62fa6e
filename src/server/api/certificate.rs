//! The certificate that HTTP is served with, from files that may be replaced meanwhile.
//!
//! Guarantees: files that cannot be used never take the place of a certificate that can; a new one is used by
//! the connections that come after it, and none that is open is closed. Never does: let a key get into a log.

use std::{
    fs, io,
    path::Path,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use x509_parser::{certificate::X509Certificate, prelude::FromDer};

use clawpool_backends::install_tls;
use clawpool_core::{config::Tls, task::Timestamp};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// What the API is served with.
#[derive(Debug)]
pub struct Certificate {
    files: Tls,
    current: RwLock<Arc<CertifiedKey>>,
}

/// Why files cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("CP-1015 {key} = {file:?}: {reason}")]
pub struct BadCertificate {
    key: &'static str,
    file: String,
    reason: String,
}

/// When the files were written, and how long they are.
type Stamp = [Option<(SystemTime, u64)>; 2];

impl Certificate {
    /// Reads the files.
    pub fn open(files: &Tls) -> Result<Arc<Self>, BadCertificate> {
        let current = RwLock::new(read(files)?);
        Ok(Arc::new(Self { files: files.clone(), current }))
    }

    /// When the one that is served now ends; `None` where it does not say so in a form that is known.
    pub fn ends_at(&self) -> Option<Timestamp> {
        let current = self.resolved();
        let (_, certificate) = X509Certificate::from_der(current.cert.first()?).ok()?;
        let seconds = certificate.validity().not_after.timestamp();
        Some(Timestamp::from_millis(u64::try_from(seconds).ok()?.saturating_mul(1_000)))
    }

    fn resolved(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Shakes hands on connections.
    pub(super) fn acceptor(self: &Arc<Self>) -> TlsAcceptor {
        install_tls();
        let resolver: Arc<dyn ResolvesServerCert> = Arc::clone(self) as _;
        let mut config = ServerConfig::builder().with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }

    /// Reads the files again whenever they change, until `stop`.
    pub(super) async fn watch(&self, stop: &CancellationToken) {
        let mut seen = self.stamp();
        while stop.run_until_cancelled(sleep(LOOK)).await.is_some() {
            let now = self.stamp();
            if now != seen {
                seen = now;
                self.reload();
            }
        }
    }

    /// What is half written is refused, and looked at again when the rest is there.
    fn reload(&self) {
        match read(&self.files) {
            Ok(new) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = new;
                let file = self.files.certificate.display();
                tracing::info!(%file, "the certificate was replaced");
            }
            Err(error) => {
                tracing::warn!(code = "CP-1015", %error, "the certificate that was there before is kept");
            }
        }
    }

    fn stamp(&self) -> Stamp {
        [&self.files.certificate, &self.files.key].map(|file| {
            let data = fs::metadata(file).ok()?;
            Some((data.modified().ok()?, data.len()))
        })
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.resolved())
    }
}

fn read(files: &Tls) -> Result<Arc<CertifiedKey>, BadCertificate> {
    let bad =
        |key, file: &Path, reason: String| BadCertificate { key, file: file.display().to_string(), reason };
    let text = |key, file: &Path| {
        let said = |error: io::Error| bad(key, file, format!("it cannot be read: {error}"));
        fs::read(file).map_err(said)
    };
    let in_certificate = |reason| bad("api.tls.certificate", &files.certificate, reason);
    let in_key = |reason| bad("api.tls.key", &files.key, reason);
    let chain = text("api.tls.certificate", &files.certificate)?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&chain)
        .collect::<Result<_, _>>()
        .map_err(|error| in_certificate(format!("it is not PEM: {error}")))?;
    if chain.is_empty() {
        return Err(in_certificate("there is no certificate in it: write one as PEM".into()));
    }
    // What the parser says of a key may quote it.
    let key = PrivateKeyDer::from_pem_slice(&text("api.tls.key", &files.key)?)
        .map_err(|_| in_key("there is no private key in it: write one as PEM, without a password".into()))?;
    let pair = CertifiedKey::from_der(chain, key, &ring::default_provider());
    pair.map(Arc::new).map_err(|error| in_key(format!("it does not go with the certificate: {error}")))
}
