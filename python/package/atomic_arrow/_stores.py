"""URLs of object stores, and the settings by which these are reached."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias, TypedDict

_SCHEMES = "s3|s3a|gs|az|azure|adl|abfs|abfss"
_URL = re.compile(f"({_SCHEMES})://", re.IGNORECASE)
_CUT = re.compile(f"({_SCHEMES}):/(?!/)", re.IGNORECASE)


class Store(Protocol):
    """A store of the package ``obstore``, such as ``obstore.store.S3Store``, of which the settings are taken."""

    @property
    def prefix(self) -> str | None:
        """What stands before all keys; the root says it here."""

    @property
    def config(self) -> Any:
        """The settings of the store."""

    @property
    def client_options(self) -> Any:
        """The settings of its client."""

    @property
    def credential_provider(self) -> Any:
        """What gives it credentials."""


StorageOptions: TypeAlias = Mapping[str, str | bool | int] | Store


class ObjectStoreOptions(TypedDict, total=False):
    """How an object store is reached and used, where a root or path is a URL of one, such as ``s3://bucket/weather``,
    ``gs://bucket/weather`` or ``az://container/weather``. For a path on a disk they are refused."""

    storage_options: StorageOptions | None
    """Settings of the store's client, by the names that Polars and delta-rs have for them too, such as ``{"aws_region":
    "eu-north-1", "aws_endpoint": "http://127.0.0.1:9000", "aws_allow_http": "true"}``; or a store of the package
    ``obstore``, whose settings are taken. They go before the environment, which is read too: ``AWS_ACCESS_KEY_ID``,
    ``AWS_SECRET_ACCESS_KEY``, ``AWS_REGION``, ``AWS_ENDPOINT_URL``, ``AWS_ALLOW_HTTP``, ``AZURE_STORAGE_ACCOUNT_NAME``,
    ``AZURE_STORAGE_ACCOUNT_KEY``, ``GOOGLE_SERVICE_ACCOUNT`` and the like."""
    spool: str | Any | None
    """The local directory in which files are made and verified before they are uploaded; by default the system's for
    temporary files."""
    part_size: int | str | None
    """The size of the parts in which longer files are uploaded: bytes, at least 5 MiB, or ``"16MiB"``; by default 8 MiB."""
    read_back: bool
    """Whether what was uploaded is read back and compared before anybody can see it; by default the store compares
    checksums. Large files are then staged in the store, too. One file by itself cannot be read before it is visible: there
    it is refused."""
    parallel_requests: int | None
    """The most requests at once, for each of which a part may be in memory; by default 16."""
    dead_after: float | datetime.timedelta | None
    """How long a writer may be silent until others take it for dead, by the clock of the store: seconds, or a timedelta,
    at least a minute; by default 15 minutes. A writer tells that it is alive every
    minute at least. One that was told a longer time than whoever judges it is waited for that long."""


def is_in_store(path: str) -> bool:
    """Whether a path is the URL of an object store."""
    return _URL.match(path) is not None


def is_cut_url(path: str) -> bool:
    """Whether a path is such a URL that lost a slash, as it does in a :class:`~pathlib.Path`."""
    return _CUT.match(path) is not None


# What fsspec, and so pandas and Dask, call them.
_OF_FSSPEC = {
    "key": "aws_access_key_id",
    "secret": "aws_secret_access_key",
    "token": "aws_session_token",
    "anon": "aws_skip_signature",
    "client_kwargs": "aws_endpoint and aws_region",
    "endpoint_url": "aws_endpoint",
    "profile": "the environment, as `aws configure export-credentials --format env` prints it",
}
_OF_THE_URL = {
    "bucket",
    "bucket_name",
    "aws_bucket",
    "aws_bucket_name",
    "google_bucket",
    "google_bucket_name",
}
_OF_THE_URL |= {"container_name", "azure_container_name"}


def settings(options: Any) -> dict[str, str] | None:
    """The settings as the library takes them. No message has a value of them, which may be secret."""
    if options is None:
        return None
    if isinstance(options, Mapping):
        return _texts(options)
    if not all(hasattr(options, name) for name in ("prefix", "config", "client_options")):
        kind = type(options).__name__
        raise TypeError(f"storage_options: a dictionary or a store of obstore, not {kind}")
    if options.prefix:
        raise _invalid("the store has a prefix: give one without, and the whole URL as the root")
    if getattr(options, "credential_provider", None) is not None:
        raise _invalid("credential_provider is not taken: give the credentials themselves")
    found = {**(options.config or {}), **(options.client_options or {})}
    return _texts({name: value for name, value in found.items() if name not in _OF_THE_URL})


def _texts(options: Mapping[Any, Any]) -> dict[str, str]:
    texts = {}
    for name, value in options.items():
        if not isinstance(name, str):
            raise TypeError(f"storage_options: names are texts, not {type(name).__name__}")
        meant = _OF_FSSPEC.get(name)
        if meant is not None:
            raise _invalid(f"{name!r} is what fsspec calls it: here it is {meant}")
        if value is None:
            continue
        texts[name] = _text(name, value)
    return texts


def _text(name: str, value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, datetime.timedelta):
        return f"{value.total_seconds():f} seconds"
    raise TypeError(f"storage_options: {name!r} is a text, not {type(value).__name__}")


def _invalid(reason: str) -> Exception:
    from ._errors import make

    return make("InvalidOptionError", f"storage_options: {reason}", outcome="not_published")
