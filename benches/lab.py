"""A SeaweedFS of our own, buckets to pull from, and the two programs that pull."""

import contextlib
import ctypes
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent

REGION = "us-east-1"
ADMIN = ("benchadmin", "bench-admin-secret-0000")
READER = ("benchreader", "bench-reader-secret-000")
PART = "16M"
PORTS = ("master", "master.grpc", "volume", "volume.grpc", "filer", "filer.grpc", "s3", "s3.grpc")


class Failed(Exception):
    """The benchmark cannot go on."""


def tools():
    """The paths of SeaweedFS and rclone, fetched when they are not there yet."""
    setup = ROOT / "tests" / "servers" / "setup.sh"
    done = subprocess.run(
        ["bash", setup, "seaweedfs", "rclone"], stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout.split()


def build():
    """`cargo build --release`; says where the program is."""
    subprocess.run(["cargo", "build", "--release"], cwd=ROOT, check=True)
    metadata = subprocess.run(
        ["cargo", "metadata", "--no-deps", "--format-version", "1"],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True,
    )
    return pathlib.Path(json.loads(metadata.stdout)["target_directory"]) / "release" / "offsite"


class Lab:
    """A folder with a server in it; leaving it ends the server and removes the folder."""

    def __init__(self, folder, offsite):
        self.folder = pathlib.Path(folder)
        self.offsite = str(offsite)
        self.weed, self.rclone = tools()
        self.work = self.folder / "work"
        self.work.mkdir()
        self.folders = 0
        self.log = self.folder / "last.log"
        self.server = self.measured = None
        self.ports = {}

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        # A second signal must not keep the first from being cleaned up after.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if self.measured and self.measured.poll() is None:
            # Its own session: the helper and the command that it runs.
            os.killpg(self.measured.pid, signal.SIGKILL)
            self.measured.wait()
        if self.server and self.server.poll() is None:
            self.server.kill()
            self.server.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
        for name in ("master", "volume", "filer", "s3"):
            # The server makes these in /tmp, whatever it is told, and leaves them there.
            with contextlib.suppress(KeyError, FileNotFoundError):
                os.unlink(f"/tmp/seaweedfs-{name}-grpc-{self.ports[name + '.grpc']}.sock")

    # --- the server

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.ports['s3']}"

    def start(self):
        self.ports = free_ports()
        (self.folder / "data").mkdir()
        identities = [identity(ADMIN, "Admin", "Read", "List", "Write", "Tagging"),
                      identity(READER, "Read", "List")]
        (self.folder / "s3.json").write_text(json.dumps({"identities": identities}))
        arguments = ["-logtostderr=true", "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
                     "-dir=data", "-filer", "-s3", "-s3.config=s3.json", "-volume.max=4000",
                     "-master.volumeSizeLimitMB=1024", "-master.telemetry=false",
                     "-filer.localSocket=filer.sock", "-s3.localSocket=s3.sock",
                     "-s3.port.iceberg=0", "-s3.port.lance=0"]
        for name, port in self.ports.items():
            service, _, grpc = name.partition(".")
            arguments.append(f"-{service}.port{'.grpc' if grpc else ''}={port}")
        with open(self.folder / "weed.log", "wb") as log:
            self.server = subprocess.Popen(
                [self.weed, *arguments], cwd=self.folder, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, preexec_fn=end_with_parent,
                # Volumes of a bucket grow one at a time, or a few buckets use them all up.
                env={**os.environ, "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"},
            )
        self.wait_for_server()

    def wait_for_server(self):
        give_up = time.monotonic() + 90
        while time.monotonic() < give_up and self.server.poll() is None:
            # The gateway answers before a place for bytes can be had.
            if b'"fid"' in get(self.ports["master"], "/dir/assign") and get(self.ports["s3"], "/"):
                return
            time.sleep(0.1)
        raise Failed("SeaweedFS does not start:\n" + tail(self.folder / "weed.log"))

    # --- buckets

    def fill(self, bucket, count, size, folder_of=1000):
        """Makes a bucket of `count` objects of `size` random bytes each."""
        source = self.new_folder("generated")
        for number in range(count):
            folder = source / "archive" / f"{number // folder_of:04}"
            if number % folder_of == 0:
                folder.mkdir(parents=True)
            with open(folder / f"object-{number:06}.age", "wb") as file:
                for written in range(0, size, 1 << 24):
                    file.write(os.urandom(min(1 << 24, size - written)))
        self.run([self.rclone, "mkdir", f"bench:{bucket}"], self.rclone_env(ADMIN))
        self.run([self.rclone, "copy", source, f"bench:{bucket}", "-q", "--transfers", "16",
                  "--no-traverse", "--s3-no-head", "--s3-no-check-bucket",
                  "--s3-upload-cutoff", PART, "--s3-chunk-size", PART,
                  # No digest of rclone's own: most uploaders leave none.
                  "--s3-disable-checksum"],
                 self.rclone_env(ADMIN))

    # --- the programs

    def env(self, **more):
        """Nothing from the user's own home."""
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), "TZ": "UTC",
                "TMPDIR": str(self.folder), **more}

    def rclone_env(self, keys=READER):
        settings = {"TYPE": "s3", "PROVIDER": "SeaweedFS", "ENDPOINT": self.endpoint,
                    "REGION": REGION, "ACCESS_KEY_ID": keys[0], "SECRET_ACCESS_KEY": keys[1],
                    "FORCE_PATH_STYLE": "true"}
        return self.env(RCLONE_CONFIG="/dev/null",
                        **{f"RCLONE_CONFIG_BENCH_{name}": value for name, value in settings.items()})

    def offsite_env(self):
        return self.env(AWS_ACCESS_KEY_ID=READER[0], AWS_SECRET_ACCESS_KEY=READER[1],
                        AWS_EC2_METADATA_DISABLED="true")

    def new_folder(self, label):
        """The path of a folder to be made.

        It stays until `clear`: for some minutes after a file was removed ext4 goes around its
        inode, and whoever makes files then pays for the run before.
        """
        self.folders += 1
        return self.work / f"{label}-{self.folders}"

    def clear(self):
        """Removes what the runs left."""
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir()

    def run(self, command, env):
        with open(self.log, "wb") as log:
            done = subprocess.run(command, env=env, cwd=self.folder, stdin=subprocess.DEVNULL,
                                  stdout=log, stderr=log, start_new_session=True)
        if done.returncode != 0:
            raise Failed(f"exit {done.returncode}: {words(command)}\n{tail(self.log)}")

    def measure(self, command, env):
        """One measured run, after everything older is on the disk."""
        os.sync()
        load = os.getloadavg()[0]
        with open(self.log, "wb") as log:
            self.measured = subprocess.Popen(
                [sys.executable, "-I", "-S", HERE / "measure.py", *command], env=env,
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                start_new_session=True)
            out, _ = self.measured.communicate()
        if self.measured.returncode != 0:
            raise Failed(f"not measured: {words(command)}\n{tail(self.log)}")
        run = json.loads(out)
        if run["exit"] != 0:
            raise Failed(f"exit {run['exit']}: {words(command)}\n{tail(self.log)}")
        return {**run, "load_before": load}


def holds(folder):
    """How many files a folder holds, their bytes, and when the last of them changed."""
    files = size = changed = 0
    for path, _, names in os.walk(folder):
        for name in names:
            stat = os.lstat(os.path.join(path, name))
            files, size, changed = files + 1, size + stat.st_size, max(changed, stat.st_ctime)
    return files, size, changed


def identity(keys, *actions):
    return {"name": keys[0], "actions": actions,
            "credentials": [{"accessKey": keys[0], "secretKey": keys[1]}]}


def free_ports():
    """Ports that nobody listens on, all different because all are held at the same time."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in PORTS]
    ports = [listener.getsockname()[1] for listener in held]
    for listener in held:
        listener.close()
    return dict(zip(PORTS, ports))


def get(port, path):
    """The answer of a server on this machine; nothing when there is none."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.read()
    except urllib.error.HTTPError as refused:
        return refused.read()
    except OSError:
        return b""


def end_with_parent():
    """The kernel ends this process when its parent ends, however that happens (prctl(2))."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def words(command):
    return " ".join(str(word) for word in command)


def tail(log):
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return "\n".join(lines[-20:])
