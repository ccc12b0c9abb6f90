"""Numbers, and numbers of bytes in words."""

from __future__ import annotations

import operator
from typing import SupportsIndex

from . import _lib
from ._errors import make


def size(option: str, value: int | str | None) -> int | None:
    """A number of bytes: an int, or a text such as ``"512MiB"``, ``"1.5 GB"``, ``"64k"``.

    >>> size("memory_limit", "512MiB")
    536870912
    """
    if not isinstance(value, str):
        return whole(option, value)
    return _lib.parse_size(option, value)


def whole(
    option: str, value: SupportsIndex | None, *, least: int = 0, most: int = 2**64 - 1
) -> int | None:
    """A whole number of a certain range."""
    if value is None:
        return None
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{option}: a whole number, not {type(value).__name__}") from None
    if not least <= number <= most:
        raise invalid(option, f"{number} is not of the numbers from {least} to {most}")
    return number


def invalid(option: str, reason: str) -> Exception:
    """The exception for an option that cannot be."""
    return make("InvalidOptionError", f"{option}: {reason}", outcome="not_published")
