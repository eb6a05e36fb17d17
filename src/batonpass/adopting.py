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

    Then `batonpass.start(run, ...)` and `attach(model=..., optimizer=...)` go on from it: plain `torch.save` files with state_dicts,
    Lightning's `.ckpt`, `checkpoint-<n>` folders of the Hugging Face Trainer and `.safetensors`. What such a file lacks is named; the next checkpoint
    is one of ours. Nothing is loaded here, and later only plain data: a file that would have to run code is refused. UsageError
    when the run is there already.
    """
    from batonpass.sync.adopting import adopt as adopt_into  # noqa: PLC0415  # `import batonpass` stays light

    opened, settings = open_for(store)
    return adopt_into(opened, Path(path), run, account=account or settings.account or "", settings=settings)
