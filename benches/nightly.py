#!/usr/bin/env python3
"""Measures offsite against rclone on this machine. See README.md beside this file."""

import argparse
import datetime
import json
import os
import pathlib
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import lab
from lab import Failed, Lab

MIB = 1 << 20
# Like an experienced user: parallel, one listing, no progress.
RCLONE = ["--fast-list", "--transfers", "8", "--checkers", "16", "-q"]
# Every night the same: without this each run sends a HEAD for every object.
NIGHTLY = ["--use-server-modtime", "--update"]


class Bench:
    """The workloads, and what was measured."""

    def __init__(self, lab_, runs, scale):
        self.lab, self.runs, self.scale = lab_, runs, scale
        self.measured = {}

    def scaled(self, number):
        return max(1, round(number * self.scale))

    def in_turn(self, workload, contestants):
        """A B A B: what disturbs the machine for a while disturbs both."""
        series = self.measured.setdefault(workload, {})
        for number in range(1, self.runs + 1):
            for name, contestant in contestants.items():
                run = contestant()
                series.setdefault(name, []).append(run)
                say(f"{workload} {number}/{self.runs} {name}: {run['wall']:.2f} s, "
                    f"{(run['user'] + run['sys']):.2f} s CPU, {run['rss_kib'] / 1024:.1f} MiB")

    # --- workloads

    def small(self):
        """Many small objects come for the first time."""
        count, size = self.scaled(10_000), 16 << 10
        self.fill("small", count, size)
        self.in_turn("small", {
            "offsite": lambda: self.offsite_first("small", count, count * size),
            "rclone": lambda: self.rclone_first("small", count, count * size),
        })
        self.lab.clear()

    def large(self):
        """Large objects come for the first time; rclone's user looks at the bytes and syncs."""
        count, size = 2, self.scaled(1 << 30)
        self.fill("large", count, size)
        self.lab.clear()

        def once(first):
            run = first()
            # There is no room for all of them.
            self.lab.clear()
            return run

        self.in_turn("large", {
            "offsite": lambda: once(
                lambda: self.offsite_first("large", count, count * size)),
            "rclone": lambda: once(
                lambda: self.rclone_first("large", count, count * size, then=True)),
        })

    def unchanged(self):
        """Nothing is new in a bucket of many objects, and in one of few."""
        few, many, size = self.scaled(1_000), self.scaled(100_000), 1 << 10
        self.fill("few", few, size)
        self.fill("many", many, size)
        store_of_few, store_of_many = self.init("few"), self.init("many")
        copy = self.lab.new_folder("rclone")
        self.offsite_pull(store_of_few)
        # Once, and for the record: what is compared are the runs after it.
        self.measured["first-pull-of-many"] = {
            "offsite": [self.offsite_pull(store_of_many)],
            "rclone": [self.rclone_copy("many", copy, *NIGHTLY)],
        }
        self.in_turn("unchanged", {
            "offsite": lambda: self.still(
                latest(store_of_many), many, lambda: self.offsite_pull(store_of_many)),
            "rclone": lambda: self.still(
                copy, many, lambda: self.rclone_copy("many", copy, *NIGHTLY)),
        })
        self.in_turn("unchanged-few", {"offsite": lambda: self.offsite_pull(store_of_few)})
        self.in_turn("status", {"offsite": lambda: self.offsite("status", store_of_many)})
        self.lab.clear()

    # --- one run

    def fill(self, bucket, count, size):
        begin = time.monotonic()
        self.lab.fill(bucket, count, size)
        say(f"bucket {bucket}: {count} x {size} bytes, filled in {time.monotonic() - begin:.0f} s")

    def offsite_first(self, bucket, count, size):
        store = self.init(bucket)
        run = self.offsite_pull(store)
        complete(latest(store), count, size)
        return run

    def rclone_first(self, bucket, count, size, then=False):
        copy = self.lab.new_folder("rclone")
        run = self.rclone_copy(bucket, copy, then=then)
        complete(copy, count, size)
        return run

    def init(self, bucket):
        """A fresh store."""
        store = self.lab.new_folder("offsite")
        self.lab.run([
            self.lab.offsite, "-c", config(store), "init", "--store", store, "--source", "b",
            "--bucket", bucket, "--endpoint", self.lab.endpoint, "--region", lab.REGION,
            "--allow-root-fs"], self.lab.offsite_env())
        return store

    def offsite_pull(self, store):
        return self.offsite("pull", store)

    def offsite(self, command, store):
        return self.lab.measure(
            [self.lab.offsite, "-c", config(store), command], self.lab.offsite_env())

    def rclone_copy(self, bucket, folder, *options, then=False):
        command = [self.lab.rclone, "copy", f"bench:{bucket}", folder, *RCLONE, *options]
        if then:
            script = ('folder=$1; shift; "$@" && find "$folder" -type f -exec sha256sum {} + '
                      '>"$folder.sums" && sync -f "$folder"')
            command = ["sh", "-c", script, "sh", folder, *command]
        return self.lab.measure(command, self.lab.rclone_env())

    def still(self, folder, count, pull):
        """A run that must find nothing to do."""
        begin = time.time()
        run = pull()
        files, _, changed = lab.holds(folder)
        if files != count or changed >= begin:
            raise Failed(f"{folder}: {files} of {count} files, or some were written again")
        return run


def config(store):
    return store.with_suffix(".toml")


def latest(store):
    return store / "b" / "latest"


def complete(folder, count, size):
    files, there, _ = lab.holds(folder)
    if (files, there) != (count, size):
        raise Failed(f"{folder}: {files} files of {count}, {there} bytes of {size}")


# --- what came of it


def targets(measured):
    """Each target with the value it got and whether that is good; only what was measured."""
    def median(workload, name, field="wall"):
        runs = measured.get(workload, {}).get(name)
        return statistics.median(run[field] for run in runs) if runs else None

    def ratio(workload):
        a, b = median(workload, "offsite"), median(workload, "rclone")
        return a / b if a is not None and b is not None else None

    peaks = {w: max(run["rss_kib"] for run in measured[w]["offsite"])
             for w in ("small", "large", "unchanged", "first-pull-of-many") if w in measured}
    few, many = (median(w, "offsite", "rss_kib") for w in ("unchanged-few", "unchanged"))
    status = median("status", "offsite")
    rows = [
        ("small: wall, offsite / rclone", ratio("small"), "<= 1.0", lambda v: v <= 1.0),
        ("large: wall, offsite / (rclone, sha256sum, sync)", ratio("large"), "< 1.0", lambda v: v < 1.0),
        ("unchanged: wall, offsite / rclone", ratio("unchanged"), "<= 0.6", lambda v: v <= 0.6),
        ("highest peak RSS of offsite, MiB", max(peaks.values()) / 1024 if peaks else None,
         "< 64", lambda v: v < 64),
        ("unchanged: peak RSS, many / few objects", many / few if many and few else None,
         "0.9 to 1.1", lambda v: 0.9 <= v <= 1.1),
        ("status over many: wall, ms", status * 1000 if status else None, "< 100", lambda v: v < 100),
    ]
    return [{"target": name, "value": value, "wanted": wanted, "met": good(value)}
            for name, value, wanted, good in rows if value is not None]


def table(measured):
    """What was measured, for people."""
    lines = [f"{'workload':<20}{'program':<9}{'wall s: median (min-max)':<27}"
             f"{'CPU s':>8}{'peak RSS MiB':>14}{'wall ratio':>12}"]
    for workload, series in measured.items():
        for name, runs in series.items():
            walls = [run["wall"] for run in runs]
            wall = f"{statistics.median(walls):.3f} ({min(walls):.3f}-{max(walls):.3f})"
            cpu = statistics.median(run["user"] + run["sys"] for run in runs)
            rss = max(run["rss_kib"] for run in runs) / 1024
            other = series.get("rclone") if name == "offsite" else None
            ratio = ""
            if other:
                ratio = f"{statistics.median(walls) / statistics.median(r['wall'] for r in other):.2f}"
            lines.append(f"{workload:<20}{name:<9}{wall:<27}{cpu:>8.2f}{rss:>14.1f}{ratio:>12}".rstrip())
    return "\n".join(lines)


def machine(lab_, folder):
    """What the numbers depend on."""
    def first_line(*command):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              text=True, cwd=lab.ROOT)
        return done.stdout.splitlines()[0] if done.stdout else None

    cpu = [line.partition(":")[2].strip() for line in open("/proc/cpuinfo")
           if line.lower().startswith(("model name", "hardware", "model"))]
    memory = next(line.split()[1] for line in open("/proc/meminfo") if line.startswith("MemTotal"))
    return {
        "offsite": first_line(lab_.offsite, "--version"),
        "commit": first_line("git", "describe", "--always", "--dirty"),
        "rclone": first_line(lab_.rclone, "version"),
        "seaweedfs": first_line(lab_.weed, "version"),
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
    parser.add_argument("--runs", type=int, default=5, help="of each workload and program [5]")
    parser.add_argument("--quick", action="store_true",
                        help="tiny sizes and two runs: tries this program, measures nothing of worth")
    parser.add_argument("--scale", type=float, default=1.0, help="times the sizes and counts [1.0]")
    parser.add_argument("--only", default="small,large,unchanged", help="workloads [all]")
    parser.add_argument("--dir", default=tempfile.gettempdir(),
                        help="where the server and the copies are put, on a disk [$TMPDIR]")
    parser.add_argument("--offsite", type=pathlib.Path, help="this program; nothing is built")
    parser.add_argument("--output", type=pathlib.Path, help="the JSON file [results/DATE.json]")
    args = parser.parse_args()
    if args.quick:
        args.runs, args.scale = 2, 0.04
    args.only = args.only.split(",")
    unknown = set(args.only) - {"small", "large", "unchanged"}
    if unknown or args.runs < 1 or args.scale <= 0:
        parser.error(f"unknown workload {unknown}" if unknown else "runs and scale are positive")
    return args


def enough_room(folder, scale):
    need = 1024 * MIB + round(9 * 1024 * MIB * scale)
    free = shutil.disk_usage(folder).free
    if free < need:
        raise Failed(f"{folder} has {free // MIB} MiB free, {need // MIB} are needed; see --dir")


def interrupted(number, _):
    raise KeyboardInterrupt(signal.Signals(number).name)


def measure(args, begun):
    offsite = args.offsite.resolve() if args.offsite else lab.build()
    folder = tempfile.mkdtemp(prefix="offsite-bench-", dir=args.dir)
    with Lab(folder, offsite) as lab_:
        about = machine(lab_, folder)
        bench = Bench(lab_, args.runs, args.scale)
        for workload in args.only:
            getattr(bench, workload)()
    return {"date": begun.isoformat(timespec="seconds"), "scale": args.scale, "runs": args.runs,
            "machine": about, "targets": targets(bench.measured), "measured": bench.measured}


def main():
    args = arguments()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    begun = datetime.datetime.now(datetime.timezone.utc)
    try:
        enough_room(args.dir, args.scale)
        result = measure(args, begun)
    except (Failed, subprocess.CalledProcessError) as problem:
        say(f"error: {problem}")
        return 2
    except KeyboardInterrupt:
        say("interrupted; everything is removed again")
        return 130
    real = args.scale == 1.0
    folder = lab.HERE / "results" if real else lab.ROOT / "target" / "benches"
    output = args.output or folder / f"{begun:%Y-%m-%dT%H%MZ}.json"
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(result, indent=1) + "\n")
    print(table(result["measured"]))
    print()
    for row in result["targets"]:
        verdict = "met" if row["met"] else "MISSED"
        print(f"{verdict if real else '-':<8}{row['target']:<50}{row['value']:>8.2f}  wanted {row['wanted']}")
    say(f"raw numbers: {output}")
    return 1 if real and not all(row["met"] for row in result["targets"]) else 0


if __name__ == "__main__":
    sys.exit(main())
