//! The listing of every version: pages of versions and delete markers.
//!
//! A page ends anywhere, also between two versions of a key. SeaweedFS 4.48 then leaves versions
//! out, so every key is listed whole where a page can hold it: the key that a page ends in is
//! asked for once more, at the head of the next. A key that shows versions and none that is the
//! newest is told ([`Page::headless`]).

use super::client::Bucket;
use super::failure::{Failure, Needs};
use super::listing::{Page, decode, digest_of, modified, trimmed};
use super::span::Torn;
use crate::error::{Error, Kind, Result};
use crate::object::{Identity, InBucket, Listed, Marker, ObjectKey, printable};
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::types::{BucketVersioningStatus, DeleteMarkerEntry, EncodingType, ObjectVersion};
use std::collections::{BTreeMap, HashSet};

/// Whether a bucket keeps versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versioning {
    /// It does.
    On,
    /// It did: older versions may be there.
    Suspended,
    /// It never did, or the server has no such thing.
    Off,
    /// The key may not ask.
    Unknown,
}

/// A listing of versions under way.
#[derive(Debug)]
pub struct VersionListing {
    bucket: Bucket,
    next: Next,
    asked: HashSet<u64>,
    /// Keys that may go on on the next page.
    open: BTreeMap<ObjectKey, Seen>,
}

#[derive(Clone, Debug, Hash)]
enum Next {
    /// After this key, or after this version of it; url-decoded.
    After(Option<(String, Option<String>)>),
    End,
}

/// What was seen of a key so far.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// The entry that the bucket calls the newest.
    newest: bool,
    /// That this is a delete marker.
    marked: bool,
    /// Any version.
    version: bool,
}

/// The rows of one answer.
#[derive(Default)]
struct Rows {
    /// Each with whether the bucket calls it the newest.
    versions: Vec<(Listed, bool)>,
    markers: Vec<Marker>,
    strange: Vec<String>,
}

impl Bucket {
    /// Whether the bucket keeps versions: one request.
    pub async fn versioning(&self) -> Result<Versioning> {
        let request = self.client.get_bucket_versioning().bucket(&*self.name);
        let error = match request.send().await {
            Ok(answer) => {
                use BucketVersioningStatus::{Enabled, Suspended};
                return Ok(match answer.status() {
                    Some(Enabled) => Versioning::On,
                    Some(Suspended) => Versioning::Suspended,
                    _ => Versioning::Off,
                });
            }
            Err(error) => error,
        };
        let raw = error.raw_response();
        let status = raw.map(|raw| raw.status().as_u16());
        let code = error.code().unwrap_or_default().to_owned();
        let body = raw.and_then(|raw| raw.body().bytes());
        match (status, code.as_str()) {
            // An answer, under another element's name.
            (Some(200), _) => Ok(body.map_or(Versioning::Off, told_status)),
            (Some(401 | 403), "AccessDenied" | "") => Ok(Versioning::Unknown),
            _ => match self.failure(Needs::ListVersions, error) {
                Failure::Passing(error) | Failure::Broken(error) => Err(error),
                // Nobody answered who is believed.
                Failure::Fatal(error) if status.is_none() => Err(error),
                // What else is wrong, the listing says in its own words.
                _ => Ok(Versioning::Off),
            },
        }
    }

    /// Begins a listing of every version under the source's prefix.
    pub fn list_versions(&self) -> VersionListing {
        VersionListing {
            bucket: self.clone(),
            next: Next::After(None),
            asked: HashSet::new(),
            open: BTreeMap::new(),
        }
    }

    /// Whether this version of `key` is there now: one HEAD that names it. Of the version `null`,
    /// which is overwritten in place, ETag, length and time must be the same too.
    pub async fn holds(&self, key: &ObjectKey, identity: &Identity) -> Result<bool, Failure> {
        let by_version = self.by_version();
        let head = self
            .client
            .head_object()
            .bucket(&*self.name)
            .key(super::blank::name_of(key))
            .set_version_id(by_version.version_of(identity))
            .send()
            .await;
        let head = match head {
            Ok(head) => head,
            Err(error) => {
                return match self.failure(Needs::GetVersion, error) {
                    Failure::Gone => Ok(false),
                    other => Err(other),
                };
            }
        };
        let same = trimmed(head.e_tag()) == identity.etag && is_like(&head, identity);
        Ok(identity.version_id.is_some() || same)
    }

    /// The identity of a listed version without an id, where a HEAD tells another ETag for it and
    /// the same length and time: a listing of versions may tell it wrong (SeaweedFS 4.48, of
    /// objects in parts).
    pub async fn told_otherwise(&self, key: &ObjectKey, identity: &Identity) -> Option<Identity> {
        if identity.version_id.is_some() {
            return None;
        }
        let head = self
            .client
            .head_object()
            .bucket(&*self.name)
            .key(super::blank::name_of(key))
            .set_version_id(self.version_of(identity))
            .send()
            .await
            .ok()?;
        let etag = trimmed(head.e_tag());
        (etag != identity.etag && is_like(&head, identity)).then(|| Identity {
            etag,
            ..identity.clone()
        })
    }
}

impl VersionListing {
    /// The next page, or nothing after the last.
    pub async fn next(&mut self) -> Result<Option<Page>, Torn> {
        let Next::After(after) = std::mem::replace(&mut self.next, Next::End) else {
            return Ok(None);
        };
        if !self.asked.insert(digest_of(&after)) {
            return Err(Torn::Failed(self.broken("goes round in circles")));
        }
        let first = after.is_none();
        let (key, version) = after.unzip();
        let request = self
            .bucket
            .client
            .list_object_versions()
            .bucket(&*self.bucket.name)
            .set_prefix((!self.bucket.prefix.is_empty()).then(|| self.bucket.prefix.to_string()))
            .encoding_type(EncodingType::Url)
            .max_keys(self.bucket.tuning.page)
            .set_key_marker(key)
            .set_version_id_marker(version.flatten());
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => {
                let status = error.raw_response().map(|raw| raw.status().as_u16());
                let code = error.code().unwrap_or_default().to_owned();
                let failure = self.bucket.failure(Needs::ListVersions, error);
                let error = failure.into_error("the listing of versions");
                let refused = matches!(
                    (status, code.as_str()),
                    (Some(401 | 403), "AccessDenied" | "") | (Some(405 | 501), _)
                );
                return Err(match first && refused {
                    true => Torn::Refused(error),
                    false => Torn::Failed(error),
                });
            }
        };
        let rows = Rows::of(&answer);
        self.advance(rows, &answer).map(Some).map_err(Torn::Failed)
    }

    /// Decides where the listing goes on, and which rows of this page count.
    fn advance(&mut self, mut rows: Rows, answer: &ListObjectVersionsOutput) -> Result<Page> {
        let mut open = Vec::new();
        if answer.is_truncated() == Some(true) {
            let encoded = answer.encoding_type() == Some(&EncodingType::Url);
            let at = answer
                .next_key_marker()
                .and_then(|raw| decode(raw, encoded))
                .ok_or_else(|| self.broken("stops in the middle, without a key to go on after"))?;
            let after = match rows.last_before(&at) {
                Some((before, version)) => {
                    rows.leave_out(&at);
                    let after = (before.as_str().to_owned(), Some(version));
                    // It is through, and a wrong guess at its last version shows some once more.
                    open.push(before);
                    after
                }
                None => {
                    let version = answer.next_version_id_marker();
                    let version = version.filter(|id| !id.is_empty()).map(str::to_owned);
                    let after = (at.as_str().to_owned(), version);
                    open.push(at);
                    after
                }
            };
            self.next = Next::After(Some(after));
        }
        Ok(self.page(rows, open))
    }

    /// The page that `rows` make; the keys `open` may go on on the next one.
    fn page(&mut self, rows: Rows, open: Vec<ObjectKey>) -> Page {
        let mut seen = std::mem::take(&mut self.open);
        for marker in &rows.markers {
            let seen = seen.entry(marker.key.clone()).or_default();
            seen.newest |= marker.hides;
            seen.marked |= marker.hides;
        }
        let mut objects = Vec::with_capacity(rows.versions.len());
        for (mut listed, newest) in rows.versions {
            let seen = seen.entry(listed.key.clone()).or_default();
            // Within a key the newest comes first (S3 API Reference, ListObjectVersions).
            listed.in_bucket = match (newest, seen.marked && !seen.version) {
                (true, _) => InBucket::Current,
                (false, true) => InBucket::Hidden,
                (false, false) => InBucket::Noncurrent,
            };
            seen.newest |= newest;
            seen.version = true;
            objects.push(listed);
        }
        let open = open.iter();
        self.open = open.filter_map(|key| seen.remove_entry(key)).collect();
        let headless = seen.into_iter().filter(|(_, seen)| !seen.newest);
        Page {
            objects,
            markers: rows.markers,
            headless: headless.map(|(key, _)| key).collect(),
            strange: rows.strange,
        }
    }

    fn broken(&self, what: &str) -> Error {
        let what = format!(
            "the listing of versions of bucket {} {what}",
            self.bucket.name
        );
        Error::new(Kind::Run, what).hint("the server's listing cannot be trusted now; nothing was concluded from it, and the next run lists again")
    }
}

impl Rows {
    fn of(answer: &ListObjectVersionsOutput) -> Self {
        let encoded = answer.encoding_type() == Some(&EncodingType::Url);
        let mut rows = Self::default();
        for version in answer.versions() {
            let raw = version.key().unwrap_or_default();
            match decode(raw, encoded) {
                Some(key) => {
                    let newest = version.is_latest() == Some(true);
                    rows.versions.push((listed(key, version), newest));
                }
                None => rows.strange.push(printable(raw)),
            }
        }
        for marker in answer.delete_markers() {
            // One for a key that is no key hides nothing that could be asked for.
            if let Some(key) = decode(marker.key().unwrap_or_default(), encoded) {
                rows.markers.push(marked(key, marker));
            }
        }
        rows
    }

    /// The last key before `at`, and its last version or marker: Ceph takes a key alone for its
    /// beginning. Versions and markers come in two lists: of two keys the farther one in byte
    /// order, of two entries the older one, where a wrong guess shows some rows twice and leaves
    /// none out.
    fn last_before(&self, at: &ObjectKey) -> Option<(ObjectKey, String)> {
        let versions = self.versions.iter().rev().map(|(listed, _)| listed);
        let version = versions.clone().map(|listed| &listed.key);
        let marker = self.markers.iter().rev().map(|marker| &marker.key);
        let other = |key: &&ObjectKey| *key != at;
        let key = version
            .clone()
            .find(other)
            .max(marker.clone().find(other))?;
        let mut versions = versions.filter(|listed| listed.key == *key);
        let mut markers = self
            .markers
            .iter()
            .rev()
            .filter(|marker| marker.key == *key);
        let version = versions
            .next()
            .map(|v| (&v.identity.last_modified, &v.identity.version_id));
        let marker = markers.next().map(|m| (&m.last_modified, &m.version_id));
        let last = version.into_iter().chain(marker).min_by_key(|(at, _)| *at);
        let id = last.and_then(|(_, id)| id.clone());
        Some((key.clone(), id.unwrap_or_else(|| "null".to_owned())))
    }

    fn leave_out(&mut self, at: &ObjectKey) {
        self.versions.retain(|(listed, _)| listed.key != *at);
        self.markers.retain(|marker| marker.key != *at);
    }
}

/// Whether length and time are those of `identity`.
fn is_like(head: &HeadObjectOutput, identity: &Identity) -> bool {
    let length = head.content_length().and_then(|n| u64::try_from(n).ok());
    let modified = head.last_modified().map(|at| at.secs());
    length == Some(identity.size) && modified == Some(identity.last_modified.as_second())
}

/// Whether the body of an answer says that versions are kept, or were.
fn told_status(body: &[u8]) -> Versioning {
    let text = String::from_utf8_lossy(body);
    let tells = |word: &str| text.contains(&format!("<Status>{word}</Status>"));
    match (tells("Enabled"), tells("Suspended")) {
        (true, _) => Versioning::On,
        (_, true) => Versioning::Suspended,
        _ => Versioning::Off,
    }
}

fn listed(key: ObjectKey, version: &ObjectVersion) -> Listed {
    Listed {
        key,
        identity: Identity {
            version_id: id_of(version.version_id()),
            etag: trimmed(version.e_tag()),
            size: version
                .size()
                .and_then(|size| u64::try_from(size).ok())
                .unwrap_or_default(),
            last_modified: modified(version.last_modified()),
        },
        storage_class: version
            .storage_class()
            .map(|class| class.as_str().to_owned()),
        in_bucket: InBucket::Noncurrent,
    }
}

fn marked(key: ObjectKey, marker: &DeleteMarkerEntry) -> Marker {
    Marker {
        key,
        version_id: id_of(marker.version_id()),
        last_modified: modified(marker.last_modified()),
        hides: marker.is_latest() == Some(true),
    }
}

/// What was put while versioning was off, or is suspended, has the id `null`.
fn id_of(id: Option<&str>) -> Option<String> {
    id.filter(|id| !matches!(*id, "" | "null"))
        .map(str::to_owned)
}
