//! One contract, the same cases on every server: what the program is promised by a bucket, in
//! results and in numbers of requests. The embedded bucket that the demo and other tests pull
//! from passes what a real server passes, so it can stand in for one.
//!
//! Here: the library's client. In `contract/program.rs`: the program, from `init` to the drive.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub
)]

#[path = "contract/ground.rs"]
mod ground;
#[path = "contract/locks.rs"]
mod locks;
#[path = "contract/program.rs"]
mod program;
#[path = "contract/quirks.rs"]
mod quirks;
mod support;
#[path = "contract/table.rs"]
mod table;

use ground::{Ground, Server, requests};
use md5::Digest as _;
use offsite::bucket::{Ask, Bucket, Failure, QUIRKS, Rules, Tuning, Versioning};
use offsite::error::Kind;
use offsite::object::{InBucket, Listed, Marker, ObjectKey};
use std::collections::BTreeMap;
use support::Keys;

/// A module with a test for each case; one that is left out shows as ignored, never as passed.
macro_rules! tests_of {
    ($module:ident on $server:ident, $left_out:meta: $why:literal, $($room:ident :: $case:ident)+) => {
        mod $module {
            $(#[test]
            #[cfg_attr($left_out, ignore = $why)]
            fn $case() {
                super::ground::run(super::Server::$server, stringify!($case), super::$room::$case);
            })+
        }
    };
}

/// Every case is a test of its own on every server that can have it.
macro_rules! on_every_server {
    (everywhere: [$($room:ident :: $case:ident),+ $(,)?],
     with_versions: [$($v_room:ident :: $v_case:ident),+ $(,)?]) => {
        const EVERYWHERE: &[&str] = &[$(stringify!($case)),+];
        const WITH_VERSIONS: &[&str] = &[$(stringify!($v_case)),+];
        tests_of!(embedded on Embedded, any(): "", $($room::$case)+ $($v_room::$v_case)+);
        tests_of!(seaweedfs on Seaweed, without_seaweedfs: "OFFSITE_TEST_WITHOUT names seaweedfs",
            $($room::$case)+ $($v_room::$v_case)+);
        tests_of!(moto on Moto, without_moto: "OFFSITE_TEST_WITHOUT names moto",
            $($room::$case)+ $($v_room::$v_case)+);
        tests_of!(garage on Garage, without_garage: "OFFSITE_TEST_WITH does not name garage",
            $($room::$case)+);
        tests_of!(garage_has_no_versions on Garage, all(): "Garage has no versions",
            $($v_room::$v_case)+);
        tests_of!(ceph on Ceph, without_ceph: "OFFSITE_TEST_WITHOUT names ceph",
            $($room::$case)+ $($v_room::$v_case)+);
    };
}

on_every_server!(
    everywhere: [
    client::a_listing_is_complete_at_every_page_size,
    client::a_listing_tells_what_the_owner_sees,
    client::keys_come_back_as_they_were_given,
    client::a_small_object_is_one_request,
    client::a_large_object_is_a_head_and_its_ranges,
    client::a_resumed_download_asks_for_the_rest_alone,
    client::an_object_overwritten_since_is_changed,
    client::an_object_deleted_since_is_gone,
    client::whether_an_object_is_there_is_one_head,
    client::what_rules_delete_is_one_request,
    client::wrong_settings_are_told_apart,
    client::the_readers_key_cannot_write,
    program::hostile_neighbours_come_home_complete,
    program::a_first_pull_is_the_pages_and_a_get_each,
        program::checksums_of_every_kind_contradict_nothing,
    program::the_same_bytes_again_are_one_get_and_no_file,
    program::a_replaced_object_goes_to_history,
    program::a_deleted_object_is_one_head_and_stays,
    ],
    with_versions: [
    client::whether_a_bucket_keeps_versions_is_one_request,
    client::a_listing_of_versions_is_complete_at_every_page_size,
    program::every_version_that_the_bucket_holds_comes_home,
    program::versioning_switched_on_later_fetches_nothing,
    program::what_was_there_before_versioning_comes_home_too,
    locks::a_lock_is_told_and_keeps_its_version,
    locks::whether_a_bucket_locks_is_one_request,
    locks::a_lock_shortened_or_broken_is_an_alarm,
    ]
);

/// `docs/servers.md` shows the table that a run of all servers prints.
#[test]
fn the_documented_table_is_the_one_of_this_suite() {
    let table = table::table(|_, _| "passed");
    let documented = include_str!("../docs/servers.md");
    assert!(documented.contains(&table), "it should hold:\n{table}");
}

#[test]
fn the_documented_quirks_are_those_of_the_code() {
    let rows = QUIRKS.map(|q| format!("| {} | {} | {} |\n", q.what, q.seen, q.so));
    let table = rows.concat();
    let documented = include_str!("../docs/servers.md");
    assert!(documented.contains(&table), "it should hold:\n{table}");
}

/// Names that sort and nest in ways that listings get wrong.
const NEIGHBOURS: [&str; 7] = ["v", "v-x", "v.x", "v/x", "b!", "b/c/d", "b/c-d"];

/// Names that URLs and their encodings get wrong.
const SPELLINGS: [&str; 14] = [
    "a space.tar",
    "a+plus",
    "a%20percent",
    "100%",
    "%",
    "q?a=b&c=d#e",
    "semi;colon:at@",
    "it's (fine) ~!*",
    "\"quoted\" <tag>",
    "é composed",
    "e\u{301} decomposed",
    "日本語/バックアップ.age",
    "emoji 🔒.gpg",
    "back`tick|pipe^{brace}[bracket]",
];

/// Bytes that repeat themselves nowhere; the same for the same seed.
fn bytes(length: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; length];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes
}

mod client {
    use super::*;

    /// Small enough to see ranges and pages, and nothing waits long.
    fn tuning() -> Tuning {
        Tuning {
            backoff: std::time::Duration::from_millis(1),
            large: 1 << 20,
            range: 256 << 10,
            ..Tuning::default()
        }
    }

    fn page(page: i32) -> Tuning {
        Tuning { page, ..tuning() }
    }

    async fn list(bucket: &Bucket) -> Vec<Listed> {
        let mut listing = bucket.list();
        let mut objects = Vec::new();
        while let Some(page) = listing.next().await.unwrap() {
            assert_eq!(page.strange, Vec::<String>::new());
            objects.extend(page.objects);
        }
        objects
    }

    /// The one object called `key`, as the listing shows it.
    fn listed(ground: &Ground, key: &str) -> Listed {
        let (objects, _) = ground.ask(tuning(), list);
        let mut found = objects.into_iter().filter(|o| o.key.as_str() == key);
        let one = found
            .next()
            .unwrap_or_else(|| panic!("{key:?} is not listed"));
        assert_eq!(found.next(), None, "{key:?} is listed once");
        one
    }

    async fn fetch(bucket: &Bucket, object: &Listed, skip: u64) -> Result<Vec<u8>, Failure> {
        let mut download = bucket
            .open(&object.key, &object.identity, Ask::First)
            .await?;
        assert!(skip == 0 || download.skip_to(skip));
        let mut bytes = Vec::new();
        while let Some(chunk) = download.next().await? {
            bytes.extend(chunk);
        }
        Ok(bytes)
    }

    pub fn a_listing_is_complete_at_every_page_size(ground: &Ground) {
        for key in NEIGHBOURS {
            ground.put(key, key.as_bytes());
        }
        let count = NEIGHBOURS.len() as u64;
        for size in [1, 2, 3, 6, 7, 1000] {
            let (objects, seen) = ground.ask(page(size), list);
            let mut keys: Vec<&str> = objects.iter().map(|o| o.key.as_str()).collect();
            keys.sort_unstable();
            let mut all = NEIGHBOURS;
            all.sort_unstable();
            assert_eq!(keys, all, "pages of {size}");
            let pages = count.div_ceil(size.unsigned_abs().into());
            assert_eq!(
                seen,
                requests([("ListObjectsV2", pages)]),
                "pages of {size}"
            );
        }
    }

    /// A key that may not ask is told nothing, and that is no failure.
    pub fn what_rules_delete_is_one_request(ground: &Ground) {
        let (rules, seen) = ground.ask(tuning(), async |b| b.lifecycle().await);
        let may_ask = !matches!(ground.server, ground::Server::Ceph | ground::Server::Garage);
        let told = match may_ask {
            true => Rules::Are(Vec::new()),
            false => Rules::Withheld,
        };
        assert_eq!(rules, told, "there are none");
        assert_eq!(seen, requests([("GetBucketLifecycleConfiguration", 1)]));
    }

    pub fn whether_a_bucket_keeps_versions_is_one_request(ground: &Ground) {
        for keeps in [Versioning::Off, Versioning::On] {
            let (answer, seen) = ground.ask(tuning(), async |b| b.versioning().await);
            assert_eq!(answer.unwrap(), keeps);
            assert_eq!(seen, requests([("GetBucketVersioning", 1)]));
            ground.enable_versioning();
        }
    }

    /// And of each key one version or marker is the newest, wherever a page ends.
    pub fn a_listing_of_versions_is_complete_at_every_page_size(ground: &Ground) {
        ground.enable_versioning();
        let mut put = Vec::new();
        for key in NEIGHBOURS {
            for n in 0..3 {
                let id = ground.put(key, format!("{key} {n}").as_bytes());
                put.push((key.to_owned(), id.unwrap()));
            }
        }
        let newest: Vec<_> = put.iter().skip(2).step_by(3).cloned().collect();
        let marker = ground.delete("v-x").unwrap();
        put.sort();
        // See the quirks: of SeaweedFS one page is right.
        let sizes = match ground.server {
            ground::Server::Seaweed => &[1000][..],
            _ => &[1, 2, 3, 4, 7, 22, 1000],
        };
        for &size in sizes {
            let (pages, _) = ground.ask(page(size), async |bucket| {
                let (mut listing, mut pages) = (bucket.list_versions(), Vec::new());
                while let Some(page) = listing.next().await.unwrap() {
                    pages.push(page);
                }
                pages
            });
            let mut listed = BTreeMap::new();
            for object in pages.iter().flat_map(|page| &page.objects) {
                let id = object.identity.version_id.clone().unwrap();
                listed.insert((object.key.to_string(), id), object.in_bucket);
            }
            assert!(listed.keys().eq(&put), "pages of {size}: {listed:#?}");
            for (version, in_bucket) in &listed {
                let expected = match (newest.contains(version), version.0.as_str()) {
                    (true, "v-x") => InBucket::Hidden,
                    (true, _) => InBucket::Current,
                    (false, _) => InBucket::Noncurrent,
                };
                assert_eq!(*in_bucket, expected, "{version:?}, pages of {size}");
            }
            let markers: Vec<_> = pages.iter().flat_map(|page| &page.markers).collect();
            let one = |m: &&Marker| m.version_id.as_ref() == Some(&marker) && m.hides;
            assert!(
                markers.iter().all(one) && !markers.is_empty(),
                "{markers:?}"
            );
            let headless = pages.iter().any(|page| !page.headless.is_empty());
            assert!(!headless, "pages of {size}");
        }
    }

    pub fn a_listing_tells_what_the_owner_sees(ground: &Ground) {
        let content = bytes(1000, 1);
        ground.put("empty", b"");
        ground.put("one", &content);
        ground.put_parts("parts", &bytes(11 << 20, 2), 5 << 20);
        let told = ground.told();
        let (objects, _) = ground.ask(tuning(), list);
        let listed: BTreeMap<_, _> = objects
            .into_iter()
            .map(|o| (o.key.to_string(), o.identity))
            .collect();
        assert!(listed.keys().eq(told.keys()));
        for (key, identity) in &listed {
            let (etag, size, at) = &told[key];
            assert_eq!(identity.etag, *etag, "{key}");
            assert_eq!(i64::try_from(identity.size).unwrap(), *size, "{key}");
            assert_eq!(identity.last_modified.as_second(), *at, "{key}");
            assert_eq!(identity.version_id, None, "{key}");
        }
        let md5 = data_encoding::HEXLOWER.encode(&md5::Md5::digest(&content));
        assert_eq!(listed["one"].etag, md5, "of a single PUT");
        assert_eq!(listed["one"].size, 1000);
        assert_eq!(listed["empty"].size, 0);
        assert_eq!(listed["parts"].size, 11 << 20);
        assert!(
            listed["parts"].etag.ends_with("-3"),
            "{:?}",
            listed["parts"]
        );
    }

    pub fn keys_come_back_as_they_were_given(ground: &Ground) {
        for key in SPELLINGS {
            ground.put(key, key.as_bytes());
        }
        let (objects, _) = ground.ask(page(5), list);
        assert_eq!(objects.len(), SPELLINGS.len());
        let (fetched, seen) = ground.ask(tuning(), async |bucket| {
            let mut fetched = BTreeMap::new();
            for object in &objects {
                let bytes = fetch(bucket, object, 0).await.unwrap();
                fetched.insert(object.key.to_string(), bytes);
            }
            fetched
        });
        let put = SPELLINGS.map(|key| (key.to_owned(), key.as_bytes().to_vec()));
        assert_eq!(fetched, put.into());
        assert_eq!(seen, requests([("GetObject", SPELLINGS.len() as u64)]));
    }

    pub fn a_small_object_is_one_request(ground: &Ground) {
        for length in [0, 1, (1 << 20) - 1] {
            let content = bytes(length, 3);
            ground.put("small", &content);
            let object = listed(ground, "small");
            let (fetched, seen) = ground.ask(tuning(), async |b| fetch(b, &object, 0).await);
            assert!(fetched.unwrap() == content, "{length} bytes");
            assert_eq!(seen, requests([("GetObject", 1)]), "{length} bytes");
        }
    }

    pub fn a_large_object_is_a_head_and_its_ranges(ground: &Ground) {
        for (in_parts, length, ranges) in [
            (false, 1 << 20, 4),
            (false, (1 << 20) + 1, 5),
            (true, (6 << 20) - 1, 24),
        ] {
            let content = bytes(length, 4);
            match in_parts {
                true => ground.put_parts("large", &content, 5 << 20),
                false => drop(ground.put("large", &content)),
            }
            let object = listed(ground, "large");
            let (fetched, seen) = ground.ask(tuning(), async |b| fetch(b, &object, 0).await);
            assert!(fetched.unwrap() == content, "{length} bytes");
            // And one for how the parts lie.
            let heads = if in_parts { 2 } else { 1 };
            let expected = requests([("HeadObject", heads), ("GetObject", ranges)]);
            assert_eq!(seen, expected, "{length} bytes");
        }
    }

    pub fn a_resumed_download_asks_for_the_rest_alone(ground: &Ground) {
        let content = bytes((1 << 20) + 1, 5);
        ground.put("large", &content);
        let object = listed(ground, "large");
        let had = 700_000;
        let (rest, seen) = ground.ask(tuning(), async |b| fetch(b, &object, had).await);
        assert!(rest.unwrap() == content[700_000..]);
        assert_eq!(seen, requests([("HeadObject", 1), ("GetObject", 2)]));
    }

    pub fn an_object_overwritten_since_is_changed(ground: &Ground) {
        for (length, asked) in [(10, "GetObject"), (1 << 20, "HeadObject")] {
            ground.put("k", &bytes(length, 6));
            let object = listed(ground, "k");
            ground.put("k", &bytes(length, 7));
            let (failure, seen) = ground.ask(tuning(), async |b| fetch(b, &object, 0).await);
            assert!(matches!(failure, Err(Failure::Changed)), "{failure:?}");
            assert_eq!(seen, requests([(asked, 1)]));
        }
    }

    pub fn an_object_deleted_since_is_gone(ground: &Ground) {
        for (length, asked) in [(10, "GetObject"), (1 << 20, "HeadObject")] {
            ground.put("k", &bytes(length, 8));
            let object = listed(ground, "k");
            ground.delete("k");
            let (failure, seen) = ground.ask(tuning(), async |b| fetch(b, &object, 0).await);
            assert!(matches!(failure, Err(Failure::Gone)), "{failure:?}");
            assert_eq!(seen, requests([(asked, 1)]));
        }
    }

    pub fn whether_an_object_is_there_is_one_head(ground: &Ground) {
        ground.put("a b+c%", b"1");
        for (key, there) in [("a b+c%", true), ("a b+c", false), ("a", false)] {
            let key = ObjectKey::new(key).unwrap();
            let (answer, seen) = ground.ask(tuning(), async |b| b.exists(&key).await);
            assert_eq!(answer.unwrap(), there, "{key}");
            assert_eq!(seen, requests([("HeadObject", 1)]), "{key}");
        }
    }

    /// What the owner reads decides what the owner does: a wrong bucket, a revoked key and a
    /// mistyped secret are three things.
    pub fn wrong_settings_are_told_apart(ground: &Ground) {
        let (good, name) = (ground.reader, ground.name.as_str());
        let unknown = Keys::of("NOBODYKNOWSTHISKEY00", good.secret);
        let mistyped = Keys::of(good.id, "not-the-secret-of-this-access-key-000000");
        for (bucket, keys, words) in [
            ("no-such-bucket", good, "there is no bucket no-such-bucket"),
            (name, unknown, "does not know this access key"),
            (name, mistyped, "the secret key is wrong"),
        ] {
            let client = ground.client(bucket, keys, tuning());
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let answer = runtime
                .unwrap()
                .block_on(async { client.list().next().await });
            let error = answer.unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
            assert_eq!(error.kind(), Kind::Usage, "{error}");
            assert!(error.way_out().is_some(), "{error}");
            assert_eq!(client.requests(), 1, "not asked again: {error}");
        }
    }

    /// P1, held by the server: the key that the other cases read with is refused what changes the
    /// bucket. That the program never asks is held where its requests are counted.
    pub fn the_readers_key_cannot_write(ground: &Ground) {
        ground.put("k", b"1");
        let told = ground.told();
        let reader = ground.as_reader();
        assert_eq!(reader.get("k"), Ok(b"1".to_vec()));
        assert_eq!(reader.try_put("k", b"2", None).unwrap_err().status, 403);
        let delete = reader.client.delete_object().bucket(&ground.name).key("k");
        let refused = reader.wait(delete.send()).unwrap_err();
        assert_eq!(refused.raw_response().unwrap().status().as_u16(), 403);
        assert_eq!(ground.told(), told);
    }
}
