"""One session played in the measure's own process by the product's service: small checkpoints, a clock that ticks fast."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from batonpass.sync.active import ActiveSession
from batonpass.sync.handover import Patience
from batonpass.sync.pruning import Keep
from drive.ground import Ground
from drive.session import join

TICK_S = 0.05


class Playing:
    """An `ActiveSession` whose ticks are counted."""

    def __init__(self, home: Path) -> None:
        self.ticks = 0
        self.step = 0
        self.joined = join(home)
        patience = Patience(lease_s=0.0, say=lambda _line: None)
        self.active = ActiveSession(
            self.joined, home=home, facts=self._facts, keep=Keep(last=100), every_s=TICK_S, patience=patience
        )

    def _facts(self) -> dict[str, Any]:
        """Asked once by each tick of the beat lane."""
        self.ticks += 1
        return {"step": self.step, "epoch": 0.0, "trained_s": float(self.step), "steps_done": self.step}


@contextmanager
def playing(ground: Ground, account: str, home: Path) -> Iterator[Playing]:
    """A session on the account; nothing is started yet."""
    environment = {
        "BATONPASS_DRIVE_TOKEN": ground.emulator.token(account),
        "BATONPASS_DRIVE_ENDPOINT": ground.emulator.url,
        "BATONPASS_HOME": str(home),
    }
    with patch.dict(os.environ, environment):
        one = Playing(home)
    try:
        yield one
    finally:
        one.active.service.stop()
        one.joined.close()
        one.joined.store.close()
