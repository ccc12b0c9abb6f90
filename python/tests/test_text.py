"""Data sets of NDJSON and CSV: what their text says of the values."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import atomic_arrow as aa
import polars as pl
import pyarrow as pa
import pytest

ROWS = pa.table({"s": ["", None], "f": [math.nan, math.inf]})


def test_csv_tells_null_from_the_empty_string(lake: Path) -> None:
    receipt = aa.write_dataset(ROWS, lake / "csv", format="csv", verify="decode")
    path = lake / "csv" / receipt.files[0].path
    assert path.read_text() == 's,f\n"",NaN\n,inf\n'
    assert pl.read_csv(path)["s"].to_list() == ["", None]
    receipt = aa.write_dataset(ROWS, lake / "null", format="csv", csv_null="NULL")
    assert (lake / "null" / receipt.files[0].path).read_text() == 's,f\n"",NaN\nNULL,inf\n'
    with pytest.raises(aa.EncodeError, match="stands for null"):
        aa.write_dataset(ROWS, lake / "nan", format="csv", csv_null="NaN")


def test_ndjson_has_no_place_for_nan_unless_told(lake: Path) -> None:
    with pytest.raises(aa.EncodeError, match='column "f", row 0: NaN'):
        aa.write_dataset(ROWS, lake / "json", format="ndjson", verify="decode")
    for how, first in (("null", "null"), ("string", '"NaN"')):
        receipt = aa.write_dataset(
            ROWS, lake / how, format="ndjson", json_non_finite=how, verify="decode"
        )
        lines = (lake / how / receipt.files[0].path).read_text().splitlines()
        assert lines[0] == '{"s":"","f":' + first + "}"


def test_text_is_compressed_if_a_codec_is_given(lake: Path) -> None:
    receipt = aa.write_dataset(ROWS, lake / "gz", format="csv", compression="gzip")
    path = lake / "gz" / receipt.files[0].path
    assert path.name.endswith(".csv.gz")
    assert gzip.decompress(path.read_bytes()).decode() == 's,f\n"",NaN\n,inf\n'
    assert not aa.verify(lake / "gz").damaged
    with pytest.raises(aa.InvalidOptionError, match="compression: text is compressed with"):
        aa.write_dataset(ROWS, lake / "no", format="csv", compression="snappy")
