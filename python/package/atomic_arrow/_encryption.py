"""The keys of encrypted Parquet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

Key: TypeAlias = bytes | Callable[[], bytes]
ColumnKeys: TypeAlias = Mapping[str, Key]


def key_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that are about keys, as the library takes them."""
    return {name: change(options[name]) for name, change in CHANGES.items() if name in options}


def _key(name: str, key: Key | None) -> bytes | None:
    if callable(key):
        key = key()
    if key is None:
        return None
    if not isinstance(key, bytes | bytearray):
        # The value is not shown: it may be the key all the same.
        raise TypeError(f"{name}: a key is of bytes, not of {type(key).__name__}")
    return bytes(key)


def _column_keys(keys: ColumnKeys | None) -> dict[str, bytes] | None:
    if keys is None:
        return None
    if not isinstance(keys, Mapping):
        # The value is not shown, as that of a key.
        raise TypeError(f"column_keys: a dictionary, not {type(keys).__name__}")
    found = {}
    for column, key in keys.items():
        name = f"column_keys[{column!r}]"
        value = _key(name, key)
        if value is None:
            raise TypeError(f"{name}: there is no key")
        found[column] = value
    return found


def _prefix(prefix: bytes | str | None) -> bytes | None:
    return prefix.encode() if isinstance(prefix, str) else prefix


CHANGES: dict[str, Callable[[Any], object]] = {
    "footer_key": lambda key: _key("footer_key", key),
    "column_keys": _column_keys,
    "aad_prefix": _prefix,
}
"""How each option that is about keys becomes what the library takes."""
