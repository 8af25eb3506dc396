//! The embedded bucket on loopback, and a home that pulls from it with the key that only reads.

use super::bucket::Keys;
use super::program::Home;
use offsite::demo::bucket::{Bucket, READER, Server};
use offsite::object::Clock;

/// The source's name, and that of its folder on the drive.
pub const SOURCE: &str = "www";

/// A served bucket and a home with a store for it.
pub struct Embedded {
    pub bucket: Bucket,
    pub home: Home,
    pub server: Server,
}

impl Embedded {
    /// An empty bucket and an empty store.
    pub fn new() -> Self {
        let bucket = Bucket::new("backups", Clock::System);
        let server = Server::start(vec![bucket.clone()], None).unwrap();
        let home = Home::new().with_keys(Keys::of(READER.id, READER.secret));
        home.init(SOURCE, bucket.name(), &server.endpoint());
        Self {
            bucket,
            home,
            server,
        }
    }

    /// The source's folder on the drive.
    pub fn folder(&self) -> std::path::PathBuf {
        self.home.store().join(SOURCE)
    }

    /// How often the bucket was asked for `operation` since the last reset.
    pub fn requests(&self, operation: &str) -> u64 {
        self.bucket.requests().get(operation).copied().unwrap_or(0)
    }
}
