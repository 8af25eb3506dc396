//! `SHA256SUMS` against the journal and the drive.

use super::{ROWS, Work};
use crate::error::Result;
use crate::object::{Fact, Identity, Known, Sha256, Timestamp};
use crate::store::{Area, SumsLine, names};

/// What one line of the sums comes to.
enum Line {
    /// Nothing is to be done about it.
    Fine,
    /// It is right, and the catalogue has it at another place.
    Elsewhere,
    /// It vouches for a file of so many bytes, of that time, that no row speaks of.
    Adopts(u64, Timestamp),
    /// It is to be written anew; why, unless that is said already.
    Wrong(Option<&'static str>),
}

impl Work<'_, '_> {
    /// Every line of an area's sums against rows and files; whether the sums are to be written
    /// anew.
    pub(super) fn lines(&mut self, area: Area) -> Result<bool> {
        let (mut stale, mut strange) = (false, 0_u64);
        let Some(mut lines) = self.shelf.drive().sums(area)? else {
            return Ok(false);
        };
        while let Some(line) = lines.next_line()? {
            self.go_on()?;
            let SumsLine::File { at, path, sha256 } = line else {
                strange += 1;
                continue;
            };
            match self.judge(&path, at, sha256)? {
                Line::Fine => {}
                Line::Elsewhere => self.shelf.set_sums_at(&[(path, at)])?,
                Line::Adopts(bytes, time) => self.adopt(path, at, sha256, (bytes, time))?,
                Line::Wrong(why) => {
                    stale = true;
                    if let Some(why) = why {
                        self.note(&path, why);
                    }
                }
            }
        }
        if strange > 0 {
            let what = format!("{strange} of its lines are not lines of sums");
            self.note(lines.name(), what);
        }
        self.diary.flush(self.shelf)?;
        Ok(stale || strange > 0)
    }

    fn judge(&mut self, path: &str, at: u64, sha256: Sha256) -> Result<Line> {
        let rows = self.shelf.catalogue().at_path(self.shelf.name(), path)?;
        let good = rows.iter().find(|row| !self.wrong.contains_key(&row.id));
        match good {
            Some(row) if row.sha256 == Some(sha256) => match row.sums_at {
                Some(there) if there == at => Ok(Line::Fine),
                Some(there) if self.shelf.drive().sums_list(path, there)? => {
                    Ok(Line::Wrong(Some("it is listed twice in the sums")))
                }
                _ => Ok(Line::Elsewhere),
            },
            Some(row) => {
                let said = row.sha256;
                self.differs(path, &rows, said, sha256)
            }
            None => self.vouches(path, &rows, sha256),
        }
    }

    /// The journal and the sums say different things of a file. Bytes that a proven line says are
    /// right; where the line is in doubt, two words stand against each other, and neither is taken.
    fn differs(
        &mut self,
        path: &str,
        rows: &[Known],
        row: Option<Sha256>,
        sums: Sha256,
    ) -> Result<Line> {
        let found = self.hash(path)?;
        let doubted = rows.iter().any(|row| self.doubted.contains(&row.id));
        if Some(found) == row && !doubted {
            let why = "its line in the sums was of other bytes than the journal and the file";
            return Ok(Line::Wrong(Some(why)));
        }
        let said = row.filter(|row| *row != found).unwrap_or(sums);
        for row in rows {
            let why = format!("its SHA-256 is {found} instead of {said}");
            self.wrong.insert(row.id, why);
        }
        Ok(Line::Wrong(None))
    }

    /// A line of a file that no row speaks of, or only one that is wrong.
    fn vouches(&self, path: &str, rows: &[Known], sha256: Sha256) -> Result<Line> {
        let Some((bytes, time)) = self.shelf.drive().told_of(path)? else {
            let said = !rows.is_empty();
            let why = "it is listed in the sums, and is not there";
            return Ok(Line::Wrong((!said).then_some(why)));
        };
        // What a proven line of the journal says is not outdone by the sums.
        let proven = rows.iter().any(|row| !self.doubted.contains(&row.id));
        if !proven && names::key_of(path).is_ok() && self.hash(path)? == sha256 {
            return Ok(Line::Adopts(bytes, time));
        }
        match rows {
            // A stranger with a wrong line: it is named as such, and the line goes on saying so.
            [] => Ok(Line::Fine),
            _ => Ok(Line::Wrong(None)),
        }
    }

    fn hash(&self, path: &str) -> Result<Sha256> {
        let (sha256, _) = self.shelf.store().reader().hash(&self.at(path))?;
        Ok(sha256)
    }

    fn adopt(
        &mut self,
        path: String,
        sums_at: u64,
        sha256: Sha256,
        (size, last_modified): (u64, Timestamp),
    ) -> Result<()> {
        let facts = &self.shelf.store().marker().facts;
        let names = match facts.folds_case || facts.normalises {
            true => names::claims(&path).into_iter().map(|(_, c)| c).collect(),
            false => Vec::new(),
        };
        self.note(
            &path,
            "no line of the journal knew it; its line in the sums is right, and it is known by that",
        );
        self.report.adopted += 1;
        let fact = Fact::Adopted {
            key: names::key_of(&path)?,
            identity: Identity {
                version_id: None,
                etag: String::new(),
                size,
                last_modified,
            },
            sha256,
            path,
            sums_at,
            names,
            at: self.diary.now(),
        };
        self.adopted += 1;
        self.diary.add(self.shelf, fact)
    }

    /// Whether a file of the area has no line in the sums.
    pub(super) fn has_unlisted(&self, area: Area) -> Result<bool> {
        let mut after = String::new();
        loop {
            let page = self.page(area, &after)?;
            let Some((last, ..)) = page.last() else {
                return Ok(false);
            };
            after.clone_from(last);
            for (path, _, sums_at) in page {
                let listed = match sums_at {
                    Some(at) => self.shelf.drive().sums_list(&path, at)?,
                    None => false,
                };
                if !listed {
                    return Ok(true);
                }
            }
        }
    }

    /// Writes an area's sums anew, in the order of the paths.
    pub(super) fn write_sums(&mut self, area: Area) -> Result<()> {
        let Some(mut sums) = self.shelf.drive().new_sums(area)? else {
            return Ok(());
        };
        let mut after = String::new();
        loop {
            self.go_on()?;
            let page = self.page(area, &after)?;
            let mut lines: Vec<(String, u64)> = Vec::new();
            for (path, sha256, _) in page {
                let at = sums.add(&path, sha256)?;
                lines.push((path, at));
            }
            let Some((last, _)) = lines.last() else {
                break;
            };
            after.clone_from(last);
            self.shelf.set_sums_at(&lines)?;
        }
        let name = sums.publish()?;
        self.note(name, "written anew");
        Ok(())
    }

    fn page(&self, area: Area, after: &str) -> Result<Vec<(String, Sha256, Option<u64>)>> {
        let (source, catalogue) = (self.shelf.name(), self.shelf.catalogue());
        catalogue.paths(source, area.as_str(), after, ROWS)
    }
}
