"""The part of every process but the lead in making sharded tensors whole: to find them first, and to ask for them where the lead does."""

from __future__ import annotations

from typing import Any

import torch

from batonpass.core.errors import CheckpointError
from batonpass.core.training.adapters import frozen_file
from batonpass.core.training.attached import Attached
from batonpass.core.training.encoder import Encoder
from batonpass.core.training.part import is_part, whole

Parts = list[torch.Tensor]
"""This process's parts (DTensor) of tensors that all of them make whole together."""


@torch.no_grad()
def find_parts(attached: Attached, parts: list[list[str]]) -> Parts:
    """This process's part of each of these tensors ([file, name]), in their order. CheckpointError for one that it does not have."""
    encoder = Encoder()
    shards = {}
    for name, adapter in attached.adapters.items():
        adapter.capture(encoder, name)
        shards[frozen_file(name)] = f"{name}.safetensors"  # the lead alone has seen which weights do not change
    found: dict[tuple[str, str], Any] = {}
    for file, named in encoder.tensors.items():
        seconds = {second: named[first] for second, first in encoder.aliases.get(file, {}).items()}
        found |= {(shards.get(file, file), name): tensor for name, tensor in (named | seconds).items()}
    keys = [(shards.get(file, file), name) for file, name in parts]
    for file, name in keys:
        if not is_part(found.get((file, name))):
            raise CheckpointError(
                f"{name} of {file} is not divided between the processes here",
                hint="attach the same objects, made and sharded in the same way, in every process",
            )
    return [found[key] for key in keys]


@torch.no_grad()
def make_whole(tensors: Parts) -> None:
    """Take part in making these whole, one at a time; nothing of them stays here."""
    for tensor in tensors:
        whole(tensor)
