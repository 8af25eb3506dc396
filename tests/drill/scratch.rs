//! Scratch space: enough of it, and left as it was; and a drive that is not what it was.

use crate::Scene;
use crate::support::{Namespace, Nights, Running, age};
use offsite::catalogue::Catalogue;
use offsite::home::Home;
use offsite::object::Clock;
use offsite::outcome::{Silent, Stop};
use offsite::restore::{Came, Drill, Turn};
use offsite::store::Store;
use rustix::process::Signal;
use std::fs;
use std::time::Duration;

fn one_file() -> Scene {
    let scene = Scene::new();
    scene.put("a-20261121.age", age(200_000, 1));
    scene.pull();
    scene
}

#[test]
fn a_damaged_file_is_an_alarm_and_no_command_sees_it() {
    let scene = one_file();
    let seen = scene.at.home.path().join("seen");
    scene.command("**", &format!("touch '{}'", seen.display()), "");
    let file = scene.at.folder().join("latest/a-20261121.age");
    let mut bytes = fs::read(&file).unwrap();
    bytes[100_000] ^= 1;
    fs::write(&file, bytes).unwrap();
    for _ in 0..2 {
        let told = scene.drill(&[]).exits(7);
        assert!(told.stdout.contains("DAMAGED"), "{}", told.stdout);
        assert_eq!(scene.open(), ["drill-damaged"]);
    }
    assert!(!seen.exists());
    let told = scene.at.home.run(["status"]).exits(4).stdout;
    assert!(told.contains("a-20261121.age"), "{told}");
    assert!(told.contains("last proven restorable: never"), "{told}");
}

/// A pull that places a newer version moves the one before: nothing is damaged by that.
#[test]
fn what_another_run_moves_meanwhile_is_not_damaged() {
    let mut nights = Nights::new();
    nights.bucket.put("a.age", age(500, 1));
    nights.night();
    let reader = Store::open_read(&nights.store.path).unwrap();
    let catalogue = Catalogue::open_read(&reader.catalogue_path()).unwrap();
    let file = nights.shelf().join("latest/a.age");
    let away = nights.folder().join("away");
    fs::rename(&file, &away).unwrap();
    let scratch = nights.folder().join("scratch");
    fs::create_dir(&scratch).unwrap();
    let drill = |min_free: u64, alone: &dyn Fn() -> offsite::error::Result<Home>| {
        let drill = Drill {
            reader: &reader,
            catalogue: &catalogue,
            scratch: &scratch,
            keep: false,
            min_free,
            missing: &|_, _| None,
            alone,
            stop: &Stop::default(),
            reporter: &Silent,
        };
        let turn = Turn {
            source: nights.source.name.clone(),
            series: "a.age".to_owned(),
            command: false,
            last: None,
        };
        drill.rehearse(turn, None).unwrap()
    };
    let open = || Home::open(&nights.store, Clock::System);
    let damaged = drill(0, &open);
    assert!(matches!(damaged.came, Came::Damaged(1, _)), "{damaged:?}");
    // The other run has ended by the time that the store is ours.
    let there = drill(0, &|| {
        fs::rename(&away, &file).unwrap();
        open()
    });
    assert!(matches!(there.came, Came::Read), "{there:?}");
    assert_eq!((there.files, there.bytes), (1, age(500, 1).len() as u64));
    // What is to stay free on the store's drive is not a rehearsal's to take.
    let full = drill(u64::MAX, &open);
    assert!(matches!(full.came, Came::NoRoom(_)), "{full:?}");
}

/// Nothing is begun that has no room, the way out is said, and the next series has its turn.
#[test]
#[cfg_attr(without_mounts, ignore = "OFFSITE_TEST_WITHOUT names mounts")]
fn where_there_is_no_room_nothing_is_begun() {
    let scene = one_file();
    let space = Namespace::new();
    let scratch = scene.scratch();
    space.sh(&format!(
        "mount -t tmpfs -o size=64k none '{}'",
        scratch.display()
    ));
    let run = || {
        let command = scene.at.home.command(scene.args(&[]));
        Running::spawn(space.inside(&command)).finish().exits(1)
    };
    for _ in 0..2 {
        let told = run();
        for words in ["has not room enough", "--scratch DIR"] {
            assert!(told.stdout.contains(words), "{}", told.stdout);
        }
    }
    space.sh(&format!("test -z \"$(ls -A '{}')\"", scratch.display()));
    let told = scene.at.home.run(["status"]).exits(0).stdout;
    assert!(told.contains("has not room enough"), "{told}");
    // Elsewhere there is; and the store itself is no place.
    scene.at.home.run(["drill"]).exits(0);
    let inside = scene.at.home.store().display().to_string();
    scene.at.home.run(["drill", "--scratch", &inside]).exits(2);
    scene
        .at
        .home
        .run(["drill", "--scratch", "no-such-folder"])
        .exits(1);
}

/// Ctrl-C and what systemd sends: the command and all that it started are gone, the folder too, and
/// the series has its turn again.
#[test]
fn an_interruption_leaves_nothing() {
    let scene = one_file();
    let pid = scene.at.home.path().join("pid");
    scene.command(
        "**",
        &format!(
            "sleep 1000 & echo $! >'{0}.new'; mv '{0}.new' '{0}'; wait",
            pid.display()
        ),
        "",
    );
    for signal in [Signal::INT, Signal::TERM] {
        let run = scene.at.home.spawn(scene.args(&[]));
        while !pid.exists() {
            std::thread::sleep(Duration::from_millis(10));
        }
        run.signal(signal);
        let told = run.finish().exits(3);
        assert!(told.stdout.contains("interrupted"), "{}", told.stdout);
        scene.scratch_is_empty();
        let sleeper = fs::read_to_string(&pid).unwrap();
        let stat = || fs::read_to_string(format!("/proc/{}/stat", sleeper.trim()));
        while stat().is_ok_and(|stat| !stat.contains(") Z ")) {
            std::thread::sleep(Duration::from_millis(10));
        }
        fs::remove_file(&pid).unwrap();
    }
    assert_eq!(
        scene.status(0)["sources"][0]["drills"]["failed"],
        serde_json::Value::Null
    );
    let runs = scene.at.home.run(["log"]).exits(0).stdout;
    assert!(!runs.contains("drill"), "{runs}");
}

#[test]
fn what_is_kept_is_there_and_nobody_elses() {
    use std::os::unix::fs::PermissionsExt as _;
    let scene = one_file();
    scene.command("**", "exit 1", "");
    let told = scene
        .drill(&["--keep", "--json"])
        .exits(3)
        .json_lines()
        .remove(0);
    let kept = std::path::PathBuf::from(told["kept"].as_str().unwrap());
    assert_eq!(
        fs::metadata(&kept).unwrap().permissions().mode() & 0o777,
        0o700
    );
    let name = kept.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("offsite-kept-"), "{name}");
    assert_eq!(
        fs::read(kept.join("a-20261121.age")).unwrap(),
        age(200_000, 1)
    );
}

/// What a drill left that was killed would take the room of the next; one that goes on is left alone.
#[test]
fn what_a_killed_drill_left_goes() {
    let scene = one_file();
    let old = std::time::SystemTime::now() - Duration::from_secs(7200);
    let make = |name: &str, old: Option<std::time::SystemTime>| {
        let folder = scene.scratch().join(name);
        fs::create_dir_all(folder.join("deep")).unwrap();
        fs::write(folder.join("deep/file"), "x").unwrap();
        let opened = fs::File::open(&folder).unwrap();
        if let Some(old) = old {
            let times = fs::FileTimes::new().set_modified(old);
            opened.set_times(times).unwrap();
        }
        opened
    };
    drop(make("offsite-drill-killed", Some(old)));
    drop(make("offsite-drill-new", None));
    drop(make("offsite-kept-mine", Some(old)));
    drop(make("something-else", Some(old)));
    let held = make("offsite-drill-at-work", Some(old));
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
    scene.at.home.run(scene.args(&[])).exits(0);
    let left = fs::read_dir(scene.scratch()).unwrap();
    let mut left: Vec<_> = left.map(|e| e.unwrap().file_name()).collect();
    left.sort();
    let stay = [
        "offsite-drill-at-work",
        "offsite-drill-new",
        "offsite-kept-mine",
        "something-else",
    ];
    assert_eq!(left, stay);
}

/// A drill that finds another run at work waits for its end.
#[test]
fn another_run_is_waited_for() {
    let scene = one_file();
    let config = offsite::config::Config::read(&scene.at.home.config()).unwrap();
    // Longer and longer, until it was there in time to find the store taken.
    for seconds in 1_u64.. {
        let home = Home::open(&config.store, Clock::System).unwrap();
        let mut command = scene.at.home.command(scene.args(&[]));
        command.env("RUST_LOG", "debug");
        let run = Running::spawn(command);
        std::thread::sleep(Duration::from_secs(seconds));
        home.close().unwrap();
        let told = run.finish().exits(0);
        scene.scratch_is_empty();
        if told.stderr.contains(": waiting") {
            break;
        }
        assert!(seconds < 20, "{}", told.stderr);
    }
}
