//! The drive goes away, or another one comes, in the middle of a pull.

use crate::scene::Scene;
use std::path::Path;
use std::time::Duration;

/// Where in a pull it happens: just before the bucket answers this request.
const MOMENTS: [(&str, usize); 4] = [
    ("ListObjectsV2", 0),
    ("ListObjectsV2", 1),
    ("GetObject", 0),
    ("GetObject", 2),
];

/// Pages of two, so that a run lists, stages a plan, lists again, and fetches.
fn small_pages(scene: &Scene) {
    scene
        .bucket
        .with_faults(|faults| faults.page_size = Some(2));
}

/// `change`, when what the program does by itself meanwhile has come to rest: it looks at the
/// drive before each step, and a drive that goes between the look and the step is another matter.
fn at_rest(change: impl Fn() + Send + Sync) -> impl Fn() + Send + Sync {
    move || {
        std::thread::sleep(Duration::from_millis(200));
        change();
    }
}

fn unmounts_lazily(scene: &Scene) -> impl Fn() + Send + Sync + use<> {
    scene
        .space
        .script(&format!("umount -l '{}'", scene.drive().display()))
}

/// The pull ends with 5, and nothing is on the bare mount point or beside it.
fn is_missed_at_every_moment(scene: &Scene, plug_in: &dyn Fn()) {
    for (operation, number) in MOMENTS {
        scene
            .bucket
            .put(&format!("new-{operation}-{number}"), "more");
        small_pages(scene);
        scene.before_request(operation, number, at_rest(unmounts_lazily(scene)));
        let outside = scene.outside();
        let told = scene.run(&["pull"]).exits(5);
        let words = "is not the drive it was";
        assert!(
            told.stderr.contains(words),
            "{operation} {number}: {}",
            told.stderr
        );
        assert_eq!(scene.outside(), outside, "at {operation} {number}");
        scene.heal();
        plug_in();
    }
}

#[test]
#[cfg_attr(without_mounts, ignore = "OFFSITE_TEST_WITHOUT names mounts")]
fn a_tmpfs_unmounted_in_the_middle_is_missed_and_nothing_is_written_under_it() {
    let scene = Scene::ready();
    is_missed_at_every_moment(&scene, &|| {
        // What was unmounted is gone with its memory: the next drive is a new store.
        scene.space.mount_tmpfs(&scene.drive(), 64);
        std::fs::remove_file(scene.home.config()).unwrap();
        scene.init("offsite.toml", &scene.drive()).exits(0);
    });
}

#[test]
#[cfg_attr(
    any(without_mounts, without_root, without_mkfs),
    ignore = "OFFSITE_TEST_WITHOUT names mounts, root or mkfs"
)]
fn an_ext4_drive_unmounted_in_the_middle_is_missed_and_the_next_run_goes_on() {
    let (scene, image) = Scene::ready_on_ext4();
    is_missed_at_every_moment(&scene, &|| {
        scene.space.mount_image(&image, &scene.drive());
    });
    scene.pulls_and_checks();
}

/// The other drive is as like ours as can be: a store, made the same way, with a catalogue whose
/// inode may well have the same number.
fn nothing_reaches(scene: &Scene, other: &Path, mount: &str) {
    // Its own last run was cut off: what that left would be undone or thrown away.
    for suffix in ["-wal", "-journal"] {
        let left = other.join(format!("catalogue.db{suffix}"));
        std::fs::write(scene.space.view(&left), "of another run").unwrap();
    }
    for (operation, number) in MOMENTS {
        scene
            .bucket
            .put(&format!("new-{operation}-{number}"), "more");
        small_pages(scene);
        let over = at_rest(scene.space.script(mount));
        let before = std::sync::Mutex::new(None);
        let before = std::sync::Arc::new(before);
        let (sink, view) = (before.clone(), scene.on_drive(""));
        scene.before_request(operation, number, move || {
            over();
            *sink.lock().unwrap() = Some(crate::support::picture(&view));
        });
        let outside = scene.outside();
        let told = scene.run(&["pull"]).exits(5);
        let words = "is not the drive it was";
        assert!(
            told.stderr.contains(words),
            "{operation} {number}: {}",
            told.stderr
        );
        assert_eq!(scene.outside(), outside, "at {operation} {number}");
        let before = before.lock().unwrap().take().unwrap();
        assert_eq!(
            scene.drive_picture(),
            before,
            "{} at {operation} {number}",
            other.display()
        );
        scene.heal();
        scene.unmount();
    }
}

#[test]
#[cfg_attr(without_mounts, ignore = "OFFSITE_TEST_WITHOUT names mounts")]
fn nothing_reaches_another_tmpfs_mounted_over_the_store() {
    let scene = Scene::ready();
    let other = scene.home.path().join("other");
    std::fs::create_dir(&other).unwrap();
    scene.space.mount_tmpfs(&other, 64);
    scene.init("other.toml", &other).exits(0);
    let mount = format!(
        "mount --bind '{}' '{}'",
        other.display(),
        scene.drive().display()
    );
    nothing_reaches(&scene, &other, &mount);
    scene.pulls_and_checks();
}

#[test]
#[cfg_attr(
    any(without_mounts, without_root, without_mkfs),
    ignore = "OFFSITE_TEST_WITHOUT names mounts, root or mkfs"
)]
fn nothing_reaches_another_ext4_drive_mounted_over_the_store() {
    let (scene, _image) = Scene::ready_on_ext4();
    let other = scene.home.path().join("other");
    std::fs::create_dir(&other).unwrap();
    let image = scene.space.ext4_image("other.img", 64);
    scene.space.mount_image(&image, &other);
    scene.init("other.toml", &other).exits(0);
    let mount = format!(
        "mount --bind '{}' '{}'",
        other.display(),
        scene.drive().display()
    );
    nothing_reaches(&scene, &other, &mount);
    scene.pulls_and_checks();
}
