"""The exceptions, and what each says of what is on disk."""

from __future__ import annotations

import errno as _errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._stores import is_in_store

if TYPE_CHECKING:
    from ._lib import PublishedFile, Receipt


class Outcome(StrEnum):
    """What is at the final path, or in the data set, after an exception."""

    NOT_PUBLISHED = "not_published"
    """What was there before: nothing, or the old file."""
    PUBLISHED_NOT_DURABLE = "published_not_durable"
    """The complete, verified new file, but a power cut may still undo it."""
    PUBLISHED_IN_PART = "published_in_part"
    """Some of the files of a commit; the next writer, or :func:`recover`, publishes the rest."""
    LOST = "lost"
    """Perhaps some of the files of a commit, others of which were removed before they were published."""
    UNKNOWN = "unknown"
    """It could not be told; if it was published, it is complete."""
    PUBLISHED = "published"
    """All of it: an interrupt came too late, or it could not be registered in a table."""


class AtomicArrowError(Exception):
    """The base of every exception of this package, but for :class:`Interrupted`.

    Its text says what happened, where, and because of what.
    """

    outcome: Outcome = Outcome.NOT_PUBLISHED
    """What is on disk."""
    step: str | None = None
    """The step of the protocol that failed, such as ``"SyncFile"``; ``None`` if it came before."""
    path: Path | Any | None = None
    """The path that it is about, where there is one; in an object store its URL, a ``str``."""
    is_retryable: bool = False
    """Whether the same write, repeated from its first row, may succeed with nothing changed: what was in the way passes by
    itself, such as a time-out or an object store that is overloaded. Nothing was published where this is true."""

    def __str__(self) -> str:
        # Where the system is the cause, OSError would tell its own story.
        message: str | None = self.__dict__.get("_message")
        return super().__str__() if message is None else message

    def __reduce__(self) -> tuple[Any, ...]:
        fields = {
            "outcome": str(self.outcome),
            "step": self.step,
            "path": None if self.path is None else os.fspath(self.path),
            "errno": getattr(self, "errno", None),
            "is_retryable": self.is_retryable,
        }
        return _made, (_public(type(self)).__name__, str(self), fields)


class PartitionError(AtomicArrowError, ValueError):
    """A partition's key, value or column cannot be used."""


class InvalidPathError(AtomicArrowError, ValueError):
    """A path or URL cannot be written to."""


class InvalidOptionError(AtomicArrowError, ValueError):
    """Options that contradict each other, or the schema, or are none."""


class InputError(AtomicArrowError, ValueError):
    """The data cannot be read, or is none."""


class SchemaMismatchError(AtomicArrowError, ValueError):
    """Data does not have the writer's schema."""


class StrayRowError(AtomicArrowError, ValueError):
    """A row carries another partition value than its file's."""


class EncodeError(AtomicArrowError, ValueError):
    """The format's encoder refused the rows."""


class DamagedError(AtomicArrowError, ValueError):
    """The staged file is not what was written, or not of its format; it was never visible."""


class InvalidReceiptError(AtomicArrowError, ValueError):
    """Something is no receipt."""


class ClosedError(AtomicArrowError, ValueError):
    """The writer or file was committed or discarded already."""


class PoisonedError(AtomicArrowError, RuntimeError):
    """An earlier write failed, so that the writer can only be discarded."""


class BusyError(AtomicArrowError, RuntimeError):
    """A callback used the writer that called it."""


class ForkedError(AtomicArrowError, RuntimeError):
    """The writer or file was opened by another process, before a fork."""


class StoppedError(AtomicArrowError, RuntimeError):
    """The write was stopped before anything was decided."""


class AbortedError(AtomicArrowError, RuntimeError):
    """The transaction was taken for dead and aborted by another process."""


class InvalidDecisionError(AtomicArrowError, RuntimeError):
    """A record in the staging area is not one that this version wrote; it was not acted upon."""


class DistrustedError(AtomicArrowError, PermissionError):
    """A record belongs to a user who may not do what it says; it was not acted upon."""


class ControlDistrustedError(AtomicArrowError, PermissionError):
    """Users who may not write in the data set can change its control directory, and it was not replaced."""


class NotRemovedError(AtomicArrowError, OSError):
    """A leftover cannot be removed; `recover` tries again."""


class SetAsideError(AtomicArrowError, RuntimeError):
    """A transaction or a control directory was set aside: it cannot be read or trusted."""


class PanicError(AtomicArrowError, RuntimeError):
    """A fault of this package.

    Its outcome is unknown unless nothing was to be published yet.
    """


class IoError(AtomicArrowError, OSError):
    """The system refused a step; nothing was published.

    It is also a :class:`PermissionError`, a :class:`FileNotFoundError` and so on, by its ``errno``.
    """


class StagingLostError(AtomicArrowError, FileNotFoundError):
    """The staging file was removed by another process, which took this writer for dead."""


class StagedWriteGoneError(AtomicArrowError, FileNotFoundError):
    """A staged write was committed or discarded already, or was kept too long."""


class AlreadyExistsError(AtomicArrowError, FileExistsError):
    """The final path is taken, and replacing it was not asked for."""


class ConflictError(AtomicArrowError, FileExistsError):
    """What the write would replace was changed meanwhile, or belongs to a table of another format, or is there where
    nothing may be."""


class IncompatibleError(AtomicArrowError, ValueError):
    """Readers could not take what was to be written, and what is there, for one data set."""


class JobClosedError(AtomicArrowError, FileExistsError):
    """A job was committed or discarded: what is staged for it now came too late, and is gone."""


class AlreadyCommittedError(AtomicArrowError, FileExistsError):
    """A write of this name was committed by another path or user, and its receipt is not seen from here."""


class OutOfReachError(AtomicArrowError, OSError):
    """Another writer's commit is unfinished in a staging area that is not reached from here."""


class NotDurableError(AtomicArrowError, OSError):
    """The file is published, but the sync of its directory failed."""


class UnknownOutcomeError(AtomicArrowError, OSError):
    """The system does not tell whether the file was published; if it was, it is complete."""


class UnfinishedError(AtomicArrowError, OSError):
    """A commit is decided, but not all of its files are published yet; recovery will finish it."""


class FilesLostError(AtomicArrowError, OSError):
    """Files of a commit were removed before they were published, so that nobody can finish it."""


class BlockedError(AtomicArrowError, OSError):
    """Another writer's commit into the same directories is not finished; nothing was published."""


class ReadError(AtomicArrowError, OSError):
    """A file or directory could not be read."""


class RegistrationError(AtomicArrowError, ValueError):
    """A table of another format could not be told of a commit.

    The files of the commit are published, and the table is as it was. When what the text says is seen to, repeat it.
    """

    outcome: Outcome = Outcome.PUBLISHED
    """What is on disk: all of the commit."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during a write; its text says what is on disk because of it.

    Like every :class:`KeyboardInterrupt` it is no :class:`Exception`.
    """

    outcome: Outcome = Outcome.NOT_PUBLISHED
    """What is on disk; nearly always :attr:`Outcome.NOT_PUBLISHED`."""
    path: Path | Any | None = None
    """The data set or file; in an object store its URL, a ``str``."""
    receipt: Receipt | PublishedFile | None = None
    """What was published, where all of it was when the interrupt came."""


class DataSetWarning(UserWarning):
    """A commit was done, and something about the data set is to be known: see :attr:`Receipt.notes`."""


class DiscardedWarning(UserWarning):
    """A file was closed without a commit, so that what was written to it is discarded."""


def _public(kind: type[AtomicArrowError]) -> type[AtomicArrowError]:
    """The class that has a name, of one that was made for an errno."""
    return next(base for base in kind.__mro__ if not base.__dict__.get("_unnamed", False))


_by_errno: dict[tuple[type, type], type[AtomicArrowError]] = {}


def _class(name: str, errno: int | None) -> type[AtomicArrowError]:
    kind: type[AtomicArrowError] = globals()[name]
    if errno is None or not issubclass(kind, OSError):
        return kind
    builtin = type(OSError(errno, ""))
    if issubclass(kind, builtin):
        return kind
    if (kind, builtin) not in _by_errno:
        body = {"_unnamed": True, "__module__": kind.__module__, "__doc__": kind.__doc__}
        _by_errno[kind, builtin] = type(name, (kind, builtin), body)
    return _by_errno[kind, builtin]


def make(
    name: str,
    message: str,
    *,
    outcome: str,
    step: str | None = None,
    path: str | os.PathLike[str] | None = None,
    errno: int | str | None = None,
    is_retryable: bool = False,
) -> AtomicArrowError:
    """Makes the exception of a name; an errno may be given by its own name."""
    if isinstance(errno, str):
        errno = int(getattr(_errno, errno))
    kind = _class(name, errno)
    if errno is None and issubclass(kind, FileExistsError):
        errno = _errno.EEXIST
    if errno is None and issubclass(kind, FileNotFoundError):
        errno = _errno.ENOENT
    if issubclass(kind, OSError) and errno is not None:
        filename = None if path is None else os.fspath(path)
        error: AtomicArrowError = kind(errno, os.strerror(errno), filename)
    else:
        error = kind(message)
    error.__dict__["_message"] = message
    error.outcome = Outcome(outcome)
    error.step = step
    error.path = None if path is None else _place(path)
    error.is_retryable = is_retryable
    return error


def _place(path: str | os.PathLike[str]) -> Path | Any:
    """A path; but the URL of an object store stays a text, since a path would not keep it as it is."""
    text = os.fspath(path)
    return text if is_in_store(text) else Path(path)


def _made(name: str, message: str, fields: dict[str, Any]) -> AtomicArrowError:
    return make(name, message, **fields)


_OUTCOMES = {
    Outcome.NOT_PUBLISHED: "nothing was published",
    Outcome.PUBLISHED_NOT_DURABLE: "it is published, but maybe not durable",
    Outcome.PUBLISHED_IN_PART: "it is published in part; recovery will finish it",
    Outcome.LOST: "some of it was removed before it was published",
    Outcome.UNKNOWN: "it is not known whether it was published",
    Outcome.PUBLISHED: "it came too late: everything is published",
}


def interrupted(
    raised: BaseException, outcome: str, path: str | os.PathLike[str] | None
) -> BaseException:
    """What a signal's handler or a callback raised, told what is on disk."""
    known = Outcome(outcome)
    where = "" if path is None else f"{os.fspath(path)}: "
    if type(raised) is not KeyboardInterrupt:
        if not isinstance(raised, AtomicArrowError):
            raised.add_note(f"{where}the write was ended by this; {_OUTCOMES[known]}")
        return raised
    error = Interrupted(f"{where}interrupted; {_OUTCOMES[known]}")
    error.outcome = known
    error.path = None if path is None else _place(path)
    return error


@contextmanager
def unpublished(path: str | os.PathLike[str]) -> Iterator[None]:
    """Makes of a Ctrl-C within, because of which nothing is published, :class:`Interrupted`."""
    try:
        yield
    except BaseException as error:
        if type(error) is KeyboardInterrupt or _is_of_ctrl_c(error):
            raise interrupted(KeyboardInterrupt(), Outcome.NOT_PUBLISHED, path) from error
        raise


def _is_of_ctrl_c(error: BaseException) -> bool:
    """Whether it is a Ctrl-C that came while PyArrow had Python for its next batch.

    What is raised there passes the Arrow C stream interface as a text, which ends with its traceback.
    """
    text = str(error) if isinstance(error, InputError) else ""
    return "error: . Detail: Python exception: Traceback" in text and text.rstrip().endswith(
        "\nKeyboardInterrupt"
    )
