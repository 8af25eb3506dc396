//! Where the keys of some series lie in byte order.

use super::Series;

/// Keys in byte order: from one, until before another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first key that may be in it.
    pub from: String,
    /// The first key after it; `None` where it goes on to the last.
    pub until: Option<String>,
}

impl Range {
    /// A range that has every key of these series, and few others.
    pub fn of<'s>(some: impl Iterator<Item = &'s Series> + Clone) -> Self {
        let beginnings = some.map(beginning);
        Self {
            from: beginnings.clone().min().unwrap_or_default().to_owned(),
            // Of `db` and `db-a`, `db` goes farther.
            until: beginnings
                .map(after)
                .reduce(|a, b| Some(a?.max(b?)))
                .flatten(),
        }
    }
}

/// What every key of a series begins with: up to the first place where they differ.
fn beginning(series: &Series) -> &str {
    let name = series.as_str();
    name.split(['*', '(', '…']).next().unwrap_or(name)
}

/// The first text in byte order after all that begin with `beginning`; UTF-8 sorts as its characters
/// do.
fn after(beginning: &str) -> Option<String> {
    let mut text = beginning.to_owned();
    while let Some(last) = text.pop() {
        let next = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32);
        if let Some(next) = next {
            text.push(next);
            return Some(text);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_all_keys_of_its_series_and_few_others() {
        let table: [(&[&str], &str, Option<&str>); 7] = [
            (&["site-a/db-*"], "site-a/db-", Some("site-a/db.")),
            (&["a/*", "b/(restic)", "c/x-*"], "a/", Some("c/x.")),
            // Keys such as `db_9` come after every `db-a…`.
            (&["db*", "db-a*", "a*"], "a", Some("dc")),
            (&["*.sql", "x*"], "", None),
            (&["ä*", "z*", "é/…"], "z", Some("é0")),
            (&["\u{d7ff}*"], "\u{d7ff}", Some("\u{e000}")),
            (&["a\u{10ffff}*"], "a\u{10ffff}", Some("b")),
        ];
        for (names, from, until) in table {
            let series: Vec<Series> = names.iter().map(|n| Series((*n).to_owned())).collect();
            let range = Range::of(series.iter());
            assert_eq!(range.from, from, "{names:?}");
            assert_eq!(range.until.as_deref(), until, "{names:?}");
            for series in &series {
                for rest in ["", "0", "zz", "\u{10ffff}\u{10ffff}"] {
                    let key = format!("{}{rest}", beginning(series));
                    let before = until.is_none_or(|until| key.as_str() < until);
                    assert!(key.as_str() >= from && before, "{key:?} of {names:?}");
                }
            }
        }
    }
}
