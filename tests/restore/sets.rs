//! The newest complete set of a series.

use crate::support::Nights;
use crate::{folder, keys_in, restore};

/// An Akeeba archive of three files a night.
fn archives(nights: &Nights, day: u32, ends: &[&str]) {
    for end in ends {
        let key = format!("akeeba/site-202611{day:02}-030000utc.{end}");
        nights.bucket.put(&key, format!("JPS {day} {end}"));
    }
}

fn found(nights: &Nights, to: &str) -> Vec<String> {
    keys_in(&folder(nights, to)).into_keys().collect()
}

const SERIES: &str = "akeeba/site-*-*utc.jps";

#[test]
fn all_volumes_of_the_newest_archive_that_is_whole() {
    let mut nights = Nights::new();
    for day in 1..=3 {
        archives(&nights, day, &["j01", "j02", "jps"]);
        nights
            .bucket
            .put(&format!("db-202611{day:02}.sql.age"), format!("db {day}"));
        nights.night();
    }
    let last = nights.last().to_string();
    let series = nights.offsite(&["status", "--json"]);
    assert!(series.stdout.contains(SERIES), "{}", series.stdout);
    restore(&nights, "newest", &["--series", SERIES]).exits(0);
    let names = |day: &str| {
        ["j01", "j02", "jps"].map(|end| format!("akeeba/site-202611{day}-030000utc.{end}"))
    };
    assert_eq!(found(&nights, "newest"), names("03"));
    restore(&nights, "plain", &["--series", "db-*.sql.age"]).exits(0);
    assert_eq!(found(&nights, "plain"), ["db-20261103.sql.age"]);

    // One whose second volume never came is passed over, aloud.
    archives(&nights, 4, &["j01", "j03", "jps"]);
    nights.night();
    restore(&nights, "whole", &["--series", SERIES])
        .exits(0)
        .says(&["site-20261104-030000utc.jps", "volume 2 is missing"]);
    assert_eq!(found(&nights, "whole"), names("03"));

    archives(&nights, 5, &["j01", "j02", "jps"]);
    nights.night();
    restore(&nights, "then", &["--series", SERIES, "--at", &last]).exits(0);
    assert_eq!(found(&nights, "then"), names("03"));
    restore(&nights, "none", &["--series", "no-such-series"])
        .exits(2)
        .says(&["nothing whole of the series"]);
}
