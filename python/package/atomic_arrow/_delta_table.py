"""What a Delta table promises of its rows, beside their types, that adding whole files would not keep."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ._registered import refused

# Features that adding and removing whole files does not break, or that are looked at below.
_UNDERSTOOD = {
    "appendOnly",
    "changeDataFeed",
    "checkConstraints",
    "columnMapping",
    "deletionVectors",
    "generatedColumns",
    "identityColumns",
    "invariants",
    "timestampNtz",
    "v2Checkpoint",
    "vacuumProtocolCheck",
}
# What the metadata of a column that is computed or checked begins with.
_COMPUTED = ("delta.generationExpression", "delta.invariants", "delta.identity.")


def check_settings(
    directory: Path,
    protocol: Any,
    configuration: Mapping[str, str],
    fields: Mapping[str, Any],
    removes: bool,
) -> None:
    """Refuses a table whose promises would not be kept.

    :param protocol: As deltalake gives it.
    :param fields: The columns of the table by their names, as the JSON of its schema has them.
    :param removes: Whether files are removed from it.
    :raises RegistrationError: The first such promise.
    """
    features = set(protocol.writer_features or ())
    if unknown := features - _UNDERSTOOD:
        reason = f"the table has the features {sorted(unknown)}, which are not known here"
        raise refused(directory, f"{reason}: write with Delta Lake's own tools")
    for setting, value in configuration.items():
        if setting.startswith("delta.constraints."):
            reason = f"the table has a constraint, {setting} ({value}), which nobody would check"
            raise refused(directory, f"{reason}: drop it, or write with Delta Lake's own tools")
    if configuration.get("delta.columnMapping.mode", "none") != "none":
        reason = "the columns of the table have other names in its files (delta.columnMapping.mode)"
        raise refused(directory, f"{reason}: register in another table")
    for name, field in fields.items():
        if made := [key for key in field["metadata"] if key.startswith(_COMPUTED)]:
            reason = f"column {name!r} of the table is computed or checked ({made[0]})"
            raise refused(directory, f"{reason}: write with Delta Lake's own tools")
    if removes and "deletionVectors" in features:
        reason = (
            "single rows of the files that the write removed may have been deleted in the table"
        )
        raise refused(directory, f"{reason}: remove these files with Delta Lake's own tools")
