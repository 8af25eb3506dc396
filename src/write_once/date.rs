//! Full dates in a key, as backup tools and shell scripts spell them.

use jiff::civil::Date;
use std::ops::RangeInclusive;

/// Years that a backup's name can mean.
const YEARS: RangeInclusive<i16> = 1990..=2099;
/// Seconds since 1970 with ten digits, from September 2001 to the end of 2049.
const EPOCH: RangeInclusive<u64> = 1_000_000_000..=2_524_607_999;

/// Whether a full, possible date stands anywhere in `key`.
pub(super) fn carries_date(key: &str) -> bool {
    let parts = parts(key);
    parts.iter().any(|part| is_compact(part.text))
        || parts.windows(2).any(is_short_date_and_time)
        || parts.windows(3).any(|three| is_spread(three, key))
}

/// A run of digits, or the name of a month.
struct Part<'a> {
    text: &'a str,
    /// What stands between the part before and this one.
    gap: &'a str,
    /// Where it ends in the key, in bytes.
    end: usize,
}

/// The parts of `key` that a date can be made of.
fn parts(key: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let (mut at, mut gap_from) = (0, 0);
    while let Some(rest) = key.get(at..).filter(|rest| !rest.is_empty()) {
        let class = |c: char| (c.is_ascii_digit(), c.is_ascii_alphabetic());
        let first = rest.chars().next().map(class).unwrap_or_default();
        let length = rest.find(|c| class(c) != first).unwrap_or(rest.len());
        let text = rest.get(..length).unwrap_or_default();
        if first.0 || month_named(text).is_some() {
            let gap = key.get(gap_from..at).unwrap_or_default();
            gap_from = at + length;
            parts.push(Part {
                text,
                gap,
                end: gap_from,
            });
        }
        at += length;
    }
    parts
}

/// Whether `word` is the English name of a month or a day of the week, whole or of three letters.
pub fn names_day_or_month(word: &str) -> bool {
    const DAYS: [&str; 7] = [
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
    ];
    let lower = word.to_ascii_lowercase();
    let is_day = |day: &&str| lower == **day || day.get(..3) == Some(lower.as_str());
    month_named(word).is_some() || DAYS.iter().any(is_day)
}

/// The number of the English month of this name, whole or of three letters.
fn month_named(word: &str) -> Option<i8> {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let word = word.to_ascii_lowercase();
    (1..).zip(MONTHS).find_map(|(number, name)| {
        (word == name || name.get(..3) == Some(word.as_str())).then_some(number)
    })
}

fn is_date(year: i16, month: i8, day: i8) -> bool {
    YEARS.contains(&year) && Date::new(year, month, day).is_ok()
}

/// A date in one run of digits: `20261121`, `21112026`, `11212026`, each with a time of day or
/// without; `2611210300`; seconds since 1970, or milli-, micro- and nanoseconds.
fn is_compact(run: &str) -> bool {
    let date_then_time = run
        .split_at_checked(8)
        .is_some_and(|(date, time)| is_eight(date) && is_time(time));
    let short_then_time = run
        .split_at_checked(6)
        .is_some_and(|(date, time)| is_six(date) && matches!(time.len(), 4 | 6) && is_time(time));
    let seconds = run.get(..10).and_then(|ten| ten.parse().ok());
    let epoch =
        matches!(run.len(), 10 | 13 | 16 | 19) && seconds.is_some_and(|s| EPOCH.contains(&s));
    date_then_time || short_then_time || epoch
}

/// Eight digits: year first, or last after day and month in either order.
fn is_eight(run: &str) -> bool {
    let number = |from: usize, to: usize| run.get(from..to).and_then(|n| n.parse::<i16>().ok());
    let date = |y: Option<i16>, m: Option<i16>, d: Option<i16>| {
        let part = |n: Option<i16>| n.and_then(|n| i8::try_from(n).ok());
        matches!((y, part(m), part(d)), (Some(y), Some(m), Some(d)) if is_date(y, m, d))
    };
    let (a, b) = (number(0, 2), number(2, 4));
    let last = number(4, 8);
    date(number(0, 4), number(4, 6), number(6, 8)) || date(last, b, a) || date(last, a, b)
}

/// Six digits: year without its century, month, day.
fn is_six(run: &str) -> bool {
    run.len() == 6 && is_eight(&format!("20{run}"))
}

/// Nothing, hours, and minutes, seconds, a fraction behind them.
fn is_time(run: &str) -> bool {
    let below = |from: usize, limit: u8| match run.get(from..from + 2) {
        Some(two) => two.parse::<u8>().is_ok_and(|n| n < limit),
        None => true,
    };
    matches!(run.len(), 0 | 2 | 4 | 6 | 9 | 12) && below(0, 24) && below(2, 60) && below(4, 61)
}

/// `261121-0300`, `261121_030000`.
fn is_short_date_and_time(two: &[Part<'_>]) -> bool {
    let [date, time] = two else { return false };
    is_six(date.text)
        && matches!(time.gap, "-" | "_" | "." | "T" | "-T" | " ")
        && matches!(time.text.len(), 4 | 6)
        && is_time(time.text)
}

/// A date of three parts: `2026-11-21`, `21.11.2026`, `11_21_2026`, `21-Nov-2026`, `2026/11/21`.
fn is_spread(three: &[Part<'_>], key: &str) -> bool {
    let [a, b, c] = three else { return false };
    let folders = b.gap.starts_with('/') || c.gap.starts_with('/');
    let named = month_named(a.text).or(month_named(b.text)).is_some();
    // One kind of gap, so that the counter in `2026-11.01` is no day.
    let alike = b.gap == c.gap || folders || named || (b.gap, c.gap) == ("年", "月");
    if !(alike && is_gap(b.gap, named) && is_gap(c.gap, named)) {
        return false;
    }
    if let Some(year) = year(a.text) {
        // `2026.1.5` is a version, and `2026/11/1.gz` a counter; a folder of its own is a day.
        let in_a_folder = key.get(c.end..).is_some_and(|rest| rest.starts_with('/'));
        let padded = b.text.len() >= 2 && c.text.len() == 2;
        let loose = if folders { in_a_folder } else { c.gap != "." };
        return (padded || loose) && is_date_of(year, b.text, c.text);
    }
    // The number in front of `/12-2026` belongs to another folder.
    !folders
        && year(c.text).is_some_and(|year| {
            is_date_of(year, b.text, a.text) || is_date_of(year, a.text, b.text)
        })
}

/// Whether `gap` can stand between the parts of a date: one separator, or `/month=` and its like.
fn is_gap(gap: &str, named: bool) -> bool {
    let labelled = gap
        .strip_prefix('/')
        .and_then(|label| label.strip_suffix('='))
        .is_some_and(|label| label.bytes().all(|b| b.is_ascii_alphabetic()));
    let joined = named && matches!(gap, "" | ", " | ". ");
    matches!(gap, "-" | "_" | "." | "/" | " " | "年" | "月") || labelled || joined
}

/// The year that four digits are.
fn year(text: &str) -> Option<i16> {
    (text.len() == 4).then(|| text.parse().ok()).flatten()
}

/// Whether a month (a number or a name) and a day (a number) make a date of `year`.
fn is_date_of(year: i16, month: &str, day: &str) -> bool {
    let number = |text: &str| (text.len() <= 2).then(|| text.parse().ok()).flatten();
    let month = month_named(month).or_else(|| number(month));
    matches!((month, number(day)), (Some(month), Some(day)) if is_date(year, month, day))
}
