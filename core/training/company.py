"""Who else takes part in a snapshot: the other processes of a training on several GPUs, as the one that copies sees them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Protocol

from batonpass.core.errors import CheckpointError


class Company(Protocol):
    """The other processes of a training on several GPUs; `batonpass.leading` speaks for them."""

    def others(self, position: dict[str, Any]) -> list[dict[str, Any]]:
        """What each of them has of its own, by rank from 1. An error where one is not at this position."""

    def gather(self, parts: list[list[str]]) -> AbstractContextManager[None]:
        """They make these tensors whole, [file, name] each, as the caller does inside the context, in the same order. An error on entering
        it says that one of them cannot, and nobody has begun; an error inside it leaves them apart: no process may train on.
        """


def needs_a_copy(size_bytes: int) -> CheckpointError:
    """Why a state of which other processes hold parts is not saved straight from memory."""
    return CheckpointError(
        f"a state of which each process holds a part needs room for all of it in this machine's memory: {size_bytes / 1e9:.1f} GB",
        hint="docs/CHECKPOINTS.md, Many GPUs, says where the limit is and what to use beyond it",
    )
