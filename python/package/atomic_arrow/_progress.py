"""Showing how far a write has come."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeAlias

from ._lib import Progress

OnProgress: TypeAlias = bool | Callable[[Progress], object]


class Shown:
    """Calls a function with how far a write has come, or moves a bar."""

    def __init__(self, progress: OnProgress, rows: int | None) -> None:
        self.call: Callable[[Progress], object] | None = None
        self._bar: Any = None
        if callable(progress):
            self.call = progress
        elif progress:
            self._bar = _bar(rows)
            self.call = self._move

    def _move(self, progress: Progress) -> None:
        self._bar.set_postfix(files=progress.files_finished, refresh=False)
        self._bar.update(progress.rows - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


def _bar(rows: int | None) -> Any:
    try:
        from tqdm.auto import tqdm  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        return _Line()
    return tqdm(total=rows, unit="rows", unit_scale=True, file=sys.stderr)


class _Line:
    """A line on standard error, where that is a terminal, for those without tqdm."""

    def __init__(self) -> None:
        self.n = 0
        self._files = 0

    def set_postfix(self, *, files: int, refresh: bool) -> None:
        self._files = files

    def update(self, rows: int) -> None:
        self.n += rows
        if sys.stderr is not None and sys.stderr.isatty():
            sys.stderr.write(f"\r{self.n:,} rows taken, {self._files:,} files finished")
            sys.stderr.flush()

    def close(self) -> None:
        if sys.stderr is not None and sys.stderr.isatty():
            sys.stderr.write("\n")
