"""A loader of another trainer's, wrapped so that an epoch which was cut goes on at the very batch where it stood.

Nothing about the loader is changed: its order and its augmentation come from the random streams at the epoch's start. These are noted,
and a resumed epoch is drawn anew from them; what was used is read and thrown away. That is exact for any number of workers, because each
worker draws what it drew before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch

from batonpass.core.errors import FormatError
from batonpass.core.training.rng import capture_rng, read_streams, restore_rng, write_streams


class ReplayLoader:
    """Iterates as `loader` does; every other attribute is the loader's own. An iteration begins at its first batch, not at `iter()`."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader
        self._start: dict[str, Any] | None = None
        self._given = 0
        self._replay: tuple[dict[str, Any], int, int] | None = None

    def __getattr__(self, name: str) -> Any:
        if name == "_loader":  # not there yet while it is copied or unpickled
            raise AttributeError(name)
        return getattr(self._loader, name)

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[Any]:
        return self._batches()

    def position(self, used: int) -> dict[str, Any]:
        """A tree for the encoder: where the epoch began, how many of its batches were fetched, and how many of them were trained on."""
        return {"start": self._start, "fetched": self._given, "used": used}

    def go_on(self, position: dict[str, Any]) -> None:
        """The next iteration goes on there. FormatError when it is no position."""
        start, fetched, used = position.get("start"), position.get("fetched"), position.get("used")
        if not (isinstance(start, dict) and type(fetched) is int and type(used) is int and 0 <= used <= fetched):
            raise FormatError("the stored position in the data cannot be used", hint="the file may be damaged")
        self._replay = (start, fetched, used)

    def _batches(self) -> Iterator[Any]:
        replay, self._replay = self._replay, None
        if replay is None:
            self._start, self._given = self._moment(), 0
            source = iter(self._loader)
            ahead: list[Any] = []
        else:
            source, ahead = self._read_again(*replay)
        yield from ahead
        for batch in source:
            self._given += 1
            yield batch

    def _read_again(self, start: dict[str, Any], fetched: int, used: int) -> tuple[Iterator[Any], list[Any]]:
        """The epoch's iterator after `fetched` batches, and those of them that were not trained on. The streams are left as they were."""
        now = read_streams()
        try:
            self._go_to(start)
            source = iter(self._loader)
            ahead = [batch for number, batch in enumerate(_take(source, fetched)) if number >= used]
        finally:
            write_streams(now)
        self._start, self._given = start, fetched
        return source, ahead

    def _moment(self) -> dict[str, Any]:
        return {"rng": capture_rng(), "generators": {name: g.get_state() for name, g in self._generators()}}

    def _go_to(self, moment: dict[str, Any]) -> None:
        try:
            restore_rng(moment["rng"])
            for name, generator in self._generators():
                if name in moment["generators"]:
                    generator.set_state(moment["generators"][name])
        except (KeyError, TypeError, RuntimeError) as error:
            raise FormatError(
                "the stored position in the data cannot be used", hint="the file may be damaged"
            ) from error

    def _generators(self) -> Iterator[tuple[str, torch.Generator]]:
        """The user's own generators that decide the order, each once."""
        seen: set[int] = set()
        batch_sampler = getattr(self._loader, "batch_sampler", None)
        owners = {
            "loader": self._loader,
            "sampler": getattr(self._loader, "sampler", None),
            "batch_sampler": batch_sampler,
            "batch_sampler.sampler": getattr(batch_sampler, "sampler", None),
        }
        for name, owner in owners.items():
            generator = getattr(owner, "generator", None)
            if isinstance(generator, torch.Generator) and id(generator) not in seen:
                seen.add(id(generator))
                yield name, generator


def _take(source: Iterable[Any], count: int) -> Iterator[Any]:
    """At most `count` of them, never asking for one more."""
    iterator = iter(source)
    for _ in range(count):
        try:
            yield next(iterator)
        except StopIteration:
            return
