//! The guard on real mounts: what the program does when the drive is not there, is another one,
//! goes away, is full or read-only. Each case asserts the exit code, and that nothing was written
//! anywhere else.
//!
//! Most cases are on a tmpfs in a mount namespace; those on ext4 need a loop device, and so root.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

#[path = "guard/alone.rs"]
mod alone;
#[path = "guard/away.rs"]
mod away;
#[path = "guard/full.rs"]
mod full;
#[path = "guard/init.rs"]
mod init;
#[path = "guard/links.rs"]
mod links;
#[path = "guard/rebind.rs"]
mod rebind;
#[path = "guard/scene.rs"]
mod scene;
mod support;

use scene::{SOURCE, Scene, folder_on_root};
use support::Output;

impl Output {
    /// Fails the test unless standard error has all of these words.
    #[track_caller]
    fn complains(self, words: &[&str]) -> Self {
        for word in words {
            assert!(
                self.stderr.contains(word),
                "{word:?} is not in\n{}",
                self.stderr
            );
        }
        self
    }
}

/// Runs that may write; each must refuse.
const WRITERS: [&[&str]; 5] = [
    &["pull"],
    &["ack", "www-1"],
    &["catalogue", "check"],
    &["catalogue", "rebuild"],
    &["catalogue", "backup"],
];

/// It writes too, but makes room: no `min_free` keeps it from its work.
const PRUNE: &[&str] = &["prune", "--incoming"];

/// No run that writes gets past the guard, and nothing changes: not in the store that is there,
/// not on the bare mount point, not beside it.
#[track_caller]
fn nothing_can_write(scene: &Scene, words: &[&str]) {
    none_can_write(scene, words, &[&WRITERS[..], &[PRUNE]].concat());
}

#[track_caller]
fn none_can_write(scene: &Scene, words: &[&str], writers: &[&[&str]]) {
    let (outside, drive) = (scene.outside(), scene.drive_picture());
    for writer in writers {
        scene.run(writer).exits(5).complains(words);
        assert_eq!(
            scene.outside(),
            outside,
            "{writer:?} wrote beside the drive"
        );
        assert_eq!(
            scene.drive_picture(),
            drive,
            "{writer:?} wrote to the drive"
        );
    }
}

#[test]
#[cfg_attr(without_mounts, ignore = "OFFSITE_TEST_WITHOUT names mounts")]
fn a_drive_that_is_not_mounted_is_missed() {
    let scene = Scene::ready();
    scene.pulls_and_checks();
    scene.unmount();
    nothing_can_write(&scene, &["offsite-store.toml", "not mounted"]);
    let outside = scene.outside();
    for reader in [&["status"][..], &["ls"], &["log"], &["show", "a"]] {
        scene.run(reader).exits(5).complains(&["not mounted"]);
    }
    assert_eq!(scene.outside(), outside);
}

#[test]
#[cfg_attr(without_mounts, ignore = "OFFSITE_TEST_WITHOUT names mounts")]
fn a_store_in_a_folder_of_a_drive_that_is_not_mounted_is_missed() {
    let scene = Scene::new();
    scene.space.mount_tmpfs(&scene.drive(), 64);
    scene
        .init("offsite.toml", &scene.drive().join("offsite"))
        .exits(0);
    scene.unmount();
    nothing_can_write(&scene, &["drive/offsite", "mounted?"]);
}

#[test]
#[cfg_attr(without_mounts, ignore = "OFFSITE_TEST_WITHOUT names mounts")]
fn another_disk_at_the_mount_point_is_refused_with_both_ids() {
    let scene = Scene::ready();
    let ours = scene.store_id();
    scene.unmount();
    scene.space.mount_tmpfs(&scene.drive(), 64);
    scene.init("other.toml", &scene.drive()).exits(0);
    let theirs = scene.store_id();
    assert_ne!(ours, theirs);
    nothing_can_write(&scene, &[&ours, &theirs]);
    scene.run(&["status"]).exits(5).complains(&[&ours, &theirs]);
}

#[test]
#[cfg_attr(without_mounts, ignore = "OFFSITE_TEST_WITHOUT names mounts")]
fn a_disk_without_a_marker_is_no_store() {
    let scene = Scene::ready();
    scene.pulls_and_checks();
    std::fs::remove_file(scene.on_drive("offsite-store.toml")).unwrap();
    nothing_can_write(&scene, &["is not a store", "offsite-store.toml"]);
}

#[test]
#[cfg_attr(without_mounts, ignore = "OFFSITE_TEST_WITHOUT names mounts")]
fn the_root_file_system_is_for_those_who_ask_for_it() {
    let scene = Scene::new();
    let root = folder_on_root();
    let store = root.path().join("offsite");
    let before = (scene.outside(), support::picture(root.path()));
    let words = ["root file system", "not mounted", "allow-root-fs"];
    for folder in [store.as_path(), root.path()] {
        scene
            .init("offsite.toml", folder)
            .exits(5)
            .complains(&words);
        assert_eq!((scene.outside(), support::picture(root.path())), before);
    }
    scene
        .init_with("offsite.toml", &store, SOURCE, &["--allow-root-fs"])
        .exits(0);
    scene.run(&["pull"]).exits(0);

    let text = std::fs::read_to_string(scene.home.config()).unwrap();
    let text = text.replace("allow_root_fs = true", "allow_root_fs = false");
    std::fs::write(scene.home.config(), text).unwrap();
    let before = (scene.outside(), support::picture(root.path()));
    for writer in WRITERS {
        scene.run(writer).exits(5).complains(&words);
        assert_eq!((scene.outside(), support::picture(root.path())), before);
    }
}
