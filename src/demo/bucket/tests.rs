//! The bucket, asked by the AWS SDK over HTTP.

use super::*;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{
    BehaviorVersion, Credentials, Region, ResponseChecksumValidation, retry::RetryConfig,
};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::{ChecksumMode, EncodingType};
use std::time::{Duration, Instant};

struct Fixture {
    bucket: Bucket,
    server: Server,
}

impl Fixture {
    fn new() -> Self {
        let at = "2026-03-01T02:03:04.567Z".parse().unwrap();
        let bucket = Bucket::new("backups", Clock::standing_at(at));
        let server = Server::start(vec![bucket.clone()], None).unwrap();
        Self { bucket, server }
    }

    fn client(&self, key: Key) -> Client {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .credentials_provider(Credentials::new(key.id, key.secret, None, None, "test"))
            .endpoint_url(self.server.endpoint())
            .region(Region::new("us-east-1"))
            .force_path_style(true)
            .retry_config(RetryConfig::disabled())
            // The SDK would ask for checksums on its own.
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .http_client(crate::http::client(None).unwrap())
            .build();
        Client::from_conf(config)
    }
}

/// The error's code and HTTP status.
fn code<O: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug>(
    answer: Result<O, SdkError<E>>,
) -> (String, u16) {
    let error = answer.unwrap_err();
    let status = error.raw_response().map_or(0, |raw| raw.status().as_u16());
    (error.code().unwrap_or_default().to_owned(), status)
}

async fn bytes(answer: GetObjectOutput) -> Vec<u8> {
    answer.body.collect().await.unwrap().to_vec()
}

fn decoded(name: &str) -> String {
    let name = name.replace('+', " ");
    percent_encoding::percent_decode_str(&name)
        .decode_utf8()
        .unwrap()
        .into_owned()
}

async fn page(client: &Client, max: i32, token: Option<String>) -> ListObjectsV2Output {
    client
        .list_objects_v2()
        .bucket("backups")
        .max_keys(max)
        .set_continuation_token(token)
        .encoding_type(EncodingType::Url)
        .send()
        .await
        .unwrap()
}

fn keys(page: &ListObjectsV2Output) -> Vec<String> {
    let rows = page.contents().iter();
    rows.map(|row| decoded(row.key().unwrap())).collect()
}

/// Every key, page by page; and how many pages.
async fn list(client: &Client, max: i32) -> (Vec<String>, usize) {
    let (mut all, mut pages, mut token) = (Vec::new(), 0, None);
    loop {
        let page = page(client, max, token).await;
        pages += 1;
        assert_eq!(page.key_count(), Some(page.contents().len() as i32));
        all.extend(keys(&page));
        assert!(all.len() < 100, "the listing does not end");
        token = page.next_continuation_token().map(str::to_owned);
        assert_eq!(page.is_truncated(), Some(token.is_some()));
        if token.is_none() {
            return (all, pages);
        }
    }
}

const TREE: [&str; 7] = ["v", "v-x", "v.x", "v/x", "b!", "b/c/d", "b/c-d"];
const HOSTILE: [&str; 18] = [
    "../x",
    "..",
    ".",
    "a",
    "a/b",
    "a//b",
    "//",
    "/",
    "/lead",
    "trail/",
    "nul\0",
    "line\nbreak",
    "tab\tblank plus+",
    "%2F%25",
    "?q=1&r#f",
    "\u{202e}\u{e9}\u{1f980}",
    "a/./b/../c",
    "<&>\"'\\",
];

#[tokio::test]
async fn pages_are_complete_at_every_size_and_in_every_order() {
    let fixture = Fixture::new();
    for key in TREE {
        fixture.bucket.put(key, key);
    }
    let client = fixture.client(READER);
    let byte = ["b!", "b/c-d", "b/c/d", "v", "v-x", "v.x", "v/x"];
    let tree = ["b/c/d", "b/c-d", "b!", "v", "v/x", "v-x", "v.x"];
    assert_eq!(list(&client, 1000).await.1, 1);
    assert_eq!(list(&client, 2).await.1, 4);
    assert_eq!(list(&client, 7).await.1, 1, "a full page may be the last");
    for max in [1, 2, 1000] {
        for (order, expected) in [(Order::Byte, byte), (Order::Tree, tree)] {
            fixture.bucket.with_faults(|faults| faults.order = order);
            assert_eq!(list(&client, max).await.0, expected, "{order:?}");
        }
        let shuffled = Order::Shuffled(7);
        fixture.bucket.with_faults(|faults| faults.order = shuffled);
        let (mut keys, _) = list(&client, max).await;
        assert_ne!(keys, byte);
        keys.sort();
        assert_eq!(keys, byte);
    }
    fixture
        .bucket
        .with_faults(|faults| faults.order = Order::Byte);
    fixture
        .bucket
        .with_faults(|faults| faults.page_size = Some(3));
    assert_eq!(list(&client, 1000).await.1, 3);
    assert!(page(&client, 0, None).await.contents().is_empty());
    let request = client.list_objects_v2().bucket("backups");
    let some = request
        .prefix("b/")
        .start_after("b/c-d")
        .send()
        .await
        .unwrap();
    assert_eq!(keys(&some), ["b/c/d"]);
    fixture.bucket.put("d/a b+c~\n", "");
    let request = client.list_objects_v2().bucket("backups").prefix("d/a b");
    let encoded = request
        .encoding_type(EncodingType::Url)
        .send()
        .await
        .unwrap();
    assert_eq!(encoded.prefix(), Some("d/a+b"));
    assert_eq!(encoded.contents()[0].key(), Some("d/a+b%2Bc%7E%0A"));
    let request = client.list_objects_v2().bucket("backups");
    let wrong = request.continuation_token("made up").send().await;
    assert_eq!(code(wrong), ("InvalidArgument".to_owned(), 400));
}

#[tokio::test]
async fn any_key_can_be_listed_and_read() {
    let fixture = Fixture::new();
    let long = format!("{}é", "k".repeat(1022));
    for key in HOSTILE.into_iter().chain([long.as_str()]) {
        fixture.bucket.put(key, key);
    }
    let client = fixture.client(READER);
    let (listed, _) = list(&client, 2).await;
    assert_eq!(listed.len(), 19);
    assert_eq!(listed, fixture.bucket.keys());
    for key in listed {
        let request = client.get_object().bucket("backups").key(&key);
        let answer = request
            .send()
            .await
            .unwrap_or_else(|e| panic!("{key:?}: {e:?}"));
        assert_eq!(bytes(answer).await, key.as_bytes());
        let request = client.head_object().bucket("backups").key(&key);
        let head = request.send().await.unwrap();
        assert_eq!(head.content_length(), Some(key.len() as i64));
    }
    let request = client.get_object().bucket("backups").key("absent");
    assert_eq!(code(request.send().await), ("NoSuchKey".to_owned(), 404));
    let request = client.head_object().bucket("backups").key("absent");
    assert_eq!(code(request.send().await), ("NotFound".to_owned(), 404));
    let request = client.get_object().bucket("other").key("a");
    assert_eq!(code(request.send().await), ("NoSuchBucket".to_owned(), 404));
}

#[tokio::test]
async fn ranges_and_conditions() {
    let fixture = Fixture::new();
    fixture.bucket.put("k", "0123456789");
    let client = fixture.client(READER);
    let get = || client.get_object().bucket("backups").key("k");
    let whole = get().send().await.unwrap();
    let etag = whole.e_tag().unwrap().to_owned();
    assert_eq!(etag, "\"781e5e245d69b566979b86e28d23f2c7\"");
    assert_eq!(whole.version_id(), None, "no versions, no version id");
    assert_eq!(whole.last_modified().unwrap().secs(), 1_772_330_584);
    let part = get()
        .range("bytes=2-4")
        .if_match(&etag)
        .send()
        .await
        .unwrap();
    assert_eq!(part.content_range(), Some("bytes 2-4/10"));
    assert_eq!(part.content_length(), Some(3));
    assert_eq!(bytes(part).await, b"234");
    let tail = get().range("bytes=7-").send().await.unwrap();
    assert_eq!(bytes(tail).await, b"789");
    let changed = get().range("bytes=2-4").if_match("\"other\"").send().await;
    assert_eq!(code(changed), ("PreconditionFailed".to_owned(), 412));
    let beyond = get().range("bytes=10-").send().await;
    assert_eq!(code(beyond), ("InvalidRange".to_owned(), 416));
    assert_eq!(code(get().if_none_match(&etag).send().await).1, 304);
}

#[tokio::test]
async fn versions_and_markers() {
    let fixture = Fixture::new();
    let bucket = &fixture.bucket;
    bucket.put("k", "null");
    bucket.set_versioning(Versioning::Enabled);
    let first = bucket.put("k", "first").unwrap();
    let marker = bucket.delete("k").unwrap();
    bucket.put("k/x", "1");
    let client = fixture.client(READER);
    let get = || client.get_object().bucket("backups").key("k");
    let hidden = get().send().await.unwrap_err();
    let raw = hidden.raw_response().unwrap();
    assert_eq!(raw.headers().get("x-amz-delete-marker"), Some("true"));
    assert_eq!(raw.headers().get("x-amz-version-id"), Some(marker.as_str()));
    assert_eq!(hidden.code(), Some("NoSuchKey"));
    let answer = get().version_id(&marker).send().await;
    assert_eq!(code(answer), ("MethodNotAllowed".to_owned(), 405));
    let answer = get().version_id("made-up").send().await;
    assert_eq!(code(answer), ("NoSuchVersion".to_owned(), 404));
    let answer = get().version_id(&first).send().await.unwrap();
    assert_eq!(answer.version_id(), Some(first.as_str()));
    assert_eq!(bytes(answer).await, b"first");
    let answer = get().version_id("null").send().await.unwrap();
    assert_eq!(bytes(answer).await, b"null");
    assert_eq!(list(&client, 2).await.0, ["k/x"]);
    bucket.delete_version("k", &marker);
    let answer = get().send().await.unwrap();
    assert_eq!(bytes(answer).await, b"first");
    let status = client.get_bucket_versioning().bucket("backups");
    let status = status.send().await.unwrap();
    assert_eq!(status.status().unwrap().as_str(), "Enabled");
}

/// Key, version id, whether latest, whether a marker; page by page.
async fn list_versions(client: &Client, max: i32) -> Vec<(String, String, bool, bool)> {
    let (mut all, mut key, mut id) = (Vec::new(), None, None);
    loop {
        let page = client
            .list_object_versions()
            .bucket("backups")
            .max_keys(max)
            .set_key_marker(key)
            .set_version_id_marker(id)
            .send()
            .await
            .unwrap();
        let row = |key: Option<&str>, id: Option<&str>, latest, marker| {
            (
                key.unwrap().to_owned(),
                id.unwrap().to_owned(),
                latest,
                marker,
            )
        };
        for v in page.versions() {
            all.push(row(v.key(), v.version_id(), v.is_latest().unwrap(), false));
        }
        for m in page.delete_markers() {
            all.push(row(m.key(), m.version_id(), m.is_latest().unwrap(), true));
        }
        assert!(all.len() < 100, "the listing does not end");
        key = page.next_key_marker().map(str::to_owned);
        id = page.next_version_id_marker().map(str::to_owned);
        assert_eq!(page.is_truncated(), Some(key.is_some()));
        if key.is_none() {
            return all;
        }
    }
}

#[tokio::test]
async fn version_listings_page_inside_a_key() {
    let fixture = Fixture::new();
    let bucket = &fixture.bucket;
    bucket.set_versioning(Versioning::Enabled);
    let mut expected = Vec::new();
    for key in ["a", "a/b", "b"] {
        let one = bucket.put(key, "1").unwrap();
        let two = bucket.delete(key).unwrap();
        let three = bucket.put(key, "3").unwrap();
        expected.push((key.to_owned(), three, true, false));
        expected.push((key.to_owned(), two, false, true));
        expected.push((key.to_owned(), one, false, false));
    }
    let client = fixture.client(READER);
    assert_eq!(list_versions(&client, 1).await, expected);
    for max in [2, 4, 1000] {
        let mut got = list_versions(&client, max).await;
        // The SDK keeps versions and markers of a page apart.
        got.sort();
        let mut expected = expected.clone();
        expected.sort();
        assert_eq!(got, expected, "{max}");
    }
    let (key, removed, ..) = &expected[1];
    bucket.delete_version(key, removed);
    let page = client.list_object_versions().bucket("backups");
    let page = page.key_marker(key).version_id_marker(removed).max_keys(1);
    let page = page.send().await.unwrap();
    assert_eq!(
        page.versions()[0].version_id(),
        Some(expected[2].1.as_str())
    );
}

#[tokio::test]
async fn the_reader_changes_nothing_and_the_writer_may() {
    let fixture = Fixture::new();
    fixture.bucket.put("k", "kept");
    let denied = ("AccessDenied".to_owned(), 403);
    let put = |client: &Client| {
        let request = client.put_object().bucket("backups").key("../new");
        request.body(b"new".to_vec().into()).content_type("text/x")
    };
    let reader = fixture.client(READER);
    assert_eq!(code(put(&reader).send().await), denied);
    let delete = reader.delete_object().bucket("backups").key("k");
    assert_eq!(code(delete.send().await), denied);
    let create = reader.create_multipart_upload().bucket("backups").key("k");
    assert_eq!(code(create.send().await), denied);
    assert_eq!(fixture.bucket.keys(), ["k"]);
    assert_eq!(
        fixture.bucket.requests()["PutObject"],
        1,
        "denied ones count"
    );
    fixture.bucket.reset_requests();

    let writer = fixture.client(WRITER);
    let both = put(&writer).content_md5("AAAAAAAAAAAAAAAAAAAAAA==");
    assert_eq!(code(both.send().await), ("BadDigest".to_owned(), 400));
    let wrong = put(&writer).checksum_crc32("AAAAAA==").send().await;
    assert_eq!(code(wrong), ("BadDigest".to_owned(), 400));
    let wrong = put(&writer).if_match("\"made-up\"").send().await;
    assert_eq!(code(wrong), ("NoSuchKey".to_owned(), 404));
    assert_eq!(fixture.bucket.keys(), ["k"]);
    let part = writer.upload_part().bucket("backups").key("k");
    let part = part
        .upload_id("made-up")
        .part_number(1)
        .body(vec![0].into());
    assert_eq!(code(part.send().await), ("NoSuchUpload".to_owned(), 404));
    put(&writer).send().await.unwrap();
    assert_eq!(fixture.bucket.get("../new").unwrap(), b"new");
    let again = put(&writer).if_none_match("*").send().await;
    assert_eq!(code(again), ("PreconditionFailed".to_owned(), 412));
    let delete = writer.delete_object().bucket("backups").key("k");
    delete.send().await.unwrap();
    assert_eq!(fixture.bucket.keys(), ["../new"]);
    assert_eq!(fixture.bucket.requests()["PutObject"], 5);
    let get = writer.get_object().bucket("backups").key("../new");
    let answer = get
        .checksum_mode(ChecksumMode::Enabled)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.content_type(), Some("text/x"));
    assert!(
        answer.checksum_crc32().is_some(),
        "the SDK's own checksum is kept"
    );
    fixture.bucket.set_versioning(Versioning::Enabled);
    let delete = writer.delete_object().bucket("backups").key("../new");
    let marker = delete.send().await.unwrap();
    assert_eq!(marker.delete_marker(), Some(true));
    assert_eq!(fixture.bucket.version_ids("../new").len(), 2);
}

/// (lock, whether who deletes asks to bypass it) -> whether the version goes.
#[tokio::test]
async fn locks_bind_all_but_the_hand_that_holds_the_bucket() {
    use crate::object::{LockMode, Retention};
    use aws_sdk_s3::types::{ObjectLockLegalHoldStatus, ObjectLockMode};
    let fixture = Fixture::new();
    let writer = fixture.client(WRITER);
    let held = |key: &str| {
        let put = writer.put_object().bucket("backups").key(key);
        put.object_lock_legal_hold_status(ObjectLockLegalHoldStatus::On)
            .body(vec![0].into())
    };
    let refused = ("InvalidRequest".to_owned(), 400);
    assert_eq!(code(held("k").send().await), refused, "no locks here");
    fixture.bucket.set_object_lock(BucketLock {
        on: true,
        default: None,
    });
    let half = held("k").object_lock_mode(ObjectLockMode::Governance);
    assert_eq!(code(half.send().await).1, 400, "a mode without an end");
    let at = |text: &str| text.parse().unwrap();
    let lock = |mode, until: &str, hold| {
        let until = at(until);
        Lock::of(Some(Retention { mode, until }), hold)
    };
    use LockMode::{Compliance, Governance};
    for (lock, bypass, goes) in [
        (None, false, true),
        (
            lock(Governance, "2026-03-02T00:00:00Z", false),
            false,
            false,
        ),
        (lock(Governance, "2026-03-02T00:00:00Z", false), true, true),
        (lock(Compliance, "2026-03-02T00:00:00Z", false), true, false),
        (lock(Compliance, "2026-03-01T00:00:00Z", false), false, true),
        (lock(Compliance, "2026-03-01T00:00:00Z", true), true, false),
        (Lock::of(None, true), true, false),
    ] {
        let options = PutOptions {
            lock,
            ..PutOptions::default()
        };
        let id = fixture.bucket.put_with("k", "x", options).unwrap();
        let delete = writer.delete_object().bucket("backups").key("k");
        let delete = delete.version_id(&id).bypass_governance_retention(bypass);
        let went = delete.send().await;
        assert_eq!(went.is_ok(), goes, "{lock:?} {bypass}");
        if !goes {
            assert_eq!(code(went), ("AccessDenied".to_owned(), 403));
        }
        assert_eq!(fixture.bucket.delete_version("k", &id), !goes, "by force");
    }
    // In parts as in one.
    let begin = writer.create_multipart_upload().bucket("backups").key("p");
    let begin = begin.object_lock_legal_hold_status(ObjectLockLegalHoldStatus::On);
    let upload = begin.send().await.unwrap().upload_id.unwrap();
    let part = writer
        .upload_part()
        .bucket("backups")
        .key("p")
        .part_number(1);
    let part = part.upload_id(&upload).body(vec![0].into());
    let etag = part.send().await.unwrap().e_tag;
    let part = aws_sdk_s3::types::CompletedPart::builder().part_number(1);
    let parts = aws_sdk_s3::types::CompletedMultipartUpload::builder()
        .parts(part.set_e_tag(etag).build())
        .build();
    let end = writer
        .complete_multipart_upload()
        .bucket("backups")
        .key("p");
    let put = end
        .upload_id(upload)
        .multipart_upload(parts)
        .send()
        .await
        .unwrap();
    let id = put.version_id().unwrap();
    assert_eq!(fixture.bucket.lock_of("p", id), Lock::of(None, true));
}

#[tokio::test]
async fn an_upload_in_parts_is_the_object_that_its_parts_make() {
    use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
    let fixture = Fixture::new();
    let writer = fixture.client(WRITER);
    let begin = writer.create_multipart_upload().bucket("backups").key("k");
    let begin = begin
        .checksum_algorithm(ChecksumAlgorithm::Sha1)
        .metadata("colour", "blue");
    let id = begin.send().await.unwrap().upload_id.unwrap();
    let part = |number: i32, bytes: &[u8]| {
        let part = writer.upload_part().bucket("backups").key("k");
        let part = part.upload_id(&id).part_number(number);
        part.body(bytes.to_vec().into())
    };
    let wrong = part(1, b"12345").checksum_sha1("AAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    assert_eq!(code(wrong.send().await), ("BadDigest".to_owned(), 400));
    let mut named = Vec::new();
    for (number, bytes) in [(1, b"12345".as_slice()), (2, b"67")] {
        let sent = part(number, bytes).checksum_algorithm(ChecksumAlgorithm::Sha1);
        let etag = sent.send().await.unwrap().e_tag;
        named.push(
            CompletedPart::builder()
                .part_number(number)
                .set_e_tag(etag)
                .build(),
        );
    }
    let complete = |parts: Vec<CompletedPart>| {
        let parts = CompletedMultipartUpload::builder()
            .set_parts(Some(parts))
            .build();
        let complete = writer
            .complete_multipart_upload()
            .bucket("backups")
            .key("k");
        complete.upload_id(&id).multipart_upload(parts).send()
    };
    let mut other = named.clone();
    other[1].e_tag = named[0].e_tag.clone();
    assert_eq!(code(complete(other).await), ("InvalidPart".to_owned(), 400));
    assert_eq!(fixture.bucket.keys(), [""; 0]);
    complete(named.clone()).await.unwrap();
    let gone = complete(named).await;
    assert_eq!(
        code(gone),
        ("NoSuchUpload".to_owned(), 404),
        "an upload ends once"
    );

    let options = PutOptions {
        checksum: Some(Checksum::Sha1),
        part_size: Some(5),
        ..PutOptions::default()
    };
    fixture.bucket.put_with("same", "1234567", options);
    let reader = fixture.client(READER);
    let told = async |key: &str| {
        let get = reader.get_object().bucket("backups").key(key);
        let got = get
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await
            .unwrap();
        (got.e_tag, got.checksum_sha1)
    };
    assert_eq!(told("k").await, told("same").await);
    assert_eq!(fixture.bucket.get("k").unwrap(), b"1234567");
}

#[tokio::test]
async fn signatures_are_checked() {
    let fixture = Fixture::new();
    let ask = async |key: Key| {
        let request = fixture.client(key).head_bucket().bucket("backups");
        request
            .send()
            .await
            .map_err(|e| e.raw_response().map(|r| r.status().as_u16()))
    };
    let list = async |key: Key| {
        let request = fixture.client(key).list_objects_v2().bucket("backups");
        code(request.send().await)
    };
    assert!(ask(READER).await.is_ok() && ask(WRITER).await.is_ok());
    let wrong = Key {
        id: READER.id,
        secret: "wrong",
    };
    assert_eq!(list(wrong).await, ("SignatureDoesNotMatch".to_owned(), 403));
    let unknown = Key {
        id: "NOBODY",
        secret: READER.secret,
    };
    assert_eq!(list(unknown).await, ("InvalidAccessKeyId".to_owned(), 403));
    for ahead in [20 * 60, -20 * 60] {
        fixture
            .bucket
            .with_faults(|faults| faults.clock_ahead = ahead);
        assert_eq!(list(READER).await, ("RequestTimeTooSkewed".to_owned(), 403));
    }
    fixture
        .bucket
        .with_faults(|faults| faults.clock_ahead = 10 * 60);
    assert!(ask(READER).await.is_ok());
}

#[tokio::test]
async fn multipart_objects_checksums_and_classes() {
    let fixture = Fixture::new();
    let put = |key: &str, options| {
        fixture
            .bucket
            .put_with(key, b"0123456789".to_vec(), options)
    };
    let options = |checksum, part_size| PutOptions {
        checksum,
        part_size,
        ..Default::default()
    };
    put("whole", options(Some(Checksum::Sha256), None));
    put("parts", options(Some(Checksum::Sha256), Some(4)));
    put("crc64", options(Some(Checksum::Crc64Nvme), Some(4)));
    put(
        "cold",
        PutOptions {
            storage_class: Some("GLACIER".into()),
            ..Default::default()
        },
    );
    put(
        "kms",
        PutOptions {
            encryption: Some(Encryption::Kms("k".into())),
            ..Default::default()
        },
    );
    put(
        "sse-c",
        PutOptions {
            encryption: Some(Encryption::Customer),
            ..Default::default()
        },
    );
    let client = fixture.client(READER);
    let get = |key: &str| client.get_object().bucket("backups").key(key);
    let head = |key: &str| client.head_object().bucket("backups").key(key);
    let whole = get("whole")
        .checksum_mode(ChecksumMode::Enabled)
        .send()
        .await
        .unwrap();
    let sha256 = "hNiYd/DUBB77a/kaFvAkjy/Vc+avBcGflr7bn4gveII=";
    assert_eq!(whole.checksum_sha256(), Some(sha256));
    assert_eq!(whole.checksum_type().unwrap().as_str(), "FULL_OBJECT");
    let part = get("whole")
        .checksum_mode(ChecksumMode::Enabled)
        .range("bytes=0-1");
    assert_eq!(part.send().await.unwrap().checksum_sha256(), None);
    assert_eq!(get("whole").send().await.unwrap().checksum_sha256(), None);
    let parts = head("parts")
        .checksum_mode(ChecksumMode::Enabled)
        .send()
        .await
        .unwrap();
    let etag = "\"61e3716e3a7767581863b67c4e785584-3\"";
    assert_eq!(parts.e_tag(), Some(etag));
    let sha256 = "AsJgp+T+NdZLd+M6c4L/VkxZEu9LvnWBGNmrqlglZpg=-3";
    assert_eq!(parts.checksum_sha256(), Some(sha256));
    assert_eq!(parts.checksum_type().unwrap().as_str(), "COMPOSITE");
    let crc64 = head("crc64")
        .checksum_mode(ChecksumMode::Enabled)
        .send()
        .await
        .unwrap();
    assert_eq!(crc64.checksum_type().unwrap().as_str(), "FULL_OBJECT");
    let last = get("parts").part_number(3).send().await.unwrap();
    assert_eq!(
        (last.parts_count(), last.content_range()),
        (Some(3), Some("bytes 8-9/10"))
    );
    assert_eq!(bytes(last).await, b"89");
    assert_eq!(
        code(get("cold").send().await),
        ("InvalidObjectState".to_owned(), 403)
    );
    assert_eq!(
        head("cold")
            .send()
            .await
            .unwrap()
            .storage_class()
            .unwrap()
            .as_str(),
        "GLACIER"
    );
    let kms = head("kms").send().await.unwrap();
    assert_eq!(kms.server_side_encryption().unwrap().as_str(), "aws:kms");
    assert_ne!(kms.e_tag(), Some("\"781e5e245d69b566979b86e28d23f2c7\""));
    assert_eq!(
        code(get("sse-c").send().await),
        ("InvalidRequest".to_owned(), 400)
    );
}

#[tokio::test]
async fn bodies_are_spoilt_when_asked_and_as_often_as_asked() {
    let fixture = Fixture::new();
    let bucket = &fixture.bucket;
    let content: Vec<u8> = (0..200_000_u32).map(|n| n as u8).collect();
    bucket.put("k", content.clone());
    let client = fixture.client(READER);
    let get = || client.get_object().bucket("backups").key("k");
    let read = async || {
        get()
            .send()
            .await
            .unwrap()
            .body
            .collect()
            .await
            .map(|b| b.to_vec())
    };

    bucket.with_faults(|f| f.flip = Some(Fault::new(1000).times(1).on(|key| key == "k")));
    let beside = get().range("bytes=0-999").send().await.unwrap();
    assert_eq!(
        bytes(beside).await,
        content[..1000],
        "the range without the byte is whole"
    );
    let flipped = get().range("bytes=990-1009").send().await.unwrap();
    let mut expected = content[990..1010].to_vec();
    expected[10] ^= 1;
    assert_eq!(bytes(flipped).await, expected);
    assert_eq!(read().await.unwrap(), content);

    bucket.with_faults(|f| f.cut = Some(Fault::new(150_000).times(2)));
    for _ in 0..2 {
        let mut body = get().send().await.unwrap().body;
        let mut got = Vec::new();
        let error = loop {
            match body.next().await {
                Some(Ok(some)) => got.extend_from_slice(&some),
                end => break end,
            }
        };
        assert!(
            error.is_some_and(|end| end.is_err()),
            "the connection broke"
        );
        assert_eq!(got, content[..150_000]);
    }
    assert_eq!(read().await.unwrap(), content);

    bucket.with_faults(|f| f.shorten = Some(Fault::new(()).times(1)));
    let short = get().send().await.unwrap();
    assert_eq!(short.content_length(), Some(199_999));
    assert_eq!(bytes(short).await, content[..199_999]);

    let trickle = Trickle {
        bytes: 50_000,
        every: Duration::from_millis(40),
    };
    bucket.with_faults(|f| f.trickle = Some(Fault::new(trickle).times(1)));
    let began = Instant::now();
    assert_eq!(read().await.unwrap(), content);
    assert!(began.elapsed() >= Duration::from_millis(120));
    bucket.with_faults(|f| f.opaque_etags = true);
    let etag = get().send().await.unwrap().e_tag().unwrap().to_owned();
    bucket.with_faults(|f| f.opaque_etags = false);
    assert_eq!(code(get().if_match(etag).send().await).1, 412);
}

#[tokio::test]
async fn requests_are_refused_when_asked_and_seen_before() {
    let fixture = Fixture::new();
    fixture.bucket.put("k", "1");
    let client = fixture.client(READER);
    let get = async || code(client.get_object().bucket("backups").key("k").send().await);
    for (refusal, expected, status) in [
        (Refusal::SlowDown, "SlowDown", 503),
        (Refusal::TooManyRequests, "TooManyRequests", 429),
        (Refusal::InternalError, "InternalError", 500),
        (Refusal::AccessDenied, "AccessDenied", 403),
    ] {
        let fault = Fault::new(refusal).times(1).on(|key| key == "k");
        fixture.bucket.with_faults(|f| f.refuse = Some(fault));
        page(&client, 1, None).await;
        assert_eq!(get().await, (expected.to_owned(), status));
        let again = client.get_object().bucket("backups").key("k");
        again.send().await.unwrap();
    }
    let bucket = fixture.bucket.clone();
    let hook = move |operation: &str, key: Option<&str>| {
        if (operation, key) == ("GetObject", Some("k")) {
            bucket.put("k", "changed meanwhile");
        }
    };
    fixture
        .bucket
        .with_faults(|f| f.on_request = Some(Arc::new(hook)));
    let answer = client.get_object().bucket("backups").key("k");
    assert_eq!(
        bytes(answer.send().await.unwrap()).await,
        b"changed meanwhile"
    );
    fixture.bucket.with_faults(|f| *f = Faults::default());
}

#[tokio::test]
async fn listings_lie_when_asked() {
    let fixture = Fixture::new();
    let bucket = &fixture.bucket;
    for key in ["a", "b", "c", "d", "e"] {
        bucket.put(key, key);
    }
    let client = fixture.client(READER);
    bucket.with_faults(|f| f.hide = Some(Arc::new(|key| key == "b")));
    assert_eq!(list(&client, 2).await.0, ["a", "c", "d", "e"]);
    let request = client.head_object().bucket("backups").key("b");
    request.send().await.unwrap();
    bucket.with_faults(|f| {
        *f = Faults {
            paging: Paging::SameToken,
            ..Default::default()
        }
    });
    let first = page(&client, 2, None)
        .await
        .next_continuation_token
        .unwrap();
    for _ in 0..2 {
        let next = page(&client, 2, Some(first.clone())).await;
        assert_eq!(keys(&next), ["c", "d"]);
        assert_eq!(next.next_continuation_token(), Some(first.as_str()));
    }
    bucket.with_faults(|f| f.paging = Paging::SamePage);
    let first = page(&client, 2, None).await;
    let second = page(&client, 2, first.next_continuation_token.clone()).await;
    assert_eq!(keys(&second), keys(&first));
    assert_ne!(
        second.next_continuation_token,
        first.next_continuation_token
    );
    bucket.with_faults(|f| f.paging = Paging::NoToken);
    let page = page(&client, 2, None).await;
    assert_eq!(
        (page.is_truncated(), page.next_continuation_token()),
        (Some(true), None)
    );
    let request = client.list_object_versions().bucket("backups").max_keys(2);
    let page = request.send().await.unwrap();
    assert_eq!(
        (page.is_truncated(), page.next_key_marker()),
        (Some(true), None)
    );
    let millis = |page: &ListObjectsV2Output| {
        page.contents()[0]
            .last_modified()
            .unwrap()
            .to_millis()
            .unwrap()
            % 1000
    };
    let shown = client
        .list_objects_v2()
        .bucket("backups")
        .send()
        .await
        .unwrap();
    assert_eq!(millis(&shown), 0);
    bucket.with_faults(|f| f.milliseconds = true);
    let shown = client
        .list_objects_v2()
        .bucket("backups")
        .send()
        .await
        .unwrap();
    assert_eq!(millis(&shown), 567);
}

#[test]
fn the_port_is_free_again_once_the_server_is_dropped() {
    let fixture = Fixture::new();
    let endpoint = fixture.server.endpoint();
    let port: u16 = endpoint.rsplit_once(':').unwrap().1.parse().unwrap();
    let taken = Server::start(vec![], Some(port));
    assert!(taken.is_err_and(|error| error.way_out().is_some()));
    drop(fixture);
    Server::start(vec![], Some(port)).unwrap();
}
