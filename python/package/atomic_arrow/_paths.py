"""Paths and URLs, as callers give them."""

from __future__ import annotations

import os
import re
from typing import TypeAlias
from urllib.parse import urlsplit
from urllib.request import url2pathname

from ._errors import make
from ._stores import is_cut_url, is_in_store

StrPath: TypeAlias = str | os.PathLike[str]

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|file:")


def place(path: StrPath) -> str:
    """The path that a path or ``file://`` URL means, or the URL of what is in an object store."""
    text = _text(path)
    return text if is_in_store(text) else local_path(text)


def absolute(path: StrPath) -> str:
    """As :func:`place`, absolute: another process may run in another directory."""
    found = place(path)
    return found if is_in_store(found) else os.path.abspath(found)


def _text(path: StrPath) -> str:
    text = os.fspath(path)
    if not isinstance(text, str):
        raise TypeError(f"a path is a str or os.PathLike[str], not {type(text).__name__}")
    return text


def local_path(path: StrPath) -> str:
    """The path that a path or ``file://`` URL means, with the home directory for ``~``.

    A name that looks like a URL or begins with ``~`` can be given with ``./`` before it.
    """
    text = _text(path)
    if is_cut_url(text):
        remedy = "give the URL as a str, as 's3://bucket/weather': a Path does not keep its slashes"
        raise _invalid(text, f"is the URL of an object store with one slash; {remedy}")
    if is_in_store(text):
        raise _invalid(text, "is in an object store, where only a path on a disk is taken")
    if not _URL.match(text):
        return os.path.expanduser(text)
    # An octothorpe or a question mark belongs into a path escaped, as everything else does.
    url = urlsplit(text)
    if url.scheme.lower() != "file":
        raise _invalid(
            text, "this kind of URL is not supported; supported are paths and file:// URLs"
        )
    if url.netloc not in ("", "localhost"):
        raise _invalid(text, f"this URL names another machine, {url.netloc}")
    if url.query or url.fragment:
        raise _invalid(text, "a file:// URL has neither a query nor a fragment; escape ? and #")
    if not url.path.startswith("/"):
        raise _invalid(text, "the path of a file:// URL is absolute")
    return url2pathname(url.path)


def _invalid(url: str, reason: str) -> Exception:
    return make("InvalidPathError", f"{url}: {reason}", outcome="not_published")
