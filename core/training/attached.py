"""What the user has attached to a run: each object under its name, with the adapter that knows its kind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from batonpass.core.errors import UsageError
from batonpass.core.training.adapters import (
    Adapter,
    DictAdapter,
    ModuleAdapter,
    StatefulAdapter,
    frozen_file,
    plain_name,
    stream_adapter,
    unwrap,
)
from batonpass.core.training.frozen import Written
from batonpass.core.training.optimizer_adapter import OptimizerAdapter
from batonpass.core.training.part import is_part

_RESERVED = {"state", "rng", "ranks", "loader", "trainer", "manifest", "con", "prn", "aux", "nul"}


class Attached:
    """Name -> adapter, in the order of attaching. `state` is the run's own dict, stored with every checkpoint."""

    def __init__(self) -> None:
        self.state: dict[Any, Any] = {}
        self.adapters: dict[str, Adapter] = {"state": DictAdapter(self.state)}
        self._modules: dict[str, nn.Module] = {}

    def add(self, **objects: Any) -> None:
        """Attach objects by name; None is ignored, so that `scaler=scaler if cuda else None` works. An existing name is replaced.

        UsageError for a name that cannot be a file name or an object without a state; then nothing is attached.
        """
        present = {k: v for k, v in objects.items() if v is not None}
        modules = self._modules | {k: v for k, v in present.items() if isinstance(v, nn.Module)}
        adapters = {k: self._adapter(k, v) for k, v in present.items()}
        self._modules = {k: v for k, v in modules.items() if k not in present or isinstance(present[k], nn.Module)}
        self.adapters.update(adapters)

    def optimizers(self) -> Iterator[Optimizer]:
        """The attached optimizers."""
        return (a.optimizer for a in self.adapters.values() if isinstance(a, OptimizerAdapter))

    def modules(self) -> Iterator[nn.Module]:
        """The attached modules, without their wrappers."""
        return (a.module for a in self.adapters.values() if isinstance(a, ModuleAdapter))

    def own_buffers(self) -> dict[str, dict[str, torch.Tensor]]:
        """By module, the buffers that each process of a training on several GPUs has for itself: DistributedDataParallel keeps its own equal."""
        wrapped = {
            name
            for name, module in self._modules.items()
            if isinstance(module, nn.parallel.DistributedDataParallel) and module.broadcast_buffers
        }
        modules = ((n, a.module) for n, a in self.adapters.items() if isinstance(a, ModuleAdapter) and n not in wrapped)
        found = {
            name: {plain_name(k): b for k, b in module.named_buffers(remove_duplicate=False) if not is_part(b)}
            for name, module in modules
        }
        return {name: buffers for name, buffers in found.items() if buffers}

    def stateful(self) -> Iterator[Any]:
        """The attached objects that are neither modules nor optimizers but have a `state_dict`: schedulers, scalers, ..."""
        return (a.target for a in self.adapters.values() if isinstance(a, StatefulAdapter))

    def observe(self, step: int, written: Written) -> None:
        """What was written at `step` tells which weights do not change. May be called on any thread."""
        for name, adapter in list(self.adapters.items()):
            if isinstance(adapter, ModuleAdapter):
                frozen = written.get(frozen_file(name), {})
                adapter.frozen.observe(step, {**written.get(f"{name}.safetensors", {}), **frozen}, frozen)

    def _adapter(self, name: str, target: Any) -> Adapter:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,60}", name) or name.lower() in _RESERVED:
            raise UsageError(
                f"{name!r} cannot be the name of an attached object",
                hint="use plain letters and digits, and none of: " + ", ".join(sorted(_RESERVED)),
            )
        if isinstance(target, nn.Module):
            return ModuleAdapter(target)
        if isinstance(target, Optimizer):
            return OptimizerAdapter(target, self._parameter_names)
        if isinstance(target, dict):
            return DictAdapter(target)
        if stream := stream_adapter(target):
            return stream
        if callable(getattr(target, "state_dict", None)) and callable(getattr(target, "load_state_dict", None)):
            return StatefulAdapter(target)
        raise UsageError(
            f"{name!r} is a {type(target).__qualname__}: it has no state that could be stored",
            hint="attach objects with state_dict() and load_state_dict(), dicts or random generators, each under its own name",
        )

    def _parameter_names(self) -> dict[int, str]:
        """id(parameter) -> its name with its module's in front ("model.fc.weight"), whatever else is or will be attached."""
        names: dict[int, str] = {}
        for module_name, module in self._modules.items():
            for name, parameter in unwrap(module).named_parameters():
                names.setdefault(id(parameter), f"{module_name}.{plain_name(name)}")
        return names
