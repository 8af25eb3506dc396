//! Whether the bucket still keeps versions: who wants to overwrite for good switches that off first.

use super::group::Group;
use super::words::Frame;
use super::{Pull, lost};
use crate::bucket::Versioning;
use crate::config::Versions;
use crate::error::Result;
use crate::object::{Advice, EventRecord, Fact, FindingRecord, Severity, Timestamp};

/// The events that remember what was seen last.
pub(super) const ON: &str = "versioning-on";
pub(super) const OFF: &str = "versioning-off";

impl Pull {
    /// Says, once, that the bucket kept versions when it was asked last, and does so no more.
    pub(super) fn say_versioning(
        &self,
        group: &mut Group<'_, '_>,
        keeps: Versioning,
    ) -> Result<()> {
        let shelf = group.shelf();
        let last = shelf.catalogue().said_last(shelf.name(), [ON, OFF])?;
        let (was_on, now) = (last.as_deref() == Some(ON), self.clock.now());
        match keeps {
            Versioning::On if !was_on => group.says(Fact::Event(on(now))),
            Versioning::Unknown if was_on && self.source.versions == Versions::Auto => {
                group.finding_that_stays(|frame| lost::VERSIONING.said(frame))
            }
            Versioning::Suspended | Versioning::Off if was_on => {
                group.finding(|frame| switched_off(frame, &self.source.bucket))?;
                group.says(Fact::Event(off(now)))
            }
            _ => Ok(()),
        }
    }
}

fn on(at: Timestamp) -> EventRecord {
    EventRecord {
        kind: ON.to_owned(),
        key: None,
        text: "the bucket keeps versions".to_owned(),
        at,
    }
}

fn off(at: Timestamp) -> EventRecord {
    EventRecord {
        kind: OFF.to_owned(),
        key: None,
        text: "the bucket keeps no new versions any more".to_owned(),
        at,
    }
}

fn switched_off(frame: &Frame<'_>, bucket: &str) -> FindingRecord {
    let advice = Advice {
        what: "versioning was switched off: what is overwritten in the bucket now is gone there".to_owned(),
        evidence: "the bucket said in an earlier run that it keeps versions, and says now that it does not (GetBucketVersioning). Every version that came home stays".to_owned(),
        next: format!(
            "if nobody meant to, the key or the account that may change the bucket's settings is in other hands: revoke it, then `aws s3api put-bucket-versioning --bucket {} --versioning-configuration Status=Enabled`. If it was you, `offsite ack {}-{}`",
            crate::object::printable(bucket),
            frame.source,
            frame.number
        ),
    };
    frame.finding(OFF, Severity::Alarm, None, advice)
}
