"""Options as texts, in which engines hand them over."""

from __future__ import annotations

import datetime
from pathlib import Path

import atomic_arrow as aa
import pytest
from atomic_arrow._options import prepared
from atomic_arrow._text_options import options_of_texts

# For each option a text, and what it means.
TEXTS: dict[str, tuple[str, object]] = {
    "aad_prefix": ("lake", "lake"),
    "arrow_schema": ("on", True),
    "bloom_filters": (
        "id, note(fpp=0.01 ndv=100)",
        {"id": True, "note": {"fpp": "0.01", "ndv": "100"}},
    ),
    "case_sensitive_names": ("true", True),
    "compression": ("zstd(3),a=b=snappy", {None: "zstd(3)", "a=b": "snappy"}),
    "compression_level": ("3", 3),
    "csv_null": (" ", " "),
    "data_page_version": ("2", 2),
    "dead_after": ("1h", datetime.timedelta(hours=1)),
    "dictionary": ("off,id=on", {None: False, "id": True}),
    "dictionary_page_size": ("1MiB", {None: "1MiB"}),
    "durability": ("synced", "synced"),
    "encodings": ("compatible", "compatible"),
    "field_ids": ("note=7,tags.list.element=8", {"note": 7, "tags.list.element": 8}),
    "file_name": ("daily-{uuid}-{number}", "daily-{uuid}-{number}"),
    "format": ("csv", "csv"),
    "job": ("monday", "monday"),
    "json_non_finite": ("null", "null"),
    "keep_partition_columns": ("False", False),
    "keep_staged": ("12h", datetime.timedelta(hours=12)),
    "max_open_files": ("16", 16),
    "memory_limit": ("512MiB", "512MiB"),
    "metadata": ('{"owner": "me"}', {"owner": "me"}),
    "mode": ("overwrite", "overwrite"),
    "overwrite_table": ("on", True),
    "page_checksums": ("off", False),
    "page_rows": ("100", 100),
    "page_size": ("1MiB,note=64k", {None: "1MiB", "note": "64k"}),
    "parallel_requests": ("4", 4),
    "part_size": ("16MiB", "16MiB"),
    "partition_by": ("year(at), bucket(16, id)", "year(at), bucket(16, id)"),
    "plaintext_footer": ("on", True),
    "read_back": ("on", True),
    "rewrite_missing": ("on", True),
    "row_group_bytes": ("128MiB", "128MiB"),
    "row_group_size": ("1000", 1000),
    "schema_check": ("off", False),
    "schema_policy": ("exact", "exact"),
    "sequence": ("7", 7),
    "sort_by": ("temp desc, id", "temp desc, id"),
    "spool": ("/scratch", "/scratch"),
    "staging": ("/scratch", Path("/scratch")),
    "statistics": ("note=none", {"note": "none"}),
    "statistics_truncate": ("none", "none"),
    "storage_options": ('{"aws_region": "eu-north-1"}', {"aws_region": "eu-north-1"}),
    "store_aad_prefix": ("on", True),
    "success_file": ("on", True),
    "sync": ("each_file", "each_file"),
    "target_file_rows": ("1000", 1000),
    "target_file_size": ("256MiB", "256MiB"),
    "task": ("1", "1"),
    "threads": ("2", 2),
    "verify": ("checksum", "checksum"),
    "write_id": ("w", "w"),
}
KEYS = {"footer_key", "column_keys"}


def test_each_option_has_a_text() -> None:
    assert TEXTS.keys() | KEYS == aa.WriteOptions.__annotations__.keys()


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_means_what_python_says(name: str) -> None:
    text, meant = TEXTS[name]
    options = options_of_texts({name: text})
    assert options == {name: meant}
    prepared(options)


def test_keys_are_read_where_they_are_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = bytes(range(16))
    (tmp_path / "key").write_text(key.hex() + "\n")
    texts = {
        "footer_key": f"file:{tmp_path}/key",
        "column_keys": "a=b=env:NOTE_KEY, c=env:NOTE_KEY",
    }
    options = options_of_texts(texts)
    with pytest.raises(aa.AtomicArrowError, match="there is no variable NOTE_KEY"):
        prepared(options)
    monkeypatch.setenv("NOTE_KEY", "AAECAwQFBgcICQoLDA0ODw==")
    taken = prepared(options)
    assert taken["footer_key"] == key
    assert taken["column_keys"] == {"a=b": key, "c": key}


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ({"threads": "two"}, "threads: 'two' is no whole number"),
        ({"success_file": "yes"}, "none of true, false, on, off"),
        ({"dictionary": "note=yes"}, "none of true, false, on, off"),
        ({"keep_staged": "soon"}, "a time is such as 30min, 12h or 7d"),
        ({"metadata": "owner=me"}, "no JSON object of texts"),
        ({"metadata": '{"n": 1}'}, "no JSON object of texts"),
        ({"field_ids": "7"}, "each id needs its column"),
        ({"footer_key": "000102030405060708090a0b0c0d0e0f"}, "the place of a key is needed"),
        ({"footer_key": "env:000102030405060708090a0b0c0d0e0f"}, "the place of a key is needed"),
        ({"column_keys": "note"}, "a column with the place of its key is needed"),
    ],
)
def test_what_means_nothing_is_refused(texts: dict[str, str], said: str) -> None:
    with pytest.raises(aa.AtomicArrowError, match=said) as error:
        options_of_texts(texts)
    assert "0a0b0c" not in str(error.value)


def test_an_unknown_option_is_refused_with_the_nearest() -> None:
    with pytest.raises(TypeError, match="did you mean 'compression'"):
        options_of_texts({"compresion": "zstd"})


def test_settings_of_a_store_that_are_none_are_not_told() -> None:
    for text in ("secret", '{"aws_secret_access_key": ["secret"]}'):
        with pytest.raises(aa.InvalidOptionError, match="no JSON object of texts") as raised:
            options_of_texts({"storage_options": text})
        assert "secret" not in str(raised.value)
