//! The file: opened, closed, copied, refused.

use super::*;
use crate::error::Kind;
use std::path::Path;

/// Catalogues of each version are on drives: a change is a new entry of MIGRATIONS.
#[test]
fn the_schema_is_pinned() {
    for (step, pinned) in [
        (
            include_str!("../schema.sql"),
            "3f5e6ada46997cecfc343eebb2abedfcadfc1294e9283ea73cc9b36fa30ebd1f",
        ),
        (
            include_str!("../keys.sql"),
            "2fc8dfda38fa3d33a318f772a319bbaa6706bca2d581c86b44b42ca95f0bfe1a",
        ),
        (
            include_str!("../listing.sql"),
            "f9acc6d3a6d3f965413cb7e23a0ac878a566c5b6751d28bbe79f691d8f96b136",
        ),
        (
            include_str!("../content.sql"),
            "afa4f02dfed17c2e3ff72605214d4cb10391cefcd9b2a36084fc2c6614f59ae4",
        ),
        (
            include_str!("../watch.sql"),
            "af25b567b7d51ad1fd966cfaf0a4cae19e38ff38a9515885b7179b825f6c0eb4",
        ),
        (
            include_str!("../lock.sql"),
            "29ad6a22e3e0d08f6b001db771c8f6fd49ad91fb73afe02d026696fa06946c5a",
        ),
        (
            include_str!("../care.sql"),
            "8ee3e9f413487f7c1c5b5da1995641efd4d4277462660ef1c30d92cd1dac3fd6",
        ),
    ] {
        let digest = ring::digest::digest(&ring::digest::SHA256, step.as_bytes());
        assert_eq!(data_encoding::HEXLOWER.encode(digest.as_ref()), pinned);
    }
}

/// A copy of a catalogue as a pulled cable leaves it, in a folder where it cannot be opened in
/// place: SQLite's shared memory file cannot be made.
fn pulled_cable(shelf: &Shelf) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["catalogue.db", "catalogue.db-wal", "catalogue.db-journal"] {
        let from = shelf.folder.path().join(name);
        if from.exists() {
            std::fs::copy(from, folder.path().join(name)).unwrap();
        }
    }
    // It follows no links.
    std::os::unix::fs::symlink("nowhere", folder.path().join("catalogue.db-shm")).unwrap();
    folder
}

/// A catalogue as version 1 of the schema had it, with one run in it.
fn of_version_one(file: &Path) {
    let db = Connection::open(file).unwrap();
    db.execute_batch(include_str!("../schema.sql")).unwrap();
    db.execute_batch(
        "PRAGMA application_id=1868981875; PRAGMA user_version=1;
         INSERT INTO source VALUES (1, 'www', 'b', '');
         INSERT INTO run (source_id, run, command, program, started_at)
           VALUES (1, 7, 'pull', '0.1.0', 5);",
    )
    .unwrap();
}

#[test]
fn an_older_catalogue_is_read_in_a_copy_and_brought_up_to_date_by_the_next_writer() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("catalogue.db");
    of_version_one(&file);
    let before = std::fs::read(&file).unwrap();
    let read = Catalogue::open_read(&file).unwrap();
    assert_eq!(read.runs(9).unwrap()[0].run, 7);
    assert_eq!(read.sources().unwrap()[0].key, None);
    drop(read);
    assert!(std::fs::read(&file).unwrap() == before, "a reader wrote");
    let written = Catalogue::create_or_open(&file, JournalMode::Wal).unwrap();
    assert_eq!(written.runs(9).unwrap()[0].run, 7);
    written.close().unwrap();
    let version: i64 = Connection::open(&file)
        .unwrap()
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .unwrap();
    assert_eq!(version, 7);
}

#[test]
fn a_leftover_log_is_read_in_a_copy() {
    let shelf = Shelf::with(vec![Record::Place(place("k", plain(1), "latest/k", 10))]);
    let folder = pulled_cable(&shelf);
    let log = folder.path().join("catalogue.db-wal");
    assert!(log.metadata().unwrap().len() > 0);
    let read = Catalogue::open_read(&folder.path().join("catalogue.db")).unwrap();
    assert_eq!(all_of(&read, "k").len(), 1);
    assert!(read._copy.is_some() && log.metadata().unwrap().len() > 0);
    read.close().unwrap();
}

#[test]
fn a_log_without_content_needs_no_copy() {
    let shelf = Shelf::with(vec![Record::Place(place("k", plain(1), "latest/k", 10))]);
    shelf
        .catalogue
        .db
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .unwrap();
    let folder = pulled_cable(&shelf);
    let read = Catalogue::open_read(&folder.path().join("catalogue.db")).unwrap();
    assert_eq!(all_of(&read, "k").len(), 1);
    assert!(read._copy.is_none());
}

#[test]
fn a_hot_journal_is_undone_in_a_copy() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("catalogue.db");
    let mut catalogue = Catalogue::create_or_open(&file, JournalMode::Persist).unwrap();
    catalogue
        .record(&group(1, vec![noted("k", plain(1), State::Skipped, 1)]))
        .unwrap();
    let shelf = Shelf { folder, catalogue };
    // A small cache makes SQLite write to the file before the commit, and sync its journal first.
    shelf
        .catalogue
        .db
        .execute_batch("PRAGMA cache_size=10; BEGIN IMMEDIATE")
        .unwrap();
    for n in 0..2000 {
        let sql = "INSERT INTO event (source_id, run, kind, text, at) VALUES (1, 1, 'x', ?1, 1)";
        shelf
            .catalogue
            .db
            .execute(sql, [format!("{n:0200}")])
            .unwrap();
    }
    let cut = pulled_cable(&shelf);
    let read = Catalogue::open_read(&cut.path().join("catalogue.db")).unwrap();
    assert!(read._copy.is_some());
    assert_eq!(read.counters_check().unwrap(), [""; 0]);
    assert_eq!(read.events(None, 9).unwrap(), []);
    assert_eq!(all_of(&read, "k").len(), 1);
}

#[test]
fn a_closed_catalogue_is_one_file_that_anybody_can_open() {
    let shelf = Shelf::with(vec![Record::Place(place("k", plain(1), "latest/k", 10))]);
    let file = shelf.file();
    let Shelf { folder, catalogue } = shelf;
    catalogue.close().unwrap();
    let names: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(names, ["catalogue.db"]);
    let db = Connection::open(&file).unwrap();
    let mode: String = db
        .query_row("PRAGMA journal_mode", [], |row| row.get(0))
        .unwrap();
    assert_eq!(mode, "delete");
    let again = Catalogue::create_or_open(&file, JournalMode::Wal).unwrap();
    assert_eq!(all_of(&again, "k").len(), 1);
}

#[test]
fn a_reader_cannot_write() {
    let shelf = Shelf::new();
    let mut read = Catalogue::open_read(&shelf.file()).unwrap();
    assert!(read.ensure_source(&www(), "b", "").is_err());
}

#[test]
fn one_who_writes_alone_is_read_beside_by_the_same_process_only() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("catalogue.db");
    let mut writer = Catalogue::create_or_open(&file, JournalMode::Alone).unwrap();
    writer.ensure_source(&www(), "b", "").unwrap();
    let mut reader = writer.beside().unwrap();
    assert!(reader.ensure_source(&www(), "c", "").is_err());
    // The reader's look at the file has not taken the lock away, as one of its own would have.
    let locks = std::fs::read_to_string("/proc/locks").unwrap();
    let of_us = format!(" WRITE {} ", std::process::id());
    assert!(locks.contains(&of_us), "{locks}");
    drop(reader);
    writer.ensure_source(&www(), "d", "").unwrap();
    writer.close().unwrap();
    Catalogue::open_read(&file).unwrap();
}

#[test]
fn the_settings_are_what_they_are_said_to_be() {
    for (mode, word) in [
        (JournalMode::Wal, "wal"),
        (JournalMode::Persist, "persist"),
        (JournalMode::Alone, "persist"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("catalogue.db");
        let catalogue = Catalogue::create_or_open(&file, mode).unwrap();
        let read = |name: &str| {
            let sql = format!("SELECT CAST({name} AS TEXT) FROM pragma_{name}");
            let one = |row: &rusqlite::Row<'_>| row.get::<_, String>(0);
            catalogue.db.query_row(&sql, [], one).unwrap()
        };
        assert_eq!(read("journal_mode"), word);
        assert_eq!(read("synchronous"), "2");
        assert_eq!(read("application_id"), "1868981875");
        catalogue.close().unwrap();
    }
    // What is refused has a name: a database in memory has no log.
    let memory = Connection::open_in_memory().unwrap();
    let path = std::path::Path::new("m");
    let error =
        crate::catalogue::open::set(&memory, path, "journal_mode", "wal", "wal").unwrap_err();
    assert_eq!(error.kind(), Kind::Store);
    assert_eq!(
        error.to_string(),
        "the catalogue m: PRAGMA journal_mode=wal was refused, it stays \"memory\""
    );
}

#[test]
fn what_is_no_catalogue_of_ours_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let make = |name: &str, sql: &str| {
        let file = folder.path().join(name);
        Connection::open(&file).unwrap().execute_batch(sql).unwrap();
        file
    };
    let garbage = folder.path().join("garbage");
    std::fs::write(&garbage, vec![b'x'; 5000]).unwrap();
    let empty = folder.path().join("empty");
    std::fs::write(&empty, "").unwrap();
    let newer = make(
        "newer",
        "PRAGMA application_id=1868981875; PRAGMA user_version=8",
    );
    let foreign = make("foreign", "CREATE TABLE t (x)");
    let missing = folder.path().join("missing");
    for (file, writer, reader, words) in [
        (
            &garbage,
            Some(Kind::Damaged),
            Kind::Damaged,
            "not a database",
        ),
        (
            &foreign,
            Some(Kind::Damaged),
            Kind::Damaged,
            "not a catalogue",
        ),
        (
            &newer,
            Some(Kind::Store),
            Kind::Store,
            "a newer offsite wrote it",
        ),
        (&missing, None, Kind::Damaged, "there is no catalogue"),
        (&empty, None, Kind::Damaged, "is empty"),
    ] {
        let before = std::fs::read(file).ok();
        let error = Catalogue::open_read(file).unwrap_err();
        assert_eq!(error.kind(), reader, "{error}");
        assert!(
            error.to_string().contains(words) && error.way_out().is_some(),
            "{error}"
        );
        if let Some(kind) = writer {
            let error = Catalogue::create_or_open(file, JournalMode::Wal).unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
        }
        assert_eq!(std::fs::read(file).ok(), before);
    }
}

#[test]
fn a_row_that_somebody_spoilt_is_damage_and_not_a_panic() {
    let shelf = Shelf::with(vec![Record::Place(place("k", plain(1), "latest/k", 10))]);
    for spoil in ["size = -1", "proofs = 'x'", "key = ''"] {
        let sql = format!("BEGIN; UPDATE version SET {spoil}");
        shelf.catalogue.db.execute_batch(&sql).unwrap();
        let found = shelf.catalogue.list(&Query::default(), &mut |_| Ok(()));
        let found = found.and_then(|()| shelf.catalogue.all_placed(&www(), 0, 9));
        assert_eq!(found.unwrap_err().kind(), Kind::Damaged, "{spoil}");
        shelf.catalogue.db.execute_batch("ROLLBACK").unwrap();
    }
}

#[test]
fn a_word_that_does_not_belong_is_refused_by_the_table() {
    let shelf = Shelf::with(vec![Record::Place(place("k", plain(1), "latest/k", 10))]);
    for spoil in [
        "state = 'lost'",
        "in_bucket = 'x'",
        "sha256 = NULL",
        "path = NULL",
    ] {
        let sql = format!("UPDATE version SET {spoil}");
        assert!(shelf.catalogue.db.execute_batch(&sql).is_err(), "{spoil}");
    }
}
