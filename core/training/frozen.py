"""Which tensors of a module do not change: by content, not by flag. They go to a shard of their own, whose bytes are then stored once.

`requires_grad` is only the guess before anything was seen: a target network's averaged weights carry it false and change in every
step, and a base model under a learning rate of zero carries it true and never does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

Written = Mapping[str, Mapping[str, tuple[str, int]]]
"""File -> name of a tensor (second names of tied ones too) -> the XXH3 of its bytes and their number."""
UNCHANGED_SAVES = 2
"""So many saves at different steps with equal bytes, and a tensor is taken for frozen."""
WORTH_BYTES = 1 << 20
"""A new shard is one more file to send and to keep: for less than this it is not made."""
WORTH_SHARE = 0.25
"""Tensors that join change the shard, so all of it is sent again: they have to be this large beside it."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """One tensor as it was last written. `equal`: at how many later steps it came out the same; `changes`: how often it did not."""

    xxh3: str
    size_bytes: int
    step: int
    equal: int = 0
    changes: int = 0

    def again(self, step: int, xxh3: str, size_bytes: int) -> _Seen:
        if xxh3 != self.xxh3:
            return _Seen(xxh3, size_bytes, step, 0, self.changes + 1)
        return self if step == self.step else replace(self, step=step, equal=self.equal + 1)


@dataclass(slots=True)
class FrozenTensors:
    """Of one module. Told by the thread that commits, asked by the one that trains; each sees a whole set."""

    _frozen: frozenset[str] | None = None
    _seen: dict[str, _Seen] = field(default_factory=dict)

    def choose(self, guess: Collection[str], names: Collection[str]) -> frozenset[str]:
        """Those of `names` that go to the frozen shard. `guess` counts until something was seen. Never all of them: then nothing trains,
        and one file is as constant as two.
        """
        known = frozenset(guess) if self._frozen is None else self._frozen
        chosen = known & frozenset(names)
        return chosen if len(chosen) < len(names) else frozenset()

    def adopt(self, names: Iterable[str]) -> None:
        """Go on with the shard of the checkpoint that was restored: equal bytes are not sent again."""
        self._frozen, self._seen = frozenset(names), {}

    def observe(self, step: int, written: Mapping[str, tuple[str, int]], frozen: Collection[str]) -> None:
        """A checkpoint of `step` was written: every tensor of the module as in `Written`, and which of them lay in the shard."""
        before, self._seen = self._seen, {}
        for name, facts in written.items():
            self._seen[name] = before[name].again(step, *facts) if name in before else _Seen(facts[0], facts[1], step)
        stayed = {name for name in frozen if name not in before or self._seen[name].changes == before[name].changes}
        joining = {name for name, seen in self._seen.items() if name not in stayed and _is_still(seen)}
        if self._bytes(joining) >= max(WORTH_BYTES, WORTH_SHARE * self._bytes(stayed)):
            stayed |= joining
        self._frozen = frozenset(stayed)

    def _bytes(self, names: Collection[str]) -> int:
        """What they take; tied ones, which have one content, once."""
        return sum(size for _, size in {(self._seen[name].xxh3, self._seen[name].size_bytes) for name in names})


def _is_still(seen: _Seen) -> bool:
    """Twice as long for each time that it turned out not to be: a tensor that changes now and then must not move the shard each time."""
    return seen.equal + 1 >= UNCHANGED_SAVES << min(seen.changes, 10)
