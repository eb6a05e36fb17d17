"""Tensors of which each process holds a part (DTensor: FSDP2, tensor parallelism): made whole for a checkpoint, cut again from a whole one.

DTensor is known by what it can do: importing it costs a second that a training on one GPU need not pay.
"""

from __future__ import annotations

from typing import Any

import torch

from batonpass.core.training.adapters import ModuleAdapter, frozen_file, plain_name
from batonpass.core.training.attached import Attached
from batonpass.core.training.optimizer_adapter import OptimizerAdapter
from batonpass.core.training.part import is_part


class Homes:
    """Where the tensors of a checkpoint's files are to lie: the parameter whose sharding a stored tensor takes."""

    def __init__(self, attached: Attached) -> None:
        self._weights: dict[tuple[str, str], torch.Tensor] = {}
        self._slots: dict[tuple[str, str], torch.Tensor] = {}
        for name, adapter in attached.adapters.items():
            if isinstance(adapter, ModuleAdapter):
                for key, value in adapter.module.state_dict().items():
                    for file in (f"{name}.safetensors", frozen_file(name)):
                        if is_part(value):
                            self._weights[file, plain_name(key)] = value
            elif isinstance(adapter, OptimizerAdapter):
                for key, parameter in adapter.named():
                    if is_part(parameter):
                        self._slots[f"{name}.safetensors", f"state.{key}"] = parameter

    def __bool__(self) -> bool:
        return bool(self._weights or self._slots)

    def place(self, file: str, name: str, tensor: torch.Tensor) -> torch.Tensor:
        """The part of a whole tensor that this process holds; as it is where it is not sharded. No process waits for another."""
        home = self._weights.get((file, name))
        if home is None:
            home = self._slots.get((file, name.rpartition(".")[0]))
        if home is None or is_part(tensor) or tensor.shape != home.shape:
            return tensor
        return cut(tensor, home)


def cut(whole: torch.Tensor, like: Any) -> torch.Tensor:
    """This process's part of `whole`, sharded and placed like the DTensor `like`."""
    from torch.distributed.tensor import distribute_tensor  # noqa: PLC0415  # loaded by whoever made `like`

    part: Any = distribute_tensor(whole, like.device_mesh, like.placements, src_data_rank=None)
    local = part.to_local()
    if local.untyped_storage().nbytes() != local.numel() * local.element_size():
        part = part.clone()  # a view would keep the whole tensor, or the checkpoint's file, in use
    cut_out: torch.Tensor = part
    return cut_out
