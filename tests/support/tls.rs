//! TLS on loopback: a certificate authority made by the real `openssl`, and a server that takes
//! off the TLS and passes what comes on to a plain server. Tests that use it carry
//! `#[cfg_attr(without_openssl, ignore = "OFFSITE_TEST_WITHOUT names openssl")]`.

use super::tools::tool;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{CipherSuite, ServerConfig, SupportedProtocolVersion};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

/// From when to when a certificate is good, as `openssl ca` writes it.
pub const NOW: [&str; 2] = ["20200101000000Z", "20991231000000Z"];
pub const ONCE: [&str; 2] = ["20200101000000Z", "20200201000000Z"];
pub const ONE_DAY: [&str; 2] = ["20990101000000Z", "20991231000000Z"];

/// The subject alternative name of a server on loopback.
pub const HERE: &str = "IP:127.0.0.1";

const SETTINGS: &str = "[ca]\ndefault_ca = this\n[this]\ndatabase = index\nnew_certs_dir = .\n\
    certificate = ca.pem\nprivate_key = ca.key\nrand_serial = yes\ndefault_md = sha256\npolicy = any\n\
    unique_subject = no\n[any]\ncommonName = supplied\n";

/// A private certificate authority.
pub struct Authority {
    folder: TempDir,
}

impl Authority {
    pub fn new() -> Self {
        Self::called("offsite test")
    }

    pub fn called(name: &str) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("ca-")
            .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .unwrap();
        std::fs::write(folder.path().join("settings"), SETTINGS).unwrap();
        std::fs::write(folder.path().join("index"), "").unwrap();
        let made = Self { folder };
        let name = format!("/CN={name}");
        made.request(
            "ca.key",
            "ca.pem",
            &["-x509", "-days", "3650", "-subj", &name],
        );
        made
    }

    /// Its certificate.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Its private key, which no client should be given.
    pub fn key(&self) -> PathBuf {
        self.folder.path().join("ca.key")
    }

    fn request(&self, key: &str, out: &str, more: &[&str]) {
        let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
        let rest = ["-nodes", "-keyout", key];
        let out = ["-out", out];
        openssl(
            self.folder.path(),
            &[&["req"], more, &curve, &rest, &out].concat(),
        );
    }

    /// A server's certificate for `names` (`DNS:…`, `IP:…`), and its key.
    fn issue(
        &self,
        names: &str,
        [from, to]: [&str; 2],
    ) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        self.request("server.key", "server.csr", &["-subj", "/CN=a server"]);
        let path = |name: &str| self.folder.path().join(name);
        std::fs::write(path("names"), format!("subjectAltName = {names}\n")).unwrap();
        let ca = ["ca", "-batch", "-notext", "-config", "settings"];
        let files = [
            "-in",
            "server.csr",
            "-out",
            "server.pem",
            "-extfile",
            "names",
        ];
        let dates = ["-startdate", from, "-enddate", to];
        openssl(self.folder.path(), &[&ca[..], &files, &dates].concat());
        (
            CertificateDer::from_pem_file(path("server.pem")).unwrap(),
            PrivateKeyDer::from_pem_file(path("server.key")).unwrap(),
        )
    }
}

fn openssl(folder: &Path, args: &[&str]) {
    let output = Command::new(tool("openssl"))
        .args(args)
        .current_dir(folder)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {args:?}:\n{said}");
}

/// TLS in front of a plain server, until this is dropped.
pub struct Tls {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Option<CipherSuite>>>>,
    _stop: oneshot::Sender<()>,
}

impl Tls {
    /// In front of `http://HOST:PORT`, with a good certificate.
    pub fn start(authority: &Authority, upstream: &str) -> Self {
        Self::with(authority, upstream, HERE, NOW, rustls::DEFAULT_VERSIONS)
    }

    /// With a certificate for `names` that is good on certain `days`.
    pub fn with(
        authority: &Authority,
        upstream: &str,
        names: &str,
        days: [&str; 2],
        versions: &[&'static SupportedProtocolVersion],
    ) -> Self {
        let (certificate, key) = authority.issue(names, days);
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(ring)
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        // Else it would say nothing of what the client prefers.
        assert!(!config.ignore_client_order);
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let upstream = upstream.strip_prefix("http://").unwrap().to_owned();
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (stop, stopped) = oneshot::channel();
        let suites = Arc::clone(&seen);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = serve(listener, acceptor, upstream, suites) => {}
                    _ = stopped => {}
                }
            });
        });
        Self {
            address,
            seen,
            _stop: stop,
        }
    }

    /// Where it answers.
    pub fn endpoint(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The cipher suite of each connection so far, in order; none where there was no agreement.
    pub fn suites(&self) -> Vec<Option<CipherSuite>> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(
    listener: std::net::TcpListener,
    acceptor: TlsAcceptor,
    upstream: String,
    seen: Arc<Mutex<Vec<Option<CipherSuite>>>>,
) {
    let listener = TcpListener::from_std(listener).unwrap();
    while let Ok((client, _)) = listener.accept().await {
        let (acceptor, upstream) = (acceptor.clone(), upstream.clone());
        let seen = Arc::clone(&seen);
        tokio::spawn(async move {
            // One that does not trust us hangs up.
            let Ok(mut client) = acceptor.accept(client).await else {
                return seen.lock().unwrap().push(None);
            };
            let suite = client.get_ref().1.negotiated_cipher_suite();
            seen.lock().unwrap().push(suite.map(|suite| suite.suite()));
            let mut server = TcpStream::connect(upstream).await.unwrap();
            // A connection that breaks is over.
            let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
        });
    }
}
