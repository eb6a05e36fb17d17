"""`batonpass.restore`: a checkpoint as plain files, nothing loaded."""

from __future__ import annotations

from pathlib import Path

from batonpass.watching import open_for


def restore(run: str, *, to: str | Path, store: str | Path | None = None, step: int | None = None) -> Path:
    """Write the newest durable checkpoint of `run` (or the one of `step`) into `to`, a new or empty folder, and return its path.

    `run` is a name, an id or a folder's name. The files have their own names, every byte is compared with the manifest, and
    `manifest.json` comes last. Without `step`, what is damaged is passed over for the next older one, and said.

    Errors, each with a hint: UsageError, RunNotFoundError, AmbiguousRunError, NothingToRestoreError, CorruptCheckpointError,
    StoreFullError when the disk has no room, any StoreError. What had arrived by then stays in a hidden folder in there, and the next
    restore into the same folder continues it.
    """
    from batonpass.sync.bringing import bring_back, check_empty  # noqa: PLC0415  # `import batonpass` stays light
    from batonpass.sync.reading import read_run  # noqa: PLC0415
    from batonpass.sync.root import open_root  # noqa: PLC0415
    from batonpass.sync.twins import find_run  # noqa: PLC0415

    target = Path(to)
    check_empty(target)
    opened, _ = open_for(store)
    open_root(opened, create=False)
    return bring_back(opened, read_run(opened, find_run(opened, run)), target, step=step, say=print).path
