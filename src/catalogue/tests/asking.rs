//! What the callers ask.

use super::*;
use crate::error::Kind;

#[test]
fn keys_may_hold_anything() {
    let names = [
        "a\0",
        "a\0/x",
        "a",
        "é/ü",
        "é",
        "a/",
        "b/\u{10ffff}",
        "b\u{301}",
        "%_*'\"",
    ];
    let records = names
        .iter()
        .map(|name| Record::Place(place(name, plain(3), &format!("latest/{}", name.len()), 1)));
    let shelf = Shelf::with(records.collect());
    let keys: Vec<_> = names.iter().map(|name| key(name)).collect();
    let unknown = key("a\0b");
    let asked = keys.iter().chain([&unknown]);
    let asked: Vec<_> = asked.map(|key| shown(key.as_str(), plain(3))).collect();
    let found = shelf.catalogue.known(&www(), &asked).unwrap();
    assert_eq!(found.len(), names.len());
    assert!(
        keys.iter()
            .all(|k| found[k].len() == 1 && found[k][0].key == *k)
    );
    let folder = |name: &str| shelf.catalogue.is_folder(&www(), &key(name)).unwrap();
    assert!(folder("a\0") && folder("é") && folder("b"));
    // `a/` is not longer than the folder's own name, and `b` plus an accent is another name.
    assert!(!folder("a") && !folder("b\u{301}") && !folder("é/ü") && !folder("%"));
    let mut sorted: Vec<_> = names.map(str::to_owned).to_vec();
    sorted.sort();
    let listed: Vec<_> = shelf
        .listed(&Query::default())
        .into_iter()
        .map(|(k, _)| k)
        .collect();
    assert_eq!(listed, sorted);
}

#[test]
fn a_folder_is_one_of_what_is_planned_or_stands_in_latest() {
    let mut p = place("h/x", plain(1), "history/h/x/1", 1);
    p.state = State::Held;
    let mut shelf = Shelf::with(vec![
        Record::Place(p),
        noted("n/x", plain(1), State::Skipped, 1),
    ]);
    let folder = |shelf: &Shelf, name: &str| shelf.catalogue.is_folder(&www(), &key(name)).unwrap();
    assert!(!folder(&shelf, "h") && !folder(&shelf, "n") && !folder(&shelf, "p"));
    let planned = change("p/x", 1);
    shelf.catalogue.plan_stage(&www(), &[planned]).unwrap();
    assert!(folder(&shelf, "p") && !folder(&shelf, "p/x"));
}

fn change(name: &str, n: u64) -> Change {
    Change {
        why: Why::New,
        in_bucket: InBucket::Current,
        key: key(name),
        identity: plain(n),
        storage_class: Some("GLACIER".to_owned()),
    }
}

#[test]
fn the_plan() {
    let mut shelf = Shelf::new();
    let (source, other) = (www(), SourceName::new("other").unwrap());
    let huge = change("huge", i64::MAX.unsigned_abs());
    let changes = [change("a", 1), change("b", 2), huge.clone(), huge];
    shelf.catalogue.plan_stage(&other, &changes).unwrap();
    shelf.catalogue.plan_stage(&source, &changes).unwrap();
    shelf.catalogue.plan_stage(&source, &changes).unwrap();
    let catalogue = &shelf.catalogue;
    let totals = catalogue.plan_totals(&source).unwrap();
    assert_eq!(
        (totals.objects, totals.largest),
        (3, i64::MAX.unsigned_abs())
    );
    let first = catalogue.plan_take(&source, 0, 2).unwrap();
    let rest = catalogue.plan_take(&source, first[1].0, 2).unwrap();
    let taken: Vec<_> = first.into_iter().chain(rest).map(|(_, c)| c).collect();
    assert_eq!(taken, changes[..3]);
    assert!(catalogue.plan_has(&source, "a").unwrap());
    assert!(!catalogue.plan_has(&source, "c").unwrap());
    shelf.catalogue.plan_clear(&source).unwrap();
    assert_eq!(shelf.catalogue.plan_totals(&source).unwrap().objects, 0);
    assert_eq!(shelf.catalogue.plan_totals(&other).unwrap().objects, 3);
}

#[test]
fn a_plan_of_one_source_is_cleared_without_writing_it_again() {
    let mut shelf = Shelf::new();
    let changes: Vec<Change> = (0..20_000).map(|n| change(&format!("{n:06}"), n)).collect();
    shelf.catalogue.plan_stage(&www(), &changes).unwrap();
    let empty_log = "PRAGMA wal_checkpoint(TRUNCATE)";
    shelf.catalogue.db.execute_batch(empty_log).unwrap();
    shelf.catalogue.plan_clear(&www()).unwrap();
    let log = shelf.folder.path().join("catalogue.db-wal");
    let written = log.metadata().unwrap().len();
    assert!((1..64 << 10).contains(&written), "{written}");
    assert_eq!(shelf.catalogue.plan_totals(&www()).unwrap().objects, 0);
    shelf.catalogue.plan_stage(&www(), &changes[..2]).unwrap();
    assert_eq!(shelf.catalogue.plan_totals(&www()).unwrap().objects, 2);
}

#[test]
fn unseen_are_the_current_rows_that_the_bitset_does_not_know() {
    let names = ["a", "b", "c", "d"];
    let places = names.map(|n| Record::Place(place(n, plain(1), &format!("latest/{n}"), 1)));
    let mut records = places.to_vec();
    records.push(gone("b", plain(1), 2));
    let shelf = Shelf::with(records);
    let catalogue = &shelf.catalogue;
    let keys = |found: Vec<Known>| -> String { found.iter().map(|k| k.key.as_str()).collect() };
    let all = catalogue.unseen_candidates(&www(), 0, 9).unwrap();
    assert_eq!(catalogue.highest_row().unwrap(), 4);
    let (a, c) = (all[0].id, all[1].id);
    assert_eq!(keys(all), "acd");
    assert_eq!(
        keys(catalogue.unseen_candidates(&www(), a, 1).unwrap()),
        "c"
    );
    assert_eq!(
        keys(catalogue.unseen(&www(), 0, 9, &|id| id == c).unwrap()),
        "ad"
    );
}

#[test]
fn what_the_bucket_showed_at_a_time() {
    let shelf = Shelf::with(vec![
        Record::Place(place("k", plain(1), "latest/k", 10)),
        displacing(place("k", plain(2), "latest/k", 20), "history/k/1"),
        gone("k", plain(2), 30),
        Record::Place(place("l", plain(9), "latest/l", 25)),
    ]);
    let at = |ms| {
        let query = Query {
            at: Some(from_ms(ms)),
            ..Query::default()
        };
        let found = shelf.listed(&query);
        found
            .iter()
            .map(|(k, n)| format!("{k}{n}"))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let shown = [9, 10, 19, 20, 25, 29, 30].map(at);
    assert_eq!(shown, ["", "k1", "k1", "k2", "k2 l9", "k2 l9", "l9"]);
    let all = Query {
        source: Some(www()),
        all_versions: true,
        ..Query::default()
    };
    assert_eq!(
        shelf.listed(&all),
        [
            ("k".to_owned(), 2),
            ("k".to_owned(), 1),
            ("l".to_owned(), 9)
        ]
    );
    let none = Query {
        source: Some(SourceName::new("other").unwrap()),
        ..all
    };
    assert_eq!(shelf.listed(&none), []);
}

#[test]
fn a_key_with_more_versions_than_a_page_is_listed_whole() {
    let mut records: Vec<_> = (0..1500)
        .map(|n| noted("many", plain(n), State::Skipped, i64::try_from(n).unwrap()))
        .collect();
    records.extend((0..600).map(|n| noted(&format!("n{n:03}"), plain(1), State::Skipped, 1)));
    records.push(noted("aa", plain(1), State::Skipped, 1));
    let shelf = Shelf::with(records);
    let all = shelf.listed(&Query {
        all_versions: true,
        ..Query::default()
    });
    assert_eq!(all.len(), 2101);
    assert!(all[1..1501].iter().map(|(_, n)| *n).eq((0..1500).rev()));
    assert!(all.is_sorted_by_key(|(k, _)| k.clone()));
    let mut twice = 0;
    let stop = shelf.catalogue.list(
        &Query {
            all_versions: true,
            ..Query::default()
        },
        &mut |_| {
            twice += 1;
            Err(crate::error::Error::new(Kind::Interrupted, "enough"))
        },
    );
    assert_eq!((stop.unwrap_err().kind(), twice), (Kind::Interrupted, 1));
}

#[test]
fn runs_findings_and_acks() {
    let start = RunStart {
        at: from_ms(1),
        command: "pull".to_owned(),
        program: "0.1.0".to_owned(),
        key: Some(KeyPrint::of("an-id")),
        bucket: None,
        prefix: None,
    };
    let end = RunEnd {
        at: from_ms(2),
        ended: "complete".to_owned(),
        error: None,
        counts: RunCounts {
            listed: 3,
            requests: 4,
            ..RunCounts::default()
        },
    };
    let ack = Ack {
        finding: "www-9".to_owned(),
        note: Some("mine".to_owned()),
        accepted: true,
        at: from_ms(60),
    };
    let mut shelf = Shelf::with(vec![
        Record::Fact(Fact::RunStart(start.clone())),
        Record::Fact(Fact::Finding(finding("www-9", Severity::Alarm))),
        Record::Fact(Fact::Finding(finding("www-10", Severity::Warning))),
    ]);
    let catalogue = &mut shelf.catalogue;
    assert_eq!(catalogue.runs(9).unwrap()[0].end, None);
    assert_eq!(catalogue.open_alarms().unwrap(), 1);
    assert_eq!(catalogue.next_finding_number(&www()).unwrap(), 11);
    let second = vec![
        Record::Fact(Fact::Ack(ack.clone())),
        Record::Fact(Fact::RunEnd(end.clone())),
    ];
    catalogue.record(&group(2, second)).unwrap();
    assert_eq!(catalogue.open_alarms().unwrap(), 0);
    assert_eq!(catalogue.findings(false).unwrap().len(), 2);
    let open = catalogue.findings(true).unwrap();
    assert_eq!(open[0].finding, finding("www-10", Severity::Warning));
    assert_eq!(open.len(), 1);
    let closed = catalogue.finding("www-9").unwrap().unwrap();
    assert_eq!(closed.ack, Some(ack));
    assert_eq!(catalogue.finding("www-99").unwrap(), None);
    catalogue.ensure_source(&www(), "bucket", "pre/").unwrap();
    let source = &catalogue.sources().unwrap()[0];
    assert_eq!(
        (source.bucket.as_str(), source.prefix.as_str()),
        ("bucket", "pre/")
    );
    assert_eq!(source.last_complete_pull, Some(from_ms(2)));
    assert_eq!(source.head, Some(Sha256([7; 32])));
    let run = source.last_run.as_ref().unwrap();
    assert_eq!((&run.start, &run.end), (&start, &Some(end)));
}

#[test]
fn the_views_have_the_columns_that_scripts_rest_on() {
    let shelf = Shelf::with(vec![
        Record::Place(place("d/k", plain(1), "latest/d/k", 1_700_000_000_123)),
        displacing(
            place("d/k", plain(2), "latest/d/k", 1_700_000_000_999),
            "history/d/k/1",
        ),
        Record::Fact(Fact::Finding(finding("www-1", Severity::Alarm))),
    ]);
    let db = &shelf.catalogue.db;
    let promised = "key version_id size sha256 etag last_modified stored_at state in_bucket \
                    evidence path source";
    for (view, columns, rows) in [
        ("latest", promised, 1),
        ("history", promised, 2),
        (
            "problems",
            "finding source severity kind key what evidence next at",
            1,
        ),
        (
            "runs",
            "source run command started_at ended_at ended error",
            0,
        ),
        ("timeline", "at source what key text", 4),
        (
            "series_health",
            "source folder versions newest_stored_at bytes",
            1,
        ),
    ] {
        let mut all = db.prepare(&format!("SELECT * FROM {view}")).unwrap();
        let names = all.column_names().collect::<Vec<_>>().join(" ");
        assert!(names.starts_with(columns), "{view}: {names}");
        assert_eq!(
            all.query_map([], |_| Ok(())).unwrap().count(),
            rows,
            "{view}"
        );
    }
    let row: (String, String, String) = db
        .query_row("SELECT path, sha256, stored_at FROM latest", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .unwrap();
    let sha = Sha256([2; 32]).to_string();
    let expected = ("www/latest/d/k", sha.as_str(), "2023-11-14T22:13:20.999Z");
    assert_eq!((row.0.as_str(), row.1.as_str(), row.2.as_str()), expected);
}

#[test]
fn no_question_reads_all_versions() {
    // The check is in `prepare`: it is enough to ask everything once.
    let mut shelf = Shelf::with(vec![touch("k", plain(1), "latest/k", 1, 1)]);
    let (source, k) = (www(), key("k"));
    let catalogue = &mut shelf.catalogue;
    catalogue.counts(None).unwrap();
    catalogue.counts(Some(&source)).unwrap();
    catalogue.sources().unwrap();
    catalogue.known(&source, &[shown("k", plain(1))]).unwrap();
    catalogue.known_of(&source, &k).unwrap();
    let (identity, sha256) = (plain(1), Sha256([1; 32]));
    catalogue.bearing(&source, &k, &identity, sha256).unwrap();
    catalogue.current_of(&source, &k, State::Stored).unwrap();
    catalogue.highest_row().unwrap();
    catalogue.unseen_candidates(&source, 0, 9).unwrap();
    catalogue.is_folder(&source, &k).unwrap();
    catalogue.latest_of(&source, "k").unwrap();
    catalogue.name_taken(&source, "", "k").unwrap();
    assert_eq!(catalogue.first_seen(&source, &k).unwrap(), Some(from_ms(1)));
    catalogue.by_identity(&source, &k, &plain(1)).unwrap();
    assert_eq!(all_of(catalogue, "k").len(), 1);
    assert_eq!(catalogue.all_placed(&source, 0, 9).unwrap().len(), 1);
    catalogue.events(None, 9).unwrap();
    assert_eq!(catalogue.at_path(&source, "latest/k").unwrap().len(), 1);
    catalogue
        .set_sums_at(&source, &[("latest/k".to_owned(), 7)])
        .unwrap();
    let paths = catalogue.paths(&source, "latest", "", 9).unwrap();
    assert_eq!(paths, [("latest/k".to_owned(), Sha256([1; 32]), Some(7))]);
    assert_eq!(
        catalogue.paths(&source, "latest", "latest/k", 9).unwrap(),
        []
    );
    assert_eq!(catalogue.paths(&source, "history", "", 9).unwrap(), []);
    assert!(
        !catalogue
            .was_said(&source, "kind", "evidence", crate::object::Timestamp::MIN)
            .unwrap()
    );
    for at in [None, Some(from_ms(1))] {
        for all_versions in [false, true] {
            let query = Query {
                source: None,
                at,
                all_versions,
                unheld: at.is_some(),
            };
            catalogue.list(&query, &mut |_| Ok(())).unwrap();
        }
    }
}

#[test]
#[should_panic(expected = "SCAN version")]
fn a_question_that_reads_all_versions_is_caught() {
    let shelf = Shelf::new();
    let _ = shelf
        .catalogue
        .any("SELECT 1 FROM version WHERE size = 5", []);
}

/// A key may have very many versions: what a listing asks reads few of them, what people ask reads them
/// one by one.
#[test]
fn a_key_with_very_many_versions_is_never_read_whole() {
    const MANY: u64 = 1500;
    let id = |n: u64| Identity {
        version_id: Some(format!("v{n}")),
        last_modified: from_ms(1_700_000_000_000 + n.cast_signed()),
        ..plain(n)
    };
    let mut records = vec![Record::Place(place("a", plain(1), "latest/a", 1))];
    records.extend((1..=MANY).map(|n| {
        let path = format!("latest/k{n}");
        Record::Place(place("k", id(n), &path, n.cast_signed()))
    }));
    records.push(Record::Place(place("z", plain(1), "latest/z", 1)));
    let shelf = Shelf::with(records);
    let (catalogue, source, k) = (&shelf.catalogue, www(), key("k"));

    let page = [
        shown("a", plain(1)),
        shown("k", id(7)),
        shown("k", id(9_999)),
    ];
    let known = catalogue.known(&source, &page[..2]).unwrap();
    let mut sizes: Vec<u64> = known[&k].iter().map(|row| row.identity.size).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [7, MANY], "the one like it, and the current one");
    let unnamed = Identity {
        version_id: None,
        ..id(7)
    };
    let known = catalogue.known(&source, &[shown("k", unnamed)]).unwrap();
    assert_eq!(known[&k].len(), 2, "a listing of keys tells no ids");
    let known = catalogue.known(&source, &page[2..]).unwrap();
    assert_eq!((known.len(), known[&k].len()), (1, 1), "a new one");
    let bearing = catalogue
        .bearing(&source, &k, &id(9_999), Sha256([3; 32]))
        .unwrap();
    assert_eq!(bearing.len(), 1);
    assert_eq!(bearing[0].identity, id(1), "the oldest");

    let every = Query {
        all_versions: true,
        ..Query::default()
    };
    let all = shelf.listed(&every);
    let of_k: Vec<u64> = all[1..all.len() - 1].iter().map(|(_, n)| *n).collect();
    let newest_first: Vec<u64> = (1..=MANY).rev().collect();
    assert_eq!(of_k, newest_first);
    assert_eq!(
        (all[0].0.as_str(), all[all.len() - 1].0.as_str()),
        ("a", "z")
    );
    let then = Query {
        at: Some(from_ms(1_700_000_000_000 + 2_000)),
        ..Query::default()
    };
    assert_eq!(shelf.listed(&then).len(), 3);
}

/// However many pulls there were meanwhile, of this source and of others.
#[test]
fn what_the_pulls_of_a_year_were_like() {
    let mut shelf = Shelf::new();
    let pulls = [
        ("pull", "failed", 9_000),
        ("pull", "complete", 8_000),
        ("adopt", "complete", 7_000),
        ("pull", "partial", 500),
        ("pull", "complete", 30),
    ];
    let more = std::iter::repeat_n(("pull", "complete", 2), 600);
    for (n, (command, ended, stored)) in (0_i64..).zip(pulls.into_iter().chain(more)) {
        let start = RunStart {
            at: from_ms(n),
            command: command.to_owned(),
            program: "0.1.0".to_owned(),
            key: None,
            bucket: None,
            prefix: None,
        };
        let end = RunEnd {
            at: from_ms(n),
            ended: ended.to_owned(),
            error: None,
            counts: RunCounts {
                stored,
                ..RunCounts::default()
            },
        };
        let mut run = group(
            n.unsigned_abs(),
            vec![
                Record::Fact(Fact::RunStart(start)),
                Record::Fact(Fact::RunEnd(end)),
            ],
        );
        run.1.run = n.unsigned_abs() + 1;
        shelf.catalogue.record(&run).unwrap();
    }
    let since = |at| shelf.catalogue.pulls_since(&www(), from_ms(at)).unwrap();
    assert_eq!(since(0), (602, 500));
    assert_eq!(since(3), (601, 2));
    assert_eq!(since(10_000), (0, 0));
}

#[test]
fn a_mirror_numbers_its_own_findings_apart_asks_for_what_it_lacks_and_is_as_new_as_the_first() {
    let lost = noted("lost", plain(1), State::Pending, 5);
    let event = EventRecord {
        kind: "moved-aside".to_owned(),
        key: None,
        text: "t".to_owned(),
        at: from_ms(9),
    };
    let mut shelf = Shelf::with(vec![
        lost,
        noted("archived", plain(2), State::Archived, 5),
        Record::Fact(Fact::Event(event.clone())),
        Record::Fact(Fact::Finding(finding("www-9", Severity::Alarm))),
    ]);
    let lacks = |shelf: &Shelf, after| {
        let rows = shelf.catalogue.pending(&www(), after, 9).unwrap();
        rows.into_iter().map(|v| v.id).collect::<Vec<_>>()
    };
    assert_eq!(shelf.versions("lost"), ["1 pending current - 0"]);
    let found = lacks(&shelf, 0);
    assert_eq!(found.len(), 1);
    assert_eq!(lacks(&shelf, found[0]), [0; 0]);
    assert!(shelf.catalogue.has_event(&www(), &event).unwrap());
    let other = EventRecord {
        at: from_ms(8),
        ..event
    };
    assert!(!shelf.catalogue.has_event(&www(), &other).unwrap());
    assert_eq!(shelf.catalogue.next_finding_number(&www()).unwrap(), 10);
    assert_eq!(
        shelf.catalogue.sources().unwrap()[0].last_complete_pull,
        None
    );

    let followed = Fact::Followed(Followed {
        store: "01JFIRST".to_owned(),
        run: 3,
        offset: 77,
        head: Sha256([3; 32]),
        pulled: Some(from_ms(4000)),
        at: from_ms(5000),
    });
    let there = Record::Place(place("lost", plain(1), "latest/lost", 6));
    let second = vec![Record::Fact(followed), there];
    shelf.catalogue.record(&group(2, second)).unwrap();
    assert_eq!(lacks(&shelf, 0), [0; 0]);
    let (store, at) = shelf.catalogue.followed_to(&www()).unwrap().unwrap();
    assert_eq!((store.as_str(), at.run, at.offset), ("01JFIRST", 3, 77));
    let number = |shelf: &Shelf| shelf.catalogue.next_finding_number(&www()).unwrap();
    assert_eq!(number(&shelf), 1_000_001);
    let own = Fact::Finding(finding("www-1000001", Severity::Warning));
    let third = vec![Record::Fact(own)];
    shelf.catalogue.record(&group(3, third)).unwrap();
    assert_eq!(number(&shelf), 1_000_002);
    let row = &shelf.catalogue.sources().unwrap()[0];
    assert_eq!(row.last_complete_pull, Some(from_ms(4000)));
}
