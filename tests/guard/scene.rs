//! A drive, a bucket, and the program between them.

use crate::support::{Home, Keys, Namespace, Output, Picture, REGION, Running, picture};
use offsite::demo::bucket::{Bucket, READER, Server};
use offsite::object::Clock;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The source's name, and that of its folder on the drive.
pub(crate) const SOURCE: &str = "www";

/// A mount point in a namespace of its own, and a bucket to pull from.
pub(crate) struct Scene {
    pub(crate) space: Namespace,
    pub(crate) home: Home,
    pub(crate) bucket: Bucket,
    pub(crate) server: Server,
}

impl Scene {
    /// Nothing is mounted yet.
    pub(crate) fn new() -> Self {
        let bucket = Bucket::new("backups", Clock::System);
        let server = Server::start(vec![bucket.clone()], None).unwrap();
        let home = Home::new().with_keys(Keys::of(READER.id, READER.secret));
        std::fs::create_dir(home.path().join("drive")).unwrap();
        Self {
            space: Namespace::new(),
            home,
            bucket,
            server,
        }
    }

    /// A tmpfs of 64 MiB with a store on it, and three small objects to pull.
    pub(crate) fn ready() -> Self {
        let scene = Self::new();
        scene.space.mount_tmpfs(&scene.drive(), 64);
        scene.init("offsite.toml", &scene.drive()).exits(0);
        scene.put_three();
        scene
    }

    /// The same on ext4, where syncfs, hard links and SQLite's WAL are used; and its image.
    pub(crate) fn ready_on_ext4() -> (Self, PathBuf) {
        let scene = Self::new();
        let image = scene.space.ext4_image("usb.img", 64);
        scene.space.mount_image(&image, &scene.drive());
        scene.init("offsite.toml", &scene.drive()).exits(0);
        scene.put_three();
        (scene, image)
    }

    fn put_three(&self) {
        for (key, bytes) in [("a", "first"), ("b/c", "second"), ("d", "third")] {
            self.bucket.put(key, bytes);
        }
    }

    /// The mount point, and the store.
    pub(crate) fn drive(&self) -> PathBuf {
        self.home.path().join("drive")
    }

    /// What is in the store while it is mounted.
    pub(crate) fn on_drive(&self, path: &str) -> PathBuf {
        self.space.view(&self.drive()).join(path)
    }

    /// The id in the marker of the store that is mounted.
    pub(crate) fn store_id(&self) -> String {
        let marker = std::fs::read_to_string(self.on_drive("offsite-store.toml")).unwrap();
        let marker: toml::Table = marker.parse().unwrap();
        marker["id"].as_str().unwrap().to_owned()
    }

    /// Changes how the drive is mounted.
    pub(crate) fn remount(&self, options: &str) {
        // Without the options in force: those of a user namespace are not taken back there.
        self.space.sh(&format!(
            "mount --options-mode ignore -o remount,{options} '{}'",
            self.drive().display()
        ));
    }

    pub(crate) fn unmount(&self) {
        self.space
            .sh(&format!("umount '{}'", self.drive().display()));
    }

    /// `offsite -c CONFIG init --store STORE …`, CONFIG relative to the home.
    pub(crate) fn init(&self, config: &str, store: &Path) -> Output {
        self.init_with(config, store, SOURCE, &[])
    }

    pub(crate) fn init_with(
        &self,
        config: &str,
        store: &Path,
        source: &str,
        more: &[&str],
    ) -> Output {
        let mut init = self.home.bare(["-c"]);
        init.arg(self.home.path().join(config)).arg("init");
        init.arg("--store").arg(store).args(["--source", source]);
        init.args(["--bucket", self.bucket.name(), "--region", REGION]);
        init.args(["--endpoint", &self.server.endpoint()])
            .args(more);
        Running::spawn(self.space.inside(&init)).finish()
    }

    /// `offsite -c CONFIG args…` where the drive is.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.spawn(args).finish()
    }

    pub(crate) fn spawn(&self, args: &[&str]) -> Running {
        Running::spawn(self.command(args))
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        self.space.inside(&self.home.command(args))
    }

    /// `offsite args… --store STORE`, which needs no configuration.
    pub(crate) fn read(&self, args: &[&str]) -> Output {
        let mut command = self.home.bare(args);
        command.arg("--store").arg(self.drive());
        Running::spawn(self.space.inside(&command)).finish()
    }

    /// The home with the bare mount point in it, as the test sees it: outside the namespace.
    pub(crate) fn outside(&self) -> Picture {
        picture(self.home.path())
    }

    /// The drive that is mounted.
    pub(crate) fn drive_picture(&self) -> Picture {
        picture(&self.on_drive(""))
    }

    /// Pulls, and reads back every file: the copy is what the bucket has.
    #[track_caller]
    pub(crate) fn pulls_and_checks(&self) {
        self.run(&["pull"]).exits(0);
        self.run(&["catalogue", "check", "--deep"]).exits(0);
        for key in self.bucket.keys() {
            let file = self.on_drive(&format!("{SOURCE}/latest/{key}"));
            assert_eq!(std::fs::read(file).ok(), self.bucket.get(&key), "{key}");
        }
    }

    /// Does `what` once, just before the bucket looks at request number `number` (from 0) for
    /// `operation`.
    pub(crate) fn before_request(
        &self,
        operation: &'static str,
        number: usize,
        what: impl Fn() + Send + Sync + 'static,
    ) {
        let seen = AtomicUsize::new(0);
        let hook = move |asked: &str, _: Option<&str>| {
            if asked == operation && seen.fetch_add(1, Ordering::SeqCst) == number {
                what();
            }
        };
        self.bucket
            .with_faults(|faults| faults.on_request = Some(std::sync::Arc::new(hook)));
    }

    /// Each request is answered again as it should be.
    pub(crate) fn heal(&self) {
        self.bucket
            .with_faults(|faults| *faults = Default::default());
    }
}

/// A folder on the file system of `/`, wherever that can be written.
pub(crate) fn folder_on_root() -> tempfile::TempDir {
    use std::os::unix::fs::MetadataExt as _;
    let device = |path: &Path| std::fs::metadata(path).map(|meta| meta.dev()).ok();
    let places = [
        env!("CARGO_TARGET_TMPDIR"),
        "/var/tmp",
        "/tmp",
        "/home",
        "/",
    ]
    .map(Path::new);
    places
        .into_iter()
        .filter(|place| device(place) == device(Path::new("/")))
        .find_map(|place| tempfile::tempdir_in(place).ok())
        .unwrap_or_else(|| panic!("no folder on the root file system can be written: {places:?}"))
}
