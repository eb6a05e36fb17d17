"""Finds the weights of each attached module in what another program saved: by fit first, by name where several fit, and never by luck."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from batonpass.core.training.adapters import ModuleAdapter, plain_name

_WRAPPERS = ("module.", "_orig_mod.")
_USUAL = {"model", "state_dict", "model_state_dict", "model_state", "net", "network", "weights", "module", "params"}
_SHADOWS = {
    "ema",
    "swa",
    "avg",
    "average",
    "averaged",
    "teacher",
    "target",
    "best",
    "old",
    "previous",
    "initial",
    "momentum",
}
"""Words of weights that stand beside the trained ones: taken only for a module that is called so, too."""
_AVERAGED = {"ema", "swa", "avg", "average", "averaged"}


@dataclass(frozen=True, slots=True)
class Fit:
    """A state_dict of the file that fits a module whole, in the module's own names."""

    source: str
    prefix: str
    state: dict[str, torch.Tensor]
    keys: frozenset[str]
    """The names in the file that it takes."""
    in_order: bool
    """The names stand there in the module's order."""
    notes: tuple[str, ...] = ()


def find_modules(modules: Mapping[str, ModuleAdapter], entries: Mapping[str, Any]) -> dict[str, Fit | str]:
    """For each attached module its weights, or why there are none. Those with their own name in the file choose first."""
    found: dict[str, Fit | str] = {}
    taken: set[tuple[str, str]] = set()
    choices = {name: _choices(name, adapter, entries) for name, adapter in modules.items()}
    for name in sorted(choices, key=lambda n: min((rank for rank, _ in choices[n][0]), default=9)):
        fits, nearest = choices[name]
        free = [(rank, fit) for rank, fit in fits if (fit.source, fit.prefix) not in taken]
        result = _best(name, free) if free else nearest
        if isinstance(result, Fit):
            taken.add((result.source, result.prefix))
        found[name] = result
    return found


def likeness(name: str, source: str) -> tuple[int, str]:
    """Equal names first, then names that contain each other."""
    one, other = name.lower(), source.lower()
    return (0 if one == other else 1 if one in other or other in one else 2), source


def _best(name: str, free: list[tuple[int, Fit]]) -> Fit | str:
    best = min(rank for rank, _ in free)
    equal = [fit for rank, fit in free if rank == best]
    if all(_same(equal[0], fit) for fit in equal[1:]):
        return equal[0]
    places = ", ".join(repr(_place(fit)) for fit in equal[:6])
    return f"{places} fit equally well, and {name!r} is none of these names: attach it under the name of the right one"


def _same(one: Fit, other: Fit) -> bool:
    return all(v is other.state[k] or torch.equal(v, other.state[k]) for k, v in one.state.items())


def _place(fit: Fit) -> str:
    """Where it was found, in a word that can be an attached name."""
    return fit.prefix.removesuffix(".").rpartition(".")[2] or fit.source


def _choices(name: str, adapter: ModuleAdapter, entries: Mapping[str, Any]) -> tuple[list[tuple[int, Fit]], str]:
    """All that fits with its rank (0 is best), and why the nearest of the others does not."""
    current = {_bare(k): (k, v) for k, v in adapter.module.state_dict().items() if isinstance(v, torch.Tensor)}
    fits: list[tuple[int, Fit]] = []
    nearest: tuple[int, str] | None = None
    for source, stored in _state_dicts(entries):
        for prefix in _prefixes(stored):
            keys = {_bare(k.removeprefix(prefix)): k for k in stored if k.startswith(prefix)}
            named = {bare: stored[k] for bare, k in keys.items()}
            notes = _fill(named, adapter.module, {*_words(source), *_words(prefix)})
            wrong = _differences(named, {k: v for k, (_, v) in current.items()}, adapter.module)
            if not wrong:
                state = {plain_name(k): named[bare] for bare, (k, _) in current.items()}
                order = [bare for bare in keys if bare in current]
                in_order = order == [bare for bare in current if bare in keys]
                notes += _other_types(named, {k: v for k, (_, v) in current.items()})
                fit = Fit(source, prefix, state, frozenset(keys.values()), in_order, tuple(notes))
                fits.append((_rank(name, adapter.module, fit), fit))
            elif nearest is None or len(wrong) < nearest[0]:
                more = f" and {len(wrong) - 4} more" if len(wrong) > 4 else ""
                nearest = (len(wrong), f"{source!r} does not fit: {'; '.join(wrong[:4])}{more}")
    return fits, nearest[1] if nearest else "no weights that could be its own are in the file"


def _rank(name: str, module: nn.Module, fit: Fit) -> int:
    """How little the place in the file is named like the module: 0 its very name, 1 a part of it, 2 a usual name, 3 any; 4 more for shadows."""
    words = {*_words(fit.source), *_words(fit.prefix)}
    own = {*_words(name), *(_AVERAGED if isinstance(module, AveragedModel) else ())}
    shadow = 4 if (words & _SHADOWS) - own else 0
    place = _place(fit)
    if name.lower() in (place.lower(), fit.source.lower()):
        return shadow if place == name or not fit.prefix.removeprefix("module.") else 1 + shadow
    if own & words:
        return 1 + shadow
    return (2 if place in _USUAL or fit.source in _USUAL else 3) + shadow


def _words(text: str) -> list[str]:
    """`model_ema`, "netG", "avgModel." -> their words in small letters."""
    return [w.lower() for w in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", text)]


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


def _fill(named: dict[str, torch.Tensor], module: nn.Module, words: set[str]) -> list[str]:
    """Formats that store a tied weight once leave its other names out; hand-made averages have no count. What was filled in for good."""
    for names in _tied(module):
        there = next((named[n] for n in names if n in named), None)
        if there is not None:
            named.update({n: there for n in names if n not in named})
    if isinstance(module, AveragedModel) and "n_averaged" not in named and words & _AVERAGED:
        named["n_averaged"] = torch.tensor(1)  # with 0 the next update would replace the average by the weights
        return ["how many updates it has had: it counts as one"]
    return []


def _tied(module: nn.Module) -> list[list[str]]:
    """The names that one tensor has."""
    by_memory: dict[tuple[Any, ...], list[str]] = {}
    for key, tensor in module.state_dict().items():
        if isinstance(tensor, torch.Tensor) and tensor.numel():
            by_memory.setdefault((tensor.data_ptr(), tensor.shape, tensor.stride()), []).append(_bare(key))
    return [names for names in by_memory.values() if len(names) > 1]


def _differences(
    stored: Mapping[str, torch.Tensor], current: Mapping[str, torch.Tensor], module: nn.Module
) -> list[str]:
    wrong = [f"{k} is not in it" for k in current if k not in stored]
    wrong += [f"{k} is not in this model" for k in stored if k not in current]
    wrong += [
        f"{k} is {list(stored[k].shape)} there and {list(v.shape)} here"
        for k, v in current.items()
        if k in stored and stored[k].shape != v.shape
    ]
    return wrong or [
        f"{names[0]} and {other} are one tensor here and two there"
        for names in _tied(module)
        for other in names[1:]
        if stored[names[0]] is not stored[other] and not torch.equal(stored[names[0]], stored[other])
    ]


def _other_types(stored: Mapping[str, torch.Tensor], current: Mapping[str, torch.Tensor]) -> list[str]:
    """Weights that were rounded to a shorter type when they were saved."""
    pairs = {(stored[k].dtype, v.dtype) for k, v in current.items() if stored[k].dtype.itemsize < v.dtype.itemsize}
    return [
        f"it is stored as {str(there).removeprefix('torch.')}, a shorter type than {str(here).removeprefix('torch.')} here"
        for there, here in sorted(pairs, key=str)
    ]
