"""Options of a write as texts, in which engines hand them over: spelled as those of the command."""

from __future__ import annotations

import base64
import binascii
import datetime
import json
import os
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

from ._options import WriteOptions, check_names
from ._sizes import invalid


def options_of_texts(texts: Mapping[str, str]) -> WriteOptions:
    """The options that some texts mean, each as in ``atomic-arrow write --help``.

    >>> options_of_texts({"compression": "zstd(3),note=snappy", "threads": "2", "success_file": "true"})
    {'compression': {None: 'zstd(3)', 'note': 'snappy'}, 'threads': 2, 'success_file': True}

    :raises TypeError: If there is no such option.
    :raises InvalidOptionError: If a text is no value of its option.
    """
    check_names(texts, WriteOptions)
    taken = {name: _READ.get(name, _as_it_is)(name, text) for name, text in texts.items()}
    return cast(WriteOptions, taken)


def switch(option: str, text: str) -> bool:
    """Whether something is on."""
    found = _SWITCHES.get(text.strip().lower())
    if found is None:
        raise invalid(option, f"{text!r} is none of true, false, on, off")
    return found


_SWITCHES = {"true": True, "on": True, "false": False, "off": False}


def _as_it_is(option: str, text: str) -> str:
    return text


def _number(option: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise invalid(option, f"{text!r} is no whole number") from None


_UNITS = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "d": "days"}


def _duration(option: str, text: str) -> datetime.timedelta:
    found = re.fullmatch(r"\s*(\d{1,9})\s*(s|min|m|h|d|)\s*", text)
    if not found:
        raise invalid(option, f"{text!r} is no time; a time is such as 30min, 12h or 7d")
    return datetime.timedelta(**{_UNITS[found[2] or "s"]: int(found[1])})


def _place(option: str, text: str) -> str | Path:
    return text if text.lower() in ("auto", "beside", "inside") else Path(text)


def _parts(text: str) -> list[str]:
    """What commas divide, but for those in parentheses."""
    return [part.strip() for part in re.split(r",(?![^()]*\))", text) if part.strip()]


def _by_column(read: Callable[[str, str], Any], option: str, text: str) -> dict[str | None, Any]:
    """Values for all columns and for single ones: ``on,note=off``."""
    values: dict[str | None, Any] = {}
    for part in _parts(text):
        column, is_named, value = part.rpartition("=")
        values[column.strip() if is_named else None] = read(option, value.strip())
    return values


def _bloom_filters(option: str, text: str) -> dict[str, Any]:
    filters: dict[str, Any] = {}
    for part in _parts(text):
        column, has_numbers, numbers = part.removesuffix(")").partition("(")
        pairs = (number.partition("=") for number in numbers.split())
        filters[column.strip()] = {name: value for name, _, value in pairs} if has_numbers else True
    return filters


def _pairs(option: str, text: str) -> dict[str, str]:
    try:
        pairs = json.loads(text)
    except ValueError:
        pairs = None
    if not isinstance(pairs, dict) or not all(isinstance(value, str) for value in pairs.values()):
        raise invalid(option, f'{text!r} is no JSON object of texts, such as {{"owner": "me"}}')
    return pairs


def _settings(option: str, text: str) -> dict[str, str]:
    try:
        pairs = json.loads(text)
    except ValueError:
        pairs = None
    # The text may have a secret in it.
    if not isinstance(pairs, dict) or not all(isinstance(value, str) for value in pairs.values()):
        raise invalid(option, 'is no JSON object of texts, such as {"aws_region": "eu-north-1"}')
    return pairs


def _field_ids(option: str, text: str) -> dict[str, int]:
    ids = _by_column(_number, option, text)
    if None in ids:
        raise invalid(option, "each id needs its column, as in note=7")
    return cast(dict[str, int], ids)


def _key(option: str, place: str) -> Callable[[], bytes]:
    """A key, which is read where rows are written: the text names its place, and is in logs."""
    kind, _, name = place.partition(":")
    if kind not in ("env", "file") or _decoded(name) is not None:
        raise invalid(option, "the place of a key is needed, env:NAME or file:PATH, not the key")
    return partial(_key_at, option, kind, name)


def _key_at(option: str, kind: str, name: str) -> bytes:
    try:
        text = os.environ[name] if kind == "env" else Path(name).read_text()
    except KeyError:
        raise invalid(option, f"there is no variable {name} where the rows are written") from None
    except (OSError, ValueError) as error:
        raise invalid(option, f"the key in {name}: {error}") from None
    key = _decoded(text.strip())
    if key is None:
        reason = f"{kind}:{name} has no key of 16 or 32 bytes in hexadecimal or base64"
        raise invalid(option, reason)
    return key


def _decoded(text: str) -> bytes | None:
    try:
        if len(text) in (32, 64):
            key = binascii.unhexlify(text)
        else:
            key = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return key if len(key) in (16, 32) else None


def _column_keys(option: str, text: str) -> dict[str, Callable[[], bytes]]:
    keys = {}
    for part in _parts(text):
        found = re.match(r"(.*?)=((?:env|file):.*)", part)
        if not found:
            raise invalid(option, "a column with the place of its key is needed, as note=env:NAME")
        keys[found[1].strip()] = _key(option, found[2])
    return keys


_READ: dict[str, Callable[[str, str], Any]] = {
    "bloom_filters": _bloom_filters,
    "column_keys": _column_keys,
    "field_ids": _field_ids,
    "footer_key": _key,
    "dead_after": _duration,
    "keep_staged": _duration,
    "metadata": _pairs,
    "staging": _place,
    "storage_options": _settings,
    "dictionary": partial(_by_column, switch),
}
_READ |= dict.fromkeys(
    ("compression", "dictionary_page_size", "page_size", "statistics"),
    partial(_by_column, _as_it_is),
)
_READ |= dict.fromkeys(
    (
        "arrow_schema",
        "case_sensitive_names",
        "keep_partition_columns",
        "overwrite_table",
        "page_checksums",
        "plaintext_footer",
        "read_back",
        "rewrite_missing",
        "schema_check",
        "store_aad_prefix",
        "success_file",
    ),
    switch,
)
_READ |= dict.fromkeys(
    (
        "compression_level",
        "data_page_version",
        "max_open_files",
        "page_rows",
        "parallel_requests",
        "row_group_size",
        "sequence",
        "target_file_rows",
        "threads",
    ),
    _number,
)
