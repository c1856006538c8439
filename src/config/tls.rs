//! TLS by STARTTLS (RFC 3207) or from the first byte on (RFC 8314): certificates from PEM files, and how far whoever answers is believed.

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
use schemars::JsonSchema;
use serde::Deserialize;

use crate::text;

/// When TLS is spoken to a server, in the words of Postfix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StartTls {
    /// Never.
    #[default]
    None,
    /// Where it is offered; whoever answers is believed.
    May,
    /// Always; whoever answers is believed.
    Encrypt,
    /// Always, and the certificate must be one of `ca` for the name of the server.
    Verify,
}

/// What is missing where TLS is spoken from the first byte on.
pub(super) const SMTPS: &str = "TLS from the first byte on: set starttls = \"verify\" with ca, or \"encrypt\", which \
     believes whoever answers";

impl StartTls {
    /// Whether TLS is spoken in any case.
    pub fn is_always(self) -> bool {
        match self {
            Self::None | Self::May => false,
            Self::Encrypt | Self::Verify => true,
        }
    }

    /// Its name in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::May => "may",
            Self::Encrypt => "encrypt",
            Self::Verify => "verify",
        }
    }
}

/// What is spoken to clients with this certificate chain and its key, both PEM. The error says which file does not
/// hold, why, and what would.
pub fn server_tls(
    table: &str,
    certificate: &Path,
    key: &Path,
) -> Result<Arc<ServerConfig>, String> {
    let chain = certificates(&format!("{table}.certificate"), certificate)?;
    let bad_key = |error: &dyn Display| format!("{table}.key: {}: {error}", text::path(key));
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| {
        let hint =
            "it must hold a private key in PEM (-----BEGIN PRIVATE KEY-----) without a password";
        format!("{}; {hint}", bad_key(&error))
    })?;
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| {
            let hint = "it must be the key of the first certificate in the chain";
            format!("{}; {hint}", bad_key(&error))
        })?;
    Ok(Arc::new(config))
}

/// What is spoken to a server, where TLS is spoken at all. `ca`: who is believed, where [`StartTls::Verify`] is asked
/// for. The error says what does not hold.
pub fn client_tls(
    table: &str,
    starttls: StartTls,
    ca: Option<&Path>,
) -> Result<Option<Arc<ClientConfig>>, String> {
    let provider = provider();
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let config = match starttls {
        StartTls::None => return Ok(None),
        StartTls::May | StartTls::Encrypt => config
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
            .with_no_client_auth(),
        StartTls::Verify => {
            let file = ca.unwrap_or(Path::new(""));
            let setting = format!("{table}.ca");
            let mut roots = RootCertStore::empty();
            for certificate in certificates(&setting, file)? {
                roots
                    .add(certificate)
                    .map_err(|error| format!("{setting}: {}: {error}", text::path(file)))?;
            }
            let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|error| format!("{setting}: {}: {error}", text::path(file)))?;
            config.with_webpki_verifier(verifier).with_no_client_auth()
        }
    };
    Ok(Some(Arc::new(config)))
}

fn certificates(setting: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let bad = |error: &dyn Display| format!("{setting}: {}: {error}", text::path(file));
    let read = CertificateDer::pem_file_iter(file).map_err(|error| bad(&error))?;
    let all: Vec<_> = read
        .collect::<Result<_, _>>()
        .map_err(|error| bad(&error))?;
    match all.is_empty() {
        true => Err(bad(
            &"no certificate in it; it must hold PEM (-----BEGIN CERTIFICATE-----)",
        )),
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
