//! Whom a connection is kept secret from, and who is believed to be at its other end.

use super::connect_error::ConnectError;
use rustls::{
    ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Encrypted for whoever answers: safe from those who listen, not from those who interfere.
pub fn unverified() -> MakeRustlsConnect {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = builder(Arc::clone(&provider))
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        .with_no_client_auth();
    MakeRustlsConnect::new(config)
}

/// Encrypted for the host alone that is asked for, as vouched for by the authorities in `file`, a PEM file, or by those
/// that this system trusts.
pub fn verified(file: Option<&Path>) -> Result<MakeRustlsConnect, ConnectError> {
    let authorities = match file {
        Some(file) => read(file),
        None => of_the_system(),
    };
    let authorities = authorities.map_err(|source| ConnectError::Authorities {
        file: file.map_or_else(|| PathBuf::from("the system's store"), Path::to_owned),
        source,
    })?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = builder(provider)
        .with_root_certificates(authorities)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn builder(provider: Arc<CryptoProvider>) -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider speaks every version of TLS that rustls deems safe")
}

fn read(file: &Path) -> io::Result<RootCertStore> {
    let mut authorities = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(io::Error::other)? {
        authorities
            .add(certificate.map_err(io::Error::other)?)
            .map_err(io::Error::other)?;
    }
    some(authorities)
}

/// Certificates of the system's that cannot be read are left out: what they vouch for is not trusted then.
fn of_the_system() -> io::Result<RootCertStore> {
    let mut authorities = RootCertStore::empty();
    authorities.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    some(authorities)
}

fn some(authorities: RootCertStore) -> io::Result<RootCertStore> {
    if authorities.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "there is no certificate"));
    }
    Ok(authorities)
}

/// Takes any certificate, so long as whoever shows it has its key.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
