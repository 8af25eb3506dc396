//! The contract's ground: a bucket on one of the servers, its owner's hands, and a list of every
//! request that the program's side sends to it.

use crate::support::bucket::Told;
use crate::support::{
    self, Ceph, FaultProxy, Garage, Home, Keys, Moto, Seaweed, ceph, garage, proxy, seaweedfs,
};
use crate::table::Running;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType};
use offsite::bucket::{Bucket, Tuning};
use offsite::config::Config;
use offsite::credentials::Credentials;
use offsite::demo::bucket::{self as embedded, Checksum, READER, Versioning, WRITER};
use offsite::object::{BucketLock, Clock, Lock};
use std::collections::BTreeMap;
use std::time::Duration;

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Server {
    Embedded,
    Seaweed,
    Moto,
    Ceph,
    Garage,
}

impl Server {
    pub const ALL: [Self; 5] = [
        Self::Embedded,
        Self::Seaweed,
        Self::Moto,
        Self::Ceph,
        Self::Garage,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Seaweed => "SeaweedFS",
            Self::Moto => "moto",
            Self::Ceph => "Ceph RGW",
            Self::Garage => "Garage",
        }
    }

    /// Whether this run does without it.
    pub fn left_out(self) -> bool {
        match self {
            Self::Embedded => false,
            Self::Seaweed => cfg!(without_seaweedfs),
            Self::Moto => cfg!(without_moto),
            Self::Ceph => cfg!(without_ceph),
            Self::Garage => cfg!(without_garage),
        }
    }

    /// The cases that it can have.
    pub fn cases(self) -> impl Iterator<Item = &'static str> {
        let versions = match self {
            Self::Garage => &[],
            _ => crate::WITH_VERSIONS,
        };
        crate::EVERYWHERE.iter().chain(versions).copied()
    }
}

/// How many requests there were, by the operation's name in the S3 API.
pub type Requests = BTreeMap<String, u64>;

/// The requests that a case expects.
pub fn requests<const N: usize>(expected: [(&str, u64); N]) -> Requests {
    expected.map(|(name, n)| (name.to_owned(), n)).into()
}

/// A bucket that one case has to itself.
pub struct Ground {
    /// Who answers.
    pub server: Server,
    /// The bucket's name.
    pub name: String,
    /// Where the program is sent.
    pub endpoint: String,
    /// The key that can only read.
    pub reader: Keys,
    owner: support::Bucket,
    side: Side,
}

/// What is different from server to server.
enum Side {
    Embedded {
        bucket: embedded::Bucket,
        _server: embedded::Server,
    },
    /// A server of its own. The owner has a straight line; the program goes through a proxy that
    /// notes what it asks.
    Real(FaultProxy),
}

impl Ground {
    pub fn new(server: Server) -> Self {
        match server {
            Server::Embedded => Self::embedded(),
            Server::Seaweed => {
                let owner = Seaweed::shared().fresh_bucket("contract");
                Self::real(server, owner, seaweedfs::READ_ONLY)
            }
            Server::Moto => {
                let moto = Moto::shared();
                Self::real(server, moto.fresh_bucket("contract"), moto.read_only)
            }
            Server::Ceph => {
                let owner = Ceph::shared().fresh_bucket("contract");
                Self::real(server, owner, ceph::READ_ONLY)
            }
            Server::Garage => {
                let owner = Garage::shared().fresh_bucket("contract");
                Self::real(server, owner, garage::READ_ONLY)
            }
        }
    }

    fn embedded() -> Self {
        let bucket = embedded::Bucket::new("contract", Clock::System);
        let server = embedded::Server::start(vec![bucket.clone()], None).unwrap();
        let writer = Keys::of(WRITER.id, WRITER.secret);
        Self {
            server: Server::Embedded,
            name: bucket.name().to_owned(),
            endpoint: server.endpoint(),
            reader: Keys::of(READER.id, READER.secret),
            owner: support::Bucket::at(&server.endpoint(), writer, bucket.name()),
            side: Side::Embedded {
                bucket,
                _server: server,
            },
        }
    }

    fn real(server: Server, owner: support::Bucket, reader: Keys) -> Self {
        let proxy = FaultProxy::start(&owner.endpoint);
        Self {
            server,
            name: owner.name.clone(),
            endpoint: proxy.endpoint(),
            reader,
            owner,
            side: Side::Real(proxy),
        }
    }

    /// Stores an object; the answer is its version id, if it got one.
    pub fn put(&self, key: &str, bytes: &[u8]) -> Option<String> {
        match &self.side {
            Side::Embedded { bucket, .. } => bucket.put(key, bytes),
            Side::Real(_) => self.owner.put(key, bytes),
        }
    }

    /// Stores an object in parts.
    pub fn put_parts(&self, key: &str, bytes: &[u8], part_size: usize) {
        match &self.side {
            Side::Embedded { bucket, .. } => {
                let options = embedded::PutOptions {
                    part_size: Some(part_size),
                    ..Default::default()
                };
                bucket.put_with(key, bytes, options);
            }
            Side::Real(_) => drop(self.owner.put_multipart(key, bytes, part_size)),
        }
    }

    /// Stores an object with a checksum that the server may keep.
    pub fn put_with_checksum(&self, key: &str, bytes: &[u8], checksum: Checksum) {
        match &self.side {
            Side::Embedded { bucket, .. } => {
                let options = embedded::PutOptions {
                    checksum: Some(checksum),
                    ..Default::default()
                };
                drop(bucket.put_with(key, bytes, options));
            }
            Side::Real(_) => {
                let algorithm = checksum.as_str().into();
                drop(self.owner.put_with_checksum(key, bytes, algorithm));
            }
        }
    }

    /// Stores an object in parts with a CRC-32C over all of it; without, where the server refuses
    /// that (Garage).
    pub fn put_parts_with_crc32c(&self, key: &str, bytes: &[u8], part_size: usize) {
        match &self.side {
            Side::Embedded { bucket, .. } => {
                let options = embedded::PutOptions {
                    checksum: Some(Checksum::Crc32c),
                    full_object: true,
                    part_size: Some(part_size),
                    ..Default::default()
                };
                drop(bucket.put_with(key, bytes, options));
            }
            Side::Real(_) => {
                let checksum = Some((ChecksumAlgorithm::Crc32C, ChecksumType::FullObject));
                if (self.owner)
                    .put_in_parts(key, bytes, part_size, checksum)
                    .is_err()
                {
                    self.put_parts(key, bytes, part_size);
                }
            }
        }
    }

    /// Stores bytes until the listing gives another time for them than `before`: some listings
    /// tell whole seconds only.
    pub fn put_later(&self, key: &str, bytes: &[u8], before: &Told) {
        self.put(key, bytes);
        while self.told()[key] == before[key] {
            std::thread::sleep(Duration::from_millis(100));
            self.put(key, bytes);
        }
    }

    /// Deletes an object; the answer is the delete marker's version id, if there is one.
    pub fn delete(&self, key: &str) -> Option<String> {
        match &self.side {
            Side::Embedded { bucket, .. } => bucket.delete(key),
            Side::Real(_) => self.owner.delete(key),
        }
    }

    /// Removes one version for good.
    pub fn delete_version(&self, key: &str, id: &str) {
        match &self.side {
            Side::Embedded { bucket, .. } => assert!(bucket.delete_version(key, id)),
            Side::Real(_) => self.owner.delete_version(key, id),
        }
    }

    pub fn enable_versioning(&self) {
        match &self.side {
            Side::Embedded { bucket, .. } => bucket.set_versioning(Versioning::Enabled),
            Side::Real(_) => self.owner.enable_versioning(),
        }
    }

    /// A bucket beside this one, whose versions can be locked.
    pub fn with_locks(&self) -> Self {
        match &self.side {
            Side::Embedded { .. } => {
                let ground = Self::embedded();
                if let Side::Embedded { bucket, .. } = &ground.side {
                    bucket.set_object_lock(BucketLock {
                        on: true,
                        default: None,
                    });
                }
                ground
            }
            Side::Real(_) => {
                let owner = self.owner.beside_with_locks();
                Self::real(self.server, owner, self.reader)
            }
        }
    }

    /// Stores an object under a lock; the answer is its version id.
    pub fn put_locked(&self, key: &str, bytes: &[u8], lock: Lock) -> String {
        self.owner.put_locked(key, bytes, lock)
    }

    /// Changes a version's lock with every right that there is, those included that nobody has.
    pub fn relock(&self, key: &str, id: &str, lock: Lock) {
        match &self.side {
            Side::Embedded { bucket, .. } => assert!(bucket.set_lock(key, id, Some(lock))),
            Side::Real(_) => self.owner.relock(key, id, lock),
        }
    }

    /// Removes one version for good, unless its lock forbids it.
    pub fn try_delete_version(&self, key: &str, id: &str) -> Result<(), support::Refused> {
        self.owner.try_delete_version(key, id, false)
    }

    /// Removes a version for good in spite of its lock.
    pub fn force_delete_version(&self, key: &str, id: &str) {
        self.owner.try_delete_version(key, id, true).unwrap();
    }

    /// The bucket as its listing shows it to its owner.
    pub fn told(&self) -> Told {
        self.owner.told()
    }

    /// The same bucket as the owner's own client sees it through the key that can only read.
    pub fn as_reader(&self) -> support::Bucket {
        support::Bucket::at(&self.endpoint, self.reader, &self.name)
    }

    /// What `work` came to, and what the server was asked meanwhile by the program's side.
    pub fn watch<T>(&self, work: impl FnOnce() -> T) -> (T, Requests) {
        match &self.side {
            Side::Embedded { bucket, .. } => {
                bucket.reset_requests();
                (work(), bucket.requests())
            }
            Side::Real(proxy) => {
                let before = proxy.requests().len();
                let result = work();
                let mut seen = Requests::new();
                for request in proxy.requests().into_iter().skip(before) {
                    *seen.entry(operation(&request)).or_default() += 1;
                }
                (result, seen)
            }
        }
    }

    /// What the library's client answers to `ask`, and the requests that this took, of which the
    /// client must have counted every one.
    pub fn ask<T>(&self, tuning: Tuning, ask: impl AsyncFnOnce(&Bucket) -> T) -> (T, Requests) {
        let client = self.client(&self.name, self.reader, tuning);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let (answer, seen) = self.watch(|| runtime.block_on(ask(&client)));
        let counted = client.requests();
        assert_eq!(counted, seen.values().sum::<u64>(), "the client's count");
        (answer, seen)
    }

    /// The library's client for any bucket and key at this server.
    pub fn client(&self, bucket: &str, keys: Keys, tuning: Tuning) -> Bucket {
        let endpoint = &self.endpoint;
        let text = format!(
            "[store]\npath = \"/nowhere\"\n\
             [[source]]\nname = \"www\"\nbucket = \"{bucket}\"\nendpoint = \"{endpoint}\"\n"
        );
        let config = Config::parse(&text).unwrap();
        let credentials = Credentials::given(keys.id, keys.secret);
        Bucket::new(&config.sources[0], &credentials, tuning).unwrap()
    }

    /// A home whose only source, `www`, is this bucket.
    pub fn home(&self) -> Home {
        let home = Home::new().with_keys(self.reader);
        home.init("www", &self.name, &self.endpoint);
        home
    }
}

/// The operation's name in the S3 API, as far as a reader's requests go.
fn operation(request: &proxy::Request) -> String {
    let (path, query) = request
        .target
        .split_once('?')
        .unwrap_or((&request.target, ""));
    let about_bytes = |pair: &str| {
        matches!(
            pair.split('=').next(),
            Some("" | "x-id" | "versionId" | "partNumber")
        )
    };
    let plain = query.split('&').all(about_bytes);
    let has = |name: &str| {
        query
            .split('&')
            .any(|pair| pair.trim_end_matches('=') == name)
    };
    let in_bucket = path.trim_matches('/').contains('/');
    match request.method.as_str() {
        "GET" if query.contains("list-type=2") => "ListObjectsV2".to_owned(),
        "GET" if !in_bucket && has("versions") => "ListObjectVersions".to_owned(),
        "GET" if !in_bucket && has("versioning") => "GetBucketVersioning".to_owned(),
        "GET" if !in_bucket && has("object-lock") => "GetObjectLockConfiguration".to_owned(),
        "GET" if !in_bucket && has("lifecycle") => "GetBucketLifecycleConfiguration".to_owned(),
        "GET" if in_bucket && plain => "GetObject".to_owned(),
        "HEAD" if in_bucket && plain => "HeadObject".to_owned(),
        method => format!("{method} {}", request.target),
    }
}

/// One case on one server, and a word for the table.
pub fn run(server: Server, case: &'static str, test: fn(&Ground)) {
    let _running = Running { server, case };
    test(&Ground::new(server));
}
