"""What the machines that a place has given tell about continuing there: memory, disk, precision, the torch build, changed versions. Pure;
from the sessions' own records, so a place that nobody has used yet has nothing to tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from batonpass.core.amounts import capacity
from batonpass.core.drift import NOT_NOTED, drift
from batonpass.core.gpu.advice import has_native_bf16
from batonpass.core.gpu.wheels import wheel_gap
from batonpass.core.model import Session
from batonpass.core.snippets.inputs import Target
from batonpass.streamlit_app.wording import size

PROVIDERS = {Target.COLAB: "colab", Target.COLAB_MOUNT: "colab", Target.KAGGLE: "kaggle"}
_COMPARED = ("torch", "cuda", "cudnn", "python", "numpy", "batonpass")
_DEEPEST = 6


def readiness(
    origin: Session | None, seen: Sequence[Session], size_bytes: int, config: Mapping[str, Any], target: Target
) -> list[str]:
    """Sentences of plain, untrusted text, the gravest first. `origin` wrote the checkpoint of `size_bytes`; `seen` are all sessions of
    the store, of which those at the target's provider count.
    """
    here = sorted((s for s in seen if s.host.provider == PROVIDERS.get(target)), key=lambda s: s.started_at)
    return [*_room(here, size_bytes), *_build(origin, here), *_precision(here, config), *_versions(origin, here)]


def wants_bf16(config: object, *, depth: int = 0) -> bool:
    """Whether the settings that a run was started with name bf16, as a value or as a switch that is on.

    >>> wants_bf16({"trainer": {"precision": "bf16-mixed"}}), wants_bf16({"bf16": True}), wants_bf16({"bf16": False})
    (True, True, False)
    """
    if depth > _DEEPEST:
        return False
    if isinstance(config, Mapping):
        return any(
            ("bf16" in str(name).lower() and value is True) or wants_bf16(value, depth=depth + 1)
            for name, value in config.items()
        )
    if isinstance(config, (list, tuple)):
        return any(wants_bf16(each, depth=depth + 1) for each in config)
    return isinstance(config, str) and any(word in config.lower() for word in ("bf16", "bfloat16"))


def _room(here: Sequence[Session], size_bytes: int) -> Iterator[str]:
    """Loading needs the whole state once beside the model: half of the memory is where it becomes tight."""
    memory = min((s.host.ram_bytes for s in here if s.host.ram_bytes), default=0)
    if memory and size_bytes > memory / 2:
        yield (
            f"The state is {size(size_bytes)}, and the smallest machine there had {capacity(memory)} of memory: "
            "it may not fit while it is loaded. Take a machine with more memory."
        )
    disk = min((s.host.disk_free_bytes for s in here if s.host.disk_free_bytes), default=0)
    if disk and 2 * size_bytes > disk:
        yield (
            f"The state is {size(size_bytes)}, and a machine there began with {capacity(disk)} of free disk: it needs room "
            "for the one that is restored and the next one that is saved."
        )


def _build(origin: Session | None, here: Sequence[Session]) -> Iterator[str]:
    """Of each card met there, with the torch met there last; where the place was never used, nothing is known."""
    versions = here[-1].versions if here else {}
    torch = versions.get("torch") or (origin.versions.get("torch") if origin else "") or ""
    for name, capability in _cards(here).items():
        if gap := wheel_gap(capability, torch, versions.get("cuda")):
            yield f"You have been given a {name} there. {gap}"


def _precision(here: Sequence[Session], config: Mapping[str, Any]) -> Iterator[str]:
    slow = [name for name, capability in _cards(here).items() if has_native_bf16(capability) is False]
    if slow and wants_bf16(config):
        yield (
            f"Its settings name bf16, and you have been given {' and '.join(slow[:3])} there, which only emulate it. "
            "Changing the precision changes the numbers: wait for another card, or accept the slower steps."
        )


def _versions(origin: Session | None, here: Sequence[Session]) -> Iterator[str]:
    """Against the newest session there: what the next one will most likely find."""
    if origin is None or not here or here[-1].id == origin.id:
        return
    changes = [
        f"{c.what} {c.before} → {c.after}"
        for c in drift(origin, here[-1])
        if c.what in _COMPARED and NOT_NOTED not in (c.before, c.after)
    ]
    if changes:
        yield f"Since this checkpoint the machines there have changed: {', '.join(changes)}. The resume may be less than EXACT."


def _cards(here: Sequence[Session]) -> dict[str, str]:
    """Name -> compute capability of each card met, the last met first."""
    return {
        gpu.name: gpu.compute_capability
        for s in reversed(here)
        for gpu in s.gpus
        if gpu.compute_capability is not None and _is_capability(gpu.compute_capability)
    }


def _is_capability(text: str) -> bool:
    major, _, minor = text.partition(".")
    return major.isdecimal() and len(text) < 6 and (minor.isdecimal() or not minor)
