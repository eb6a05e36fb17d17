"""An optimizer's state by parameter *name*, so that it never lands on another parameter than the one it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.optim import Optimizer

from batonpass.core.training.encoder import Encoder, Json

NameOf = Callable[[], dict[int, str]]
"""id(parameter) -> its name in the attached modules."""


class OptimizerAdapter:
    """{"groups": options with parameter names, "state": {name: {slot: value}}, "shapes": {name: shape}, "other": the rest}."""

    essential = True

    def __init__(self, optimizer: Optimizer, names: NameOf) -> None:
        self.optimizer = optimizer
        self._names = names

    @property
    def type_name(self) -> str:
        """The optimizer's class."""
        return type(self.optimizer).__qualname__

    def capture(self, encoder: Encoder, name: str) -> Json:
        """Tensors are named `state.<parameter>.<slot>` in `<name>.safetensors`."""
        state = self.optimizer.state_dict()
        named = dict(self.named())
        indices = dict(enumerate(named))
        tree = {
            "groups": [{**g, "params": [indices[i] for i in g["params"]]} for g in state["param_groups"]],
            "state": {indices.get(k, k): v for k, v in state["state"].items()},
            "shapes": {k: list(p.shape) for k, p in named.items()},
            "other": {k: v for k, v in state.items() if k not in {"state", "param_groups"}},
        }
        return encoder.encode(tree, file=f"{name}.safetensors", label=name)

    def differences(self, tree: Any) -> list[str]:
        """Other parameters, other shapes, other groups."""
        if not isinstance(tree, dict) or not {"groups", "state", "shapes"} <= tree.keys():
            return ["no optimizer state in the checkpoint"]
        shapes = {k: list(p.shape) for k, p in self.named()}
        stored = tree["shapes"]
        found = [f"no parameter {k} here" for k in stored if k not in shapes]
        found += [f"parameter {k} is new" for k in shapes if k not in stored]
        found += [
            f"{k} has shape {stored[k]} in the checkpoint and {shapes[k]} here"
            for k in shapes
            if k in stored and stored[k] != shapes[k]
        ]
        if not found and [set(g["params"]) for g in tree["groups"]] != [set(g) for g in self._group_names()]:
            found.append("the parameters are grouped differently")
        return found[:6]

    def restore(self, tree: Any) -> list[str]:
        """Load by name; each value then has exactly the stored dtype and lies where its parameter lies."""
        position = {name: i for i, (name, _) in enumerate(self.named())}
        groups = self._group_names()
        state = {
            **tree.get("other", {}),
            "state": {position.get(k, k): v for k, v in tree["state"].items()},
            "param_groups": [
                {**g, "params": [position[k] for k in names]} for g, names in zip(tree["groups"], groups, strict=True)
            ],
        }
        self.optimizer.load_state_dict(state)
        if tree[
            "state"
        ]:  # it has stepped before, so a scheduler need not warn when its own step comes first after a resume
            self.optimizer._opt_called = True  # type: ignore[attr-defined]  # noqa: SLF001  # read by torch's schedulers
        for name, parameter in self.named():
            if name in tree["state"]:
                _make_exact(self.optimizer.state[parameter], tree["state"][name], parameter)
        return []

    def why_unfit(self, state: dict[str, Any]) -> str:
        """Why a plain `state_dict` with parameters by number is not of this optimizer, in a few words; empty where it is."""
        groups, own = state["param_groups"], self._group_names()
        if other := next(filter(None, map(_why_other_kind, groups, self.optimizer.param_groups)), ""):
            return other
        if [len(g["params"]) for g in groups] != [len(g) for g in own]:
            return f"groups of {[len(g['params']) for g in groups]} parameters there, of {[len(g) for g in own]} here"
        numbers = [number for g in groups for number in g["params"]]
        for number, (name, parameter) in zip(numbers, self.named(), strict=True):
            for slot, value in dict(state["state"].get(number, {})).items():
                if isinstance(value, torch.Tensor) and value.numel() > 1 and value.shape != parameter.shape:
                    return f"{slot} of {name} is {list(value.shape)} there, the parameter {list(parameter.shape)} here"
        return ""

    def restore_by_order(self, state: dict[str, Any]) -> None:
        """Load a plain `state_dict` whose parameters are numbered in this optimizer's order (`why_unfit` is empty)."""
        numbers = [number for g in state["param_groups"] for number in g["params"]]
        options = [{k: v for k, v in g.items() if k != "params"} for g in self.optimizer.param_groups]
        groups = [{**own, **g} for own, g in zip(options, state["param_groups"], strict=True)]
        self.optimizer.load_state_dict({"state": state["state"], "param_groups": groups})
        if state["state"]:
            self.optimizer._opt_called = True  # type: ignore[attr-defined]  # noqa: SLF001  # as in restore
        for number, (_, parameter) in zip(numbers, self.named(), strict=True):
            if number in state["state"]:
                _make_exact(self.optimizer.state[parameter], state["state"][number], parameter)

    def named(self) -> Iterator[tuple[str, torch.nn.Parameter]]:
        """Every parameter with its name, in the optimizer's own order."""
        names = self._names()
        for g, group in enumerate(self.optimizer.param_groups):
            for i, parameter in enumerate(group["params"]):
                yield names.get(id(parameter), f"param_groups.{g}.{i}"), parameter

    def _group_names(self) -> list[list[str]]:
        names = [name for name, _ in self.named()]
        sizes = [len(g["params"]) for g in self.optimizer.param_groups]
        return [[names.pop(0) for _ in range(size)] for size in sizes]


_OPTIONS = {
    *(
        "alpha",
        "ams_bound",
        "amsgrad",
        "beta2_decay",
        "betas",
        "centered",
        "dampening",
        "etas",
        "history_size",
        "lambd",
    ),
    *("lr_decay", "max_iter", "momentum", "momentum_decay", "nesterov", "rho", "step_sizes", "t0"),
}
"""Options that tell one kind of optimizer from another; the rest came and went with torch's versions, or are the user's own."""


def _why_other_kind(stored: dict[str, Any], own: dict[str, Any]) -> str:
    there, here = _OPTIONS & stored.keys(), _OPTIONS & own.keys()
    if there != here:
        return f"another kind of optimizer, with {', '.join(sorted(there)) or 'no'} options there and {', '.join(sorted(here)) or 'none'} here"
    decoupled = "decoupled_weight_decay"
    if stored.get(decoupled, own.get(decoupled)) != own.get(decoupled):
        return "Adam there and AdamW here" if own.get(decoupled) else "AdamW there and Adam here"
    if stored.get("param_names", own.get("param_names")) != own.get("param_names", stored.get("param_names")):
        return "its parameters have other names"
    return ""


def _make_exact(loaded: dict[Any, Any], stored: dict[Any, Any], parameter: torch.Tensor) -> None:
    """`Optimizer.load_state_dict` casts state to its parameter's dtype (fp32 moments of a bf16 weight lose digits) and forgets strides."""
    for slot, value in stored.items():
        now = loaded.get(slot)
        if not isinstance(value, torch.Tensor) or not isinstance(now, torch.Tensor):
            continue
        strides_lost = value.shape == parameter.shape and now.stride() != parameter.stride()
        if now.dtype != value.dtype or strides_lost:
            like = parameter if value.shape == parameter.shape else value
            loaded[slot] = torch.empty_like(like, dtype=value.dtype, device=now.device, requires_grad=False).copy_(
                value
            )
