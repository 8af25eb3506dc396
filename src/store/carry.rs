//! Carries out what a group of the journal says. The first time and after a crash it is the same
//! function, and doing it again changes nothing: each step looks whether it was done.

use super::dir::Dir;
use super::hash;
use super::incoming::{self, mark_of, marked};
use super::names::NamingRule;
use super::sums::Lines;
use super::touched::{Touched, sync};
use crate::error::{Error, Result};
use crate::object::{Clock, Displaced, Healed, Moved, PlaceRecord, Record, State};
use std::fmt::Write as _;
use std::io::Write as _;

/// A source's folder and what its drive can do.
#[derive(Clone, Debug)]
pub(super) struct Drive {
    pub(super) dir: Dir,
    pub(super) rule: NamingRule,
    pub(super) hard_links: bool,
    pub(super) syncfs: bool,
    pub(super) clock: Clock,
    /// Steps until the power goes; for tests of crashes.
    #[cfg(test)]
    pub(super) fuse: std::sync::Arc<std::sync::atomic::AtomicI64>,
}

impl Drive {
    /// Between any two changes of the drive the power may go; tests say when.
    pub(super) fn step(&self) -> Result<()> {
        #[cfg(test)]
        if self.fuse.fetch_sub(1, std::sync::atomic::Ordering::SeqCst) == 0 {
            return Err(Error::new(crate::error::Kind::Run, "the power went"));
        }
        Ok(())
    }

    fn sync(&self, touched: &mut Touched) -> Result<()> {
        self.step()?;
        sync(&self.dir, self.syncfs, touched)
    }

    /// Makes the downloads of a group durable.
    pub(super) fn sync_payload(&self, records: &[Record]) -> Result<()> {
        let mut touched = Touched::default();
        for record in records {
            match record {
                Record::Place(PlaceRecord { from, .. }) | Record::Heal(Healed { from, .. }) => {
                    touched.file(from);
                }
                Record::Move(_) | Record::Fact(_) => {}
            }
        }
        self.sync(&mut touched)
    }
}

fn placed(record: &Record) -> Option<&PlaceRecord> {
    match record {
        Record::Place(place) => Some(place),
        Record::Move(_) | Record::Heal(_) | Record::Fact(_) => None,
    }
}

/// Gives every file of a journalled group its name: first a second name for those that make room,
/// synced; then the new ones, over them; then the sums; then everything synced. `again` after a
/// crash, when some of it may be done.
///
/// Says which records' files are neither where they were nor where they go: bytes that a drive
/// said were safe and lost, or that somebody took away before the group was finished.
pub(super) fn carry_out(drive: &Drive, records: &[Record], again: bool) -> Result<Vec<usize>> {
    if records.iter().all(|r| matches!(r, Record::Fact(_))) {
        return Ok(Vec::new());
    }
    let mut touched = Touched::default();
    for place in records.iter().filter_map(placed) {
        if let Some(displaced) = &place.displaced {
            stand_aside(drive, place, displaced, &mut touched)?;
        }
    }
    drive.sync(&mut touched)?;
    let mut lost = Vec::new();
    for (number, record) in records.iter().enumerate() {
        match record {
            Record::Place(place) if !put(drive, place, again, &mut touched)? => lost.push(number),
            Record::Move(moved) => shift(drive, moved, &mut touched)?,
            Record::Heal(healed) if !heal(drive, healed, again, &mut touched)? => lost.push(number),
            Record::Place(_) | Record::Heal(_) | Record::Fact(_) => {}
        }
    }
    drive.step()?;
    lines(records, &lost).write(&drive.dir, &mut touched)?;
    drive.sync(&mut touched)?;
    forget_marks(drive, records);
    forget_rotten(drive, records)?;
    Ok(lost)
}

/// The file under `place.path` gets its name in `history/`, and keeps the one it has.
fn stand_aside(
    drive: &Drive,
    place: &PlaceRecord,
    displaced: &Displaced,
    touched: &mut Touched,
) -> Result<()> {
    let dir = &drive.dir;
    touched.name(&displaced.to);
    // Once the newcomer has left its place, what stands under the name is the newcomer.
    let done = dir.stat(&displaced.to)?.is_some() || dir.bytes(&place.from)?.is_none();
    if done || dir.bytes(&place.path)?.is_none() {
        return Ok(());
    }
    drive.step()?;
    dir.make_way(&displaced.to)?;
    if drive.hard_links && dir.link(&place.path, &displaced.to)? {
        return Ok(());
    }
    copy(drive, &place.path, displaced)
}

/// A second file where a second name is impossible. It gets its name when it is whole.
fn copy(drive: &Drive, from: &str, displaced: &Displaced) -> Result<()> {
    let dir = &drive.dir;
    let fail = |e| Error::io("copy", dir.path().join(from), e);
    let to = &displaced.to;
    let fresh = format!(
        "{}/{}.copy",
        incoming::FOLDER,
        hash::of(&[to.as_bytes()]).short()
    );
    let mut file = dir.create(&fresh)?;
    let (sha256, _) =
        hash::pour(dir.read(from)?, &mut |piece| file.write_all(piece)).map_err(fail)?;
    file.sync_all().map_err(fail)?;
    if sha256 != displaced.sha256 {
        log::warn!("{to}: its bytes are not those that were stored; kept as they are");
    }
    drive.step()?;
    dir.rename(&fresh, to)
}

/// Gives new bytes their name. `false` where they are in neither place.
fn put(drive: &Drive, place: &PlaceRecord, again: bool, touched: &mut Touched) -> Result<bool> {
    let dir = &drive.dir;
    touched.name(&place.from);
    touched.name(&place.path);
    let ready = dir.bytes(&place.from)? == Some(place.bytes);
    if again && is_put(dir, place, ready)? {
        return Ok(true);
    }
    if !ready {
        return Ok(false);
    }
    drive.step()?;
    dir.make_way(&place.path)?;
    if place.state == State::Quarantined {
        let note = format!("{}.txt", place.path);
        dir.create(&note)?
            .write_all(why_quarantined(place).as_bytes())
            .map_err(|e| Error::io("write", dir.path().join(&note), e))?;
        touched.file(&note);
        drive.step()?;
    }
    dir.rename(&place.from, &place.path)?;
    Ok(true)
}

/// Whether the new bytes have their name. What stands there is read where it could be the file
/// that was to make room, or where there are two.
fn is_put(dir: &Dir, place: &PlaceRecord, ready: bool) -> Result<bool> {
    let there = dir.bytes(&place.path)? == Some(place.bytes);
    if !there || (!ready && place.displaced.is_none()) {
        return Ok(there);
    }
    Ok(hash::of_file(dir, &place.path)? == place.sha256)
}

/// What the owner finds beside bytes in quarantine.
fn why_quarantined(place: &PlaceRecord) -> String {
    let mut text = format!(
        "These bytes are not what the bucket said they would be. Do not restore from them.\n\n\
         key            {}\nversion        {}\nlast modified  {}\nETag           {}\n\
         length         {} bytes came, {} were listed\nSHA-256        {}\nfetched        {}\n\n\
         evidence       verdict  expected\n",
        place.key,
        place
            .identity
            .version_id
            .as_deref()
            .unwrap_or("-")
            .escape_debug(),
        place.identity.last_modified,
        place.identity.etag.escape_debug(),
        place.bytes,
        place.identity.size,
        place.sha256,
        place.at,
    );
    for proof in &place.proofs {
        let _ = writeln!(
            text,
            "{:<14} {:<8} {}",
            proof.name.escape_debug().to_string(),
            proof.verdict,
            proof.expected.escape_debug(),
        );
    }
    text
}

/// A stored file gets another name. The new name was free, so where it is taken it is done.
fn shift(drive: &Drive, moved: &Moved, touched: &mut Touched) -> Result<()> {
    let dir = &drive.dir;
    touched.name(&moved.from);
    touched.name(&moved.to);
    if dir.stat(&moved.to)?.is_some() || dir.bytes(&moved.from)?.is_none() {
        return Ok(());
    }
    drive.step()?;
    dir.make_way(&moved.to)?;
    dir.rename(&moved.from, &moved.to)
}

/// A file that had rotted waits in `quarantine/` while the good bytes get its name. `false` where
/// those are in neither place.
fn heal(drive: &Drive, healed: &Healed, again: bool, touched: &mut Touched) -> Result<bool> {
    let dir = &drive.dir;
    touched.name(&healed.from);
    touched.name(&healed.path);
    let ready = dir.bytes(&healed.from)? == Some(healed.bytes);
    // What lies in `incoming/` may have come for another file since, and been cut off: a file that is
    // whole never makes room for it.
    if (again || !ready) && is_whole(dir, healed)? {
        return Ok(true);
    }
    if !ready || (again && hash::of_file(dir, &healed.from)? != healed.sha256) {
        return Ok(false);
    }
    if let Some(aside) = &healed.aside
        && dir.stat(&healed.path)?.is_some()
    {
        touched.name(aside);
        drive.step()?;
        dir.make_way(aside)?;
        dir.rename(&healed.path, aside)?;
    }
    drive.step()?;
    dir.make_way(&healed.path)?;
    dir.rename(&healed.from, &healed.path)?;
    Ok(true)
}

fn is_whole(dir: &Dir, healed: &Healed) -> Result<bool> {
    Ok(dir.bytes(&healed.path)? == Some(healed.bytes)
        && hash::of_file(dir, &healed.path)? == healed.sha256)
}

/// The rotten bytes of files that stand whole, synced, and were read once more.
fn forget_rotten(drive: &Drive, records: &[Record]) -> Result<()> {
    for record in records {
        let Record::Heal(
            healed @ Healed {
                aside: Some(aside), ..
            },
        ) = record
        else {
            continue;
        };
        if drive.dir.bytes(aside)?.is_none() {
            continue;
        }
        drive.step()?;
        match is_whole(&drive.dir, healed)? {
            true => drive.dir.unlink(aside)?,
            false => log::warn!(
                "{}: still not what was stored; {aside} is kept",
                healed.path
            ),
        }
    }
    Ok(())
}

fn lines(records: &[Record], lost: &[usize]) -> Lines {
    let mut lines = Lines::default();
    for (number, record) in records.iter().enumerate() {
        match record {
            Record::Place(place) => {
                let sha256 = (!lost.contains(&number)).then_some(place.sha256);
                lines.set(&place.path, place.sums_at, sha256);
                if let Some(displaced) = &place.displaced {
                    lines.set(&displaced.to, displaced.sums_at, Some(displaced.sha256));
                }
                // A version that was held leaves its name in `history/`.
                lines.retire(&place.from);
            }
            Record::Move(moved) => {
                match moved.sums_from {
                    Some(at) => lines.set(&moved.from, Some(at), None),
                    None => lines.retire(&moved.from),
                }
                lines.set(&moved.to, moved.sums_at, Some(moved.sha256));
            }
            Record::Heal(healed) if !lost.contains(&number) => {
                lines.set(&healed.path, healed.sums_at, Some(healed.sha256));
            }
            Record::Heal(_) | Record::Fact(_) => {}
        }
    }
    lines
}

/// Watermarks of downloads that are done. Not worth a failure: `sweep` takes what stays.
fn forget_marks(drive: &Drive, records: &[Record]) {
    for place in records.iter().filter_map(placed) {
        if place.from.starts_with(incoming::FOLDER)
            && marked(place.identity.size)
            && let Err(e) = drive.dir.unlink(&mark_of(&place.from))
        {
            log::debug!("a watermark stays: {e}");
        }
    }
}
