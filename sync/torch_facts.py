"""What the torch that the user has already imported says about the GPUs. Never imports torch: a notebook that does not use it pays nothing."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from batonpass.core.gpu.advice import TorchBuild
from batonpass.core.model.machine import Gpu


def torch_build() -> TorchBuild | None:
    """The torch build in use; None until the user's code has imported it."""
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    cuda = torch.version.cuda
    return TorchBuild(str(torch.__version__), tuple(torch.cuda.get_arch_list()) if cuda else (), cuda)


def probe_gpus(gpus: Sequence[Gpu]) -> tuple[Gpu, ...]:
    """The same GPUs with `usable` filled in by one real operation on one card of each name, where torch with CUDA is in use.

    Only one card of each name, because the attempt takes some memory on the card it is made on; under `torchrun` it is this
    process's own. NVML and torch number cards differently, so that names are compared. A card that `CUDA_VISIBLE_DEVICES` hides stays None.
    """
    torch = sys.modules.get("torch")
    if torch is None or not torch.version.cuda or not gpus:
        return tuple(gpus)
    from batonpass.core.training.cuda_probe import probe  # noqa: PLC0415  # imports torch, which is in use here

    with warnings.catch_warnings():  # torch warns of a card it has no code for; the answer says it better
        warnings.simplefilter("ignore")
        try:
            answers = {name: probe(index) for name, index in _one_of_each_name(torch).items()}
        except RuntimeError as error:  # CUDA itself could not be started
            return _all_unusable(gpus, str(error).partition("\n")[0])
    if not answers:
        return _all_unusable(gpus, "torch sees no CUDA device")
    return tuple(_with_answer(gpu, answers.get(gpu.name)) for gpu in gpus)


def _one_of_each_name(torch: Any) -> dict[str, int]:
    if not torch.cuda.is_available():
        return {}
    own = os.environ.get("LOCAL_RANK", "0")
    indexes = sorted(range(torch.cuda.device_count()), key=lambda index: str(index) != own)
    found: dict[str, int] = {}
    for index in indexes:
        found.setdefault(str(torch.cuda.get_device_name(index)), index)
    return found


def _all_unusable(gpus: Sequence[Gpu], why_not: str) -> tuple[Gpu, ...]:
    return tuple(replace(gpu, usable=False, why_not=why_not) for gpu in gpus)


def _with_answer(gpu: Gpu, answer: tuple[bool, str | None, str] | None) -> Gpu:
    if answer is None:
        return gpu
    usable, why_not, capability = answer
    return replace(gpu, usable=usable, why_not=why_not, compute_capability=gpu.compute_capability or capability or None)
