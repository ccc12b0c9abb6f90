"""Files of any bytes that are there as a whole before they are written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Unpack

from ._file import AtomicBinaryFile, AtomicTextFile, BinaryMode, Check, TextMode, open
from ._lib import PublishedFile
from ._options import Durability, FileOptions, Level, Staging
from ._paths import StrPath

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


def write_bytes(
    data: ReadableBuffer,
    path: StrPath,
    *,
    replace: bool = True,
    check: Check | None = None,
    **options: Unpack[FileOptions],
) -> PublishedFile:
    """Publishes a file of these bytes, whole or not at all.

    >>> write_bytes(b"11.5", lake / "raw/temp").bytes
    4

    :param replace: Whether a file that is there is replaced.
    :param check: The format that the bytes must have.
    :param options: As in :class:`FileOptions`.
    """
    mode: BinaryMode = "wb" if replace else "xb"
    with open(path, mode, check=check, **options) as file:
        file.write(data)
    return _published(file)


def write_text(
    text: str,
    path: StrPath,
    *,
    replace: bool = True,
    encoding: str = "utf-8",
    check: Check | None = None,
    **options: Unpack[FileOptions],
) -> PublishedFile:
    """Publishes a file of this text, whole or not at all; line ends stay as they are.

    :param replace: Whether a file that is there is replaced.
    :param check: The format that the bytes must have.
    :param options: As in :class:`FileOptions`.
    """
    mode: TextMode = "w" if replace else "x"
    with open(path, mode, encoding=encoding, newline="", check=check, **options) as file:
        file.write(text)
    return _published(file)


def write_json(
    value: Any,
    path: StrPath,
    *,
    replace: bool = True,
    verify: Level = "footer",
    durability: Durability = "synced",
    staging: Staging = "auto",
    **dumps: Any,
) -> PublishedFile:
    """Publishes a file of this value as JSON, read back before it is visible.

    >>> write_json({"station_id": 123}, lake / "raw/data.json").path.name
    'data.json'

    :param replace: Whether a file that is there is replaced.
    :param verify: As in :class:`FileOptions`, and so ``durability`` and ``staging``.
    :param dumps: Passed on to :func:`json.dumps`.
    :raises TypeError, ValueError: If the value is no JSON; nothing is published.
    """
    text = json.dumps(value, **dumps)
    return write_text(
        text,
        path,
        replace=replace,
        check="json",
        verify=verify,
        durability=durability,
        staging=staging,
    )


def _published(file: AtomicTextFile | AtomicBinaryFile) -> PublishedFile:
    # The commit has returned, so there is one.
    assert file.published is not None
    return file.published
