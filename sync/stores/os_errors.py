"""What the operating system says about a folder, turned into the store's words: the one place for it."""

from __future__ import annotations

import errno

from batonpass.core.errors import StoreError, StoreFullError, StoreUnreachableError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
_IMPOSSIBLE = {
    errno.EISDIR,
    errno.ENOTDIR,
    errno.ENAMETOOLONG,
    errno.EINVAL,
    errno.ELOOP,
    errno.ENOTEMPTY,
    errno.EEXIST,
}
_WINDOWS_NETWORK_GONE = {21, 51, 53, 55, 59, 64, 67, 121, 362, 1231, 1232, 1236}
"""Windows calls some dead network drives "file not found" in `errno`; `winerror` tells."""


def is_missing(error: OSError) -> bool:
    """Whether the system says that this path does not exist (not that it could not look)."""
    return (
        isinstance(error, (FileNotFoundError, NotADirectoryError))
        and getattr(error, "winerror", None) not in _WINDOWS_NETWORK_GONE
    )


def store_error(error: OSError, *, op: str, key: str, place: str) -> StoreError:
    """The store's error for a system error that does not mean "not there". What is not known to be final may be tried again."""
    reason = f"{place}: {error.strerror or type(error).__name__}"
    if error.errno in _FULL:
        return StoreFullError(reason, op=op, key=key, hint="make room on that disk or Drive; nothing was overwritten")
    if error.errno in _FORBIDDEN:
        hint = "the folder is read-only for you: check its permissions, or choose a folder of your own"
        return StoreError(reason, op=op, key=key, hint=hint)
    if error.errno in _IMPOSSIBLE:
        return StoreError(
            reason, op=op, key=key, hint="something else lies where this file belongs: look at the folder"
        )
    hint = "the disk or mount does not answer: reconnect it (on Colab: drive.mount again with force_remount=True)"
    return StoreUnreachableError(reason, op=op, key=key, hint=hint)
