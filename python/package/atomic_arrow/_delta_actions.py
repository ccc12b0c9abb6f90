"""What Delta Lake's log says of a file: types, statistics and partition values, as the protocol of Delta has them.

The source is https://github.com/delta-io/delta/blob/master/PROTOCOL.md.
"""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

from ._registered import DataFile, KeyValue, refused, time_of

DeltaType: TypeAlias = str | dict[str, Any]
"""A type as it stands in the JSON of a table's schema."""

_INTEGERS = {"byte": 8, "short": 16, "integer": 32, "long": 64}
# A number in JSON is read as a double, which keeps so many digits.
_DIGITS = 15


def delta_type(field: Any, place: Path, types: Any, above: str = "") -> DeltaType:
    """The type of Delta whose values are those of a field of Arrow; ``types`` is the module of PyArrow that tells types apart.

    :raises RegistrationError: If there is none.
    """
    extension = (field.metadata or {}).get(b"ARROW:extension:name")
    if extension is None:
        return _type(field.type, above + field.name, place, types)
    reason = f"column {above + field.name!r} is of the extension type {extension.decode()}, which Delta Lake has not"
    raise refused(place, f"{reason}: cast it to the type of its storage")


def _type(kind: Any, column: str, place: Path, types: Any) -> DeltaType:
    def refuse(what: str, remedy: str) -> Exception:
        return refused(place, f"column {column!r} is {what}, which Delta Lake has not: {remedy}")

    def part(inner: Any) -> DeltaType:
        return delta_type(inner, place, types, f"{column}.")

    def member(inner: Any) -> dict[str, Any]:
        return {"name": inner.name, "type": part(inner), "nullable": True, "metadata": {}}

    if types.is_dictionary(kind):
        return _type(kind.value_type, column, place, types)
    for of_kind, name in _PLAIN.items():
        if getattr(types, of_kind)(kind):
            return name
    if (
        types.is_decimal(kind)
        and not types.is_decimal256(kind)
        and kind.precision <= 38
        and kind.scale >= 0
    ):
        return f"decimal({kind.precision},{kind.scale})"
    if types.is_timestamp(kind):
        if kind.unit == "ns":
            raise refuse("of nanoseconds", "cast it to microseconds")
        return "timestamp_ntz" if kind.tz is None else "timestamp"
    if types.is_struct(kind):
        return {"type": "struct", "fields": [member(inner) for inner in kind]}
    if types.is_list(kind) or types.is_large_list(kind):
        return {"type": "array", "elementType": part(kind.value_field), "containsNull": True}
    if types.is_map(kind):
        return {
            "type": "map",
            "keyType": part(kind.key_field),
            "valueType": part(kind.item_field),
            "valueContainsNull": True,
        }
    raise refuse(f"of the type {kind}", _remedy(kind, types))


_PLAIN = {
    "is_boolean": "boolean",
    "is_int8": "byte",
    "is_int16": "short",
    "is_int32": "integer",
    "is_int64": "long",
    "is_float32": "float",
    "is_float64": "double",
    "is_string": "string",
    "is_large_string": "string",
    "is_string_view": "string",
    "is_binary": "binary",
    "is_large_binary": "binary",
    "is_binary_view": "binary",
    "is_fixed_size_binary": "binary",
    "is_date": "date",
}


def _remedy(kind: Any, types: Any) -> str:
    if types.is_unsigned_integer(kind):
        wider = {8: "16 bits", 16: "32 bits", 32: "64 bits"}.get(kind.bit_width)
        return f"cast it to signed integers of {wider}" if wider else "cast it to decimal(20, 0)"
    if types.is_null(kind):
        return "write it with the type that it is to have (schema=)"
    if types.is_float16(kind):
        return "cast it to float32"
    if types.is_time(kind) or types.is_duration(kind):
        return "cast it to integers, or to text"
    if types.is_decimal256(kind):
        return "cast it to decimal128"
    if types.is_fixed_size_list(kind):
        return "cast it to a list of any length"
    return "cast it to another type before the write"


def shape(kind: DeltaType) -> DeltaType:
    """A type without what does not change values: metadata, and whether there may be nulls within it."""
    if isinstance(kind, str):
        return kind
    match kind["type"]:
        case "struct":
            fields = [
                {"name": field["name"], "type": shape(field["type"])} for field in kind["fields"]
            ]
            return {"type": "struct", "fields": fields}
        case "array":
            return {"type": "array", "elementType": shape(kind["elementType"])}
        case "map":
            parts = {part: shape(kind[part]) for part in ("keyType", "valueType")}
            return {"type": "map", **parts}
    return kind


def type_of_values(values: Sequence[KeyValue]) -> DeltaType | None:
    """The type of Delta that holds these values of a partition key; ``None`` if all are null."""
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) != 1:
        return None
    match next(value for value in values if value is not None):
        case bool():
            return "boolean"
        case int():
            return "long"
        case float():
            return "double"
        case str():
            return "string"
        case Decimal() as value:
            return f"decimal(38,{max(0, -int(value.as_tuple().exponent))})"
        case datetime.datetime() as value:
            return "timestamp_ntz" if value.tzinfo is None else "timestamp"
        case datetime.date():
            return "date"
    return None


def fits(value: KeyValue, kind: DeltaType) -> bool:
    """Whether a partition key of this type can have the value, and readers give the one that was written."""
    if value is None:
        return True
    if not isinstance(kind, str):
        return False
    match value:
        case bool():
            return kind == "boolean"
        case int():
            bits = _INTEGERS.get(kind)
            return bits is not None and -(2 ** (bits - 1)) <= value < 2 ** (bits - 1)
        case float():
            return kind in ("float", "double")
        case str():
            return kind == "string"
        case Decimal():
            return kind.startswith("decimal(") and _holds(kind, value)
        case datetime.datetime():
            return kind == ("timestamp_ntz" if value.tzinfo is None else "timestamp")
        case datetime.date():
            return kind == "date"
    return False


def _holds(kind: str, value: Decimal) -> bool:
    precision, scale = (int(part) for part in kind[len("decimal(") : -1].split(","))
    exponent = int(value.as_tuple().exponent)
    return -exponent <= scale and value.adjusted() < precision - scale


def value_text(value: KeyValue) -> str | None:
    """A partition value as the log has it."""
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case float() if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        case Decimal():
            return format(value, "f")
        case datetime.datetime():
            text = value.replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
            return text if value.tzinfo is None else text.replace(" ", "T") + "Z"
        case datetime.date():
            return value.isoformat()
    return str(value)


def statistics(file: DataFile, columns: Mapping[str, DeltaType]) -> str:
    """The statistics of a file, as JSON; ``columns`` has those of the table that are no partition keys.

    They are all or nothing: the number of rows alone, where bounds of any column are not known. Where other columns have
    bounds, deltalake compares such a column with null, and passes the file over.
    """
    least: dict[str, object] = {}
    most: dict[str, object] = {}
    nulls: dict[str, int] = {}
    rows_alone = json.dumps({"numRecords": file.rows})
    in_file = {column["column"]: column for column in file.columns}
    absent = columns.keys() - set(file.schema.names)
    for name, kind in columns.items():
        known = in_file.get(name, {})
        null_count = file.rows if name in absent else known.get("null_count")
        if not isinstance(kind, str) or null_count is None:
            return rows_alone
        nulls[name] = null_count
        if null_count == file.rows:
            continue
        for end, bounds in (("min", least), ("max", most)):
            bound = None if known.get(f"{end}_inexact") else _bound(known.get(end), kind)
            if bound is None:
                return rows_alone
            bounds[name] = bound
    told = {"numRecords": file.rows, "minValues": least, "maxValues": most, "nullCount": nulls}
    return json.dumps(told)


def _bound(value: object, kind: str) -> object:
    """A bound as Delta has it; ``None`` for what readers would not take for exact.

    Of numbers with a fraction there is none: a NaN is beyond the bounds in the footer, but not for readers of tables.
    """
    if kind in _INTEGERS or kind == "string":
        return value
    if kind in ("timestamp", "timestamp_ntz"):
        time = time_of(value)
        if time is None or (time.tzinfo is None) != (kind == "timestamp_ntz"):
            return None
        text = time.replace(tzinfo=None).isoformat(timespec="microseconds")
        return text + ("Z" if kind == "timestamp" else "")
    if kind == "date" and isinstance(value, str) and len(value) == len("2013-01-31"):
        return value
    if kind.startswith("decimal(") and isinstance(value, str):
        digits, number = Decimal(value).as_tuple().digits, float(value)
        # With an exponent deltalake reads it as null.
        return number if len(digits) <= _DIGITS and "e" not in repr(number) else None
    return None


def check_names(columns: Mapping[str, DeltaType], place: Path) -> None:
    """Refuses columns whose names, or those of what is within them, tables of Delta cannot have."""
    seen: dict[str, str] = {}
    for name, kind in columns.items():
        if found := set(" ,;{}()\n\t=") & set(name):
            reason = (
                f"the name of column {name!r} has {sorted(found)}, which Delta Lake does not allow"
            )
            raise refused(place, f"{reason}: rename it")
        if (other := seen.setdefault(name.lower(), name)) != name:
            reason = f"the columns {other!r} and {name!r} are one for Delta Lake: rename one"
            raise refused(place, reason)
        for inner in _parts(kind):
            check_names(inner, place)


def _parts(kind: DeltaType) -> list[Mapping[str, DeltaType]]:
    """The columns of the structs in a type."""
    if isinstance(kind, str):
        return []
    if kind["type"] == "struct":
        return [{field["name"]: field["type"] for field in kind["fields"]}]
    inner = [kind[part] for part in ("elementType", "keyType", "valueType") if part in kind]
    return [columns for part in inner for columns in _parts(part)]
