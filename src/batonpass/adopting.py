"""`batonpass.adopt`: a run made of a checkpoint that people already have."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from batonpass.watching import open_for

if TYPE_CHECKING:
    from batonpass.sync.adopting import Adopted


def adopt(path: str | Path, *, run: str, store: str | Path | None = None, account: str | None = None) -> Adopted:
    """Make the new run `run` whose first checkpoint is this file (or a folder's files), byte for byte; mirrored, proven where the
    store can prove, and restorable as the file it is.

    Nothing is loaded, so a pickle is safe to adopt. An exact resume from it through `attach` comes with a later release; until
    then `batonpass.restore` brings the file back for its own trainer. UsageError when the run is there already.
    """
    from batonpass.sync.adopting import adopt as adopt_into  # noqa: PLC0415  # `import batonpass` stays light

    opened, settings = open_for(store)
    return adopt_into(opened, Path(path), run, account=account or settings.account or "", settings=settings)
