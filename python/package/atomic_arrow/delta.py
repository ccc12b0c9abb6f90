"""Delta Lake tables over the files of a data set: :func:`register` tells a table what a commit published and removed.

It needs the packages ``deltalake`` and ``pyarrow``, which are imported when it is called.

The table stands in the root of the data set, or in a directory above it. What was registered once is not registered
again, so that a program that was killed between the commit and this repeats it.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import unquote

from ._delta_actions import (
    DeltaType,
    check_names,
    delta_type,
    fits,
    shape,
    statistics,
    type_of_values,
    value_text,
)
from ._delta_table import check_settings
from ._errors import RegistrationError
from ._lib import Receipt
from ._paths import StrPath, local_path
from ._registered import (
    DataFile,
    KeyValue,
    files_of,
    needed,
    refused,
    root_of,
    row_schema,
    sync,
    unknown,
)

__all__ = ["Registration", "register"]

# Another registration came first each time: rather many writers than one that never comes to an end.
_ATTEMPTS = 10


class Registration(NamedTuple):
    """What a Delta table was told of a commit."""

    table: Path
    """The directory of the table."""
    version: int | None
    """The version of the table that has the commit, or a later one; ``None`` where there was nothing to register, and
    there is no table."""
    replayed: bool
    """Whether the commit was registered before, and nothing was done now."""
    added: int
    """How many files were added to the table."""
    removed: int
    """How many files were removed from it."""


def register(
    receipt: Receipt,
    *,
    table: StrPath | None = None,
    root: StrPath | None = None,
    create: bool = False,
) -> Registration:
    """Tells a Delta table what a commit published and removed, once, in one version of the table.

    ::

        receipt = aa.write_dataset(df, "lake/weather/files", partition_by="station_id", write_id="monday")
        aa.delta.register(receipt, table="lake/weather", create=True)

    The version is durable when this returns. Of several processes that register at once each gets a version of its own;
    one receipt is registered by one of them.

    :param receipt: What a commit gave, or :func:`atomic_arrow.already_committed`.
    :param table: The directory of the table: the root of the data set, which is the default, or one above it.
    :param root: The root of the data set; by default that of the receipt, or the table's directory.
    :param create: Whether a table that is not there is made, with the columns and keys of the receipt.
    :raises RegistrationError: If there is no table, or it cannot have the files: a type that Delta Lake has not, other columns
        than the table's, something that the table promises of its rows. The table is as it was.
    :raises ModuleNotFoundError: If ``deltalake`` or ``pyarrow`` is not installed.
    """
    needed("deltalake", "deltalake")
    place = root_of(receipt, root, table)
    directory = place if table is None else Path(os.path.realpath(local_path(table)))
    if not place.is_relative_to(directory):
        reason = (
            f"the table at {directory} does not stand at or above the data set at {place}, and few readers of Delta "
            "Lake find files elsewhere: give it a directory above"
        )
        raise refused(directory, reason)
    if found := set("%\\") & set(str(directory)):
        reason = f"its path has {min(found)!r}, with which deltalake takes it for another"
        raise refused(directory, f"{reason}: rename the directory")
    files = files_of(receipt, place)
    below = PurePosixPath(place.relative_to(directory).as_posix())
    adding = _Adding(receipt, directory, below, files)
    for _ in range(_ATTEMPTS):
        registration = adding.attempt(create)
        if registration is not None:
            return registration
    reason = f"other writers committed to the table first, {_ATTEMPTS} times: repeat it"
    raise refused(directory, reason)


class _Adding:
    """One commit that a table is to be told of."""

    def __init__(
        self, receipt: Receipt, directory: Path, below: PurePosixPath, files: list[DataFile]
    ) -> None:
        self.lake: Any = needed("deltalake", "deltalake")
        self.actions: Any = needed("deltalake.transaction", "deltalake")
        self.receipt = receipt
        self.directory = directory
        self.below = below
        self.files = files
        self.keys = _keys(directory, files)
        self.columns = self._columns()
        self.name = f"atomic-arrow:{receipt.transaction}"

    def attempt(self, create: bool) -> Registration | None:
        """Registers it, or finds that it is; ``None`` if another writer came first, so that it is to be tried again."""
        table = self._table()
        if table is not None and table.transaction_version(self.name) is not None:
            _sync(self.directory, range(table.version() + 1))
            return Registration(self.directory, table.version(), True, 0, 0)
        if table is None and not create:
            raise refused(self.directory, "there is no Delta table: make one with create=True")
        if table is None and not self.files:
            return Registration(self.directory, None, False, 0, 0)
        removed = [] if table is None else self._removed(table)
        if table is not None and not self.files and not removed:
            return Registration(self.directory, table.version(), False, 0, 0)
        first = 0 if table is None else table.version() + 1
        schema = self._new_schema() if table is None else self._checked(table, bool(removed))
        try:
            self._commit(table, schema, removed)
        except self.lake.exceptions.DeltaError as error:
            now = self._table_afterwards()
            if now is not None and (table is None or now.version() != table.version()):
                return None
            raise refused(self.directory, f"Delta Lake refused the commit ({error})") from error
        version = self._table_afterwards().version()
        _sync(self.directory, range(first, version + 1))
        return Registration(self.directory, version, False, len(self.files), len(removed))

    def _table(self) -> Any:
        """The table as it is now; ``None`` if there is none."""
        try:
            return self.lake.DeltaTable(os.fspath(self.directory))
        except self.lake.exceptions.TableNotFoundError:
            return None
        except self.lake.exceptions.DeltaError as error:
            raise refused(self.directory, f"the Delta table cannot be read ({error})") from error

    def _table_afterwards(self) -> Any:
        """The table after it was told of the commit, or could not be."""
        try:
            return self._table()
        except RegistrationError as error:
            raise unknown(
                self.directory, f"the Delta table cannot be read ({error.__cause__})"
            ) from error

    def _columns(self) -> dict[str, DeltaType]:
        """The columns in the files, with their types: of several files together."""
        types = needed("pyarrow.types", "pyarrow")
        columns: dict[str, DeltaType] = {}
        for file in self.files:
            for field in file.schema:
                kind = delta_type(field, file.place, types)
                known = columns.setdefault(field.name, kind)
                if shape(known) != shape(kind):
                    reason = (
                        f"column {field.name!r} is {_text(kind)}, and in another file of the write {_text(known)}: "
                        "write all of it with one schema"
                    )
                    raise refused(file.place, reason)
        return columns

    def _key_type(self, key: str, rows: Any) -> DeltaType:
        """The type of a partition key in a new table; ``rows`` is the schema of the rows, if it is known."""
        if key in self.columns:
            return self.columns[key]
        if rows is not None and key in rows.names:
            types = needed("pyarrow.types", "pyarrow")
            return delta_type(rows.field(key), self.directory, types)
        found = type_of_values([file.partition[key] for file in self.files])
        if found is None:
            reason = (
                f"the type of partition key {key!r} is not known, for all of its values are null"
            )
            raise refused(self.directory, f"{reason}: make the table with deltalake first")
        return found

    def _new_schema(self) -> Any:
        rows = row_schema(self.receipt)
        keys = {key: self._key_type(key, rows) for key in self.keys}
        known = self.columns | keys
        first = [] if rows is None else [name for name in rows.names if name in known]
        columns = {name: known[name] for name in [*first, *known]}
        check_names(columns, self.directory)
        fields = [
            {"name": name, "type": kind, "nullable": True, "metadata": {}}
            for name, kind in columns.items()
        ]
        self._check_keys(keys)
        return self.lake.Schema.from_json(json.dumps({"type": "struct", "fields": fields}))

    def _checked(self, table: Any, removes: bool) -> Any:
        """The schema of a table that can have the files.

        :raises RegistrationError: If it cannot.
        """
        metadata, schema = table.metadata(), json.loads(table.schema().to_json())
        fields = {field["name"]: field for field in schema["fields"]}
        check_settings(self.directory, table.protocol(), metadata.configuration, fields, removes)
        if self.files:
            self._check_fields(fields, metadata.partition_columns)
        return table.schema()

    def _check_fields(self, fields: Mapping[str, Any], partition_columns: list[str]) -> None:
        if set(partition_columns) != set(self.keys):
            reason = (
                f"the table is partitioned by {partition_columns}, and the data set by {self.keys}"
            )
            raise refused(self.directory, f"{reason}: register it in a table of its own")
        self._check_keys({key: fields[key]["type"] for key in self.keys})
        for name, kind in self.columns.items():
            if name in self.keys:
                continue
            if name not in fields:
                reason = f"the table has no column {name!r}: add it, as with DeltaTable.alter.add_columns"
                raise refused(self.directory, f"{reason} ({_text(kind)})")
            if shape(kind) != shape(fields[name]["type"]):
                there = _text(fields[name]["type"])
                reason = f"column {name!r} is {_text(kind)}, and {there} in the table"
                raise refused(self.directory, f"{reason}: write it with the table's type (schema=)")
        for name, field in fields.items():
            if not field["nullable"]:
                self._check_no_nulls(name)

    def _check_no_nulls(self, name: str) -> None:
        for file in self.files:
            if name in self.keys:
                has_none = file.partition[name] is not None
            else:
                counts = [
                    column.get("null_count") for column in file.columns if column["column"] == name
                ]
                has_none = counts == [0]
            if not has_none:
                reason = f"the table allows no nulls in column {name!r}, and there are some, or it is not known"
                raise refused(file.place, f"{reason}: write it without nulls, and with statistics")

    def _check_keys(self, keys: Mapping[str, DeltaType]) -> None:
        for file in self.files:
            for key, kind in keys.items():
                value = file.partition[key]
                if not fits(value, kind):
                    reason = (
                        f"partition key {key!r} is {_text(kind)} in the table, and {value!r} here"
                    )
                    raise refused(file.place, f"{reason}: write it with the table's type (schema=)")

    def _removed(self, table: Any) -> list[Any]:
        """Removals of those files of the table that the commit removed.

        :raises RegistrationError: If the table has rows, in files of its own tools, that the commit replaced.
        """
        if self.receipt.mode not in ("overwrite", "overwrite_partitions"):
            return []
        removed = {str(self.below / path) for path in self.receipt.removed}
        replaced = [_texts(file.partition) for file in self.files]
        now, removals = int(time.time() * 1000), []
        for action in needed("pyarrow", "pyarrow").table(table.get_add_actions()).to_pylist():
            path, partition = unquote(action["path"]), _texts(action.get("partition") or {})
            if path in removed:
                removal = self.actions.RemoveAction(
                    path, True, now, action["size_bytes"], partition
                )
                removals.append(removal)
            elif not PurePosixPath(path).is_relative_to(self.below) and (
                self.receipt.mode == "overwrite" or partition in replaced
            ):
                reason = (
                    f"the write replaced rows that the table has in {path}, a file of its own tools"
                )
                remedy = "delete these rows with DeltaTable.delete, and repeat this"
                raise refused(self.directory, f"{reason}: {remedy}")
        return removals

    def _commit(self, table: Any, schema: Any, removed: list[Any]) -> None:
        fields = json.loads(schema.to_json())["fields"]
        columns = {field["name"]: field["type"] for field in fields}
        in_files = {name: kind for name, kind in columns.items() if name not in self.keys}
        added = [
            self.actions.AddAction(
                path=str(self.below / file.path),
                size=file.bytes,
                partition_values=_texts(file.partition),
                modification_time=file.modified,
                data_change=True,
                stats=statistics(file, in_files),
            )
            for file in self.files
        ]
        once = self.lake.Transaction(self.name, 0, int(time.time() * 1000))
        # A second creation would become the next version, with a schema of its own.
        retries = 0 if table is None else None
        properties = self.lake.CommitProperties(app_transactions=[once], max_commit_retries=retries)
        if table is None:
            self.actions.create_table_with_add_actions(
                os.fspath(self.directory),
                schema,
                added,
                mode="error",
                partition_by=self.keys,
                commit_properties=properties,
            )
        else:
            table.create_write_transaction(
                [*added, *removed], "append", schema, self.keys, commit_properties=properties
            )


def _keys(directory: Path, files: list[DataFile]) -> list[str]:
    """The names of the partition keys, in the order of the paths."""
    keys = list(files[0].partition) if files else []
    for file in files:
        if list(file.partition) != keys:
            raise refused(directory, f"{file.path} has other partition keys than {files[0].path}")
    return keys


def _texts(partition: Mapping[str, KeyValue]) -> dict[str, str | None]:
    """A partition as the log has it."""
    return {key: value_text(value) for key, value in partition.items()}


def _text(kind: DeltaType) -> str:
    return kind if isinstance(kind, str) else json.dumps(shape(kind))


def _sync(directory: Path, versions: range) -> None:
    """Makes versions of the table durable; a checkpoint may have taken the place of old ones."""
    log = directory / "_delta_log"
    sync([*(log / f"{version:020}.json" for version in versions), log])
