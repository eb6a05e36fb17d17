"""Finds, in what another program saved, the state of each attached object. Only finds: what is found is checked whole before anything changes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from batonpass.core.training.adapters import ModuleAdapter, StatefulAdapter
from batonpass.core.training.attached import Attached
from batonpass.core.training.foreign_modules import Fit, find_modules, likeness
from batonpass.core.training.optimizer_adapter import OptimizerAdapter

STEP_NAMES = ("global_step", "step", "iteration", "iter", "n_iter", "current_step", "iter_num")
EPOCH_NAMES = ("epoch", "current_epoch")
"""Not "steps" and "epochs": those say as often how many there are to be."""


@dataclass(frozen=True, slots=True)
class Found:
    """Of one attached object: under which name its state lies in the file, and that state in the object's own words."""

    source: str
    state: Any


@dataclass(frozen=True, slots=True)
class Match:
    """`found` by attached name; `problems` say why the file does not fit, `missing` what it lacks, `unused` which entries nobody took."""

    found: Mapping[str, Found]
    problems: tuple[str, ...]
    missing: tuple[str, ...]
    unused: tuple[str, ...]
    step: int | None
    epoch: int | None


def match(entries: Mapping[str, Any], attached: Attached, *, ordered: Collection[Any] = ()) -> Match:
    """What of `entries` belongs to which attached object. `ordered`: the entries whose names stand in their model's own order."""
    found: dict[str, Found] = {}
    problems: list[str] = []
    missing: list[str] = []
    taken: set[str] = set()
    modules = {n: a for n, a in attached.adapters.items() if isinstance(a, ModuleAdapter)}
    fits = find_modules(modules, entries)
    turned = [n for n, f in fits.items() if isinstance(f, Fit) and f.source in ordered and not f.in_order]
    for name, adapter in attached.adapters.items():
        if name == "state":
            continue
        result: Found | str = "not in the file: it starts fresh"
        if name in fits:
            fit = fits[name]
            result = Found(fit.source, fit.state) if isinstance(fit, Fit) else fit
            missing += [f"{name}: {why}" for why in fit.notes] if isinstance(fit, Fit) else []
        elif isinstance(adapter, OptimizerAdapter) and turned:
            result = f"its parameters stand by number in the file, and {turned[0]} has them in another order: its moments start from zero"
        elif isinstance(adapter, OptimizerAdapter):
            result = _find_optimizer(name, adapter, entries, taken)
        elif isinstance(adapter, StatefulAdapter):
            result = _find_stateful(name, adapter, entries, taken)
        if isinstance(result, Found):
            found[name] = result
            taken.add(result.source)
        else:
            (problems if name in fits else missing).append(f"{name}: {result}")
    step, epoch, notes = _position(entries, found, attached)
    return Match(
        found, tuple(problems), (*missing, *notes), (*_unused(entries, taken), *_left_over(entries, fits)), step, epoch
    )


def _unused(entries: Mapping[str, Any], taken: Collection[str]) -> Iterator[str]:
    told = {*STEP_NAMES, *EPOCH_NAMES, *(source.partition("[")[0] for source in taken)}
    yield from sorted(str(k)[:80] for k in entries if k not in told)


def _left_over(entries: Mapping[str, Any], fits: Mapping[str, Fit | str]) -> Iterator[str]:
    """What of a state_dict no module took, "state_dict[criterion.weight]"."""
    used: dict[str, set[str]] = {}
    for fit in fits.values():
        if isinstance(fit, Fit):
            used.setdefault(fit.source, set()).update(fit.keys)
    for source, keys in used.items():
        stored = next(v for k, v in entries.items() if str(k) == source)
        yield from (f"{source}[{k}]"[:80] for k in stored if k not in keys)


def _position(
    entries: Mapping[str, Any], found: Mapping[str, Found], attached: Attached
) -> tuple[int | None, int | None, list[str]]:
    """Step and epoch, None where the file does not say, and what is to be known of them."""
    notes: list[str] = []
    step, epoch = _number(entries, STEP_NAMES), _number(entries, EPOCH_NAMES)
    for name, part in found.items():
        if not isinstance(attached.adapters[name], OptimizerAdapter):
            continue
        counts = {int(s["step"]) for s in part.state["state"].values() if _is_count(s.get("step"))}
        if len(counts) > 1:
            notes.append(
                f"{name}: its parameters count {min(counts):,} to {max(counts):,} steps: some had no gradient, or the file was "
                "saved while the training went on"
            )
        if step is None and counts:
            step = max(counts)
            notes.append(f"the step: taken from {name}'s own count")
    finished = _lightning_epochs(entries)
    if finished is not None:
        return step, finished, notes
    if epoch:
        notes.append(f"whether epoch {epoch} was finished: it is taken as not yet")
    return step, epoch, notes


def _is_count(value: Any) -> bool:
    if isinstance(value, torch.Tensor):
        return value.numel() == 1 and bool(torch.isfinite(value).all())
    return type(value) is int


def _lightning_epochs(entries: Mapping[str, Any]) -> int | None:
    """How many epochs were finished: its own "epoch" is the one that was running, or had just ended."""
    at: Any = entries
    for key in ("loops", "fit_loop", "epoch_progress", "current", "processed"):
        at = at.get(key) if isinstance(at, Mapping) else None
    return at if type(at) is int and at >= 0 else None


def _find_optimizer(name: str, adapter: OptimizerAdapter, entries: Mapping[str, Any], taken: set[str]) -> Found | str:
    why = "not in the file: its moments start from zero"
    for source, stored in sorted(_where(entries, _is_optimizer), key=lambda item: likeness(name, item[0])):
        if source in taken:
            continue
        wrong = adapter.why_unfit(stored)
        if not wrong:
            return Found(source, stored)
        why = f"{source!r} does not fit ({wrong}): its moments start from zero"
    return why


def _find_stateful(name: str, adapter: StatefulAdapter, entries: Mapping[str, Any], taken: set[str]) -> Found | str:
    if isinstance(adapter.target, torch.amp.GradScaler):
        kind = _is_scaler
    elif isinstance(adapter.target, torch.optim.lr_scheduler.LRScheduler):
        kind = _is_scheduler
    else:
        return Found(name, entries[name]) if isinstance(entries.get(name), dict) else "not in the file: it starts fresh"
    why = "not in the file: it starts fresh"
    own = _public(adapter.target.state_dict())
    for source, stored in sorted(_where(entries, kind), key=lambda item: likeness(name, item[0])):
        if source in taken:
            continue
        if _public(stored) == own or not own:
            return Found(source, stored)
        why = f"{source!r} is of another kind ({', '.join(sorted(_public(stored) ^ own)[:4])}): it starts fresh"
    return why


def _public(state: Mapping[str, Any]) -> set[str]:
    """Without what schedulers keep to themselves, which comes and goes with torch's versions."""
    return {str(k) for k in state if not str(k).startswith("_")} - {"verbose"}


def _where(entries: Mapping[str, Any], is_it: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Entries of a kind, and those in lists of a kind ("optimizer_states[0]")."""
    for key, value in entries.items():
        if is_it(value):
            yield str(key), value
        elif isinstance(value, (list, tuple)):
            yield from ((f"{key}[{i}]", each) for i, each in enumerate(value) if is_it(each))


def _is_optimizer(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("state"), dict):
        return False
    groups = value.get("param_groups")
    return (
        isinstance(groups, list)
        and all(isinstance(g, dict) and isinstance(g.get("params"), list) for g in groups)
        and all(isinstance(number, (int, str)) for g in groups for number in g["params"])
        and all(isinstance(slots, dict) for slots in value["state"].values())
    )


def _is_scheduler(value: Any) -> bool:
    return isinstance(value, dict) and "last_epoch" in value and "param_groups" not in value


def _is_scaler(value: Any) -> bool:
    return isinstance(value, dict) and {"scale", "growth_factor"} <= value.keys()


def _number(entries: Mapping[str, Any], names: Iterable[str]) -> int | None:
    for name in names:
        value = entries.get(name)
        if isinstance(value, torch.Tensor) and value.numel() == 1:
            value = value.item()
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 2**53:
            return int(value)
    return None
