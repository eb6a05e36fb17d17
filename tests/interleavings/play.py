"""One play: sessions that start, train, lose the run, publish and end, all on one store, in an order drawn from a seed.

PYTHONPATH=.typelink:tests python -m interleavings.play --plays 1000 --seed 1
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from legs import Leg, host

from batonpass.core.errors import AmbiguousRunError, HeldElsewhereError
from batonpass.sync.handover import release
from batonpass.sync.reading import read_head
from batonpass.sync.stores.backoff import Backoff
from batonpass.sync.stores.retry import RetryStore
from interleavings.history import RecordedStore, Violation
from interleavings.stage import Died, Odds, Stage, SteppedStore

HONEST_REFUSALS = (HeldElsewhereError, AmbiguousRunError)
TICKS = 4


@dataclass
class Play:
    """The store, the stage, and the sessions that were opened in it."""

    seed: int
    home: Path
    odds: Odds = field(default_factory=Odds)
    store_class: type[RecordedStore] = RecordedStore

    def __post_init__(self) -> None:
        self.store = self.store_class()
        self.stage = Stage(self.seed, self.odds, self.store.touch_heads)
        self.draw = random.Random(self.seed + 1)
        self.legs: dict[str, Leg] = {}
        self.doors: dict[str, SteppedStore] = {}

    def run(self) -> None:
        """Play, then look: Violation where a promise was broken."""
        if self.draw.random() < 0.7:  # else the actors create it, at the same time
            self._found_the_run()
        actors = [f"actor-{number}" for number in range(self.draw.choice((2, 2, 3)))]
        self.stage.play({name: self._actor(name) for name in actors})
        try:
            self._look()
        finally:
            for leg in self.legs.values():
                leg.die()

    def _found_the_run(self) -> None:
        first = Leg(self.store, self.home / "first", on=host("machine-0", "4194304-1"), lease_s=20.0)
        release(self.store, first.joined.folder, first.joined.session)
        first.die()

    def _actor(self, name: str):
        number = int(name.removeprefix("actor-")) + 1
        takeover, ends, saves = (self.draw.random() < p for p in (0.5, 0.3, 0.7))
        home = self.home / name

        def act() -> None:
            door = self.doors[name] = SteppedStore(self.store, self.stage, name)
            store = RetryStore(door, backoff=Backoff(limit_s=1e9), wait=lambda _seconds: False)
            # on a machine of its own, whose process cannot be looked at from the others
            leg = Leg(
                store, home, on=host(f"machine-{number}", f"{4194304 + number}-1"), lease_s=20.0, takeover=takeover
            )
            self.legs[name] = leg
            for tick in range(TICKS):
                leg.train(3)
                if saves and tick == 1:
                    leg.save()
                leg.active.service.publish_now()
            if ends and leg.joined.writer.record.branch is None:
                release(leg.joined.store, leg.joined.folder, leg.joined.session)
                leg.active.released = True

        return act

    def _look(self) -> None:
        for door in self.doors.values():
            door.free = True
        self.store.history.check()
        dead = {name for name, end in self.stage.ends.items() if isinstance(end, Died)}
        for name, end in self.stage.ends.items():
            if end is not None and not isinstance(end, (Died, *HONEST_REFUSALS)):
                raise Violation(f"{name} was stopped: {type(end).__name__}: {end}") from end
        for name, leg in self.legs.items():
            if name not in dead and not leg.active.released:
                self._look_at(leg)
        self.store.history.check()

    def _look_at(self, leg: Leg) -> None:
        """One more tick: whoever lost the run knows it, and whoever did not is no branch."""
        if not leg.active.service.publish_now():
            raise Violation(f"{leg.joined.session} could not publish: {leg.active.service.beat.error}")
        head, _ = read_head(self.store, leg.joined.folder)
        branch = leg.joined.writer.record.branch
        if head.holder != leg.joined.session and branch is None:
            raise Violation(f"{leg.joined.session} does not know that {head.holder} holds the run")
        if branch is not None:
            self.store.history.check_branch(leg.joined.session, leg.joined.head.term)

    @property
    def outcome(self) -> str:
        """In a word, for the campaign's table."""
        kinds = sorted(type(end).__name__ if end else "went on" for end in self.stage.ends.values())
        return ", ".join(kinds)


def play(seed: int, **options) -> Play:
    """One play in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="interleaving-") as home:
        one = Play(seed, Path(home), **options)
        try:
            one.run()
        except Violation as violation:
            raise Violation(f"seed {seed}: {violation}") from violation
        return one


def main() -> int:
    """Many plays; prints what they came to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plays", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    outcomes: Counter[str] = Counter()
    calls = 0
    for seed in range(args.seed, args.seed + args.plays):
        one = play(seed)
        outcomes[one.outcome] += 1
        calls += one.stage.calls
    print(f"{args.plays} plays from seed {args.seed}, {calls} store calls, no promise broken")
    for outcome, count in outcomes.most_common():
        print(f"{count:6}  {outcome}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
