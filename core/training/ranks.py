"""The processes that train one model together (`torchrun`), and the channel on which the first of them, the lead, talks to the others.

It is a gloo group of its own beside the one that the training uses, so that nothing here waits for a GPU or mixes with the user's own
collectives. What travels is bytes, JSON and tensors, never pickle. Which message stands where is decided in `batonpass.leading`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import distributed

from batonpass.core.errors import RankLostError, UsageError

T = TypeVar("T")

LEAD = 0
PATIENCE_S = 4 * 3600.0
"""How long a process waits for the lead, which may be waiting for a lease or bringing gigabytes from a store. One that has died is noticed
at once, by its closed connection."""
ANSWER_S = 600.0
"""How long the lead waits for the others at a save."""


@dataclass(frozen=True, slots=True)
class World:
    """Which of how many processes this is."""

    rank: int = LEAD
    size: int = 1


def here() -> World:
    """This process in the training's default process group; alone where there is none."""
    if not distributed.is_available() or not distributed.is_initialized():
        return World()
    return World(distributed.get_rank(), distributed.get_world_size())


def find_world(environ: Mapping[str, str]) -> World:
    """Like `here`; UsageError where `torchrun` started several processes (`environ` tells) that are not connected yet."""
    world = here()
    told = environ.get("WORLD_SIZE", "")
    if world.size == 1 and told.isdecimal() and int(told) > 1 and "RANK" in environ and not _connected():
        raise UsageError(
            f"this is one of {told} processes, and they are not connected yet: each would train, and save, for itself",
            hint='call torch.distributed.init_process_group("nccl" on GPUs, else "gloo") before batonpass.start',
        )
    return world


def _connected() -> bool:
    return distributed.is_available() and distributed.is_initialized()


class Channel:
    """From the lead to all, and from all to the lead. Every process makes it, and calls its methods, in the same order.

    RankLostError from any method: a process has ended, or did not answer in time. Nothing can be said on the channel after that.
    """

    def __init__(self, world: World, *, patience_s: float = PATIENCE_S, answer_s: float = ANSWER_S) -> None:
        self.world = world
        self._answer = timedelta(seconds=answer_s)
        self._group: Any = _checked(
            lambda: distributed.new_group(backend="gloo", timeout=timedelta(seconds=patience_s))
        )

    @property
    def leads(self) -> bool:
        """This process is the lead."""
        return self.world.rank == LEAD

    def close(self) -> None:
        """Nothing more is said. Its group is let go of, so that `destroy_process_group` can end the threads behind it: one that still lives
        when the interpreter is gone aborts the process.
        """
        self._group = None

    def number(self, value: int = 0) -> int:
        """The lead's number, in every process; `value` counts in the lead only."""
        carrier = torch.tensor([value], dtype=torch.int64)
        self._broadcast(carrier)
        return int(carrier)

    def message(self, body: bytes = b"") -> bytes:
        """The lead's bytes, in every process."""
        room = torch.frombuffer(bytearray(body), dtype=torch.uint8) if body else torch.empty(0, dtype=torch.uint8)
        size = self.number(len(body))
        if not self.leads:
            room = torch.empty(size, dtype=torch.uint8)
        if size:
            self._broadcast(room)
        return room.numpy().tobytes()

    def tensor(self, value: torch.Tensor) -> torch.Tensor:
        """The lead's tensor (on the CPU), in every process; in the others `value` is the room for it. Its very bits, whatever its dtype."""
        carrier = value.detach().contiguous()
        if carrier.numel():
            self._broadcast(carrier.reshape(-1).view(torch.uint8))
        return carrier

    def answers(self, body: bytes) -> list[bytes]:
        """In the lead, what each process said (at least a byte), by rank; in the others an empty list."""
        sizes = self._gather(torch.tensor([len(body)], dtype=torch.int64))
        longest = self.number(max((int(s) for s in sizes), default=0))
        room = torch.zeros(longest, dtype=torch.uint8)
        room[: len(body)] = torch.frombuffer(bytearray(body), dtype=torch.uint8)
        bodies = self._gather(room)
        return [b[: int(s)].numpy().tobytes() for b, s in zip(bodies, sizes, strict=True)]

    def _broadcast(self, carrier: torch.Tensor) -> None:
        group = self._open_group()
        _checked(lambda: distributed.broadcast(carrier, LEAD, group=group))

    def _gather(self, value: torch.Tensor) -> list[torch.Tensor]:
        rooms = [torch.empty_like(value) for _ in range(self.world.size)] if self.leads else None
        group = self._open_group()

        def gather() -> None:
            work = distributed.gather(value, rooms, LEAD, group=group, async_op=True)
            work.wait(self._answer)

        _checked(gather)
        return rooms or []

    def _open_group(self) -> Any:
        """Never the default group, which `None` would mean."""
        if self._group is None:
            raise RankLostError(
                "this run is finished in all processes", hint="call batonpass.start(...) again in every process"
            )
        return self._group


def _checked(talk: Callable[[], T]) -> T:
    """Run it; the errors of torch.distributed become one of ours, here and nowhere else."""
    try:
        return talk()
    except (RuntimeError, ValueError) as error:  # distributed's own errors are RuntimeErrors
        raise RankLostError(
            f"another process of this training does not answer ({str(error).splitlines()[0][:200]})",
            hint="look for the first error above: it is of the process that ended; then start all of them again",
        ) from error
