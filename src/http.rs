//! Connections: TLS by rustls with ring for everything that goes over the network.

use crate::error::{Error, Kind, Result};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{self, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::path::Path;
use std::time::Duration;

/// Makes ring the cryptography of clients that ask rustls for a default. Once a process; later
/// calls change nothing.
pub fn choose_ring() {
    // An error means that it was chosen before.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Whether `host`, a name or an address as a URL has it, is this computer itself.
pub fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || bare
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Whether anything answers at `url`, whatever it says: the first try of an endpoint.
pub async fn answers(url: &str) -> Result<()> {
    choose_ring();
    let failed = |e: reqwest::Error| {
        let what = format!("nothing answers at {url}");
        let why = match (e.is_timeout(), e.is_connect()) {
            (true, _) => "it took too long",
            (_, true) => "no connection",
            _ => "no answer over HTTP",
        };
        Error::new(Kind::Run, what)
            .because(why)
            .hint("is it written right, and does the network work from here?")
    };
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(15))
        .build()
        .map_err(failed)?;
    client.get(url).send().await.map(drop).map_err(failed)
}

/// The AWS client's connections: TLS by rustls with ring, the system's roots plus `ca_file`, and
/// the proxy that the environment names.
pub fn client(ca_file: Option<&Path>) -> Result<SharedHttpClient> {
    let mut roots = TrustStore::default();
    if let Some(file) = ca_file {
        roots = roots.with_pem_certificate(read_ca(file)?);
    }
    let context = TlsContext::builder()
        .with_trust_store(roots)
        .build()
        .map_err(|e| Error::new(Kind::Usage, "cannot set up TLS").because(e))?;
    // The builder's own `build_https` knows no proxy: the connector is put together here.
    Ok(
        aws_smithy_http_client::Builder::new().build_with_connector_fn(
            move |settings, components| {
                let mut connector = Connector::builder().proxy_config(ProxyConfig::from_env());
                connector.set_connector_settings(settings.cloned());
                connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
                connector
                    .tls_provider(tls::Provider::Rustls(CryptoMode::Ring))
                    .tls_context(context.clone())
                    .build()
            },
        ),
    )
}

/// The bytes of a PEM file whose every certificate parses. The client would skip a file without
/// certificates silently and panic at a malformed one.
fn read_ca(file: &Path) -> Result<Vec<u8>> {
    let bad = |why: String| {
        let what = format!("ca_file {} cannot be used", file.display());
        Error::new(Kind::Usage, what)
            .because(why)
            .hint("it must hold at least one certificate in PEM form (-----BEGIN CERTIFICATE-----)")
    };
    let pem = std::fs::read(file).map_err(|e| bad(e.to_string()))?;
    let certificates = CertificateDer::pem_slice_iter(&pem)
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(|e| bad(e.to_string()))?;
    if certificates.is_empty() {
        return Err(bad("it holds no certificate".to_owned()));
    }
    let mut roots = rustls::RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate).map_err(|e| bad(e.to_string()))?;
    }
    Ok(pem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_ca_file_is_an_error_and_no_panic() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ca.pem");
        for bytes in [
            &b"not a certificate"[..],
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            b"-----BEGIN CERTIFICATE-----\n!!\n",
            b"",
        ] {
            std::fs::write(&file, bytes).unwrap();
            let error = client(Some(&file)).unwrap_err();
            assert!(error.to_string().contains("ca.pem"), "{error}");
            assert_eq!(error.kind(), Kind::Usage);
        }
        let missing = client(Some(&dir.path().join("none.pem"))).unwrap_err();
        assert!(missing.to_string().contains("none.pem"), "{missing}");
    }
}
