"""Actors in lock-step: one runs at a time, and before each store call a seeded lot decides who goes on and what becomes of the call.

Nothing is left to luck: the same seed gives the same order, so a schedule that fails can be played again.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from batonpass.core.errors import StoreUnreachableError
from batonpass.core.storage import Store

OPS = {"put", "get", "stat", "checksum", "list_objects", "list_folders", "delete"}
LIMIT_S = 60.0


class Died(BaseException):  # an actor's process is gone in the middle of whatever it did
    """Never caught by the product, as a SIGKILL is not."""


@dataclass(frozen=True)
class Odds:
    """Of each store call: how likely its answer is lost, somebody touches the head, or its caller dies. Deaths are few by `deaths`."""

    lost: float = 0.05
    touched: float = 0.05
    death: float = 0.004
    deaths: int = 1


@dataclass
class Stage:
    """Plays actors (functions) against each other. `touch` is what "somebody touches the head" means."""

    seed: int
    odds: Odds = field(default_factory=Odds)
    touch: Callable[[], None] = lambda: None
    calls: int = 0

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)
        self._turn = threading.Condition()
        self._waiting: set[str] = set()
        self._alive: set[str] = set()
        self._goes: str | None = None
        self._deaths = 0
        self.ends: dict[str, BaseException | None] = {}

    def play(self, actors: dict[str, Callable[[], None]]) -> None:
        """Until every actor has ended. How each ended stands in `ends`."""
        threads = [threading.Thread(target=self._act, args=(n, a), daemon=True) for n, a in actors.items()]
        self._alive = set(actors)
        for thread in threads:
            thread.start()
        with self._turn:
            while self._alive:
                ready = self._turn.wait_for(lambda: self._goes is None and self._waiting == self._alive, LIMIT_S)
                assert ready, f"seed {self.seed}: {self._alive - self._waiting} neither went on nor ended"
                if self._alive:
                    self._goes = self.draw.choice(sorted(self._waiting))
                    self._turn.notify_all()
        for thread in threads:
            thread.join(LIMIT_S)

    def wait_for_turn(self, name: str) -> None:
        """Called by the actor's thread: returns when it is this actor's turn."""
        with self._turn:
            if self._goes == name:
                self._goes = None
            self._waiting.add(name)
            self._turn.notify_all()
            self._turn.wait_for(lambda: self._goes == name)
            self._waiting.discard(name)

    def fate(self) -> str:
        """What becomes of the next call."""
        self.calls += 1
        lot = self.draw.random()
        if lot < self.odds.death and self._deaths < self.odds.deaths:
            self._deaths += 1
            return "death"
        if lot < self.odds.death + self.odds.lost:
            return "lost"
        return "touched" if lot < self.odds.death + self.odds.lost + self.odds.touched else ""

    def _act(self, name: str, actor: Callable[[], None]) -> None:
        end: BaseException | None = None
        try:
            self.wait_for_turn(name)
            actor()
        except BaseException as error:  # noqa: BLE001  # kept for the checks
            end = error
        with self._turn:
            self.ends[name] = end
            self._alive.discard(name)
            if self._goes == name:
                self._goes = None
            self._turn.notify_all()


class SteppedStore:
    """`inner` as one actor sees it: each call waits for its turn, twice: before it is sent and before its answer comes."""

    def __init__(self, inner: Store, stage: Stage, name: str) -> None:
        self.inner = inner
        self._stage = stage
        self._name = name
        self.free = False
        """The play is over: calls go straight through."""

    def __getattr__(self, op: str) -> Any:
        value = getattr(self.inner, op)
        if op not in OPS or self.free:
            return value

        def call(*args: Any, **kwargs: Any) -> Any:
            self._stage.wait_for_turn(self._name)
            fate = self._stage.fate()
            if fate == "touched":
                self._stage.touch()
            if fate == "death" and self._stage.draw.random() < 0.5:
                raise Died
            try:
                return value(*args, **kwargs)
            finally:
                self._stage.wait_for_turn(self._name)
                if fate == "death":
                    raise Died
                if fate == "lost":
                    raise StoreUnreachableError(f"the answer to {op} was lost", op=op)

        return call
