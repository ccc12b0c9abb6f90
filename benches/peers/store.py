"""How the object store is reached that a URL of S3 names: as the environment says."""

import os
from urllib.parse import urlsplit

VARIABLES = ("AWS_ENDPOINT", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ALLOW_HTTP")


def is_url(to: str) -> bool:
    return to.startswith("s3://")


def options(to: str) -> dict[str, str] | None:
    """The options of Polars and delta-rs; nothing for a path."""
    return {name.lower(): os.environ[name] for name in VARIABLES} if is_url(to) else None


def filesystem(**options):
    """The file system of pyarrow."""
    from pyarrow.fs import S3FileSystem

    endpoint = urlsplit(os.environ["AWS_ENDPOINT"])
    return S3FileSystem(
        access_key=os.environ["AWS_ACCESS_KEY_ID"], secret_key=os.environ["AWS_SECRET_ACCESS_KEY"],
        endpoint_override=endpoint.netloc, scheme=endpoint.scheme, region=os.environ["AWS_REGION"], **options,
    )


def of_pyarrow(to: str) -> dict:
    """Where ``pyarrow.dataset.write_dataset`` writes."""
    if not is_url(to):
        return {"base_dir": to}
    # A store needs no directories: making them would cost a request each.
    return {"base_dir": to.removeprefix("s3://"), "filesystem": filesystem(), "create_dir": False}
