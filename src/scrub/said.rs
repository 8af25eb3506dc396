//! What a scrub writes down: what it read, what it healed, and what the owner must know.

use super::heal::heal;
use super::lost::{lost, regain};
use super::{Damaged, Fault, Found, Healer, Scrub};
use crate::catalogue::Catalogue;
use crate::digest::{Evidence, Hasher};
use crate::error::Result;
use crate::home::{Diary, Home, Shelf};
use crate::object::{Advice, Care, Fact, Scrubbed, Severity, SourceName, Timestamp, printable};
use std::collections::BTreeSet;

/// So many files are named in a finding.
const SAID: usize = 10;
/// So many scrubs make a trend.
const TREND: u32 = 5;

impl Scrub<'_> {
    /// Heals what `healers` and the drive itself have good bytes for (nothing without healers being
    /// asked for: `None`), and writes down what was found.
    ///
    /// # Errors
    /// Where the drive cannot be written to, or has no room to heal. What was found is in `found` all the
    /// same, and written down as far as that could be done.
    pub fn write_down(
        &self,
        home: &mut Home,
        found: &mut Found,
        mut healers: Option<Vec<Box<dyn Healer + '_>>>,
    ) -> Result<()> {
        let mut done = Ok(());
        let concerned = concerned(found)?;
        let mut sources = concerned.clone();
        if healers.is_some() {
            // One that has no file to be read may have lost all of them.
            sources.extend(home.catalogue().sources()?.into_iter().map(|row| row.name));
        }
        for source in sources {
            let mut shelf = home.shelf_of(&source)?;
            let mut diary = Diary::new("scrub", self.clock);
            let mut damaged = take(found, &source);
            // A drive that failed once is not written to for the next source either, but for the words.
            if let (Some(healers), Ok(())) = (&mut healers, &done) {
                done = self.heal_all((&mut shelf, &mut diary), &mut damaged, healers);
                found.interrupted |= self.stop.requested();
            }
            if damaged.is_empty() && !concerned.contains(&source) {
                continue;
            }
            let told = say(&mut shelf, &mut diary, found, &damaged);
            found.damaged.append(&mut damaged);
            let ended = match (found.interrupted, found.given_up || done.is_err()) {
                (true, _) => "interrupted",
                (false, true) => "partial",
                (false, false) => "complete",
            };
            let closed = told.and_then(|()| diary.close(&mut shelf, ended));
            done = done.and(closed);
        }
        found.acknowledged = done.is_ok() && is_acknowledged(home.catalogue(), found)?;
        done
    }

    fn heal_all(
        &self,
        (shelf, diary): (&mut Shelf<'_>, &mut Diary<'_>),
        damaged: &mut Vec<Damaged>,
        healers: &mut [Box<dyn Healer + '_>],
    ) -> Result<()> {
        for one in &mut *damaged {
            if self.stop.requested() {
                return Ok(());
            }
            heal(shelf, diary, one, healers, (self.stop, self.reporter))?;
        }
        for version in lost(shelf.catalogue(), shelf.name())? {
            if self.stop.requested() {
                break;
            }
            damaged.extend(regain((shelf, diary), &version, healers, self.stop)?);
        }
        Ok(())
    }
}

/// Whether the owner has acknowledged all that was said of what is wrong: each such thing is said
/// when it is found, or was before.
fn is_acknowledged(catalogue: &Catalogue, found: &Found) -> Result<bool> {
    let mut wrong = BTreeSet::new();
    let still = found.damaged.iter().filter(|one| one.healed.is_none());
    for one in still {
        wrong.insert(SourceName::new(one.version.source.as_str())?);
    }
    let around = found.journals.iter().chain(&found.unread);
    wrong.extend(around.map(|(source, _)| source.clone()));
    if wrong.is_empty() || !found.catalogue.is_empty() {
        return Ok(false);
    }
    let open = catalogue.findings(true)?;
    Ok(!open.iter().any(|row| {
        wrong.contains(&row.source)
            && matches!(
                row.finding.care(),
                Some(Care::Rot | Care::SumsWrong | Care::ReadErrors | Care::JournalBroken)
            )
    }))
}

/// The sources that there is something to write of.
fn concerned(found: &Found) -> Result<BTreeSet<SourceName>> {
    let mut sources = BTreeSet::new();
    for (name, ..) in &found.by_source {
        sources.insert(SourceName::new(name.as_str())?);
    }
    sources.extend(found.strangers.iter().map(|(source, _)| source.clone()));
    sources.extend(found.journals.iter().map(|(source, _)| source.clone()));
    sources.extend(found.unread.iter().map(|(source, _)| source.clone()));
    Ok(sources)
}

fn take(found: &mut Found, source: &SourceName) -> Vec<Damaged> {
    let all = std::mem::take(&mut found.damaged);
    let (mine, others) = all
        .into_iter()
        .partition(|damaged| damaged.version.source == source.as_str());
    found.damaged = others;
    mine
}

fn say(
    shelf: &mut Shelf<'_>,
    diary: &mut Diary<'_>,
    found: &Found,
    damaged: &[Damaged],
) -> Result<()> {
    let source = shelf.name().clone();
    let unreadable = |damaged: &&Damaged| matches!(damaged.fault, Fault::Unreadable(_));
    let unread = found.unread.iter().filter(|(name, _)| *name == source);
    let unread = unread.count();
    let healed = damaged.iter().filter(|d| d.healed.is_some()).count();
    let read = found
        .by_source
        .iter()
        .find(|(name, ..)| name == source.as_str());
    let scrubbed = Scrubbed {
        files: read.map_or(0, |(_, files, _)| *files),
        bytes: read.map_or(0, |(.., bytes)| *bytes),
        damaged: damaged.len() as u64,
        healed: healed as u64,
        read_errors: (damaged.iter().filter(unreadable).count() + unread) as u64,
        at: diary.now(),
    };
    for (_, (path, what)) in found.journals.iter().filter(|(name, _)| *name == source) {
        let name = path.rsplit('/').next().unwrap_or(path);
        diary.journal_broken(
            shelf,
            format!("journal/{name}, {what} (1 such places in all)"),
        )?;
    }
    rotten(shelf, diary, damaged)?;
    unknown(shelf, diary, found)?;
    read_errors(shelf, diary, &scrubbed, (found, damaged))?;
    diary.add(shelf, Fact::Scrubbed(scrubbed))
}

fn rotten(shelf: &mut Shelf<'_>, diary: &mut Diary<'_>, damaged: &[Damaged]) -> Result<()> {
    let words = |one: &&Damaged| (one.path.clone(), format!(": {}", one.fault));
    let (lines, files): (Vec<_>, Vec<_>) = damaged.iter().partition(|d| d.fault == Fault::Line);
    wrong_lines(shelf, diary, &lines)?;
    let (healed, still): (Vec<_>, Vec<_>) = files.into_iter().partition(|d| d.healed.is_some());
    if !still.is_empty() {
        let advice = Advice {
            what: format!(
                "{} not what was stored: rotten, missing, or changed",
                are(still.len(), "file of the copy is", "files of the copy are")
            ),
            evidence: list(still.iter().map(words)),
            next: "`offsite scrub --heal` fetches them again from the bucket, or takes them from a mirror (--from DIR); `offsite restore` names the older version that is whole. Look at the drive's health (smartctl), and at who can write to it".to_owned(),
        };
        // What was right since it was said last went wrong once more.
        let right_at = still.iter().filter_map(|one| one.right_at).max();
        let since = right_at.unwrap_or(Timestamp::MIN);
        diary.finding_since(shelf, Care::Rot, Severity::Alarm, advice, since)?;
    }
    if !healed.is_empty() {
        let advice = Advice {
            what: format!(
                "{} not what was stored, and whole again",
                are(
                    healed.len(),
                    "file of the copy was",
                    "files of the copy were"
                )
            ),
            evidence: list(healed.iter().map(words)),
            next: "where bytes rot, more will: look at the drive's health (smartctl), and have a second copy (`offsite mirror`)".to_owned(),
        };
        diary.finding(shelf, Care::RotHealed, Severity::Warning, advice)?;
    }
    Ok(())
}

/// The files are whole: what a person would check them by is not.
fn wrong_lines(shelf: &mut Shelf<'_>, diary: &mut Diary<'_>, lines: &[&Damaged]) -> Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let advice = Advice {
        what: format!(
            "{} not what was written, of files that are whole",
            are(lines.len(), "line of SHA256SUMS is", "lines of SHA256SUMS are")
        ),
        evidence: list(lines.iter().map(|one| (one.path.clone(), String::new()))),
        next: "`offsite catalogue rebuild` writes them anew. Find out who can write to the store: a digest that is changed may be meant for a file that is to be changed next".to_owned(),
    };
    let right_at = lines.iter().filter_map(|one| one.right_at).max();
    let since = right_at.unwrap_or(Timestamp::MIN);
    diary.finding_since(shelf, Care::SumsWrong, Severity::Alarm, advice, since)
}

fn unknown(shelf: &mut Shelf<'_>, diary: &mut Diary<'_>, found: &Found) -> Result<()> {
    let mut mine: Vec<_> = found
        .strangers
        .iter()
        .filter(|(name, _)| name == shelf.name())
        .map(|(_, (path, _))| (path.clone(), String::new()))
        .collect();
    if found.passed_over.names > 0 {
        // Every scrub saw others of them: what was said of one that saw more is not news.
        let said = shelf
            .catalogue()
            .findings_of(shelf.name(), Care::UnknownFiles.as_str())?;
        if said.iter().any(|row| row.ack.is_none()) {
            return Ok(());
        }
        mine.retain(|(path, _)| {
            !said
                .iter()
                .any(|row| names(&row.finding.advice.evidence, path))
        });
    }
    if mine.is_empty() {
        return Ok(());
    }
    let advice = Advice {
        what: format!(
            "{} in the store that offsite did not put there",
            are(mine.len(), "file lies", "files lie")
        ),
        evidence: list(mine.iter().cloned()),
        next: "if you put them there, move them out of the store; if you did not, find out who can write to it. `offsite catalogue rebuild` takes those in that SHA256SUMS vouches for".to_owned(),
    };
    diary.finding_once(shelf, Care::UnknownFiles, Severity::Warning, advice)
}

/// A drive that cannot read what it once wrote, and how that goes.
fn read_errors(
    shelf: &mut Shelf<'_>,
    diary: &mut Diary<'_>,
    now: &Scrubbed,
    (found, damaged): (&Found, &[Damaged]),
) -> Result<()> {
    if now.read_errors == 0 {
        return Ok(());
    }
    let source = shelf.name().clone();
    let open = shelf.catalogue().findings(true)?;
    if open
        .iter()
        .any(|row| row.source == source && row.finding.care() == Some(Care::ReadErrors))
    {
        return Ok(());
    }
    let before = shelf.catalogue().scrubs(&source, TREND)?;
    let trend: Vec<String> = before
        .iter()
        .rev()
        .chain([now])
        .map(|scrub| scrub.read_errors.to_string())
        .collect();
    let unreadable = |one: &&Damaged| matches!(one.fault, Fault::Unreadable(_));
    let files = damaged
        .iter()
        .filter(unreadable)
        .map(|one| one.path.clone());
    let others = found.unread.iter().filter(|(name, _)| *name == source);
    let others = others.map(|(_, (path, _))| path.clone());
    let evidence = list(files.chain(others).map(|path| (path, String::new())));
    let advice = Advice {
        what: format!(
            "the drive could not read {} of this source (in the last scrubs: {})",
            are(now.read_errors as usize, "file or folder", "files and folders"),
            trend.join(", ")
        ),
        evidence,
        next: "a drive that begins like this soon ends: copy it to another one while it can be read (`offsite mirror --to DIR`), check cable and power, and replace it".to_owned(),
    };
    diary.finding_once(shelf, Care::ReadErrors, Severity::Warning, advice)
}

fn are(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Whether a [`list`] has it.
fn names(list: &str, path: &str) -> bool {
    let path = printable(path).to_string();
    list.split("; ").any(|named| named == path)
}

/// Files by their paths, each with what is said of it. All of them decide what it says: another one is
/// news, also where it is not named.
fn list(files: impl Iterator<Item = (String, String)>) -> String {
    let mut files: Vec<_> = files.collect();
    files.sort();
    let named = files.iter().take(SAID);
    let named = named.map(|(path, words)| format!("{}{words}", printable(path)));
    let mut said = named.collect::<Vec<_>>().join("; ");
    if let Some(more @ 1..) = files.len().checked_sub(SAID) {
        let mut paths = Hasher::new(&Evidence::default());
        for (path, _) in &files {
            paths.update(path.as_bytes());
            paths.update(b"\n");
        }
        said.push_str(&format!(
            "; and {more} more (the paths of all, sorted, a line each, have the SHA-256 {})",
            paths.sha256_so_far()
        ));
    }
    said
}
