//! A store on another drive: a clone, or one that was mounted elsewhere.

use super::lock::{Lock, Manner};
use super::marker::Marker;
use super::names::NamingRule;
use super::{InitOptions, Reader, Store, guard, mounts, probe};
use crate::error::{Error, Kind, Result};
use crate::object::Clock;
use std::path::Path;

impl Store {
    /// Tries out anew what the drive under the store in `dir` can do, and writes it into the
    /// marker, with the file system's UUID. Nothing else of the store changes.
    ///
    /// Errors are [`Kind::Store`] as for [`Store::init`], and where the drive cannot have the names
    /// that the store has; [`Kind::Locked`] while somebody writes to it.
    pub fn rebind(dir: &Path, options: &InitOptions<'_>) -> Result<Marker> {
        let (held, mut marker) = guard::marked(dir)?;
        guard::check_place(&held, options.allow_root_fs)?;
        probe::refuse_fat(&mounts::of(&held)?, dir)?;
        let clock = Clock::standing_at(options.now);
        let _lock = Lock::take(&held, &clock, &Manner::default())?;
        let facts = probe::facts(&held, options.probe_sqlite)?;
        let other = Marker {
            naming: probe::naming(&facts),
            facts,
            ..marker.clone()
        };
        if let Some(why) = clash(&marker, &other) {
            let what = format!(
                "the store {} cannot live on this drive: {why}",
                dir.display()
            );
            return Err(Error::new(Kind::Store, what)
                .hint("take a drive of the kind that it was made on, or make a new store there with `offsite init`"));
        }
        marker.facts = other.facts;
        marker.write(&held)?;
        Ok(marker)
    }
}

impl Reader {
    /// The UUID of the file system that the store is on now, where the system tells.
    pub fn uuid(&self) -> Result<Option<String>> {
        Ok(mounts::uuid(&mounts::of(&self.dir)?))
    }
}

/// Why a store that was made like `made` cannot go on where things are like `now`. The other way
/// round is no matter: names that a stricter drive can have, every drive can.
fn clash(made: &Marker, now: &Marker) -> Option<&'static str> {
    let (was, is) = (&made.facts, &now.facts);
    if made.naming == NamingRule::Posix && now.naming == NamingRule::Portable {
        return Some("it was made where names can have any character, and here some are forbidden");
    }
    if is.folds_case && !was.folds_case {
        return Some("it was made where A and a are two names, and here they are one");
    }
    (is.normalises && !was.normalises)
        .then_some("it was made where two spellings of é are two names, and here they are one")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marker(naming: NamingRule, folds_case: bool, normalises: bool) -> Marker {
        let mut facts = super::super::marker::tests::facts();
        (facts.folds_case, facts.normalises) = (folds_case, normalises);
        Marker {
            id: "01JABC".into(),
            format: 1,
            naming,
            created: crate::object::from_ms(0),
            mirror_of: None,
            facts,
        }
    }

    #[test]
    fn a_store_goes_only_where_its_names_can_be() {
        use NamingRule::{Portable, Posix};
        let strict = marker(Portable, true, true);
        let lax = marker(Posix, false, false);
        for (made, now, fits) in [
            (&lax, &lax, true),
            (&strict, &strict, true),
            (&strict, &lax, true),
            (&lax, &strict, false),
            (&lax, &marker(Portable, false, false), false),
            (&lax, &marker(Posix, true, false), false),
            (&lax, &marker(Posix, false, true), false),
        ] {
            assert_eq!(clash(made, now).is_none(), fits, "{made:?} {now:?}");
        }
    }
}
