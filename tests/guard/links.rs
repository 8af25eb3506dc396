//! Links that somebody planted in the store lead nowhere (P2).

use crate::scene::Scene;
use std::fs;
use std::os::unix::fs::symlink;

/// Where a link is planted, relative to the store.
const PLACES: [&str; 13] = [
    "www",
    "www/latest",
    "www/latest/b",
    "www/history",
    "www/incoming",
    "www/journal",
    "www/quarantine",
    "catalogue.db",
    "catalogue.db-journal",
    "catalogue.db-wal",
    "offsite.lock",
    "www/SHA256SUMS",
    "www/latest/a",
];

/// Everything that a pull does: places, replaces, quarantines, adds.
fn busy_bucket(scene: &Scene) {
    scene.bucket.put("a", "replaced");
    scene.bucket.put("b/new", "placed in a folder");
    scene.bucket.put("bad", "spoilt on the way");
    let flip = offsite::demo::bucket::Fault::new(0).on(|key| key == "bad");
    scene.bucket.with_faults(|faults| faults.flip = Some(flip));
}

/// Moves what is at `place` in the store to a folder beside the drive, and puts a link to it
/// there: whoever follows it finds everything as it was.
fn plant(scene: &Scene, place: &str) {
    let victim = scene.home.path().join("victim");
    fs::create_dir(&victim).unwrap();
    scene.space.sh(&format!(
        "cd '{}'; v='{}'; if [ -e {place} ]; then cp -a {place} $v/it; rm -r {place}; else mkdir $v/it; fi; ln -s $v/it {place}",
        scene.drive().display(),
        victim.display()
    ));
}

#[test]
#[cfg_attr(without_mounts, ignore = "OFFSITE_TEST_WITHOUT names mounts")]
fn a_planted_link_is_refused_and_where_it_leads_nothing_changes() {
    for place in PLACES {
        let scene = Scene::ready();
        scene.pulls_and_checks();
        busy_bucket(&scene);
        plant(&scene, place);
        let before = scene.outside();
        let told = scene.run(&["pull"]);
        assert_eq!(scene.outside(), before, "{place}");
        assert_eq!(told.code(), 5, "{place}: {told:?}");
        for word in [place, "link", "find out who put it there"] {
            assert!(
                told.stderr.contains(word),
                "{place}: {word:?} is not in\n{}",
                told.stderr
            );
        }
    }
}

/// SQLite would make the database where a dangling link leads.
#[test]
#[cfg_attr(without_mounts, ignore = "OFFSITE_TEST_WITHOUT names mounts")]
fn no_catalogue_is_made_at_the_end_of_a_link() {
    let scene = Scene::ready();
    let (catalogue, elsewhere) = (
        scene.on_drive("catalogue.db"),
        scene.home.path().join("x.db"),
    );
    fs::remove_file(&catalogue).unwrap();
    symlink(&elsewhere, &catalogue).unwrap();
    let before = scene.outside();
    scene
        .run(&["pull"])
        .exits(5)
        .complains(&["catalogue.db", "link"]);
    assert_eq!(scene.outside(), before);
}
