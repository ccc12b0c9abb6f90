"""Relations of DuckDB: what its own export would lose is refused."""

from __future__ import annotations

from typing import Any

LOST = {
    "uhugeint": ("Arrow has no integers of 128 bits without a sign", "DECIMAL(38, 0) or VARCHAR"),
    "time with time zone": ("Arrow has no times of day with an offset", "TIME or VARCHAR"),
    "bit": ("Arrow has no strings of bits", "VARCHAR"),
    "bignum": ("Arrow has no integers of any size", "DECIMAL(38, 0) or VARCHAR"),
    "varint": ("Arrow has no integers of any size", "DECIMAL(38, 0) or VARCHAR"),
}
"""Types whose values are others in Arrow, each with the reason and what to cast it to."""


def check_relation(relation: Any) -> None:
    """Refuses columns of types that Arrow does not have.

    :raises TypeError: The first such column.
    """
    for name, kind in zip(relation.columns, relation.types, strict=True):
        _check(name, kind)


def _check(path: str, kind: Any) -> None:
    if (lost := LOST.get(kind.id)) is not None:
        reason, other = lost
        raise TypeError(
            f"column {path!r} is of the type {kind} of DuckDB, whose values would be others: {reason}; "
            f"cast it to {other}"
        )
    if kind.id in ("list", "array", "struct", "map", "union"):
        for name, inner in kind.children:
            # The size of an array is among them.
            if hasattr(inner, "id"):
                _check(f"{path}.{name}", inner)
