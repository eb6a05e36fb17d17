"""Whether a tensor is a part of one that several processes hold, and how it becomes whole. See `sharded` for the way back."""

from __future__ import annotations

from typing import Any

import torch


def is_part(value: Any) -> bool:
    """A DTensor."""
    return isinstance(value, torch.Tensor) and callable(getattr(value, "full_tensor", None))


def whole(tensor: Any) -> torch.Tensor:
    """The tensor itself, or all of what this is a part of: then every process of its mesh must ask for it at the same place."""
    full: torch.Tensor = tensor.full_tensor() if is_part(tensor) else tensor
    return full


def address(tensor: Any) -> int:
    """Where the data lies in this process, to tell that two tensors are one."""
    return int((tensor.to_local() if is_part(tensor) else tensor).data_ptr())
