//! What is said of locks, in words.

use super::{BROKEN, Broken, HIDDEN, LOOKS, LOOSENED, NAMED, SHORTENED, TOO_SHORT};
use crate::lock::{Loosened, Weaker};
use crate::object::{
    Advice, DefaultLock, FindingRecord, Identity, Lock, LockMode, ObjectKey, Severity, Timestamp,
};
use crate::pull::words::Frame;
use jiff::SignedDuration;

pub(super) fn gone_while_locked(
    frame: &Frame<'_>,
    (key, identity, left): &(ObjectKey, Identity, Lock),
    broken: &Broken,
) -> FindingRecord {
    let named = broken.named.iter();
    let mut evidence: Vec<String> = named
        .map(|(key, identity, left)| {
            let of = identity.last_modified.strftime("%Y-%m-%d %H:%M UTC");
            format!("{key} of {of} was locked {left}")
        })
        .collect();
    let more = broken.versions.saturating_sub(evidence.len() as u64);
    if more > 0 {
        evidence.push(format!("and {more} more"));
    }
    let mode = left.retention.map(|retention| retention.mode);
    let how = match mode {
        Some(LockMode::Compliance) => {
            "nobody can do that in `compliance` mode: the provider removed it, or the provider's clock was set forward, or the whole bucket was made anew"
        }
        Some(LockMode::Governance) => {
            "whoever did it may bypass locks in `governance` mode (s3:BypassGovernanceRetention)"
        }
        None => "whoever did it may lift legal holds (s3:PutObjectLegalHold)",
    };
    let advice = Advice {
        what: match broken.versions {
            1 => format!("a version of {key} is gone from the bucket before its lock ended"),
            n => format!(
                "{n} versions are gone from the bucket before their locks ended, such as one of {key}"
            ),
        },
        evidence: format!(
            "{}. A HEAD of each that was asked for says 404. What came home stays",
            evidence.join("; ")
        ),
        next: format!(
            "{how}. If it was not you, revoke every key and login that has that right, and ask the provider; then `offsite ack {}-{}`",
            frame.source, frame.number
        ),
    };
    frame.finding(BROKEN, Severity::Alarm, Some((key, identity)), advice)
}

pub(super) fn shortened(
    frame: &Frame<'_>,
    first: &ObjectKey,
    loose: &[(ObjectKey, Weaker)],
) -> FindingRecord {
    let time = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M UTC").to_string();
    let one = |(key, weaker): &(ObjectKey, Weaker)| match *weaker {
        Weaker::Removed(was) => format!("{key}: locked until {}, and not any more", time(was)),
        Weaker::Shortened(was, is) => {
            format!(
                "{key}: locked until {}, and now until {}",
                time(was),
                time(is)
            )
        }
        Weaker::Bypassable => format!("{key}: `compliance`, and now `governance`"),
        Weaker::Lifted => format!("{key}: its legal hold was lifted"),
    };
    let named: Vec<String> = loose.iter().take(NAMED).map(one).collect();
    let what = match loose.len() {
        1 => format!("a lock was taken off or shortened before its end: {first}"),
        n => format!(
            "locks of {n} versions were taken off or shortened before their end, such as {first}"
        ),
    };
    let advice = Advice {
        what,
        evidence: format!(
            "{} (a HEAD tells it). {LOOKS} versions are looked at in a night: there may be more",
            named.join("; ")
        ),
        next: format!(
            "what loses its lock is deleted next: whoever did this may bypass locks (s3:BypassGovernanceRetention, s3:PutObjectLegalHold); revoke that key or login, and lock again. What came home stays. If it was you, `offsite ack {}-{}`",
            frame.source, frame.number
        ),
    };
    FindingRecord {
        key: Some(first.clone()),
        ..frame.finding(SHORTENED, Severity::Alarm, None, advice)
    }
}

pub(super) fn setting_loosened(
    frame: &Frame<'_>,
    bucket: &str,
    loosened: Loosened,
) -> FindingRecord {
    let what = match loosened {
        Loosened::Off => "object lock was switched off: nothing in the bucket is locked any more".to_owned(),
        Loosened::NoDefault => {
            "the bucket's default retention was taken away: what comes from now on is not locked by itself".to_owned()
        }
        Loosened::Shorter(was, is) => format!(
            "the bucket's default retention was shortened: from {was} days to {is}, for what comes from now on"
        ),
        Loosened::Bypassable => {
            "the bucket's default retention is `governance` now, and was `compliance`: what comes from now on can be removed by who may bypass that".to_owned()
        }
    };
    let advice = Advice {
        what,
        evidence: "the bucket said otherwise in an earlier run (GetObjectLockConfiguration). Every version that came home stays".to_owned(),
        next: format!(
            "if nobody meant to, the key or the account that may change the bucket's settings is in other hands: revoke it, and set the retention again (`aws s3api put-object-lock-configuration --bucket {}`). If it was you, `offsite ack {}-{}`",
            crate::object::printable(bucket),
            frame.source,
            frame.number
        ),
    };
    frame.finding(LOOSENED, Severity::Alarm, None, advice)
}

pub(super) fn not_seen(frame: &Frame<'_>, why: &str) -> FindingRecord {
    let advice = Advice {
        what: "locks that the bucket told before are not told any more".to_owned(),
        evidence: why.to_owned(),
        next: format!(
            "give the key the rights s3:GetObjectRetention, s3:GetObjectLegalHold and s3:GetBucketObjectLockConfiguration again; if nobody took them away, look at the bucket's locks with your own login. Then `offsite ack {}-{}`",
            frame.source, frame.number
        ),
    };
    frame.finding(HIDDEN, Severity::Warning, None, advice)
}

pub(super) fn too_short(
    frame: &Frame<'_>,
    default: DefaultLock,
    interval: SignedDuration,
) -> FindingRecord {
    let hours = interval.as_hours().max(1);
    let advice = Advice {
        what: format!(
            "the bucket locks what comes for {default}, shorter than seven times the {hours} hours from one pull to the next"
        ),
        evidence: "the bucket's default retention (GetObjectLockConfiguration), and the beginnings of the last pulls. When this computer is off for some days, what was removed or overwritten meanwhile can be gone before it came home".to_owned(),
        next: format!(
            "lengthen the default retention at the provider, or pull more often; then `offsite ack {}-{}`",
            frame.source, frame.number
        ),
    };
    frame.finding(TOO_SHORT, Severity::Warning, None, advice)
}
