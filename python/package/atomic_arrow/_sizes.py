"""Numbers, and numbers of bytes in words."""

from __future__ import annotations

import operator
import re
from typing import SupportsIndex

from ._errors import make

_UNITS = {"": 1, "B": 1}
for _power, _letter in enumerate("KMGT", start=1):
    _UNITS[f"{_letter}B"] = 1000**_power
    _UNITS[f"{_letter}IB"] = 1024**_power

_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*")


def size(option: str, value: int | str | None) -> int | None:
    """A number of bytes: an int, or a text such as ``"512MiB"``, ``"1.5 GB"``.

    >>> size("memory_limit", "512MiB")
    536870912
    """
    if not isinstance(value, str):
        return whole(option, value)
    match = _SIZE.fullmatch(value)
    if match is None or match[2].upper() not in _UNITS:
        raise invalid(option, f"{value!r} is no size, such as 512MiB or 2GB")
    return whole(option, int(float(match[1]) * _UNITS[match[2].upper()]))


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
