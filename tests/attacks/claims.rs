//! What is said of the bytes is a lie.

use crate::drill::Drill;
use crate::support::nights::sha256;
use offsite::demo::bucket::PutOptions;

/// Three nights in which `put` claims the right digest of another backup, and one in which it does not.
#[track_caller]
fn a_lie_is_quarantined(put: impl Fn(&mut Drill, Option<String>) -> String) {
    let mut drill = Drill::new(false);
    for _ in 0..3 {
        put(&mut drill, None);
        drill.evening();
        drill.nights.night();
    }
    let mut key = String::new();
    let lie = |d: &mut Drill| {
        d.evening();
        key = put(d, Some("0".repeat(64)));
    };
    let drill = drill.strike(lie, &["contradiction"]);
    assert_eq!(drill.nights.latest(&key), None);
    assert_eq!(drill.nights.quarantine(&key).len(), 1);
}

#[test]
fn p4_metadata_lies() {
    let put = |d: &mut Drill, claim: Option<String>| {
        let bytes = d.backup();
        let claim = claim.unwrap_or_else(|| sha256(&bytes).to_string());
        let options = PutOptions {
            metadata: [("sha256".to_owned(), claim)].into(),
            ..PutOptions::default()
        };
        let key = d.site(0).replace("www", "other");
        d.nights.bucket.put_with(&key, bytes, options);
        key
    };
    a_lie_is_quarantined(put);
}

/// A digest beside the backup: of tonight's, and of one that came long ago.
#[test]
fn p4_sidecars_lie() {
    let put = |d: &mut Drill, claim: Option<String>| {
        let key = d.site(0).replace("www", "other");
        let bytes = d.backup();
        let claim = claim.unwrap_or_else(|| sha256(&bytes).to_string());
        let sidecar = format!("{claim}  {}\n", key.replace("other/", ""));
        d.nights.bucket.put(&format!("{key}.sha256"), sidecar);
        d.nights.bucket.put(&key, bytes);
        key
    };
    a_lie_is_quarantined(put);

    let mut drill = Drill::new(false);
    let key = drill.site(-3);
    let bytes = drill.nights.latest(&key).unwrap();
    let sidecar = format!("{}  {}\n", "0".repeat(64), key.replace("www/", ""));
    drill.nights.bucket.put(&format!("{key}.sha256"), sidecar);
    drill.evening();
    drill.nights.night();
    assert_eq!(drill.nights.events(&key), ["disputed"]);
    assert_eq!(drill.nights.latest(&key).unwrap(), bytes);
    assert_eq!(drill.nights.open_kinds(), [""; 0]);
}
