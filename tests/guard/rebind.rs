//! `init --rebind`: a clone, a replacement, the wrong drive.

use crate::init::bytes_of;
use crate::scene::Scene;
use crate::support::Output;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Another mount point, with an empty drive on it.
fn other_drive(scene: &Scene) -> PathBuf {
    let other = scene.home.path().join("other");
    std::fs::create_dir(&other).unwrap();
    scene.space.mount_tmpfs(&other, 64);
    other
}

fn rebind(scene: &Scene, more: &[&str]) -> Output {
    scene.run(&[&["init", "--rebind"], more].concat())
}

/// The files of the source with their bytes, by their names in the store.
fn payload(scene: &Scene, store: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    let store = scene.space.view(&scene.home.path().join(store));
    let files = bytes_of(&store.join("www")).into_iter();
    files
        .map(|(path, bytes)| (path.strip_prefix(&store).unwrap().to_owned(), bytes))
        .collect()
}

#[test]
#[cfg_attr(without_mounts, ignore = "OFFSITE_TEST_WITHOUT names mounts")]
fn a_clone_at_another_mount_is_shown_and_then_accepted() {
    let scene = Scene::ready();
    scene.pulls_and_checks();
    // As if it had been made on a file system with a UUID.
    let marker = scene.on_drive("offsite-store.toml");
    let text = std::fs::read_to_string(&marker).unwrap();
    let text = text.replace(
        "filesystem = \"tmpfs\"",
        "filesystem = \"tmpfs\"\nuuid = \"AAAA-1111\"",
    );
    std::fs::write(&marker, &text).unwrap();
    let (id, before) = (scene.store_id(), payload(&scene, "drive"));
    let other = other_drive(&scene);
    scene.space.sh(&format!(
        "cp -a '{}/.' '{}'",
        scene.drive().display(),
        other.display()
    ));
    scene.unmount();
    scene.run(&["pull"]).exits(5);

    let other = other.to_str().unwrap();
    let (outside, clone) = (scene.outside(), payload(&scene, "other"));
    assert_eq!(clone, before);
    let told = rebind(&scene, &["--store", other]).exits(2);
    let expected = format!("expected {id}, found {id}");
    for words in [
        expected.as_str(),
        "/drive, found ",
        "/other",
        "made on AAAA-1111, now on unknown",
    ] {
        assert!(
            told.stdout.contains(words),
            "{words:?} is not in\n{}",
            told.stdout
        );
    }
    assert!(told.stderr.contains("--yes"), "{}", told.stderr);
    assert_eq!(scene.outside(), outside, "nothing is changed unasked");
    rebind(&scene, &[]).exits(5).complains(&["not mounted"]);

    rebind(&scene, &["--store", other, "--yes"]).exits(0);
    assert_eq!(payload(&scene, "other"), before, "the payload is as it was");
    let there = scene
        .space
        .view(&scene.home.path().join("other/offsite-store.toml"));
    let marker = std::fs::read_to_string(there).unwrap();
    assert!(
        marker.contains(&id) && !marker.contains("AAAA-1111"),
        "{marker}"
    );
    let config = std::fs::read_to_string(scene.home.config()).unwrap();
    assert!(config.contains(&format!("path = \"{other}\"")), "{config}");
    scene.bucket.put("new", "after the move");
    scene.run(&["pull"]).exits(0);
    scene.run(&["catalogue", "check", "--deep"]).exits(0);
    assert!(payload(&scene, "other").contains_key(&PathBuf::from("www/latest/new")));
}

#[test]
#[cfg_attr(without_mounts, ignore = "OFFSITE_TEST_WITHOUT names mounts")]
fn the_wrong_drive_is_refused_with_both_ids_whatever_is_said() {
    let scene = Scene::ready();
    scene.pulls_and_checks();
    let ours = scene.store_id();
    scene.unmount();
    scene.space.mount_tmpfs(&scene.drive(), 64);
    scene
        .init_with("other.toml", &scene.drive(), "mail", &[])
        .exits(0);
    let theirs = scene.store_id();
    let before = (scene.outside(), scene.drive_picture());
    for more in [&[][..], &["--yes"]] {
        rebind(&scene, more)
            .exits(5)
            .complains(&[&ours, &theirs, "has nothing of www"]);
        assert_eq!((scene.outside(), scene.drive_picture()), before);
    }
}

/// A new store on a new drive, and the copy of the old one on it.
#[test]
#[cfg_attr(without_mounts, ignore = "OFFSITE_TEST_WITHOUT names mounts")]
fn a_drive_that_took_the_place_of_ours_is_accepted() {
    let scene = Scene::ready();
    scene.pulls_and_checks();
    let (ours, before) = (scene.store_id(), payload(&scene, "drive"));
    let other = other_drive(&scene);
    scene.init("other.toml", &other).exits(0);
    scene.space.sh(&format!(
        "cp -a '{}/www' '{}'; umount '{}'; mount --move '{1}' '{2}' || mount --bind '{1}' '{2}'",
        scene.drive().display(),
        other.display(),
        scene.drive().display()
    ));
    let theirs = scene.store_id();
    assert_ne!(ours, theirs);
    scene
        .run(&["pull"])
        .exits(5)
        .complains(&[&ours, &theirs, "--rebind"]);
    let told = rebind(&scene, &[]).exits(2);
    assert!(
        told.stdout
            .contains(&format!("expected {ours}, found {theirs}"))
    );
    rebind(&scene, &["--yes"]).exits(0);
    assert_eq!(payload(&scene, "drive"), before);
    scene.bucket.reset_requests();
    scene.run(&["pull"]).exits(0);
    let asked = scene.bucket.requests();
    assert_eq!(
        asked.get("GetObject"),
        None,
        "all of it is known: {asked:?}"
    );
    scene.run(&["catalogue", "check", "--deep"]).exits(0);
}

#[test]
#[cfg_attr(without_mounts, ignore = "OFFSITE_TEST_WITHOUT names mounts")]
fn a_read_only_drive_or_one_in_use_is_not_bound() {
    let scene = Scene::ready();
    scene.pulls_and_checks();
    let config = std::fs::read_to_string(scene.home.config()).unwrap();
    let lock = scene.on_drive("offsite.lock");
    let mut flock = std::process::Command::new("flock");
    flock.arg(&lock).args(["-c", "echo held; exec cat"]);
    flock
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped());
    let mut holder = flock.spawn().unwrap();
    let mut held = String::new();
    let out = holder.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut held).unwrap();
    rebind(&scene, &["--yes"]).exits(6);
    drop(holder.stdin.take());
    holder.wait().unwrap();

    scene.remount("ro");
    rebind(&scene, &["--yes"])
        .exits(5)
        .complains(&["read-only"]);
    assert_eq!(
        std::fs::read_to_string(scene.home.config()).unwrap(),
        config
    );
}
