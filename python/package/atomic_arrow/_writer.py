"""What the writers of rows have in common: what they are fed, and how they end."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import Generic, Self, TypeVar

from . import _lib
from ._data import Data, streams
from ._errors import (
    AtomicArrowError,
    BusyError,
    ClosedError,
    ForkedError,
    Interrupted,
    make,
    unpublished,
)
from ._lib import Stream

Inner = TypeVar("Inner", _lib.DatasetWriter, _lib.ArrowWriter)


class Writer(ABC, Generic[Inner]):
    """A writer that takes rows, and publishes all of them or nothing."""

    _inner: Inner | None = None
    _place: str
    _index: bool | None
    _poisoned: bool = False

    @abstractmethod
    def write(self, data: Data) -> None:
        """Takes all rows of some data."""

    @abstractmethod
    def commit(self) -> object:
        """Publishes everything that was written."""

    @abstractmethod
    def discard(self) -> None:
        """Removes everything that was written."""

    def _write(self, data: Data) -> None:
        self._check()
        self._feed(streams(data, index=self._index))

    def _feed(self, opened: Iterable[Stream]) -> None:
        """Takes all rows; after an exception some were taken, so nothing may be published."""
        taken = False
        with unpublished(self._place):
            try:
                for stream in opened:
                    self._check().write(stream)
                    taken = True
            except BaseException as error:
                # A writer that was closed before has nothing of these rows.
                if taken or not isinstance(error, ClosedError):
                    self._poison()
                raise

    def _poison(self) -> None:
        if self._inner is None:
            return
        before, self._poisoned = self._poisoned, True
        try:
            self._inner.discard()
        except (BusyError, ForkedError):
            # It is in use by the call that called back, or another process's.
            self._poisoned = before

    def _open(self) -> Inner:
        if self._inner is None:
            message = f"{self._place}: this {type(self).__name__} is closed"
            raise make("ClosedError", message, outcome="not_published")
        return self._inner

    def _check(self) -> Inner:
        inner = self._open()
        if self._poisoned:
            message = (
                f"{self._place}: an earlier write failed, so this writer can only be discarded"
            )
            raise make("PoisonedError", message, outcome="not_published")
        return inner

    def __enter__(self) -> Self:
        self._open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._inner is None:
            return
        if error is None:
            self.commit()
            return
        say_discarded(self._place, error)
        # In a forked process it is the parent's, and the exception is what matters.
        with suppress(ForkedError):
            self.discard()

    def __del__(self) -> None:
        if self._inner is not None:
            message = f"{self!r} was dropped: discarded"
            warnings.warn(message, ResourceWarning, stacklevel=2, source=self)


def say_discarded(path: str, error: BaseException) -> None:
    """Notes on an exception of the caller's what comes of it."""
    if not isinstance(error, AtomicArrowError | Interrupted):
        error.add_note(f"{path}: nothing was published")
