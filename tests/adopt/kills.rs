//! `--move` and `kill -9`: a file is in the folder, or it is in the copy with its row, at any
//! moment (promise P3).

use crate::{Scene, tree};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const KILLS: u32 = 12;
const FILES: u32 = 400;

#[test]
fn p3_a_kill_loses_no_file_that_moves() {
    let scene = Scene::new();
    let mut files = BTreeMap::new();
    for n in 0..FILES {
        let (key, bytes) = (format!("{}/{n}", n % 7), n.to_string().repeat(500));
        scene.both(&key, bytes.as_bytes());
        files.insert(key, bytes.into_bytes());
    }
    let whole = Duration::from_millis(1500);
    let mut cut = 0;
    for turn in 1..=KILLS {
        let begin = Instant::now();
        let mut run = scene.at.home.spawn(["adopt", "--move", "dir"]);
        while begin.elapsed() < whole * turn / KILLS && run.goes_on() {
            std::thread::sleep(Duration::from_millis(1));
        }
        cut += u32::from(run.goes_on());
        run.kill();
        let mut there = tree(&scene.dir());
        if scene.latest().exists() {
            there.extend(tree(&scene.latest()));
        }
        assert!(there == files, "after {turn} kills");
    }
    assert!(cut > 0, "no run was cut off");
    scene.adopt(&["--move"]).exits(0);
    assert!(tree(&scene.latest()) == files);
    assert_eq!(tree(&scene.dir()).len(), 0, "no file has a name in both");
    scene.pull_downloads(0);
    scene.is_well();
}
