//! SeaweedFS: a real S3 server that is started for one test process and goes with it.

use super::bucket::{Bucket, Keys};
use super::keeper::{Keeper, free_ports, get, last_lines};
use super::tools;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// May do everything.
pub const ADMIN: Keys = Keys::of("testadmin", "test-admin-secret-00000");
/// May read and list, in every bucket.
pub const READ_ONLY: Keys = Keys::of("testreader", "test-reader-secret-0000");
/// May write and nothing else.
pub const WRITE_ONLY: Keys = Keys::of("testwriter", "test-writer-secret-0000");

/// How long a start may take on a slow and busy machine.
const START: Duration = Duration::from_secs(90);

/// A running server.
pub struct Seaweed {
    keeper: Keeper,
    port: u16,
    folder: PathBuf,
}

impl Seaweed {
    /// The server that the tests of this process share. A static is never dropped; the end of
    /// the process ends the server.
    pub fn shared() -> &'static Seaweed {
        static SHARED: OnceLock<Seaweed> = OnceLock::new();
        SHARED.get_or_init(Seaweed::start)
    }

    /// A server of one's own, ended when it is dropped.
    pub fn start() -> Seaweed {
        Self::start_with(&[])
    }

    /// As [`Seaweed::start`], with keys beside the usual three: identities as its own
    /// configuration has them.
    pub fn start_with(identities: &[serde_json::Value]) -> Seaweed {
        let weed = tools::tool("seaweedfs");
        let version = tools::first_line(&weed, &["version"]);
        let mut problem = String::new();
        // A port that was free may be taken by someone else before the server has it.
        for _ in 0..3 {
            match Self::attempt(&weed, identities) {
                Ok(server) => {
                    let number = version.split_whitespace().nth(2).unwrap_or(&version);
                    tools::say(&format!("server: SeaweedFS {number} ran"));
                    return server;
                }
                Err(e) => problem = e,
            }
        }
        panic!("SeaweedFS does not start: {problem}");
    }

    /// Where it answers.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Its data and its log, removed at its end.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A new, empty bucket, seen with the admin's keys; its name starts with `label`.
    pub fn fresh_bucket(&self, label: &str) -> Bucket {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("{label}-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let bucket = Bucket::at(&self.endpoint(), ADMIN, &name);
        bucket.create();
        bucket
    }

    fn attempt(weed: &Path, identities: &[serde_json::Value]) -> Result<Seaweed, String> {
        let folder = new_folder(identities);
        let log = folder.join("weed.log");
        let ports = free_ports();
        let output = File::create(&log).unwrap();
        // Readable to the end, though the keeper removes the folder.
        let mut log = File::open(&log).unwrap();
        let mut command = Command::new(weed);
        command
            .args(arguments(ports))
            .env("WEED_MASTER_VOLUME_GROWTH_COPY_1", "1");
        let keeper = Keeper::start(&command, &folder, &grpc_sockets(ports), &output);
        let [master, .., port, _] = ports;
        let mut server = Seaweed {
            keeper,
            port,
            folder,
        };
        let begin = Instant::now();
        while begin.elapsed() < START {
            // The gateway answers before the first volume server has registered: what counts is
            // that a place for bytes can be had.
            if get(master, "/dir/assign").is_some_and(|body| body.contains("\"fid\""))
                && get(port, "/").is_some()
            {
                return Ok(server);
            }
            if server.keeper.ended() {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let waited = begin.elapsed();
        let last = last_lines(&mut log);
        Err(format!("no answer after {waited:?}; its log ends:\n{last}"))
    }
}

/// A folder for one server: data, log and the keys' file.
fn new_folder(more: &[serde_json::Value]) -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = tools::folder()
        .join("run")
        .join(format!("{}-{count}", std::process::id()));
    std::fs::create_dir_all(folder.join("data")).unwrap();
    let identity = |keys: Keys, actions: &[&str]| {
        serde_json::json!({
            "name": keys.id,
            "credentials": [{"accessKey": keys.id, "secretKey": keys.secret}],
            "actions": actions,
        })
    };
    let usual = [
        identity(ADMIN, &["Admin", "Read", "List", "Write", "Tagging"]),
        identity(READ_ONLY, &["Read", "List"]),
        identity(WRITE_ONLY, &["Write"]),
    ];
    let identities: Vec<_> = usual.iter().chain(more).collect();
    let identities = serde_json::json!({"identities": identities});
    std::fs::write(folder.join("s3.json"), identities.to_string()).unwrap();
    folder
}

/// `weed server`: master, volume, filer and S3 in one process, nothing else listening. Each
/// bucket is a collection with volumes of its own, so the number of volumes is set high (or a
/// dozen buckets use them up) and they grow one at a time. The sockets lie in its own folder.
fn arguments(ports: [u16; 8]) -> Vec<String> {
    let [
        master,
        master_grpc,
        volume,
        volume_grpc,
        filer,
        filer_grpc,
        s3,
        s3_grpc,
    ] = ports;
    vec![
        "-logtostderr=true".into(),
        "server".into(),
        "-ip=127.0.0.1".into(),
        "-ip.bind=127.0.0.1".into(),
        "-dir=data".into(),
        format!("-master.port={master}"),
        format!("-master.port.grpc={master_grpc}"),
        "-master.volumeSizeLimitMB=1024".into(),
        "-master.telemetry=false".into(),
        format!("-volume.port={volume}"),
        format!("-volume.port.grpc={volume_grpc}"),
        "-volume.max=4000".into(),
        "-filer".into(),
        format!("-filer.port={filer}"),
        format!("-filer.port.grpc={filer_grpc}"),
        "-filer.localSocket=filer.sock".into(),
        "-s3".into(),
        format!("-s3.port={s3}"),
        format!("-s3.port.grpc={s3_grpc}"),
        "-s3.localSocket=s3.sock".into(),
        "-s3.config=s3.json".into(),
        "-s3.port.iceberg=0".into(),
        "-s3.port.lance=0".into(),
    ]
}

/// Sockets that the server makes in `/tmp`, whatever it is told, and leaves there.
fn grpc_sockets(ports: [u16; 8]) -> String {
    let [_, master, _, volume, _, filer, _, s3] = ports;
    [
        ("master", master),
        ("volume", volume),
        ("filer", filer),
        ("s3", s3),
    ]
    .map(|(name, port)| format!("/tmp/seaweedfs-{name}-grpc-{port}.sock"))
    .join(" ")
}
