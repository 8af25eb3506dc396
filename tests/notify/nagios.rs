//! `status --nagios`: the exit codes and the line of the Monitoring Plugins.

use crate::support::{Embedded, Output};
use offsite::demo::bucket::Fault;
use std::fs;

fn nagios(at: &Embedded) -> Output {
    at.home.run(["status", "--nagios"])
}

/// The line before `|`, and the performance data as (name, value).
#[track_caller]
fn parts(said: &Output) -> (String, Vec<(String, String)>) {
    assert_eq!(said.stdout.lines().count(), 1, "{:?}", said.stdout);
    let (words, data) = said.stdout.trim_end().split_once(" | ").unwrap();
    let data = data.split(' ').map(|datum| {
        let (name, value) = datum.split_once('=').unwrap();
        (name.trim_matches('\'').to_owned(), value.to_owned())
    });
    (words.to_owned(), data.collect())
}

fn pulled() -> Embedded {
    let at = Embedded::new();
    at.bucket.put("a.age", vec![7; 2048]);
    at.home.run(["pull"]).exits(0);
    at
}

#[test]
fn all_well_is_0_with_the_data() {
    let said = nagios(&pulled()).exits(0);
    let (words, data) = parts(&said);
    assert_eq!(words, "OFFSITE OK - 1 versions (2.0 KiB)");
    assert!(data[0].1.ends_with('s') && data[0].0 == "age", "{data:?}");
    let of = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        data[1..],
        [of("bytes", "2048B"), of("versions", "1"), of("alarms", "0")]
    );
}

#[test]
fn a_warning_is_1() {
    let at = pulled();
    let config = fs::read_to_string(at.home.config()).unwrap();
    let text = format!("{config}\n[watch]\npull_overdue = \"1ms\"\n");
    fs::write(at.home.config(), text).unwrap();
    let (words, _) = parts(&nagios(&at).exits(1));
    assert!(
        words.starts_with("OFFSITE WARNING - warning www-overdue: "),
        "{words}"
    );
}

#[test]
fn a_failed_run_is_2() {
    let at = pulled();
    at.bucket
        .with_faults(|faults| faults.region = Some("elsewhere"));
    at.home.run(["pull"]);
    let (words, _) = parts(&nagios(&at).exits(2));
    assert!(
        words.starts_with("OFFSITE CRITICAL - the last run over www failed: "),
        "{words}"
    );
}

#[test]
fn an_alarm_is_2_and_no_name_breaks_the_line() {
    let at = pulled();
    at.bucket.put("x|'alarms'=0\nOFFSITE OK.age", vec![8; 100]);
    at.bucket
        .with_faults(|faults| faults.flip = Some(Fault::new(0)));
    at.home.run(["pull"]).exits(4);
    let said = nagios(&at).exits(2);
    let (words, data) = parts(&said);
    assert!(
        words.starts_with("OFFSITE CRITICAL - alarm www-1: "),
        "{words}"
    );
    assert!(words.contains("x/'alarms'=0\\nOFFSITE OK.age"), "{words}");
    assert_eq!(data[3], ("alarms".to_owned(), "1".to_owned()));
}

#[test]
fn what_cannot_be_judged_is_3() {
    let at = pulled();
    fs::rename(at.home.store(), at.home.path().join("away")).unwrap();
    let said = nagios(&at).exits(3);
    assert!(
        said.stdout.starts_with("OFFSITE UNKNOWN - "),
        "{}",
        said.stdout
    );
    assert_eq!(said.stdout.lines().count(), 1);
    at.home
        .run(["status", "--nagios", "--no-such-option"])
        .exits(3);
    at.home.run(["status", "--nagios", "--json"]).exits(3);
    at.home.run(["status", "--no-such-option"]).exits(2);
    fs::write(at.home.config(), "[store\n").unwrap();
    let said = nagios(&at).exits(3);
    assert!(
        said.stdout.starts_with("OFFSITE UNKNOWN - "),
        "{}",
        said.stdout
    );
}
