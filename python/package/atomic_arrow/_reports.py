"""Whether files are sound, what a data set consists of, and what dead writers left."""

from __future__ import annotations

import datetime
import os
import warnings
from collections.abc import Callable, Iterable
from typing import Literal, TypeAlias, get_args

from . import _lib
from ._encryption import ColumnKeys, Key, key_options
from ._lib import FileReport, Inspection, Recovery, Verification
from ._options import Staging, staging_place, store_options
from ._paths import StrPath, place
from ._progress import OnScan, ShownScan
from ._sizes import invalid, size
from ._stores import StorageOptions

CheckLevel: TypeAlias = Literal["footer", "checksum", "decode"]


def verify(
    path: StrPath | Iterable[StrPath],
    *,
    level: CheckLevel = "footer",
    cross_mounts: bool = False,
    footer_key: Key | None = None,
    column_keys: ColumnKeys | None = None,
    aad_prefix: bytes | str | None = None,
    storage_options: StorageOptions | None = None,
    on_file: Callable[[FileReport], object] | None = None,
    progress: OnScan = False,
) -> Verification:
    """Checks files, and every data file under directories; damage is in the report.

    >>> _ = (lake / "torn.parquet").write_bytes(b"PAR1 and not much more")
    >>> verification = verify(lake)
    >>> verification.is_sound
    False
    >>> [file.path.name for file in verification.damaged]
    ['torn.parquet']

    :param path: A path, or a URL (``file://``, ``s3://`` and so on), or several.
    :param level: For Parquet, ``"footer"`` checks the structure, ``"checksum"`` also every page and
        its checksum where it has one, and all bytes where the file carries their hash, as those written here do;
        ``"decode"`` also every value. Other formats are read as a whole.
    :param cross_mounts: Whether also files and directories are checked on which something else is
        mounted. Like symbolic links below the path, and pipes, devices and sockets, they are reported
        as not checkable otherwise, and not opened.
    :param footer_key: The key of encrypted Parquet, or a function that gives it. Files that are encrypted are reported as
        not checkable without it, and files that are not are checked as ever.
    :param column_keys: The keys of columns that have their own, by their paths.
    :param aad_prefix: What was given as such to the writer, where the files do not tell it.
    :param storage_options: As of :class:`ObjectStoreOptions`.
    :param on_file: Called with each report as it comes.
    :param progress: ``True`` for a bar, or a function that is called with a :class:`ScanProgress`.
    :raises InvalidOptionError: If there is no such level.
    :raises ReadError: If the system would not read a file or directory. Nothing was changed.
    """
    if level not in get_args(CheckLevel):
        # Writers have a level that checks nothing, of which nothing could be told.
        known = ", ".join(get_args(CheckLevel))
        raise invalid("level", f"{level!r} is none of {known}")
    paths = [path] if isinstance(path, str | os.PathLike) else list(path)
    keys = key_options(
        {"footer_key": footer_key, "column_keys": column_keys, "aad_prefix": aad_prefix}
    )
    places = [place(one) for one in paths]
    store = store_options(storage_options)
    with ShownScan(progress) as call:
        verification = _lib.verify(places, level, cross_mounts, keys | store, on_file, call)
    return verification


def inspect(
    root: StrPath,
    *,
    small_file: int | str = "1MiB",
    cross_mounts: bool = False,
    footer_key: Key | None = None,
    column_keys: ColumnKeys | None = None,
    aad_prefix: bytes | str | None = None,
    staging: Staging = "auto",
    storage_options: StorageOptions | None = None,
    progress: OnScan = False,
) -> Inspection:
    """Looks at a data set: its partitions, rows, bytes, and what readers may stumble over.

    >>> import pyarrow as pa
    >>> rows = pa.table({"station": ["010010"], "temp": [11.5]})
    >>> _ = write_dataset(rows, lake / "weather", partition_by="station")
    >>> [oddity.kind for oddity in inspect(lake / "weather").oddities]
    ['leading-zero']

    :param root: A path, or a URL: ``file://``, or of an object store, as ``s3://bucket/weather``.
    :param small_file: Files of fewer bytes are small.
    :param cross_mounts: Whether to look into what is mounted below the root. Symbolic links are never
        followed, and pipes, devices and sockets never opened.
    :param footer_key: The key of encrypted Parquet, or a function that gives it; as of :func:`verify`.
    :param column_keys: The keys of columns that have their own.
    :param aad_prefix: As of :func:`verify`.
    :param staging: Where the writers stage their files.
    :param storage_options: As of :class:`ObjectStoreOptions`.
    :param progress: ``True`` for a bar, or a function that is called with a :class:`ScanProgress`.
    :raises InvalidPathError, ReadError: If the root is no directory or cannot be listed. Nothing was
        changed.
    """
    limit = size("small_file", small_file)
    keys = key_options(
        {"footer_key": footer_key, "column_keys": column_keys, "aad_prefix": aad_prefix}
    )
    area, store = staging_place(staging), store_options(storage_options)
    with ShownScan(progress) as call:
        return _lib.inspect(place(root), limit or 0, cross_mounts, keys | store, area, call)


def recover(
    root: StrPath,
    *,
    dry_run: bool = False,
    abort_unfinished: bool = False,
    staging: Staging = "auto",
    storage_options: StorageOptions | None = None,
    dead_after: float | datetime.timedelta | None = None,
    progress: OnScan = False,
) -> Recovery:
    """Finishes or removes what dead writers left of a data set.

    Every writer does the same when it opens the data set, so this is needed only where none comes. It
    is safe at any time, beside any number of writers.

    >>> recover(lake)
    <Recovery: 0 transactions finished, 0 aborted, 0 staging files removed; 0 left of live writers, 0 failures>

    :param root: A path, or a URL: ``file://``, or of an object store, as ``s3://bucket/weather``.
    :param dry_run: Whether to say only what would be done.
    :param abort_unfinished: Whether to give up commits that cannot be finished. What is published of them
        stays, the rest of their rows is removed, a :class:`UserWarning` says so, and a repeated write of
        the same name writes all of its rows again. Nothing is given up for want of room on the disk. Of commits
        whose staging area is out of reach, only the marker that keeps others from writing is removed, with a
        warning.
    :param staging: Where the writers stage their files.
    :param storage_options: As of :class:`ObjectStoreOptions`.
    :param dead_after: As of :class:`ObjectStoreOptions`.
    :param progress: ``True`` for a bar, or a function that is called with a :class:`ScanProgress`. What it raises
        ends the recovery; what was done before is done.
    :raises InvalidPathError, IoError: If the root cannot be resolved. What is in the way of single
        files is in the report.
    """
    area, store = staging_place(staging), store_options(storage_options, dead_after)
    with ShownScan(progress) as call:
        recovery = _lib.recover(place(root), dry_run, abort_unfinished, area, store, call)
    for transaction in recovery.abandoned:
        warnings.warn(
            f"{root}: {transaction} is given up: what it had published stays, the rest is removed, and a name"
            " it had is not remembered",
            stacklevel=2,
        )
    for marker in recovery.forgotten:
        warnings.warn(
            f"{root}: the commit of {marker} may be published in part; whoever reaches its staging area later"
            " publishes the rest, over what was written since",
            stacklevel=2,
        )
    return recovery
