//! Pages of a listing: which keys, in which order, and where the next page begins.

use super::faults::{Order, Paging};
use super::state::{State, Version, older_than};
use super::stored::{Stored, md5};
use std::ops::Bound;

/// What a page is asked for.
pub(super) struct Asked<'a> {
    pub(super) prefix: &'a str,
    /// The page begins after this key.
    pub(super) after: Option<&'a str>,
    /// The page begins inside the key `after`, after this version of it.
    pub(super) after_version: Option<&'a str>,
    /// The most rows.
    pub(super) max: usize,
}

/// One page.
pub(super) struct Page<'a, T> {
    pub(super) rows: Vec<Row<'a, T>>,
    pub(super) truncated: bool,
}

/// A row of a listing.
pub(super) struct Row<'a, T> {
    pub(super) key: &'a str,
    pub(super) version: &'a Version,
    pub(super) is_latest: bool,
    pub(super) what: T,
}

/// S3 shows at most this many keys at once.
const PAGE: usize = 1000;

impl State {
    /// How many rows a page has when `max_keys` is asked for; `None` is a number S3 refuses.
    pub(super) fn page_size(&self, max_keys: Option<i32>) -> Option<usize> {
        let asked = max_keys.map_or(Ok(PAGE), usize::try_from).ok()?;
        Some(asked.min(PAGE).min(self.faults.page_size.unwrap_or(PAGE)))
    }

    /// A page of ListObjectsV2: the objects that are not behind a delete marker.
    pub(super) fn list_objects<'a>(&'a self, asked: &Asked<'a>) -> Page<'a, &'a Stored> {
        let rows = self.keys(asked, false).filter_map(|(key, versions)| {
            let version = versions.last()?;
            Some(Row {
                key,
                version,
                is_latest: true,
                what: version.object.as_deref()?,
            })
        });
        self.page(rows, asked.max)
    }

    /// A page of ListObjectVersions: every version and marker, the newest of a key first.
    pub(super) fn list_versions<'a>(&'a self, asked: &Asked<'a>) -> Page<'a, Option<&'a Stored>> {
        let marker = asked.after.zip(asked.after_version);
        let rows = self
            .keys(asked, asked.after_version.is_some())
            .flat_map(move |(key, versions)| {
                let newest = versions.len().saturating_sub(1);
                let older = match marker {
                    Some((at_key, id)) if at_key == key => older_than(id, versions),
                    _ => versions,
                };
                let rows = older.iter().enumerate().rev();
                rows.map(move |(at, version)| (key, version, at == newest))
            })
            .filter(|(key, ..)| {
                let hidden = self.faults.hide_versions.as_ref();
                !hidden.is_some_and(|hidden| hidden(key))
            })
            .map(|(key, version, is_latest)| Row {
                key,
                version,
                is_latest,
                what: version.object.as_deref(),
            });
        self.page(rows, asked.max)
    }

    fn page<'a, T>(&self, rows: impl Iterator<Item = Row<'a, T>>, max: usize) -> Page<'a, T> {
        // One more than fits tells whether there is a next page. S3 calls an empty page whole.
        let mut rows: Vec<_> = rows.take(max.saturating_add(1)).collect();
        let more = rows.len() > max && max > 0;
        rows.truncate(max);
        let endless = [Paging::SameToken, Paging::SamePage, Paging::NoToken];
        let wrong = endless.contains(&self.faults.paging) && !rows.is_empty();
        Page {
            rows,
            truncated: more || wrong,
        }
    }

    /// The keys under the prefix that come after the marker, in the listing's order.
    fn keys<'a>(
        &'a self,
        asked: &Asked<'a>,
        marker_too: bool,
    ) -> Box<dyn Iterator<Item = (&'a str, &'a [Version])> + 'a> {
        let prefix = asked.prefix;
        let hide = self.faults.hide.clone();
        let after = asked.after;
        let shown = move |key: &str| {
            key.starts_with(prefix) && !hide.as_ref().is_some_and(|hidden| hidden(key))
        };
        let Order::Byte = self.faults.order else {
            let rank = |key: &str| self.faults.order.rank(key);
            let from = after.map(rank);
            let beyond = |key: &str| {
                from.as_ref()
                    .is_none_or(|from| rank(key) > *from || (marker_too && after == Some(key)))
            };
            let mut keys: Vec<_> = self
                .objects
                .iter()
                .map(|(key, versions)| (key.as_str(), versions.as_slice()))
                .filter(|(key, _)| shown(key) && beyond(key))
                .collect();
            keys.sort_by_cached_key(|(key, _)| rank(key));
            return Box::new(keys.into_iter());
        };
        let from = match after {
            Some(after) if after >= prefix && marker_too => Bound::Included(after),
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        Box::new(
            self.objects
                .range::<str, _>((from, Bound::Unbounded))
                .take_while(move |(key, _)| key.starts_with(prefix))
                .map(|(key, versions)| (key.as_str(), versions.as_slice()))
                .filter(move |(key, _)| shown(key)),
        )
    }
}

impl Order {
    /// Keys sort as these do.
    fn rank(self, key: &str) -> Vec<u8> {
        match self {
            Self::Byte => key.as_bytes().to_vec(),
            // UTF-8 has no byte 0xFF, so adding one never overflows.
            Self::Tree => key
                .bytes()
                .map(|byte| {
                    if byte == b'/' {
                        0
                    } else {
                        byte.saturating_add(1)
                    }
                })
                .collect(),
            Self::Shuffled(seed) => {
                let mut rank = md5(format!("{seed} {key}").as_bytes());
                rank.extend_from_slice(key.as_bytes());
                rank
            }
        }
    }
}

/// A continuation token for the page after `key`. `page` makes it differ from every other one.
pub(super) fn token_after(key: &str, page: u64) -> String {
    let key = data_encoding::BASE64URL_NOPAD.encode(key.as_bytes());
    format!("{page:x}.{key}")
}

/// The key that a continuation token goes on after.
pub(super) fn key_of_token(token: &str) -> Option<String> {
    let (_, key) = token.split_once('.')?;
    let key = data_encoding::BASE64URL_NOPAD.decode(key.as_bytes()).ok()?;
    String::from_utf8(key).ok()
}
