//! Where the parts of an object end, as far as the bucket tells it.

use super::client::Bucket;
use crate::digest::{Cut, Layout, parts_of};
use crate::object::{Identity, ObjectKey};

/// How much is asked about an object's parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Nothing: something else proves the bytes.
    Nothing,
    /// The size of the first: the others are like it, as uploaders make them.
    First,
    /// The size of each: one HEAD a part. For an object that did not come out right otherwise.
    Each,
}

/// Of an object with more parts than this, none but the first is asked for.
const MOST: u32 = 1_000;

impl Bucket {
    /// Where the parts of a listed version end; asks nothing for one that its ETag does not show
    /// as made of parts.
    ///
    /// GetObjectAttributes is never asked: two servers answer it with the object's bytes, it tells
    /// the parts only of objects that were uploaded with checksums, and it needs a right of its own.
    pub(super) async fn cut(&self, key: &ObjectKey, identity: &Identity, ask: Ask) -> Cut {
        let Some(parts) = parts_of(&identity.etag).filter(|_| ask != Ask::Nothing) else {
            return Cut::Unknown;
        };
        let guess = Cut::guess(identity.size, parts);
        if parts == 1 || self.traffic.learnt.no_part_numbers() {
            return guess;
        }
        let Some(first) = self.part(key, identity, 1).await else {
            return guess;
        };
        if first >= identity.size {
            self.traffic.learnt.ignores_part_numbers();
            return guess;
        }
        // What was told of the first part is worth more than a guess: a bit that was flipped must
        // not go unseen because the others were not told.
        let even = Cut::from_first(identity.size, parts, first);
        if even.is_some() && ask == Ask::First || parts > MOST {
            return even.unwrap_or(guess);
        }
        match self.each(key, identity, parts, first).await {
            Some(each) => Cut::Told(each),
            None => even.unwrap_or(guess),
        }
    }

    /// The sizes of all parts, where they come to the object's.
    async fn each(
        &self,
        key: &ObjectKey,
        identity: &Identity,
        parts: u32,
        first: u64,
    ) -> Option<Layout> {
        let mut sizes = vec![first];
        for number in 2..=parts {
            sizes.push(self.part(key, identity, number).await?);
        }
        let sum = sizes
            .iter()
            .try_fold(0, |sum: u64, size| sum.checked_add(*size));
        (sum == Some(identity.size)).then_some(Layout::Uneven(sizes))
    }

    /// The size in bytes of one part, counted from 1, by a HEAD; nothing where the server does not
    /// tell it.
    async fn part(&self, key: &ObjectKey, identity: &Identity, number: u32) -> Option<u64> {
        let head = self
            .about(key, identity)
            .part_number(i32::try_from(number).unwrap_or(i32::MAX))
            .send()
            .await;
        match head {
            Ok(head) => head.content_length().and_then(|n| u64::try_from(n).ok()),
            Err(e) => {
                // The object itself may come all the same, and says by itself if it does not: moto
                // refuses a part where we name the ETag of the whole.
                log::info!(
                    "{key}: no answer about part {number}: {:?}",
                    self.failure(self.reading(), e)
                );
                None
            }
        }
    }
}
