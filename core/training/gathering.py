"""The part of every process but the lead in making sharded tensors whole: to ask for them where the lead does."""

from __future__ import annotations

from typing import Any

import torch

from batonpass.core.training.adapters import frozen_file
from batonpass.core.training.attached import Attached
from batonpass.core.training.encoder import Encoder
from batonpass.core.training.part import whole


@torch.no_grad()
def make_whole(attached: Attached, parts: list[list[str]]) -> None:
    """Take part in making whole these tensors ([file, name], in the lead's order), one at a time; nothing of them stays here."""
    encoder = Encoder()
    shards = {}
    for name, adapter in attached.adapters.items():
        adapter.capture(encoder, name)
        shards[frozen_file(name)] = f"{name}.safetensors"  # the lead alone has seen which weights do not change
    found: dict[tuple[str, str], Any] = {}
    for file, named in encoder.tensors.items():
        seconds = {second: named[first] for second, first in encoder.aliases.get(file, {}).items()}
        found |= {(shards.get(file, file), name): tensor for name, tensor in (named | seconds).items()}
    for file, name in parts:
        whole(found[shards.get(file, file), name])
