"""A verified checkpoint goes from the lead, which has its files, to the other processes, which may be on other machines: tensor by tensor,
each cut to the part that the receiver holds as soon as it is there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from batonpass.core.codec import decode, encode
from batonpass.core.errors import FormatError
from batonpass.core.model import Manifest
from batonpass.core.training import tags
from batonpass.core.training.attached import Attached
from batonpass.core.training.own_state import with_own
from batonpass.core.training.ranks import Channel
from batonpass.core.training.read import Loaded
from batonpass.core.training.sharded import Homes


def send_checkpoint(channel: Channel, loaded: Loaded) -> None:
    """In the lead. The lead reads its files as it sends them; nothing of them stays in memory."""
    names = sorted(set(_mentioned(loaded.trainer)))
    facts = [(file, name, loaded.tensor(file, name)) for file, name in names]
    head = {
        "manifest": encode(loaded.manifest).decode(),
        "trainer": loaded.trainer,
        "tensors": [[file, name, str(t.dtype).removeprefix("torch."), list(t.shape)] for file, name, t in facts],
    }
    channel.message(json.dumps(head).encode())
    del facts
    for file, name in names:
        channel.tensor(loaded.tensor(file, name))


def receive_checkpoint(channel: Channel, head: bytes, attached: Attached) -> Loaded:
    """In the others, after the lead's message `head`: the checkpoint as this process restores it, its tensors in memory."""
    tree = json.loads(head)
    homes = Homes(attached)
    files: dict[str, _Received] = {}

    def keep(file: str, name: str, tensor: torch.Tensor) -> None:
        files.setdefault(file, _Received()).tensors[name] = homes.place(file, name, tensor)

    for file, name, dtype, shape in tree["tensors"]:
        keep(file, name, channel.tensor(torch.empty(shape, dtype=tags.DTYPES[dtype])))
    manifest = decode(Manifest, tree["manifest"].encode(), key="manifest")
    trainer = with_own(tree["trainer"], channel.world.rank, _seed(manifest), keep)
    return Loaded(Path("from-the-lead"), manifest, trainer, _open=dict(files))


class _Received:
    """The tensors of one file, as `safetensors.safe_open` would give them."""

    def __init__(self) -> None:
        self.tensors: dict[str, torch.Tensor] = {}

    def get_tensor(self, name: str) -> torch.Tensor:
        if name not in self.tensors:
            raise SafetensorError(f"{name} did not come")
        return self.tensors[name]


def _mentioned(tree: Any) -> Iterator[tuple[str, str]]:
    """(file, name) of each tensor that a typed JSON tree speaks of."""
    if isinstance(tree, list):
        for item in tree:
            yield from _mentioned(item)
    elif isinstance(tree, dict):
        for key, value in tree.items():
            if key in (tags.TENSOR, tags.NUMPY_TENSOR) and len(tree) == 1:
                if not isinstance(value, list) or [type(v) for v in value] != [str, str]:
                    raise FormatError(
                        "the checkpoint speaks of a tensor that has no name", hint="it may be damaged or edited"
                    )
                yield value[0], value[1]
            else:
                yield from _mentioned(value)


def _seed(manifest: Manifest) -> int:
    seed = manifest.data.get("seed")
    return seed + manifest.step if type(seed) is int else manifest.step
