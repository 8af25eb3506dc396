//! Garage: one node, its metadata in SQLite. Started for one test process and gone with it.

use super::bucket::{Bucket, Keys};
use super::keeper::{Keeper, free_ports, get, last_lines};
use super::tools;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Owns the buckets that it makes.
pub const ADMIN: Keys = Keys::of(
    "GK0000000000000000000000a1",
    "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1",
);
/// May read the buckets of [`Garage::fresh_bucket`].
pub const READ_ONLY: Keys = Keys::of(
    "GK0000000000000000000000b2",
    "b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2",
);

/// How long a start may take on a slow and busy machine.
const START: Duration = Duration::from_secs(90);

/// A running node.
pub struct Garage {
    program: PathBuf,
    config: PathBuf,
    port: u16,
    _keeper: Keeper,
}

impl Garage {
    /// The node that the tests of this process share.
    pub fn shared() -> &'static Garage {
        static SHARED: OnceLock<Garage> = OnceLock::new();
        SHARED.get_or_init(Garage::start)
    }

    fn start() -> Garage {
        let program = tools::tool("garage");
        let version = tools::first_line(&program, &["--version"]);
        let mut problem = String::new();
        // A port that was free may be taken by someone else before the server has it.
        for _ in 0..3 {
            match Self::attempt(program.clone()) {
                Ok(garage) => {
                    let number = version.split([' ', ':']).nth(2).unwrap_or(&version);
                    tools::say(&format!("server: Garage {number} ran"));
                    return garage;
                }
                Err(e) => problem = e,
            }
        }
        panic!("Garage does not start: {problem}");
    }

    /// A new, empty bucket that [`READ_ONLY`] may read, seen with the admin's key.
    pub fn fresh_bucket(&self, label: &str) -> Bucket {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("{label}-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let made: Result<(), String> = [
            &["bucket", "create", &name][..],
            &[
                "bucket", "allow", "--owner", "--read", "--write", "--key", ADMIN.id, &name,
            ],
            &["bucket", "allow", "--read", "--key", READ_ONLY.id, &name],
        ]
        .iter()
        .try_for_each(|words| self.run(words).map(drop));
        made.unwrap();
        Bucket::at(&format!("http://127.0.0.1:{}", self.port), ADMIN, &name)
    }

    fn attempt(program: PathBuf) -> Result<Garage, String> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("garage-{}-{count}", std::process::id());
        let folder = tools::folder().join("run").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let [rpc, port] = free_ports();
        let config = folder.join("garage.toml");
        std::fs::write(&config, configuration(rpc, port)).unwrap();
        let output = File::create(folder.join("log")).unwrap();
        // Readable to the end, though the keeper removes the folder.
        let mut log = File::open(folder.join("log")).unwrap();
        let mut command = Command::new(&program);
        command
            .arg("server")
            .env("GARAGE_CONFIG_FILE", &config)
            .env("RUST_LOG", "warn");
        let mut keeper = Keeper::start(&command, &folder, "", &output);
        let begin = Instant::now();
        while get(port, "/").is_none() {
            if keeper.ended() || begin.elapsed() > START {
                return Err(last_lines(&mut log));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let garage = Garage {
            program,
            config,
            port,
            _keeper: keeper,
        };
        garage.make_layout_and_keys()?;
        Ok(garage)
    }

    fn make_layout_and_keys(&self) -> Result<(), String> {
        let node = self.run(&["node", "id", "-q"])?;
        let id = node.split('@').next().unwrap_or_default().trim();
        self.run(&["layout", "assign", "-z", "home", "-c", "10G", id])?;
        self.run(&["layout", "apply", "--version", "1"])?;
        for keys in [ADMIN, READ_ONLY] {
            self.run(&["key", "import", "--yes", keys.id, keys.secret])?;
        }
        Ok(())
    }

    /// What the command line of the node answers.
    fn run(&self, words: &[&str]) -> Result<String, String> {
        let done = Command::new(&self.program)
            .args(words)
            .env("GARAGE_CONFIG_FILE", &self.config)
            .env("RUST_LOG", "warn")
            // The paths in the configuration begin there.
            .current_dir(self.config.parent().unwrap())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        match done.status.success() {
            true => Ok(String::from_utf8_lossy(&done.stdout).into_owned()),
            false => Err(format!(
                "{words:?}: {}\n{}",
                done.status,
                String::from_utf8_lossy(&done.stderr)
            )),
        }
    }
}

/// Everything within the folder that the server is started in, and on loopback.
fn configuration(rpc: u16, port: u16) -> String {
    let region = super::bucket::REGION;
    let secret = "07".repeat(32);
    format!(
        r#"metadata_dir = "meta"
data_dir = "data"
db_engine = "sqlite"
replication_factor = 1
rpc_bind_addr = "127.0.0.1:{rpc}"
rpc_public_addr = "127.0.0.1:{rpc}"
rpc_secret = "{secret}"
[s3_api]
s3_region = "{region}"
api_bind_addr = "127.0.0.1:{port}"
"#
    )
}
