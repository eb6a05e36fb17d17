"""The operating-system lock under which a folder store's conditional writes are decided, among threads and processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from batonpass.core.errors import StoreError, StoreUnreachableError
from batonpass.core.files import make_folders

TIMEOUT_S = 30.0
_POLL_S = 0.005


@contextmanager
def hold_lock(path: Path, *, timeout_s: float = TIMEOUT_S) -> Iterator[None]:
    """Hold the lock for a moment. It ends with the process, however that dies.

    StoreUnreachableError after `timeout_s`; StoreError where the file system has no locks; OSError as `open`.
    """
    make_folders(path.parent)
    lock = FileLock(path, timeout=timeout_s, mode=0o666, poll_interval=_POLL_S)
    try:
        lock.acquire()
    except Timeout as error:
        raise StoreUnreachableError(
            f"another process has held {path} for {timeout_s:.0f} s", op="lock", hint="end the process that hangs"
        ) from error
    except NotImplementedError as error:
        raise StoreError(
            f"the file system of {path} has no locks", op="lock", hint="choose a folder on another disk"
        ) from error
    try:
        yield
    finally:
        lock.release()
