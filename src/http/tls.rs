//! TLS: which cipher is asked for first, whose certificates are believed, and what is wrong with
//! one that is not.

use crate::error::{Error, Kind, Result};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject, SectionKind};
use rustls::{CertificateError, CipherSuite, ClientConfig, RootCertStore, SupportedCipherSuite};
use std::error::Error as StdError;
use std::path::Path;
use std::sync::Arc;

/// Whether this computer's processor has instructions for AES-GCM (AES and the carry-less
/// multiplication). A Raspberry Pi 5 has, a Pi 4 and older have not. On 32-bit ARM the standard
/// library cannot ask, and the answer is no.
pub fn has_aes() -> bool {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    let has = std::arch::is_x86_feature_detected!("aes")
        && std::arch::is_x86_feature_detected!("pclmulqdq");
    // There "aes" stands for both (FEAT_AES and FEAT_PMULL).
    #[cfg(target_arch = "aarch64")]
    let has = std::arch::is_aarch64_feature_detected!("aes");
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
    let has = false;
    has
}

/// ring's cryptography. Without `aes`, a processor's AES instructions, ChaCha20-Poly1305 is asked
/// for first: in software it is several times faster than AES, and safe from cache timing.
/// A server that has no preference of its own takes what is first.
pub(super) fn cryptography(aes: bool) -> CryptoProvider {
    let mut provider = ring::default_provider();
    if !aes {
        // Stable: within the two kinds the order stays.
        provider
            .cipher_suites
            .sort_by_key(|suite| !is_chacha(suite));
    }
    provider
}

fn is_chacha(suite: &SupportedCipherSuite) -> bool {
    matches!(
        suite.suite(),
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256
            | CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
            | CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
    )
}

/// A client's settings: the system's roots plus `ca_file`, and HTTP/1.1. (Of HTTP/2's one
/// connection a lost packet stops every range that is under way.)
pub(super) fn settings(aes: bool, ca_file: Option<&Path>) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    for error in &system.errors {
        log::warn!("a root certificate of this system cannot be used: {error}");
    }
    // The system's store may hold old ones that are not well-formed: they are left out.
    roots.add_parsable_certificates(system.certs);
    if let Some(file) = ca_file {
        add_ca(&mut roots, file)?;
    }
    let versions = ClientConfig::builder_with_provider(Arc::new(cryptography(aes)))
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::new(Kind::Run, "cannot set up TLS").because(e))?;
    let mut config = versions.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Adds the certificates of a PEM file; every one must parse.
fn add_ca(roots: &mut RootCertStore, file: &Path) -> Result<()> {
    let bad = |why: String| {
        let what = format!("ca_file {} cannot be used", file.display());
        Error::new(Kind::Usage, what)
            .because(why)
            .hint("it must hold at least one certificate in PEM form (-----BEGIN CERTIFICATE-----)")
    };
    let bytes = std::fs::read(file).map_err(|e| bad(e.to_string()))?;
    let (mut found, mut keys) = (0, 0);
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(&bytes) {
        // What stands in a line that cannot be read is nobody's business.
        let (kind, der) = section.map_err(|e| bad(malformed(&e).to_owned()))?;
        match kind {
            SectionKind::Certificate => {
                // rustls speaks of a peer here.
                let no = |_| bad("what it calls a certificate is none".to_owned());
                roots.add(der.into()).map_err(no)?;
                found += 1;
            }
            SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey => {
                keys += 1;
            }
            _ => {}
        }
    }
    match (found, keys) {
        (0, 0) => Err(bad("it holds no certificate".to_owned())),
        (0, _) => Err(bad(
            "it holds a private key and no certificate; the key belongs to the CA alone".to_owned(),
        )),
        _ => Ok(()),
    }
}

fn malformed(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::MissingSectionEnd { .. } => "a section in it has no end",
        pem::Error::IllegalSectionStart { .. } => "a section in it has no proper beginning",
        _ => "a section in it is not base64",
    }
}

/// What is wrong with the server's certificate, and the way out, where that is why there is no
/// connection. `ca`: where a CA of one's own is written, in words.
pub fn certificate_trouble(error: &(dyn StdError + 'static), ca: &str) -> Option<(String, String)> {
    let rustls::Error::InvalidCertificate(why) = find::<rustls::Error>(error)? else {
        return None;
    };
    let (what, way_out) = match why {
        CertificateError::UnknownIssuer => (
            "its certificate was issued by nobody whom this computer knows".to_owned(),
            format!(
                "if the server has a CA of its own, that CA's certificate belongs into {ca}; otherwise somebody may be in between, or the package ca-certificates is missing"
            ),
        ),
        CertificateError::BadSignature => (
            "its certificate bears the name of a CA that is known here, and not its signature"
                .to_owned(),
            format!(
                "was the CA made anew? Then its new certificate belongs into {ca}; otherwise somebody may be in between"
            ),
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => (
            format!("its certificate has expired ({why})"),
            "its owner must renew it; if it is good elsewhere, this computer's clock is wrong: `timedatectl set-ntp true`".to_owned(),
        ),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => (
            format!("its certificate is not valid yet ({why})"),
            "is this computer's clock right? `timedatectl set-ntp true` sets it".to_owned(),
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => (
            format!("its certificate is for another name ({why})"),
            "write the address with the name that the certificate is for".to_owned(),
        ),
        other => (
            format!("its certificate is not accepted ({other})"),
            "its owner must look at it: `openssl s_client -connect HOST:443` shows it".to_owned(),
        ),
    };
    Some((what, way_out))
}

/// The first error of this kind among the causes. `io::Error::source` skips what it wraps: there
/// that is looked at itself.
pub(super) fn find<'e, E: StdError + 'static>(
    error: &'e (dyn StdError + 'static),
) -> Option<&'e E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = match error.downcast_ref::<std::io::Error>() {
            Some(io) => io.get_ref().map(|inner| inner as &(dyn StdError + 'static)),
            None => error.source(),
        };
    }
    None
}
