//! One writer at a time, and a drive that can only be read.

use crate::scene::Scene;
use crate::support::Running;
use std::fs;
use std::sync::{Mutex, mpsc};
use std::time::Duration;

/// A pull that waits before a request until the sender is dropped; when this returns it has come
/// there.
fn held_pull(scene: &Scene, operation: &'static str, number: usize) -> (Running, mpsc::Sender<()>) {
    let (release, wait) = mpsc::channel::<()>();
    let (arrive, arrived) = mpsc::channel();
    let wait = Mutex::new(wait);
    scene.before_request(operation, number, move || {
        arrive.send(()).unwrap();
        let _ = wait.lock().unwrap().recv();
    });
    let running = scene.spawn(&["pull"]);
    arrived
        .recv_timeout(Duration::from_secs(60))
        .expect("the pull comes so far");
    (running, release)
}

#[test]
#[cfg_attr(without_mounts, ignore = "OFFSITE_TEST_WITHOUT names mounts")]
fn of_two_pulls_at_once_the_second_is_told_who_is_at_work() {
    let scene = Scene::ready();
    let (first, release) = held_pull(&scene, "GetObject", 0);
    let host = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    let words = [
        &format!("process {} on {host} since 2", first.id()),
        "wait for it to end",
    ];
    let before = scene.drive_picture();
    for writer in crate::WRITERS {
        scene.run(writer).exits(6).complains(&words);
        assert_eq!(scene.drive_picture(), before, "{writer:?}");
    }
    scene.run(&["status"]).exits(3);
    scene.run(&["ls"]).exits(0);
    drop(release);
    first.finish().exits(0);
    scene.pulls_and_checks();
}

#[test]
#[cfg_attr(without_mounts, ignore = "OFFSITE_TEST_WITHOUT names mounts")]
fn the_lock_of_a_run_that_was_killed_is_no_lock() {
    let scene = Scene::ready();
    let (first, release) = held_pull(&scene, "GetObject", 0);
    let pid = first.id().to_string();
    first.kill().exits(128 + 9);
    drop(release);
    let lock = fs::read_to_string(scene.on_drive("offsite.lock")).unwrap();
    assert!(lock.contains(&pid), "it left its name: {lock}");
    scene.pulls_and_checks();
}

/// All that only reads works on a drive that cannot be written, all that writes refuses.
fn is_read_and_not_written(scene: &Scene, status: i32) {
    let before = (scene.outside(), scene.drive_picture());
    for (reader, code, shows) in [
        (&["status"][..], status, "www"),
        (&["ls"], 0, "b/c"),
        (&["show", "b/c"], 0, "b/c"),
        (&["log"], 0, "pull"),
        (&["log", "--verify"], 0, "the chain holds"),
        (&["catalogue", "check", "--deep"], 0, "3 files"),
    ] {
        let told = scene.read(reader).exits(code);
        assert!(
            told.stdout.contains(shows),
            "{reader:?} shows no {shows:?}:\n{}",
            told.stdout
        );
    }
    scene.run(&["ls"]).exits(0);
    assert_eq!((scene.outside(), scene.drive_picture()), before);
    crate::nothing_can_write(scene, &["mounted read-only", "remount,rw"]);
}

#[test]
#[cfg_attr(without_mounts, ignore = "OFFSITE_TEST_WITHOUT names mounts")]
fn a_read_only_mount_is_read_and_not_written() {
    let scene = Scene::ready();
    scene.pulls_and_checks();
    scene.remount("ro");
    is_read_and_not_written(&scene, 0);
}

/// The drive was pulled out in the middle of a run: the last transactions are in the write-ahead
/// log alone, and nobody may fold it into the catalogue.
#[test]
#[cfg_attr(
    any(without_mounts, without_root, without_mkfs),
    ignore = "OFFSITE_TEST_WITHOUT names mounts, root or mkfs"
)]
fn a_read_only_mount_with_a_leftover_log_is_read_with_it() {
    let (scene, _image) = Scene::ready_on_ext4();
    scene
        .init_with("offsite.toml", &scene.drive(), "mail", &[])
        .exits(0);
    // Killed when the first source is recorded and the second one's turn begins.
    let (pull, release) = held_pull(&scene, "ListObjectsV2", 1);
    pull.kill().exits(128 + 9);
    drop(release);
    let log = fs::metadata(scene.on_drive("catalogue.db-wal")).unwrap();
    assert!(log.len() > 0);
    // The shared memory beside the log (it lies on the drive too) may be there or not.
    for suffix in ["-journal", "-shm"] {
        let _ = fs::remove_file(scene.on_drive(&format!("catalogue.db{suffix}")));
        scene.remount("ro");
        is_read_and_not_written(&scene, 3);
        scene.remount("rw");
    }
    scene.heal();
    scene.pulls_and_checks();
}
