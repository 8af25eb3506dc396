//! The ordinary life of backup jobs, night by night, and what is said of it: nothing. And what is
//! said where something happens that a person would want to know.

use super::series::*;
use crate::object::{ObjectKey, Sha256, Timestamp, from_ms};
use crate::series::{Arrivals, Place, Series, Volume};
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// 2026-01-01, a Thursday.
const BEGIN: i64 = 1_767_225_600_000;

/// An object that a job writes.
struct Written {
    key: String,
    at: i64,
    size: u64,
    content: u64,
}

/// What a series' memory is made of.
struct Memory {
    arrivals: Arrivals,
    stored_at: Timestamp,
}

/// A copy that is pulled now and then, as far as series are concerned.
#[derive(Default)]
struct Copy {
    series: BTreeMap<String, Memory>,
    /// What each key has.
    has: BTreeMap<String, u64>,
    /// When a kind was last said of a series.
    said: BTreeMap<(String, &'static str), Timestamp>,
    waiting: Vec<Written>,
    pub(super) findings: Vec<(i64, &'static str, String)>,
}

impl Copy {
    /// A pull at `now`: what was written before is stored, then everything is judged.
    fn pull(&mut self, now: i64) {
        let came: Vec<Written> = self.waiting.extract_if(.., |w| w.at <= now).collect();
        for w in came {
            let key = ObjectKey::new(w.key.clone()).unwrap();
            let mut sha = [7; 32];
            sha[..8].copy_from_slice(&w.content.to_be_bytes());
            let new = self.has.insert(w.key, w.content) != Some(w.content);
            let name = Series::of(&key).as_str().to_owned();
            let memory = self.series.entry(name).or_insert_with(|| Memory {
                arrivals: Arrivals::default(),
                stored_at: from_ms(now),
            });
            let kept = new.then_some((w.size, Sha256(sha)));
            memory.arrivals.take(&key, from_ms(w.at), kept);
        }
        for (name, memory) in &self.series {
            let newest = memory.arrivals.newest().unwrap().key.as_ref().unwrap();
            let volume = Volume::of(newest);
            let parts = volume.is_some_and(|volume| {
                let first = ObjectKey::new(format!("{}01", volume.stem)).unwrap();
                let beside = self.series.contains_key(Series::of(&first).as_str());
                volume.place != Place::Last || beside
            });
            let habit = Habit {
                name,
                stored_at: memory.stored_at,
                encrypted: !name.contains("plain"),
                parts,
                arrivals: memory.arrivals.as_slice(),
            };
            for concern in habit.concerns(from_ms(now)) {
                let said = self.said.entry((name.clone(), concern.kind));
                let before = said.or_insert(Timestamp::MIN);
                if *before < concern.since {
                    *before = from_ms(now);
                    let day = (now - BEGIN) / DAY;
                    self.findings.push((day, concern.kind, concern.what));
                }
            }
        }
    }

    fn kinds(&self) -> Vec<&'static str> {
        self.findings.iter().map(|(_, kind, _)| *kind).collect()
    }
}

/// A job: writes what it writes on a day.
type Job = fn(&mut Night<'_>);

/// A night of a job.
struct Night<'a> {
    day: i64,
    rng: &'a mut fastrand::Rng,
    out: &'a mut Vec<Written>,
    /// What the job writes is so many times as large as ever.
    scale: f64,
}

impl Night<'_> {
    fn date(&self, format: &str) -> String {
        from_ms(BEGIN + self.day * DAY).strftime(format).to_string()
    }

    fn weekday(&self) -> Weekday {
        let at = from_ms(BEGIN + self.day * DAY);
        at.to_zoned(TimeZone::UTC).weekday()
    }

    /// Writes at about `hour` of the day, an hour off in summer.
    fn put(&mut self, key: String, hour: f64, size: f64) {
        let summer = if (88..300).contains(&(self.day % 365)) {
            HOUR
        } else {
            0
        };
        let at = BEGIN + self.day * DAY + (hour * HOUR as f64) as i64 - summer;
        self.out.push(Written {
            key,
            at: at + self.rng.i64(0..10 * MINUTE),
            size: (size * self.scale) as u64,
            content: self.rng.u64(..),
        });
    }

    /// A dump that grows slowly and is never quite the same.
    fn dump(&mut self, size: f64) -> f64 {
        size * (1.0 + 0.003 * self.day as f64) * (0.95 + 0.1 * self.rng.f64())
    }

    /// What changed in a day: anything.
    fn change(&mut self, size: f64) -> f64 {
        let normal: f64 = (0..12).map(|_| self.rng.f64()).sum::<f64>() - 6.0;
        size * (0.9 * normal).exp()
    }

    fn hex(&mut self, digits: usize) -> String {
        (0..digits)
            .map(|_| char::from_digit(self.rng.u32(..16), 16).unwrap())
            .collect()
    }

    fn token(&mut self) -> String {
        (0..4)
            .map(|_| {
                format!(
                    "{}{}{}",
                    self.rng.uppercase(),
                    self.rng.digit(10),
                    self.rng.lowercase()
                )
            })
            .collect()
    }
}

fn akeeba(n: &mut Night<'_>) {
    let key = format!(
        "site-www.example.com-{}-030000utc-{}aB3x.jps",
        n.date("%Y%m%d"),
        n.token()
    );
    let size = n.dump(4e8);
    n.put(key, 3.0, size);
}

/// In volumes of 100 MB; what is left is the last.
fn akeeba_in_volumes(n: &mut Night<'_>) {
    let whole = n.dump(3.5e8);
    let begin = format!("vol/site-{}-030000utc-{}aB3x", n.date("%Y%m%d"), n.token());
    let volumes = (whole / 1e8) as i64;
    for volume in 1..=volumes {
        n.put(format!("{begin}.j{volume:02}"), 3.0, 1e8);
    }
    n.put(format!("{begin}.jps"), 3.2, whole - 1e8 * volumes as f64);
}

fn updraft(n: &mut Night<'_>) {
    let (date, nonce) = (n.date("%Y-%m-%d-0300"), n.hex(12));
    for (part, size) in [
        ("db.gz", 2e7),
        ("plugins.zip", 9e7),
        ("themes.zip", 3e7),
        ("uploads.zip", 2e9),
        ("others.zip", 1e6),
    ] {
        let size = n.dump(size);
        n.put(
            format!("updraft/backup_{date}_Site_{nonce}-{part}.crypt"),
            3.1,
            size,
        );
    }
}

fn mysqldump(n: &mut Night<'_>) {
    let (key, size) = (
        format!("mysqldump-all-{}.sql.gz.age", n.date("%Y-%m-%d")),
        n.dump(3e7),
    );
    n.put(key, 1.5, size);
    // Run again by hand, now and then, at any hour.
    if n.rng.f64() < 0.05 {
        let (key, size) = (
            format!("mysqldump-all-{}.sql.gz.age", n.date("%Y-%m-%d")),
            n.dump(3e7),
        );
        let hour = n.rng.f64() * 12.0 + 3.0;
        n.put(key, hour, size);
    }
}

fn pg_dump_weekly(n: &mut Night<'_>) {
    if n.weekday() == Weekday::Sunday {
        let (key, size) = (
            format!("pg_dump_{}_040000.dump", n.date("%Y%m%d")),
            n.dump(5e8),
        );
        n.put(key, 4.0, size);
    }
}

fn month_end(n: &mut Night<'_>) {
    if from_ms(BEGIN + (n.day + 1) * DAY)
        .strftime("%d")
        .to_string()
        == "01"
    {
        let (key, size) = (
            format!("full/month-{}.tar.gpg", n.date("%Y-%m")),
            n.dump(5e10),
        );
        n.put(key, 22.0, size);
    }
}

/// And off on a holiday beside the weekend.
fn weekdays(n: &mut Night<'_>) {
    let weekend = [Weekday::Saturday, Weekday::Sunday].contains(&n.weekday());
    let holiday = n.weekday() == Weekday::Monday && n.day / 7 % 9 == 8;
    if !weekend && !holiday {
        let (key, size) = (format!("office_{}.7z", n.date("%Y%m%d")), n.dump(1e9));
        n.put(key, 19.0, size);
    }
}

/// A computer that is off over a long weekend three times a year.
fn nas(n: &mut Night<'_>) {
    if n.day % 120 < 117 {
        let (key, size) = (
            format!("nas/share-{}.tar.age", n.date("%Y%m%d")),
            n.dump(1e10),
        );
        n.put(key, 2.0, size);
    }
}

fn duplicity(n: &mut Night<'_>) {
    let stamp = n.date("%Y%m%dT030000Z");
    match n.day % 30 {
        0 => {
            for volume in 1..=6 {
                let size = if volume < 6 {
                    2.6e7
                } else {
                    n.rng.f64() * 2.6e7
                };
                let hour = 3.0 + 0.1 * f64::from(volume);
                n.put(
                    format!("dup/duplicity-full.{stamp}.vol{volume}.difftar.gpg"),
                    hour,
                    size,
                );
            }
            n.put(format!("dup/duplicity-full.{stamp}.manifest.gpg"), 3.7, 3e4);
        }
        _ => {
            let size = n.change(2e6);
            n.put(
                format!("dup/duplicity-inc.{stamp}.to.{stamp}.vol1.difftar.gpg"),
                3.0,
                size,
            );
        }
    }
}

/// Incremental ones, and a full one each week, under one pattern.
fn mixture(n: &mut Night<'_>) {
    let size = match n.weekday() {
        Weekday::Sunday => n.dump(5e9),
        _ => n.change(3e7),
    };
    n.put(
        format!("mix/backup-{}.tar.zst.gpg", n.date("%Y%m%d")),
        2.5,
        size,
    );
}

fn proxmox(n: &mut Night<'_>) {
    if n.weekday() == Weekday::Saturday {
        for vm in 100..103 {
            let (key, size) = (
                format!(
                    "dump/vzdump-qemu-{vm}-{}-03_00_00.vma.zst",
                    n.date("%Y_%m_%d")
                ),
                n.dump(f64::from(vm - 99) * 9e9),
            );
            n.put(key, 3.0 + f64::from(vm - 100), size);
        }
    }
}

fn backupninja(n: &mut Night<'_>) {
    for (name, size) in [("shop", 4e6), ("blog", 9e5)] {
        let size = n.dump(size);
        n.put(format!("sqldump/{name}.sql.gz"), 1.0, size);
    }
}

fn plesk_and_cpanel(n: &mut Night<'_>) {
    let size = n.dump(7e8);
    n.put(
        format!("backup_example.com_{}0300.tar", n.date("%y%m%d")),
        3.0,
        size,
    );
    n.put(
        format!("backup-{}_03-00-00_user.tar.gz", n.date("%m.%d.%Y")),
        3.2,
        size,
    );
}

fn repositories(n: &mut Night<'_>) {
    let packs = n.change(12.0).min(200.0) as i64 + 1;
    for _ in 0..packs {
        let (hex, size) = (n.hex(64), n.change(8e6));
        n.put(format!("restic/data/{}/{hex}", &hex[..2]), 3.0, size);
        let hex = n.hex(32);
        n.put(format!("k/p{hex}-s0123456789abcdef"), 3.0, size);
    }
    let (snapshot, size) = (n.hex(64), n.change(300.0));
    n.put(format!("restic/snapshots/{snapshot}"), 3.5, size);
    for segment in 0..=packs / 6 {
        let size = n.change(3e7);
        n.put(format!("borg/data/0/{}", n.day * 9 + segment), 4.0, size);
    }
    let size = n.dump(5e6);
    n.put(format!("borg/index.{}", n.day * 9), 4.1, size);
    n.put(format!("borg/hints.{}", n.day * 9), 4.1, size / 90.0);
}

fn synology(n: &mut Night<'_>) {
    for bucket in 0..n.rng.i64(1..30) {
        let size = n.change(5e7);
        n.put(
            format!("NAS_1.hbk/Pool/0/{}/{bucket}.bucket.{}", n.day, n.day % 9),
            23.0,
            size,
        );
    }
}

/// Seven files that are each night renamed by one and uploaded anew.
fn rotation(n: &mut Night<'_>) {
    for k in 1..8 {
        let at = BEGIN + n.day * DAY + 4 * HOUR + k * MINUTE;
        let content = u64::try_from(n.day - k + 100).unwrap();
        let size = 1_000_000 + content * 13;
        n.out.push(Written {
            key: format!("rot/db.{k}.gz"),
            at,
            size,
            content,
        });
    }
}

fn in_place(n: &mut Night<'_>) {
    let size = n.dump(3e7);
    n.put(
        format!("week/db-{}.gz", n.date("%a").to_lowercase()),
        1.0,
        size,
    );
    n.put(format!("year/mail-{}.tar.age", n.date("%Y")), 1.0, size);
    n.put("same/latest.tar.gpg".to_owned(), 1.0, size);
}

/// A readable dump of what rarely changes, and one of what never does.
fn plain(n: &mut Night<'_>) {
    let at = BEGIN + n.day * DAY + 2 * HOUR;
    for (name, content) in [
        ("never", 1),
        ("weekends", n.day - n.day % 7 + (n.day % 7).min(4)),
        ("seldom", n.day / 3),
    ] {
        let key = format!("plain/{name}-{}.sql", n.date("%Y%m%d"));
        n.out.push(Written {
            key,
            at,
            size: 90_000,
            content: u64::try_from(content).unwrap(),
        });
    }
}

/// Dumps each hour, some in office hours alone, and a log that is shipped all the time.
fn hourly(n: &mut Night<'_>) {
    let weekend = [Weekday::Saturday, Weekday::Sunday].contains(&n.weekday());
    for hour in 0..24 {
        let size = n.dump(4e6);
        n.put(
            format!("hourly/{}{hour:02}0000.gpg", n.date("%Y%m%dT")),
            f64::from(hour),
            size,
        );
        n.put(
            format!("wal/{:024}.gz.gpg", n.day * 24 + i64::from(hour)),
            f64::from(hour),
            1.6e7,
        );
        if !weekend && (8..18).contains(&hour) {
            n.put(
                format!("office-hours/{}{hour:02}0000.gpg", n.date("%Y%m%dT")),
                f64::from(hour),
                size,
            );
        }
    }
}

/// Empty marks that a job is done, and logs of what went wrong, which is mostly nothing.
fn markers(n: &mut Night<'_>) {
    n.put(format!("marks/done-{}", n.date("%Y%m%d")), 4.0, 0.0);
    let size = if n.rng.f64() < 0.7 { 0.0 } else { 900.0 };
    n.put(format!("logs/errors-{}.log", n.date("%Y%m%d")), 4.0, size);
}

/// A cleanup halves nothing, but takes a fifth; a year's media come all at once.
fn site_that_lives(n: &mut Night<'_>) {
    let size = match n.day {
        0..150 => 1e9,
        150..250 => 8e8,
        _ => 1.9e9,
    };
    let size = n.dump(size);
    n.put(format!("live/www-{}.tar.gpg", n.date("%Y%m%d")), 2.0, size);
}

const JOBS: [Job; 21] = [
    markers,
    akeeba,
    akeeba_in_volumes,
    updraft,
    mysqldump,
    pg_dump_weekly,
    month_end,
    weekdays,
    nas,
    duplicity,
    mixture,
    proxmox,
    backupninja,
    plesk_and_cpanel,
    repositories,
    synology,
    rotation,
    in_place,
    plain,
    hourly,
    site_that_lives,
];

/// What happens on a day.
type Change<'a> = &'a dyn Fn(i64, &mut Vec<Written>);

/// So many days of `jobs`, with `change` to what they write, pulled every day at 5:00 but on days
/// that `off` names.
fn live(jobs: &[Job], days: i64, seed: u64, change: Change<'_>, off: &dyn Fn(i64) -> bool) -> Copy {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut copy = Copy::default();
    for day in 0..days {
        for job in jobs {
            let mut out = Vec::new();
            job(&mut Night {
                day,
                rng: &mut rng,
                out: &mut out,
                scale: 1.0,
            });
            change(day, &mut out);
            copy.waiting.extend(out);
        }
        // The copy begins with what three weeks left in the bucket.
        if day >= 21 && !off(day) {
            copy.pull(BEGIN + day * DAY + 5 * HOUR);
        }
    }
    copy
}

const NOTHING: Change<'static> = &|_, _| {};

#[test]
fn p5_ordinary_life_is_silent() {
    for seed in 0..200 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let jobs = [JOBS[seed as usize % JOBS.len()]];
        // The computer at home is off for a while.
        let (from, days) = (rng.i64(30..300), rng.i64(0..25));
        let off = |day: i64| (from..from + days).contains(&day);
        let copy = live(&jobs, 400, seed, NOTHING, &off);
        assert!(copy.findings.is_empty(), "{seed}: {:#?}", copy.findings);
    }
}

/// Each job, from its beginning and stopped for good on some day: late, then silent, each once.
#[test]
fn a_job_that_stops_is_said() {
    for (n, job) in JOBS.into_iter().enumerate() {
        let stop = 200;
        let stopped: Change<'_> = &|day, out| {
            if day >= stop {
                out.clear();
            }
        };
        let copy = live(&[job], 620, n as u64, stopped, &|_| false);
        let mut by_series: BTreeMap<&str, Vec<(&str, i64)>> = BTreeMap::new();
        for (day, kind, what) in &copy.findings {
            let name = what.split(' ').next().unwrap();
            by_series.entry(name).or_default().push((kind, day - stop));
        }
        assert!(!by_series.is_empty(), "{n}");
        for (name, said) in by_series {
            let kinds: Vec<_> = said.iter().map(|(kind, _)| *kind).collect();
            assert!(
                kinds == ["late", "silent"] || kinds == ["silent"],
                "{name} {said:?}"
            );
        }
    }
}

/// The kinds that are said of a job whose night 200 is `spoilt`.
#[track_caller]
fn said_of(job: Job, seed: u64, spoilt: &dyn Fn(&mut Written)) -> Vec<&'static str> {
    let change: Change<'_> = &|day, out| {
        if day == 200 {
            out.iter_mut().for_each(spoilt);
        }
    };
    live(&[job], 260, seed, change, &|_| false).kinds()
}

const WHOLE_BACKUPS: [Job; 6] = [
    akeeba,
    mysqldump,
    nas,
    backupninja,
    plesk_and_cpanel,
    site_that_lives,
];

#[test]
fn what_is_not_as_it_should_be_is_said_once() {
    for seed in 15..20 {
        for job in WHOLE_BACKUPS {
            let all = |kind: &str, found: Vec<&str>| {
                assert!(
                    !found.is_empty() && found.iter().all(|k| *k == kind),
                    "{seed} {kind} {found:?}"
                );
            };
            all(SHRUNKEN, said_of(job, seed, &|w| w.size /= 2));
            all(SHRUNKEN, said_of(job, seed, &|w| w.size = 20));
            all(SWOLLEN, said_of(job, seed, &|w| w.size *= 5));
            all(EMPTY, said_of(job, seed, &|w| w.size = 0));
        }
    }
}

/// Of an encrypted series at once, of one that anyone can read when it is the third time.
#[test]
fn a_job_that_sends_the_same_again_is_said_once() {
    for (plain, nights) in [("", 2), ("plain-", 3)] {
        let mut copy = Copy::default();
        for day in 0..60 {
            let content = day.min(40);
            copy.waiting.push(Written {
                key: format!("{plain}db-{day}.sql.gpg"),
                at: BEGIN + day * DAY,
                size: 9_000,
                content: u64::try_from(content).unwrap(),
            });
            copy.pull(BEGIN + day * DAY + 5 * HOUR);
        }
        assert_eq!(copy.kinds(), [STUCK], "{plain}");
        assert_eq!(copy.findings[0].0, 40 + nights - 1);
    }
}

/// What was in the bucket before the first pull is how it is.
#[test]
fn the_first_pull_says_nothing_of_what_was_there() {
    let mut copy = Copy::default();
    for day in 0..60 {
        let size = if day % 9 == 8 { day % 2 } else { 90_000 };
        copy.waiting.push(Written {
            key: format!("db-{day}.sql.gpg"),
            at: BEGIN + day * DAY,
            size: u64::try_from(size).unwrap(),
            content: 7,
        });
    }
    for night in 0..400 {
        copy.pull(BEGIN + (120 + night) * DAY);
    }
    assert_eq!(copy.kinds(), [""; 0]);
}
