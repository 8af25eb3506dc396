//! What the bucket's own rules delete: who wants backups gone quietly lets a rule of the bucket do it.

use super::group::Group;
use super::words::{Frame, many};
use super::{Pull, lost};
use crate::bucket::Rules;
use crate::error::Result;
use crate::object::{
    Advice, After, EventRecord, Expires, Expiry, Fact, FindingRecord, Severity, newly_expiring,
    printable,
};
use jiff::SignedDuration;
use tokio::runtime::Runtime;

/// What the findings are called: rules that are new, and rules that delete soon when they are first seen. An
/// open warning about these hides no alarm.
const LIFECYCLE: &str = "lifecycle";
const SOON: &str = "lifecycle-soon";
/// The event that remembers the rules as they were seen last, and how its text begins.
const RULES: &str = "lifecycle-rules";
const BEGINS: &str = "rules of the bucket that delete: ";
/// A rule that leaves so few nights to bring things home is worth a word when it is first seen.
const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);
/// So many are named in a finding.
const NAMED: usize = 5;

impl Pull {
    /// Says what rules delete since the last run that did not before, or sooner. Where nobody can tell,
    /// nothing is said, and what was known stays known.
    pub(super) fn say_lifecycle(&self, runtime: &Runtime, group: &mut Group<'_, '_>) -> Result<()> {
        if group.dry {
            return Ok(());
        }
        let rules = runtime.block_on(async {
            tokio::select! {
                rules = self.bucket.lifecycle() => rules,
                () = self.stop.wait() => Rules::Unknown,
            }
        });
        let (now, shelf) = (self.clock.now(), group.shelf());
        let last = shelf.catalogue().last_event(shelf.name(), RULES)?;
        let rules = match rules {
            Rules::Are(rules) => rules,
            Rules::Withheld if last.is_some() => {
                return group.finding_that_stays(|frame| lost::RULES.said(frame));
            }
            Rules::Withheld | Rules::Unknown => return Ok(()),
        };
        let before: Option<Vec<Expiry>> = last.and_then(|text| {
            let text = text.strip_prefix(BEGINS)?;
            serde_json::from_str(text).ok()
        });
        if before.as_ref() == Some(&rules) {
            return Ok(());
        }
        let (new, severity) = match &before {
            Some(before) => (newly_expiring(before, &rules), Severity::Alarm),
            None => {
                let soon = rules.iter().filter(|rule| rule.within(now) < WEEK);
                (soon.cloned().collect(), Severity::Warning)
            }
        };
        if !new.is_empty() {
            let make = |frame: &Frame<'_>| newly(frame, &new, severity, &self.source.bucket);
            let source = group.shelf().name().to_string();
            let frame = Frame {
                source: &source,
                number: 0,
                at: now,
            };
            let shelf = group.shelf();
            if shelf.catalogue().is_open(shelf.name(), &make(&frame))? {
                // Said when the owner has looked at the one that is open: nothing is remembered yet.
                return Ok(());
            }
            group.finding(make)?;
        }
        let Ok(text) = serde_json::to_string(&rules) else {
            return Ok(());
        };
        group.says(Fact::Event(EventRecord {
            kind: RULES.to_owned(),
            key: None,
            text: format!("{BEGINS}{text}"),
            at: now,
        }))
    }
}

fn newly(frame: &Frame<'_>, new: &[Expiry], severity: Severity, bucket: &str) -> FindingRecord {
    let mut rules: Vec<String> = new
        .iter()
        .take(NAMED)
        .map(|rule| words(rule, frame))
        .collect();
    if new.len() > NAMED {
        rules.push(format!("and {} more", new.len() - NAMED));
    }
    let rules = rules.join("; ");
    let bucket = printable(bucket);
    let advice = match severity {
        Severity::Alarm => Advice {
            what: format!("the bucket has new rules that delete: {rules}"),
            evidence: "the bucket's lifecycle rules (GetBucketLifecycleConfiguration) delete more, or sooner, than in an earlier run. What came home stays here".to_owned(),
            next: format!(
                "if nobody meant to, the key or the account that may change the bucket's settings is in other hands: revoke it, look at `aws s3api get-bucket-lifecycle-configuration --bucket {bucket}`, and take the rule away before that day. If it was you, `offsite ack {}-{}`",
                frame.source, frame.number
            ),
        },
        Severity::Warning => Advice {
            what: format!("rules of the bucket delete within a week: {rules}"),
            evidence: "the bucket's lifecycle rules (GetBucketLifecycleConfiguration), seen for the first time. If this computer is off for as long, what they delete does not come home".to_owned(),
            next: format!(
                "if they are yours, `offsite ack {}-{}`; if not, `aws s3api get-bucket-lifecycle-configuration --bucket {bucket}` shows them",
                frame.source, frame.number
            ),
        },
    };
    let kind = match severity {
        Severity::Alarm => LIFECYCLE,
        Severity::Warning => SOON,
    };
    frame.finding(kind, severity, None, advice)
}

fn words(rule: &Expiry, frame: &Frame<'_>) -> String {
    let under = match rule.under.as_str() {
        "" => "everything".to_owned(),
        under => format!("everything under {}", printable(under)),
    };
    let what = match rule.of {
        Expires::Current => under,
        Expires::Older => format!("older versions of {under}"),
    };
    let only = rule.only.as_ref();
    let only = only.map_or_else(String::new, |only| format!(" (only: {})", printable(only)));
    let keeps = match rule.keeps {
        0 => String::new(),
        keeps => format!(", but the last {keeps}"),
    };
    let day = rule.from(frame.at).strftime("%Y-%m-%d");
    match (rule.after, rule.of) {
        (After::On(_), _) => format!("{what}{only}{keeps}, from {day} on"),
        (After::Days(days), Expires::Current) => format!(
            "{what}{only}, {} after it was written: of what is new, from {day} on; of what is older, at once",
            many(days.into(), "a day", "days")
        ),
        (After::Days(days), Expires::Older) => format!(
            "{what}{only}{keeps}, {} after they were replaced or deleted: of what is current, from {day} on at the earliest",
            many(days.into(), "a day", "days")
        ),
    }
}
