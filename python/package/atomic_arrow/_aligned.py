"""Rows whose buffers stand where the Arrow C interface has them."""

from __future__ import annotations

import sys
from typing import Any

from ._polars import is_a


def aligned(rows: Any) -> Any:
    """The same rows, copied if a buffer of them begins where no value of its type may.

    PyArrow lets them stand anywhere, as in a message from another process, while the Arrow C interface asks for
    multiples of 8, and whoever reads numbers from elsewhere may fail.

    :param rows: A frame of pandas, or a table or batch of PyArrow; anything else is left as it is.
    """
    pyarrow = sys.modules.get("pyarrow")
    if pyarrow is None:
        return rows
    if is_a(rows, "pandas", "DataFrame"):
        rows = pyarrow.RecordBatchReader.from_stream(rows).read_all()
    elif not isinstance(rows, pyarrow.Table | pyarrow.RecordBatch):
        return rows
    if all(_is_aligned(column) for column in rows.columns):
        return rows
    sink = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, rows.schema) as stream:
        stream.write(rows)
    return pyarrow.ipc.open_stream(sink.getvalue()).read_all()


def _is_aligned(column: Any) -> bool:
    buffers = (
        buffer for chunk in getattr(column, "chunks", (column,)) for buffer in chunk.buffers()
    )
    return all(buffer is None or buffer.address % 8 == 0 for buffer in buffers)
