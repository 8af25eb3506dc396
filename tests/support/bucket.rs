//! A bucket on any server, as its owner (or a thief) uses it. Calls block.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{
    BehaviorVersion, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{
    BucketVersioningStatus, ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload,
    CompletedPart, ObjectLockRetention, ObjectLockRetentionMode, VersioningConfiguration,
};
use offsite::object::{Lock, LockMode};

/// The region that every request is signed for.
pub const REGION: &str = "us-east-1";

/// An access key.
#[derive(Clone, Copy, Debug)]
pub struct Keys {
    pub id: &'static str,
    pub secret: &'static str,
}

impl Keys {
    pub const fn of(id: &'static str, secret: &'static str) -> Self {
        Self { id, secret }
    }
}

/// What a listing tells of each key: ETag, size, last-modified in whole seconds.
pub type Told = std::collections::BTreeMap<String, (String, i64, i64)>;

/// What the server said instead of doing it; status 0 when there was no answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused {
    pub status: u16,
    pub code: String,
}

/// A bucket, an access key to it, and a runtime to wait in.
pub struct Bucket {
    pub name: String,
    pub endpoint: String,
    pub client: Client,
    runtime: tokio::runtime::Runtime,
}

impl Bucket {
    /// Sends nothing yet.
    pub fn at(endpoint: &str, keys: Keys, name: &str) -> Self {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(offsite::http::client(None).unwrap())
            .region(Region::new(REGION))
            .endpoint_url(endpoint)
            .force_path_style(true)
            .credentials_provider(Credentials::new(keys.id, keys.secret, None, None, "test"))
            // No digest that a test did not ask for.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .build();
        Self {
            name: name.to_owned(),
            endpoint: endpoint.to_owned(),
            client: Client::from_conf(config),
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap(),
        }
    }

    /// The same bucket through another access key.
    pub fn with_keys(&self, keys: Keys) -> Self {
        Self::at(&self.endpoint, keys, &self.name)
    }

    /// Waits for any request on `self.client` that has no method here.
    pub fn wait<F: Future>(&self, request: F) -> F::Output {
        self.runtime.block_on(request)
    }

    pub fn create(&self) {
        self.wait(self.client.create_bucket().bucket(&self.name).send())
            .map_err(refused)
            .unwrap();
    }

    /// A new bucket beside this one, whose versions can be locked.
    pub fn beside_with_locks(&self) -> Self {
        let other = Self {
            name: format!("{}-locks", self.name),
            endpoint: self.endpoint.clone(),
            client: self.client.clone(),
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap(),
        };
        let request = self.client.create_bucket().bucket(&other.name);
        self.wait(request.object_lock_enabled_for_bucket(true).send())
            .map_err(refused)
            .unwrap();
        other
    }

    /// Stores an object under a lock; the answer is its version id.
    pub fn put_locked(&self, key: &str, bytes: &[u8], lock: Lock) -> String {
        let (mode, until) = told(lock);
        let request = self
            .client
            .put_object()
            .bucket(&self.name)
            .key(key)
            .object_lock_mode(mode.as_str().into())
            .object_lock_retain_until_date(until)
            // S3 asks for a digest of what is put under a lock.
            .checksum_algorithm(ChecksumAlgorithm::Crc32)
            .body(bytes.to_vec().into());
        let put = self.wait(request.send()).map_err(refused).unwrap();
        put.version_id.unwrap()
    }

    /// Changes a version's lock, bypassing governance.
    pub fn relock(&self, key: &str, id: &str, lock: Lock) {
        let (mode, until) = told(lock);
        let retention = ObjectLockRetention::builder()
            .mode(mode)
            .retain_until_date(until)
            .build();
        let request = self
            .client
            .put_object_retention()
            .bucket(&self.name)
            .key(key)
            .version_id(id)
            .retention(retention)
            .bypass_governance_retention(true);
        self.wait(request.send()).map_err(refused).unwrap();
    }

    /// Removes one version for good; whether governance is to be bypassed says `bypass`.
    pub fn try_delete_version(&self, key: &str, id: &str, bypass: bool) -> Result<(), Refused> {
        let request = self
            .client
            .delete_object()
            .bucket(&self.name)
            .key(key)
            .version_id(id)
            .set_bypass_governance_retention(bypass.then_some(true));
        self.wait(request.send()).map(drop).map_err(refused)
    }

    pub fn enable_versioning(&self) {
        self.set_versioning(BucketVersioningStatus::Enabled);
    }

    pub fn suspend_versioning(&self) {
        self.set_versioning(BucketVersioningStatus::Suspended);
    }

    fn set_versioning(&self, status: BucketVersioningStatus) {
        let enabled = VersioningConfiguration::builder().status(status).build();
        let request = self
            .client
            .put_bucket_versioning()
            .bucket(&self.name)
            .versioning_configuration(enabled);
        self.wait(request.send()).map_err(refused).unwrap();
    }

    /// Stores an object; the answer is its version id, if it got one.
    pub fn put(&self, key: &str, bytes: &[u8]) -> Option<String> {
        self.try_put(key, bytes, None).unwrap()
    }

    /// As [`Bucket::put`], with a checksum that the server keeps and tells.
    pub fn put_with_checksum(
        &self,
        key: &str,
        bytes: &[u8],
        algorithm: ChecksumAlgorithm,
    ) -> Option<String> {
        self.try_put(key, bytes, Some(algorithm)).unwrap()
    }

    pub fn try_put(
        &self,
        key: &str,
        bytes: &[u8],
        algorithm: Option<ChecksumAlgorithm>,
    ) -> Result<Option<String>, Refused> {
        let request = self
            .client
            .put_object()
            .bucket(&self.name)
            .key(key)
            .set_checksum_algorithm(algorithm)
            .body(bytes.to_vec().into());
        let put = self.wait(request.send()).map_err(refused)?;
        Ok(put.version_id)
    }

    /// Stores an object in parts of `part_size` bytes, of which servers want at least 5 MiB
    /// (the last may be smaller).
    pub fn put_multipart(&self, key: &str, bytes: &[u8], part_size: usize) -> Option<String> {
        self.put_in_parts(key, bytes, part_size, None).unwrap()
    }

    /// As [`Bucket::put_multipart`], with a checksum of each part or of the whole.
    pub fn put_in_parts(
        &self,
        key: &str,
        bytes: &[u8],
        part_size: usize,
        checksum: Option<(ChecksumAlgorithm, ChecksumType)>,
    ) -> Result<Option<String>, Refused> {
        let (algorithm, kind) = checksum.unzip();
        let (client, bucket) = (&self.client, &self.name);
        self.wait(async {
            let upload = client
                .create_multipart_upload()
                .bucket(bucket)
                .key(key)
                .set_checksum_algorithm(algorithm.clone())
                .set_checksum_type(kind.clone())
                .send()
                .await
                .map_err(refused)?;
            let id = upload.upload_id.unwrap();
            let mut parts = Vec::new();
            for (number, part) in (1..).zip(bytes.chunks(part_size)) {
                let sent = client
                    .upload_part()
                    .bucket(bucket)
                    .key(key)
                    .upload_id(&id)
                    .part_number(number)
                    .set_checksum_algorithm(algorithm.clone())
                    .body(part.to_vec().into())
                    .send()
                    .await
                    .map_err(refused)?;
                let part = CompletedPart::builder().part_number(number);
                let part = part.set_checksum_crc32_c(sent.checksum_crc32_c);
                parts.push(part.set_e_tag(sent.e_tag).build());
            }
            let parts = CompletedMultipartUpload::builder().set_parts(Some(parts));
            let done = client
                .complete_multipart_upload()
                .bucket(bucket)
                .key(key)
                .upload_id(&id)
                .set_checksum_type(kind)
                .multipart_upload(parts.build())
                .send()
                .await
                .map_err(refused)?;
            Ok(done.version_id)
        })
    }

    pub fn get(&self, key: &str) -> Result<Vec<u8>, Refused> {
        let request = self.client.get_object().bucket(&self.name).key(key);
        self.wait(async {
            let answer = request.send().await.map_err(refused)?;
            let body = answer.body.collect().await.map_err(|e| Refused {
                status: 0,
                code: format!("{e:?}"),
            })?;
            Ok(body.to_vec())
        })
    }

    /// Deletes an object; the answer is the delete marker's version id, if there is one.
    pub fn delete(&self, key: &str) -> Option<String> {
        let request = self.client.delete_object().bucket(&self.name).key(key);
        let gone = self.wait(request.send()).map_err(refused).unwrap();
        gone.version_id
    }

    /// Removes one version for good.
    pub fn delete_version(&self, key: &str, id: &str) {
        let request = self.client.delete_object().bucket(&self.name).key(key);
        self.wait(request.version_id(id).send())
            .map_err(refused)
            .unwrap();
    }

    /// The ids of a key's versions, newest first; its listing must fit into one page.
    pub fn version_ids(&self, key: &str) -> Vec<String> {
        let request = self.client.list_object_versions().bucket(&self.name);
        let listed = self.wait(request.prefix(key).send()).map_err(refused);
        let listed = listed.unwrap();
        assert_ne!(listed.is_truncated(), Some(true));
        let versions = listed.versions.unwrap_or_default().into_iter();
        versions
            .filter(|version| version.key() == Some(key))
            .filter_map(|version| version.version_id)
            .collect()
    }

    /// All keys, in the server's order.
    pub fn list(&self) -> Result<Vec<String>, Refused> {
        let request = self.client.list_objects_v2().bucket(&self.name);
        let mut pages = request.into_paginator().send();
        self.wait(async {
            let mut keys = Vec::new();
            while let Some(page) = pages.next().await {
                let contents = page.map_err(refused)?.contents.unwrap_or_default();
                keys.extend(contents.into_iter().filter_map(|object| object.key));
            }
            Ok(keys)
        })
    }

    /// The bucket as its listing shows it: what no pull may change.
    pub fn told(&self) -> Told {
        let request = self.client.list_objects_v2().bucket(&self.name);
        let mut pages = request.into_paginator().send();
        self.wait(async {
            let mut told = Told::new();
            while let Some(page) = pages.next().await {
                let contents = page.map_err(refused).unwrap().contents;
                for object in contents.unwrap_or_default() {
                    let etag = object.e_tag.unwrap().trim_matches('"').to_owned();
                    let at = object.last_modified.unwrap().secs();
                    told.insert(object.key.unwrap(), (etag, object.size.unwrap(), at));
                }
            }
            told
        })
    }
}

/// A lock as the SDK has it.
fn told(lock: Lock) -> (ObjectLockRetentionMode, DateTime) {
    let retention = lock.retention.unwrap();
    let mode = match retention.mode {
        LockMode::Governance => ObjectLockRetentionMode::Governance,
        LockMode::Compliance => ObjectLockRetentionMode::Compliance,
    };
    (mode, DateTime::from_secs(retention.until.as_second()))
}

fn refused<E: ProvideErrorMetadata + std::fmt::Debug>(error: SdkError<E>) -> Refused {
    let status = error.raw_response().map_or(0, |r| r.status().as_u16());
    let code = error.code().map(str::to_owned);
    Refused {
        status,
        code: code.unwrap_or_else(|| format!("{error:?}")),
    }
}
