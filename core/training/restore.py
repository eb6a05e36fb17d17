"""A verified checkpoint goes back into the attached objects: first everything is checked, then everything is changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from batonpass.core.errors import CheckpointMismatchError
from batonpass.core.training.adapters import Adapter, ModuleAdapter
from batonpass.core.training.attached import Attached
from batonpass.core.training.environment import environment, environment_differences
from batonpass.core.training.own_state import lacking
from batonpass.core.training.ranks import here
from batonpass.core.training.read import Loaded
from batonpass.core.training.rng import restore_rng
from batonpass.core.training.sharded import Homes

EXACT = "EXACT"
"""Everything is back on an equal machine: the next step gives the same bits."""
SAME_DATA = "SAME DATA"
"""Everything is back, on another machine or version: the same data in the same order, other roundings."""
PARTIAL = "PARTIAL"
"""Something is not back; `Report.missing` names it."""


@dataclass(frozen=True, slots=True)
class Report:
    """How well a resume went. `missing` makes it PARTIAL; `differences` (versions, devices) make it SAME DATA."""

    label: str
    missing: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()


def check_fits(loaded: Loaded, attached: Attached) -> None:
    """CheckpointMismatchError that names every missing, unexpected or differently shaped thing; changes nothing."""
    stored = loaded.objects()
    found = []
    for name, adapter in attached.adapters.items():
        if name not in stored:
            if adapter.essential:
                there = ", ".join(sorted(stored.keys() - {"state"})) or "nothing"
                found.append(f"{name}: not in this checkpoint, which holds {there}")
            continue
        found += [f"{name}: {why}" for why in _differences(loaded, adapter, stored[name])]
    if found:
        shown = "\n  - ".join(found[:12])
        more = f"\n  ... and {len(found) - 12} more" if len(found) > 12 else ""
        raise CheckpointMismatchError(
            f"the checkpoint of step {loaded.manifest.step} does not fit what is attached:\n  - {shown}{more}",
            hint="build the same model and optimizer as in the run's first session, or start a run of another name",
        )


def apply(loaded: Loaded, attached: Attached) -> Report:
    """Check, then restore every attached object and the random streams. CheckpointMismatchError before anything was changed."""
    check_fits(loaded, attached)
    if homes := Homes(attached):
        loaded.place = homes.place
    stored = loaded.objects()
    missing = list(loaded.manifest.missing)
    for name, adapter in attached.adapters.items():
        if name in stored:
            missing += [f"{name}: {why}" for why in _restore(loaded, name, adapter, stored[name])]
        else:
            missing.append(f"{name} was not attached when the checkpoint was made: it starts fresh")
    missing += [f"{name} is in the checkpoint but not attached" for name in stored if name not in attached.adapters]
    missing += list(restore_streams(loaded))
    missing += lacking(loaded.trainer, here().size)
    missing += [str(doubt) for doubt in loaded.manifest.data.get("doubts", [])]
    differences = environment_differences(loaded.manifest.environment, environment())
    label = PARTIAL if missing else SAME_DATA if differences else EXACT
    return Report(label, tuple(missing), tuple(differences))


def restore_streams(loaded: Loaded) -> Iterator[str]:
    """Put the random streams back as they were at the checkpoint; yields what could not be, one sentence each."""
    tree = loaded.trainer.get("rng")
    if tree is None:
        yield "the random streams are not in the checkpoint"
        return
    yield from restore_rng(loaded.decode(tree, copies=True))


def loader_state(loaded: Loaded) -> Any:
    """What the data loader itself had stored, or None."""
    return loaded.decode(loaded.trainer.get("loader"), copies=True)


def _differences(loaded: Loaded, adapter: Adapter, stored: dict[str, Any]) -> list[str]:
    if stored["type"] != adapter.type_name and not isinstance(adapter, ModuleAdapter):
        return [f"a {stored['type']} in the checkpoint and a {adapter.type_name} here"]
    return adapter.differences(loaded.decode(stored["tree"], copies=False))


def _restore(loaded: Loaded, name: str, adapter: Adapter, stored: dict[str, Any]) -> list[str]:
    tree = loaded.decode(stored["tree"], copies=not isinstance(adapter, ModuleAdapter))
    try:
        return adapter.restore(tree)
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError, IndexError) as error:
        raise CheckpointMismatchError(
            f"{name} refused its state ({type(error).__name__}: {error}); what stands before it in attach() has been restored",
            hint="restart the kernel, build the same objects as in the run's first session and attach again",
        ) from error
