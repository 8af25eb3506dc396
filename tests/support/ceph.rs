//! Ceph with its S3 gateway, what DigitalOcean Spaces, Binero, Hetzner and many others run: one
//! monitor, one OSD that keeps its objects in memory, one radosgw. Started for one test process
//! in a second or two, and gone with it.

use super::bucket::{Bucket, Keys};
use super::keeper::{Keeper, free_ports, get, last_lines};
use super::tools;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A user, who may do everything with buckets of its own.
pub const ADMIN: Keys = Keys::of("testadmin", "test-admin-secret-00000");
/// The user's subuser with `access=read`: what these providers call a read-only key.
pub const READ_ONLY: Keys = Keys::of("testreader", "test-reader-secret-0000");
/// A user who may do nothing but what a bucket's policy allows to `offsite-pi`.
pub const PI: Keys = Keys::of("testpi", "test-pi-secret-000000000");
/// And one, `offsite-uploader`.
pub const UPLOADER: Keys = Keys::of("testuploader", "test-uploader-secret-000");

/// How long a start may take on a slow and busy machine.
const START: Duration = Duration::from_secs(90);

/// A running cluster.
pub struct Ceph {
    port: u16,
    /// The gateway first: dropped in this order, none misses the one it talks to.
    _keepers: [Keeper; 3],
}

impl Ceph {
    /// The cluster that the tests of this process share. A static is never dropped; the end of
    /// the process ends its servers.
    pub fn shared() -> &'static Ceph {
        static SHARED: OnceLock<Ceph> = OnceLock::new();
        SHARED.get_or_init(Ceph::start)
    }

    fn start() -> Ceph {
        let programs = Programs {
            root: tools::tool("ceph"),
        };
        let mut problem = String::new();
        // A port that was free may be taken by someone else before a server has it.
        for _ in 0..3 {
            match Self::attempt(&programs) {
                Ok(ceph) => {
                    tools::say(&format!("server: Ceph RGW {} ran", programs.version()));
                    return ceph;
                }
                Err(e) => problem = e,
            }
        }
        panic!("Ceph does not start: {problem}");
    }

    /// Where its gateway answers.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A new, empty bucket, seen with the admin's keys; its name starts with `label`.
    pub fn fresh_bucket(&self, label: &str) -> Bucket {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("{label}-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let bucket = Bucket::at(&self.endpoint(), ADMIN, &name);
        bucket.create();
        bucket
    }

    fn attempt(programs: &Programs) -> Result<Ceph, String> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("ceph-{}-{count}", std::process::id());
        let folder = tools::folder().join("run").join(name);
        for sub in ["mon", "osd", "rgw"] {
            std::fs::create_dir_all(folder.join(sub)).unwrap();
        }
        let [mon, mon_v1, port] = free_ports();
        let monitor = format!("[v2:127.0.0.1:{mon},v1:127.0.0.1:{mon_v1}]");
        let config = programs.configuration(&folder, &monitor, port);
        std::fs::write(folder.join("ceph.conf"), config).unwrap();
        let at = Cluster { programs, folder };
        // A map of one OSD, given to the monitor from the start, spares telling it of one later.
        at.run(&[
            "monmaptool",
            "--create",
            "--fsid",
            FSID,
            "--addv",
            "a",
            &monitor,
            "monmap",
        ])?;
        at.run(&["osdmaptool", "--createsimple", "1", "osdmap"])?;
        at.run(&[
            "ceph-mon", "--mkfs", "-i", "a", "--monmap", "monmap", "--osdmap", "osdmap",
        ])?;
        // The monitor's keeper has the whole folder, and is the last to be dropped.
        let monitor = at.keep(&["ceph-mon", "-f", "-i", "a"], "");
        at.run(&["ceph-osd", "--mkfs", "-i", "0", "--osd-uuid", OSD])?;
        let osd = at.keep(&["ceph-osd", "-f", "-i", "0"], "osd");
        let gateway = at.keep(&["radosgw", "-f", "-n", "client.rgw"], "rgw");
        let mut keepers = [gateway, osd, monitor];
        // Readable to the end, though the keeper removes the folder.
        let mut log = File::open(at.folder.join("log")).unwrap();
        let begin = Instant::now();
        while get(port, "/").is_none() {
            if keepers.iter_mut().any(Keeper::ended) || begin.elapsed() > START {
                return Err(last_lines(&mut log));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        at.make_users()?;
        Ok(Ceph {
            port,
            _keepers: keepers,
        })
    }
}

const FSID: &str = "0b6f1c54-5f0e-4f3a-9d3a-1f0c5e0f6f5d";
const OSD: &str = "6c1f39a0-0a53-4c9e-8a57-6f3f2a3b5a11";

/// Ceph's programs, as they were unpacked.
struct Programs {
    root: PathBuf,
}

impl Programs {
    fn libraries(&self) -> PathBuf {
        let of_this_machine = format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH);
        self.root.join(of_this_machine)
    }

    fn command(&self, name: &str) -> Command {
        let (libraries, root) = (self.libraries(), self.root.display());
        let arch = std::env::consts::ARCH;
        let mut command = Command::new(self.root.join("usr/bin").join(name));
        command.env(
            "LD_LIBRARY_PATH",
            format!(
                "{0}:{0}/ceph:{root}/lib/{arch}-linux-gnu",
                libraries.display()
            ),
        );
        command
    }

    fn version(&self) -> String {
        let told = self.command("ceph-mon").arg("--version").output().unwrap();
        let told = String::from_utf8_lossy(&told.stdout);
        told.split_whitespace().nth(2).unwrap_or(&told).to_owned()
    }

    /// Everything within `folder`, on loopback, one copy of each object, nobody asked who he is
    /// but by the gateway; changes to the cluster's maps, of which each new pool is some, are
    /// agreed on at once and not once a second.
    fn configuration(&self, folder: &Path, monitor: &str, port: u16) -> String {
        let (folder, libraries) = (folder.display(), self.libraries());
        let libraries = libraries.display();
        format!(
            "[global]
            fsid = {FSID}
            mon_host = {monitor}
            public_addr = 127.0.0.1
            cluster_addr = 127.0.0.1
            ms_bind_ipv6 = false
            auth_cluster_required = none
            auth_service_required = none
            auth_client_required = none
            ms_mon_client_mode = crc
            keyring = /dev/null
            client_mount_timeout = 60
            run_dir = {folder}
            crash_dir = {folder}
            admin_socket =
            log_file = /dev/null
            log_to_stderr = true
            err_to_stderr = true
            mon_cluster_log_to_file = false
            clog_to_monitors = false
            plugin_dir = {libraries}/ceph
            erasure_code_dir = {libraries}/ceph/erasure-code
            osd_class_dir = {libraries}/rados-classes
            osd_pool_default_size = 1
            osd_pool_default_min_size = 1
            osd_pool_default_pg_num = 1
            osd_pool_default_pgp_num = 1
            osd_pool_default_pg_autoscale_mode = off
            osd_crush_chooseleaf_type = 0
            osd_crush_update_on_start = false
            mon_allow_pool_size_one = true
            mon_max_pg_per_osd = 1000
            mon_data = {folder}/mon
            mon_data_avail_crit = -1
            paxos_propose_interval = 0.02
            paxos_min_wait = 0.01
            osd_data = {folder}/osd
            osd_objectstore = memstore
            rgw_data = {folder}/rgw
            rgw_frontends = beast endpoint=127.0.0.1:{port}
            "
        )
        .replace("            ", "")
    }
}

/// A cluster's folder and its programs.
struct Cluster<'a> {
    programs: &'a Programs,
    folder: PathBuf,
}

impl Cluster<'_> {
    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.programs.command(words[0]);
        command
            .args(&words[1..])
            .env("CEPH_CONF", self.folder.join("ceph.conf"))
            .current_dir(&self.folder);
        command
    }

    /// One of the programs, run to its end.
    fn run(&self, words: &[&str]) -> Result<(), String> {
        let done = self.command(words).stdin(Stdio::null()).output().unwrap();
        match done.status.success() {
            true => Ok(()),
            false => Err(format!(
                "{words:?}: {}\n{}",
                done.status,
                String::from_utf8_lossy(&done.stderr)
            )),
        }
    }

    /// One of the servers; `sub` of the cluster's folder goes with it.
    fn keep(&self, words: &[&str], sub: &str) -> Keeper {
        let log = File::options()
            .append(true)
            .create(true)
            .open(self.folder.join("log"))
            .unwrap();
        Keeper::start(&self.command(words), &self.folder.join(sub), "", &log)
    }

    fn make_users(&self) -> Result<(), String> {
        let key = |keys: Keys| {
            [
                format!("--access-key={}", keys.id),
                format!("--secret={}", keys.secret),
            ]
        };
        for (name, keys) in [
            ("owner", ADMIN),
            ("offsite-pi", PI),
            ("offsite-uploader", UPLOADER),
        ] {
            let [id, secret] = key(keys);
            let (uid, called) = (format!("--uid={name}"), format!("--display-name={name}"));
            let user = [
                "radosgw-admin",
                "user",
                "create",
                &uid,
                &called,
                &id,
                &secret,
            ];
            self.run(&user)?;
        }
        let [id, secret] = key(READ_ONLY);
        let sub = [
            "--uid=owner",
            "--subuser=owner:reader",
            "--access=read",
            "--key-type=s3",
            &id,
            &secret,
        ];
        self.run(&[&["radosgw-admin", "subuser", "create"], &sub[..]].concat())
    }
}
