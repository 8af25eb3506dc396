"""A SeaweedFS of our own, buckets to pull from, and the running of programs that pull."""

import contextlib
import ctypes
import datetime
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
NUMBERED = "archive/{folder:04}/object-{number:07}.age"
FLAT = "archive/object-{number:07}.age"
PORTS = ("master", "master.grpc", "volume", "volume.grpc", "filer", "filer.grpc", "s3", "s3.grpc",
         "metrics")


class Failed(Exception):
    """The benchmark cannot go on."""


def fetch(names):
    """The path of each program, fetched or built when it is not there yet."""
    setup = ROOT / "tests" / "servers" / "setup.sh"
    done = subprocess.run(["bash", setup, *names], stdout=subprocess.PIPE, text=True, check=True)
    return dict(zip(names, done.stdout.splitlines(), strict=True))


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

    def __init__(self, folder, offsite, tools):
        self.folder = pathlib.Path(folder)
        self.offsite = str(offsite)
        self.tools = fetch(sorted({"seaweedfs", "rclone", "s5cmd", *tools}))
        self.work = self.folder / "work"
        self.work.mkdir()
        self.folders = 0
        self.log = self.folder / "last.log"
        self.server = self.measured = self.relay = None
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
        for ours in (self.relay, self.server):
            if ours and ours.poll() is None:
                ours.kill()
                ours.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
        for name in ("master", "volume", "filer", "s3"):
            # The server makes these in /tmp, whatever it is told, and leaves them there.
            with contextlib.suppress(KeyError, FileNotFoundError):
                os.unlink(f"/tmp/seaweedfs-{name}-grpc-{self.ports[name + '.grpc']}.sock")

    # --- the server

    def tool(self, name):
        return self.tools[name]

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.ports['relay' if self.relay else 's3']}"

    @contextlib.contextmanager
    def far_away(self, seconds):
        """Every request takes that much longer."""
        self.relay = subprocess.Popen(
            [sys.executable, "-I", "-S", HERE / "relay.py", str(self.ports["s3"]), str(seconds)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, preexec_fn=end_with_parent)
        self.ports["relay"] = int(self.relay.stdout.readline())
        try:
            yield
        finally:
            self.relay.kill()
            self.relay.wait()
            self.relay = None

    def requests(self):
        """How many requests the gateway has answered so far."""
        page = get(self.ports["metrics"], "/metrics").decode()
        return sum(float(line.rpartition(" ")[2]) for line in page.splitlines()
                   if line.startswith("SeaweedFS_s3_request_total{"))

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
            if name == "metrics":
                arguments.append(f"-metricsPort={port}")
                continue
            service, _, grpc = name.partition(".")
            arguments.append(f"-{service}.port{'.grpc' if grpc else ''}={port}")
        with open(self.folder / "weed.log", "wb") as log:
            self.server = subprocess.Popen(
                [self.tool("seaweedfs"), *arguments], cwd=self.folder, stdin=subprocess.DEVNULL,
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

    def fill(self, bucket, count, size, folder_of=1000, first=0):
        """Makes a bucket of `count` objects of `size` random bytes each, or adds them; says which
        folder they were made from, in which they stay until `clear`."""
        source = self.new_folder("generated")
        for number in range(first, first + count):
            names = NUMBERED if folder_of else FLAT
            name = names.format(folder=number // (folder_of or 1), number=number)
            if number == first or (folder_of and number % folder_of == 0):
                (source / name).parent.mkdir(parents=True)
            with open(source / name, "wb") as file:
                for written in range(0, size, 1 << 24):
                    file.write(os.urandom(min(1 << 24, size - written)))
        self.upload(source, bucket)
        return source

    def multiply(self, bucket, count, size, flat=False):
        """Makes a bucket of `count` objects with the same bytes, in folders of 1,000 or in one
        (`flat`), by records of the server's own metadata: uploading a million takes half an hour.
        Says which folder is the same."""
        names = FLAT if flat else NUMBERED
        source = self.fill(bucket, 1, size, folder_of=None if flat else 1000)
        self.repeat(bucket, count, flat)
        content = (source / names.format(folder=0, number=0)).read_bytes()
        for number in range(1, count):
            path = source / names.format(folder=number // 1000, number=number)
            if number % 1000 == 0:
                path.parent.mkdir(exist_ok=flat)
            path.write_bytes(content)
        return source

    def multiply_versions(self, bucket, count, versions, size):
        """Makes a bucket of `count` objects in one folder, each of so many versions."""
        env = self.rclone_env(ADMIN)
        self.run([self.tool("rclone"), "mkdir", f"bench:{bucket}"], env)
        self.run([self.tool("rclone"), "backend", "versioning", f"bench:{bucket}", "Enabled"], env)
        for version in range(versions):
            self.fill(bucket, 1, size + version, folder_of=None)
        self.repeat(bucket, count, flat=True)

    def repeat(self, bucket, count, flat):
        """Gives `bucket`, which has one object, `count` with the same bytes."""
        one, many = self.folder / "one.meta", self.folder / "many.meta"
        self.shell(f"fs.meta.save -o {one} /buckets/{bucket}")
        # Each record has its length in front (4 bytes, big-endian). The folders above the object
        # are there.
        saved, records = one.read_bytes(), []
        while saved:
            length = int.from_bytes(saved[:4], "big")
            record, saved = saved[4:4 + length], saved[4 + length:]
            if b"object-0000000" in record:
                records.append(record)
        with open(many, "wb") as file:
            # It does not wait for the last ones: they come twice.
            for number in [*range(1, count), *range(max(1, count - 100), count)]:
                for record in records:
                    # Names of one length, so that no length inside the record changes.
                    copied = record.replace(b"object-0000000", b"object-%07d" % number)
                    if not flat:
                        copied = copied.replace(b"archive/0000", b"archive/%04d" % (number // 1000))
                    file.write(len(copied).to_bytes(4, "big") + copied)
        self.shell(f"fs.meta.load -v=false -concurrency=32 {many}")

    def shell(self, line):
        """One line for the server's own shell."""
        address = {name: f"127.0.0.1:{self.ports[name]}.{self.ports[name + '.grpc']}"
                   for name in ("master", "filer")}
        with open(self.log, "wb") as log:
            subprocess.run([self.tool("seaweedfs"), "shell", f"-master={address['master']}",
                            f"-filer={address['filer']}"], input=f"{line}\nexit\n", text=True,
                           cwd=self.folder, stdout=log, stderr=log, check=True)

    def upload(self, source, bucket):
        rclone = self.tool("rclone")
        self.run([rclone, "mkdir", f"bench:{bucket}"], self.rclone_env(ADMIN))
        self.run([rclone, "copy", source, f"bench:{bucket}", "-q", "--transfers", "16",
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

    def aws_env(self, **more):
        return self.env(AWS_ACCESS_KEY_ID=READER[0], AWS_SECRET_ACCESS_KEY=READER[1],
                        AWS_REGION=REGION, AWS_EC2_METADATA_DISABLED="true", **more)

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

    def lines(self, command, env):
        """What a command prints, line by line."""
        with open(self.log, "wb") as log:
            running = subprocess.Popen(command, env=env, cwd=self.folder, stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, stderr=log, text=True)
            yield from running.stdout
        if running.wait() != 0:
            raise Failed(f"exit {running.returncode}: {words(command)}\n{tail(self.log)}")

    def measure(self, command, env):
        """One measured run, after everything older is on the disk."""
        os.sync()
        load, requests = os.getloadavg()[0], self.requests()
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
        return {**run, "requests": round(self.requests() - requests), "load_before": load}


def holds(folder):
    """How many files a folder holds, their bytes, and when the last of them changed."""
    files = size = changed = 0
    for path, _, names in os.walk(folder):
        for name in names:
            stat = os.lstat(os.path.join(path, name))
            files, size, changed = files + 1, size + stat.st_size, max(changed, stat.st_ctime)
    return files, size, changed


def seconds(time):
    """Seconds since 1970 of an RFC 3339 time."""
    return datetime.datetime.fromisoformat(time).timestamp()


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
