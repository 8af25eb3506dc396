//! Connections: TLS by rustls with ring for everything that goes over the network.

mod client;
mod dial;
mod tls;

pub use tls::{certificate_trouble, has_aes};

use crate::error::{Error, Kind, Result};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use std::path::Path;
use std::time::Duration;

/// Makes ring, with the ciphers in the order that suits this processor, the cryptography of clients
/// that ask rustls for a default. Once a process; later calls change nothing.
pub fn choose_ring() {
    choose_ring_for(has_aes());
}

/// As [`choose_ring`], for a processor with or without instructions for `aes`.
pub fn choose_ring_for(aes: bool) {
    // An error means that it was chosen before.
    let _ = tls::cryptography(aes).install_default();
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
        let ca = "the file of `ca_file`, after an `offsite init` without --wizard";
        if let Some((why, way_out)) = certificate_trouble(&e, ca) {
            let error = Error::new(Kind::Run, format!("cannot trust {url}"));
            return error.because(why).hint(way_out);
        }
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

/// The AWS client's connections: TLS by rustls with ring, the system's roots plus `ca_file`, the
/// ciphers in the order that suits this processor, and the proxy that the environment names.
pub fn client(ca_file: Option<&Path>) -> Result<SharedHttpClient> {
    client_for(has_aes(), ca_file)
}

/// As [`client`], for a processor with or without instructions for `aes`.
pub fn client_for(aes: bool, ca_file: Option<&Path>) -> Result<SharedHttpClient> {
    let tls = tls::settings(aes, ca_file)?;
    Ok(SharedHttpClient::new(client::Lazy::new(tls)))
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
