"""Every error a user of Batonpass can meet, as one tree.

    BatonpassError                    carries `hint`: the next thing to do
    ├── UsageError                    the call cannot mean anything (wrong argument, wrong order)
    ├── RunNotFoundError              no run of that name or id on this store
    ├── AmbiguousRunError             several runs answer to that name; each is named
    ├── HeldElsewhereError            another session holds the run
    ├── NothingToRestoreError         the run got past step 0 and no checkpoint of it can be restored
    ├── RankLostError                 another process of this training has ended or does not answer
    ├── CheckpointError
    │   ├── CorruptCheckpointError    bytes do not match their manifest, confirmed by a second read
    │   └── CheckpointMismatchError   the checkpoint belongs to another model, optimizer or format
    ├── FormatError                   a file on the store is not what its name promises, or is from a newer version
    └── StoreError                    carries `op`, `key`, `permanent`
        ├── StoreUnreachableError     no answer, or an answer that says "later"
        │   └── StoreThrottledError   the store asks for fewer calls
        ├── NotFoundError             the store says that this key or id does not exist
        ├── ConflictError             a conditional write found another version
        ├── StoreFullError            no space or quota left
        ├── SignInError               the credential is missing, expired, revoked or too narrow
        ├── NotOurFolderError         the root holds somebody else's files, or its mount is not there
        └── StoppedError              the caller's `should_stop` ended a transfer; the object is as it was

Foreign errors (OSError, HTTP, Google) are turned into these in one place per store.
"""

from __future__ import annotations

import sys
import traceback

_INSIDE = {"batonpass", "IPython", "ipykernel", *sys.stdlib_module_names}


class BatonpassError(Exception):
    """An error that says what to do next.

    `hint` is one sentence for the user; `exit_code` is what the command line ends with (docs/CLI.md has the table).
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  What to do: {self.hint}" if self.hint else self.message

    def _render_traceback_(self) -> list[str]:
        """What IPython shows of it: the user's own lines, then the message. Forty lines from inside would push the hint out of sight.

        An error that it came of, or that was on its way already, stands above it where it passed through the user's lines.
        """
        shown: list[str] = []
        for error in _came_of(self)[:-1]:
            if frames := _own_frames(error):
                shown += [*frames, *traceback.format_exception_only(error)]
        return "".join([*shown, *_own_frames(self), f"{type(self).__name__}: {self}"]).splitlines()


class UsageError(BatonpassError):
    """The call cannot mean anything: a wrong argument or a wrong order of calls."""

    exit_code = 2


class RunNotFoundError(BatonpassError):
    """No run of that name or id is on this store."""

    exit_code = 3


class AmbiguousRunError(BatonpassError):
    """Several runs answer to that name; the message names each with its id."""

    exit_code = 4


class HeldElsewhereError(BatonpassError):
    """Another session holds the run and its training process seems to live."""

    exit_code = 5


class NothingToRestoreError(BatonpassError):
    """The run got past step 0 but no checkpoint of it can be restored; training from zero needs the user's word."""

    exit_code = 6


class RankLostError(BatonpassError):
    """Another process of a training on several GPUs has ended, or does not answer."""


class CheckpointError(BatonpassError):
    """Something is wrong with a checkpoint."""

    exit_code = 7


class CorruptCheckpointError(CheckpointError):
    """The bytes do not match their manifest, and a second read said the same."""


class CheckpointMismatchError(CheckpointError):
    """The checkpoint is whole but belongs to another model, optimizer or format."""


class FormatError(BatonpassError):
    """A file on the store is not what its name promises, or a newer version of Batonpass wrote it."""

    exit_code = 8


class StoreError(BatonpassError):
    """A store could not do what it was asked.

    `op` is the operation ("put", "get", ...), `key` what it was about, `permanent` whether trying again can help.
    """

    exit_code = 10
    permanent = True

    def __init__(self, message: str, *, op: str = "", key: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.op = op
        self.key = key


class StoreUnreachableError(StoreError):
    """No answer, or an answer that says "later". Trying again can help.

    `retry_after_s` is what the store asked for, in seconds, or None.
    """

    exit_code = 11
    permanent = False

    def __init__(
        self, message: str, *, op: str = "", key: str = "", hint: str = "", retry_after_s: float | None = None
    ) -> None:
        super().__init__(message, op=op, key=key, hint=hint)
        self.retry_after_s = retry_after_s


class StoreThrottledError(StoreUnreachableError):
    """The store answers and asks for fewer or slower calls. Trying again later, with less at once, helps."""


class NotFoundError(StoreError):
    """The store itself says that this key or id does not exist (a listing never proves it)."""

    exit_code = 12


class ConflictError(StoreError):
    """A conditional write found another version than the one expected: read again, then decide."""

    exit_code = 13


class StoreFullError(StoreError):
    """No space or quota is left on the store. Nothing was written; waiting does not help, making room does."""

    exit_code = 14


class SignInError(StoreError):
    """The credential is missing, expired, revoked or too narrow."""

    exit_code = 15


class NotOurFolderError(StoreError):
    """The root holds somebody else's files, or the mount it lies under is not there."""

    exit_code = 16


class StoppedError(StoreError):
    """A transfer's `should_stop` said yes. The object on the store is as it was before."""

    exit_code = 17


def _came_of(error: BaseException) -> list[BaseException]:
    """The error, and before it those that it came of, the first one first."""
    chain: list[BaseException] = []
    now: BaseException | None = error
    while now is not None and now not in chain:
        chain.append(now)
        now = now.__cause__ or (None if now.__suppress_context__ else now.__context__)
    return chain[::-1]


def _own_frames(error: BaseException) -> list[str]:
    """The lines of its way that are the user's, or another library's: neither ours nor Python's nor IPython's."""
    own = [
        (frame, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if str(frame.f_globals.get("__name__") or "").partition(".")[0] not in _INSIDE
    ]
    return traceback.StackSummary.extract(own).format()
