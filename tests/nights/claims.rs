//! What uploaders and names say of the bytes: metadata, and repositories that name files after
//! their content.

use crate::support::Nights;
use data_encoding::HEXLOWER;
use offsite::demo::bucket::{Encryption, Fault, PutOptions};
use offsite::object::{EvidenceClass, Sha256, State, Verdict};

const KEY: &str = "site.tar.gpg";
const GOOD: &[u8] = b"the bytes that were uploaded";

/// An object of which the bucket itself says nothing, with one piece of metadata.
fn claimed(name: &str, value: String) -> PutOptions {
    PutOptions {
        metadata: [(name.to_owned(), value)].into(),
        encryption: Some(Encryption::Kms("a-key".to_owned())),
        ..PutOptions::default()
    }
}

/// `s3cmd --encrypt` writes the MD5 of what it encrypted.
#[test]
fn p5_a_claim_about_other_bytes_is_no_alarm_where_the_bucket_proves_these() {
    let mut nights = Nights::new();
    let options = PutOptions {
        metadata: [(
            "s3cmd-attrs".to_owned(),
            "md5:25f9e794323b453885f5181f1b624d0b".to_owned(),
        )]
        .into(),
        ..PutOptions::default()
    };
    nights.bucket.put_with(KEY, GOOD, options);
    assert_eq!(nights.night().open_alarms, 0);
    assert_eq!(nights.proof(KEY, "s3cmd-attrs"), Some(Verdict::Silent));
    assert_eq!(
        nights.versions(KEY)[0].evidence,
        Some(EvidenceClass::Provider)
    );
}

/// Where the bucket proves nothing either, `s3cmd` says itself that its MD5 is of other bytes.
#[test]
fn p5_what_s3cmd_encrypted_is_no_alarm_in_a_bucket_that_proves_nothing() {
    let mut nights = Nights::new();
    let mut options = claimed(
        "s3cmd-attrs",
        "md5:25f9e794323b453885f5181f1b624d0b".to_owned(),
    );
    let said = ("s3tools-gpgenc".to_owned(), "gpg".to_owned());
    options.metadata.extend([said]);
    nights.bucket.put_with(KEY, GOOD, options);
    assert_eq!(nights.night().open_alarms, 0);
    assert_eq!(
        nights.versions(KEY)[0].evidence,
        Some(EvidenceClass::Length)
    );
}

/// A repository whose files are named after their content, each by a bucket that says nothing.
#[test]
fn p4_the_name_alone_proves_a_repositorys_files() {
    let kms = || PutOptions {
        encryption: Some(Encryption::Kms("a-key".to_owned())),
        ..PutOptions::default()
    };
    let name = Sha256(
        ring::digest::digest(&ring::digest::SHA256, GOOD)
            .as_ref()
            .try_into()
            .unwrap(),
    );
    let hex = name.to_string();
    let key = |folder: &str| format!("repo/{folder}/{hex}");
    let pack = key(&format!("data/{}", &hex[..2]));
    let mut nights = Nights::new();
    nights
        .bucket
        .put("repo/config", "the repository's settings");
    for key in [&pack, &key("index"), &key("snapshots"), &key("keys")] {
        nights.bucket.put_with(key, GOOD, kms());
    }
    // The same names where no repository is say nothing.
    let elsewhere = format!("index/{hex}");
    nights.bucket.put_with(&elsewhere, "other bytes", kms());
    assert_eq!(nights.night().open_alarms, 0);
    for key in [&pack, &key("index"), &key("snapshots"), &key("keys")] {
        assert_eq!(
            nights.proof(key, "content-name"),
            Some(Verdict::Holds),
            "{key}"
        );
        assert_eq!(
            nights.versions(key)[0].evidence,
            Some(EvidenceClass::ContentName)
        );
    }
    assert_eq!(nights.proof(&elsewhere, "content-name"), None);

    let next = b"the next pack's bytes";
    let hex = HEXLOWER.encode(ring::digest::digest(&ring::digest::SHA256, next).as_ref());
    let pack = format!("repo/data/{}/{hex}", &hex[..2]);
    for place in 0..next.len() as u64 {
        nights.bucket.put_with(&pack, next.as_slice(), kms());
        nights
            .bucket
            .with_faults(|f| f.flip = Some(Fault::new(place)));
        nights.night();
        assert_eq!(
            nights.versions(&pack)[0].state,
            State::Quarantined,
            "{place}"
        );
        assert_eq!(
            nights.proof(&pack, "content-name"),
            Some(Verdict::Fails),
            "{place}"
        );
    }
    nights.bucket.with_faults(|f| f.flip = None);
    nights.night();
    assert_eq!(nights.latest(&pack).unwrap(), next);
}

/// Where the name proves the bytes, nothing is asked about an object's parts.
#[test]
fn a_repository_costs_no_request_for_its_parts() {
    let bytes = vec![5; 700_000];
    let hex = HEXLOWER.encode(ring::digest::digest(&ring::digest::SHA256, &bytes).as_ref());
    let mut nights = Nights::new();
    nights.bucket.put("config", "settings");
    let in_parts = PutOptions {
        part_size: Some(300_000),
        ..PutOptions::default()
    };
    let pack = format!("data/{}/{hex}", &hex[..2]);
    nights.bucket.put_with(&pack, bytes, in_parts);
    nights.night();
    assert_eq!(nights.asked("HeadObject"), 0);
    assert_eq!(
        nights.proof(&pack, "etag-parts"),
        Some(Verdict::Silent),
        "no MD5 was computed"
    );
    assert_eq!(nights.proof(&pack, "content-name"), Some(Verdict::Holds));
}
