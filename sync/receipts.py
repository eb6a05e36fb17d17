"""Reads and writes the receipts of a run, `receipts/<reader>.json`. What makes a receipt true is `sync.proving`'s affair."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from batonpass.core import naming
from batonpass.core.codec import decode, encode
from batonpass.core.errors import ConflictError, FormatError, NotFoundError
from batonpass.core.model import Receipt, ReceiptEntry
from batonpass.core.storage import ABSENT, ObjectInfo, Store

_TRIES = 4
"""Two programs of one computer that write at the same moment: each keeps the other's entries."""


def read_receipts(store: Store, folder: str, broken: list[str]) -> tuple[Receipt, ...]:
    """Every receipt of a run. One that cannot be read, or speaks for another run or reader, is named in `broken` and left out."""
    found = []
    for info in store.list_objects(naming.receipts_folder(folder)):
        try:
            found.append(_read_receipt(store, folder, info))
        except NotFoundError:
            continue  # listed, and not there (yet): it proves nothing
        except FormatError as error:
            broken.append(error.message)
    return tuple(found)


def add_to_receipt(
    store: Store, folder: str, reader: str, fresh: Iterable[ReceiptEntry], *, listed: Collection[str] | None
) -> None:
    """Add entries to the receipt of `reader`; entries of checkpoints that are in `listed` no more go (None: all stay).

    A damaged receipt of one's own is begun anew: what it said is only proven again.
    """
    key = naming.receipt_file(folder, reader)
    added = {entry.key: entry for entry in fresh}
    for attempt in range(1, _TRIES + 1):
        receipt, version = _own(store, folder, key, reader)
        kept = {e.key: e for e in receipt.entries if listed is None or e.key in listed}
        after = replace(receipt, entries=tuple((kept | added).values()))
        try:
            store.put(key, encode(after), expect=version)
        except ConflictError:
            if attempt == _TRIES:
                raise
        else:
            return


def _own(store: Store, folder: str, key: str, reader: str) -> tuple[Receipt, str]:
    try:
        info = store.stat(key)
        return _read_receipt(store, folder, info), info.version
    except NotFoundError:
        return Receipt(reader), ABSENT
    except FormatError:
        return Receipt(reader), info.version


def _read_receipt(store: Store, folder: str, info: ObjectInfo) -> Receipt:
    receipt = decode(Receipt, store.get(info.key, store_id=info.id), key=info.key)
    try:
        own = naming.receipt_file(folder, receipt.reader)
        for entry in receipt.entries:
            naming.check_inside(entry.key, naming.checkpoints_folder(folder))
    except FormatError as error:
        raise FormatError(f"{info.key}: {error.message}", hint=error.hint) from error
    if own != info.key:
        raise FormatError(
            f"{info.key} speaks for {receipt.reader!r}",
            hint="the file may be damaged, copied or edited; it was left as it is",
        )
    return receipt
