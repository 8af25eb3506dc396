//! Records in, rows out.

use super::*;
use std::collections::BTreeMap;

#[test]
fn placing() {
    let held = |from: &str, path: &str, state, at| {
        let mut p = place("k", plain(2), path, at);
        p.from = from.to_owned();
        p.state = state;
        Record::Place(p)
    };
    let first = || Record::Place(place("k", plain(1), "latest/k", 10));
    let second = || displacing(place("k", plain(2), "latest/k", 20), "history/k/1");
    let latest = "1 stored current www/latest/k 0";
    let cases: [(&str, Vec<Record>, &[&str]); 9] = [
        ("new", vec![first()], &[latest]),
        (
            "replaced",
            vec![first(), second()],
            &[
                "1 stored gone www/history/k/1 20",
                "2 stored current www/latest/k 0",
            ],
        ),
        (
            "held",
            vec![first(), held("incoming/2", "history/k/2", State::Held, 20)],
            &[
                "1 stored gone www/latest/k 20",
                "2 held current www/history/k/2 0",
            ],
        ),
        (
            "held, gone, accepted",
            vec![
                first(),
                held("incoming/2", "history/k/2", State::Held, 20),
                gone("k", plain(2), 25),
                displacing(
                    {
                        let mut p = place("k", plain(2), "latest/k", 30);
                        p.from = "history/k/2".to_owned();
                        p
                    },
                    "history/k/1",
                ),
            ],
            &[
                "1 stored gone www/history/k/1 20",
                "2 stored gone www/latest/k 25",
            ],
        ),
        (
            "quarantined, then good",
            vec![
                first(),
                held("incoming/2", "quarantine/2", State::Quarantined, 20),
                second(),
            ],
            &[
                "1 stored gone www/history/k/1 20",
                "2 stored current www/latest/k 0",
            ],
        ),
        (
            "an older version of a versioned bucket",
            vec![
                first(),
                held("incoming/2", "history/k/2", State::Stored, 20),
            ],
            &[latest, "2 stored noncurrent www/history/k/2 20"],
        ),
        (
            "moved for a folder",
            vec![
                first(),
                Record::Move(Moved {
                    key: key("k"),
                    sha256: Sha256([1; 32]),
                    from: "latest/k".to_owned(),
                    to: "latest/%6b".to_owned(),
                    sums_from: Some(10),
                    sums_at: Some(99),
                }),
            ],
            &["1 stored current www/latest/%6b 0"],
        ),
        (
            "noted, then stored",
            vec![noted("k", plain(1), State::Archived, 5), first()],
            &[latest],
        ),
        (
            "stored, then noted: the bytes stay",
            vec![first(), noted("k", plain(1), State::Archived, 20)],
            &[latest],
        ),
    ];
    for (name, records, expected) in cases {
        let shelf = Shelf::with(records);
        assert_eq!(shelf.versions("k"), expected, "{name}");
        shelf.sound();
    }
}

#[test]
fn facts() {
    let first = || Record::Place(place("k", plain(1), "latest/k", 10));
    let cases: [(&str, Vec<Record>, &[&str]); 6] = [
        (
            "touched: both rows share the file",
            vec![first(), touch("k", plain(2), "latest/k", 1, 20)],
            &[
                "1 stored gone www/latest/k 20",
                "2 stored current www/latest/k 0",
            ],
        ),
        (
            "both give way together",
            vec![
                first(),
                touch("k", plain(2), "latest/k", 1, 20),
                displacing(place("k", plain(3), "latest/k", 30), "history/k/1"),
            ],
            &[
                "1 stored gone www/history/k/1 20",
                "2 stored gone www/history/k/1 30",
                "3 stored current www/latest/k 0",
            ],
        ),
        (
            "archived newcomer",
            vec![first(), noted("k", plain(2), State::Archived, 20)],
            &["1 stored gone www/latest/k 20", "2 archived current - 0"],
        ),
        (
            "gone keeps the time it was first missed",
            vec![first(), gone("k", plain(1), 20), gone("k", plain(1), 30)],
            &["1 stored gone www/latest/k 20"],
        ),
        (
            "back",
            vec![
                first(),
                displacing(place("k", plain(2), "latest/k", 20), "history/k/1"),
                back("k", plain(1), 30),
            ],
            &[
                "1 stored current www/history/k/1 0",
                "2 stored gone www/latest/k 30",
            ],
        ),
        (
            "expired by rule",
            vec![
                first(),
                gone("k", plain(1), 20),
                noted("k", plain(1), State::Expired, 30),
            ],
            &["1 expired gone - 20"],
        ),
    ];
    for (name, records, expected) in cases {
        let shelf = Shelf::with(records);
        assert_eq!(shelf.versions("k"), expected, "{name}");
        shelf.sound();
    }
}

#[test]
fn a_shared_file_counts_once_and_all_its_rows_know_its_line() {
    let shelf = Shelf::with(vec![
        Record::Place(place("k", plain(5), "latest/k", 10)),
        touch("k", plain(6), "latest/k", 5, 20),
    ]);
    let bytes: u64 = shelf
        .catalogue
        .counts(None)
        .unwrap()
        .iter()
        .map(|c| c.bytes)
        .sum();
    assert_eq!(bytes, 5);
    let known = shelf.catalogue.known_of(&www(), &key("k")).unwrap();
    assert!(known.iter().all(|k| k.sums_at == Some(10)));
    let latest = shelf.catalogue.latest_of(&www(), "k").unwrap().unwrap();
    assert_eq!(latest.identity, plain(6));
    assert_eq!(shelf.listed(&Query::default()), [("k".to_owned(), 6)]);
}

#[test]
fn a_displaced_or_moved_line_is_where_the_journal_says() {
    let shelf = Shelf::with(vec![
        Record::Place(place("k", plain(1), "latest/k", 10)),
        displacing(place("k", plain(2), "latest/k", 20), "history/k/1"),
    ]);
    let mut lines: Vec<_> = shelf
        .catalogue
        .known_of(&www(), &key("k"))
        .unwrap()
        .iter()
        .map(|k| (k.identity.size, k.sums_at, k.path.clone().unwrap()))
        .collect();
    lines.sort();
    assert_eq!(
        lines,
        [
            (1, Some(900), "history/k/1".to_owned()),
            (2, Some(20), "latest/k".to_owned())
        ]
    );
}

#[test]
fn identity_decides_as_the_noun_does() {
    let with = |version_id: Option<&str>, etag: &str, size, ms| Identity {
        version_id: version_id.map(str::to_owned),
        etag: etag.to_owned(),
        size,
        last_modified: from_ms(ms),
    };
    let all = [
        with(None, "e", 1, 1),
        with(None, "e", 1, 2),
        with(None, "e", 2, 1),
        with(None, "f", 1, 1),
        with(None, "1 e", 1, 1),
        with(Some("A"), "e", 1, 1),
        with(Some("A"), "f", 2, 2),
        with(Some("n 1 1 e"), "e", 1, 1),
        with(Some("B"), "", 0, -5),
    ];
    for a in &all {
        for b in &all {
            let shelf = Shelf::with(vec![
                Record::Place(place("k", a.clone(), "latest/k", 1)),
                touch("k", b.clone(), "latest/k", 1, 2),
            ]);
            let rows = shelf.versions("k").len();
            assert_eq!(rows == 1, a.is(b), "{a:?} {b:?}");
            let found = shelf.catalogue.by_identity(&www(), &key("k"), b).unwrap();
            assert_eq!(found.unwrap().identity, *b);
        }
    }
}

#[test]
fn a_group_is_applied_once() {
    let records = || {
        vec![
            Record::Fact(Fact::Event(EventRecord {
                kind: "moved-aside".to_owned(),
                key: Some(key("a\0b")),
                text: "x".to_owned(),
                at: from_ms(3),
            })),
            Record::Place(place("k", plain(1), "latest/k", 10)),
        ]
    };
    let mut shelf = Shelf::with(records());
    let once = shelf.dump();
    shelf.catalogue.record(&group(1, records())).unwrap();
    shelf.catalogue.record(&group(0, records())).unwrap();
    assert_eq!(shelf.dump(), once);
    shelf.catalogue.record(&group(2, records())).unwrap();
    assert_ne!(shelf.dump(), once);
    let position = shelf.catalogue.position(&www()).unwrap().unwrap();
    assert_eq!((position.run, position.offset), (1, 2));
    let mut later = group(1, vec![]);
    later.1.run = 2;
    shelf.catalogue.record(&later).unwrap();
    assert_eq!(shelf.catalogue.position(&www()).unwrap().unwrap(), later.1);
    assert_eq!(shelf.catalogue.events(Some("a\0b"), 9).unwrap().len(), 2);
    assert_eq!(shelf.catalogue.events(Some("a"), 9).unwrap().len(), 0);
}

#[test]
fn a_group_is_applied_whole_or_not() {
    let mut shelf = Shelf::new();
    let good = Record::Place(place("k", plain(1), "latest/k", 10));
    // No journal says that there are no bytes for a stored version.
    let bad = noted("l", plain(1), State::Stored, 10);
    assert!(shelf.catalogue.record(&group(1, vec![good, bad])).is_err());
    assert_eq!(shelf.versions("k"), [""; 0]);
    assert_eq!(shelf.catalogue.position(&www()).unwrap(), None);
}

/// A small generator (xorshift) is all the randomness this needs.
fn any_record(seed: &mut u64, at: i64) -> Record {
    let mut below = |n: u64| {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        *seed % n
    };
    let name = ["a", "a/b", "c\0d"][usize::try_from(below(3)).unwrap()];
    let mut identity = plain(1 + below(4));
    if below(3) == 0 {
        identity.version_id = Some(format!("v{}", below(3)));
    }
    let latest = format!("latest/{name}");
    let history = format!("history/{name}/{}", below(3));
    let words = [
        State::Archived,
        State::Unreadable,
        State::Skipped,
        State::Expired,
    ];
    match below(9) {
        0 | 1 => displacing(place(name, identity, &latest, at), &history),
        2 => Record::Place(place(name, identity, &latest, at)),
        3 => {
            let (state, path) = match below(4) {
                0 => (State::Held, history),
                1 => (State::Quarantined, format!("quarantine/{at}")),
                2 => (State::Stored, history),
                _ => (State::Stored, latest),
            };
            let mut p = place(name, identity, &path, at);
            p.state = state;
            if below(2) == 0 {
                p.from = format!("history/{name}/0");
            }
            Record::Place(p)
        }
        4 => touch(name, identity, &latest, 1, at),
        5 => noted(
            name,
            identity,
            words[usize::try_from(below(4)).unwrap()],
            at,
        ),
        6 => gone(name, identity, at),
        7 => back(name, identity, at),
        _ => Record::Move(Moved {
            key: key(name),
            sha256: Sha256([1; 32]),
            from: latest,
            to: history,
            sums_from: None,
            sums_at: Some(1),
        }),
    }
}

#[test]
fn after_any_records_the_counters_are_right_and_a_replay_makes_the_same_catalogue() {
    for seed in 1..40_u64 {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let groups: Vec<Group> = (1..8)
            .map(|n| {
                let records = (0..12).map(|at| any_record(&mut state, 100 * at + 1));
                group(n, records.collect())
            })
            .collect();
        let (mut live, mut replayed) = (Shelf::new(), Shelf::new());
        for group in &groups {
            live.catalogue.record(group).unwrap();
        }
        for group in groups.iter().chain(&groups) {
            replayed.catalogue.record(group).unwrap();
        }
        live.sound();
        assert_eq!(live.dump(), replayed.dump(), "seed {seed}");
        let mut current: BTreeMap<String, u64> = BTreeMap::new();
        let all = Query {
            all_versions: true,
            ..Query::default()
        };
        live.catalogue
            .list(&all, &mut |v| {
                *current.entry(v.key.as_str().to_owned()).or_default() +=
                    u64::from(v.in_bucket == InBucket::Current);
                Ok(())
            })
            .unwrap();
        assert!(
            current.values().all(|n| *n <= 1),
            "seed {seed}: {current:?}"
        );
    }
}

#[test]
fn a_drifted_counter_is_said() {
    let shelf = Shelf::with(vec![Record::Place(place("k", plain(5), "latest/k", 10))]);
    shelf
        .catalogue
        .db
        .execute("UPDATE counter SET bytes = 4", [])
        .unwrap();
    let wrong = shelf.catalogue.counters_check().unwrap();
    assert_eq!(
        wrong,
        [
            "www, stored, in the bucket current, proven by \"provider\", content \"\": the counter says 1 versions of 4 bytes, there are 1 of 5"
        ]
    );
}

#[test]
fn the_first_claim_of_a_name_stands() {
    let claims = |name: &str| {
        let mut p = place(name, plain(1), &format!("latest/{name}"), 1);
        p.names = vec![NameClaim {
            folder: "latest".to_owned(),
            folded: "a".to_owned(),
            name: name.to_owned(),
        }];
        Record::Place(p)
    };
    let shelf = Shelf::with(vec![claims("A"), claims("a")]);
    let taken = |folder| shelf.catalogue.name_taken(&www(), folder, "a").unwrap();
    assert_eq!(taken("latest"), Some("A".to_owned()));
    assert_eq!(taken("latest/x"), None);
}

/// A group brings many of one series; what comes to `latest/` a second time is no other object, and
/// what is not stored is a sign of life.
#[test]
fn a_series_remembers_when_its_objects_came() {
    let of = |name: &str, n: u64, day: i64| {
        let mut placed = place(name, plain(n), &format!("latest/{name}"), 10);
        placed.identity.last_modified = from_ms(day * 86_400_000);
        placed
    };
    let mut records: Vec<Record> = (0..3)
        .map(|day: i64| Record::Place(of(&format!("db-{day}.gz"), 7 + day.unsigned_abs(), day)))
        .collect();
    let mut again = of("db-1.gz", 8, 1);
    "history/db-1.gz/x".clone_into(&mut again.from);
    records.push(Record::Place(again));
    let mut archived = plain(9_999);
    archived.last_modified = from_ms(3 * 86_400_000);
    records.push(noted("db-3.gz", archived.clone(), State::Archived, 10));
    // Nothing is remembered of a series of which nothing was ever stored.
    records.push(noted("other-3.gz", archived, State::Archived, 10));
    let shelf = Shelf::with(records);
    let all = shelf.catalogue.all_series(&www(), 0, "", 9).unwrap();
    let [row] = &all[..] else {
        panic!("{all:#?}");
    };
    assert_eq!((row.name.as_str(), row.versions), ("db-*.gz", 3));
    let arrivals = row.arrivals.as_slice().iter();
    let found: Vec<_> = arrivals.map(|a| (a.objects, a.largest)).collect();
    assert_eq!(found, [(1, 7), (1, 8), (1, 9), (0, 0)]);
    let none = shelf.catalogue.all_series(&www(), 5, "", 9).unwrap();
    assert_eq!((none, row.arrivals.weight()), (Vec::new(), 4));
}
