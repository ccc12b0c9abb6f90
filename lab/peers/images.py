"""File systems on loop devices whose power can be cut; unmounted and freed whatever happens.

A cut shuts the file system down without flushing its log, so that only what the kernel had written
by itself is there when it is mounted again. Where the file system cannot be shut down (Btrfs), a
copy of what its device holds at that instant is mounted in its place.
"""

import fcntl
import os
import shutil
import struct
import subprocess
import tempfile
import time
from pathlib import Path

PREFIX = "atomic-arrow-peers-"
GOING_DOWN = 0x8004587D
WITHOUT_FLUSHING = 2
SIZE = 400 << 20
FILE_SYSTEMS = {
    "ext4, data=ordered": (["mkfs.ext4", "-q", "-F"], "loop,data=ordered"),
    "ext4, data=writeback": (["mkfs.ext4", "-q", "-F"], "loop,data=writeback"),
    "XFS": (["mkfs.xfs", "-q", "-f"], "loop"),
    "Btrfs": (["mkfs.btrfs", "-q", "-f"], "loop"),
}


def run(*words):
    """Runs a program that has to succeed."""
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if done.returncode:
        raise OSError(f"{words[0]}: {done.stderr.strip() or done.stdout.strip()}")


def sweep():
    """Unmounts and removes what a run that was killed has left."""
    top = Path(tempfile.gettempdir())
    for left in top.glob(PREFIX + "*"):
        owner = left.name.removeprefix(PREFIX).split("-")[0]
        if owner.isdigit() and not os.path.exists(f"/proc/{owner}"):
            with open("/proc/mounts") as mounts:
                mounted = [line.split()[1] for line in mounts if f" {left}/" in line]
            for mount in reversed(mounted):
                subprocess.run(["umount", mount], check=False)
            shutil.rmtree(left, ignore_errors=True)


class Image:
    """One file system, as a context: mounted within, gone after it."""

    def __init__(self, kind):
        self.make, self.options = FILE_SYSTEMS[kind]
        self.directory = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
        self.image = self.directory / "image"
        self.mount = self.directory / "mount"
        self.cut_by = "shut down"

    def __enter__(self):
        try:
            self.mount.mkdir()
            with open(self.image, "wb") as image:
                image.truncate(SIZE)
            run(*self.make, self.image)
            self.boot()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if os.path.ismount(self.mount):
            self.unmount()
        shutil.rmtree(self.directory, ignore_errors=True)

    def boot(self):
        run("mount", "-o", self.options, self.image, self.mount)

    def unmount(self):
        # A process that has just been killed may hold a file a moment longer.
        for attempt in range(50):
            try:
                return run("umount", self.mount)
            except OSError:
                if attempt == 49:
                    raise
                time.sleep(0.1)

    def cut(self, after=lambda: None):
        """Cuts the power and turns it on again; `after` ends those who still write."""
        descriptor = os.open(self.mount, os.O_RDONLY)
        copy = self.directory / "copy"
        try:
            fcntl.ioctl(descriptor, GOING_DOWN, struct.pack("I", WITHOUT_FLUSHING))
        except OSError:
            self.cut_by = "copied"
            run("cp", "--sparse=always", self.image, copy)
        finally:
            os.close(descriptor)
        after()
        self.unmount()
        if copy.exists():
            copy.rename(self.image)
        self.boot()

    def settle(self):
        """Makes all that is there durable."""
        run("sync", "-f", self.mount)

    def somebody_syncs(self):
        """Another program syncs a file of its own."""
        with open(self.mount / "unrelated", "ab") as file:
            file.write(b"something else\n")
            file.flush()
            os.fsync(file.fileno())
