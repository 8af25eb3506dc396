//! Whose turn it is, and what is restored of it.

use crate::support::age;
use crate::{Scene, came};

fn pairs(told: &[(String, String)]) -> Vec<(&str, &str)> {
    told.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect()
}

/// Those with a command and those without by turns, in both the one that was longest ago.
#[test]
fn the_series_take_turns() {
    let scene = Scene::new();
    for (number, name) in ["a", "b", "c"].iter().enumerate() {
        for day in [20, 21] {
            let seed = 100 * number as u64 + day;
            scene.put(&format!("{name}/dump-202611{day}.age"), age(500, seed));
        }
    }
    scene.command("b/*", "test -f \"$1\" && test $# -eq 1", "");
    scene.pull();
    let mut turns = Vec::new();
    for _ in 0..6 {
        let told = scene.drill(&["--json"]).exits(0);
        turns.extend(came(&told));
    }
    let series = |name: &str| format!("{name}/dump-*.age");
    let (a, b, c) = (series("a"), series("b"), series("c"));
    let (read, proven) = ("read", "proven");
    assert_eq!(
        pairs(&turns),
        [
            (&*b, proven),
            (&*a, read),
            (&*b, proven),
            (&*c, read),
            (&*b, proven),
            (&*a, read)
        ]
    );
    let all = came(&scene.drill(&["--all", "--json"]).exits(0));
    assert_eq!(all.len(), 3);
    let named = came(&scene.drill(&["--series", &c, "--json"]).exits(0));
    assert_eq!(pairs(&named), [(&*c, read)]);
    let some = came(
        &scene
            .drill(&["--series", "[ac]/*", "--all", "--json"])
            .exits(0),
    );
    assert_eq!(some.len(), 2, "{some:?}");
    for wrong in [["--series", "no-such"], ["--source", "other"]] {
        let told = scene.drill(&wrong).exits(2);
        assert!(told.stderr.contains("  -> "), "{}", told.stderr);
    }
}

/// The volumes of an archive are one set, and so are the files of a repository with its `config`.
#[test]
fn a_set_is_rehearsed_once() {
    let scene = Scene::new();
    for end in ["j01", "j02", "jps"] {
        scene.put(&format!("site-20261121-030000utc.{end}"), age(500, 1));
    }
    // The newest is not complete: its second volume never came.
    for end in ["j01", "j03", "jps"] {
        scene.put(&format!("site-20261122-030000utc.{end}"), age(500, 2));
    }
    let hex = "0123456789abcdef".repeat(4);
    for part in ["config", &format!("keys/{hex}"), &format!("index/{hex}")] {
        scene.put(&format!("repo/{part}"), format!("{{{part}}}"));
    }
    scene.command(
        "site-*",
        "test $# -eq 3; case \"$3\" in */site-20261121-*.jps) ;; *) exit 1 ;; esac",
        "",
    );
    scene.command(
        "repo/(restic)",
        "test -f config && test -d keys && test \"$PWD\" = \"$OFFSITE_DRILL_DIR\"",
        "",
    );
    // The repository's files are not what their names say: they are in quarantine, and of no use.
    let _ = scene.at.home.run(["pull"]);
    let told = came(&scene.drill(&["--all", "--json"]));
    let series: Vec<_> = told.iter().map(|(series, _)| series.as_str()).collect();
    assert_eq!(
        series.iter().filter(|s| s.starts_with("site-")).count(),
        1,
        "{told:?}"
    );
    assert_eq!(
        series.iter().filter(|s| s.starts_with("repo")).count(),
        1,
        "{told:?}"
    );
    assert!(
        told.contains(&("site-*-*utc.jps".to_owned(), "proven".to_owned())),
        "{told:?}"
    );
    // By its name, the volumes' own series is the same set.
    let volumes = came(
        &scene
            .drill(&["--series", "site-*-*utc.j*", "--all", "--json"])
            .exits(0),
    );
    assert!(
        volumes.iter().all(|(_, came)| came == "proven"),
        "{volumes:?}"
    );
}

#[test]
fn nothing_to_rehearse_is_no_failure() {
    let scene = Scene::new();
    scene.drill(&[]).exits(0);
    let store = scene.at.home.store();
    std::fs::rename(&store, store.with_extension("away")).unwrap();
    scene.drill(&[]).exits(5);
}
