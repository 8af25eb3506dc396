//! A drive with a file system of some kind, a bucket to pull from, and what is asked of both.

use crate::support::{
    Home, Keys, Namespace, Output, REGION, Running, Vm, age, tool, tools, vm, vm::Task,
};
use offsite::demo::bucket::{Bucket, READER, Server};
use offsite::object::Clock;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Who mounts it and runs the program: this machine, in a mount namespace, or the virtual one.
pub(crate) enum Place {
    Here(Namespace),
    There(&'static Vm),
}

impl Place {
    fn start(&self, command: &Command) -> Run {
        match self {
            Self::Here(space) => Run::Here(Running::spawn(space.inside(command))),
            Self::There(vm) => Run::There(vm.start_command(command)),
        }
    }

    fn run(&self, command: &Command) -> Output {
        self.start(command).finish()
    }

    /// Runs a shell script, which must succeed; what it printed.
    #[track_caller]
    fn sh(&self, script: &str) -> String {
        let mut sh = Command::new("sh");
        sh.args(["-ec", script]);
        sh.env(
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        );
        self.run(&sh).exits(0).stdout
    }
}

enum Run {
    Here(Running),
    There(Task<'static>),
}

impl Run {
    fn goes_on(&mut self) -> bool {
        match self {
            Self::Here(run) => run.goes_on(),
            Self::There(run) => run.goes_on(),
        }
    }

    fn kill(self) -> Output {
        match self {
            Self::Here(run) => run.kill(),
            Self::There(run) => run.kill(),
        }
    }

    fn finish(self) -> Output {
        match self {
            Self::Here(run) => run.finish(),
            Self::There(run) => run.finish(),
        }
    }
}

/// How to make a file system and mount it, and what `init` must find out about it.
pub(crate) struct Kind {
    /// What `setup.sh` calls the tool that makes it: `$mkfs`.
    pub(crate) tool: &'static str,
    /// Makes it in `$image`, a sparse file of 320 MiB, and mounts it at `$at`. The drivers that
    /// `setup.sh` fetched are in `$bin`.
    pub(crate) mount: &'static str,
    /// The store's folder below `$at`.
    pub(crate) store: &'static str,
    /// As the kernel names it.
    pub(crate) name: &'static str,
    pub(crate) naming: &'static str,
    pub(crate) folds_case: bool,
    pub(crate) normalises: bool,
    pub(crate) hard_links: bool,
    pub(crate) syncfs: bool,
    pub(crate) sqlite_locking: bool,
}

/// One that a Linux system has for its own.
pub(crate) const LINUX: Kind = Kind {
    tool: "",
    mount: "",
    store: "",
    name: "",
    naming: "posix",
    folds_case: false,
    normalises: false,
    hard_links: true,
    syncfs: true,
    sqlite_locking: true,
};

/// One that goes to other computers as well.
pub(crate) const PORTABLE: Kind = Kind {
    naming: "portable",
    folds_case: true,
    hard_links: false,
    syncfs: false,
    ..LINUX
};

/// Keys that some of them cannot have as they are.
const KEYS: [&str; 8] = [
    "site/backup-2026-11-22.tar.age",
    "Site/backup-2026-11-22.tar.age",
    "who: what? <where> *.age",
    "trailing. ",
    "con",
    "caf\u{e9}",
    "cafe\u{301}",
    "a%b",
];

const PASSWORD: &str = "a password of the owner's";

pub(crate) struct Drive {
    place: Place,
    home: Home,
    pub(crate) bucket: Bucket,
    repository: Bucket,
    server: Server,
    folder: tempfile::TempDir,
    store: PathBuf,
}

impl Drive {
    pub(crate) fn mounted(kind: &Kind, place: Place) -> Self {
        // Both places see it under this path.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let bucket = Bucket::new("backups", Clock::System);
        let repository = Bucket::new("repository", Clock::System);
        let server = Server::start(vec![bucket.clone(), repository.clone()], None).unwrap();
        let at = folder.path().join("drive");
        std::fs::create_dir(&at).unwrap();
        // In memory where it is mounted by the virtual machine.
        let image = match place {
            Place::Here(_) => folder.path().join("image"),
            Place::There(_) => Path::new("/dev/shm").join(folder.path().file_name().unwrap()),
        };
        place.sh(&format!(
            "mkfs='{}' bin='{}' image='{}' at='{}'; truncate -s 320M \"$image\"\n{}",
            tool(kind.tool).display(),
            tools::folder().join("bin").display(),
            image.display(),
            at.display(),
            kind.mount,
        ));
        Self {
            place,
            home: Home::new().with_keys(Keys::of(READER.id, READER.secret)),
            bucket,
            repository,
            server,
            store: at.join(kind.store),
            folder,
        }
    }

    /// The file that the drive is, where this machine mounts it.
    pub(crate) fn image(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.place.run(&self.home.command(args))
    }

    /// `offsite init` of a source on this drive.
    pub(crate) fn init(&self, source: &str, bucket: &str) -> Output {
        let endpoint = match self.place {
            Place::Here(_) => self.server.endpoint(),
            Place::There(_) => self.server.endpoint().replace("127.0.0.1", vm::HOST),
        };
        let mut init = self.home.command(["init", "--store"]);
        init.arg(&self.store).args(["--source", source]);
        init.args(["--bucket", bucket, "--region", REGION]);
        init.args(["--endpoint", &endpoint, "--allow-http"]);
        self.place.run(&init)
    }

    /// What stands in the store's folder.
    pub(crate) fn names(&self) -> String {
        self.place.sh(&format!("ls -A '{}'", self.store.display()))
    }

    /// The text of a file on the drive.
    fn text(&self, path: &str) -> String {
        let path = self.store.join(path);
        self.place.sh(&format!("cat -- '{}'", path.display()))
    }

    /// What `init` wrote into the marker.
    fn finds_out(&self, kind: &Kind) {
        let marker: toml::Table = self.text("offsite-store.toml").parse().unwrap();
        let facts = &marker["facts"];
        assert_eq!(facts["filesystem"].as_str(), Some(kind.name), "{facts}");
        assert_eq!(marker["naming"].as_str(), Some(kind.naming), "{facts}");
        for (fact, expected) in [
            ("folds_case", kind.folds_case),
            ("normalises", kind.normalises),
            ("hard_links", kind.hard_links),
            ("syncfs", kind.syncfs),
            ("sqlite_wal", kind.syncfs),
            ("sqlite_locking", kind.sqlite_locking),
        ] {
            assert_eq!(facts[fact].as_bool(), Some(expected), "{fact}: {facts}");
        }
    }

    /// Fills the second bucket with what restic wrote.
    fn put_repository(&self) {
        let (files, made) = (
            self.home.path().join("files"),
            self.home.path().join("made"),
        );
        std::fs::create_dir(&files).unwrap();
        for name in ["one", "two"] {
            let mut bytes = vec![0; 300_000];
            fastrand::Rng::with_seed(7).fill(&mut bytes);
            std::fs::write(files.join(name), bytes).unwrap();
            for args in [&["init"][..], &["backup", files.to_str().unwrap()]] {
                if made.exists() && args == ["init"] {
                    continue;
                }
                Running::spawn(restic(&made, args)).finish().exits(0);
            }
        }
        crate::support::program::each_file(&made, &mut |path, bytes| {
            let key = path.strip_prefix(&made).unwrap().to_str().unwrap();
            if !key.starts_with("locks") {
                self.repository.put(key, bytes);
            }
        });
    }

    fn every_key_is_there(&self) {
        let ls = self.run(&["ls", "--json", "--source", "www"]).exits(0);
        let mut keys = Vec::new();
        let mut script = format!("cd '{}'", self.store.display());
        for row in ls.json_lines() {
            // A name here has no quote.
            script.push_str(&format!(
                "\ncat -- '{}'; echo",
                row["path"].as_str().unwrap()
            ));
            keys.push(row["key"].as_str().unwrap().to_owned());
        }
        assert_eq!(keys.len(), KEYS.len());
        let bytes = self.place.sh(&script);
        let expected: String = keys
            .iter()
            .map(|key| format!("the bytes of {key}\n"))
            .collect();
        assert_eq!(bytes, expected);
    }

    /// Pulls that are killed after so many objects were asked for.
    fn killed_pulls(&self) {
        let mut killed = 0;
        for after in [5, 20, 41] {
            self.bucket.reset_requests();
            let mut pull = self.place.start(&self.home.command(["pull"]));
            while self.asked_for() < after && pull.goes_on() {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            killed += usize::from(pull.kill().code() == 128 + 9);
        }
        assert!(killed > 0, "each pull had ended before it was killed");
    }

    fn asked_for(&self) -> u64 {
        let requests = self.bucket.requests();
        requests.get("GetObject").copied().unwrap_or(0)
    }

    /// Nothing to say, but that one key reads both buckets.
    fn is_well(&self) {
        let status = self.run(&["status", "--json"]).exits(3).json_lines();
        let findings = status[0]["findings"].as_array().unwrap();
        let ids: Vec<_> = findings.iter().map(|finding| &finding["id"]).collect();
        assert_eq!(ids, ["www-keyshared"], "{findings:?}");
    }

    /// The sums, a copy by hand, and the owner's own tool.
    fn serves_a_person_without_us(&self) {
        let www = self.store.join("www");
        let copy = Path::new("/dev/shm").join(format!(
            "copy-{}",
            self.home.path().file_name().unwrap().to_str().unwrap()
        ));
        self.place.sh(&format!(
            "cd '{}'
            sha256sum --quiet --strict -c SHA256SUMS
            sha256sum --quiet --strict -c history.SHA256SUMS
            mkdir '{copy}'
            cp -r latest SHA256SUMS '{copy}'
            cd '{copy}'
            sha256sum --quiet --strict -c SHA256SUMS
            diff -r latest '{}/latest'
            rm -r '{copy}'",
            www.display(),
            www.display(),
            copy = copy.display(),
        ));
        let latest = self.store.join("repository/latest");
        let check = restic(&latest, &["check", "--no-lock", "--read-data"]);
        self.place.run(&check).exits(0);
    }
}

impl Drop for Drive {
    fn drop(&mut self) {
        let at = self.folder.path().join("drive");
        self.place.sh(&format!("umount -l '{}'", at.display()));
    }
}

/// restic on a repository in a folder.
fn restic(repository: &Path, args: &[&str]) -> Command {
    let mut restic = Command::new(tool("restic"));
    restic
        .arg("--repo")
        .arg(repository)
        .arg("--no-cache")
        .args(args);
    restic
        .env_clear()
        .env("RESTIC_PASSWORD", PASSWORD)
        .env("HOME", "/nowhere");
    restic
}

pub(crate) fn lives_through_pulls_kills_and_a_person(kind: &Kind, place: Place) {
    let drive = Drive::mounted(kind, place);
    drive.put_repository();
    for key in KEYS {
        drive.bucket.put(key, format!("the bytes of {key}"));
    }
    drive.init("www", "backups").exits(0);
    drive.init("repository", "repository").exits(0);
    drive.finds_out(kind);

    drive.run(&["pull"]).exits(0);
    drive.every_key_is_there();

    // Replaced, and killed in the middle of it.
    for n in 0..40 {
        drive.bucket.put(&format!("many/{n}"), age(30_000, n));
    }
    drive.bucket.put(KEYS[0], "a second version");
    drive.killed_pulls();
    drive.run(&["pull"]).exits(0);
    drive.run(&["catalogue", "check", "--deep"]).exits(0);
    drive.run(&["log", "--verify"]).exits(0);
    drive.is_well();
    drive.serves_a_person_without_us();
}
