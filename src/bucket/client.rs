//! The client: one bucket, one key, every request counted.

use super::blank::TrueKey;
use super::failure::Needs;
use super::pace::Floor;
use super::quirks::Learnt;
use super::throttle::Throttle;
use crate::config::{Addressing, LimitsConfig, SourceConfig, Timetable};
use crate::credentials::Credentials;
use crate::error::Result;
use crate::http;
use crate::object::Identity;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::interceptors::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
    InterceptorContext,
};
use aws_sdk_s3::config::retry::{ClassifyRetry, RetryAction, RetryConfig};
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, ConfigBag, Intercept, Region, RequestChecksumCalculation,
    ResponseChecksumValidation, RuntimeComponents, StalledStreamProtectionConfig,
};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// How requests are timed, repeated and cut into ranges. The defaults are for a home line; tests
/// set shorter ones.
#[derive(Clone, Debug)]
pub struct Tuning {
    /// How long a connection may take to open.
    pub connect: Duration,
    /// How long the network may be silent within one answer.
    pub idle: Duration,
    /// A transfer slower than this is cut and begun again where it stopped.
    pub floor: Floor,
    /// How often a request or a broken body is tried, the first time included.
    pub attempts: u32,
    /// The first wait before trying again; it doubles each time, with jitter.
    pub backoff: Duration,
    /// The longest wait before trying again.
    pub longest_backoff: Duration,
    /// Objects of at least this many bytes are fetched in ranges.
    pub large: u64,
    /// Bytes of one range. Times `ranges_at_once`: the memory a download takes.
    pub range: u64,
    /// How many ranges of one object are under way at once.
    pub ranges_at_once: usize,
    /// How many small objects are under way at once.
    pub at_once: usize,
    /// How many parts of one listing are under way at once, where they can be told apart.
    pub lists_at_once: usize,
    /// How fast all downloads together may be.
    pub rate: Timetable,
    /// Keys asked for in one page of a listing; S3 answers at most 1,000.
    pub page: i32,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            idle: Duration::from_secs(60),
            floor: Floor::default(),
            attempts: 5,
            backoff: Duration::from_millis(500),
            longest_backoff: Duration::from_secs(20),
            large: 32 << 20,
            range: 2 << 20,
            ranges_at_once: 5,
            at_once: 16,
            lists_at_once: 12,
            rate: Timetable::default(),
            page: 1000,
        }
    }
}

impl Tuning {
    /// What suits a computer with so many bytes of memory: below 1 GiB (a Raspberry Pi Zero)
    /// fewer transfers at once, and smaller pieces.
    pub fn for_memory(memory: u64) -> Self {
        if memory >= 1 << 30 {
            return Self::default();
        }
        Self {
            range: 1 << 20,
            ranges_at_once: 3,
            at_once: 6,
            lists_at_once: 4,
            ..Self::default()
        }
    }

    /// The same within the owner's limits.
    #[must_use]
    pub fn within(mut self, limits: &LimitsConfig) -> Self {
        self.rate = limits.rate.clone();
        if let Some(most) = limits.concurrency {
            let most = most.max(1);
            self.at_once = self.at_once.min(most);
            self.ranges_at_once = self.ranges_at_once.min(most);
            self.lists_at_once = self.lists_at_once.min(most);
        }
        self
    }

    /// How long to wait before try number `tries` (the first repetition is 1): exponential, with
    /// full jitter over its upper half, so that many transfers do not come back at once.
    pub fn wait_before(&self, tries: u32) -> Duration {
        let doubled = self
            .backoff
            .saturating_mul(1 << tries.saturating_sub(1).min(16));
        doubled
            .min(self.longest_backoff)
            .mul_f64(0.5 + fastrand::f64() / 2.0)
    }
}

/// One bucket, read with one key. Cloned freely.
#[derive(Clone, Debug)]
pub struct Bucket {
    pub(super) client: Client,
    pub(super) name: Arc<str>,
    pub(super) prefix: Arc<str>,
    pub(super) endpoint: Arc<str>,
    pub(super) tuning: Arc<Tuning>,
    pub(super) throttle: Arc<Throttle>,
    pub(super) traffic: Arc<Traffic>,
    /// Whether requests for an object name its version.
    names_versions: bool,
}

/// What is counted and noticed on the way, over all clones of a client.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    requests: AtomicU64,
    /// How far the server's clock is ahead of ours, in seconds: the farthest of all answers.
    ahead: AtomicI64,
    /// What the server has shown of itself.
    pub(super) learnt: Learnt,
}

impl Bucket {
    /// A client for `source`. Sends nothing yet.
    pub fn new(source: &SourceConfig, credentials: &Credentials, tuning: Tuning) -> Result<Self> {
        let traffic = Arc::new(Traffic::default());
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(tuning.connect)
            .read_timeout(tuning.idle)
            .build();
        let retries = RetryConfig::standard()
            .with_max_attempts(tuning.attempts)
            .with_initial_backoff(tuning.backoff)
            .with_max_backoff(tuning.longest_backoff);
        let path_style = match source.addressing {
            Addressing::Auto => source.endpoint.is_some(),
            Addressing::Path => true,
            Addressing::Virtual => false,
        };
        let mut config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(http::client(source.ca_file.as_deref())?)
            .credentials_provider(credentials.provider())
            .region(Region::new(source.region.clone()))
            .force_path_style(path_style)
            .timeout_config(timeouts)
            .retry_config(retries)
            .retry_classifier(TooMany)
            // We validate ourselves, from the stored digests; and servers that know no checksums
            // refuse requests that carry them unasked.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            // Ours also catches a transfer that trickles; see `pace`.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .interceptor(TrueKey)
            .interceptor(Gate(traffic.clone()));
        if let Some(endpoint) = &source.endpoint {
            config = config.endpoint_url(endpoint);
        }
        Ok(Self {
            client: Client::from_conf(config.build()),
            name: source.bucket.as_str().into(),
            prefix: source.filter.prefix().into(),
            endpoint: source.endpoint.as_deref().unwrap_or("AWS").into(),
            throttle: Arc::new(Throttle::new(tuning.rate.clone())),
            tuning: Arc::new(tuning),
            traffic,
            names_versions: false,
        })
    }

    /// The same bucket; requests for an object's bytes name the version, also one that is not
    /// what a plain GET answers. Needs the right s3:GetObjectVersion.
    #[must_use]
    pub fn by_version(&self) -> Self {
        Self {
            names_versions: true,
            ..self.clone()
        }
    }

    /// The version that a request for an object names. What is current needs no name: `If-Match`
    /// guards it, and a key that may read objects and no versions of them brings it too.
    pub(super) fn version_of(&self, identity: &Identity) -> Option<String> {
        let named = identity.version_id.clone();
        self.names_versions
            .then(|| named.unwrap_or_else(|| "null".to_owned()))
    }

    /// The right that a request for an object needs.
    pub(super) fn reading(&self) -> Needs {
        match self.names_versions {
            false => Needs::GetObject,
            true => Needs::GetVersion,
        }
    }

    /// Requests sent so far, repetitions included.
    pub fn requests(&self) -> u64 {
        self.traffic.requests.load(Ordering::Relaxed)
    }

    /// How far the server's clock is ahead of ours by the `Date` of its answers (RFC 9110, 6.6.1;
    /// whole seconds), or behind it where negative: the farthest of all so far.
    pub fn clock_ahead(&self) -> SignedDuration {
        SignedDuration::from_secs(self.traffic.ahead.load(Ordering::Relaxed))
    }

    /// The sizes and times in force.
    pub fn tuning(&self) -> &Tuning {
        &self.tuning
    }
}

/// 429 is S3's SlowDown in the words of other servers and of proxies (RFC 6585, 4); the SDK tries
/// again only where it knows the code in the body.
#[derive(Debug)]
struct TooMany;

impl ClassifyRetry for TooMany {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match context.response().map(|answer| answer.status().as_u16()) {
            Some(429) => RetryAction::throttling_error(),
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "429 Too Many Requests"
    }
}

/// Counts every request on its way out, and lets only GET and HEAD through.
#[derive(Debug)]
struct Gate(Arc<Traffic>);

impl Intercept for Gate {
    fn name(&self) -> &'static str {
        "read-only gate"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> std::result::Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let method = context.request().method();
        if !matches!(method, "GET" | "HEAD") {
            return Err(format!(
                "a {method} request was about to be sent; this program only reads"
            )
            .into());
        }
        self.0.requests.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> std::result::Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let date = context.response().headers().get("date");
        if let Some(theirs) = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok()) {
            let ahead = theirs.timestamp().as_second() - Timestamp::now().as_second();
            if ahead.abs() > self.0.ahead.load(Ordering::Relaxed).abs() {
                self.0.ahead.store(ahead, Ordering::Relaxed);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_computer_does_less_at_once() {
        let window = |tuning: &Tuning| tuning.range * tuning.ranges_at_once as u64;
        for (mib, least, most) in [(416, 1, 4), (1023, 1, 4), (1024, 8, 16), (8192, 8, 16)] {
            let tuning = Tuning::for_memory(mib << 20);
            let window = window(&tuning) >> 20;
            assert!((least..=most).contains(&window), "{mib} MiB: {window} MiB");
            assert_eq!(tuning.at_once < 16, mib < 1024, "{mib} MiB");
        }
    }

    #[test]
    fn a_limit_makes_it_less_and_never_more() {
        for (most, expected) in [
            (None, (16, 5, 12)),
            (Some(3), (3, 3, 3)),
            (Some(99), (16, 5, 12)),
        ] {
            let limits = LimitsConfig {
                concurrency: most,
                ..LimitsConfig::default()
            };
            let tuning = Tuning::default().within(&limits);
            let now = (tuning.at_once, tuning.ranges_at_once, tuning.lists_at_once);
            assert_eq!(now, expected, "{most:?}");
        }
    }

    #[test]
    fn waits_double_and_are_bounded() {
        let tuning = Tuning::default();
        for (tries, longest) in [(1, 500), (2, 1000), (3, 2000), (9, 20_000), (60, 20_000)] {
            for _ in 0..100 {
                let wait = tuning.wait_before(tries);
                assert!(wait <= Duration::from_millis(longest), "{tries}: {wait:?}");
                assert!(
                    wait >= Duration::from_millis(longest / 2),
                    "{tries}: {wait:?}"
                );
            }
        }
    }

    /// P1: should code ever name an operation that writes, no request leaves for it, whatever
    /// its key may do.
    #[test]
    fn the_gate_lets_nothing_through_that_writes() {
        let line = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        line.set_nonblocking(true).unwrap();
        let config = crate::config::Config::parse(&format!(
            "[store]\npath = \"/x\"\n[[source]]\nname = \"w\"\nbucket = \"b\"\nendpoint = \"http://{}\"",
            line.local_addr().unwrap()
        ));
        let key = Credentials::given("an-owner-who", "gave-it-all-rights");
        // Were a request to leave, nobody would answer it.
        let tuning = Tuning {
            attempts: 1,
            idle: Duration::from_millis(100),
            ..Tuning::default()
        };
        let bucket = Bucket::new(&config.unwrap().sources[0], &key, tuning).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let said = runtime.unwrap().block_on(async {
            let client = &bucket.client;
            let put = client.put_object().bucket("b").key("k").send().await;
            let post = client
                .create_multipart_upload()
                .bucket("b")
                .key("k")
                .send()
                .await;
            let delete = client.delete_object().bucket("b").key("k").send().await;
            [
                super::super::failure::causes(&put.unwrap_err()),
                super::super::failure::causes(&post.unwrap_err()),
                super::super::failure::causes(&delete.unwrap_err()),
            ]
        });
        for (said, method) in said.iter().zip(["PUT", "POST", "DELETE"]) {
            let words = format!("a {method} request was about to be sent");
            assert!(said.contains(&words), "{said}");
        }
        assert_eq!(bucket.requests(), 0);
        let came = line.accept().map(drop).map_err(|e| e.kind());
        assert_eq!(
            came,
            Err(std::io::ErrorKind::WouldBlock),
            "a connection came"
        );
    }
}
