"""A checkpoint that another program wrote goes into the attached objects: everything is found and checked first, then everything is changed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batonpass.core.errors import CheckpointMismatchError
from batonpass.core.model import Manifest
from batonpass.core.training.adapters import ModuleAdapter, StatefulAdapter
from batonpass.core.training.attached import Attached
from batonpass.core.training.foreign_files import Entries, read_entries
from batonpass.core.training.foreign_match import Match, match
from batonpass.core.training.optimizer_adapter import OptimizerAdapter
from batonpass.core.training.read import verify_file
from batonpass.core.training.restore import PARTIAL, Report


@dataclass(frozen=True, slots=True)
class Adopted:
    """A verified checkpoint of another program, read."""

    folder: Path
    manifest: Manifest
    entries: Entries


def read_adopted(folder: Path, manifest: Manifest) -> Adopted:
    """Compare every byte with the manifest, then read. Errors as `core.training.read.verify_file` and `foreign_files.read_entries`."""
    for entry in manifest.files:
        verify_file(folder, entry)
    return Adopted(folder, manifest, read_entries(folder, [entry.name for entry in manifest.files]))


def apply_adopted(adopted: Adopted, attached: Attached) -> tuple[Report, int, int]:
    """Put what was found into the attached objects; returns how well that went, the step and the epoch to go on from.

    CheckpointMismatchError, before anything was changed, where a module's weights are not there or do not fit.
    """
    result = match(adopted.entries.values, attached, ordered=adopted.entries.ordered)
    if result.problems:
        raise CheckpointMismatchError(
            f"{_name(adopted)} does not fit what is attached:\n  - " + "\n  - ".join(result.problems),
            hint="build the model that the file was saved from; its entries are: "
            + ", ".join(map(str, list(adopted.entries.values)[:12])),
        )
    missing = [*result.missing]
    for name, found in result.found.items():
        missing += _put(name, attached, found.state)
    step = adopted.manifest.step if result.step is None else result.step
    epoch = int(adopted.manifest.epoch) if result.epoch is None else result.epoch
    return Report(PARTIAL, (*missing, *_lacks(adopted, result, epoch))), step, epoch


def _put(name: str, attached: Attached, state: Any) -> list[str]:
    adapter = attached.adapters[name]
    try:
        if isinstance(adapter, ModuleAdapter):
            return [f"{name}: {why}" for why in adapter.restore({"state": state})]
        if isinstance(adapter, OptimizerAdapter):
            adapter.restore_by_order(state)
        elif isinstance(adapter, StatefulAdapter):
            return [f"{name}: {why}" for why in adapter.restore(state)]
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError, IndexError) as error:
        raise CheckpointMismatchError(
            f"{name} refused its state ({type(error).__name__}: {error}); what stands before it in attach() has been restored",
            hint="restart the kernel and attach without it, or build it as it was when the file was saved",
        ) from error
    return []


def _lacks(adopted: Adopted, result: Match, epoch: int) -> list[str]:
    found = [
        "the random streams: they begin anew",
        f"the position in the data: epoch {epoch} begins at its first batch",
    ]
    if any(
        isinstance(adopted.entries.values.get(f.source.partition("[")[0]), (dict, list)) and "optim" in f.source
        for f in result.found.values()
    ):
        found.append("the names of the optimizer's parameters: matched by their order and shapes")
    if result.unused:
        found.append(f"entries that nothing attached took: {', '.join(result.unused[:8])}")
    return [*found, *adopted.entries.notes]


def _name(adopted: Adopted) -> str:
    return str(adopted.manifest.data.get("source") or adopted.folder.name)
