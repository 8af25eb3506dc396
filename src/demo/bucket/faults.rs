//! What the bucket does wrong when asked to. All off by default, changeable at any time.

use std::sync::Arc;
use std::time::Duration;

/// Which keys a fault is about. Asked while the bucket is locked: it must not call the bucket.
pub type Matcher = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// Called with the operation's name and its key before the bucket looks at a request. The bucket
/// is not locked meanwhile, so the hook may change it.
pub type Hook = Arc<dyn Fn(&str, Option<&str>) + Send + Sync>;

/// Where in the bytes of a key something is wrong, if anything is. Asked as a [`Matcher`] is.
pub type Place = Arc<dyn Fn(&str) -> Option<u64> + Send + Sync>;

/// Everything that can be wrong with the bucket.
#[derive(Clone, Default)]
pub struct Faults {
    /// Flips the lowest bit of the byte at this offset of the *object* in every GET body that
    /// has it.
    pub flip: Option<Fault<u64>>,
    /// As `flip`, at an offset of each key's own.
    pub flip_at: Option<Place>,
    /// Makes GET bodies and their `Content-Length` one byte shorter.
    pub shorten: Option<Fault<()>>,
    /// These keys are one byte shorter wherever they are told or sent: in listings, HEADs and bodies.
    pub shorter: Option<Matcher>,
    /// These keys are told to have a tebibyte; nobody's memory has that.
    pub huge: Option<Matcher>,
    /// Closes the connection after this many bytes of a GET *body* that is longer.
    pub cut: Option<Fault<u64>>,
    /// Sends GET bodies a little at a time.
    pub trickle: Option<Fault<Trickle>>,
    /// Refuses requests.
    pub refuse: Option<Fault<Refusal>>,
    /// Leaves these keys out of every listing; GET and HEAD still find them.
    pub hide: Option<Matcher>,
    /// Leaves these keys out of listings of versions alone.
    pub hide_versions: Option<Matcher>,
    /// The order of listings.
    pub order: Order,
    /// What is wrong with the pages of listings.
    pub paging: Paging,
    /// The most keys on a page, below S3's own 1,000.
    pub page_size: Option<usize>,
    /// ETags keep their look and say nothing about the bytes.
    pub opaque_etags: bool,
    /// Requests that wish for checksums are refused with 400, as Backblaze B2 did.
    pub no_checksum_mode: bool,
    /// `partNumber` is ignored, as Ceph does: the answer is about the whole object.
    pub no_part_numbers: bool,
    /// GET and HEAD tell no lock, as to a key without the rights to see them.
    pub locks_hidden: bool,
    /// Listings give last-modified to the millisecond, as Ceph and Garage do; S3 gives whole
    /// seconds.
    pub milliseconds: bool,
    /// How far the server's clock, which judges the date of a signature, is ahead of the
    /// computer's, in seconds.
    pub clock_ahead: i64,
    /// The region the bucket is in; requests signed for another are refused. Without one, any
    /// region is right.
    pub region: Option<&'static str>,
    /// Operations that the bucket does not let the reading key do, by their names in the S3 API:
    /// 403 `AccessDenied`.
    pub denied: Vec<&'static str>,
    /// Operations that the server does not have: 501 `NotImplemented`.
    pub missing: Vec<&'static str>,
    /// Called before each operation.
    pub on_request: Option<Hook>,
}

/// A fault, the keys it is about, and how often it still happens.
#[derive(Clone)]
pub struct Fault<T> {
    what: T,
    keys: Option<Matcher>,
    left: Option<u64>,
}

impl<T: Clone> Fault<T> {
    /// A fault that happens to every key, always.
    pub fn new(what: T) -> Self {
        Self {
            what,
            keys: None,
            left: None,
        }
    }

    /// Only to keys for which `keys` is true; requests without a key are spared.
    #[must_use]
    pub fn on(mut self, keys: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.keys = Some(Arc::new(keys));
        self
    }

    /// Only the first `times` times from now.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.left = Some(times);
        self
    }

    /// Whether it happens to a request for `key` now; counts it if so.
    fn happens(&mut self, key: Option<&str>) -> Option<T> {
        let meant = match (&self.keys, key) {
            (None, _) => true,
            (Some(keys), Some(key)) => keys(key),
            (Some(_), None) => false,
        };
        if !meant || self.left == Some(0) {
            return None;
        }
        self.left = self.left.map(|left| left - 1);
        Some(self.what.clone())
    }

    /// As [`Fault::happens`], and only if `fits`.
    pub(super) fn strike(
        fault: &mut Option<Self>,
        key: Option<&str>,
        fits: impl Fn(&T) -> bool,
    ) -> Option<T> {
        fault
            .as_mut()
            .filter(|fault| fits(&fault.what))?
            .happens(key)
    }
}

/// A body that arrives a little at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trickle {
    /// How many bytes at once.
    pub bytes: usize,
    /// How long the pause between them.
    pub every: Duration,
}

/// An answer that is an error whatever was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 503 `SlowDown`
    SlowDown,
    /// 429 `TooManyRequests`
    TooManyRequests,
    /// 500 `InternalError`
    InternalError,
    /// 403 `AccessDenied`, as for an object with rights of its own.
    AccessDenied,
}

/// The order in which listings show keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// By the bytes of the UTF-8 key, as S3 does.
    #[default]
    Byte,
    /// As a walk of a tree: `/` before everything, so that `a/b` comes before `a!`.
    Tree,
    /// Any order at all; the same for the same seed.
    Shuffled(u64),
}

/// What is wrong with the pages of listings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Paging {
    /// Nothing.
    #[default]
    Right,
    /// Every page says that there is more and gives back the token that it was asked with.
    SameToken,
    /// Every page is the first one, says that there is more and gives a new token.
    SamePage,
    /// Every page says that there is more and gives no token.
    NoToken,
    /// ListObjects is there, and not its second version: a request for that is answered as one for
    /// the first, without a token.
    FirstVersion,
    /// The same, and a request for the second version is refused.
    FirstVersionAlone,
}
