"""Numbers of bytes, in words."""

from __future__ import annotations

import re

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
    if value is None or isinstance(value, int):
        return value
    match = _SIZE.fullmatch(value)
    if match is None or match[2].upper() not in _UNITS:
        reason = f"{value!r} is no size, such as 512MiB or 2GB"
        raise make("InvalidOptionError", f"{option}: {reason}", outcome="not_published")
    return int(float(match[1]) * _UNITS[match[2].upper()])
