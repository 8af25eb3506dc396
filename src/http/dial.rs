//! Opens connections: direct, or through the proxy that the environment names, with or without TLS.

use http::Uri;
use http::uri::Scheme;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use std::error::Error;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tower_service::Service;

type Failed = Box<dyn Error + Send + Sync>;

/// Opens connections, each within a bounded time.
#[derive(Clone)]
pub(super) struct Dial {
    https: HttpsConnector<HttpConnector>,
    tls: Arc<ClientConfig>,
    proxies: Arc<Matcher>,
    patience: Option<Duration>,
}

impl Dial {
    /// `patience`: how long a connection may take to open, TLS and the proxy included.
    pub(super) fn new(
        tls: Arc<ClientConfig>,
        proxies: Arc<Matcher>,
        patience: Option<Duration>,
    ) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        Self {
            https: HttpsConnector::from((tcp, Arc::clone(&tls))),
            tls,
            proxies,
            patience,
        }
    }

    async fn open(mut self, to: Uri) -> Result<Line, Failed> {
        let Some(proxy) = self.proxies.intercept(&to) else {
            return Ok(Line::of(self.https.call(to).await?));
        };
        let at = proxy.uri().clone();
        if to.scheme() != Some(&Scheme::HTTPS) {
            // The proxy reads the request itself and passes it on.
            let forwards = true;
            let line = Line::of(self.https.call(at).await?);
            return Ok(Line { forwards, ..line });
        }
        let mut tunnel = Tunnel::new(at, self.https);
        if let Some(login) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(login.clone());
        }
        let stream = HttpsConnector::from((tunnel, self.tls)).call(to).await?;
        let forwards = false;
        Ok(Line { stream, forwards })
    }
}

impl Service<Uri> for Dial {
    type Response = Line;
    type Error = Failed;
    type Future = Pin<Box<dyn Future<Output = Result<Line, Failed>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        self.https.poll_ready(cx)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let dial = self.clone();
        Box::pin(async move {
            let Some(patience) = dial.patience else {
                return dial.open(to).await;
            };
            let opened = tokio::time::timeout(patience, dial.open(to)).await;
            opened.unwrap_or_else(|_| Err(too_long("no connection", patience).into()))
        })
    }
}

/// That nothing came in time.
pub(super) fn too_long(what: &str, patience: Duration) -> io::Error {
    let text = format!("{what} within {:.1} s", patience.as_secs_f64());
    io::Error::new(io::ErrorKind::TimedOut, text)
}

/// A connection to a server, or to a proxy.
pub(super) struct Line {
    /// Two layers where a proxy is spoken to over TLS as well.
    stream: MaybeHttpsStream<MaybeHttpsStream<TokioIo<TcpStream>>>,
    /// To a proxy that passes plain requests on.
    forwards: bool,
}

impl Line {
    fn of(stream: MaybeHttpsStream<TokioIo<TcpStream>>) -> Self {
        let stream = MaybeHttpsStream::Http(stream);
        let forwards = false;
        Self { stream, forwards }
    }
}

impl Connection for Line {
    /// Tells the client to name the whole address in requests to a proxy.
    fn connected(&self) -> Connected {
        self.stream.connected().proxy(self.forwards)
    }
}

impl Read for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl Write for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
