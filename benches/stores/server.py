"""The object store that is written to: SeaweedFS, which `atomic-arrow-store-servers serve` starts on this machine.

Writers reach it as the environment says: the server itself, or, where their requests are counted, a proxy before it.
"""

import json
import os
import subprocess
from pathlib import Path

import environment
import store
from pyarrow.fs import FileSelector, FileType, LocalFileSystem, copy_files

KIND = "seaweedfs"
# What S3 bills at the higher of its two prices, and at the lower one; whatever removes is free.
CLASS_A = (
    "put", "put-create", "put-replace", "copy", "list", "create-upload", "upload-part", "complete-upload", "list-uploads",
)
CLASS_B = ("head", "get", "get-range")


class Server:
    def __init__(self, program: Path) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([program, "serve", KIND], stdin=pipe, stdout=pipe, text=True)
        told = self.read()
        self.endpoint, self.proxy = told["server"], told["endpoint"]
        os.environ.update({name.upper(): value for name, value in told["options"].items()})
        os.environ["AWS_ENDPOINT"] = self.endpoint
        # SeaweedFS refuses the chunked signatures in which pyarrow's client would send a checksum.
        os.environ["AWS_REQUEST_CHECKSUM_CALCULATION"] = "when_required"
        self.files = store.filesystem(allow_bucket_creation=True, allow_bucket_deletion=True, request_timeout=120)

    def read(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{KIND} does not run here")
        return json.loads(line)

    def end(self) -> None:
        # It ends with its input.
        self.process.stdin.close()
        self.process.wait()

    def counts(self) -> dict[str, int]:
        """The requests that went through the proxy, by their kind."""
        self.process.stdin.write("counts\n")
        self.process.stdin.flush()
        return self.read()["counts"]

    def counted(self, write) -> dict[str, int]:
        """The billed requests of a write."""
        before = self.counts()
        os.environ["AWS_ENDPOINT"] = self.proxy
        try:
            write()
        finally:
            os.environ["AWS_ENDPOINT"] = self.endpoint
        made = {kind: count - before.get(kind, 0) for kind, count in self.counts().items()}
        return {
            "class A": sum(made.get(kind, 0) for kind in CLASS_A),
            "class B": sum(made.get(kind, 0) for kind in CLASS_B),
            "kinds": {kind: count for kind, count in made.items() if count},
        }

    def make_bucket(self, name: str) -> None:
        self.files.create_dir(name)
        # The first object of a bucket waits until there is space for the bucket.
        with self.files.open_output_stream(f"{name}/ready") as file:
            file.write(b"yes")

    def remove_bucket(self, name: str) -> None:
        """Removes a bucket, with which the server gives back the space on disk."""
        self.files.delete_dir(name)

    def sizes(self, root: str) -> dict[str, int]:
        """The number of data files below a root, and their bytes, without the log of a table format."""
        found = self.files.get_file_info(FileSelector(root, recursive=True))
        sizes = [
            info.size for info in found
            if info.type == FileType.File and info.extension == "parquet" and "/_delta_log/" not in info.path
        ]
        return {"files": len(sizes), "bytes": sum(sizes)}

    def download(self, root: str, to: Path) -> Path:
        to.mkdir()
        copy_files(root, str(to), source_filesystem=self.files, destination_filesystem=LocalFileSystem())
        return to


def version() -> str:
    """The server's, as it is installed."""
    lines = environment.lines(environment.PROJECT / "store-servers" / "servers" / f"{KIND}.txt")
    return next(line.split("==")[1] for line in lines if line.startswith("seaweedfs"))
