//! The server: a thread of its own on a loopback port, who may do what there, and which requests
//! the buckets refuse before they look at them.

use super::Bucket;
use super::faults::{Fault, Refusal};
use super::service::Endpoint;
use super::wire::{Plan, Wire};
use crate::error::{Error, Kind, Result};
use crate::object::Timestamp;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::service::S3ServiceBuilder;
use s3s::{S3Error, S3Response, S3Result, s3_error};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// An access key of the embedded server. Both are public: they open nothing but it.
#[derive(Clone, Copy)]
pub struct Key {
    /// The access key id.
    pub id: &'static str,
    /// The secret access key.
    pub secret: &'static str,
}

/// The key that can only read: whatever is not a Get, a Head or a List is `AccessDenied`.
pub const READER: Key = Key {
    id: "OFFSITEDEMOREADER000",
    secret: "the-demo-reader-opens-nothing-elsewhere0",
};

/// The key that may do everything.
pub const WRITER: Key = Key {
    id: "OFFSITEDEMOWRITER000",
    secret: "the-demo-writer-opens-nothing-elsewhere0",
};

/// Buckets served over HTTP on loopback until this is dropped.
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves `buckets` on `127.0.0.1`, on `port` or on any free one. Fails with [`Kind::Run`]
    /// where the port is taken.
    pub fn start(buckets: Vec<Bucket>, port: Option<u16>) -> Result<Self> {
        let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, port.unwrap_or(0)));
        let failed = |error: std::io::Error| {
            Error::new(Kind::Run, format!("cannot serve a bucket on {wanted}"))
                .because(error)
                .hint("choose another port")
        };
        let listener = TcpListener::bind(wanted).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("bucket".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = serve(listener, buckets.into()) => {}
                        _ = stopped => {}
                    }
                });
            })
            .map_err(failed)?;
        Ok(Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// `http://127.0.0.1:PORT`
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    /// Stops the thread; open connections break.
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A thread that ended badly has nothing left to stop.
            thread.join().ok();
        }
    }
}

async fn serve(listener: TcpListener, buckets: Arc<[Bucket]>) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return log::debug!("the bucket's listener: {error}"),
    };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                stream.set_nodelay(true).ok();
                tokio::spawn(connection(stream, Arc::clone(&buckets)));
            }
            // Out of descriptors, most likely: the client's turn to close some.
            Err(error) => {
                log::debug!("the bucket cannot accept a connection: {error}");
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        }
    }
}

async fn connection(stream: tokio::net::TcpStream, buckets: Arc<[Bucket]>) {
    let plan = Plan::default();
    let wire = TokioIo::new(Wire::new(stream, plan.clone()));
    let mut service = S3ServiceBuilder::new(Endpoint {
        buckets: Arc::clone(&buckets),
        plan,
    });
    service.set_auth(Secrets);
    service.set_access(Door { buckets });
    service.set_config(Arc::new(StaticConfigProvider::new(Arc::new(own_clock()))));
    let http = Builder::new(TokioExecutor::new()).http1_only();
    if let Err(error) = http.serve_connection(wire, service.build()).await {
        log::debug!("a connection to the bucket ended: {error}");
    }
}

/// Leaves judging the date of a signature to [`Door`], which has the bucket's own idea of now.
fn own_clock() -> S3Config {
    let mut config = S3Config::default();
    config.presigned_url_max_skew_time_secs = u32::MAX;
    config
}

/// What the methods of the `s3s` traits answer with.
pub(super) type Later<'f, T> = Pin<Box<dyn Future<Output = S3Result<T>> + Send + 'f>>;

struct Secrets;

impl S3Auth for Secrets {
    fn get_secret_key<'a, 'b, 'f>(&'a self, id: &'b str) -> Later<'f, SecretKey>
    where
        'a: 'f,
        'b: 'f,
        Self: 'f,
    {
        let known = [READER, WRITER].into_iter().find(|key| key.id == id);
        let answer = known
            .map(|key| SecretKey::from(key.secret))
            .ok_or_else(|| s3_error!(InvalidAccessKeyId, "The access key id does not exist"));
        Box::pin(std::future::ready(answer))
    }
}

/// Every request but those with a bad signature passes here, also what is refused then.
struct Door {
    buckets: Arc<[Bucket]>,
}

impl S3Access for Door {
    fn check<'a, 'b, 'c, 'f>(&'a self, cx: &'b mut S3AccessContext<'c>) -> Later<'f, ()>
    where
        'a: 'f,
        'b: 'f,
        'c: 'f,
        Self: 'f,
    {
        Box::pin(std::future::ready(self.admit(cx)))
    }
}

impl Door {
    fn admit(&self, cx: &S3AccessContext<'_>) -> S3Result<()> {
        let operation = cx.s3_op().name();
        let name = cx.s3_path().get_bucket_name();
        let key = cx.s3_path().get_object_key();
        let bucket = self
            .buckets
            .iter()
            .find(|bucket| Some(bucket.name()) == name);
        if let Some(bucket) = bucket {
            bucket.count(operation);
            let hook = bucket.with_faults(|faults| faults.on_request.clone());
            if let Some(hook) = hook {
                hook(operation, key);
            }
            let refusal =
                bucket.with_faults(|faults| Fault::strike(&mut faults.refuse, key, |_| true));
            if let Some(refusal) = refusal {
                return Err(refused(refusal));
            }
        }
        let Some(credentials) = cx.credentials() else {
            return Err(s3_error!(AccessDenied, "Access Denied"));
        };
        let ahead = bucket.map_or(0, |bucket| bucket.with_faults(|faults| faults.clock_ahead));
        let date = cx.headers().get("x-amz-date");
        check_date(date.and_then(|date| date.to_str().ok()), ahead)?;
        let region = bucket.and_then(|bucket| bucket.with_faults(|faults| faults.region));
        let signature = cx.headers().get("authorization");
        check_region(signature.and_then(|text| text.to_str().ok()), region)?;
        let reads = ["Get", "Head", "List"];
        let (denied, missing) = bucket.map_or((false, false), |bucket| {
            bucket.with_faults(|faults| {
                let meant = |names: &[&str]| names.contains(&operation);
                (meant(&faults.denied), meant(&faults.missing))
            })
        });
        if missing {
            return Err(s3_error!(NotImplemented, "This server has no such thing"));
        }
        let reads = reads.iter().any(|r| operation.starts_with(r)) && !denied;
        if credentials.access_key == READER.id && !reads {
            return Err(s3_error!(AccessDenied, "Access Denied"));
        }
        match (name, bucket) {
            (Some(_), None) => Err(s3_error!(
                NoSuchBucket,
                "The specified bucket does not exist"
            )),
            _ => Ok(()),
        }
    }
}

fn refused(refusal: Refusal) -> S3Error {
    match refusal {
        Refusal::SlowDown => s3_error!(SlowDown, "Please reduce your request rate."),
        Refusal::InternalError => s3_error!(InternalError, "We encountered an internal error."),
        Refusal::AccessDenied => s3_error!(AccessDenied, "Access Denied"),
        Refusal::TooManyRequests => {
            let code = s3s::S3ErrorCode::Custom("TooManyRequests".into());
            let mut error = S3Error::with_message(code, "Please reduce your request rate.");
            if let Ok(status) = 429_u16.try_into() {
                error.set_status_code(status);
            }
            error
        }
    }
}

/// S3 refuses signatures that are more than 15 minutes off (Amazon S3 API Reference, "Error
/// responses", `RequestTimeTooSkewed`); the client learns the server's time from `Date`.
fn check_date(signed: Option<&str>, ahead: i64) -> S3Result<()> {
    let now = jiff::SignedDuration::from_secs(ahead);
    let now = Timestamp::now()
        .saturating_add(now)
        .unwrap_or(Timestamp::MAX);
    let signed = signed
        .and_then(|date| jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", date).ok())
        .and_then(|date| date.to_zoned(jiff::tz::TimeZone::UTC).ok());
    let near = |signed: &jiff::Zoned| {
        now.duration_since(signed.timestamp()).abs() <= jiff::SignedDuration::from_mins(15)
    };
    if signed.as_ref().is_some_and(near) {
        return Ok(());
    }
    let mut error = s3_error!(
        RequestTimeTooSkewed,
        "The difference between the request time and the current time is too large."
    );
    let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&now);
    if let Ok(date) = date {
        error = with_headers(error, &[("date", &date)]);
    }
    Err(error)
}

/// A signature is for one region, the third part of its scope; S3 names the right one (Amazon S3
/// API Reference, "Authenticating requests" and "Error responses").
fn check_region(signature: Option<&str>, right: Option<&str>) -> S3Result<()> {
    let scope = signature
        .and_then(|text| text.split_once("Credential="))
        .and_then(|(_, rest)| rest.split('/').nth(2));
    match (right, scope) {
        (Some(right), Some(signed)) if signed != right => {
            let error = s3_error!(
                AuthorizationHeaderMalformed,
                "The authorization header is malformed; the region '{signed}' is wrong; expecting '{right}'"
            );
            Err(with_headers(error, &[("x-amz-bucket-region", right)]))
        }
        _ => Ok(()),
    }
}

/// `error` with headers of its own.
pub(super) fn with_headers(mut error: S3Error, pairs: &[(&'static str, &str)]) -> S3Error {
    let mut headers = S3Response::new(()).headers;
    for (name, value) in pairs {
        if let Ok(value) = value.parse() {
            headers.insert(*name, value);
        }
    }
    error.set_headers(headers);
    error
}
