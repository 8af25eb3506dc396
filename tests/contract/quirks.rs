//! What `offsite::bucket::QUIRKS` says was seen here is still to be seen here: a server that has
//! learnt better turns one of these red, and its line in the table is to be corrected.

use crate::support::bucket::Bucket;
use crate::support::{Ceph, Garage, Keys, Moto, Seaweed, ceph, garage, seaweedfs};
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode, ObjectAttributes};
use offsite::bucket::{Bucket as Client, Tuning};
use offsite::config::Config;
use offsite::credentials::Credentials;

/// So the keys are listed too, where versions fill more than a page.
#[test]
#[cfg_attr(without_seaweedfs, ignore = "OFFSITE_TEST_WITHOUT names seaweedfs")]
fn seaweedfs_leaves_keys_out_of_a_listing_of_versions_in_pages() {
    let bucket = Seaweed::shared().fresh_bucket("quirks");
    bucket.enable_versioning();
    for key in crate::NEIGHBOURS {
        bucket.put(key, b"1");
        bucket.put(key, b"2");
    }
    let text = format!(
        "[store]\npath = \"/nowhere\"\n[[source]]\nname = \"www\"\nbucket = \"{}\"\nendpoint = \"{}\"",
        bucket.name, bucket.endpoint
    );
    let config = Config::parse(&text).unwrap();
    let keys = seaweedfs::READ_ONLY;
    let credentials = Credentials::given(keys.id, keys.secret);
    let listed = |page: i32| {
        let tuning = Tuning {
            page,
            ..Tuning::default()
        };
        let client = Client::new(&config.sources[0], &credentials, tuning).unwrap();
        bucket.wait(async {
            let (mut listing, mut versions) = (client.list_versions(), 0);
            while let Some(page) = listing.next().await.unwrap() {
                versions += page.objects.len();
            }
            versions
        })
    };
    let all = 2 * crate::NEIGHBOURS.len();
    assert_eq!(listed(1000), all);
    assert!(listed(4) < all, "its pages are whole: the quirk is gone");
}

fn status_of_head_bucket(reader: &Bucket) -> u16 {
    let head = reader.client.head_bucket().bucket(&reader.name);
    match reader.wait(head.send()) {
        Ok(_) => 200,
        Err(error) => error.raw_response().unwrap().status().as_u16(),
    }
}

#[test]
#[cfg_attr(without_moto, ignore = "OFFSITE_TEST_WITHOUT names moto")]
fn moto_denies_head_bucket_to_a_key_that_may_list() {
    let reader = Moto::shared().fresh_bucket("quirks");
    let reader = reader.with_keys(Moto::shared().read_only);
    assert_eq!(reader.list(), Ok(vec![]));
    assert_eq!(status_of_head_bucket(&reader), 403);
}

#[test]
#[cfg_attr(without_moto, ignore = "OFFSITE_TEST_WITHOUT names moto")]
fn moto_tells_a_crc32_under_other_names() {
    let bucket = Moto::shared().fresh_bucket("quirks");
    // The check value of both algorithms' definitions is that of these nine bytes.
    bucket.put_with_checksum("k", b"123456789", ChecksumAlgorithm::Crc32C);
    let head = bucket.client.head_object().bucket(&bucket.name).key("k");
    let head = head.checksum_mode(ChecksumMode::Enabled).send();
    let told = bucket.wait(head).unwrap().checksum_crc32_c;
    assert_eq!(told.as_deref(), Some("y/Q5Jg=="), "CRC-32C is 4waSgw==");
}

#[test]
#[cfg_attr(without_ceph, ignore = "OFFSITE_TEST_WITHOUT names ceph")]
fn ceph_ignores_part_numbers_and_tells_no_checksums() {
    let bucket = Ceph::shared().fresh_bucket("quirks");
    bucket.put_multipart("k", &vec![7; 6 << 20], 5 << 20);
    let head = bucket.client.head_object().bucket(&bucket.name).key("k");
    let head = bucket.wait(head.part_number(1).send()).unwrap();
    assert_eq!(head.content_length, Some(6 << 20));
    assert_eq!(head.parts_count, None);

    bucket.put_with_checksum("sum", b"1", ChecksumAlgorithm::Crc32);
    let head = bucket.client.head_object().bucket(&bucket.name).key("sum");
    let head = head.checksum_mode(ChecksumMode::Enabled).send();
    assert_eq!(bucket.wait(head).unwrap().checksum_crc32, None);
}

/// GetObjectAttributes, answered as if it were GetObject.
fn answers_with_the_bytes(bucket: &Bucket, reader: Keys) {
    bucket.put("k", b"the object's bytes");
    let asked = bucket
        .with_keys(reader)
        .client
        .get_object_attributes()
        .bucket(&bucket.name)
        .key("k")
        .object_attributes(ObjectAttributes::Etag);
    let error = bucket.wait(asked.send()).unwrap_err();
    let raw = error.raw_response().unwrap();
    assert_eq!(raw.status().as_u16(), 200);
    assert_eq!(raw.body().bytes(), Some(&b"the object's bytes"[..]));
}

#[test]
#[cfg_attr(without_ceph, ignore = "OFFSITE_TEST_WITHOUT names ceph")]
fn ceph_answers_get_object_attributes_with_the_bytes() {
    answers_with_the_bytes(&Ceph::shared().fresh_bucket("quirks"), ceph::READ_ONLY);
}

#[test]
#[cfg_attr(without_garage, ignore = "OFFSITE_TEST_WITH does not name garage")]
fn garage_answers_get_object_attributes_with_the_bytes() {
    answers_with_the_bytes(&Garage::shared().fresh_bucket("quirks"), garage::READ_ONLY);
}

#[test]
#[cfg_attr(without_ceph, ignore = "OFFSITE_TEST_WITHOUT names ceph")]
fn ceph_lists_milliseconds_and_control_characters_as_they_are() {
    let bucket = Ceph::shared().fresh_bucket("quirks");
    for key in ["a", "b", "c"] {
        bucket.put(key, b"1");
    }
    let list = || bucket.client.list_objects_v2().bucket(&bucket.name);
    let listed = bucket.wait(list().send()).unwrap();
    let mut times = listed.contents().iter().filter_map(|o| o.last_modified);
    assert!(times.any(|at| at.subsec_nanos() > 0), "{listed:?}");

    bucket.put("\u{1}", b"1");
    // XML 1.0 has no such character; this client's parser lets it pass, another's would not.
    let listed = bucket.wait(list().send()).unwrap();
    assert_eq!(listed.contents()[0].key(), Some("\u{1}"));
    let encoded = list().encoding_type("url".into()).send();
    let encoded = bucket.wait(encoded).unwrap();
    assert_eq!(encoded.contents()[0].key(), Some("%01"));
}
