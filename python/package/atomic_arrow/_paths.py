"""Paths and URLs of local files."""

from __future__ import annotations

import os
import re
from typing import TypeAlias
from urllib.parse import urlsplit
from urllib.request import url2pathname

from ._errors import make

StrPath: TypeAlias = str | os.PathLike[str]

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|file:")


def local_path(path: StrPath) -> str:
    """The path that a path or ``file://`` URL means, with the home directory for ``~``.

    A name that looks like a URL or begins with ``~`` can be given with ``./`` before it.
    """
    text = os.fspath(path)
    if not isinstance(text, str):
        raise TypeError(f"a path is a str or os.PathLike[str], not {type(text).__name__}")
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
