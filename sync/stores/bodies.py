"""What is sent: a `put`'s body in chunks, with the caller's progress and stop button between them. Shared by all stores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from batonpass.core.errors import StoppedError, StoreError
from batonpass.core.files import CHUNK_BYTES, Digest, hash_bytes, hash_file, read_chunks
from batonpass.core.storage import Transfer


def body_size(body: bytes | Path, *, key: str) -> int:
    """Length in bytes. StoreError (permanent) when the local file cannot be read."""
    if isinstance(body, bytes):
        return len(body)
    try:
        return body.stat().st_size
    except OSError as error:
        raise unreadable(body, key, error) from error


def body_digest(body: bytes | Path, *, key: str) -> Digest:
    """Length and hashes of what is to be sent. StoreError (permanent) when the local file cannot be read."""
    if isinstance(body, bytes):
        return hash_bytes(body)
    try:
        return hash_file(body)
    except OSError as error:
        raise unreadable(body, key, error) from error


def send_chunks(body: bytes | Path, *, key: str, transfer: Transfer | None) -> Iterator[bytes]:
    """The body's bytes; before each chunk `should_stop` is asked (StoppedError), after each `on_progress` is told."""
    transfer = transfer or Transfer()
    total = body_size(body, key=key)
    sent = 0
    check_stop(transfer, op="put", key=key)
    for chunk in _chunks(body, key):
        check_stop(transfer, op="put", key=key)
        yield chunk
        sent += len(chunk)
        transfer.on_progress(sent, total)
    if sent != total:
        raise StoreError(
            f"the file for {key} changed while it was being stored ({total} bytes became {sent})",
            op="put",
            key=key,
            hint="try again",
        )
    if total == 0:
        transfer.on_progress(0, 0)


def check_stop(transfer: Transfer, *, op: str, key: str) -> None:
    """StoppedError once the caller asks a transfer to stop."""
    if transfer.should_stop():
        raise StoppedError(f"stopped before {key} was whole", op=op, key=key)


def unreadable(path: Path, key: str, error: OSError) -> StoreError:
    """The store's error (permanent) for a local file that is to be sent."""
    reason = error.strerror or type(error).__name__
    return StoreError(f"the local file {path} cannot be read: {reason}", op="put", key=key, hint="nothing was stored")


def _chunks(body: bytes | Path, key: str) -> Iterator[bytes]:
    if isinstance(body, bytes):
        view = memoryview(body)
        yield from (bytes(view[i : i + CHUNK_BYTES]) for i in range(0, len(view), CHUNK_BYTES))
        return
    try:
        file = body.open("rb")
    except OSError as error:
        raise unreadable(body, key, error) from error
    with file:
        chunks = read_chunks(file)
        while True:
            try:
                chunk = next(chunks, None)
            except OSError as error:
                raise unreadable(body, key, error) from error
            if chunk is None:
                return
            yield chunk
