#!/usr/bin/env python3
"""Measures offsite against rclone, s5cmd, awscli, s3cmd and s3sync. See README.md beside this file."""

import argparse
import datetime
import json
import os
import pathlib
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import lab
import summary
from lab import Failed, Lab
from tools import PEERS, give_times

MIB = 1 << 20
DELAY = 0.05


class Bench:
    """The workloads, and what was measured."""

    def __init__(self, lab_, peers, runs, scale):
        self.lab, self.runs, self.scale = lab_, runs, scale
        self.peers = [PEERS[name](lab_) for name in peers]
        self.measured = {}

    def scaled(self, number):
        return max(1, round(number * self.scale))

    def in_turn(self, workload, contestants):
        """A B C B C A: what disturbs the machine for a while disturbs all. The slow ones take part
        in the first round only."""
        once = {peer.name for peer in self.peers if peer.slow}
        series = self.measured.setdefault(workload, {name: [] for name in contestants})
        names = list(contestants)
        for number in range(self.runs):
            for name in names[number % len(names):] + names[:number % len(names)]:
                if number > 0 and name in once:
                    continue
                try:
                    run = contestants[name]()
                except Failed as problem:
                    # What a peer cannot do is a result; it does not take the others' away.
                    if name == "offsite":
                        raise
                    say(f"{workload}: {name} fell out: {problem}")
                    series[name].append({"failed": str(problem).splitlines()[0]})
                    once.add(name)
                    continue
                series[name].append(run)
                say(f"{workload} {number + 1}/{self.runs} {name}: {run['wall']:.2f} s, "
                    f"{run['user'] + run['sys']:.2f} s CPU, {run['rss_kib'] / 1024:.1f} MiB, "
                    f"{run['requests']} requests, {run['written'] / MIB:.0f} MiB written")

    # --- workloads

    def small(self):
        """Many small objects come for the first time."""
        count, size = self.scaled(20_000), 16 << 10
        self.fill("small", count, size)
        self.first("small", count, count * size)

    def large(self):
        """Large objects come for the first time."""
        count, size = 2, self.scaled(1 << 30)
        self.fill("large", count, size)
        self.first("large", count, count * size)

    def restic(self):
        """A restic repository comes for the first time."""
        repository, data = self.lab.new_folder("repository"), self.lab.new_folder("data")
        env = self.lab.env(RESTIC_PASSWORD="bench", RESTIC_CACHE_DIR=str(self.lab.folder / "cache"))
        restic = [self.lab.tool("restic"), "-q", "-r", repository]
        self.lab.run([*restic, "init"], env)
        for night in range(5):
            for number in range(self.scaled(500)):
                file = data / f"{night}" / f"file-{number}"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(os.urandom(400 << 10))
            self.lab.run([*restic, "backup", data], env)
        files, size, _ = lab.holds(repository)
        self.lab.upload(repository, "restic")
        self.lab.clear()
        self.first("restic", files, size)

    def unchanged(self):
        """Nothing is new in a bucket of many objects, and in one of few."""
        few, many = self.scaled(1_000), self.scaled(100_000)
        self.fill("few", few, 1 << 10)
        source = self.multiply("many", many, 1 << 10)
        store = self.nothing_new("unchanged", "many", source, many)
        store_of_few = self.init("few")
        self.pull(store_of_few)
        self.in_turn("unchanged-few", {"offsite": lambda: self.pull(store_of_few)})
        self.in_turn("status", {"offsite": lambda: self.offsite("status", store)})
        self.lab.clear()

    def latency(self):
        """Nothing is new under one prefix of many objects, and every request takes 50 ms longer."""
        many = self.scaled(100_000)
        source = self.multiply("far", many, 1 << 10, flat=True)
        self.nothing_new("latency", "far", source, many, delay=DELAY)
        self.lab.clear()

    def million(self):
        """Nothing is new in a bucket of a million objects; then a hundred are."""
        many = self.scaled(1_000_000)
        source = self.multiply("million", many, 100)
        store = self.nothing_new("million", "million", source, many)
        runs, self.runs = self.runs, 1
        for number in range(runs):
            self.hundred_new(store, source, many, number)
        self.runs = runs
        self.lab.clear()

    def versions(self):
        """Nothing is new in a bucket that keeps three versions of every object; rclone lists them."""
        many = self.scaled(100_000)
        begin = time.monotonic()
        self.lab.multiply_versions("versions", many, 3, 100)
        say(f"bucket versions: {many} x 3, made in {time.monotonic() - begin:.0f} s")
        store = self.init("versions")
        self.measured["versions-first"] = {"offsite": [self.pull(store)]}
        listed = [self.lab.tool("rclone"), "lsf", "-R", "--fast-list", "--s3-versions", "--format",
                  "p", "bench:versions"]

        def rclone():
            run = self.lab.measure(listed, self.lab.rclone_env())
            lines = self.lab.log.read_bytes().count(b".age\n")
            if lines != 3 * many:
                raise Failed(f"rclone listed {lines} of {3 * many} versions")
            return run

        self.in_turn("versions", {"offsite": lambda: self.pull(store), "rclone": rclone})
        self.lab.clear()

    def hundred_new(self, store, source, many, number):
        """One round of the bucket of `many` with 100 more each time."""
        new, before = 100, many + 100 * number
        came = self.fill("million", new, 100, first=before)
        names = [path.relative_to(came) for path in came.rglob("*.age")]

        def fetched(folder, run_):
            run = run_()
            missing = [name for name in names if not (folder / name).is_file()]
            if missing:
                raise Failed(f"{folder}: {len(missing)} of {new} were not fetched")
            return run

        def copy(peer):
            run = fetched(source, lambda: self.lab.measure(*peer.copy("million", source, night=True)))
            for name in names:
                (source / name).unlink()
            return run

        contestants = {"offsite": lambda: fetched(latest(store), lambda: self.pull(store))}
        contestants |= {peer.name: lambda peer=peer: copy(peer) for peer in self.peers if not peer.slow}
        self.in_turn("million-new", contestants)
        for name in names:
            (source / name).parent.mkdir(exist_ok=True)
            (came / name).rename(source / name)
        for folder in {name.parent for name in names}:
            give_times(self.lab, "million", source, f"{folder}/")

    # --- shapes of workloads

    def first(self, workload, count, size):
        """Everybody copies a bucket into an empty folder, which is then looked at."""

        def offsite():
            store = self.init(workload)
            run = self.pull(store)
            complete(latest(store), count, size)
            return run

        def copy(peer):
            folder = self.lab.new_folder(peer.name)
            folder.mkdir()
            run = self.lab.measure(*peer.copy(workload, folder))
            complete(folder, count, size)
            return run

        def proven(peer):
            """What offsite does on the way, by hand: digests of all, and a sync."""
            folder = self.lab.new_folder(peer.name)
            command, env = peer.copy(workload, folder)
            script = ('folder=$1; shift; "$@" && find "$folder" -type f -exec sha256sum {} + '
                      '>"$folder.sums" && sync -f "$folder"')
            run = self.lab.measure(["sh", "-c", script, "sh", folder, *command], env)
            complete(folder, count, size)
            return run

        def clean(contestant, *arguments):
            run = contestant(*arguments)
            if size > 1 << 30:
                # There is no room for all of them.
                self.lab.clear()
            return run

        contestants = {"offsite": lambda: clean(offsite)}
        contestants |= {peer.name: lambda peer=peer: clean(copy, peer) for peer in self.peers}
        if workload == "large" and any(peer.name == "rclone" for peer in self.peers):
            contestants["rclone, sha256sum, sync"] = lambda: clean(proven, PEERS["rclone"](self.lab))
        self.in_turn(workload, contestants)
        self.lab.clear()

    def nothing_new(self, workload, bucket, source, count, delay=None):
        """Everybody has the bucket and looks for what is new. The peers have one copy together:
        the files that the bucket was filled with, with the times that a downloader would give."""
        store = self.init(bucket)
        self.measured[f"{workload}-first"] = {"offsite": [self.pull(store)]}
        give_times(self.lab, bucket, source)

        def still(folder, run_):
            begin = time.time()
            run = run_()
            files, _, changed = lab.holds(folder)
            if files != count or changed >= begin:
                raise Failed(f"{folder}: {files} of {count} files, or some were written again")
            return run

        contestants = {"offsite": lambda: still(latest(store), lambda: self.pull(store))}
        contestants |= {
            peer.name: lambda peer=peer: still(source, lambda: self.lab.measure(
                *peer.copy(bucket, source, night=True)))
            for peer in self.peers
        }
        if delay is None:
            self.in_turn(workload, contestants)
        else:
            with self.lab.far_away(delay):
                self.redirect(store)
                self.in_turn(workload, contestants)
        return store

    # --- one run

    def fill(self, bucket, count, size, **how):
        begin = time.monotonic()
        source = self.lab.fill(bucket, count, size, **how)
        say(f"bucket {bucket}: {count} x {size} bytes, filled in {time.monotonic() - begin:.0f} s")
        return source

    def multiply(self, bucket, count, size, **how):
        begin = time.monotonic()
        source = self.lab.multiply(bucket, count, size, **how)
        say(f"bucket {bucket}: {count} x {size} bytes, made in {time.monotonic() - begin:.0f} s")
        return source

    def init(self, bucket):
        """A fresh store."""
        store = self.lab.new_folder("offsite")
        self.lab.run([
            self.lab.offsite, "-c", config(store), "init", "--store", store, "--source", "b",
            "--bucket", bucket, "--endpoint", self.lab.endpoint, "--region", lab.REGION,
            "--allow-root-fs"], self.lab.aws_env())
        return store

    def redirect(self, store):
        """The same bucket, at the end of the long line."""
        path = config(store)
        direct = f"http://127.0.0.1:{self.lab.ports['s3']}"
        path.write_text(path.read_text().replace(direct, self.lab.endpoint))

    def pull(self, store):
        return self.offsite("pull", store)

    def offsite(self, command, store):
        return self.lab.measure([self.lab.offsite, "-c", config(store), command], self.lab.aws_env())


WORKLOADS = ("small", "large", "restic", "unchanged", "latency", "million", "versions")


def config(store):
    return store.with_suffix(".toml")


def latest(store):
    return store / "b" / "latest"


def complete(folder, count, size):
    files, there, _ = lab.holds(folder)
    if (files, there) != (count, size):
        raise Failed(f"{folder}: {files} files of {count}, {there} bytes of {size}")


def machine(lab_, peers, folder):
    """What the numbers depend on."""
    def first_line(*command):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              cwd=lab.ROOT)
        return done.stdout.splitlines()[0] if done.stdout else None

    cpu = [line.partition(":")[2].strip() for line in open("/proc/cpuinfo")
           if line.lower().startswith(("model name", "hardware", "model"))]
    memory = next(line.split()[1] for line in open("/proc/meminfo") if line.startswith("MemTotal"))
    return {
        "offsite": first_line(lab_.offsite, "--version"),
        "commit": first_line("git", "describe", "--always", "--dirty"),
        **{name: first_line(*PEERS[name](lab_).version()) for name in peers},
        "seaweedfs": first_line(lab_.tool("seaweedfs"), "version"),
        "rustc": first_line("rustc", "--version"),
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "cpu": next((name for name in cpu if not name.isdigit()), None),
        "cores": len(os.sched_getaffinity(0)),
        "memory_kib": int(memory),
        "filesystem": first_line("stat", "-f", "-c", "%T", str(folder)),
    }


def say(text):
    print(text, file=sys.stderr, flush=True)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="of each workload and program [3]")
    parser.add_argument("--quick", action="store_true",
                        help="tiny sizes and two runs: tries this program, measures nothing of worth")
    parser.add_argument("--scale", type=float, default=1.0, help="times the sizes and counts [1.0]")
    parser.add_argument("--only", default=",".join(WORKLOADS), help=f"of {','.join(WORKLOADS)} [all]")
    parser.add_argument("--peers", default=",".join(PEERS), help=f"of {','.join(PEERS)} [all]")
    parser.add_argument("--dir", default=tempfile.gettempdir(),
                        help="where the server and the copies are put, on a disk [$TMPDIR]")
    parser.add_argument("--offsite", type=pathlib.Path, help="this program; nothing is built")
    parser.add_argument("--output", type=pathlib.Path, help="the JSON file [results/DATE.json]")
    args = parser.parse_args()
    if args.quick:
        args.runs, args.scale = 2, 0.02
    args.only, args.peers = args.only.split(","), [name for name in args.peers.split(",") if name]
    unknown = (set(args.only) - set(WORKLOADS)) | (set(args.peers) - set(PEERS))
    if unknown or args.runs < 1 or args.scale <= 0:
        parser.error(f"unknown: {', '.join(unknown)}" if unknown else "runs and scale are positive")
    return args


def enough_room(folder, args):
    need = {"million": 18, "large": 9}.get(next((w for w in ("million", "large") if w in args.only), ""), 5)
    need = MIB << 10 if args.scale < 0.1 else round(need * 1024 * MIB * args.scale)
    free = shutil.disk_usage(folder).free
    if free < need:
        raise Failed(f"{folder} has {free // MIB} MiB free, {need // MIB} are needed; see --dir")


def interrupted(number, _):
    raise KeyboardInterrupt(signal.Signals(number).name)


def measure(args, begun, keep):
    offsite = args.offsite.resolve() if args.offsite else lab.build()
    folder = tempfile.mkdtemp(prefix="offsite-bench-", dir=args.dir)
    tools = args.peers + (["restic"] if "restic" in args.only else [])
    with Lab(folder, offsite, tools) as lab_:
        result = {"date": begun.isoformat(timespec="seconds"), "scale": args.scale,
                  "runs": args.runs, "machine": machine(lab_, args.peers, folder),
                  "undone": {name: PEERS[name].undone for name in args.peers}}
        bench = Bench(lab_, args.peers, args.runs, args.scale)
        for workload in args.only:
            getattr(bench, workload)()
            # What was measured stays, whatever happens to the next one.
            keep({**result, "targets": summary.targets(bench.measured), "measured": bench.measured})
    return bench.measured


def main():
    args = arguments()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    begun = datetime.datetime.now(datetime.timezone.utc)
    real = args.scale == 1.0
    folder = lab.HERE / "results" if real else lab.ROOT / "target" / "benches"
    output = args.output or folder / f"{begun:%Y-%m-%dT%H%MZ}.json"
    output.parent.mkdir(parents=True, exist_ok=True)

    def keep(result):
        output.write_text(json.dumps(result, indent=1) + "\n")
        output.with_suffix(".svg").write_text(summary.chart(result["measured"]))

    try:
        enough_room(args.dir, args)
        measured = measure(args, begun, keep)
    except (Failed, subprocess.CalledProcessError) as problem:
        say(f"error: {problem}")
        return 2
    except KeyboardInterrupt:
        say("interrupted; everything is removed again")
        return 130
    print(summary.table(measured))
    print()
    targets = summary.targets(measured)
    for row in targets:
        verdict = "met" if row["met"] else "MISSED"
        print(f"{verdict if real else '-':<8}{row['target']:<56}{row['value']:>8.2f}  wanted {row['wanted']}")
    say(f"raw numbers: {output}; charts: {output.with_suffix('.svg')}")
    return 1 if real and not all(row["met"] for row in targets) else 0


if __name__ == "__main__":
    sys.exit(main())
