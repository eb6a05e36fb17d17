"""A copy of the whole training state, taken at a step boundary into one reused buffer, so that training goes on while it is written.

The copy is bound by memory speed because the buffer's pages exist already. When the state is too big for the free memory the snapshot
refers to the live tensors instead and must be written before training goes on.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial
from typing import Any, Self

import psutil
import torch

from batonpass.core.training.attached import Attached
from batonpass.core.training.canary import Place, find_torn
from batonpass.core.training.company import Company, needs_a_copy
from batonpass.core.training.copying import Pair, copy_all
from batonpass.core.training.encoder import Encoder, Json
from batonpass.core.training.environment import environment
from batonpass.core.training.own_state import encode_others
from batonpass.core.training.part import is_part, whole
from batonpass.core.training.rng import capture_rng
from batonpass.core.training.safetensors_file import TensorBytes, buffer_chunks, byte_view, live_chunks, storage_order

SHARE_OF_FREE_MEMORY = 0.5
"""A buffer may take this share of what is available; a larger state is written straight from its tensors."""
PINNED_BYTES = 2 << 30
"""A buffer for CUDA tensors is pinned up to this size: pinned memory is taken from everybody, and making it takes long."""
WINDOW_BYTES = 64 << 20
_ALIGNMENT = 64


@dataclass(slots=True)
class Snapshot:
    """One captured state. Use it as a context manager, or call `release` when it is written: until then no other one can be taken."""

    files: dict[str, list[TensorBytes]]
    """File name -> its tensors in storage order."""
    aliases: dict[str, dict[str, str]]
    """File name -> {second name of a tensor: the name under which it is stored}."""
    trainer: Json
    """The content of `trainer.json`."""
    position: dict[str, Any]
    """The position in the data, for `Manifest.data`."""
    missing: tuple[str, ...]
    environment: dict[str, str]
    size_bytes: int
    live: bool
    """True: it refers to the live tensors and must be written before training goes on."""
    _on_release: Callable[[], None] = field(repr=False)
    warning: str = ""
    """What the user has to be told of how it was taken."""
    torn: bool = False
    """True: training went on while it was still being written from the live tensors. It must not become a checkpoint."""

    def release(self) -> None:
        """Give the buffer back. Calling it again does nothing."""
        self._on_release()
        self._on_release = _nothing

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class Copies(Enum):
    """Whether what was copied is known to stay as it was: the canary's finding, once per session."""

    UNPROVEN = auto()
    GOOD = auto()
    TORN = auto()


class Snapshotter:
    """Takes snapshots, one at a time. `take` belongs to the training thread, `Snapshot.release` to any."""

    def __init__(self, available_bytes: Callable[[], int] | None = None) -> None:
        self._available_bytes = available_bytes or (lambda: int(psutil.virtual_memory().available))
        self._held = threading.Lock()
        self._buffer = torch.empty(0, dtype=torch.uint8)
        self._copies = Copies.UNPROVEN

    def take(
        self, attached: Attached, position: dict[str, Any], loader_state: Any = None, company: Company | None = None
    ) -> Snapshot | None:
        """The state of everything attached, the random streams and the position, as of now. None while the last one is still held."""
        if not self._held.acquire(blocking=False):
            return None
        try:
            return self._take(attached, position, loader_state, company)
        except BaseException:
            self._held.release()
            raise

    @torch.no_grad()
    def _take(
        self, attached: Attached, position: dict[str, Any], loader_state: Any, company: Company | None
    ) -> Snapshot:
        encoder = Encoder()
        others = company.others(position) if company is not None else []
        trainer = _encode_everything(encoder, attached, position, loader_state)
        if others:
            trainer["ranks"] = encode_others(encoder, others, attached)
        layout = _Layout(encoder.tensors)
        pinned = layout.on_cuda and layout.size_bytes <= PINNED_BYTES
        live = self._copies is Copies.TORN or not self._make_room(layout.size_bytes, pinned=pinned)
        parts = layout.parts()
        if parts and live:
            raise needs_a_copy(layout.size_bytes)
        with company.gather(parts) if parts and company is not None else nullcontext():
            files = layout.live_files() if live else layout.copy_into(self._buffer)
        warning = "" if live or self._copies is Copies.GOOD else self._try_canary(layout)
        if warning and parts:
            raise needs_a_copy(layout.size_bytes)
        if warning:
            live, files = True, layout.live_files()
        return Snapshot(
            files=files,
            aliases=encoder.aliases,
            trainer=trainer,
            position=copy.deepcopy(position),
            missing=tuple(encoder.missing),
            environment=environment(),
            size_bytes=layout.size_bytes,
            live=live,
            _on_release=self._held.release,
            warning=warning,
        )

    def _try_canary(self, layout: _Layout) -> str:
        copied = (
            place for place in layout.places() if not is_part(place[1])
        )  # what was made whole for the copy is nobody's live tensor
        try:
            torn = find_torn(copied, self._buffer)
            why = "changed with the live tensor"
        except Exception as error:  # noqa: BLE001  # an exotic tensor must not cost every save: what is not proven is not trusted
            torn = ["a tensor"]
            why = f"could not be compared with it ({type(error).__name__}: {str(error)[:200]})"
        self._copies = Copies.TORN if torn else Copies.GOOD
        if not torn:
            return ""
        more = f" and {len(torn) - 1} more" if len(torn) > 1 else ""
        return f"the copy of {torn[0]}{more} {why}: from now on it is saved without a copy, while training waits"

    def _make_room(self, size_bytes: int, *, pinned: bool) -> bool:
        """Whether the buffer is large enough, after growing it if the memory allows."""
        if size_bytes <= self._buffer.numel():
            return True
        if size_bytes > SHARE_OF_FREE_MEMORY * (self._available_bytes() + self._buffer.numel()):
            return False
        self._buffer = torch.empty(0, dtype=torch.uint8)  # never two buffers
        room = torch.empty(size_bytes, dtype=torch.uint8, pin_memory=pinned)
        self._buffer = room.zero_()  # touches every page once, now and not while training waits
        return True


def _encode_everything(encoder: Encoder, attached: Attached, position: dict[str, Any], loader_state: Any) -> Json:
    objects = {
        name: {"type": adapter.type_name, "tree": adapter.capture(encoder, name)}
        for name, adapter in attached.adapters.items()
    }
    return {
        "format": 1,
        "objects": objects,
        "rng": encoder.encode(capture_rng(), file="rng.safetensors", label="random streams"),
        "loader": encoder.encode(loader_state, file="loader.safetensors", label="data loader"),
        "position": copy.deepcopy(position),
    }


class _Layout:
    """Where each tensor goes in the buffer: files one after another, inside a file no gaps, everything aligned to its element size."""

    def __init__(self, tensors: dict[str, dict[str, torch.Tensor]]) -> None:
        self.files: dict[str, list[Place]] = {}
        self.on_cuda = False
        end = 0
        for file, named in tensors.items():
            end += -end % _ALIGNMENT
            places = self.files[file] = []
            for name, tensor in sorted(named.items(), key=lambda item: storage_order(*item)):
                places.append((name, tensor, end))
                end += tensor.numel() * tensor.element_size()
                self.on_cuda |= tensor.is_cuda
        self.size_bytes = end

    def places(self) -> Iterator[Place]:
        """Every tensor with its place in the buffer."""
        return (place for places in self.files.values() for place in places)

    def parts(self) -> list[list[str]]:
        """[file, name] of the tensors of which other processes hold a part, in the order in which `copy_into` makes them whole."""
        places = ((file, name, tensor) for file, named in self.files.items() for name, tensor, _ in named)
        return [[file, name] for file, name, tensor in places if is_part(tensor) and tensor.numel()]

    def copy_into(self, buffer: torch.Tensor) -> dict[str, list[TensorBytes]]:
        """Copy everything; device copies are queued together and waited for once."""
        data = byte_view(buffer)
        files: dict[str, list[TensorBytes]] = {}
        pairs: list[Pair] = []
        for file, places in self.files.items():
            files[file] = []
            for name, tensor, start in places:
                size = tensor.numel() * tensor.element_size()
                room = buffer[start : start + size]
                if is_part(tensor):
                    copy_all([(whole(tensor), room)])  # one at a time: only one of them is ever whole beside its copy
                else:
                    pairs.append((tensor, room))
                chunks = partial(buffer_chunks, data, start, size)
                files[file].append(TensorBytes(name, tensor.dtype, tuple(tensor.shape), size, chunks))
        copy_all(pairs)
        if self.on_cuda:
            torch.cuda.synchronize()
        return files

    def live_files(self) -> dict[str, list[TensorBytes]]:
        """Nothing is copied: the bytes are read from the tensors themselves when the file is written."""
        return {file: [_live(name, tensor) for name, tensor, _ in places] for file, places in self.files.items()}


def _live(name: str, tensor: torch.Tensor) -> TensorBytes:
    size = tensor.numel() * tensor.element_size()
    chunks: Callable[[], Iterator[memoryview]] = partial(live_chunks, tensor, WINDOW_BYTES)
    return TensorBytes(name, tensor.dtype, tuple(tensor.shape), size, chunks)


def _nothing() -> None:
    """What a released snapshot does when it is released again."""
