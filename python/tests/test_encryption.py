"""Encrypted Parquet: written, checked and read with keys that nothing shows."""

from __future__ import annotations

import base64
from pathlib import Path

import atomic_arrow as aa
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
import pytest

KEY = b"0123456789abcdef"
NOTE_KEY = b"fedcba9876543210fedcba9876543210"
ROWS = pa.table({"k": ["a", "b", "a"], "id": [1, 2, 3], "note": ["x", None, "z"]})


def test_others_read_with_the_key_what_is_encrypted_as_a_whole(lake: Path) -> None:
    # DuckDB takes the base64 of 16 bytes for a key of 24.
    file = aa.write_parquet(ROWS, lake / "rows.parquet", footer_key=NOTE_KEY)
    keys = pe.create_decryption_properties(NOTE_KEY)
    assert pq.ParquetFile(file.path, decryption_properties=keys).read() == ROWS
    with duckdb.connect() as database:
        database.execute(f"PRAGMA add_parquet_key('k', '{base64.b64encode(NOTE_KEY).decode()}')")
        query = f"FROM read_parquet('{file.path}', encryption_config = {{footer_key: 'k'}})"
        assert database.execute(query).fetchall() == [("a", 1, "x"), ("b", 2, None), ("a", 3, "z")]
    bound = aa.write_parquet(
        ROWS, lake / "bound.parquet", footer_key=KEY, aad_prefix="rows", store_aad_prefix=False
    )
    keys = pe.create_decryption_properties(KEY, aad_prefix=b"rows")
    assert pq.ParquetFile(bound.path, decryption_properties=keys).read() == ROWS
    with pytest.raises(OSError):
        pq.ParquetFile(bound.path, decryption_properties=pe.create_decryption_properties(KEY))


def test_a_data_set_is_checked_and_inspected_with_its_keys(lake: Path) -> None:
    root = lake / "rows"
    asked: list[str] = []

    def key() -> bytes:
        asked.append("key")
        return KEY

    receipt = aa.write_dataset(
        ROWS, root, partition_by="k", footer_key=key, column_keys={"note": lambda: NOTE_KEY}
    )
    assert asked == ["key"]
    keys = {"footer_key": KEY, "column_keys": {"note": NOTE_KEY}}
    assert aa.verify(root, level="decode", **keys).is_sound
    assert aa.inspect(root, **keys).rows == 3
    assert aa.inspect(root).rows == 0
    for lacking in ({}, {"footer_key": KEY}):
        verification = aa.verify(root, **lacking)
        damage = [file.damage for file in verification.not_checkable]
        assert not (verification.is_sound or verification.damaged)
        assert "0 sound, 0 damaged, 2 not checkable" in str(verification)
        assert len(damage) == 2 and all("cannot be checked" in it for it in damage if it)
    bounds = [str(file.columns) for file in receipt.files]
    assert all("'x'" not in text and "'z'" not in text for text in bounds), bounds
    for shown in (repr(receipt), receipt.to_json()):
        assert "0123456789abcdef" not in shown and "fedcba" not in shown


def test_an_update_reads_with_the_key_what_it_wrote_with_it(lake: Path) -> None:
    for expected in (3, 6):
        with aa.update(lake / "history.parquet", footer_key=KEY) as update:
            before = update.read()
            update.write(ROWS if before is None else pa.concat_tables([pa.table(before), ROWS]))
        assert update.file.rows == expected
    with (
        aa.update(lake / "history.parquet") as update,
        pytest.raises(aa.ReadError, match="encrypt"),
    ):
        update.read()


def test_keys_that_are_none_are_refused_without_being_shown(lake: Path) -> None:
    path = lake / "rows.parquet"
    for options, error, said in (
        ({"footer_key": "a secret text"}, TypeError, "footer_key: a key is of bytes, not of str"),
        ({"footer_key": b"a secret"}, aa.InvalidOptionError, "this one has 8"),
        ({"footer_key": lambda: 7}, TypeError, "not of int"),
        ({"footer_key": lambda: None}, TypeError, "not of NoneType"),
        ({"footer_key": KEY, "column_keys": {"note": lambda: None}}, TypeError, "not of NoneType"),
        ({"footer_key": KEY, "column_keys": "a secret"}, TypeError, "column_keys: a dictionary"),
        ({"footer_key": KEY, "column_keys": {7: KEY}}, TypeError, "column_keys: a column is"),
        ({"footer_key": KEY, "aad_prefix": 7}, TypeError, "aad_prefix: bytes or a text"),
        ({"column_keys": {"note": KEY}}, aa.InvalidOptionError, "the key of the footer is needed"),
        (
            {"footer_key": KEY, "column_keys": {"note": "a secret"}},
            TypeError,
            r"column_keys\['note'\]",
        ),
        ({"footer_key": KEY, "column_keys": {"no": KEY}}, aa.InvalidOptionError, "no column"),
        ({"plaintext_footer": True}, aa.InvalidOptionError, "has no effect"),
    ):
        with pytest.raises(error, match=said) as raised:
            aa.write_parquet(ROWS, path, **options)  # type: ignore[arg-type]
        assert "a secret" not in str(raised.value)
        assert not path.exists()
    with pytest.raises(aa.InvalidOptionError, match="footer_key: is an option of Parquet"):
        aa.write_csv(ROWS, lake / "rows.csv", footer_key=KEY)
    with pytest.raises(TypeError, match="a key is of bytes"):
        aa.verify(lake, footer_key="a secret text")  # type: ignore[arg-type]
