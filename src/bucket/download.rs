//! Bytes of one object, in order: a small one in one answer, a large one in ranges side by side.

use super::blank::name_of;
use super::client::Bucket;
use super::failure::{Failure, causes};
use super::locks::told_lock;
use super::pace::Pace;
use super::parts::Ask;
use super::ranges::Ranges;
use crate::digest::{Algorithm, Checksum, Cut, Evidence, claims};
use crate::error::{Error, Kind};
use crate::object::{Answer, Identity, Lock, ObjectKey};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::operation::head_object::builders::HeadObjectFluentBuilder;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumMode, ChecksumType};
use std::collections::HashMap;
use std::time::Instant;

/// A download under way: what the bucket said of the bytes, and the bytes.
#[derive(Debug)]
pub struct Download {
    answer: Answer,
    evidence: Evidence,
    client_side: Vec<(String, String)>,
    chunks: Chunks,
}

#[derive(Debug)]
enum Chunks {
    One(Box<Body>),
    Many(Ranges),
}

impl Bucket {
    /// Asks for the bytes of a listed version.
    ///
    /// Every request carries `If-Match` with the listed ETag, so that an object overwritten since
    /// is [`Failure::Changed`] and never a mixture.
    pub async fn open(
        &self,
        key: &ObjectKey,
        identity: &Identity,
        ask: Ask,
    ) -> Result<Download, Failure> {
        let cut = self.cut(key, identity, ask).await;
        if identity.size >= self.tuning.large {
            return self.open_large(key, identity, cut).await;
        }
        let mut wish = self.traffic.learnt.wish();
        let got = loop {
            let asks = wish.asks();
            let answer = self
                .client
                .get_object()
                .bucket(&*self.name)
                .key(name_of(key))
                .set_version_id(self.version_of(identity))
                .set_if_match(if_match(identity))
                .customize()
                // Set by hand: through `checksum_mode` the SDK would validate as well, and
                // mistake a composite checksum for one of the body.
                .mutate_request(move |request| {
                    if asks {
                        let headers = request.headers_mut();
                        headers.insert("x-amz-checksum-mode", "ENABLED");
                    }
                })
                .send()
                .await;
            if wish.settled_by(&answer) {
                break answer.map_err(|e| self.failure(self.reading(), e))?;
            }
        };
        is_listed(got.version_id(), identity)?;
        Ok(Download {
            answer: answer_of(&got),
            evidence: self.evidence_of(&got, identity, cut),
            client_side: client_side(&got),
            chunks: Chunks::One(Box::new(Body::new(self, got.body))),
        })
    }

    /// Ranged answers carry no checksum of the whole: a HEAD asks for it first.
    async fn open_large(
        &self,
        key: &ObjectKey,
        identity: &Identity,
        cut: Cut,
    ) -> Result<Download, Failure> {
        let head = self.head(key, identity).await?;
        let first = First {
            etag: head.e_tag().unwrap_or_default().to_owned(),
            version_id: head.version_id().map(str::to_owned),
            modified: head.last_modified().map(|at| at.secs()),
            total: head.content_length().and_then(|n| u64::try_from(n).ok()),
        };
        Ok(Download {
            answer: answer_of(&head),
            evidence: self.evidence_of(&head, identity, cut),
            client_side: client_side(&head),
            chunks: Chunks::Many(Ranges::new(self, key, identity, first)),
        })
    }

    /// What the bucket says of a listed version, and promises about its bytes, without them: by
    /// HEADs. An object overwritten since it was listed is [`Failure::Changed`].
    pub async fn promise(
        &self,
        key: &ObjectKey,
        identity: &Identity,
    ) -> Result<(Answer, Evidence), Failure> {
        let cut = self.cut(key, identity, Ask::First).await;
        let head = self.head(key, identity).await?;
        Ok((answer_of(&head), self.evidence_of(&head, identity, cut)))
    }

    /// A HEAD for a listed version, to be sent.
    pub(super) fn about(&self, key: &ObjectKey, identity: &Identity) -> HeadObjectFluentBuilder {
        self.client
            .head_object()
            .bucket(&*self.name)
            .key(name_of(key))
            .set_version_id(self.version_of(identity))
            .set_if_match(if_match(identity))
    }

    /// The lock of a listed version: one HEAD. None where it has none, or our key may not see it.
    pub async fn lock_of(
        &self,
        key: &ObjectKey,
        identity: &Identity,
    ) -> Result<Option<Lock>, Failure> {
        let head = self.about(key, identity).send().await;
        let head = head.map_err(|e| self.failure(self.reading(), e))?;
        is_listed(head.version_id(), identity)?;
        Ok(answer_of(&head).lock)
    }

    async fn head(
        &self,
        key: &ObjectKey,
        identity: &Identity,
    ) -> Result<HeadObjectOutput, Failure> {
        let mut wish = self.traffic.learnt.wish();
        let head = loop {
            let answer = self
                .about(key, identity)
                .set_checksum_mode(wish.asks().then_some(ChecksumMode::Enabled))
                .send()
                .await;
            if wish.settled_by(&answer) {
                break answer.map_err(|e| self.failure(self.reading(), e))?;
            }
        };
        is_listed(head.version_id(), identity)?;
        match head.e_tag().unwrap_or_default().trim_matches('"') == identity.etag {
            true => Ok(head),
            false => Err(Failure::Changed),
        }
    }

    fn evidence_of(&self, output: &impl Facts, identity: &Identity, cut: Cut) -> Evidence {
        let kind = output.checksum_type().map(ChecksumType::as_str);
        Evidence {
            size: identity.size,
            etag: identity.etag.clone(),
            etag_opaque: output.etag_opaque() || self.traffic.learnt.etags_opaque(),
            checksums: output
                .checksums()
                .into_iter()
                .filter_map(|(algorithm, value)| {
                    Some(Checksum::new(algorithm, value?, kind, &identity.etag))
                })
                .collect(),
            cut,
            claims: claims(|name| output.metadata()?.get(name).map(String::as_str)),
            trusted_claims: Vec::new(),
            signature: None,
            content_name: None,
        }
    }
}

impl Download {
    /// What the bucket said besides the bytes.
    pub fn answer(&self) -> &Answer {
        &self.answer
    }

    /// What the bucket promised about the bytes.
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// The names of the metadata in which an S3 client says how it encrypted the object before it
    /// sent it, with empty values: those are wrapped keys, and nobody's business.
    pub fn client_side(&self) -> &[(String, String)] {
        &self.client_side
    }

    /// Leaves out the first `offset` bytes, which an earlier run brought; true if that can be
    /// done, which is so for a large object before its first bytes were taken.
    pub fn skip_to(&mut self, offset: u64) -> bool {
        match &mut self.chunks {
            Chunks::One(_) => false,
            Chunks::Many(ranges) => ranges.skip_to(offset),
        }
    }

    /// The next bytes, in order, or nothing after the last.
    ///
    /// A small object's broken answer is [`Failure::Broken`] and the caller begins again; a
    /// large one's ranges are repeated in here.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        match &mut self.chunks {
            Chunks::One(body) => body.next().await,
            Chunks::Many(ranges) => ranges.next().await,
        }
    }
}

/// What the first answer of a ranged download said: every later one must repeat it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct First {
    pub(super) etag: String,
    pub(super) version_id: Option<String>,
    pub(super) modified: Option<i64>,
    pub(super) total: Option<u64>,
}

/// One answer's body, watched: silence and trickling end it.
#[derive(Debug)]
pub(super) struct Body {
    stream: ByteStream,
    pace: Pace,
    bucket: Bucket,
}

impl Body {
    pub(super) fn new(bucket: &Bucket, stream: ByteStream) -> Self {
        Self {
            stream,
            pace: Pace::new(bucket.tuning.floor),
            bucket: bucket.clone(),
        }
    }

    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        let asked = Instant::now();
        let broken = |why: String| {
            Failure::Broken(
                Error::new(
                    Kind::Run,
                    format!("the transfer from {} broke off", self.bucket.endpoint),
                )
                .because(why),
            )
        };
        let idle = self.bucket.tuning.idle;
        match tokio::time::timeout(idle, self.stream.next()).await {
            Err(_) => Err(broken(format!("nothing came for {} s", idle.as_secs()))),
            Ok(None) => Ok(None),
            Ok(Some(Err(e))) => Err(broken(causes(&e))),
            Ok(Some(Ok(bytes))) => {
                if self.pace.holds(bytes.len() as u64, asked.elapsed()) {
                    // After the line was measured: a wait that the owner wants is no trickle.
                    self.bucket.throttle.take(bytes.len() as u64).await;
                    Ok(Some(bytes.into()))
                } else {
                    let floor = self.bucket.tuning.floor;
                    let kib = floor.rate >> 10;
                    let over = floor.over.as_secs();
                    Err(broken(format!(
                        "it was slower than {kib} KiB/s over {over} s"
                    )))
                }
            }
        }
    }
}

/// What was listed with a version id must be answered with it, where one is answered.
fn is_listed(answered: Option<&str>, identity: &Identity) -> Result<(), Failure> {
    match (answered, &identity.version_id) {
        (Some(answered), Some(listed)) if answered != listed => Err(Failure::Changed),
        _ => Ok(()),
    }
}

pub(super) fn if_match(identity: &Identity) -> Option<String> {
    (!identity.etag.is_empty()).then(|| format!("\"{}\"", identity.etag))
}

/// Reads the same facts from a GET's and a HEAD's answer, which are two types with one face.
trait Facts {
    fn answer(&self) -> Answer;
    fn checksums(&self) -> [(Algorithm, Option<&str>); 5];
    fn checksum_type(&self) -> Option<&ChecksumType>;
    fn metadata(&self) -> Option<&HashMap<String, String>>;
    /// Whether the ETag is known not to be an MD5: SSE-KMS and SSE-C (S3 API reference, "Object").
    fn etag_opaque(&self) -> bool;
}

macro_rules! facts {
    ($output:ty) => {
        impl Facts for $output {
            fn answer(&self) -> Answer {
                let sse = self
                    .server_side_encryption()
                    .map(|sse| sse.as_str().to_owned());
                Answer {
                    version_id: self
                        .version_id()
                        .filter(|id| *id != "null")
                        .map(str::to_owned),
                    content_type: self.content_type().map(str::to_owned),
                    encryption: match self.sse_customer_algorithm() {
                        Some(_) => Some("sse-c".to_owned()),
                        None => sse,
                    },
                    lock: told_lock(
                        self.object_lock_mode().map(|mode| mode.as_str()),
                        self.object_lock_retain_until_date(),
                        self.object_lock_legal_hold_status(),
                    ),
                }
            }
            fn checksums(&self) -> [(Algorithm, Option<&str>); 5] {
                [
                    (Algorithm::Crc32, self.checksum_crc32()),
                    (Algorithm::Crc32c, self.checksum_crc32_c()),
                    (Algorithm::Crc64Nvme, self.checksum_crc64_nvme()),
                    (Algorithm::Sha1, self.checksum_sha1()),
                    (Algorithm::Sha256, self.checksum_sha256()),
                ]
            }
            fn checksum_type(&self) -> Option<&ChecksumType> {
                self.checksum_type()
            }
            fn metadata(&self) -> Option<&HashMap<String, String>> {
                self.metadata()
            }
            fn etag_opaque(&self) -> bool {
                self.sse_customer_algorithm().is_some()
                    || self.ssekms_key_id().is_some()
                    || self
                        .server_side_encryption()
                        .is_some_and(|sse| sse.as_str().starts_with("aws:kms"))
            }
        }
    };
}
facts!(GetObjectOutput);
facts!(HeadObjectOutput);

/// The Amazon S3 Encryption Client's own metadata begins so (its documentation, "Object metadata").
fn client_side(output: &impl Facts) -> Vec<(String, String)> {
    let metadata = output.metadata().into_iter().flatten();
    metadata
        .filter(|(name, _)| name.starts_with("x-amz-"))
        .map(|(name, _)| (name.clone(), String::new()))
        .collect()
}

fn answer_of(output: &impl Facts) -> Answer {
    output.answer()
}
