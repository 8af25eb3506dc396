//! The SDK's connections: hyper's client and its pool, over our own TLS.
//!
//! The SDK's own client takes no order of cipher suites, and reqwest is no way to S3: it
//! normalises addresses, so that the key `a/../b` would be asked for as `b`.

use super::dial::{Dial, too_long};
use super::tls::find;
use aws_sdk_s3::primitives::SdkBody;
use aws_smithy_runtime_api::client::connection::{CaptureSmithyConnection, ConnectionMetadata};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use http::Request;
use http::header::PROXY_AUTHORIZATION;
use http::uri::Scheme;
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};
use hyper_util::client::legacy::{self, Client};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// One pool of connections, made when the first request says how long it may wait.
pub(super) struct Lazy {
    tls: Arc<ClientConfig>,
    pool: OnceLock<SharedHttpConnector>,
}

impl Lazy {
    pub(super) fn new(tls: Arc<ClientConfig>) -> Self {
        let pool = OnceLock::new();
        Self { tls, pool }
    }
}

impl HttpClient for Lazy {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let make = || SharedHttpConnector::new(Pool::new(Arc::clone(&self.tls), settings));
        self.pool.get_or_init(make).clone()
    }
}

impl fmt::Debug for Lazy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lazy")
    }
}

struct Pool {
    client: Client<Dial, SdkBody>,
    proxies: Arc<Matcher>,
    patience: Option<Duration>,
}

impl Pool {
    fn new(tls: Arc<ClientConfig>, settings: &HttpConnectorSettings) -> Self {
        let proxies = Arc::new(Matcher::from_env());
        let dial = Dial::new(tls, Arc::clone(&proxies), settings.connect_timeout());
        let client = Client::builder(TokioExecutor::new())
            // Without it connections that lie idle are never closed.
            .pool_timer(TokioTimer::new())
            .build(dial);
        Self {
            client,
            proxies,
            patience: settings.read_timeout(),
        }
    }

    /// A proxy that passes plain requests on wants its login with each of them; a tunnel is opened
    /// with it.
    fn log_in(&self, request: &mut Request<SdkBody>) {
        if request.uri().scheme() == Some(&Scheme::HTTP)
            && let Some(proxy) = self.proxies.intercept(request.uri())
            && let Some(login) = proxy.basic_auth()
        {
            let headers = request.headers_mut();
            headers.insert(PROXY_AUTHORIZATION, login.clone());
        }
    }
}

/// A proxy's address may hold a login.
impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pool")
    }
}

impl HttpConnector for Pool {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(e) => return HttpConnectorFuture::ready(Err(ConnectorError::user(e.into()))),
        };
        self.log_in(&mut request);
        let line = capture_connection(&mut request);
        if let Some(capture) = request.extensions().get::<CaptureSmithyConnection>() {
            capture.set_connection_retriever(move || metadata(&line));
        }
        let (answer, patience) = (self.client.request(request), self.patience);
        HttpConnectorFuture::new(async move {
            let answer = match patience {
                None => answer.await,
                Some(patience) => tokio::time::timeout(patience, answer)
                    .await
                    .map_err(|_| ConnectorError::timeout(too_long("no answer", patience).into()))?,
            };
            let answer = answer.map_err(classified)?;
            HttpResponse::try_from(answer.map(SdkBody::from_body_1_x))
                .map_err(|e| ConnectorError::other(e.into(), None))
        })
    }
}

/// After a passing failure the SDK gives up the connection that it came over, so that the next
/// try takes another.
fn metadata(line: &CaptureConnection) -> Option<ConnectionMetadata> {
    let proxied = line.connection_metadata().as_ref()?.is_proxied();
    let line = line.clone();
    let give_up = move || {
        if let Some(connected) = line.connection_metadata().as_ref() {
            connected.poison();
        }
    };
    Some(
        ConnectionMetadata::builder()
            .proxied(proxied)
            .poison_fn(give_up)
            .build(),
    )
}

/// Sorts a failure: of time and of the line it may go better the next time; a certificate that is
/// not good does not become so.
fn classified(error: legacy::Error) -> ConnectorError {
    let refused = find::<rustls::Error>(&error);
    if matches!(refused, Some(rustls::Error::InvalidCertificate(_))) {
        return ConnectorError::user(error.into());
    }
    let io = find::<std::io::Error>(&error);
    if io.is_some_and(|e| e.kind() == std::io::ErrorKind::TimedOut) {
        return ConnectorError::timeout(error.into());
    }
    let broke_off = find::<hyper::Error>(&error)
        .is_some_and(|e| e.is_closed() || e.is_canceled() || e.is_incomplete_message());
    if error.is_connect() || io.is_some() || broke_off {
        return ConnectorError::io(error.into());
    }
    ConnectorError::other(error.into(), None)
}
