//! The listing: pages of current versions, in whatever order the server has.

use super::blank::name_of;
use super::client::Bucket;
use super::failure::{Failure, Needs};
use crate::error::{Error, Kind, Result};
use crate::object::{Identity, InBucket, Listed, Marker, ObjectKey, Timestamp, from_ms, printable};
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{EncodingType, Object};
use percent_encoding::percent_decode_str;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// One page of a listing.
#[derive(Debug, Default)]
pub struct Page {
    /// The objects on it, in the server's order.
    pub objects: Vec<Listed>,
    /// The delete markers on it; none in a listing without versions.
    pub markers: Vec<Marker>,
    /// Keys of which it shows versions, and none that the bucket calls the newest: something was
    /// left out. None in a listing without versions.
    pub headless: Vec<ObjectKey>,
    /// Keys that are no keys (not UTF-8, empty, too long), made printable: they cannot be asked
    /// for.
    pub strange: Vec<String>,
}

/// A listing under way: ListObjectsV2, or its first version where a server has only that; always
/// url-encoded, because a key with a control character makes the XML of an unencoded answer
/// unreadable.
///
/// A server that repeats a continuation token or a page would be listed for ever: that is an
/// error. What it leaves out is for the caller to notice: an object missing here is gone only
/// when a HEAD says so ([`Bucket::exists`]).
#[derive(Debug)]
pub struct Listing {
    bucket: Bucket,
    next: Next,
    tokens: HashSet<u64>,
    pages: HashSet<u64>,
}

#[derive(Debug)]
enum Next {
    /// The first page, after this key.
    First(Option<ObjectKey>),
    Token(String),
    /// By the first version of the operation, after this key.
    Marker(ObjectKey),
    End,
}

/// What both versions of the operation answer.
#[derive(Default)]
struct Answer {
    page: Page,
    truncated: bool,
    token: Option<String>,
    version: Version,
}

/// Of ListObjects. Only the second one says how many keys a page has (S3 API Reference,
/// ListObjectsV2, `KeyCount`): an old server answers a request for it as one for the first.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Version {
    First,
    #[default]
    Second,
}

impl Bucket {
    /// Begins a listing of everything under the source's prefix.
    pub fn list(&self) -> Listing {
        self.list_after(None)
    }

    /// The same, of what the server has after `key`.
    pub(super) fn list_after(&self, key: Option<ObjectKey>) -> Listing {
        Listing {
            bucket: self.clone(),
            next: Next::First(key),
            tokens: HashSet::new(),
            pages: HashSet::new(),
        }
    }

    /// Whether `key` is there now: one HEAD.
    pub async fn exists(&self, key: &ObjectKey) -> Result<bool, Failure> {
        let head = self
            .client
            .head_object()
            .bucket(&*self.name)
            .key(name_of(key));
        match head.send().await {
            Ok(_) => Ok(true),
            Err(error) => match self.failure(Needs::GetObject, error) {
                Failure::Gone => Ok(false),
                other => Err(other),
            },
        }
    }
}

impl Listing {
    /// The next page, or nothing after the last.
    pub async fn next(&mut self) -> Result<Option<Page>> {
        let answer = match std::mem::replace(&mut self.next, Next::End) {
            Next::End => return Ok(None),
            Next::First(after) => match self.second_version(after, None).await {
                Ok(None) => self.first_version(None).await,
                Ok(Some(answer)) => Ok(answer),
                Err(failure) => Err(failure),
            },
            Next::Token(token) => match self.second_version(None, Some(token)).await {
                Ok(answer) => answer.ok_or_else(|| self.cut_short()),
                Err(failure) => Err(failure),
            },
            Next::Marker(after) => self.first_version(Some(after)).await,
        };
        let answer = answer.map_err(|failure| {
            failure.into_error(&format!("the listing of bucket {}", self.bucket.name))
        })?;
        self.advance(&answer)?;
        Ok(Some(answer.page))
    }

    /// Who has shown one page has the operation.
    fn cut_short(&self) -> Failure {
        let what = format!(
            "the listing of bucket {} stops in the middle: 501",
            self.bucket.name
        );
        Failure::Passing(
            Error::new(Kind::Run, what)
                .hint("nothing was concluded from it, and the next run lists again"),
        )
    }

    /// A page by ListObjectsV2; nothing where the server does not have it (501, RFC 9110, 15.6.2).
    async fn second_version(
        &self,
        after: Option<ObjectKey>,
        token: Option<String>,
    ) -> Result<Option<Answer>, Failure> {
        let bucket = &self.bucket;
        let request = bucket
            .client
            .list_objects_v2()
            .bucket(&*bucket.name)
            .set_prefix((!bucket.prefix.is_empty()).then(|| bucket.prefix.to_string()))
            .encoding_type(EncodingType::Url)
            .max_keys(bucket.tuning.page)
            .set_start_after(after.map(|key| key.as_str().to_owned()))
            .set_continuation_token(token);
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error)
                if error
                    .raw_response()
                    .is_some_and(|r| r.status().as_u16() == 501) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(bucket.failure(Needs::ListBucket, error)),
        };
        let encoded = answer.encoding_type() == Some(&EncodingType::Url);
        Ok(Some(Answer {
            page: read_page(answer.contents(), encoded),
            truncated: answer.is_truncated() == Some(true),
            token: answer.next_continuation_token().map(str::to_owned),
            version: match answer.key_count() {
                Some(_) => Version::Second,
                None => Version::First,
            },
        }))
    }

    /// A page by ListObjects, after the key.
    async fn first_version(&self, after: Option<ObjectKey>) -> Result<Answer, Failure> {
        let bucket = &self.bucket;
        let request = bucket
            .client
            .list_objects()
            .bucket(&*bucket.name)
            .set_prefix((!bucket.prefix.is_empty()).then(|| bucket.prefix.to_string()))
            .encoding_type(EncodingType::Url)
            .max_keys(bucket.tuning.page)
            .set_marker(after.map(|key| key.as_str().to_owned()));
        let answer = request.send().await;
        let answer = answer.map_err(|e| bucket.failure(Needs::ListBucket, e))?;
        let encoded = answer.encoding_type() == Some(&EncodingType::Url);
        Ok(Answer {
            page: read_page(answer.contents(), encoded),
            truncated: answer.is_truncated() == Some(true),
            token: None,
            version: Version::First,
        })
    }

    /// Decides where the listing goes on, and notices one that goes round in circles.
    fn advance(&mut self, answer: &Answer) -> Result<()> {
        let page = &answer.page;
        let broken = |what: &str| {
            Error::new(
                Kind::Run,
                format!("the listing of bucket {} {what}", self.bucket.name),
            )
            .hint("the server's listing cannot be trusted now; nothing was concluded from it, and the next run lists again")
        };
        let keys: Vec<&str> = page.objects.iter().map(|o| o.key.as_str()).collect();
        if !keys.is_empty() && !self.pages.insert(digest_of(&keys)) {
            return Err(broken("shows the same page twice"));
        }
        if !answer.truncated {
            return Ok(());
        }
        if let (Version::First, None, Some(last)) =
            (answer.version, &answer.token, page.objects.last())
        {
            // Without a delimiter it goes on after the last key (S3 API Reference, ListObjects,
            // `NextMarker`).
            self.next = Next::Marker(last.key.clone());
            return Ok(());
        }
        let token = answer
            .token
            .as_deref()
            .ok_or_else(|| broken("stops in the middle, without a token to go on"))?;
        if !self.tokens.insert(digest_of(&token)) {
            return Err(broken("repeats a continuation token"));
        }
        self.next = Next::Token(token.to_owned());
        Ok(())
    }
}

pub(super) fn digest_of(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

fn read_page(contents: &[Object], encoded: bool) -> Page {
    let mut page = Page::default();
    for object in contents {
        let raw = object.key().unwrap_or_default();
        match decode(raw, encoded) {
            Some(key) => page.objects.push(listed(key, object)),
            None => page.strange.push(printable(raw)),
        }
    }
    page
}

/// The key that a url-encoded listing names. S3 writes a space as `+` and a plus as `%2B`
/// (`application/x-www-form-urlencoded`).
pub(super) fn decode(raw: &str, encoded: bool) -> Option<ObjectKey> {
    let key = if encoded {
        let spaced = raw.replace('+', " ");
        percent_decode_str(&spaced).decode_utf8().ok()?.into_owned()
    } else {
        raw.to_owned()
    };
    ObjectKey::new(key).ok()
}

/// The bucket's time for a row.
pub(super) fn modified(at: Option<&DateTime>) -> Timestamp {
    from_ms(at.and_then(|at| at.to_millis().ok()).unwrap_or_default())
}

/// An ETag without its quotes.
pub(super) fn trimmed(etag: Option<&str>) -> String {
    etag.unwrap_or_default().trim_matches('"').to_owned()
}

fn listed(key: ObjectKey, object: &Object) -> Listed {
    Listed {
        key,
        identity: Identity {
            version_id: None,
            etag: trimmed(object.e_tag()),
            size: object
                .size()
                .and_then(|size| u64::try_from(size).ok())
                .unwrap_or_default(),
            last_modified: modified(object.last_modified()),
        },
        storage_class: object
            .storage_class()
            .map(|class| class.as_str().to_owned()),
        in_bucket: InBucket::Current,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_decoded_as_s3_encodes_them() {
        for (raw, key) in [
            ("a/b.txt", "a/b.txt"),
            ("a+b", "a b"),
            ("a%2Bb", "a+b"),
            ("a%0Ab%00", "a\nb\0"),
            ("%C3%A9", "é"),
            ("100%25", "100%"),
        ] {
            assert_eq!(decode(raw, true).unwrap().as_str(), key, "{raw}");
        }
        assert_eq!(decode("a+b%20", false).unwrap().as_str(), "a+b%20");
        assert!(decode("%FF", true).is_none());
        assert!(decode("", true).is_none());
    }
}
