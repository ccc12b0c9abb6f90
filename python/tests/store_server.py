"""An object store on this machine, behind a proxy that can let its requests fail."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.dataset as ds
from pyarrow.fs import FileSelector, S3FileSystem
from skips import skip

TOP = Path(__file__).parents[2]
SECRET = "no-message-has-this"


class Unavailable(Exception):
    """There can be no server here; says why."""


class Server(NamedTuple):
    """A server, behind a proxy. What reads with pyarrow is for those that speak the protocol of S3."""

    process: subprocess.Popen[str]
    url: str
    endpoint: str
    options: dict[str, str]

    def tell(self, command: str) -> dict[str, Any]:
        """Gives the proxy a command, and its answer."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def filesystem(self) -> S3FileSystem:
        """The file system of pyarrow that reads from the server."""
        return S3FileSystem(
            access_key=self.options["aws_access_key_id"],
            secret_key=self.options["aws_secret_access_key"],
            endpoint_override=urlsplit(self.endpoint).netloc,
            scheme="http",
            region="us-east-1",
            allow_bucket_creation=False,
        )

    def rows(self, root: str) -> pa.Table:
        """The rows of a data set, as pyarrow reads them."""
        place = root.removeprefix("s3://")
        return ds.dataset(place, filesystem=self.filesystem(), partitioning="hive").to_table()

    def files(self, root: str) -> set[str]:
        """The keys below a root, with the bucket."""
        selector = FileSelector(root.removeprefix("s3://"), recursive=True)
        return {found.path for found in self.filesystem().get_file_info(selector)}

    def environment(self) -> dict[str, str]:
        """The variables that tell how the store is reached."""
        return {name.upper(): value for name, value in self.options.items()}


@contextmanager
def serve(kind: str = "seaweedfs") -> Iterator[Server]:
    """A server with the bucket ``lake``, until the block ends.

    :param kind: ``seaweedfs``, ``moto``, ``azurite`` or ``fake-gcs``.
    :raises Unavailable: If it does not run here.
    """
    command = ["cargo", "run", "--quiet", "--locked", "-p", "atomic-arrow-store-servers", "--"]
    command += ["serve", kind, "--bucket", "lake"]
    pipe = subprocess.PIPE
    try:
        process = subprocess.Popen(
            command, cwd=TOP, stdin=pipe, stdout=pipe, stderr=pipe, text=True
        )
    except FileNotFoundError:
        raise Unavailable("there is no cargo to build the server with") from None
    with process:
        assert process.stdout is not None and process.stderr is not None
        line = process.stdout.readline()
        if not line:
            raise Unavailable(f"{kind} does not run here: {process.stderr.read()}")
        told = json.loads(line)
        options = told["options"]
        if "aws_secret_access_key" in options:
            options["aws_secret_access_key"] = SECRET
        # It ends with its input.
        yield Server(process, told["url"], told["endpoint"], options)
        process.stdin and process.stdin.close()
        process.stderr.close()


@contextmanager
def serve_or_skip(kind: str = "seaweedfs") -> Iterator[Server]:
    """The same; where it does not run here the test is skipped."""
    try:
        with serve(kind) as server:
            yield server
    except Unavailable as why:
        skip(str(why))
