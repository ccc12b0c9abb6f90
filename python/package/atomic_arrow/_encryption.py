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
    if key is None:
        return None
    if callable(key):
        # What it lacks is never taken for no key: the files would be in the clear.
        key = key()
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
        if not isinstance(column, str):
            raise TypeError(f"column_keys: a column is a text, not {type(column).__name__}")
        name = f"column_keys[{column!r}]"
        value = _key(name, key)
        if value is None:
            raise TypeError(f"{name}: there is no key")
        found[column] = value
    return found


def _prefix(prefix: bytes | str | None) -> bytes | None:
    if prefix is None or isinstance(prefix, bytes):
        return prefix
    if not isinstance(prefix, str):
        raise TypeError(f"aad_prefix: bytes or a text are needed, not {type(prefix).__name__}")
    return prefix.encode()


CHANGES: dict[str, Callable[[Any], object]] = {
    "footer_key": lambda key: _key("footer_key", key),
    "column_keys": _column_keys,
    "aad_prefix": _prefix,
}
"""How each option that is about keys becomes what the library takes."""
