//! A drive that is full, before a run and in the middle of one.

use crate::scene::{SOURCE, Scene};
use std::fs::File;

const MIB: usize = 1 << 20;

/// Bytes that no file system makes smaller.
fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    std::iter::repeat_with(|| random.u8(..)).take(len).collect()
}

fn set_min_free(scene: &Scene, size: &str) {
    let text = std::fs::read_to_string(scene.home.config()).unwrap();
    let mut config: toml::Table = text.parse().unwrap();
    config["store"]["min_free"] = size.into();
    std::fs::write(scene.home.config(), config.to_string()).unwrap();
}

fn free(scene: &Scene) -> u64 {
    let space = rustix::fs::statvfs(scene.on_drive("")).unwrap();
    space.f_bavail * space.f_frsize
}

/// What is recorded is there, byte for byte.
#[track_caller]
fn every_row_has_its_file(scene: &Scene) {
    scene.read(&["catalogue", "check", "--deep"]).exits(0);
}

#[test]
#[cfg_attr(without_mounts, ignore = "OFFSITE_TEST_WITHOUT names mounts")]
fn a_drive_with_less_than_min_free_is_not_written_to() {
    let scene = Scene::ready();
    scene.pulls_and_checks();
    set_min_free(&scene, "1 TiB");
    let words = ["1.0 TiB is to stay free", "min_free"];
    crate::none_can_write(&scene, &words, &crate::WRITERS);
    scene.run(crate::PRUNE).exits(0);
}

/// Objects that would eat into the reserve are left; what fits is fetched.
#[test]
#[cfg_attr(without_mounts, ignore = "OFFSITE_TEST_WITHOUT names mounts")]
fn min_free_stays_free_in_the_middle_of_a_run() {
    let scene = Scene::ready();
    set_min_free(&scene, "56 MiB");
    for number in 0..5 {
        scene
            .bucket
            .put(&format!("big-{number}"), noise(2 * MIB, number));
    }
    let told = scene
        .run(&["pull"])
        .exits(5)
        .complains(&["56.0 MiB is to stay free", "make room"]);
    assert!(told.stdout.contains("www"), "{}", told.stdout);
    assert!(free(&scene) >= 56 << 20, "{} free", free(&scene));
    every_row_has_its_file(&scene);
    let listed = scene.run(&["ls"]).exits(0);
    for small in ["a", "b/c", "d"] {
        assert!(
            listed.stdout.contains(small),
            "{small} fits:\n{}",
            listed.stdout
        );
    }
    scene.remount("size=256m");
    scene.pulls_and_checks();
}

/// The reserve is nothing here, and somebody else fills the drive meanwhile.
fn fills_up_in_the_middle(scene: &Scene) {
    set_min_free(scene, "0 B");
    for number in 0..8 {
        scene
            .bucket
            .put(&format!("more-{number}"), noise(MIB, number));
    }
    let ballast = scene.on_drive("ballast");
    let fill = {
        let ballast = ballast.clone();
        move || {
            let file = File::create(&ballast).unwrap();
            let space = rustix::fs::fstatvfs(&file).unwrap();
            let all_but = space.f_bavail * space.f_frsize - 3 * MIB as u64;
            let flags = rustix::fs::FallocateFlags::empty();
            rustix::fs::fallocate(&file, flags, 0, all_but).unwrap();
        }
    };
    scene.before_request("GetObject", 0, fill);
    let outside = scene.outside();
    scene.run(&["pull"]).exits(5).complains(&["make room"]);
    assert_eq!(scene.outside(), outside);
    every_row_has_its_file(scene);
    scene.heal();
    // Still no room: refused again, and still nothing half-done.
    scene.run(&["pull"]).exits(5);
    every_row_has_its_file(scene);
    std::fs::remove_file(ballast).unwrap();
    scene.pulls_and_checks();
    let left = std::fs::read_dir(scene.on_drive(&format!("{SOURCE}/incoming"))).unwrap();
    assert_eq!(left.count(), 0, "nothing is left in incoming/");
}

#[test]
#[cfg_attr(without_mounts, ignore = "OFFSITE_TEST_WITHOUT names mounts")]
fn a_tmpfs_that_fills_up_in_the_middle_of_a_run_keeps_no_half_and_the_next_run_goes_on() {
    fills_up_in_the_middle(&Scene::ready());
}

#[test]
#[cfg_attr(
    any(without_mounts, without_root, without_mkfs),
    ignore = "OFFSITE_TEST_WITHOUT names mounts, root or mkfs"
)]
fn an_ext4_drive_that_fills_up_in_the_middle_of_a_run_keeps_no_half_and_the_next_run_goes_on() {
    fills_up_in_the_middle(&Scene::ready_on_ext4().0);
}
