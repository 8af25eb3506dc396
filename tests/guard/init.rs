//! What `init` refuses, and what it leaves alone.

use crate::scene::{SOURCE, Scene};
use crate::support::picture;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Refused with 5, and neither the folder nor the home is different afterwards.
#[track_caller]
fn refuses(scene: &Scene, store: &Path, words: &[&str]) {
    let before = (scene.outside(), scene.drive_picture());
    scene.init("offsite.toml", store).exits(5).complains(words);
    assert_eq!((scene.outside(), scene.drive_picture()), before);
}

#[test]
#[cfg_attr(without_mounts, ignore = "OFFSITE_TEST_WITHOUT names mounts")]
fn a_folder_with_something_in_it_is_refused_and_a_new_one_in_it_is_not() {
    let scene = Scene::new();
    scene.space.mount_tmpfs(&scene.drive(), 64);
    std::fs::write(scene.on_drive("thesis.odt"), "years").unwrap();
    refuses(&scene, &scene.drive(), &["not empty", "thesis.odt"]);
    refuses(
        &scene,
        &scene.drive().join("no/way"),
        &["drive/no", "mounted?"],
    );
    scene
        .init("offsite.toml", &scene.drive().join("offsite"))
        .exits(0);
    assert_eq!(
        std::fs::read(scene.on_drive("thesis.odt")).unwrap(),
        b"years"
    );
}

#[test]
#[cfg_attr(
    any(without_mounts, without_root, without_mkfs),
    ignore = "OFFSITE_TEST_WITHOUT names mounts, root or mkfs"
)]
fn what_mkfs_leaves_on_a_drive_is_no_content() {
    let (scene, _image) = Scene::ready_on_ext4();
    assert!(scene.on_drive("lost+found").exists());
    scene.pulls_and_checks();
}

#[test]
#[cfg_attr(without_mounts, ignore = "OFFSITE_TEST_WITHOUT names mounts")]
fn a_path_too_long_for_the_longest_key_is_refused() {
    let scene = Scene::new();
    scene.space.mount_tmpfs(&scene.drive(), 64);
    let long = (0..8).fold(scene.drive(), |path, _| path.join("d".repeat(200)));
    std::fs::create_dir_all(scene.space.view(&long)).unwrap();
    refuses(&scene, &long, &["too long", "shorter path"]);
}

#[test]
#[cfg_attr(without_mounts, ignore = "OFFSITE_TEST_WITHOUT names mounts")]
fn a_read_only_drive_is_refused() {
    let scene = Scene::new();
    scene.space.mount_tmpfs(&scene.drive(), 64);
    scene.remount("ro");
    refuses(&scene, &scene.drive(), &["drive", "read-only"]);
}

/// Every file below `folder` with its bytes.
pub(crate) fn bytes_of(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = picture(folder).into_keys().map(|path| folder.join(path));
    let files = files.filter(|path| path.is_file());
    files
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect()
}

#[test]
#[cfg_attr(without_mounts, ignore = "OFFSITE_TEST_WITHOUT names mounts")]
fn on_an_existing_store_the_source_is_added_and_nothing_else_changes() {
    adds_a_source_and_nothing_else(&Scene::ready());
}

#[test]
#[cfg_attr(
    any(without_mounts, without_root, without_mkfs),
    ignore = "OFFSITE_TEST_WITHOUT names mounts, root or mkfs"
)]
fn on_an_existing_ext4_store_the_source_is_added_and_nothing_else_changes() {
    adds_a_source_and_nothing_else(&Scene::ready_on_ext4().0);
}

fn adds_a_source_and_nothing_else(scene: &Scene) {
    scene.pulls_and_checks();
    let config = std::fs::read_to_string(scene.home.config()).unwrap();
    let (pictured, bytes) = (scene.drive_picture(), bytes_of(&scene.on_drive("")));

    scene
        .init_with("offsite.toml", &scene.drive(), "mail", &[])
        .exits(0);
    assert_eq!(bytes_of(&scene.on_drive("")), bytes);
    assert_eq!(scene.drive_picture(), pictured);
    let both = std::fs::read_to_string(scene.home.config()).unwrap();
    assert!(both.starts_with(config.trim_end()), "{both}");
    assert!(both.contains("name = \"mail\""), "{both}");

    let again = scene
        .init_with("offsite.toml", &scene.drive(), SOURCE, &[])
        .exits(2);
    assert!(
        again.stderr.contains("two sources are called www"),
        "{}",
        again.stderr
    );
    assert_eq!(std::fs::read_to_string(scene.home.config()).unwrap(), both);
    scene.run(&["pull", "mail"]).exits(0);
}

/// The configuration knows its drive: `init` must not make a second store on the one that happens
/// to be there.
#[test]
#[cfg_attr(without_mounts, ignore = "OFFSITE_TEST_WITHOUT names mounts")]
fn a_source_is_not_added_while_another_drive_is_plugged_in() {
    let scene = Scene::ready();
    let ours = scene.store_id();
    let add = || {
        scene
            .init_with("offsite.toml", &scene.drive(), "mail", &[])
            .exits(5)
    };
    scene.unmount();
    let outside = scene.outside();
    add().complains(&["not mounted"]);
    assert_eq!(scene.outside(), outside);

    scene.space.mount_tmpfs(&scene.drive(), 64);
    let empty = scene.drive_picture();
    add().complains(&["not mounted"]);
    assert_eq!(
        (scene.outside(), scene.drive_picture()),
        (outside.clone(), empty)
    );

    scene.init("other.toml", &scene.drive()).exits(0);
    let (outside, other) = (scene.outside(), scene.drive_picture());
    add().complains(&[&ours, &scene.store_id()]);
    assert_eq!((scene.outside(), scene.drive_picture()), (outside, other));
}
