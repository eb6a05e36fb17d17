"""How each kind of attached object gives its state and takes it back. The registry of what is attached is `attached`."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from batonpass.core.training.encoder import Encoder, Json
from batonpass.core.training.frozen import FrozenTensors


class Adapter(Protocol):
    """One attached object. `tree` is always what `capture` once encoded, decoded again; nothing in it belongs to a live object."""

    @property
    def type_name(self) -> str:
        """The class of the object, as its users call it."""

    @property
    def essential(self) -> bool:
        """Training without this object's state would begin from zero, so a checkpoint that lacks it does not fit."""

    def capture(self, encoder: Encoder, name: str) -> Json:
        """Encode the state; its tensors go to the file(s) of this name."""

    def differences(self, tree: Any) -> list[str]:
        """Why this state does not fit the object, one clause each; changes nothing."""

    def restore(self, tree: Any) -> list[str]:
        """Put the state in. Returns what could not be restored, one clause each."""


def unwrap(module: nn.Module) -> nn.Module:
    """The module that the user wrote, inside what torch.compile and data parallelism wrap round it."""
    while True:
        inner = getattr(module, "_orig_mod", None)
        if isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
            inner = module.module
        if not isinstance(inner, nn.Module):
            return module
        module = inner


def plain_name(name: str) -> str:
    """A parameter's name without the mark that torch.compile leaves on parts compiled in place."""
    return name.replace("_orig_mod.", "")


def frozen_file(name: str) -> str:
    """The file of the frozen shard of the module attached as `name`."""
    return f"{name}-frozen.safetensors"


class ModuleAdapter:
    """Parameters, buffers (non-persistent ones too, in a file of their own) and extra state. What does not change goes to a second shard."""

    essential = True

    def __init__(self, module: nn.Module) -> None:
        self.module = unwrap(module)
        self.frozen = FrozenTensors()

    @property
    def type_name(self) -> str:
        """The class inside any wrapper."""
        return type(self.module).__qualname__

    def capture(self, encoder: Encoder, name: str) -> Json:
        """{"state": state_dict, "frozen": ..., "buffers": ...}, the last two only where there are any."""
        state = {plain_name(k): v for k, v in self.module.state_dict().items()}
        frozen = self.frozen.choose(self._flagged(), [k for k, v in state.items() if isinstance(v, torch.Tensor)])
        trained = {k: v for k, v in state.items() if k not in frozen}
        parts = {"state": encoder.encode(trained, file=f"{name}.safetensors", label=name)}
        if frozen:
            shard = {k: v for k, v in state.items() if k in frozen}
            parts["frozen"] = encoder.encode(shard, file=frozen_file(name), label=name)
        if hidden := self._hidden_buffers():
            parts["buffers"] = encoder.encode(dict(hidden), file=f"{name}-buffers.safetensors", label=name)
        return parts

    def differences(self, tree: Any) -> list[str]:
        """Missing and unexpected names, other shapes."""
        stored = _merged(tree)
        current = {plain_name(k): v for k, v in self.module.state_dict().items()}
        found = _listed("missing in the checkpoint", (k for k in current.keys() - stored.keys() if not _is_extra(k)))
        found += _listed("unexpected in the checkpoint", stored.keys() - current.keys())
        return found + [
            f"{k} has shape {_shape(stored[k])} in the checkpoint and {_shape(v)} here"
            for k, v in current.items()
            if k in stored and _shape(stored[k]) != _shape(v)
        ]

    def restore(self, tree: Any) -> list[str]:
        """Copies into the parameters and buffers where they are, on whatever device."""
        current = self.module.state_dict()
        names = {plain_name(k): k for k in current}
        kept = {
            k: v for k, v in current.items() if _is_extra(k)
        }  # where the checkpoint has none, it could not be stored
        self.module.load_state_dict(kept | {names[k]: v for k, v in _merged(tree).items()})
        self.frozen.adopt(_dict(tree.get("frozen")))
        stored = tree.get("buffers", {})
        hidden = self._hidden_buffers()
        for name, buffer in hidden.items():
            if name in stored:
                self._set_buffer(name, buffer, stored[name])
        return _listed("non-persistent buffers not in the checkpoint", hidden.keys() - stored.keys())

    def _set_buffer(self, name: str, buffer: torch.Tensor, value: torch.Tensor) -> None:
        if buffer.shape == value.shape and buffer.dtype == value.dtype:
            with torch.no_grad():
                buffer.copy_(value)
            return
        path, _, leaf = name.rpartition(".")
        owner = {plain_name(k): m for k, m in self.module.named_modules()}[path]
        setattr(owner, leaf, value.to(buffer.device, copy=True))

    def _flagged(self) -> set[str]:
        parameters = [(plain_name(k), p) for k, p in self.module.named_parameters(remove_duplicate=False)]
        frozen = {k for k, p in parameters if not p.requires_grad}
        return frozen if len(frozen) < len(parameters) else set()

    def _hidden_buffers(self) -> dict[str, torch.Tensor]:
        kept = self.module.state_dict(keep_vars=True).keys()
        return {plain_name(k): b for k, b in self.module.named_buffers(remove_duplicate=False) if k not in kept}


class StatefulAdapter:
    """Anything with `state_dict` and `load_state_dict`: schedulers, GradScaler, averaged weights, a class of the user's."""

    essential = False

    def __init__(self, target: Any) -> None:
        self.target = target

    @property
    def type_name(self) -> str:
        """The object's class."""
        return type(self.target).__qualname__

    def capture(self, encoder: Encoder, name: str) -> Json:
        """Whatever its `state_dict` gives."""
        return encoder.encode(self.target.state_dict(), file=f"{name}.safetensors", label=name)

    def differences(self, tree: Any) -> list[str]:
        """Tensors of another shape; anything else is the object's own affair."""
        return [
            f"{k} has shape {_shape(tree[k])} in the checkpoint and {_shape(v)} here"
            for k, v in _dict(self.target.state_dict()).items()
            if isinstance(v, torch.Tensor) and k in _dict(tree) and _shape(tree[k]) != _shape(v)
        ]

    def restore(self, tree: Any) -> list[str]:
        """Whatever its `load_state_dict` does, except with the empty state of a switched-off GradScaler."""
        if isinstance(self.target, torch.amp.GradScaler) and bool(tree) != self.target.is_enabled():
            return [f"the loss scale: the scaler was {'off' if not tree else 'on'} there and is not so here"]
        self.target.load_state_dict(tree)
        return []


class DictAdapter:
    """A plain dict of the user's, changed in place so that every reference to it stays good."""

    essential = False
    type_name = "dict"

    def __init__(self, target: dict[Any, Any]) -> None:
        self.target = target

    def capture(self, encoder: Encoder, name: str) -> Json:
        """The dict itself."""
        return encoder.encode(self.target, file=f"{name}.safetensors", label=name)

    def differences(self, tree: Any) -> list[str]:
        """Any dict fits."""
        return [] if isinstance(tree, dict) else ["no dict in the checkpoint"]

    def restore(self, tree: Any) -> list[str]:
        """Replace all items."""
        self.target.clear()
        self.target.update(tree)
        return []


class StreamAdapter:
    """A random stream of the user's own: read and set by two functions."""

    essential = False

    def __init__(self, type_name: str, read: Callable[[], Any], write: Callable[[Any], Any]) -> None:
        self.type_name = type_name
        self._read = read
        self._write = write

    def capture(self, encoder: Encoder, name: str) -> Json:
        """The stream's state."""
        return encoder.encode(self._read(), file=f"{name}.safetensors", label=name)

    def differences(self, tree: Any) -> list[str]:
        """None that can be seen from outside."""
        return [] if tree is not None else ["no state in the checkpoint"]

    def restore(self, tree: Any) -> list[str]:
        """Continue the stream from there."""
        self._write(tree)
        return []


def stream_adapter(target: Any) -> StreamAdapter | None:
    """The adapter of a random stream, or None if it is none."""
    name = type(target).__qualname__
    if isinstance(target, torch.Generator):
        return StreamAdapter(name, target.get_state, lambda state: target.set_state(state.clone()))
    if isinstance(target, np.random.Generator):
        generator = target.bit_generator
        return StreamAdapter(name, lambda: generator.state, lambda state: setattr(generator, "state", state))
    if isinstance(target, np.random.RandomState):
        return StreamAdapter(name, lambda: target.get_state(legacy=False), target.set_state)
    if isinstance(target, random.Random):
        return StreamAdapter(name, target.getstate, target.setstate)
    return None


def _is_extra(key: str) -> bool:
    return key.rpartition(".")[2] == "_extra_state"


def _merged(tree: Any) -> dict[str, Any]:
    return {**_dict(_dict(tree).get("state")), **_dict(_dict(tree).get("frozen"))}


def _dict(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _shape(value: Any) -> list[int] | None:
    return list(value.shape) if isinstance(value, torch.Tensor) else None


def _listed(what: str, names: Iterable[str]) -> list[str]:
    names = sorted(names)
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return [f"{what}: {', '.join(names[:5])}{more}"] if names else []
