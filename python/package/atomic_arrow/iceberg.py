"""Iceberg tables over the files of a data set: :func:`register` tells a table what a commit published and removed.

It needs the packages ``pyiceberg`` and ``pyarrow``, which are imported when it is called.

The table's metadata stands where its catalog keeps it, and names the files by their paths. What was registered once is not
registered again, so that a program that was killed between the commit and this repeats it.
"""

from __future__ import annotations

import copy
import importlib
from pathlib import Path
from typing import Any, NamedTuple

from ._iceberg_files import IcebergFiles, path_of
from ._lib import Receipt
from ._paths import StrPath
from ._registered import DataFile, files_of, needed, refused, root_of, sync, unknown

__all__ = ["Registration", "register"]

# By which a snapshot tells the commit that it has.
_PROPERTY = "atomic-arrow.transaction"
_ATTEMPTS = 10


class Registration(NamedTuple):
    """What an Iceberg table was told of a commit."""

    snapshot: int | None
    """The table's snapshot that has the commit, or a later one; ``None`` of a table that has none."""
    replayed: bool
    """Whether the commit was registered before, and nothing was done now."""
    added: int
    """How many files were added to the table."""
    removed: int
    """How many files were removed from it."""


def register(receipt: Receipt, table: Any, *, root: StrPath | None = None) -> Registration:
    """Tells an Iceberg table what a commit published and removed, once, in one snapshot of the table.

    ::

        receipt = aa.write_dataset(df, "lake/weather", partition_by="station", keep_partition_columns=True)
        aa.iceberg.register(receipt, catalog.load_table("lake.weather"))

    Of several processes that register at once each gets a snapshot of its own; one receipt is registered by one of them.

    :param receipt: What a commit gave, or :func:`atomic_arrow.already_committed`.
    :param table: The table, as ``Catalog.load_table`` of pyiceberg gives it. It has the new snapshot afterwards.
    :param root: The root of the data set; by default that of the receipt.
    :raises RegistrationError: If the table cannot have the files: other columns than the table's, rows of several of its
        partitions in one file, a partition that no column tells. The table is as it was.
    :raises ImportError: If ``pyiceberg`` 0.12 or ``pyarrow`` is not installed.
    """
    _check_version()
    place = root_of(receipt, root)
    # A file without rows has no partition.
    files = [file for file in files_of(receipt, place) if file.rows]
    for _ in range(_ATTEMPTS):
        table.refresh()
        registration = _Adding(receipt, table, place, files).attempt()
        if registration is not None:
            return registration
    reason = f"other writers committed to the table first, {_ATTEMPTS} times: repeat it"
    raise refused(place, reason)


def _check_version() -> None:
    found = needed("pyiceberg", "pyiceberg[pyarrow]").__version__
    # Some of what is used of it is not of its public interface.
    if found.split(".")[:2] != ["0", "12"]:
        reason = f"registering needs pyiceberg 0.12, and {found} is installed"
        raise ImportError(f"{reason}: pip install 'pyiceberg[pyarrow]==0.12.*'", name="pyiceberg")


class _Adding:
    """One commit that a table is to be told of, as the table is now."""

    def __init__(self, receipt: Receipt, table: Any, root: Path, files: list[DataFile]) -> None:
        self.receipt = receipt
        self.table = table
        self.root = root
        self.files = files

    def attempt(self) -> Registration | None:
        """Registers it, or finds that it is; ``None`` if another writer came first, so that it is to be tried again."""
        if self._is_registered():
            return self._done(True)
        there = {path_of(task.file.file_path): task.file for task in self.table.scan().plan_files()}
        known = [file for file in self.files if file.place in there]
        if self.files and len(known) == len(self.files):
            return self._done(True)
        entries = IcebergFiles(self.table)
        added = [entries.data_file(file) for file in self.files if file.place not in there]
        removed = self._removed(there, added)
        if not added and not removed:
            return self._done(False)
        exceptions: Any = importlib.import_module("pyiceberg.exceptions")
        before = self.table.metadata_location
        try:
            self._commit(added, removed)
        except exceptions.CommitFailedException:
            return None
        except Exception as error:
            self._refresh_afterwards()
            if self._is_registered():
                return self._done(False, len(added), len(removed))
            if self.table.metadata_location != before:
                return None
            raise refused(self.root, f"Iceberg refused the commit ({error})") from error
        self._refresh_afterwards()
        return self._done(False, len(added), len(removed))

    def _refresh_afterwards(self) -> None:
        """Looks at the table after it was told of the commit, or could not be."""
        try:
            self.table.refresh()
        except Exception as error:
            raise unknown(self.root, f"the Iceberg table cannot be read ({error})") from error

    def _is_registered(self) -> bool:
        snapshots = self.table.metadata.snapshots
        summaries = [snapshot.summary for snapshot in snapshots if snapshot.summary is not None]
        return any(summary[_PROPERTY] == self.receipt.transaction for summary in summaries)

    def _done(self, replayed: bool, added: int = 0, removed: int = 0) -> Registration:
        snapshot = self.table.current_snapshot()
        written = [self.table.metadata_location]
        if snapshot is not None:
            manifests = snapshot.manifests(self.table.io)
            written += [snapshot.manifest_list, *(manifest.manifest_path for manifest in manifests)]
        sync(path for path in map(path_of, written) if path.is_absolute())
        number = None if snapshot is None else snapshot.snapshot_id
        return Registration(number, replayed, added, removed)

    def _removed(self, there: dict[Path, Any], added: list[Any]) -> list[Any]:
        """The files of the table that the commit removed.

        :raises RegistrationError: If the table has rows, in files of its own tools, that the commit replaced.
        """
        if self.receipt.mode not in ("overwrite", "overwrite_partitions"):
            return []
        removed = {self.root / path for path in self.receipt.removed}
        spec = self.table.metadata.default_spec_id
        replaced = {file.partition for file in added}
        for path, file in there.items():
            if path.is_relative_to(self.root):
                continue
            is_replaced = file.spec_id != spec or file.partition in replaced
            if self.receipt.mode == "overwrite" or is_replaced:
                reason = (
                    f"the write replaced rows that the table has in {path}, a file of its own tools"
                )
                raise refused(
                    self.root, f"{reason}: delete these rows with Table.delete, and repeat this"
                )
        return [file for path, file in there.items() if path in removed]

    def _commit(self, added: list[Any], removed: list[Any]) -> None:
        table = copy.copy(self.table)
        # Its own attempts would add the files of a receipt again that another process has registered meanwhile.
        once = {**table.metadata.properties, "commit.retry.num-retries": "0"}
        table.metadata = table.metadata.model_copy(update={"properties": once})
        with table.transaction() as transaction:
            if transaction.table_metadata.name_mapping() is None:
                mapping = transaction.table_metadata.schema().name_mapping.model_dump_json()
                transaction.set_properties({"schema.name-mapping.default": mapping})
            update = transaction.update_snapshot({_PROPERTY: self.receipt.transaction})
            with update.overwrite() if removed else update.fast_append() as producer:
                for file in added:
                    producer.append_data_file(file)
                for file in removed:
                    producer.delete_data_file(file)
