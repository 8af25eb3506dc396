//! A store and its pulls, from a bucket of the program's own.

use offsite::bucket::{Bucket as Client, Tuning};
use offsite::config::{
    Addressing, Demands, Encryption, Filter, LimitsConfig, SourceConfig, StoreConfig, Versions,
};
use offsite::credentials::Credentials;
use offsite::demo::bucket::READER;
use offsite::home::probe_sqlite;
use offsite::object::{Clock, KeyPrint, SourceName, Timestamp};
use offsite::outcome::{Silent, Stop};
use offsite::pull::Pull;
use offsite::store::{InitOptions, Store};
use std::path::Path;
use std::sync::Arc;

/// What the bucket is called.
pub(crate) const BUCKET: &str = "backups";

/// Makes a store.
pub(crate) fn init(path: &Path, now: Timestamp) {
    let options = InitOptions {
        allow_root_fs: true,
        now,
        probe_sqlite: &probe_sqlite,
    };
    Store::init(path, &options).unwrap();
}

/// What is configured of it.
pub(crate) fn store(path: &Path) -> StoreConfig {
    StoreConfig {
        path: path.to_owned(),
        id: None,
        min_free: 0,
        allow_root_fs: true,
    }
}

/// A pull of the source `b` from the bucket at `endpoint`.
pub(crate) fn pull(endpoint: String, clock: Clock) -> Pull {
    let source = SourceConfig {
        name: SourceName::new("b").unwrap(),
        bucket: BUCKET.to_owned(),
        endpoint: Some(endpoint),
        region: "us-east-1".to_owned(),
        filter: Filter::default(),
        addressing: Addressing::Auto,
        ca_file: None,
        credentials: "env".to_owned(),
        encryption: Encryption::default(),
        versions: Versions::default(),
        demands: Demands::default(),
    };
    let credentials = Credentials::given(READER.id, READER.secret);
    Pull {
        bucket: Client::new(&source, &credentials, Tuning::default()).unwrap(),
        source,
        key: KeyPrint::of(READER.id),
        limits: LimitsConfig::default(),
        clock,
        stop: Stop::default(),
        reporter: Arc::new(Silent),
    }
}
