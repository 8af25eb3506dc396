//! A small object, whole and at once, as it is now: what says something about other objects.

use super::blank::name_of;
use super::client::Bucket;
use super::download::Body;
use super::failure::{Failure, Needs};
use crate::object::{ObjectKey, Timestamp};

/// A small object's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Small {
    /// All of them.
    pub bytes: Vec<u8>,
    /// The bucket's time for it, to the second (RFC 9110, 8.8.2), where the answer has one.
    pub modified: Option<Timestamp>,
}

impl Bucket {
    /// The object that stands under `key` now; nothing where it has more than `most` bytes.
    pub async fn small(&self, key: &ObjectKey, most: u64) -> Result<Option<Small>, Failure> {
        let got = self
            .client
            .get_object()
            .bucket(&*self.name)
            .key(name_of(key))
            .send()
            .await
            .map_err(|e| self.failure(Needs::GetObject, e))?;
        let told = got.content_length().and_then(|n| u64::try_from(n).ok());
        if told.is_some_and(|told| told > most) {
            return Ok(None);
        }
        let modified = got.last_modified().map(|at| at.secs());
        let mut body = Body::new(self, got.body);
        let mut bytes = Vec::new();
        while let Some(more) = body.next().await? {
            bytes.extend_from_slice(&more);
            if bytes.len() as u64 > most {
                return Ok(None);
            }
        }
        Ok(Some(Small {
            bytes,
            modified: modified.and_then(|secs| Timestamp::from_second(secs).ok()),
        }))
    }
}
