"""Finds, in what another program saved, the state of each attached object. Only finds: what is found is checked whole before anything changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from batonpass.core.training.adapters import ModuleAdapter, StatefulAdapter, plain_name
from batonpass.core.training.attached import Attached
from batonpass.core.training.optimizer_adapter import OptimizerAdapter

STEP_NAMES = ("global_step", "step", "iteration", "iter", "n_iter", "steps", "current_step", "iter_num")
EPOCH_NAMES = ("epoch", "current_epoch", "epochs")
_WRAPPERS = ("module.", "_orig_mod.")


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


def match(entries: Mapping[str, Any], attached: Attached) -> Match:
    """What of `entries` belongs to which attached object."""
    found: dict[str, Found] = {}
    problems: list[str] = []
    missing: list[str] = []
    taken: set[str] = set()
    for name, adapter in attached.adapters.items():
        if name == "state":
            continue
        if isinstance(adapter, ModuleAdapter):
            result = _find_module(name, adapter, entries, taken)
        elif isinstance(adapter, OptimizerAdapter):
            result = _find_optimizer(name, adapter, entries, taken)
        elif isinstance(adapter, StatefulAdapter):
            result = _find_stateful(name, adapter, entries, taken)
        else:
            result = "not in the file: it starts fresh"
        if isinstance(result, Found):
            found[name] = result
            taken.add(result.source)
        elif adapter.essential and isinstance(adapter, ModuleAdapter):
            problems.append(f"{name}: {result}")
        else:
            missing.append(f"{name}: {result}")
    step, epoch = _number(entries, STEP_NAMES), _number(entries, EPOCH_NAMES)
    told = {*STEP_NAMES, *EPOCH_NAMES, *(source.partition("[")[0] for source in taken)}
    unused = tuple(sorted(str(k) for k in entries if k not in told))
    return Match(found, tuple(problems), tuple(missing), unused, step, epoch)


def _find_module(name: str, adapter: ModuleAdapter, entries: Mapping[str, Any], taken: set[str]) -> Found | str:
    """By fit: all names and shapes must be there. The attached name decides between several that fit."""
    current = {_bare(k): (k, v) for k, v in adapter.module.state_dict().items() if isinstance(v, torch.Tensor)}
    nearest: tuple[int, str] | None = None
    for source, stored in sorted(_state_dicts(entries), key=lambda item: _likeness(name, item[0])):
        if source in taken:
            continue
        for prefix in _prefixes(stored):
            named = {_bare(k.removeprefix(prefix)): v for k, v in stored.items() if k.startswith(prefix)}
            _fill_tied(named, adapter.module)
            wrong = _differences(named, {k: v for k, (_, v) in current.items()})
            if not wrong:
                return Found(source, {plain_name(k): named[bare] for bare, (k, _) in current.items()})
            if nearest is None or len(wrong) < nearest[0]:
                nearest = (
                    len(wrong),
                    f"{source!r} does not fit: {'; '.join(wrong[:4])}{f' and {len(wrong) - 4} more' if len(wrong) > 4 else ''}",
                )
    return nearest[1] if nearest else "no weights that could be its own are in the file"


def _find_optimizer(name: str, adapter: OptimizerAdapter, entries: Mapping[str, Any], taken: set[str]) -> Found | str:
    why = "not in the file: its moments start from zero"
    for source, stored in sorted(_where(entries, _is_optimizer), key=lambda item: _likeness(name, item[0])):
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
    for source, stored in sorted(_where(entries, kind), key=lambda item: _likeness(name, item[0])):
        if source not in taken and stored.keys() <= adapter.target.state_dict().keys() | {"verbose"}:
            return Found(source, stored)
    return "not in the file: it starts fresh"


def _where(entries: Mapping[str, Any], is_it: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Entries of a kind, and those in lists of a kind ("optimizer_states[0]")."""
    for key, value in entries.items():
        if is_it(value):
            yield str(key), value
        elif isinstance(value, (list, tuple)):
            yield from ((f"{key}[{i}]", each) for i, each in enumerate(value) if is_it(each))


def _state_dicts(entries: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, torch.Tensor]]]:
    for key, value in entries.items():
        if isinstance(value, Mapping) and value and all(isinstance(k, str) for k in value):
            tensors = {k: v for k, v in value.items() if isinstance(v, torch.Tensor)}
            if tensors and len(tensors) >= len(value) - 2:  # a version number or extra state may lie between
                yield str(key), tensors


def _prefixes(stored: Iterable[str]) -> list[str]:
    """None first, then each beginning "a." or "a.b." that names share, shortest first."""
    starts = {".".join(k.split(".")[:depth]) + "." for k in stored for depth in (1, 2) if k.count(".") >= depth}
    return ["", *sorted(starts, key=lambda p: (p.count("."), p))]


def _bare(name: str) -> str:
    """Without what torch.compile and data parallelism put in front."""
    name = plain_name(name)
    while name.startswith(_WRAPPERS):
        name = name.partition(".")[2]
    return name


def _fill_tied(named: dict[str, torch.Tensor], module: nn.Module) -> None:
    """Formats that store a tied weight once leave its other names out."""
    by_memory: dict[int, list[str]] = {}
    for key, tensor in module.state_dict().items():
        if isinstance(tensor, torch.Tensor):
            by_memory.setdefault(tensor.data_ptr(), []).append(_bare(key))
    for names in by_memory.values():
        there = next((named[n] for n in names if n in named), None)
        if len(names) > 1 and there is not None:
            named.update({n: there for n in names if n not in named})


def _differences(stored: Mapping[str, torch.Tensor], current: Mapping[str, torch.Tensor]) -> list[str]:
    wrong = [f"{k} is not in it" for k in current if k not in stored]
    wrong += [f"{k} is not in this model" for k in stored if k not in current]
    return wrong + [
        f"{k} is {list(stored[k].shape)} there and {list(v.shape)} here"
        for k, v in current.items()
        if k in stored and stored[k].shape != v.shape
    ]


def _likeness(name: str, source: str) -> tuple[int, str]:
    """Equal names first, then names that contain each other."""
    one, other = name.lower(), source.lower()
    return (0 if one == other else 1 if one in other or other in one else 2), source


def _is_optimizer(value: Any) -> bool:
    return isinstance(value, dict) and {"state", "param_groups"} <= value.keys()


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
