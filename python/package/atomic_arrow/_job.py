"""A write by the tasks of an engine: what each of them stages, and the one commit of all."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from typing import Any

from ._data import Data, Schema, schema_of
from ._dataset import _committed, _dry_run, _warnings_of, already_committed, discard, stage
from ._errors import AtomicArrowError, DataSetWarning, JobClosedError, make
from ._lib import Receipt, StagedWrite
from ._options import WriteOptions, prepared
from ._paths import StrPath, absolute
from ._sizes import invalid
from ._stores import ObjectStoreOptions

_OF_STORE = ("staging", "storage_options", "dead_after")
"""What says where things are staged, and how a store is reached."""
_OF_BOTH = ("sequence", "rewrite_missing", "schema_check", "case_sensitive_names", *_OF_STORE)
_OF_COMMIT = (*_OF_BOTH, "success_file")


class Job:
    """One write of an engine: plain data, which its tasks are sent.

    A job that the user names is committed once, however often it is run: where it has failed, it stays open, and
    running it again discards what the earlier run left. Any other has a name of its own, and ends with its run.
    """

    def __init__(self, root: StrPath, options: WriteOptions) -> None:
        """
        :raises InvalidOptionError, InvalidPathError: If an option is none, or is not for jobs.
        """
        given: dict[str, Any] = dict(options)
        # A worker may run in another directory.
        self.root = absolute(root)
        """The path or URL of the data set."""
        self.is_named = given.get("job") is not None
        """Whether the user gave its name."""
        self.name: str = given.pop("job", None) or f"engine-{uuid.uuid4()}"
        """The name."""
        if given.get("write_id") is not None:
            raise invalid("write_id", "the commit of a job is named by the job: give job=")
        if given.get("sequence") is not None and not self.is_named:
            raise invalid("sequence", "is the number in the stream that a job names: give job=")
        if given.get("task") is not None:
            raise invalid("task", "the tasks of an engine are named by their numbers")
        if given.get("durability") == "unsynced":
            reason = (
                "the commit of a job is remembered, and a power cut could take what was not synced"
            )
            raise invalid("durability", reason)
        self._ending = {name: given[name] for name in _OF_COMMIT if name in given}
        self._staging = {
            name: value
            for name, value in given.items()
            if name in _OF_BOTH or name not in _OF_COMMIT
        }
        prepared({**given, "job": self.name})

    def check(self, schema: Schema) -> None:
        """Raises what the write would be refused for, as far as that is known without a row."""
        if self.is_named and self.receipt() is not None:
            return
        options: Any = {**self._staging, **self._ending}
        options.pop("sequence", None)
        _dry_run([], self.root, schema, None, options)

    def stage(
        self,
        data: Data,
        *,
        task: str | None = None,
        schema: Schema | None = None,
        index: bool | None = None,
    ) -> StagedWrite | None:
        """Stages what one task has; None where the job was committed or discarded before."""
        options: Any = {**self._staging, "job": self.name, "task": task}
        try:
            return stage(data, self.root, schema=schema, index=index, **options)
        except JobClosedError:
            # An engine also runs tasks again after the commit, whose receipt is given then.
            return None

    def commit(self, staged: Iterable[StagedWrite | None]) -> Receipt:
        """Publishes what the tasks have staged, or gives the receipt if that was done before.

        It warns of nothing: where it runs, nobody may see it.
        """
        parts = list(staged)
        writes = [part for part in parts if part is not None]
        receipt = _committed(writes, self.root, job=self.name, **self._ending)
        if len(writes) < len(parts) and not _is_of_commit(receipt):
            raise self._closed()
        return receipt

    def receipt(self) -> Receipt | None:
        """What its commit published, where it is known that there was one."""
        names = ("sequence", "rewrite_missing", "staging", "storage_options")
        options = {name: self._staging[name] for name in names if name in self._staging}
        receipt = already_committed(self.root, job=self.name, **options)
        return receipt if receipt is not None and _is_of_commit(receipt) else None

    def warnings_of(self, receipt: Receipt) -> Iterator[tuple[type[Warning], str]]:
        """What the user is to be warned of, in the process where he sees it."""
        yield from _warnings_of(receipt)
        named = f'{self.root}: the job "{self.name}" published nothing as number {receipt.sequence}'
        remedy = "a stream that begins anew, as with a new checkpoint, needs another name"
        for note in receipt.notes:
            # Of a job its rows may be missing: nothing else tells the user of an engine.
            if note.kind == "superseded":
                yield DataSetWarning, f"{named}: {note.message}; {remedy}"

    def stage_nothing(self) -> StagedWrite | None:
        """Stages no rows, which leaves no file; None where the job was committed or discarded before."""
        names = (
            "mode",
            "overwrite_table",
            "sequence",
            "rewrite_missing",
            "staging",
            *ObjectStoreOptions.__annotations__,
        )
        options: Any = {name: self._staging[name] for name in names if name in self._staging}
        try:
            return stage(_nothing(), self.root, job=self.name, **options)
        except JobClosedError:
            return None

    def fail(self, error: BaseException) -> Receipt | None:
        """Ends the job after an error of the engine, and discards what is staged for it.

        A job that the user named stays open, to be run again.

        :returns: The receipt, if it had been committed all the same.
        """
        try:
            if not self.is_named:
                self.discard()
            receipt = self.receipt()
        except AtomicArrowError as another:
            error.add_note(f"{self.root}: the job {self.name!r} could not be discarded: {another}")
            return None
        # One that is closed says itself what to do.
        if self.is_named and receipt is None and not isinstance(error, JobClosedError):
            error.add_note(
                f"{self.root}: nothing is published of the job {self.name!r}; run it again, or remove what it "
                f"staged with atomic_arrow.discard(root={self.root!r}, job={self.name!r})"
            )
        return receipt

    def discard(self) -> None:
        """Discards what is staged for it, and closes it."""
        options: Any = {name: self._staging[name] for name in _OF_STORE if name in self._staging}
        discard(root=self.root, job=self.name, **options)

    def _closed(self) -> Exception:
        other = "another name" if "sequence" not in self._ending else "a higher number"
        message = (
            f'{self.root}: the job "{self.name}" is closed, since it was discarded, or committed without rows; '
            f"nothing of this run is published: to publish its rows, give the job {other}"
        )
        return make("JobClosedError", message, outcome="not_published", path=self.root)

    def __repr__(self) -> str:
        return f"<Job {self.name!r} of {self.root}>"


def _nothing() -> Data:
    import pyarrow

    return pyarrow.table({})


def _is_of_commit(receipt: Receipt) -> bool:
    """Whether it is known to be that of a commit, or of a later one of the stream, and not of a job that was discarded.

    That of what was discarded appends nothing, as does that of an append without rows.
    """
    is_superseded = any(note.kind == "superseded" for note in receipt.notes)
    return bool(receipt.files) or receipt.mode != "append" or is_superseded


def sendable(schema: Schema, *, index: bool | None = None) -> Schema:
    """A schema in a form that can be sent to other processes."""
    import pyarrow

    known: Schema = pyarrow.schema(schema_of(schema, index=index))
    return known
