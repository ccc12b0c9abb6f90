"""Files of any bytes, whole or absent, as Python's own file objects."""

from __future__ import annotations

import io
import warnings
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, Unpack, overload

from . import _lib
from ._errors import DiscardedWarning, make
from ._lib import PublishedFile
from ._options import FileOptions, prepared
from ._paths import StrPath, place
from ._writer import say_discarded

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

TextMode: TypeAlias = Literal["w", "wt", "tw", "x", "xt", "tx"]
BinaryMode: TypeAlias = Literal["wb", "bw", "xb", "bx"]
Check: TypeAlias = Literal["json", "ndjson", "csv", "parquet", "ipc", "ipc_stream"]

_AT_ONCE = 4 << 20
"""The most bytes that are written before a signal is heeded."""


class _Raw(io.RawIOBase):
    """The unbuffered file. Closing it discards it: it may be closed by the garbage collector."""

    def __init__(self, path: str, options: dict[str, Any]) -> None:
        self._inner: _lib.File | None = None
        self._inner = _lib.File(path, options)
        self.final_path: Path | Any = self._inner.path
        self.published: PublishedFile | None = None
        self.settled = False
        """Whether :meth:`commit` or :meth:`discard` was asked for, not merely a close."""

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._open().tell()

    def write(self, data: ReadableBuffer, /) -> int:
        view = memoryview(data)
        # A view of no bytes cannot be cast.
        view = view.cast("B") if view.nbytes else memoryview(b"")
        return self._open().write(view[:_AT_ONCE])

    def _open(self) -> _lib.File:
        if self._inner is None:
            raise ValueError("I/O operation on closed file.")
        return self._inner

    def commit(self) -> PublishedFile:
        inner = self._open()
        self._inner = None
        self.published = inner.commit()
        return self.published

    def discard(self) -> None:
        inner = getattr(self, "_inner", None)
        self._inner = None
        if inner is not None:
            inner.discard()

    @property
    def is_open(self) -> bool:
        return getattr(self, "_inner", None) is not None

    def close(self) -> None:
        self.discard()
        super().close()


class _Atomic(ABC):
    """What the two kinds of files have in common."""

    _raw: _Raw

    @property
    def final_path(self) -> Path | Any:
        """Where the file will be published."""
        return self._raw.final_path

    @property
    def published(self) -> PublishedFile | None:
        """The published file; ``None`` before the commit."""
        return self._raw.published

    @abstractmethod
    def commit(self) -> PublishedFile:
        """Publishes the file."""

    @abstractmethod
    def discard(self) -> None:
        """Removes what was written."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._raw.settled:
            return
        if error is not None:
            say_discarded(str(self.final_path), error)
            self.discard()
        elif self._raw.is_open:
            self.commit()
        else:
            message = "something closed the file within its with block, so nothing was published"
            raise make("ClosedError", f"{self.final_path}: {message}", outcome="not_published")

    @abstractmethod
    def _end(self) -> None:
        """Closes the file, and removes what is not published."""

    def close(self) -> None:
        """Closes the file: without a commit before, what was written is discarded."""
        self._warn(DiscardedWarning, "closed", 2)
        self._end()

    def __del__(self) -> None:
        # Not there if the initialisation failed.
        if hasattr(self, "_raw"):
            self._warn(ResourceWarning, "dropped", 2)
            self._end()

    def _check_open(self) -> None:
        if not self._raw.is_open:
            message = f"{self.final_path}: this file is closed"
            raise make("ClosedError", message, outcome="not_published")

    def _warn(self, kind: type[Warning], how: str, level: int) -> None:
        if self._raw.is_open:
            message = f"{self.final_path} was {how} without a commit: discarded"
            warnings.warn(message, kind, stacklevel=level + 1)


class AtomicBinaryFile(_Atomic, io.BufferedWriter):
    """A binary file that becomes visible all at once, by :meth:`commit`; made by :func:`open`."""

    def __init__(self, raw: _Raw) -> None:
        self._raw = raw
        io.BufferedWriter.__init__(self, raw)

    def commit(self) -> PublishedFile:
        """Syncs, verifies and publishes the file, and closes it.

        :raises AlreadyExistsError: If the name was taken meanwhile and ``mode`` is ``"x"``.
        :raises DamagedError: If it is not of the format asked for.
        :raises NotDurableError: If it is published, but may not survive a power cut.
        :raises ClosedError: If it was committed, discarded or closed before.
        :raises AtomicArrowError: Whatever else fails; nothing is published then.
        """
        self._check_open()
        self._raw.settled = True
        try:
            self.flush()
            return self._raw.commit()
        finally:
            self._end()

    def discard(self) -> None:
        """Removes what was written, and closes the file."""
        self._raw.settled = True
        self._end()

    def _end(self) -> None:
        self._raw.discard()
        # What is still in the buffer has nowhere to go.
        self._raw.close()


class AtomicTextFile(_Atomic, io.TextIOWrapper):
    """A text file that becomes visible all at once, by :meth:`commit`; made by :func:`open`."""

    def __init__(
        self, binary: AtomicBinaryFile, encoding: str, errors: str | None, newline: str | None
    ) -> None:
        self._binary = binary
        self._raw = binary._raw
        io.TextIOWrapper.__init__(self, binary, encoding=encoding, errors=errors, newline=newline)

    def commit(self) -> PublishedFile:
        """Syncs, verifies and publishes the file, and closes it.

        :raises AlreadyExistsError: If the name was taken meanwhile and ``mode`` is ``"x"``.
        :raises DamagedError: If it is not of the format asked for.
        :raises NotDurableError: If it is published, but may not survive a power cut.
        :raises ClosedError: If it was committed, discarded or closed before.
        :raises AtomicArrowError: Whatever else fails; nothing is published then.
        """
        self._check_open()
        try:
            self.flush()
            return self._binary.commit()
        finally:
            self._binary.discard()

    def discard(self) -> None:
        """Removes what was written, and closes the file."""
        self._binary.discard()

    def _end(self) -> None:
        self._binary._end()


@overload
def open(
    path: StrPath,
    mode: TextMode = "w",
    *,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    check: Check | None = None,
    **options: Unpack[FileOptions],
) -> AtomicTextFile: ...


@overload
def open(
    path: StrPath,
    mode: BinaryMode,
    *,
    check: Check | None = None,
    **options: Unpack[FileOptions],
) -> AtomicBinaryFile: ...


def open(
    path: StrPath,
    mode: TextMode | BinaryMode = "w",
    *,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    check: Check | None = None,
    **options: Unpack[FileOptions],
) -> AtomicTextFile | AtomicBinaryFile:
    """Opens a file for writing that appears whole, or not at all.

    A ``with`` block commits on a clean exit and discards on any exception. Without one, call
    ``commit()``: a file that is merely closed or dropped is discarded, with a warning, since nobody
    can tell whether it was complete. So is one that something closes within its ``with`` block, as
    :class:`io.TextIOWrapper` closes what it wraps; the block ends in :class:`ClosedError` then.
    Missing directories are made by the commit. What calls the methods of a file object can write to
    it; what asks for its descriptor, as ``tofile`` of a NumPy array does, cannot.

    >>> import json
    >>> with open(lake / "raw/station_id=123/data.json", "w") as f:
    ...     json.dump({"station_id": 123, "temp": 11.5}, f)
    >>> (lake / "raw/station_id=123/data.json").read_text()
    '{"station_id": 123, "temp": 11.5}'

    :param path: A path, or a URL: ``file://``, or of an object store, as ``s3://bucket/raw/data.json``.
    :param mode: ``"w"`` replaces a file that is there, ``"x"`` refuses to; with ``"b"`` the file takes
        bytes, else text.
    :param encoding: The text's encoding; by default UTF-8, whatever the locale.
    :param errors: As of :func:`open`.
    :param newline: As of :func:`open`.
    :param check: The format that the bytes must have: a file that is not of it is not published. Parquet is checked as
        closely as ``verify`` says, every other format is read as a whole; ``verify="skip"`` is refused beside it.
    :param options: As in :class:`FileOptions`.
    :raises AlreadyExistsError: If the path is taken and ``mode`` is ``"x"``.
    :raises InvalidPathError, IoError: If no such file can be. Nothing is on disk then.
    """
    letters = sorted(mode)
    if letters not in (["w"], ["t", "w"], ["b", "w"], ["x"], ["t", "x"], ["b", "x"]):
        raise ValueError(
            f"mode {mode!r}: it is w or x, and perhaps b or t; nothing can be read here"
        )
    binary = "b" in mode
    if binary and not encoding is errors is newline is None:
        raise ValueError("binary mode takes no encoding, errors or newline")
    taken = prepared(options)
    taken["replace"] = "w" in mode
    taken["check"] = check
    file = AtomicBinaryFile(_Raw(place(path), taken))
    if binary:
        return file
    try:
        return AtomicTextFile(file, encoding or "utf-8", errors, newline)
    except BaseException:
        file.discard()
        raise
