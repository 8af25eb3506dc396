//! Promise P3 where only a power cut can prove it: what the memory of the computer holds and the
//! drive does not is lost. A virtual machine (`tests/support/vm.rs`) pulls onto an ext4 and an
//! exFAT drive and is ended at random moments; then it starts again, and everything that its
//! catalogues had called stored must be there, byte for byte.
//!
//! What the guest's kernel has handed to its disks is kept, asked to be flushed or not: a disk
//! that loses its own cache is not tried here.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod support;

use fastrand::Rng;
use offsite::demo::bucket::{Bucket, READER, Server};
use offsite::object::Clock;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;
use support::vm::{HOST, Task};
use support::{Home, Keys, REGION, Vm, tools};

const CUTS: usize = 2;

/// The seed of a run that failed goes into this variable.
const SEED: &str = "OFFSITE_TEST_SEED";

/// A drive of the machine with a store on it, and the bucket that it is pulled from.
struct Drive {
    /// The kind of file system.
    kind: &'static str,
    /// Makes it anew on the drive.
    make: &'static str,
    /// What a system does with it before it mounts it.
    repair: &'static str,
    device: &'static str,
    image: PathBuf,
    home: Home,
    bucket: Bucket,
    server: Server,
    /// Every file that was ever called stored: a path or key it had, by the digest of its bytes.
    promised: BTreeMap<String, String>,
    /// How many objects were put.
    put: usize,
}

impl Drive {
    fn new(
        folder: &Path,
        kind: &'static str,
        device: &'static str,
        make: &'static str,
        repair: &'static str,
    ) -> Self {
        let image = folder.join(kind);
        let file = std::fs::File::create(&image).unwrap();
        file.set_len(256 << 20).unwrap();
        let bucket = Bucket::new("backups", Clock::System);
        let server = Server::start(vec![bucket.clone()], None).unwrap();
        Self {
            kind,
            make,
            repair,
            device,
            image,
            home: Home::new().with_keys(Keys::of(READER.id, READER.secret)),
            bucket,
            server,
            promised: BTreeMap::new(),
            put: 0,
        }
    }

    fn at(&self) -> String {
        format!("/mnt/cut-{}", self.kind)
    }

    fn make(&self, vm: &Vm) {
        vm.sh(&format!("{} {} >&2", self.make, self.device));
        self.mount(vm);
        let mut init = self.home.command(["init", "--store", &self.at()]);
        init.args(["--source", "www", "--bucket", "backups", "--region", REGION]);
        let endpoint = self.server.endpoint().replace("127.0.0.1", HOST);
        init.args(["--endpoint", &endpoint, "--allow-http"]);
        vm.run(&init).exits(0);
    }

    /// As a system does it when it starts: repaired (1: there was something to repair), mounted.
    fn mount(&self, vm: &Vm) {
        let (repair, device, at) = (self.repair, self.device, self.at());
        vm.sh(&format!(
            "{repair} {device} >&2 || test $? = 1
            mkdir -p {at}
            mount -t {} {device} {at}",
            self.kind
        ));
    }

    /// New objects, one of them large, and new bytes for one that is there.
    fn change(&mut self, rng: &mut Rng) {
        for number in 0..30 {
            let length = match number {
                0 => 1 << 20,
                _ => rng.usize(1..20_000),
            };
            let key = format!("folder {}/{}", rng.u8(..4), self.put);
            self.bucket.put(&key, bytes(rng, length));
            self.put += 1;
        }
        self.bucket.put("replaced every time", bytes(rng, 5_000));
    }

    fn asked_for(&self) -> u64 {
        let requests = self.bucket.requests();
        requests.get("GetObject").copied().unwrap_or(0)
    }

    /// A pull has said that all is well: what the bucket has now is promised.
    fn promise_all(&mut self) {
        for key in self.bucket.keys() {
            let bytes = self.bucket.get(&key).unwrap();
            let digest = ring::digest::digest(&ring::digest::SHA256, &bytes);
            let sha256 = data_encoding::HEXLOWER.encode(digest.as_ref());
            self.promised.insert(sha256, key);
        }
    }

    /// So is what the catalogue calls stored.
    fn promise_rows(&mut self, vm: &Vm) {
        let ls = vm.run(&self.home.command(["ls", "--json", "--versions"]));
        for row in ls.exits(0).json_lines() {
            let word = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
            if !word("path").is_empty() {
                self.promised.insert(word("sha256"), word("path"));
            }
        }
    }

    /// The machine has started again.
    fn comes_back(&mut self, vm: &Vm, when: &str) {
        self.mount(vm);
        self.keeps_its_promise(vm, when);
        self.succeeds(vm, &["catalogue", "check", "--deep"], when);
        self.promise_rows(vm);
        self.keeps_its_promise(vm, when);
    }

    /// Everything that was ever promised is there, and nothing is in `latest/` with no bytes.
    fn keeps_its_promise(&self, vm: &Vm, when: &str) {
        let there = vm.sh(&format!(
            "cd {}/www; find latest $(ls -d history || :) -type f -exec sha256sum {{}} +; find latest -type f -empty",
            self.at()
        ));
        let there: BTreeSet<&str> = there
            .lines()
            .map(|line| &line[..64.min(line.len())])
            .collect();
        for (sha256, path) in &self.promised {
            assert!(there.contains(sha256.as_str()), "{when}: {path} is lost");
        }
        let short = there.iter().find(|sha256| sha256.len() < 64);
        assert_eq!(short, None, "{when}: a file without bytes");
    }

    /// A pull that goes on, and what the tools find on the drive after it.
    fn is_whole(&mut self, vm: &Vm, when: &str) {
        self.succeeds(vm, &["pull"], when);
        self.promise_all();
        self.keeps_its_promise(vm, when);
        self.succeeds(vm, &["catalogue", "check", "--deep"], when);
        self.succeeds(vm, &["log", "--verify"], when);
        self.succeeds(vm, &["status"], when);
        vm.sh(&format!(
            "cd {}/www; for sums in *SHA256SUMS; do sha256sum --quiet --strict -c $sums; done",
            self.at()
        ));
    }

    fn succeeds(&self, vm: &Vm, args: &[&str], when: &str) {
        let output = vm.run(&self.home.command(args));
        assert_eq!(output.code(), 0, "{when}: {args:?}: {output:?}");
    }
}

fn bytes(rng: &mut Rng, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    rng.fill(&mut bytes);
    bytes
}

#[test]
#[cfg_attr(without_vm, ignore = "OFFSITE_TEST_WITHOUT names vm")]
fn p3_power_cuts_lose_nothing_that_was_stored() {
    let seed = std::env::var(SEED).map_or(20_260_401, |seed| seed.parse().unwrap());
    tools::say(&format!("power cuts: seed {seed} ({SEED})"));
    let mut rng = Rng::with_seed(seed);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let folder = folder.path();
    let mut drives = [
        Drive::new(
            folder,
            "ext4",
            "/dev/vda",
            "mkfs.ext4 -q -F",
            "fsck.ext4 -p",
        ),
        Drive::new(folder, "exfat", "/dev/vdb", "mkfs.exfat", "fsck.exfat -y"),
    ];
    let images = drives.each_ref().map(|drive| drive.image.clone());
    let start = || Vm::start(&images.each_ref().map(PathBuf::as_path));

    let mut vm = start();
    drives.iter().for_each(|drive| drive.make(&vm));
    let mut hit = 0;
    for number in 1..=CUTS {
        let when = format!("seed {seed}, after cut {number}");
        for drive in &mut drives {
            drive.change(&mut rng);
            drive.bucket.reset_requests();
        }
        let mut pulls = drives
            .each_ref()
            .map(|drive| vm.start_command(&drive.home.command(["pull"])));
        // After so many objects were asked for, and so much later; or when all was done.
        let (asked, later) = match number % 3 {
            1 => (u64::MAX, 0),
            _ => (rng.u64(1..31), rng.u64(..1_000)),
        };
        while drives.iter().all(|drive| drive.asked_for() < asked)
            && pulls.iter_mut().any(Task::goes_on)
        {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(later));
        for (drive, mut pull) in drives.iter_mut().zip(pulls) {
            if pull.goes_on() {
                hit += 1;
            } else {
                pull.finish().exits(0);
                drive.promise_all();
            }
        }
        vm.cut();

        vm = start();
        on_both(&mut drives, |drive| drive.comes_back(&vm, &when));
    }
    on_both(&mut drives, |drive| drive.is_whole(&vm, "at the end"));
    let kept: usize = drives.iter().map(|drive| drive.promised.len()).sum();
    tools::say(&format!(
        "power cuts: {CUTS} on two drives, {hit} in the middle of a pull; {kept} files"
    ));
    assert!(hit > 0, "each pull had ended before the power went");
}

/// At the same time, on the two processors of the machine.
fn on_both(drives: &mut [Drive; 2], work: impl Fn(&mut Drive) + Sync) {
    std::thread::scope(|scope| {
        let work = &work;
        let [first, second] = drives;
        scope.spawn(move || work(first));
        work(second);
    });
}
