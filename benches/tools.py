"""The programs that are compared, each called as somebody who knows it well would call it."""

import json
import os

import lab


class Tool:
    """One program: how it copies a bucket into a folder, and what it then has not done."""

    #: What it left undone after a run, for the table.
    undone = ""
    #: Takes minutes where others take seconds, and so runs once.
    slow = False

    def __init__(self, lab_):
        self.lab = lab_

    def version(self):
        """The command that prints its version."""
        return [self.lab.tool(self.name), "--version"]

    def copy(self, bucket, folder, night=False):
        """The command and its environment; `night`: the copy is there, look for what is new."""
        raise NotImplementedError


class Rclone(Tool):
    name = "rclone"
    undone = "no SHA-256 kept, nothing synced, no record; multipart objects not checked"

    def version(self):
        return [self.lab.tool("rclone"), "version"]

    def copy(self, bucket, folder, night=False):
        # Parallel, one listing, no progress.
        command = [self.lab.tool("rclone"), "copy", f"bench:{bucket}", folder, "--fast-list",
                   "--transfers", "16", "--checkers", "16", "-q"]
        if night:
            # Without this each run sends a HEAD for every object.
            command += ["--use-server-modtime", "--update"]
        return command, self.lab.rclone_env()


class S5cmd(Tool):
    name = "s5cmd"
    undone = "nothing checked, nothing synced, no record"

    def version(self):
        return [self.lab.tool("s5cmd"), "version"]

    def copy(self, bucket, folder, night=False):
        # 256 workers are its default; 8 connections to a large object instead of 5.
        command = [self.lab.tool("s5cmd"), "--endpoint-url", self.lab.endpoint, "--log", "error",
                   "sync", "--concurrency", "8", "--part-size", "16", f"s3://{bucket}/*", f"{folder}/"]
        return command, self.lab.aws_env()


class Aws(Tool):
    name = "awscli"
    undone = "multipart objects not checked, nothing synced, no record"
    slow = True

    def copy(self, bucket, folder, night=False):
        config = self.lab.folder / "aws.config"
        config.write_text("[default]\ns3 =\n  max_concurrent_requests = 20\n  addressing_style = path\n"
                          "  multipart_chunksize = 16MB\n")
        command = [self.lab.tool("awscli"), "s3", "sync", f"s3://{bucket}", folder, "--endpoint-url",
                   self.lab.endpoint, "--only-show-errors"]
        return command, self.lab.aws_env(AWS_CONFIG_FILE=str(config))


class S3cmd(Tool):
    name = "s3cmd"
    undone = "one connection; MD5 mismatches are warnings, multipart not checked; nothing synced, no record"
    slow = True

    def copy(self, bucket, folder, night=False):
        config = self.lab.folder / "s3cfg"
        host = self.lab.endpoint.removeprefix("http://")
        config.write_text(f"[default]\naccess_key = {lab.READER[0]}\nsecret_key = {lab.READER[1]}\n"
                          f"host_base = {host}\nhost_bucket = {host}\nuse_https = False\n"
                          f"bucket_location = {lab.REGION}\nprogress_meter = False\n")
        # Without --no-check-md5 each run reads every file that is there.
        command = [self.lab.tool("s3cmd"), "-c", config, "sync", "--no-check-md5", "-q",
                   f"s3://{bucket}/", f"{folder}/"]
        return command, self.lab.env()


class S3sync(Tool):
    name = "s3sync"
    undone = "ETags checked, also of multipart objects; no SHA-256 kept, nothing synced, no record"

    def version(self):
        # Built without the feature that tells it: the folder it was built into does.
        return ["basename", os.path.dirname(os.path.dirname(self.lab.tool("s3sync")))]

    def copy(self, bucket, folder, night=False):
        command = [self.lab.tool("s3sync"), "--source-endpoint-url", self.lab.endpoint,
                   "--source-region", lab.REGION, "--source-force-path-style", "--worker-size", "32",
                   # As the uploader had it, or the ETags of multipart objects cannot be checked.
                   "--multipart-threshold", "16MiB", "--multipart-chunksize", "16MiB",
                   f"s3://{bucket}", f"{folder}/"]
        return command, self.lab.env(SOURCE_ACCESS_KEY=lab.READER[0],
                                     SOURCE_SECRET_ACCESS_KEY=lab.READER[1])


PEERS = {peer.name: peer for peer in (Rclone, S5cmd, Aws, S3cmd, S3sync)}


def give_times(lab_, bucket, folder, under=""):
    """Gives the files of a bucket's bytes the times that a downloader would: the bucket's own."""
    command = [lab_.tool("s5cmd"), "--json", "--endpoint-url", lab_.endpoint, "ls",
               f"s3://{bucket}/{under}*"]
    for line in lab_.lines(command, lab_.aws_env()):
        found = json.loads(line)
        path, when = folder / found["key"].split("/", 3)[3], lab.seconds(found["last_modified"])
        # A folder above some object may be listed too.
        if path.is_file():
            os.utime(path, (when, when))
