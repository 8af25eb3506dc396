//! Parts of a listing, for listing them side by side: the keys after one key, up to another.
//!
//! That works where a bucket lists in byte order and begins where it is told. Some do not:
//! SeaweedFS lists in the order of its folders, S3 Express in none (S3 User Guide, "Directory
//! buckets", differences in ListObjectsV2). So the order is watched ([`Order`]), asked about once
//! ([`Bucket::agrees`]), and every part is checked as it comes: keys that do not rise, a key that
//! belongs to another part, or two parts that do not meet, and nothing is concluded from them.

use super::client::Bucket;
use super::listing::{Listing, Page};
use crate::error::{Error, Result};
use crate::object::ObjectKey;

/// The keys after `after` (from the first where there is none) up to and with `until` (to the
/// last where there is none).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Span {
    after: Option<ObjectKey>,
    until: Option<ObjectKey>,
}

impl Span {
    /// All keys, in `parts` spans at most, cut at some of `keys`: full keys that the bucket has
    /// shown, evenly spread. A server may take the name of a folder for all that is in it.
    pub fn cut(mut keys: Vec<ObjectKey>, parts: usize) -> Vec<Self> {
        keys.sort();
        keys.dedup();
        let parts = parts.clamp(1, keys.len() + 1);
        let mut cuts: Vec<ObjectKey> = (1..parts)
            .filter_map(|n| keys.get(n * keys.len() / parts).cloned())
            .collect();
        cuts.dedup();
        let after = [None].into_iter().chain(cuts.iter().cloned().map(Some));
        let until = cuts.iter().cloned().map(Some).chain([None]);
        after
            .zip(until)
            .map(|(after, until)| Self { after, until })
            .collect()
    }
}

/// Why a part's listing ended before its end.
#[derive(Debug)]
pub enum Torn {
    /// The bucket does not list in byte order, or not from where it is told.
    Disorder,
    /// The server does not list so, or not for this key.
    Refused(Error),
    /// A request failed.
    Failed(Error),
}

/// Where a part met the next one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edge {
    /// The first key it showed, be it its own or not.
    first: Option<ObjectKey>,
    /// The last key of its own.
    last: Option<ObjectKey>,
    /// The first key after its own.
    beyond: Option<ObjectKey>,
}

impl Edge {
    /// Whether between this part of `span` and `next` no key can have been left out: what follows
    /// here is what that one began with, or this one ended with the very key that it went on after.
    pub fn meets(&self, span: &Span, next: &Self) -> bool {
        match &self.beyond {
            Some(_) => self.beyond == next.first,
            None => next.first.is_none() || self.last == span.until,
        }
    }
}

/// The listing of one part.
#[derive(Debug)]
pub struct SpanListing {
    listing: Listing,
    span: Span,
    edge: Edge,
}

impl Bucket {
    /// Begins the listing of one part of what is under the source's prefix.
    pub fn list_span(&self, span: Span) -> SpanListing {
        SpanListing {
            listing: self.list_after(span.after.clone()),
            span,
            edge: Edge::default(),
        }
    }

    /// Whether a listing that begins in the middle shows what the whole one showed there: one
    /// request.
    pub async fn agrees(&self, seen: &Sample) -> Result<bool> {
        let mut listing = self.list_after(Some(seen.after.clone()));
        let page = listing.next().await?.unwrap_or_default();
        let keys = page.objects.iter().map(|object| &object.key);
        Ok(keys.eq(&seen.keys))
    }
}

impl SpanListing {
    /// The next page, with the part's own keys alone; nothing after the last.
    pub async fn next(&mut self) -> Result<Option<Page>, Torn> {
        if self.edge.beyond.is_some() {
            return Ok(None);
        }
        let page = self.listing.next().await.map_err(Torn::Failed)?;
        page.map(|page| self.edge.take(&self.span, page).ok_or(Torn::Disorder))
            .transpose()
    }

    /// Where it met the next part; of use after the last page.
    pub fn edge(self) -> (Span, Edge) {
        (self.span, self.edge)
    }
}

impl Edge {
    /// The span's own keys of `page`, in their order; nothing where that order is wrong.
    fn take(&mut self, span: &Span, mut page: Page) -> Option<Page> {
        let mut own = 0;
        for object in &page.objects {
            let key = &object.key;
            let before = self.beyond.as_ref().or(self.last.as_ref());
            if before.or(span.after.as_ref()).is_some_and(|b| key <= b) {
                return None;
            }
            if self.first.is_none() {
                self.first = Some(key.clone());
            }
            if span.until.as_ref().is_some_and(|until| key > until) {
                // Those after it are checked too, and kept by no one.
                let seen = self.beyond.get_or_insert_with(|| key.clone());
                if key < seen {
                    return None;
                }
            } else {
                self.last = Some(key.clone());
                own += 1;
            }
        }
        page.objects.truncate(own);
        Some(page)
    }
}

/// A page from somewhere in a whole listing, and the key before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    after: ObjectKey,
    keys: Vec<ObjectKey>,
}

/// Watches whether a whole listing comes in byte order.
#[derive(Debug, Default)]
pub struct Order {
    last: Option<ObjectKey>,
    broken: bool,
    pages: usize,
    sample: Option<Sample>,
}

impl Order {
    /// Looks at the next page.
    pub fn watch(&mut self, page: &Page) {
        let Some(newest) = page.objects.last().filter(|_| !self.broken) else {
            return;
        };
        let keys = || page.objects.iter().map(|object| &object.key);
        let rising = self.last.iter().chain(keys()).is_sorted_by(|a, b| a < b);
        self.broken = !rising;
        self.pages += 1;
        // Each page but the first is as likely as any other to be the one that is kept.
        if let Some(last) = &self.last
            && fastrand::usize(1..self.pages) == 1
        {
            self.sample = Some(Sample {
                after: last.clone(),
                keys: keys().cloned().collect(),
            });
        }
        self.last = Some(newest.key.clone());
    }

    /// Whether keys came in another order.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// Where the order was kept: a page to ask for again, from its middle.
    pub fn sample(self) -> Option<Sample> {
        self.sample.filter(|_| !self.broken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{Identity, Listed, from_ms};

    fn key(name: &str) -> ObjectKey {
        ObjectKey::new(name).unwrap()
    }

    fn page(names: &str) -> Page {
        let listed = |name: &str| Listed {
            key: key(name),
            identity: Identity {
                version_id: None,
                etag: String::new(),
                size: 0,
                last_modified: from_ms(0),
            },
            storage_class: None,
            in_bucket: crate::object::InBucket::Current,
        };
        Page {
            objects: names.split_whitespace().map(listed).collect(),
            ..Page::default()
        }
    }

    fn span(after: &str, until: &str) -> Span {
        let some = |name: &str| (!name.is_empty()).then(|| key(name));
        Span {
            after: some(after),
            until: some(until),
        }
    }

    #[test]
    fn spans_cover_everything_once() {
        let keys = |names: &str| names.split_whitespace().map(key).collect::<Vec<_>>();
        for (names, parts, expected) in [
            ("", 4, vec![span("", "")]),
            ("m", 1, vec![span("", "")]),
            ("m", 9, vec![span("", "m"), span("m", "")]),
            ("d b a c", 2, vec![span("", "c"), span("c", "")]),
            ("a a a a", 3, vec![span("", "a"), span("a", "")]),
            (
                "a b c d e f",
                3,
                vec![span("", "c"), span("c", "e"), span("e", "")],
            ),
        ] {
            assert_eq!(Span::cut(keys(names), parts), expected, "{names} {parts}");
        }
    }

    /// (span, pages) -> its own keys; nothing is disorder.
    #[test]
    fn keys_of_another_part_and_keys_that_do_not_rise_are_noticed() {
        for (of, pages, own) in [
            (span("", ""), vec!["a b", "c"], Some("a b c")),
            (span("b", "d"), vec!["c d", "e f"], Some("c d")),
            (span("b", "d"), vec!["c d e"], Some("c d")),
            (span("b", "d"), vec!["e f"], Some("")),
            (span("b", "d"), vec!["b c"], None),
            (span("b", "d"), vec!["a"], None),
            (span("b", ""), vec!["c e", "d"], None),
            (span("b", ""), vec!["c c"], None),
            (span("b", "d"), vec!["c e d"], None),
            (span("b", "d"), vec!["e d"], None),
        ] {
            let mut edge = Edge::default();
            let mut all = Vec::new();
            let taken: Option<Vec<Page>> = pages
                .iter()
                .map(|names| edge.take(&of, page(names)))
                .collect();
            for page in taken.iter().flatten() {
                all.extend(page.objects.iter().map(|o| o.key.to_string()));
            }
            assert_eq!(
                taken.map(|_| all.join(" ")).as_deref(),
                own,
                "{of:?} {pages:?}"
            );
        }
    }

    /// (what the left part showed up to `c`, what the right one began with) -> nothing is missing.
    #[test]
    fn parts_meet_where_nothing_can_be_between_them() {
        for (left, right, meet) in [
            ("a b c d", "d e", true),
            ("a b d", "d e", true),
            ("a b c", "d e", true),
            ("a b c", "", true),
            ("a b", "", true),
            ("", "", true),
            ("a b", "d", false),
            ("", "d", false),
            ("a b c d", "e", false),
            ("a b d", "", false),
            ("e", "d e", false),
        ] {
            let of = span("", "c");
            let (mut one, mut two) = (Edge::default(), Edge::default());
            one.take(&of, page(left)).unwrap();
            two.take(&span("c", ""), page(right)).unwrap();
            assert_eq!(one.meets(&of, &two), meet, "{left} | {right}");
        }
    }

    #[test]
    fn an_order_is_broken_by_one_key() {
        for (pages, broken) in [
            (vec!["a b", "c d"], false),
            (vec!["a b", "", "c"], false),
            (vec!["a c", "b d"], true),
            (vec!["b a"], true),
            (vec!["a b", "b c"], true),
        ] {
            let mut order = Order::default();
            pages.iter().for_each(|names| order.watch(&page(names)));
            assert_eq!(order.is_broken(), broken, "{pages:?}");
            let sample = order.sample();
            assert_eq!(sample.is_some(), !broken, "{pages:?}");
            if let Some(sample) = sample {
                assert!(sample.keys.iter().all(|key| *key > sample.after));
            }
        }
    }
}
