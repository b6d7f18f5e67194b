//! TLS with and without verification of the server.

use super::connect_error::ConnectError;
use rustls::{
    ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Returns a connector that encrypts without verifying the server. It protects against
/// eavesdropping, not against interception by another server.
pub fn unverified() -> MakeRustlsConnect {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = builder(Arc::clone(&provider))
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    MakeRustlsConnect::new(config)
}

/// Returns a connector that encrypts and verifies the host's certificate against the authorities in
/// the PEM file `file`, or against those that this system trusts.
pub fn verified(file: Option<&Path>) -> Result<MakeRustlsConnect, ConnectError> {
    let authorities = match file {
        Some(file) => read(file),
        None => system_store(),
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
        .expect("the provider supports every version of TLS that rustls deems safe")
}

fn read(file: &Path) -> io::Result<RootCertStore> {
    let text = fs::read(file)?;
    // Some editors write a byte order mark, which would hide the first certificate.
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    let mut authorities = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(text) {
        authorities
            .add(certificate.map_err(io::Error::other)?)
            .map_err(io::Error::other)?;
    }
    non_empty(authorities)
}

/// Returns the authorities that this system trusts. Skips certificates that cannot be parsed, so no
/// server is trusted because of them.
fn system_store() -> io::Result<RootCertStore> {
    let mut authorities = RootCertStore::empty();
    authorities.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    non_empty(authorities)
}

fn non_empty(authorities: RootCertStore) -> io::Result<RootCertStore> {
    if authorities.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "there is no certificate"));
    }
    Ok(authorities)
}

/// Accepts any certificate whose key the server has.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
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
