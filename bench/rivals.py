"""The other ways to save the same state: one class each, with what they promise when they return written beside them."""

from __future__ import annotations

import copy
import importlib.util
import os
import shutil
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn


class TorchSave:
    """`torch.save` of both state dicts into one file. Returns when the system has the bytes, or with `fsync` when the disk has them."""

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer, folder: Path, *, fsync: bool) -> None:
        self.name = "torch.save + fsync" if fsync else "torch.save"
        self._model, self._optimizer, self._fsync = model, optimizer, fsync
        self._path = folder / f"{'synced' if fsync else 'plain'}.pt"

    def save(self) -> None:
        """Save now."""
        state = {"model": self._model.state_dict(), "optimizer": self._optimizer.state_dict()}
        with self._path.open("wb") as file:
            torch.save(state, file)
            if self._fsync:
                file.flush()
                os.fsync(file.fileno())

    def committed(self) -> bool:
        """It is finished when it returns."""
        return True

    def clean(self) -> int:
        """Remove what was written; returns its bytes."""
        return _remove(self._path)


class Safetensors:
    """`safetensors.torch.save_file` of every tensor of both state dicts; the numbers beside them (step counts in groups) are left out."""

    name = "safetensors save_file"

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer, folder: Path) -> None:
        self._model, self._optimizer = model, optimizer
        self._path = folder / "state.safetensors"

    def save(self) -> None:
        """Save now."""
        from safetensors.torch import save_file

        tensors = {f"model.{name}": tensor for name, tensor in self._model.state_dict().items()}
        for index, slots in self._optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{slot}": tensor for slot, tensor in slots.items()}
        save_file(tensors, self._path)

    def committed(self) -> bool:
        """It is finished when it returns."""
        return True

    def clean(self) -> int:
        """Remove what was written; returns its bytes."""
        return _remove(self._path)


class DcpAsync:
    """`torch.distributed.checkpoint.async_save`, one process, its default stager (a blocking copy) and its default writer (fsync on)."""

    name = "DCP async_save"

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer, folder: Path) -> None:
        self._model, self._optimizer = model, optimizer
        self._path = folder / "dcp"
        self._future: Any = None

    def save(self) -> None:
        """Copy now, write in a thread of DCP's own."""
        from torch.distributed import checkpoint

        state = {"model": self._model.state_dict(), "optimizer": self._optimizer.state_dict()}
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")  # one process: on purpose
        self._future = checkpoint.async_save(state, checkpoint_id=self._path, no_dist=True)

    def committed(self) -> bool:
        """Its future says when the files and `.metadata` are written. Raises what the writing raised."""
        if not self._future.done():
            return False
        self._future.result()
        return True

    def read(self) -> dict[str, Any]:
        """Both state dicts as written."""
        from torch.distributed import checkpoint

        state = copy.deepcopy({"model": self._model.state_dict(), "optimizer": self._optimizer.state_dict()})
        checkpoint.load(state, checkpoint_id=self._path, no_dist=True)
        return state

    def clean(self) -> int:
        """Remove what was written; returns its bytes."""
        return _remove(self._path)


class LightningAsync:
    """Lightning's `AsyncCheckpointIO`: clones on the calling thread, then its `TorchCheckpointIO` in a thread of its own."""

    name = "Lightning AsyncCheckpointIO"

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer, folder: Path) -> None:
        from lightning.pytorch.plugins.io import AsyncCheckpointIO, TorchCheckpointIO

        self._model, self._optimizer = model, optimizer
        self._path = folder / "lightning.ckpt"
        self._plugin = AsyncCheckpointIO(TorchCheckpointIO())
        self._after: Any = None

    def save(self) -> None:
        """Copy now, write in Lightning's thread."""
        state = {"model": self._model.state_dict(), "optimizer": self._optimizer.state_dict()}
        self._plugin.save_checkpoint(state, self._path)
        self._after = self._plugin._executor.submit(int)  # noqa: SLF001  # one thread: done when what came before is done

    def committed(self) -> bool:
        """The thread has come to what was given to it after the save."""
        return bool(self._after.done())

    def read(self) -> dict[str, Any]:
        """Both state dicts as written."""
        return dict(torch.load(self._path, weights_only=True))

    def clean(self) -> int:
        """Remove what was written; returns its bytes."""
        return _remove(self._path)


def lightning_is_here() -> bool:
    """Whether Lightning is installed (`pip install batonpass[trainers]`)."""
    return importlib.util.find_spec("lightning") is not None


def _remove(path: Path) -> int:
    if path.is_file():
        size = path.stat().st_size
        path.unlink()
        return size
    size = sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
    shutil.rmtree(path)
    return size
