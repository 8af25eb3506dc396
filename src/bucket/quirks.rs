//! What some servers do otherwise than S3 says, why we believe it, and what is done about it.
//!
//! [`QUIRKS`] is all of it on one page; `docs/servers.md` shows the same table, and a test compares
//! the two. What has to be found out while a run goes on is in [`Learnt`].

use super::client::Bucket;
use crate::object::ObjectKey;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// One thing that some servers do otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quirk {
    /// What they do.
    pub what: &'static str,
    /// Who does it, and how we know.
    pub seen: &'static str,
    /// What this program does about it.
    pub so: &'static str,
}

/// Every quirk that is known, those first that cost something.
pub const QUIRKS: [Quirk; 18] = [
    Quirk {
        what: "refuses `x-amz-checksum-mode`: 400 InvalidArgument or 501 NotImplemented",
        seen: "400: Backblaze B2 (vatesfr/xen-orchestra#8358, diced/zipline#746); 501: \
               duolicious/duolicious#612; both in 2025",
        so: "asks once more without it; where that works, asks without it for the rest of the run",
    },
    Quirk {
        what: "tells a CRC-32 as CRC-32C or CRC-64/NVME",
        seen: "moto 5.2.5 without the libraries for them, here",
        so: "a value that is the CRC-32 of the bytes proves them as `crc32`; one that is neither is \
             a contradiction",
    },
    Quirk {
        what: "ETags that look like an MD5 and are none",
        seen: "SSE-KMS and SSE-C (S3 API reference, \"Object\"), directory buckets, gateways that \
               compress",
        so: "an answer that names such an encryption makes its ETag silent, and so does a \
             checksum that holds; the latter makes all ETags of the source silent, for good, and \
             is said",
    },
    Quirk {
        what: "tells last-modified to the second or to the millisecond, and changes that with a \
               release",
        seen: "seconds: AWS, SeaweedFS, moto; milliseconds: Ceph, Garage; `Last-Modified` of a \
               GET is in seconds everywhere (RFC 9110, 8.8.2)",
        so: "two listed times less than a second apart, one of them in whole seconds, are one; \
             answers are compared with each other alone, in seconds",
    },
    Quirk {
        what: "refuses HeadBucket to a key that may list",
        seen: "moto 5.2.5 with `s3:Get*` and `s3:List*`, here",
        so: "never asks it: the first page of the listing tells the same",
    },
    Quirk {
        what: "says AccessDenied to a key that it does not know and to a wrong secret",
        seen: "Garage 2.5, here",
        so: "reads its text for which of the two it is",
    },
    Quirk {
        what: "tells no checksums at all",
        seen: "Ceph 16, here",
        so: "the ETag of an object in one part is its MD5; one in parts is proven by its ETag \
             where the part sizes that uploaders use make it",
    },
    Quirk {
        what: "a ranged answer tells no checksum, or a composite one without its `-N`",
        seen: "every server here; boto/botocore#3346",
        so: "the checksum of a large object is asked for by a HEAD first; without a type, one of \
             an object in parts counts as composite",
    },
    Quirk {
        what: "lists in another order than that of the bytes",
        seen: "SeaweedFS 4.48 (a tree's), here; AWS directory buckets (none)",
        so: "lists side by side only where the order has been that of the bytes so far; what a \
             listing misses is gone when a HEAD says so",
    },
    Quirk {
        what: "has ListObjects, and not its second version",
        seen: "older Ceph and servers like it (rclone lists Ceph so)",
        so: "lists by the first version where the second is refused, or an answer to it has no \
             `KeyCount`",
    },
    Quirk {
        what: "a listing that is not url-encoded is not well-formed XML where a key has control \
               characters",
        seen: "moto, Garage and Ceph, here",
        so: "always asks for `encoding-type=url`",
    },
    Quirk {
        what: "answers GetObjectAttributes with the object's bytes",
        seen: "Ceph 16 and Garage 2.5, here",
        so: "never asks it: a HEAD tells the checksum, and one for part 1 how the parts lie",
    },
    Quirk {
        what: "ignores `partNumber` on a HEAD or GET",
        seen: "Ceph 16 (HEAD and GET), moto (GET), here",
        so: "never fetches by part: ranges are cut by bytes, and each answer's `Content-Range` is \
             checked. Where a HEAD for part 1 tells the whole, no other is asked in this run, and \
             the part sizes that uploaders use are tried on the ETag",
    },
    Quirk {
        what: "leaves whole keys out of a listing of versions that has more than one page, and \
               versions of a key that a page ends in",
        seen: "SeaweedFS 4.48 (what its tree sorts otherwise than bytes do), here",
        so: "where the order has not been that of the bytes, the keys are listed too; the key that \
             a page ends in is asked for once more, at the head of the next; what is noticed is a \
             finding, `versions-left-out`; what is not listed any more is gone when a HEAD of the \
             version says so",
    },
    Quirk {
        what: "takes a key to go on after for its beginning, where no version is named with it",
        seen: "Ceph 16, in a listing of versions, here",
        so: "always names the version too",
    },
    Quirk {
        what: "answers GetBucketVersioning under another element's name",
        seen: "moto 5.2.5, here",
        so: "looks for its `Status` in the text",
    },
    Quirk {
        what: "tells another ETag for the version `null` of an object in parts, in a listing of \
               versions alone",
        seen: "SeaweedFS 4.48, here",
        so: "length and time tell such a version; where its ETag is refused, a HEAD tells the right \
             one",
    },
    Quirk {
        what: "tells another time for a version whose lock was changed",
        seen: "SeaweedFS 4.48, here",
        so: "of a version with an id only another ETag or length is said (`version-altered`)",
    },
];

/// What a server has shown of itself, over all clones of a client.
#[derive(Debug, Default)]
pub(super) struct Learnt {
    /// Found out anew by each run: it costs one request, and a server that has learnt better is
    /// believed.
    no_checksum_mode: AtomicBool,
    etags_opaque: AtomicBool,
    no_part_numbers: AtomicBool,
    belied: OnceLock<ObjectKey>,
}

impl Bucket {
    /// From now on no ETag is taken for a digest: an earlier run caught one that is none.
    pub fn distrust_etags(&self) {
        self.traffic
            .learnt
            .etags_opaque
            .store(true, Ordering::Relaxed);
    }

    /// An ETag that looks like the MD5 of the bytes of `key` is none, as a checksum that holds
    /// shows. What one is, all may be.
    pub fn etag_belied(&self, key: &ObjectKey) {
        self.distrust_etags();
        self.traffic.learnt.belied.get_or_init(|| key.clone());
    }

    /// The object by which this run found out that the ETags are no digests.
    pub fn belied(&self) -> Option<&ObjectKey> {
        self.traffic.learnt.belied.get()
    }
}

impl Learnt {
    /// Whether ETags that look like a digest may be none.
    pub(super) fn etags_opaque(&self) -> bool {
        self.etags_opaque.load(Ordering::Relaxed)
    }

    /// Whether asking for one part by its number is of no use.
    pub(super) fn no_part_numbers(&self) -> bool {
        self.no_part_numbers.load(Ordering::Relaxed)
    }

    /// A HEAD that asked for one part was answered for the whole.
    pub(super) fn ignores_part_numbers(&self) {
        if !self.no_part_numbers.swap(true, Ordering::Relaxed) {
            log::info!("the server does not tell the parts of objects: not asked any more");
        }
    }

    /// Whether the next request may wish for checksums.
    pub(super) fn wish(&self) -> Wish<'_> {
        let asks = !self.no_checksum_mode.load(Ordering::Relaxed);
        Wish { learnt: self, asks }
    }
}

/// The wish for checksums that goes with one request (`x-amz-checksum-mode`).
#[derive(Debug)]
pub(super) struct Wish<'a> {
    learnt: &'a Learnt,
    asks: bool,
}

impl Wish<'_> {
    /// Whether to send it.
    pub(super) fn asks(&self) -> bool {
        self.asks
    }

    /// Whether `answer` settles the request; if not, it is to be sent once more, without the
    /// wish. Only an answer without it that brings the object shows that the wish was the reason.
    pub(super) fn settled_by<T, E: ProvideErrorMetadata>(
        &mut self,
        answer: &Result<T, SdkError<E, HttpResponse>>,
    ) -> bool {
        match answer {
            Err(SdkError::ServiceError(error)) if self.asks => {
                let code = error.err().code().unwrap_or_default();
                self.asks = !may_be_about_the_wish(error.raw().status().as_u16(), code);
                self.asks
            }
            Ok(_) if !self.asks => {
                if !self.learnt.no_checksum_mode.swap(true, Ordering::Relaxed) {
                    log::info!("the server refuses x-amz-checksum-mode: not sent any more");
                }
                true
            }
            _ => true,
        }
    }
}

/// A HEAD has no code. S3's own 400 for objects under SSE-C is `InvalidRequest`, to a GET.
fn may_be_about_the_wish(status: u16, code: &str) -> bool {
    matches!((status, code), (501, _) | (400, "InvalidArgument" | ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_about_the_wish() {
        for (status, code, may) in [
            (400, "InvalidArgument", true),
            (501, "NotImplemented", true),
            (400, "", true),
            (501, "", true),
            (400, "InvalidRequest", false),
            (403, "AccessDenied", false),
            (403, "", false),
            (404, "NoSuchKey", false),
            (503, "SlowDown", false),
        ] {
            assert_eq!(may_be_about_the_wish(status, code), may, "{status} {code}");
        }
    }
}
