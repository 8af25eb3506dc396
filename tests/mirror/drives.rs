//! A mirror that is full, a first store that is mounted read-only, and one that goes away.

use crate::kills::open;
use crate::support::{Namespace, Nights, Output, Running, age};
use crate::{files, is_whole, mirror_of, mirroring, rows, same_rows};
use offsite::error::Kind;
use offsite::mirror::Mirror;
use offsite::object::Clock;
use offsite::outcome::{Event, Reporter, Stop};
use offsite::store::MARKER;
use std::path::PathBuf;

fn nights() -> Nights {
    let mut nights = Nights::new();
    for number in 0..6 {
        nights
            .bucket
            .put(&format!("big-{number}.age"), age(1 << 20, number));
    }
    nights.night();
    nights
}

fn inside(namespace: &Namespace, nights: &Nights) -> Output {
    Running::spawn(namespace.inside(&mirroring(nights, &[]))).finish()
}

#[test]
#[cfg_attr(without_mounts, ignore = "OFFSITE_TEST_WITHOUT names mounts")]
fn a_mirror_without_room_is_left_before_anything_is_copied() {
    let nights = nights();
    let namespace = Namespace::new();
    let to = mirror_of(&nights);
    std::fs::create_dir(&to).unwrap();
    namespace.mount_tmpfs(&to, 4);
    inside(&namespace, &nights)
        .exits(5)
        .says(&["6.0 MiB needed for what is on its way"]);
    namespace.sh(&format!("! ls {}/www/latest", to.display()));
    namespace.sh(&format!("mount -o remount,size=64m {}", to.display()));
    inside(&namespace, &nights)
        .exits(0)
        .says(&["6 versions copied"]);
}

#[test]
#[cfg_attr(without_mounts, ignore = "OFFSITE_TEST_WITHOUT names mounts")]
fn the_first_store_may_be_mounted_read_only() {
    let nights = nights();
    let namespace = Namespace::new();
    let store = nights.store.path.display();
    namespace.sh(&format!(
        "mount --bind {store} {store} && mount -o remount,bind,ro {store} && ! touch {store}/x"
    ));
    inside(&namespace, &nights).exits(0);
    same_rows(&nights, "from a read-only mount");
    is_whole(&mirror_of(&nights));
    assert!(files(&mirror_of(&nights)) == files(&nights.store.path));
}

/// Takes the first store's drive away after so many bytes.
struct Unplugged(PathBuf);

impl Reporter for Unplugged {
    fn report(&self, event: &Event<'_>) {
        if let Event::Finished(_) = event {
            let _ = std::fs::remove_file(self.0.join(MARKER));
            let _ = std::fs::remove_dir_all(self.0.join("www/latest"));
        }
    }
}

#[test]
fn a_first_store_that_goes_away_is_not_a_damaged_one() {
    let nights = nights();
    let (first, catalogue, mut home) = open(&nights);
    let mirror = Mirror {
        first: &first,
        catalogue: &catalogue,
        clock: &Clock::System,
        stop: &Stop::default(),
        reporter: &Unplugged(nights.store.path.clone()),
    };
    let source = &catalogue.sources().unwrap()[0];
    let error = mirror
        .run(&mut home, source, &mut |lack| panic!("{lack:?}"))
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Store);
    assert!(error.to_string().contains("went away"), "{error}");
    home.close().unwrap();
    let rows = rows(&mirror_of(&nights));
    assert_eq!(rows.len(), 1, "what was copied before");
    assert!(rows.iter().all(|row| row["state"] == "stored"), "{rows:?}");
    is_whole(&mirror_of(&nights));
}

/// A run holds the first store's lock, and has its catalogue open to write.
#[test]
fn the_first_store_may_be_written_to_meanwhile() {
    let nights = nights();
    let writer = offsite::home::Home::open(&nights.store, Clock::System).unwrap();
    Running::spawn(mirroring(&nights, &[])).finish().exits(0);
    same_rows(&nights, "while somebody writes");
    writer.close().unwrap();
}
