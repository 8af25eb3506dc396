//! Our own clock: a Raspberry Pi without one of its own starts at a time that was.

use super::group::Group;
use super::words::Frame;
use crate::error::Result;
use crate::object::{Ack, Advice, Fact, FindingRecord, Severity, Timestamp};
use jiff::SignedDuration;

/// What the finding is called.
const BACK: &str = "clock-back";
/// Clocks are set right by a little.
const SLACK: SignedDuration = SignedDuration::from_hours(1);

/// Says that it is earlier now than when an earlier run ended; once it is not, what was said of it closes by
/// itself.
pub(super) fn say(group: &mut Group<'_, '_>) -> Result<()> {
    let now = group.now();
    let shelf = group.shelf();
    let (rows, name) = (shelf.catalogue(), shelf.name());
    let before = rows.ended_last(name)?;
    if let Some(before) = before.filter(|before| before.duration_since(now) > SLACK) {
        return group.finding_that_stays(|frame| back(frame, before));
    }
    let said = rows.findings_of(name, BACK)?.into_iter();
    for row in said.filter(|row| row.ack.is_none()) {
        group.fact(Fact::Ack(Ack {
            finding: row.finding.id,
            note: Some("closed by itself: the clock is past that time".to_owned()),
            accepted: false,
            at: now,
        }));
    }
    Ok(())
}

fn back(frame: &Frame<'_>, before: Timestamp) -> FindingRecord {
    let advice = Advice {
        what: format!(
            "time runs backwards: an earlier run ended at {}, which is yet to come by this computer's clock",
            before.strftime("%Y-%m-%d %H:%M UTC")
        ),
        evidence: "the runs that the catalogue has. This computer's clock is behind now, or it was ahead then"
            .to_owned(),
        next: format!(
            "look at it with `timedatectl`, and set it: `timedatectl set-ntp true`; a Raspberry Pi has no clock of its own and needs the network for it. This closes by itself. If it was ahead then, `offsite ack {}-{}`",
            frame.source, frame.number
        ),
    };
    frame.finding(BACK, Severity::Warning, None, advice)
}
