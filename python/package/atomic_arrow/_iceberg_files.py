"""What Iceberg's metadata says of a file: its partition, which is read from the rows, and statistics of its columns.

pyiceberg's own ``add_files`` takes partition values from statistics: a key that is in the path alone is null for it, in
silence, and so is a column without statistics. It knows no lists and maps as Arrow names their parts, either.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ._registered import DataFile, needed, refused


class IcebergFiles:
    """Makes of files what a table is told of them.

    :param table: The table, as pyiceberg has it; whatever it has now.
    """

    def __init__(self, table: Any) -> None:
        self._lake: Any = needed("pyiceberg.io.pyarrow", "pyiceberg[pyarrow]")
        self._manifest: Any = importlib.import_module("pyiceberg.manifest")
        self._partitioning: Any = importlib.import_module("pyiceberg.partitioning")
        self._types: Any = needed("pyarrow.types", "pyarrow")
        self._parquet: Any = needed("pyarrow.parquet", "pyarrow")
        self._compute: Any = needed("pyarrow.compute", "pyarrow")
        self._metadata = table.metadata
        self._schema = table.schema()
        self._plan = self._lake.compute_statistics_plan(self._schema, table.metadata.properties)
        self._checked: Any = None

    def data_file(self, file: DataFile) -> Any:
        """The entry of a file.

        :raises RegistrationError: If the table cannot have it.
        """
        # Files of one write nearly always have one schema.
        if self._checked is None or not file.schema.equals(self._checked, check_metadata=True):
            self._check(file)
            self._checked = file.schema
        metadata = self._parquet.read_metadata(file.place)
        ids = [self._schema.find_field(name).field_id for name in self._leaves(file.schema)]
        paths = [metadata.schema.column(number).path for number in range(metadata.num_columns)]
        statistics = self._lake.data_file_statistics_from_parquet_metadata(
            parquet_metadata=metadata,
            stats_columns=self._plan,
            parquet_column_mapping=dict(zip(paths, ids, strict=True)),
        )
        return self._manifest.DataFile.from_args(
            content=self._manifest.DataFileContent.DATA,
            file_path=location(file.place),
            file_format=self._manifest.FileFormat.PARQUET,
            partition=self._partition(file),
            file_size_in_bytes=file.bytes,
            sort_order_id=None,
            spec_id=self._metadata.default_spec_id,
            equality_ids=None,
            key_metadata=None,
            **statistics.to_serialized_dict(),
        )

    def _check(self, file: DataFile) -> None:
        """Refuses columns that readers of the table would not find, or not as they were given."""
        for key in file.partition:
            if key in self._schema.column_names and key not in file.schema.names:
                reason = (
                    f"the table has a column {key!r}, which is a key of the data set and in no column of the file, so that "
                    "readers of the table would take it for null"
                )
                raise refused(file.place, f"{reason}: write it with keep_partition_columns=True")
        for field in file.schema:
            if fault := self._unknown(field.type):
                raise refused(file.place, f"column {field.name!r} {fault}")
        try:
            self._lake._check_pyarrow_schema_compatible(
                self._schema, file.schema, format_version=self._metadata.format_version
            )
        except (ValueError, self._lake.UnsupportedPyArrowTypeException) as error:
            reason = f"the table cannot have its columns ({error})"
            raise refused(
                file.place, f"{reason}: write it with the table's types (schema=)"
            ) from error
        mapping = self._metadata.name_mapping()
        ids = list(self._ids("", file.schema))
        if any(given is None for _, given in ids):
            if any(given is not None for _, given in ids):
                raise refused(file.place, "some of its columns have field ids, and others have not")
            if mapping is None:
                return
            for name in file.schema.names:
                self._check_mapping(file.place, mapping, name)
            return
        for name, given in ids:
            if self._schema.find_field(name).field_id != given:
                known = self._schema.find_field(name).field_id
                reason = f"column {name!r} has the field id {given}, and {known} in the table"
                raise refused(file.place, f"{reason}: write it with the table's ids, or without")

    def _check_mapping(self, place: Path, mapping: Any, name: str) -> None:
        found = [field.field_id for field in mapping.root if name in field.names]
        if found != [self._schema.find_field(name).field_id]:
            reason = (
                f"the table's name mapping does not lead from {name!r} to its column of that name"
            )
            raise refused(place, f"{reason}: set schema.name-mapping.default anew")

    def _unknown(self, kind: Any) -> str | None:
        """Why a type is not one of Iceberg's, and what to do; ``None`` if pyiceberg is to say whether it is."""
        types = self._types
        if types.is_dictionary(kind):
            return self._unknown(kind.value_type)
        if types.is_timestamp(kind) and kind.tz not in (None, "UTC"):
            return f"has the time zone {kind.tz}, which Iceberg does not keep: cast it to UTC"
        if types.is_unsigned_integer(kind):
            return f"is of the type {kind}, which Iceberg has not: cast it to signed integers"
        if types.is_fixed_size_list(kind):
            return f"is of the type {kind}, which Iceberg has not: cast it to a list of any length"
        if types.is_float16(kind):
            return "is of the type float16, which Iceberg has not: cast it to float32"
        parts = [kind.field(number).type for number in range(kind.num_fields)]
        if types.is_map(kind):
            parts = [kind.key_type, kind.item_type]
        return next((reason for part in parts if (reason := self._unknown(part))), None)

    def _ids(self, above: str, fields: Any) -> Iterator[tuple[str, int | None]]:
        """Each field with its parts, by their names in Iceberg, and the field id that its file has."""
        for field in fields:
            given = (field.metadata or {}).get(b"PARQUET:field_id")
            yield above + field.name, None if given is None else int(given)
            for part, inner in self._parts(field.type):
                yield from self._ids(f"{above}{field.name}.", [inner.with_name(part)])

    def _leaves(self, fields: Any, above: str = "") -> Iterator[str]:
        """The names in Iceberg of the columns of Parquet, in their order."""
        for field in fields:
            parts = self._parts(field.type)
            if not parts:
                yield above + field.name
            for part, inner in parts:
                yield from self._leaves([inner.with_name(part)], f"{above}{field.name}.")

    def _parts(self, kind: Any) -> list[tuple[str, Any]]:
        if self._types.is_list(kind) or self._types.is_large_list(kind):
            return [("element", kind.value_field)]
        if self._types.is_map(kind):
            return [("key", kind.key_field), ("value", kind.item_field)]
        if self._types.is_struct(kind):
            return [(field.name, field) for field in kind]
        return []

    def _partition(self, file: DataFile) -> Any:
        """The partition of the table that all rows of a file are of."""
        fields = self._metadata.spec().fields
        record: Any = importlib.import_module("pyiceberg.typedef").Record
        return record(*[self._partition_value(file, field) for field in fields])

    def _partition_value(self, file: DataFile, field: Any) -> Any:
        if str(field.transform) == "void":
            return None
        name = self._schema.find_column_name(field.source_id)
        if name not in file.schema.names:
            reason = (
                f"the table is partitioned by {name!r}, which is in no column of the file, so that readers of the table "
                "would take it for null"
            )
            raise refused(file.place, f"{reason}: write it with keep_partition_columns=True")
        transform = field.transform.transform(self._schema.find_type(field.source_id))
        represent = self._partitioning.partition_record_value
        found = {
            transform(represent(field, value, self._schema))
            for value in self._values(file, name, field.transform.preserves_order)
        }
        if len(found) > 1:
            partition = f"{field.transform} of {name!r}"
            reason = f"it has rows of {len(found)} partitions of the table, by the {partition}"
            raise refused(file.place, f"{reason}: partition the data set by that, or finer")
        return next(iter(found), None)

    def _values(self, file: DataFile, name: str, ordered: bool) -> list[Any]:
        """The distinct values of a column; of those that are in order the outermost, and a null."""
        column = self._parquet.ParquetFile(file.place).read(columns=[name]).column(0)
        if self._types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        # Of texts all are looked at, and of floating-point numbers: a NaN is none of the outermost.
        is_number = self._types.is_temporal(column.type) or self._types.is_integer(column.type)
        if not (ordered and is_number):
            distinct: list[Any] = column.unique().to_pylist()
            return distinct
        ends = self._compute.min_max(column).as_py()
        values = [ends["min"], ends["max"]] if column.null_count < len(column) else []
        return values + [None] * (column.null_count > 0)


def location(place: Path) -> str:
    """How metadata of tables names a file.

    :raises RegistrationError: If pyiceberg would take it for another.
    """
    if found := set("#?") & set(str(place)):
        reason = f"its path has {sorted(found)[0]!r}, where pyiceberg takes a path to end"
        raise refused(place, f"{reason}: rename the directory")
    return f"file://{place}"


def path_of(location: str) -> Path:
    """The path of a file that metadata names."""
    return Path(location.removeprefix("file://").removeprefix("file:"))
