//! TLS of the relay (RFC 3207): certificates from PEM files, and how far whoever answers is believed.

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, ServerConfig, SignatureScheme,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::config::{Relay, StartTls};
use crate::text;

/// What is spoken to clients, where there is a certificate. The error says which file does not hold, and why.
pub(super) fn acceptor(relay: &Relay) -> Result<Option<TlsAcceptor>, String> {
    let Some((certificate, key)) = &relay.certificate else {
        return Ok(None);
    };
    let chain = certificates("relay.certificate", certificate)?;
    let bad_key = |error: &dyn Display| format!("relay.key: {}: {error}", text::path(key));
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| bad_key(&error))?;
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| bad_key_of(relay, &error))?;
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

fn bad_key_of(relay: &Relay, error: &Error) -> String {
    let name = relay.certificate.as_ref().map(|(_, key)| text::path(key));
    format!("relay.key: {}: {error}", name.unwrap_or_default())
}

/// What is spoken to the next hop, where TLS is spoken at all.
pub(super) fn connector(relay: &Relay) -> Result<Option<TlsConnector>, String> {
    let provider = provider();
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let config = match relay.starttls {
        StartTls::None => return Ok(None),
        StartTls::May | StartTls::Encrypt => config
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
            .with_no_client_auth(),
        StartTls::Verify => {
            let file = relay.ca.as_deref().unwrap_or(Path::new(""));
            let mut roots = RootCertStore::empty();
            for certificate in certificates("relay.ca", file)? {
                roots
                    .add(certificate)
                    .map_err(|error| format!("relay.ca: {}: {error}", text::path(file)))?;
            }
            let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|error| format!("relay.ca: {}: {error}", text::path(file)))?;
            config.with_webpki_verifier(verifier).with_no_client_auth()
        }
    };
    Ok(Some(TlsConnector::from(Arc::new(config))))
}

fn certificates(setting: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let bad = |error: &dyn Display| format!("{setting}: {}: {error}", text::path(file));
    let read = CertificateDer::pem_file_iter(file).map_err(|error| bad(&error))?;
    let all: Vec<_> = read
        .collect::<Result<_, _>>()
        .map_err(|error| bad(&error))?;
    match all.is_empty() {
        true => Err(bad(&"no certificate in it")),
        false => Ok(all),
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Believes every certificate: keeps out who only listens (RFC 7435). Signatures of the handshake are checked, so that
/// whoever shows the certificate has its key.
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
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
