//! A catalogue as text, column by column, read by SQLite alone.

use rusqlite::{Connection, OpenFlags, types::Value};
use std::collections::BTreeMap;
use std::path::Path;

/// What the drive cannot know, and why that is no loss. Every other column of every table must
/// come back.
const UNKNOWABLE: [(&str, &str, &str); 8] = [
    (
        "source",
        "id",
        "a number of this database's own: the order in which sources were first used",
    ),
    (
        "version",
        "id",
        "a number of this database's own: sources took turns, and come back one by one",
    ),
    ("event", "id", "as version.id"),
    ("ack", "id", "as version.id"),
    ("marker", "id", "as version.id"),
    (
        "source",
        "byte_order",
        "how the bucket lists: the next listing shows it, and no row rests on it",
    ),
    (
        "lock_turn",
        "*",
        "where the nightly look at some locks goes on: any place will do",
    ),
    (
        "plan",
        "*",
        "what the last listing showed and was still to be fetched: every run makes its own",
    ),
];

/// The rows of each table as sorted lines of `column=value`.
pub(crate) type Dump = BTreeMap<String, Vec<String>>;

pub(crate) fn dump(file: &Path) -> Dump {
    let db = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let names: BTreeMap<i64, String> = rows(&db, "SELECT id, name FROM source")
        .into_iter()
        .map(|row| match &row[..] {
            [Value::Integer(id), Value::Text(name)] => (*id, name.clone()),
            other => panic!("{other:?}"),
        })
        .collect();
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    let mut dump = Dump::new();
    let mut met = Vec::new();
    for table in texts(&db, tables) {
        let all = format!("SELECT name FROM pragma_table_xinfo('{table}') WHERE hidden <> 1");
        let mut columns = texts(&db, &all);
        let unknowable = |column: &str| {
            UNKNOWABLE
                .iter()
                .position(|(t, c, _)| *t == table && *c == column)
        };
        met.extend(columns.iter().filter_map(|c| unknowable(c)));
        columns.retain(|column| unknowable(column).is_none());
        if let Some(whole) = unknowable("*") {
            met.push(whole);
            continue;
        }
        let quoted: Vec<String> = columns.iter().map(|c| format!("\"{c}\"")).collect();
        let sql = format!("SELECT {} FROM \"{table}\"", quoted.join(", "));
        let line = |row: Vec<Value>| {
            let cells = columns.iter().zip(row).map(|(column, value)| match value {
                Value::Integer(id) if column == "source_id" => format!("source={}", names[&id]),
                value => format!("{column}={value:?}"),
            });
            cells.collect::<Vec<_>>().join(" ")
        };
        let mut lines: Vec<String> = rows(&db, &sql).into_iter().map(line).collect();
        lines.sort();
        dump.insert(table, lines);
    }
    met.sort();
    let all: Vec<usize> = (0..UNKNOWABLE.len()).collect();
    assert_eq!(met, all, "a column that is left out is not there any more");
    dump
}

#[track_caller]
pub(crate) fn compare(lost: &Dump, rebuilt: &Dump, place: &str) {
    assert_eq!(
        lost.keys().collect::<Vec<_>>(),
        rebuilt.keys().collect::<Vec<_>>()
    );
    for (table, rows) in lost {
        for (a, b) in rows.iter().zip(&rebuilt[table]) {
            assert_eq!(a, b, "{place}: {table}");
        }
        assert_eq!(rows.len(), rebuilt[table].len(), "{place}: {table}");
    }
}

fn rows(db: &Connection, sql: &str) -> Vec<Vec<Value>> {
    let mut statement = db.prepare(sql).unwrap();
    let columns = statement.column_count();
    let read = |row: &rusqlite::Row<'_>| (0..columns).map(|at| row.get(at)).collect();
    let rows = statement.query_map([], read).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

fn texts(db: &Connection, sql: &str) -> Vec<String> {
    rows(db, sql)
        .into_iter()
        .map(|row| match row.into_iter().next() {
            Some(Value::Text(text)) => text,
            other => panic!("{other:?}"),
        })
        .collect()
}
