//! The policies: what each key may do, on paper and on a real server.

use crate::support::{Bucket, Ceph, Home, Keys, Moto, Refused, Seaweed, ceph};
use crate::text;
use serde_json::Value;
use std::collections::BTreeSet;

fn json(name: &str) -> Value {
    let text = text(&format!("policies/{name}"));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// The actions that the statements allow to `who` (to all, where there is no `Principal`), each
/// with what it is allowed on.
fn allowed(policy: &Value, who: &str) -> BTreeSet<(String, String)> {
    let mut all = BTreeSet::new();
    for statement in policy["Statement"].as_array().unwrap() {
        assert_eq!(statement["Effect"], "Allow");
        let principal = &statement["Principal"]["AWS"];
        if principal.as_str().is_some_and(|p| !p.ends_with(who)) {
            continue;
        }
        let resource = statement["Resource"].as_str().unwrap();
        let actions = match &statement["Action"] {
            Value::Array(actions) => actions.clone(),
            action => vec![action.clone()],
        };
        for action in actions {
            all.insert((action.as_str().unwrap().to_owned(), resource.to_owned()));
        }
    }
    all
}

const BUCKET: &str = "arn:aws:s3:::example-backups";
const OBJECTS: &str = "arn:aws:s3:::example-backups/www/*";

fn pairs(pairs: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    let owned = |(a, b): &(&str, &str)| ((*a).to_owned(), (*b).to_owned());
    pairs.iter().map(owned).collect()
}

#[test]
fn the_policies_allow_what_their_names_say_and_no_more() {
    let reads = pairs(&[
        ("s3:ListBucket", BUCKET),
        ("s3:ListBucketVersions", BUCKET),
        ("s3:GetBucketVersioning", BUCKET),
        ("s3:GetBucketObjectLockConfiguration", BUCKET),
        ("s3:GetLifecycleConfiguration", BUCKET),
        ("s3:GetObject", OBJECTS),
        ("s3:GetObjectVersion", OBJECTS),
        ("s3:GetObjectRetention", OBJECTS),
        ("s3:GetObjectLegalHold", OBJECTS),
    ]);
    let writes = pairs(&[
        ("s3:PutObject", OBJECTS),
        ("s3:AbortMultipartUpload", OBJECTS),
    ]);
    let mut deletes = writes.clone();
    deletes.extend(pairs(&[
        ("s3:ListBucket", BUCKET),
        ("s3:DeleteObject", OBJECTS),
    ]));
    for (file, who, expected) in [
        ("iam/read-only.json", "", &reads),
        ("iam/write-only.json", "", &writes),
        ("iam/write-and-delete.json", "", &deletes),
        ("bucket-policy/ceph.json", "user/offsite-pi", &reads),
        ("bucket-policy/ceph.json", "user/offsite-uploader", &writes),
    ] {
        assert_eq!(&allowed(&json(file), who), expected, "{file} {who}");
    }
}

/// `seaweedfs/identities.json` as it stands, and the Pi's again without one of its actions each.
fn identities() -> Vec<Value> {
    let file = json("seaweedfs/identities.json");
    let mut all = file["identities"].as_array().unwrap().clone();
    let pi = all[0].clone();
    let actions = pi["actions"].as_array().unwrap();
    assert_eq!(actions.len(), 2, "each is tried out below");
    for (without, keys) in [NO_LIST, NO_READ].into_iter().enumerate() {
        let mut poorer = pi.clone();
        poorer["name"] = keys.id.into();
        poorer["credentials"][0]["accessKey"] = keys.id.into();
        poorer["credentials"][0]["secretKey"] = keys.secret.into();
        poorer["actions"].as_array_mut().unwrap().remove(without);
        all.push(poorer);
    }
    all
}

pub(crate) const PI: Keys = Keys::of(
    "a-new-access-key-for-the-pi",
    "a-long-random-secret-for-the-pi",
);
const UPLOADER: Keys = Keys::of(
    "a-new-access-key-for-the-uploader",
    "a-long-random-secret-for-the-uploader",
);
const NO_LIST: Keys = Keys::of("pi-without-list", "secret-of-pi-without-list");
const NO_READ: Keys = Keys::of("pi-without-read", "secret-of-pi-without-read");

#[test]
#[cfg_attr(without_seaweedfs, ignore = "OFFSITE_TEST_WITHOUT names seaweedfs")]
fn exactly_the_actions_in_the_file_suffice_and_each_that_is_missing_is_named() {
    let server = Seaweed::start_with(&identities());
    let bucket = Bucket::at(
        &server.endpoint(),
        crate::support::seaweedfs::ADMIN,
        "example-backups",
    );
    bucket.create();
    bucket.put("other/secret", b"not for the Pi");
    let elsewhere = server.fresh_bucket("elsewhere");
    let uploader = bucket.with_keys(UPLOADER);
    uploader.put("www/a.age", b"1");
    uploader.put_multipart("www/b.age", &vec![7; 6 << 20], 5 << 20);

    pi_pulls(&bucket, PI);
    for (keys, action) in [(NO_LIST, "s3:ListBucket"), (NO_READ, "s3:GetObject")] {
        names_what_is_missing(&bucket, keys, action);
    }
    neither_can_do_what_the_other_can(&bucket, PI, UPLOADER);
    assert_eq!(elsewhere.with_keys(PI).list(), Err(denied()));
}

/// AWS's policies on moto, which enforces them.
#[test]
#[cfg_attr(without_moto, ignore = "OFFSITE_TEST_WITHOUT names moto")]
fn on_aws_too_they_suffice_and_each_that_is_missing_is_named() {
    let reads = json("iam/read-only.json");
    let without = |statement: usize| {
        let mut poorer = reads.clone();
        poorer["Statement"]
            .as_array_mut()
            .unwrap()
            .remove(statement);
        poorer
    };
    assert_eq!(
        reads["Statement"].as_array().unwrap().len(),
        2,
        "each is tried out below"
    );
    let writes = json("iam/write-only.json");
    let moto = Moto::start_with(&[reads.clone(), writes, without(0), without(1)]);
    let [pi, uploader, no_list, no_read] = moto.more[..] else {
        panic!("four users");
    };
    let bucket = Bucket::at(&moto.endpoint(), moto.admin, "example-backups");
    bucket.create();
    bucket.put("other/secret", b"not for the Pi");
    let elsewhere = moto.fresh_bucket("elsewhere");
    let writer = bucket.with_keys(uploader);
    writer.put("www/a.age", b"1");
    writer.put_multipart("www/b.age", &vec![7; 6 << 20], 5 << 20);

    pi_pulls(&bucket, pi);
    names_what_is_missing(&bucket, no_list, "s3:ListBucket");
    names_what_is_missing(&bucket, no_read, "s3:GetObject");
    neither_can_do_what_the_other_can(&bucket, pi, uploader);
    assert_eq!(elsewhere.with_keys(pi).list(), Err(denied()));
}

/// The bucket policy on Ceph, for users who are not the bucket's owner.
#[test]
#[cfg_attr(without_ceph, ignore = "OFFSITE_TEST_WITHOUT names ceph")]
fn on_ceph_too_they_suffice_and_each_that_is_missing_is_named() {
    let ceph = Ceph::shared();
    let bucket = Bucket::at(&ceph.endpoint(), ceph::ADMIN, "example-backups");
    bucket.create();
    bucket.put("other/secret", b"not for the Pi");
    let policy = json("bucket-policy/ceph.json");
    let set = |policy: &Value| {
        let request = bucket
            .client
            .put_bucket_policy()
            .bucket(&bucket.name)
            .policy(policy.to_string());
        bucket.wait(request.send()).unwrap();
    };
    set(&policy);
    let elsewhere = ceph.fresh_bucket("elsewhere");
    let writer = bucket.with_keys(ceph::UPLOADER);
    writer.put("www/a.age", b"1");
    writer.put_multipart("www/b.age", &vec![7; 6 << 20], 5 << 20);
    pi_pulls(&bucket, ceph::PI);
    neither_can_do_what_the_other_can(&bucket, ceph::PI, ceph::UPLOADER);
    assert_eq!(elsewhere.with_keys(ceph::PI).list(), Err(denied()));
    for (statement, action) in [(0, "s3:ListBucket"), (1, "s3:GetObject")] {
        let mut poorer = policy.clone();
        poorer["Statement"]
            .as_array_mut()
            .unwrap()
            .remove(statement);
        set(&poorer);
        names_what_is_missing(&bucket, ceph::PI, action);
    }
}

fn denied() -> Refused {
    Refused {
        status: 403,
        code: "AccessDenied".to_owned(),
    }
}

fn names_what_is_missing(bucket: &Bucket, keys: Keys, action: &str) {
    let told = home(keys, bucket).run(["pull"]).exits(2);
    let words = format!("may not do {action} on bucket example-backups");
    assert!(told.stderr.contains(&words), "{words}: {}", told.stderr);
}

fn neither_can_do_what_the_other_can(bucket: &Bucket, pi: Keys, uploader: Keys) {
    let (pi, uploader) = (bucket.with_keys(pi), bucket.with_keys(uploader));
    assert_eq!(pi.try_put("www/c", b"", None), Err(denied()));
    assert_eq!(pi.get("other/secret"), Err(denied()));
    assert_eq!(uploader.get("www/a.age"), Err(denied()));
    assert_eq!(uploader.list(), Err(denied()));
    assert_eq!(uploader.try_put("other/x", b"", None), Err(denied()));
}

/// Twice: the second time one object is gone, which a HEAD of the Pi's key must be able to see.
fn pi_pulls(bucket: &Bucket, pi: Keys) {
    let home = home(pi, bucket);
    let told = home.run(["pull"]).exits(0);
    assert!(told.stdout.contains("2 stored"), "{}", told.stdout);
    bucket.delete("www/a.age");
    let told = home.run(["pull"]).exits(4);
    assert!(told.stdout.contains("1 gone"), "{}", told.stdout);
    bucket.put("www/a.age", b"1");
}

/// A home whose one source is the prefix.
fn home(keys: Keys, bucket: &Bucket) -> Home {
    let home = Home::new().with_keys(keys);
    home.init("www", &bucket.name, &bucket.endpoint);
    let config = std::fs::read_to_string(home.config()).unwrap();
    let mut config: toml::Table = config.parse().unwrap();
    config["source"][0]
        .as_table_mut()
        .unwrap()
        .insert("prefix".to_owned(), "www/".into());
    std::fs::write(home.config(), config.to_string()).unwrap();
    home
}
