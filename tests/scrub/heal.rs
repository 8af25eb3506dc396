//! Good bytes in the place of those that are not, from wherever they are left.

use crate::support::Nights;
use crate::support::nights::sha256;
use crate::{checked, flip, rots};
use offsite::demo::bucket::{Checksum, PutOptions, Versioning};
use offsite::home::{Home, Shelf};
use offsite::object::{Clock, Sha256, StoredVersion};
use offsite::outcome::{Silent, Stop};
use offsite::scrub::{Found, Ground, Healer, Limits, OtherStore, Scrub, Unhealed};
use offsite::store::Whole;
use std::fs;

/// What lies in `quarantine/` and `incoming/`.
fn left(nights: &Nights) -> Vec<String> {
    let areas = [
        offsite::store::Area::Quarantine,
        offsite::store::Area::Incoming,
    ];
    areas.map(|area| nights.paths(area)).concat()
}

#[test]
fn the_current_version_comes_again_from_the_bucket() {
    for harm in [
        (|file| rots(file, &flip)) as fn(&std::path::Path),
        |file| fs::remove_file(file).unwrap(),
        |file| rots(file, &|bytes| bytes.truncate(2)),
    ] {
        let nights = checked();
        let file = nights.file_of("daily.age", "third!");
        harm(&file);
        nights
            .configured(&["scrub", "--all", "--heal"])
            .exits(0)
            .says(&[
                "HEALED www/latest/daily.age: ",
                "-> from the bucket",
                "; 1 healed",
            ]);
        assert_eq!(fs::read(&file).unwrap(), b"third!");
        assert!(left(&nights).is_empty(), "{:?}", left(&nights));
        assert_eq!(nights.open_kinds(), ["rot-healed"]);
        assert_eq!(nights.events("daily.age").last().unwrap(), "healed");
        nights.offsite(&["scrub", "--all"]).exits(0);
        assert!(nights.check().problems.is_empty());
        nights.offsite(&["catalogue", "rebuild", "--deep"]).exits(0);
    }
}

/// An older version of a versioned bucket is asked for by its id.
#[test]
fn an_older_version_comes_again_by_its_id() {
    let mut nights = Nights::new();
    nights.bucket.set_versioning(Versioning::Enabled);
    for bytes in ["first.", "second"] {
        nights.bucket.put("daily.age", bytes);
        nights.night();
    }
    let file = nights.file_of("daily.age", "first.");
    assert!(file.starts_with(nights.shelf().join("history")));
    rots(&file, &flip);
    nights.configured(&["scrub", "--all", "--heal"]).exits(0);
    assert_eq!(fs::read(&file).unwrap(), b"first.");
    assert!(left(&nights).is_empty());
}

/// A bucket whose ETags look like digests and are none contradicts nothing.
#[test]
fn what_earlier_runs_learnt_of_the_bucket_counts() {
    let mut nights = Nights::new();
    nights.bucket.with_faults(|f| f.opaque_etags = true);
    let checked = PutOptions {
        checksum: Some(Checksum::Crc32),
        ..PutOptions::default()
    };
    nights.bucket.put_with("daily.age", "third!", checked);
    nights.night();
    nights.bucket.put("first.age", "first!");
    nights.night();
    assert_eq!(nights.open_kinds(), ["opaque-etags"]);
    let file = nights.file_of("first.age", "first!");
    rots(&file, &flip);
    nights.configured(&["scrub", "--all", "--heal"]).exits(0);
    assert_eq!(fs::read(&file).unwrap(), b"first!");
}

/// What the bucket has no more cannot come from there; what it has written over must not.
#[test]
fn other_bytes_are_never_taken() {
    let nights = checked();
    let old = nights.file_of("daily.age", "first.");
    rots(&old, &flip);
    let rotten = fs::read(&old).unwrap();
    nights
        .configured(&["scrub", "--all", "--heal"])
        .exits(7)
        .says(&["-> not healed: the bucket: it is not in the bucket any more"]);
    assert_eq!(fs::read(&old).unwrap(), rotten);
    assert!(left(&nights).is_empty());
    assert_eq!(nights.open_alarms(), ["rot"]);

    let nights = checked();
    let file = nights.file_of("daily.age", "third!");
    rots(&file, &flip);
    nights.bucket.put("daily.age", "forged");
    nights.configured(&["scrub", "--all", "--heal"]).exits(7);
    assert_ne!(fs::read(&file).unwrap(), b"forged");
    assert!(left(&nights).is_empty());
}

/// The same bytes under another name on the drive are nearest.
#[test]
fn the_drive_itself_may_have_the_bytes() {
    let mut nights = Nights::new();
    for bytes in ["again!", "other.", "again!"] {
        nights.bucket.put("daily.age", bytes);
        nights.night();
    }
    let file = nights.shelf().join("latest/daily.age");
    rots(&file, &flip);
    nights
        .offsite(&["scrub", "--all", "--heal"])
        .exits(0)
        .says(&["-> from another name on this drive"]);
    assert_eq!(fs::read(&file).unwrap(), b"again!");
}

/// A clone of the drive has the same id: it is no other store. One with another id is.
#[test]
fn another_store_may_have_the_bytes() {
    let mut nights = checked();
    let mut other = Nights::new();
    other.source = nights.source.clone();
    other.pull().unwrap();
    let file = nights.file_of("daily.age", "third!");
    rots(&file, &flip);
    nights.bucket.delete("daily.age");
    nights.night();
    let from = other.store.path.to_str().unwrap();
    nights
        .offsite(&["scrub", "--all", "--heal", "--from", from])
        .exits(0)
        .says(&["-> from the store at "]);
    assert_eq!(fs::read(&file).unwrap(), b"third!");
    assert!(left(&nights).is_empty());
    // Its own file is rotten, too.
    rots(&file, &flip);
    rots(&other.shelf().join("latest/daily.age"), &flip);
    nights
        .offsite(&["scrub", "--all", "--heal", "--from", from])
        .exits(7)
        .says(&["is not what it should be either"]);
    let own = nights.store.path.to_str().unwrap();
    nights
        .offsite(&["scrub", "--heal", "--from", own])
        .exits(2)
        .says(&["is this very store"]);
}

/// Another store, and a drive that keeps other bytes of what comes from there than were written: they
/// are changed in `incoming/` as soon as they lie there.
struct Lying<'o>(OtherStore<'o>);

impl Healer for Lying<'_> {
    fn name(&self) -> String {
        self.0.name()
    }

    fn bring(
        &mut self,
        shelf: &Shelf<'_>,
        version: &StoredVersion,
        sha256: Sha256,
    ) -> Result<Whole, Unhealed> {
        let whole = self.0.bring(shelf, version, sha256)?;
        let staged = format!("www/incoming/{sha256}.whole");
        rots(&shelf.store().path().join(staged), &flip);
        Ok(whole)
    }

    fn stored(
        &self,
        version: &StoredVersion,
        sha256: Sha256,
    ) -> offsite::error::Result<Option<StoredVersion>> {
        self.0.stored(version, sha256)
    }
}

/// A drive that let one file rot may do so with the bytes that are to heal it, or one that a rebuild found
/// lost.
#[test]
fn bytes_that_the_drive_does_not_keep_get_no_name() {
    for lost in [false, true] {
        let nights = checked();
        let mut other = Nights::new();
        other.source = nights.source.clone();
        other.pull().unwrap();
        let file = nights.file_of("daily.age", "third!");
        if lost {
            fs::remove_file(&file).unwrap();
            nights.offsite(&["catalogue", "rebuild"]).exits(7);
        } else {
            rots(&file, &|bytes| bytes.fill(b'r'));
        }
        let before = fs::read(&file).ok();
        let stop = Stop::default();
        let scrub = Scrub {
            limits: Limits::default(),
            clock: &Clock::System,
            stop: &stop,
            reporter: &Silent,
        };
        let mut home = Home::open(&nights.store, Clock::System).unwrap();
        let mut found = Found::default();
        let ground = &mut Ground::Home(&mut home);
        scrub.read(ground, &mut found).unwrap();
        let lying = Lying(OtherStore {
            reader: other.reader(),
            catalogue: other.catalogue(),
            stop: &stop,
            reporter: &Silent,
        });
        let healers: Vec<Box<dyn Healer>> = vec![Box::new(lying)];
        scrub
            .write_down(&mut home, &mut found, Some(healers))
            .unwrap();
        home.close().unwrap();
        let [damaged] = &found.damaged[..] else {
            panic!("{found:?}");
        };
        assert_eq!(damaged.healed, None);
        let why = damaged.unhealed.join("; ");
        assert!(why.contains("reads back as other bytes"), "{why}");
        assert_eq!(fs::read(&file).ok(), before);
        assert!(nights.open_alarms().contains(&"rot".to_owned()));
        // It says the truth again.
        let from = other.store.path.to_str().unwrap();
        nights
            .offsite(&["scrub", "--all", "--heal", "--from", from])
            .exits(0);
        assert_eq!(fs::read(&file).unwrap(), b"third!");
        assert!(nights.check().problems.is_empty());
    }
}

/// Something that nothing may be put over keeps its place, and the rest is healed.
#[test]
fn what_cannot_be_healed_does_not_keep_the_rest_from_it() {
    let nights = checked();
    let third = nights.file_of("daily.age", "third!");
    fs::remove_file(&third).unwrap();
    fs::create_dir_all(third.join("in the way")).unwrap();
    let other = nights.file_of("other.age", "otherX");
    rots(&other, &flip);
    let told = nights.configured(&["scrub", "--all", "--heal"]).exits(7);
    told.says(&[
        "HEALED www/latest/other.age",
        "DAMAGED www/latest/daily.age",
    ]);
    assert_eq!(fs::read(&other).unwrap(), b"otherX");
}

/// A drive that has no room to heal, or that cannot be written where that is done: what was found is said
/// all the same.
#[test]
fn what_was_found_is_said_though_nothing_can_be_healed() {
    let mut nights = Nights::new();
    for bytes in ["again!", "other.", "again!"] {
        nights.bucket.put("daily.age", bytes);
        nights.night();
    }
    rots(&nights.shelf().join("latest/daily.age"), &flip);
    let staged = format!("incoming/{}.whole", sha256(b"again!"));
    fs::create_dir(nights.shelf().join(staged)).unwrap();
    nights
        .offsite(&["scrub", "--all", "--heal"])
        .exits(7)
        .says(&["DAMAGED www/latest/daily.age: ", "error: cannot create "]);
    assert_eq!(nights.open_alarms(), ["rot"]);
}

/// Reading needs no room; healing leaves free what the owner wants free.
#[test]
fn healing_leaves_the_room_that_is_to_stay_free() {
    let mut nights = checked();
    let file = nights.file_of("daily.age", "third!");
    rots(&file, &flip);
    nights.store.min_free = 1 << 50;
    nights
        .configured(&["scrub", "--all", "--heal"])
        .exits(7)
        .says(&["-> not healed: the bucket: ", "free"]);
    nights.store.min_free = 0;
    nights.configured(&["scrub", "--all", "--heal"]).exits(0);
}

/// The first line of a run is not lost with a group that cannot be placed: a run without one would hide how
/// the pulls go.
#[test]
fn every_scrub_has_its_first_line() {
    let mut nights = checked();
    nights.keys.secret = "wrong";
    nights.some_night().unwrap_err();
    nights.keys.secret = offsite::demo::bucket::READER.secret;
    let third = nights.file_of("daily.age", "third!");
    fs::remove_file(&third).unwrap();
    fs::create_dir_all(third.join("in the way")).unwrap();
    nights.configured(&["scrub", "--all", "--heal"]).exits(7);
    let runs = nights.catalogue().runs(10).unwrap();
    assert!(
        runs.iter().all(|run| !run.start.command.is_empty()),
        "{runs:#?}"
    );
    let json = nights.offsite(&["status", "--json"]).json_lines();
    assert_eq!(json[0]["sources"][0]["last_ended"], "failed");
}

/// On a drive without hard links too, and where the power goes between any two steps: see the
/// store's own tests.
#[test]
fn without_a_key_the_owner_is_told_why() {
    let mut nights = checked();
    rots(&nights.file_of("daily.age", "third!"), &flip);
    nights.keys.secret = "wrong";
    nights
        .configured(&["scrub", "--all", "--heal"])
        .exits(7)
        .says(&["-> not healed: the bucket: "]);
}

/// What was not read to its end is not called bad.
#[test]
fn a_copy_that_was_interrupted_is_called_so() {
    let nights = checked();
    let (version, bytes) = (nights.versions("daily.age").remove(0), b"third!");
    let stop = Stop::default();
    let other = || OtherStore {
        reader: nights.reader(),
        catalogue: nights.catalogue(),
        stop: &stop,
        reporter: &Silent,
    };
    let mut home = Home::open(&nights.store, Clock::System).unwrap();
    let shelf = home.shelf_of(&nights.source.name).unwrap();
    let bring = || other().bring(&shelf, &version, sha256(bytes));
    bring().unwrap();
    stop.request();
    let Err(Unhealed::Without(why)) = bring() else {
        panic!("it was not interrupted");
    };
    assert_eq!(why, "interrupted");
}
