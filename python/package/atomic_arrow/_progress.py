"""Showing how far something has come."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Generic, TypeAlias, TypeVar

from ._lib import Progress, ScanProgress

OnProgress: TypeAlias = bool | Callable[[Progress], object]
OnScan: TypeAlias = bool | Callable[[ScanProgress], object]
_P = TypeVar("_P", Progress, ScanProgress)


class _Shown(Generic[_P]):
    """Calls a function with how far something has come, or moves a bar."""

    _what: str
    """What is counted, in the plural, and what was done with it."""

    def __init__(self, progress: bool | Callable[[_P], object], total: int | None = None) -> None:
        self.call: Callable[[_P], object] | None = None
        self._bar: Any = None
        if callable(progress):
            self.call = progress
        elif progress:
            self._bar = _bar(total, self._what)
            self.call = self._move

    def _move(self, progress: _P) -> None:
        raise NotImplementedError

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


class Shown(_Shown[Progress]):
    """Shows how far a write has come."""

    _what = "rows taken"

    def _move(self, progress: Progress) -> None:
        self._bar.set_postfix(files=progress.files_finished, refresh=False)
        self._bar.update(progress.rows - self._bar.n)


class ShownScan(_Shown[ScanProgress]):
    """Shows how far a look at what is on disk has come, for as long as a block runs."""

    _what = "files looked at"

    def _move(self, progress: ScanProgress) -> None:
        self._bar.update(progress.files - self._bar.n)

    def __enter__(self) -> Callable[[ScanProgress], object] | None:
        return self.call

    def __exit__(self, *_: object) -> None:
        self.close()


def _bar(total: int | None, what: str) -> Any:
    try:
        from tqdm.auto import tqdm  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        return _Line(what)
    return tqdm(total=total, unit=what.split()[0], unit_scale=True, file=sys.stderr)


class _Line:
    """A line on standard error, where that is a terminal, for those without tqdm."""

    def __init__(self, what: str) -> None:
        self.n = 0
        self._what = what
        self._files: int | None = None

    def set_postfix(self, *, files: int, refresh: bool) -> None:
        self._files = files

    def update(self, count: int) -> None:
        self.n += count
        if sys.stderr is not None and sys.stderr.isatty():
            finished = "" if self._files is None else f", {self._files:,} files finished"
            sys.stderr.write(f"\r{self.n:,} {self._what}{finished}")
            sys.stderr.flush()

    def close(self) -> None:
        if sys.stderr is not None and sys.stderr.isatty():
            sys.stderr.write("\n")
